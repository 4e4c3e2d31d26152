//! `tower-audit query`, and how records are shown.

use std::io;

use tower_audit::{
    Record,
    clock::RecordId,
    evidence::leaf_hash,
    record::{Actor, Target},
    store::{Query, Store, Stored},
};

use crate::{
    args::QueryArgs,
    exit::{End, Failure},
    filter,
    output::{Output, clean, fit},
    verify::open,
};

/// Without `--from` and `--all`.
const DEFAULT_DAYS: u64 = 7;

pub(crate) async fn run(args: &QueryArgs, output: &mut Output) -> Result<End, Failure> {
    let mut query = args.filter.query();
    let is_default = args.filter.from.is_none() && !args.all;
    if is_default {
        query = query.from(filter::days_ago(DEFAULT_DAYS));
    }
    let store = open(&args.store).await?;
    let mut rows = Rows::new(args.json);
    let more = show(&store, query, args.limit.0, &mut rows, output).await?;
    output.flush()?;
    if is_default {
        output.note(&format!(
            "the last {DEFAULT_DAYS} days; --from or --all for more"
        ));
    }
    if more {
        output.note(&format!(
            "the newest {} of more; --limit none for all",
            rows.shown
        ));
    }
    Ok(rows.end(output))
}

/// Shows page after page. True when there are more than the limit.
async fn show(
    store: &Store,
    query: Query,
    limit: Option<usize>,
    rows: &mut Rows,
    output: &mut Output,
) -> Result<bool, Failure> {
    let mut before: Option<RecordId> = None;
    loop {
        // One more than is wanted tells whether there are more.
        let wanted = limit.map_or(Query::MAX_LIMIT, |limit| {
            (limit - rows.shown).saturating_add(1)
        });
        let mut page_of = query.clone().limit(wanted);
        if let Some(id) = before {
            page_of = page_of.before(id);
        }
        let page = store.browse(&page_of).await.map_err(Failure::of)?;
        for stored in &page.records {
            if limit.is_some_and(|limit| rows.shown >= limit) {
                return Ok(true);
            }
            rows.show(stored, output)?;
        }
        match page.older {
            Some(next) => before = Some(next),
            None => return Ok(false),
        }
    }
}

/// Shows records in the form that was asked for.
#[derive(Debug)]
pub(crate) struct Rows {
    json: bool,
    pub(crate) shown: usize,
    /// Records whose bytes are not those that were delivered.
    altered: u64,
}

impl Rows {
    pub(crate) const fn new(json: bool) -> Self {
        Self {
            json,
            shown: 0,
            altered: 0,
        }
    }

    pub(crate) fn show(&mut self, stored: &Stored, output: &mut Output) -> io::Result<()> {
        if leaf_hash(stored.json.as_bytes()) != stored.leaf {
            self.altered += 1;
            output.note(&format!(
                "record {} is not what was delivered: see tower-audit verify --store",
                stored.id
            ));
        }
        if self.json {
            // JSON may have line breaks between its parts; ours never does.
            output.line(&stored.json.replace(['\n', '\r'], " "))?;
        } else {
            if self.shown == 0 {
                output.line(&row(
                    "TIME", "OUTCOME", "ACTION", "ACTOR", "TARGET", "ADDRESS",
                ))?;
            }
            output.line(&table_row(stored))?;
        }
        self.shown += 1;
        Ok(())
    }

    pub(crate) fn end(&self, output: &mut Output) -> End {
        match self.altered {
            0 => End::Good,
            count => {
                output.note(&format!("{count} of them are not what was delivered"));
                End::Wrong
            }
        }
    }
}

fn table_row(stored: &Stored) -> String {
    let Ok(record) = Record::from_json(stored.json.as_bytes()) else {
        let time = stored.id.timestamp().to_string();
        return row(
            &time,
            "",
            "(not a record of this version)",
            "",
            &stored.id.to_string(),
            "",
        );
    };
    let time = record
        .timestamp()
        .unwrap_or_else(|| stored.id.timestamp())
        .to_string();
    let outcome = record.outcome.unwrap_or_default();
    let actor = record.actor.as_ref().map(actor_words).unwrap_or_default();
    let targets: Vec<String> = record.targets.iter().map(target_words).collect();
    let address = record
        .context
        .ip_address
        .map(|address| address.to_string())
        .unwrap_or_default();
    row(
        &time,
        outcome.as_str(),
        record.action.as_str(),
        &actor,
        &targets.join(", "),
        &address,
    )
}

fn actor_words(actor: &Actor) -> String {
    let name = actor.name.as_deref().or(actor.claimed.as_deref());
    let id = actor.id.as_deref();
    match (id, name) {
        (Some(id), Some(name)) => format!("{id} ({name})"),
        (Some(only), None) | (None, Some(only)) => only.to_owned(),
        (None, None) => format!("({})", actor.kind.as_str()),
    }
}

fn target_words(target: &Target) -> String {
    match target.id.as_deref().or(target.name.as_deref()) {
        Some(id) => format!("{}:{id}", target.kind),
        None => target.kind.to_string(),
    }
}

/// Columns of fixed width, so that they stand below each other while they come; the last may be long.
fn row(
    time: &str,
    outcome: &str,
    action: &str,
    actor: &str,
    target: &str,
    address: &str,
) -> String {
    let line = format!(
        "{:<27}  {:<9}  {:<28}  {:<28}  {:<32}  {}",
        fit(time, 27),
        fit(outcome, 9),
        fit(action, 28),
        fit(actor, 28),
        fit(target, 32),
        clean(address),
    );
    line.trim_end().to_owned()
}
