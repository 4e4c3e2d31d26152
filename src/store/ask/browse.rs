//! Pages, newest first, both ways; and one record.

use super::super::{
    Page, Query, Reach, Stored,
    lead::{Lead, Plan},
    pool::Reader,
    select::Order,
    span::{self, Span},
    statement::Tables,
    walk::{Budget, Ended, Walk, Walked},
};
use crate::clock::RecordId;

/// The page that a query asks for.
pub(in crate::store) async fn browse(
    reader: &mut Reader<'_>,
    tables: &Tables,
    query: &Query,
    mut budget: Budget,
) -> sqlx::Result<Page> {
    let span = Span::of(query);
    let Some(plan) = super::plan(reader, tables, query).await? else {
        return Ok(Page::default());
    };
    let order = if query.after.is_some() {
        Order::Up
    } else {
        Order::Down
    };
    let limit = query.limit_records();
    let glance = budget;
    let mut walk = Walk::new(&plan, order, span);
    // One more tells whether there are more.
    let walked = walk
        .find(reader, limit.saturating_add(1), &mut budget)
        .await?;
    let limit = end(&walked, limit);
    let (ahead, searched) = ahead(&walked, order, limit);
    let mut records = walked.records;
    records.truncate(limit);
    let behind = behind(reader, &plan, query, order, records.first(), glance).await?;
    if order == Order::Up {
        records.reverse();
    }
    let (older, newer) = match order {
        Order::Down => (ahead, behind),
        Order::Up => (behind, ahead),
    };
    Ok(Page {
        records,
        older,
        newer,
        searched_until: searched.map(RecordId::timestamp),
    })
}

/// So many records are on a full page: it ends with one whose id can be named in an address, if it has
/// one. What no sink wrote begins the next page.
fn end(walked: &Walked, limit: usize) -> usize {
    if walked.ended != Ended::Full {
        return limit;
    }
    let full = walked.records.get(..limit).unwrap_or_default();
    let named = full.iter().rposition(|stored| stored.id.is_sound());
    named.map_or(limit, |last| last.saturating_add(1))
}

/// Where to go on in the direction of the walk; and where it stopped, if it did for its budget.
fn ahead(walked: &Walked, order: Order, limit: usize) -> (Option<RecordId>, Option<RecordId>) {
    match walked.ended {
        Ended::Everything => (None, None),
        Ended::Full => {
            let last = limit.checked_sub(1);
            let last = last.and_then(|last| walked.records.get(last));
            (last.map(|last| last.id), None)
        }
        Ended::Budget => {
            let id = match order {
                Order::Down => span::found(walked.rest.high),
                Order::Up => span::found(walked.rest.low.saturating_sub(1)),
            };
            (Some(id), Some(id))
        }
    }
}

/// Where to go back to, if anything matches there or it would take long to know.
async fn behind(
    reader: &mut Reader<'_>,
    plan: &Plan,
    query: &Query,
    order: Order,
    first: Option<&Stored>,
    budget: Budget,
) -> sqlx::Result<Option<RecordId>> {
    let first = first.map(|first| first.id).filter(|id| id.is_sound());
    let whole = Span::of(&query.clone().everywhere());
    // An id that was only given stands for the gap next to it.
    let (edge, span, back) = match (order, query.before, query.after) {
        (Order::Down, Some(before), _) => {
            let Some(edge) = first.or_else(|| span::below(before)) else {
                return Ok(None);
            };
            let low = span::number(edge).saturating_add(1);
            (
                edge,
                Span {
                    low: low.max(whole.low),
                    ..whole
                },
                Order::Up,
            )
        }
        (Order::Up, _, Some(after)) => {
            let Some(edge) = first.or_else(|| span::above(after)) else {
                return Ok(None);
            };
            let high = span::number(edge);
            (
                edge,
                Span {
                    high: high.min(whole.high),
                    ..whole
                },
                Order::Down,
            )
        }
        _ => return Ok(None),
    };
    let mut budget = budget.glance();
    let found = Walk::new(plan, back, span)
        .find(reader, 1, &mut budget)
        .await?;
    Ok((found.ended != Ended::Everything).then_some(edge))
}

/// One record.
pub(in crate::store) async fn record(
    reader: &mut Reader<'_>,
    tables: &Tables,
    id: RecordId,
    reach: &Reach,
) -> sqlx::Result<Option<Stored>> {
    let query = Query::new().within(reach.clone());
    if reach.is_nothing {
        return Ok(None);
    }
    let plan = Plan::new(tables, &query, Lead::Id);
    let low = span::number(id);
    let high = low.saturating_add(1);
    let page = plan.page(Span { low, high }, Order::Down, 1);
    let mut rows = reader.link.rows(page).await?;
    Ok(rows.pop().map(super::super::cell::Row::stored))
}
