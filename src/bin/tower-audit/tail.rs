//! `tower-audit tail`.

use std::time::Duration;

use tower_audit::store::{Query, Store, Stored};

use crate::{
    args::TailArgs,
    exit::{End, Failure},
    output::Output,
    query::Rows,
    verify::open,
};

/// How long nothing is asked when nothing arrived.
const PAUSE: Duration = Duration::from_millis(500);

pub(crate) async fn run(args: &TailArgs, output: &mut Output) -> Result<End, Failure> {
    let store = open(&args.store).await?;
    let query = args.filter.query();
    let mut rows = Rows::new(args.json);
    let after = store.last_arrival().await.map_err(Failure::of)?;
    for stored in latest(&store, &query, after, args.limit).await? {
        rows.show(&stored, output)?;
    }
    output.flush()?;
    if args.follow {
        follow(&store, &query, after, &mut rows, output).await?;
    }
    Ok(rows.end(output))
}

/// Shows what arrives, until the output is closed or the store fails.
async fn follow(
    store: &Store,
    query: &Query,
    mut after: u64,
    rows: &mut Rows,
    output: &mut Output,
) -> Result<(), Failure> {
    let query = query.clone().limit(Query::MAX_LIMIT);
    loop {
        let page = store.follow(&query, after).await.map_err(Failure::of)?;
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
            let is_last = page.records.len() < Query::MAX_LIMIT;
            after = page.next;
            found.extend(
                page.records
                    .into_iter()
                    .filter(|stored| stored.arrival <= last),
            );
            found.drain(..found.len().saturating_sub(limit));
            if is_last {
                break;
            }
        }
        if found.len() >= limit || from == 0 {
            return Ok(found);
        }
        window = window.saturating_mul(16);
    }
}
