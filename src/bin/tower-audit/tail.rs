//! `tower-audit tail`.

use std::time::Duration;

use clap::Args as ClapArgs;
use tower_audit::{
    Audit, Outcome,
    store::{Arrivals, Query, Store, StoreError, Stored},
};

use crate::{
    exit::{End, Failure, causes},
    filter::{Filter, Otherwise},
    output::{Output, clean},
    recording::RecordArgs,
    rows::Rows,
    terminal::Form,
    verify::open,
};

pub(crate) const HELP: &str = "\
Examples:
  tower-audit tail --store sqlite://audit.db
  tower-audit tail --store sqlite://audit.db -f --action 'user.*'
  tower-audit tail --store sqlite://audit.db -f | jq .action
  tower-audit tail --store sqlite://audit.db -f --record /var/lib/docs/audit

The order is that of arrival in the store: a record that was delivered late, after an outage, is not
missed, although its time is long past. With -f, a store that does not answer is asked again, after
half a second at first and half a minute at most; then it goes on where it was. A store that has
gone back, as after a restore from a backup, is told of, and followed from its last record on.
Reading leaves a record (audit.read) only with --record: one before the first line, also with -f.";

#[derive(Debug, ClapArgs)]
pub(crate) struct TailArgs {
    /// The store to read, such as sqlite://audit.db
    #[arg(long, value_name = "URL")]
    pub(crate) store: String,
    /// Go on with what arrives, until interrupted
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Begin with so many of those that arrived last, 1000 at most
    #[arg(long, short = 'n', value_name = "RECORDS", default_value_t = 10)]
    pub(crate) limit: usize,
    #[command(flatten)]
    pub(crate) filter: Filter,
    #[command(flatten)]
    pub(crate) form: Form,
    #[command(flatten)]
    pub(crate) record: RecordArgs,
}

/// How long nothing is asked when nothing arrived, and after the first failure.
const PAUSE: Duration = Duration::from_millis(500);

/// The longest pause after a failure.
const MAX_PAUSE: Duration = Duration::from_secs(30);

pub(crate) async fn run(args: &TailArgs, output: &mut Output) -> Result<End, Failure> {
    let query = args.filter.query(Otherwise::All)?;
    let store = open(&args.store).await?;
    let mut rows = Rows::new(&args.form);
    let after = store.last_arrival().await.map_err(Failure::of)?;
    let latest = latest(&store, &query, after, args.limit).await?;
    // Before anything is shown: nobody knows when whoever follows has seen enough, nor how it ends.
    if let Some(recording) = args.record.begin().await? {
        let page = if args.follow { "tail -f" } else { "tail" };
        let shown = u64::try_from(latest.len()).ok();
        let record =
            |audit: &Audit, by| audit.record_read(by, page, &query, shown, Outcome::Success);
        recording.end(record).await?;
    }
    for stored in latest {
        rows.show(&stored, output)?;
    }
    output.flush()?;
    if args.follow {
        follow(&store, &query, after, &mut rows, output).await?;
    }
    Ok(rows.end(output))
}

/// Shows what arrives, until the output is closed.
async fn follow(
    store: &Store,
    query: &Query,
    mut after: u64,
    rows: &mut Rows,
    output: &mut Output,
) -> Result<(), Failure> {
    let query = query.clone().limit(Query::MAX_LIMIT);
    loop {
        let Some(page) = arrivals(store, &query, &mut after, output).await? else {
            continue;
        };
        // Only what was read moves it, so that an outage leaves no gap and nothing comes twice.
        after = page.next;
        for stored in &page.records {
            rows.show(stored, output)?;
        }
        output.flush()?;
        if page.records.is_empty() {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// The next records, asked for until there is an answer; none when the store has gone back, and
/// `after` with it.
async fn arrivals(
    store: &Store,
    query: &Query,
    after: &mut u64,
    output: &mut Output,
) -> Result<Option<Arrivals>, Failure> {
    let mut pause = PAUSE;
    let mut told: Option<String> = None;
    loop {
        let error = match store.follow(query, *after).await {
            Ok(page) => {
                if told.is_some() {
                    output.note("the store answers again");
                }
                return Ok(Some(page));
            }
            Err(StoreError::Ahead { last, .. }) => {
                output.note(&format!(
                    "the store has gone back from arrival {after} to {last}: it was restored from a \
                     backup, or is another one; going on from {last}"
                ));
                *after = last;
                return Ok(None);
            }
            // Neither becomes right by waiting.
            Err(error @ (StoreError::Address(_) | StoreError::Pattern(_))) => {
                return Err(Failure::of(error));
            }
            Err(error) => causes(&error),
        };
        if told.as_ref() != Some(&error) {
            output.note(&format!("{}; asking again until it answers", clean(&error)));
            told = Some(error);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

/// The last so many that match, up to an arrival, in the order of arrival.
///
/// Looks at more and more of what arrived last, so that without a filter, or with one that matches
/// often, little is read however large the store is.
async fn latest(
    store: &Store,
    query: &Query,
    last: u64,
    limit: usize,
) -> Result<Vec<Stored>, Failure> {
    let limit = limit.min(Query::MAX_LIMIT);
    let mut window = limit as u64;
    loop {
        let from = last.saturating_sub(window);
        let mut found = Vec::new();
        let mut after = from;
        while after < last {
            let page = store
                .follow(&query.clone().limit(Query::MAX_LIMIT), after)
                .await
                .map_err(Failure::of)?;
            after = page.next;
            found.extend(
                page.records
                    .into_iter()
                    .filter(|stored| stored.arrival <= last),
            );
            found.drain(..found.len().saturating_sub(limit));
        }
        if found.len() >= limit || from == 0 {
            return Ok(found);
        }
        window = window.saturating_mul(16);
    }
}
