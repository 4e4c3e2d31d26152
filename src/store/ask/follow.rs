//! What became visible, in that order.

use super::super::{
    Arrivals, Query, Stored,
    lead::{Lead, Plan},
    pool::Reader,
    select::Order,
    span::Span,
    statement::{Kind, Statement, Tables},
    walk::Budget,
};

/// Arrivals of the first window; each next one is four times as long.
const FIRST_WINDOW: u64 = 1000;
const MAX_WINDOW: u64 = 16_000;

/// Records behind an arrival that match, in the order of arrival; the last arrival when it is not as
/// far as that.
pub(in crate::store) async fn follow(
    reader: &mut Reader<'_>,
    tables: &Tables,
    query: &Query,
    after: u64,
) -> sqlx::Result<Result<Arrivals, u64>> {
    // Before the records: what was visible then is in what is visible now.
    let mut last = last_arrival(reader, tables).await?;
    if after > last {
        return Ok(Err(last));
    }
    if let Some(arrived_by) = query.arrived_by {
        last = last.min(arrived_by);
    }
    let mut query = query.clone().everywhere();
    query.arrived_by = None;
    let limit = query.limit_records();
    let span = Span::of(&query);
    let mut plan = Plan::new(tables, &query, Lead::Arrival(0, 0));
    let nothing =
        query.reach.is_nothing || span.is_empty() || super::super::lead::texts(&query).is_none();
    let mut budget = Budget::page(reader.limit);
    let mut records: Vec<Stored> = Vec::new();
    let mut next = after;
    let mut window = FIRST_WINDOW;
    while next < last {
        if nothing {
            next = last;
            break;
        }
        let until = next.saturating_add(window).min(last);
        let wanted = limit.saturating_sub(records.len());
        plan.lead = Lead::Arrival(signed(next), signed(until));
        let rows = reader.link.rows(plan.page(span, Order::Up, wanted)).await?;
        let is_all = rows.len() < wanted;
        for row in rows {
            let stored = row.stored();
            next = stored.arrival;
            let needle = plan.needle.as_ref();
            if needle.is_none_or(|needle| needle.is_in(&stored.json)) {
                records.push(stored);
            }
        }
        if is_all {
            next = until;
            budget.looked_at(usize::try_from(window).unwrap_or(usize::MAX));
            window = (window * 4).min(MAX_WINDOW);
        }
        if records.len() >= limit || budget.is_over() {
            break;
        }
    }
    Ok(Ok(Arrivals { records, next }))
}

fn signed(arrival: u64) -> i64 {
    i64::try_from(arrival).unwrap_or(i64::MAX)
}

/// The last arrival given away.
pub(in crate::store) async fn last_arrival(
    reader: &mut Reader<'_>,
    tables: &Tables,
) -> sqlx::Result<u64> {
    let statement = Statement {
        sql: format!("SELECT last FROM {}", tables.name("arrival")),
        values: Vec::new(),
        kinds: vec![Kind::Number],
    };
    let mut rows = reader.link.rows(statement).await?;
    rows.pop().map_or(Ok(0), |mut row| row.number())
}
