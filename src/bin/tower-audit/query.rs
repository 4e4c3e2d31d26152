//! `tower-audit query`.

use clap::Args as ClapArgs;
use tower_audit::{
    Audit,
    clock::{RecordId, Timestamp},
    store::{Query, Store},
};

use crate::{
    args::Limit,
    exit::{End, Failure},
    filter::{Filter, Otherwise},
    output::Output,
    recording::{self, RecordArgs},
    rows::Rows,
    terminal::Form,
    verify::open,
};

pub(crate) const HELP: &str = "\
Examples:
  tower-audit query --store sqlite://audit.db
  tower-audit query --store sqlite://audit.db --action 'user.*' --outcome denied --from 24h
  tower-audit query --store sqlite://audit.db --actor 146 --from 2026-11-01 --to 2026-12-01
  tower-audit query --store sqlite://audit.db --session hmac-sha256:k1:9f…
  tower-audit query --store sqlite://audit.db --all --limit none | jq -r .action
  tower-audit query --store sqlite://audit.db --table | less
  tower-audit query --store sqlite://audit.db --actor 146 --record /var/lib/docs/audit

On a terminal a table; in a pipe or a file one record a line, exactly as it is stored (JSON Lines).
Times are RFC 3339 (2026-11-20T13:34:01Z), a day in UTC (2026-11-20), or so long ago (30m, 2h, 7d).
Without --from and --all, the last 7 days. A filter that matches little is searched for in
stretches, and standard error tells how far the search has come.
Reading leaves a record (audit.read) only with --record, and what cannot be recorded is not shown.";

#[derive(Debug, ClapArgs)]
pub(crate) struct QueryArgs {
    /// The store to read, such as sqlite://audit.db
    #[arg(long, value_name = "URL")]
    pub(crate) store: String,
    /// At most so many records, or `none` for no limit
    #[arg(long, value_name = "RECORDS", default_value = "100", value_parser = crate::args::limit)]
    pub(crate) limit: Limit,
    /// Stop where the store stops searching; otherwise it goes on to the limit
    #[arg(long)]
    pub(crate) once: bool,
    #[command(flatten)]
    pub(crate) filter: Filter,
    #[command(flatten)]
    pub(crate) form: Form,
    #[command(flatten)]
    pub(crate) record: RecordArgs,
}

pub(crate) async fn run(args: &QueryArgs, output: &mut Output) -> Result<End, Failure> {
    let query = args.filter.query(Otherwise::Week)?;
    let store = open(&args.store).await?;
    let mut rows = Rows::new(&args.form);
    let Some(recording) = args.record.begin().await? else {
        return look(&store, &query, args, &mut rows, output).await;
    };
    let work = look(&store, &query, args, &mut rows, output);
    let (done, outcome) = recording::to_its_end(work).await;
    let shown = u64::try_from(rows.shown).ok();
    let record = |audit: &Audit, by| audit.record_read(by, "query", &query, shown, outcome);
    recording::both(done, recording.end(record).await)
}

async fn look(
    store: &Store,
    query: &Query,
    args: &QueryArgs,
    rows: &mut Rows,
    output: &mut Output,
) -> Result<End, Failure> {
    let more = show(store, query, args, rows, output).await?;
    output.flush()?;
    if args.filter.is_default_range() {
        output.note("the last 7 days; --from or --all for more");
    }
    if more {
        let shown = rows.shown;
        output.note(&format!("the newest {shown} of more; --limit none for all"));
    }
    Ok(rows.end(output))
}

/// Shows page after page. True when there are more than the limit.
async fn show(
    store: &Store,
    query: &Query,
    args: &QueryArgs,
    rows: &mut Rows,
    output: &mut Output,
) -> Result<bool, Failure> {
    let limit = args.limit.0;
    let mut before: Option<RecordId> = None;
    let mut is_told = false;
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
        let Some(next) = page.older else {
            return Ok(false);
        };
        before = Some(next);
        if let Some(until) = page.searched_until {
            // What was found so far is not held back while the search goes on.
            output.flush()?;
            if args.once {
                output.note(&go_on(until, query));
                return Ok(false);
            }
            if !is_told {
                output.note(&format!(
                    "few records match: searched back to {until}, going on (--once stops there)"
                ));
                is_told = true;
            }
        }
    }
}

/// How to go on where a search stopped. `--to` is exclusive, and records of the same microsecond can lie
/// behind it: the next one takes them in, and shows again what was shown of it.
fn go_on(until: Timestamp, query: &Query) -> String {
    let to = Timestamp::from_micros(until.as_micros().saturating_add(1));
    let params = query.params();
    let from = params.iter().find(|(name, _)| *name == "from");
    // Without it the last week would be counted anew.
    let from = from.map_or_else(|| "--all".to_owned(), |(_, from)| format!("--from {from}"));
    format!(
        "searched back to {until}; go on with {from} --to {to}, which may show records of that microsecond again"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_goes_on_misses_no_record_of_the_same_microsecond_and_looks_no_further_back() {
        let until: Timestamp = "2026-11-20T13:34:01.999999Z".parse().unwrap();
        let query = |params: &[(&str, &str)]| {
            let params = params.iter().copied();
            Query::from_params(params, until).unwrap()
        };
        let from = "2026-11-01T00:00:00.000000Z";
        let said = go_on(until, &query(&[("from", from)]));
        let flags = format!("--from {from} --to 2026-11-20T13:34:02.000000Z,");
        assert!(said.contains(&flags), "{said}");
        let said = go_on(until, &query(&[("range", "all")]));
        assert!(said.contains("with --all --to 2026"), "{said}");
        let week = go_on(until, &query(&[]));
        assert!(
            week.contains("--from 2026-11-13T13:34:01.999999Z --to"),
            "{week}"
        );
    }
}
