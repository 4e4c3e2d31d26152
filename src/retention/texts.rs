//! The text of every statement, made once for one place of tables.

use std::sync::Arc;

/// How a database spells what they all have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// Whether values are `$1`, `$2`, … and not `?`.
    pub(super) numbered: bool,
    /// Around an insert that passes over rows whose key is there.
    pub(super) insert_new: (&'static str, &'static str),
}

/// What a prune runs.
#[derive(Debug)]
pub(super) struct Texts {
    style: Style,
    pub(super) records: String,
    pub(super) targets: String,
    pub(super) emptied: String,
    #[cfg_attr(
        not(feature = "postgres"),
        expect(dead_code, reason = "only PostgreSQL locks the table")
    )]
    pub(super) table_of_holds: String,
    pub(super) holds: Arc<str>,
    pub(super) place: Arc<str>,
    pub(super) release: Arc<str>,
    pub(super) newest_up_to: Arc<str>,
    pub(super) oldest_above: Arc<str>,
    page: String,
    pub(super) update_run: Arc<str>,
    pub(super) insert_run: Arc<str>,
    pub(super) removed_by: Arc<str>,
    pub(super) last_policy: Arc<str>,
    pub(super) last_whole: Arc<str>,
}

impl Texts {
    pub(super) fn new(table: impl Fn(&str) -> String, style: Style) -> Self {
        let [records, targets, emptied] = ["records", "targets", "emptied"].map(&table);
        let (holds, prunes) = (table("holds"), table("prunes"));
        let text = |text: String| -> Arc<str> { spelled(&text, style).into() };
        Self {
            style,
            holds: text(format!(
                "SELECT id, filter, reason, placed_by, since, released, released_by \
                 FROM {holds} ORDER BY since, id"
            )),
            place: text(format!(
                "INSERT INTO {holds} (id, filter, reason, placed_by, since) VALUES (?, ?, ?, ?, ?)"
            )),
            release: text(format!(
                "UPDATE {holds} SET released = ?, released_by = ? WHERE id = ? AND released IS NULL"
            )),
            newest_up_to: text(format!(
                "SELECT id FROM {records} WHERE id <= ? ORDER BY id DESC LIMIT 1"
            )),
            oldest_above: text(format!(
                "SELECT id FROM {records} WHERE id > ? ORDER BY id LIMIT 1"
            )),
            page: format!("FROM {records} WHERE id > ? AND id <= ? ORDER BY id LIMIT ?"),
            update_run: text(format!(
                "UPDATE {prunes} SET ended = ?, removed = removed + ?, oldest = ?, newest = ?, counts = ?, \
                 complete = ? WHERE id = ?"
            )),
            insert_run: text(format!(
                "INSERT INTO {prunes} (ended, removed, oldest, newest, counts, complete, id, \
                 started, run_by, digest, policy) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            )),
            removed_by: text(format!("SELECT removed FROM {prunes} WHERE id = ?")),
            last_policy: text(format!(
                "SELECT digest, policy FROM {prunes} ORDER BY started DESC, id DESC LIMIT 1"
            )),
            last_whole: text(format!(
                "SELECT started FROM {prunes} WHERE complete = 1 AND digest = ? AND started <= ? \
                 ORDER BY started DESC LIMIT 1"
            )),
            table_of_holds: holds,
            records,
            targets,
            emptied,
        }
    }

    /// The page of candidates; `json`: the expression that gives the text.
    pub(super) fn page(&self, json: Option<&str>) -> String {
        let json = json.unwrap_or("NULL");
        let page = &self.page;
        let text = format!("SELECT id, timestamp, received, action, category, {json} {page}");
        spelled(&text, self.style)
    }

    /// Keeps number and leaf of so many records.
    pub(super) fn keep_leaves(&self, count: usize) -> String {
        let (records, list) = (&self.records, list(count));
        self.keep_leaves_of(&format!("{records} WHERE id IN ({list})"))
    }

    /// Keeps number and leaf of what stands in these rows.
    pub(super) fn keep_leaves_of(&self, rows: &str) -> String {
        let (insert, end) = self.style.insert_new;
        let emptied = &self.emptied;
        let text = format!(
            "{insert} INTO {emptied} (trail, number, leaf) SELECT trail, number, leaf FROM {rows} {end}"
        );
        spelled(&text, self.style)
    }

    /// How many of so many records have another leaf than what is kept under their number.
    pub(super) fn other_leaves(&self, count: usize) -> String {
        let (records, list) = (&self.records, list(count));
        self.other_leaves_of(records, &format!("AND found.id IN ({list})"))
    }

    pub(super) fn other_leaves_of(&self, rows: &str, filter: &str) -> String {
        let emptied = &self.emptied;
        let text = format!(
            "SELECT count(*) FROM {rows} AS found JOIN {emptied} AS kept \
             ON kept.trail = found.trail AND kept.number = found.number \
             WHERE kept.leaf <> found.leaf {filter}"
        );
        spelled(&text, self.style)
    }

    pub(super) fn remove_targets(&self, count: usize) -> String {
        let (targets, list) = (&self.targets, list(count));
        spelled(
            &format!("DELETE FROM {targets} WHERE record IN ({list})"),
            self.style,
        )
    }

    pub(super) fn remove_records(&self, count: usize) -> String {
        let (records, list) = (&self.records, list(count));
        spelled(
            &format!("DELETE FROM {records} WHERE id IN ({list})"),
            self.style,
        )
    }
}

fn list(count: usize) -> String {
    vec!["?"; count].join(", ")
}

/// A statement with the values in the database's own spelling.
fn spelled(text: &str, style: Style) -> String {
    if !style.numbered {
        return text.to_owned();
    }
    let mut spelled = String::with_capacity(text.len() + 64);
    let mut number = 0;
    for piece in text.split_inclusive('?') {
        match piece.strip_suffix('?') {
            Some(before) => {
                number += 1;
                spelled.push_str(before);
                spelled.push_str(&format!("${number}"));
            }
            None => spelled.push_str(piece),
        }
    }
    spelled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_numbered_where_they_must_be() {
        let style = |numbered| Style {
            numbered,
            insert_new: ("INSERT", ""),
        };
        assert_eq!(spelled("a ? b ?", style(true)), "a $1 b $2");
        assert_eq!(spelled("a ? b ?", style(false)), "a ? b ?");
        let texts = Texts::new(|name| format!("audit_{name}"), style(true));
        assert_eq!(
            texts.remove_records(3),
            "DELETE FROM audit_records WHERE id IN ($1, $2, $3)"
        );
    }
}
