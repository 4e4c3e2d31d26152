//! The text of the statements that look for records.

use super::{
    lead::{Also, Column, Lead, Plan},
    span::Span,
    statement::{Dialect, Kind, PRIMARY, Sql, Statement, Value},
};

/// What a record is read from, in the order of `Row::stored`; `id` stands before them.
const COLUMNS: &str = "r.arrival, r.trail, r.number, r.leaf, r.received";
const KINDS: [Kind; 7] = [
    Kind::Id,
    Kind::Number,
    Kind::Id,
    Kind::Number,
    Kind::Bytes,
    Kind::Number,
    Kind::Text,
];

/// The direction in which ids or arrivals are walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// From the newest to older ones.
    Down,
    /// From the oldest to newer ones.
    Up,
}

/// What is read of each record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Record,
    Id,
    /// The id, and one column under the name `v`.
    Column(Column),
}

/// So many rows, behind so many others.
#[derive(Debug, Clone, Copy)]
struct Rows {
    count: usize,
    behind: usize,
}

impl Plan {
    /// Records that match.
    pub(super) fn page(&self, span: Span, order: Order, limit: usize) -> Statement {
        let rows = Rows {
            count: limit,
            behind: 0,
        };
        let mut sql = Sql::new(self.tables.dialect);
        self.select(&mut sql, What::Record, span, true, Some((order, rows)));
        sql.done(&KINDS)
    }

    /// The id that ends the next so many entries of the lead's index that are in reach, whatever else
    /// must hold; no row when there are not so many.
    pub(super) fn boundary(&self, span: Span, order: Order, entries: usize) -> Statement {
        let rows = Rows {
            count: 1,
            behind: entries.saturating_sub(1),
        };
        let mut sql = Sql::new(self.tables.dialect);
        self.select(&mut sql, What::Id, span, false, Some((order, rows)));
        sql.done(&[Kind::Id])
    }

    /// How many match.
    pub(super) fn total(&self, span: Span) -> Statement {
        let mut sql = Sql::new(self.tables.dialect);
        let count = if self.has_doubles() {
            "SELECT COUNT(DISTINCT id) FROM ("
        } else {
            "SELECT COUNT(*) FROM ("
        };
        sql.push(count);
        self.select(&mut sql, What::Id, span, true, None);
        sql.push(") AS matching");
        sql.done(&[Kind::Number])
    }

    /// How many entries of the lead there are, up to `max`, whatever else must hold. In no order,
    /// so that nothing is sorted or read for it.
    pub(super) fn capped_total(&self, span: Span, max: usize) -> Statement {
        let mut sql = Sql::new(self.tables.dialect);
        sql.push("SELECT COUNT(*) FROM (");
        self.select(&mut sql, What::Id, span, true, None);
        sql.push(" LIMIT ")
            .bind(count_of(max))
            .push(") AS matching");
        sql.done(&[Kind::Number])
    }

    /// How many match, by outcome.
    pub(super) fn by_outcome(&self, span: Span) -> Statement {
        let count = if self.has_doubles() {
            "COUNT(DISTINCT id)"
        } else {
            "COUNT(*)"
        };
        let mut sql = Sql::new(self.tables.dialect);
        sql.push(&format!("SELECT v, {count} FROM ("));
        self.select(
            &mut sql,
            What::Column(super::lead::OUTCOME),
            span,
            true,
            None,
        );
        sql.push(") AS matching GROUP BY v");
        sql.done(&[Kind::Text, Kind::Number])
    }

    /// The different values of a column among those that match.
    pub(super) fn values(&self, column: Column, span: Span, limit: usize) -> Statement {
        let mut sql = Sql::new(self.tables.dialect);
        sql.push("SELECT DISTINCT v FROM (");
        self.select(&mut sql, What::Column(column), span, true, None);
        sql.push(") AS matching WHERE v IS NOT NULL LIMIT ");
        sql.bind(count_of(limit));
        sql.done(&[Kind::Text])
    }

    fn select(
        &self,
        sql: &mut Sql,
        what: What,
        span: Span,
        also: bool,
        order: Option<(Order, Rows)>,
    ) {
        let parts = self.parts();
        let is_limited = parts > 1 && order.is_some() && self.tables.parts_are_limited();
        for part in 0..parts {
            if part > 0 {
                sql.push(" UNION ALL ");
            }
            if is_limited {
                sql.push("(");
            }
            self.part(sql, part, what);
            self.conditions(sql, part, span, also);
            if let Some((order, rows)) = order.filter(|_| is_limited) {
                let most = Rows {
                    count: rows.count.saturating_add(rows.behind),
                    behind: 0,
                };
                self.end(sql, order, most, true);
                sql.push(")");
            }
        }
        if let Some((order, rows)) = order {
            self.end(sql, order, rows, parts == 1);
        }
    }

    fn parts(&self) -> usize {
        match &self.lead {
            Lead::Column(_, texts) => texts.len(),
            Lead::Target { types, .. } => types.len(),
            Lead::Id | Lead::Arrival(..) => 1,
        }
    }

    /// What the lead is in the order of.
    fn key(&self) -> &'static str {
        match self.lead {
            Lead::Target { .. } => "t.record",
            Lead::Arrival(..) => "r.arrival",
            Lead::Id | Lead::Column(..) => "r.id",
        }
    }

    fn part(&self, sql: &mut Sql, _part: usize, what: What) {
        let id = match self.lead {
            Lead::Target { .. } => "t.record",
            _ => "r.id",
        };
        sql.push(&format!("SELECT {id} AS id"));
        match what {
            What::Id => {}
            What::Column(column) => {
                sql.push(&format!(", {} AS v", self.tables.value(column.name)));
            }
            What::Record => {
                sql.push(&format!(", {COLUMNS}, {} AS json", self.tables.json()));
            }
        }
        let records = |index| self.tables.along("records", "r", index);
        let from = match &self.lead {
            Lead::Id => records(PRIMARY),
            Lead::Column(column, _) => records(column.index),
            Lead::Arrival(..) => records("arrival"),
            Lead::Target { .. } => format!(
                "{} {} {} ON r.id = t.record",
                self.tables.along("targets", "t", "target"),
                self.tables.join(),
                records(PRIMARY)
            ),
        };
        sql.push(" FROM ").push(&from);
    }

    /// The columns of the lead's index and its text at each, where PostgreSQL must be kept to it.
    ///
    /// It knows no hints, and where it believes that many records match, it reads all of them in the
    /// order of their ids instead. The order of a whole row is only that of this index; an equality
    /// would make its columns constant, and their order any index's.
    fn whole_rows(&self) -> Option<Vec<(String, &str)>> {
        if !self.tables.needs_whole_rows() || self.parts() != 1 {
            return None;
        }
        match &self.lead {
            Lead::Column(column, texts) => {
                let text = texts.first()?.as_str();
                Some(vec![(format!("r.{}", column.name), text)])
            }
            // The type is an equality beside it: a row that differs in its second column would not
            // end the walk, and all targets of the type would be looked at.
            Lead::Target { id, .. } => Some(vec![("t.id".to_owned(), id.as_str())]),
            Lead::Id | Lead::Arrival(..) => None,
        }
    }

    fn row_conditions(&self, sql: &mut Sql, columns: &[(String, &str)], span: Span) {
        let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(", ");
        for (name, _) in columns {
            // What the index is limited to must be said.
            sql.push(&format!("{name} IS NOT NULL AND "));
        }
        for (and, comparison, number) in [("", ">=", span.low), (" AND ", "<", span.high)] {
            sql.push(&format!("{and}({names}, {}) {comparison} (", self.key()));
            for (_, text) in columns {
                sql.bind(Value::Text((*text).to_owned())).push(", ");
            }
            sql.bind(Value::Id(number.to_be_bytes())).push(")");
        }
    }

    fn conditions(&self, sql: &mut Sql, part: usize, span: Span, also: bool) {
        sql.push(" WHERE ");
        if let Some(columns) = self.whole_rows() {
            if let Lead::Target { types, .. } = &self.lead {
                let kind = types.get(part).map_or("", String::as_str);
                self.lead_is(sql, "t.type", kind);
                sql.push(" AND ");
            }
            self.row_conditions(sql, &columns, span);
        } else {
            self.lead_conditions(sql, part);
        }
        self.id_conditions(sql, span);
        let matching = if also { self.also.as_slice() } else { &[] };
        for also in self.within.iter().chain(matching) {
            sql.push(" AND ");
            self.also(sql, also);
        }
    }

    fn lead_conditions(&self, sql: &mut Sql, part: usize) {
        match &self.lead {
            // Each has a condition, so that all others begin with AND.
            Lead::Id => {
                sql.push("1 = 1");
            }
            Lead::Column(column, texts) => {
                let text = texts.get(part).map_or("", String::as_str);
                self.lead_is(sql, &format!("r.{}", column.name), text);
            }
            Lead::Target { types, id } => {
                let kind = types.get(part).map_or("", String::as_str);
                self.lead_is(sql, "t.type", kind);
                sql.push(" AND ").is("t.id", id);
            }
            Lead::Arrival(after, until) => {
                sql.push("r.arrival > ").bind(Value::Number(*after));
                sql.push(" AND r.arrival <= ").bind(Value::Number(*until));
            }
        }
    }

    /// A text that was found stands for all that equal it.
    fn lead_is(&self, sql: &mut Sql, column: &str, text: &str) {
        if self.is_found {
            sql.push(column).push(" = ");
            sql.bind(Value::Text(text.to_owned()));
        } else {
            sql.is(column, text);
        }
    }

    fn id_conditions(&self, sql: &mut Sql, span: Span) {
        let is_hidden = matches!(self.lead, Lead::Arrival(..));
        let key = if is_hidden { "r.id" } else { self.key() };
        for (bound, comparison, number) in [
            (span.has_low(), " >= ", span.low),
            (span.has_high(), " < ", span.high),
        ] {
            if !bound {
                continue;
            }
            sql.push(" AND ");
            if is_hidden {
                sql.hidden(key);
            } else {
                sql.push(key);
            }
            sql.push(comparison).bind(Value::Id(number.to_be_bytes()));
        }
    }

    fn also(&self, sql: &mut Sql, also: &Also) {
        match also {
            Also::Is(column, text) => {
                sql.also_is(&format!("r.{}", column.name), text);
            }
            Also::Below(prefix) => {
                sql.begins("r.action", prefix);
            }
            Also::NoRead => {
                sql.push("r.action NOT IN ('audit.read', 'audit.export')");
            }
            Also::ArrivedBy(arrival) => {
                sql.push("r.arrival + 0 <= ").bind(Value::Number(*arrival));
            }
            // Counted, because no database makes a join of that, in an order of its own.
            Also::Target(kind, id) => {
                let targets = self.tables.along("targets", "w", PRIMARY);
                sql.push(&format!(
                    "(SELECT COUNT(*) FROM {targets} WHERE w.record = r.id"
                ));
                for (column, text) in [("w.type", kind), ("w.id", id)] {
                    if let Some(text) = text {
                        sql.push(" AND ").also_is(column, text);
                    }
                }
                sql.push(") > 0");
            }
            Also::Holds(run) => self.holds(sql, run),
        }
    }

    /// Nothing that matches is left out: what is escaped is let through, to be looked at exactly.
    fn holds(&self, sql: &mut Sql, run: &str) {
        let (column, like) = match self.tables.dialect {
            #[cfg(feature = "sqlite")]
            Dialect::Sqlite => ("r.json", "LIKE"),
            #[cfg(feature = "postgres")]
            Dialect::Postgres => ("(r.json::text COLLATE \"C\")", "ILIKE"),
            #[cfg(feature = "mysql")]
            Dialect::Mysql => ("(r.json COLLATE utf8mb4_general_ci)", "LIKE"),
        };
        // The escape is of the pattern's own language: two for one that is looked for, or none.
        let escaped = match self.tables.dialect {
            #[cfg(feature = "sqlite")]
            Dialect::Sqlite => "%\\u00%",
            #[cfg(any(feature = "postgres", feature = "mysql"))]
            _ => "%\\\\u00%",
        };
        sql.push(&format!("({column} {like} "));
        sql.bind(Value::Text(format!("%{run}%")));
        sql.push(&format!(" OR {column} {like} "));
        sql.bind(Value::Text(escaped.to_owned()));
        sql.push(")");
    }

    fn end(&self, sql: &mut Sql, order: Order, rows: Rows, is_alone: bool) {
        let key = if is_alone { self.key() } else { "id" };
        let direction = match order {
            Order::Down => " DESC",
            Order::Up => "",
        };
        sql.push(" ORDER BY ");
        for (name, _) in self.whole_rows().unwrap_or_default() {
            sql.push(&format!("{name}{direction}, "));
        }
        sql.push(&format!("{key}{direction} LIMIT "));
        sql.bind(count_of(rows.count));
        if rows.behind > 0 {
            sql.push(" OFFSET ").bind(count_of(rows.behind));
        }
    }
}

/// Bound, so that few texts differ and the servers know them.
fn count_of(rows: usize) -> Value {
    Value::Number(i64::try_from(rows).unwrap_or(i64::MAX))
}
