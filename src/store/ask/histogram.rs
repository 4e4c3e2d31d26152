//! How many matched when, by outcome.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::super::{
    Histogram, Query,
    histogram::{Extent, Steps},
    lead::Plan,
    pool::{Pool, Reader},
    select::Order,
    span::{Span, number},
    walk::{Budget, Ended, Walk},
};
use crate::{
    clock::{RecordId, Timestamp},
    record::{Outcome, Record},
};

/// How long is counted; what is older stays uncounted.
const MAX_TIME: Duration = Duration::from_secs(2);

/// The length of time that is counted when the query does not say where it begins.
const DEFAULT_RANGE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Counts of one step, by the place of the outcome in [`Outcome::ALL`], or its word.
pub(in crate::store) type Counts = BTreeMap<(usize, String), u64>;

/// Counts from the newest step backwards.
pub(in crate::store) async fn histogram(
    pool: &Pool,
    reader: &mut Reader<'_>,
    query: &Query,
    cut: impl FnOnce(Extent) -> Steps,
) -> sqlx::Result<Histogram> {
    let tables = &pool.tables;
    let mut query = query.clone().everywhere();
    let steps = cut(extent(reader, pool, &query).await?);
    query.from = Some(steps.from);
    query.to = Some(steps.to);
    let mut histogram = steps.empty();
    let Some(plan) = super::plan(reader, tables, &query).await? else {
        return Ok(histogram);
    };
    let whole = Span::of(&query);
    let end = Instant::now() + MAX_TIME.min(reader.limit / 2);
    let mut counted = steps.to;
    let starts: Vec<Timestamp> = histogram.bars.iter().map(|bar| bar.start).collect();
    for (place, start) in starts.into_iter().enumerate().rev() {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        let span = Span {
            low: number(RecordId::lowest_at(start)).max(whole.low),
            high: number(RecordId::lowest_at(counted)).min(whole.high),
        };
        reader.link.limit(left).await?;
        let counts = match step(reader, &plan, span, end).await {
            Ok(Some(counts)) => counts,
            Ok(None) => break,
            Err(error) if pool.is_late(&error) => break,
            Err(error) => return Err(error),
        };
        if let Some(bar) = histogram.bars.get_mut(place) {
            bar.outcomes = counts
                .into_iter()
                .map(|((_, word), count)| (word, count))
                .collect();
        }
        counted = start;
    }
    histogram.counted_from = counted;
    Ok(histogram)
}

/// One step; none when it could not be counted until the end.
pub(in crate::store) async fn step(
    reader: &mut Reader<'_>,
    plan: &Plan,
    span: Span,
    end: Instant,
) -> sqlx::Result<Option<Counts>> {
    let mut counts = Counts::new();
    if plan.needle.is_none() {
        for mut row in reader.link.rows(plan.by_outcome(span)).await? {
            let outcome = row.optional_text()?;
            add(&mut counts, outcome, row.number()?);
        }
        return Ok(Some(counts));
    }
    let mut walk = Walk::new(plan, Order::Down, span);
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let mut budget = Budget::new(usize::MAX, left);
        let found = walk.find(reader, 1000, &mut budget).await?;
        for stored in &found.records {
            let record = Record::from_json(stored.json.as_bytes()).ok();
            let outcome = record.and_then(|record| record.outcome);
            add(&mut counts, outcome.map(|outcome| outcome.to_string()), 1);
        }
        match found.ended {
            Ended::Everything => return Ok(Some(counts)),
            Ended::Full if Instant::now() < end => {}
            Ended::Full | Ended::Budget => return Ok(None),
        }
    }
}

/// A record that does not say how it ended has the outcome of one whose end nobody saw.
fn add(counts: &mut Counts, outcome: Option<String>, count: u64) {
    let word = outcome.unwrap_or_else(|| Outcome::Unknown.as_str().to_owned());
    let place = Outcome::ALL
        .iter()
        .position(|outcome| outcome.as_str() == word);
    let key = (place.unwrap_or(usize::MAX), word);
    *counts.entry(key).or_default() += count;
}

/// The range of the query; where it has no end, up to the newest record, and where it has no
/// beginning, seven days.
async fn extent(reader: &mut Reader<'_>, pool: &Pool, query: &Query) -> sqlx::Result<Extent> {
    let to = match query.to {
        Some(to) => to,
        None => newest(reader, pool, query)
            .await?
            .and_then(|newest| newest.checked_add(Duration::from_micros(1)))
            .unwrap_or(Timestamp::MIN),
    };
    let from = query
        .from
        .unwrap_or_else(|| to.saturating_sub(DEFAULT_RANGE));
    Ok(Extent {
        from,
        // A range that ends before it begins has no steps.
        to: to.max(from),
        is_open_from: query.from.is_none(),
        is_open_to: query.to.is_none(),
    })
}

/// When the newest record within the reach began; of all records, whatever the filters are, so that
/// two histograms of one store have the same end.
async fn newest(
    reader: &mut Reader<'_>,
    pool: &Pool,
    query: &Query,
) -> sqlx::Result<Option<Timestamp>> {
    let query = Query::new().within(query.reach.clone());
    let Some(plan) = super::plan(reader, &pool.tables, &query).await? else {
        return Ok(None);
    };
    let mut budget = Budget::page(reader.limit);
    let mut walk = Walk::new(&plan, Order::Down, Span::of(&query));
    let found = walk.find(reader, 1, &mut budget).await?;
    Ok(found.records.first().map(|newest| newest.id.timestamp()))
}
