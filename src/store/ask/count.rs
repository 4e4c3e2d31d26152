//! How many match, up to a bound.

use super::super::{
    Count, Query,
    pool::Reader,
    select::Order,
    span::Span,
    statement::Tables,
    walk::{Budget, Ended, Walk},
};

/// Entries of the lead that are counted at a time.
const WINDOW: usize = 20_000;

/// How many match.
pub(in crate::store) async fn count(
    reader: &mut Reader<'_>,
    tables: &Tables,
    query: &Query,
    max: u64,
    mut budget: Budget,
) -> sqlx::Result<Count> {
    let span = Span::of(query);
    let mut count = Count {
        records: 0,
        is_exact: true,
    };
    let Some(plan) = super::plan(reader, tables, query).await? else {
        return Ok(count);
    };
    if span.is_empty() {
        return Ok(count);
    }
    // One more tells whether there are more.
    let most = usize::try_from(max).unwrap_or(usize::MAX).saturating_add(1);
    // In reach is found out for each entry where the reach is of two fields: within the budget.
    if plan.is_lead_alone() && plan.within.is_empty() && !plan.has_doubles() {
        let mut rows = reader.link.rows(plan.capped_total(span, most)).await?;
        count.records = rows.pop().map_or(Ok(0), |mut row| row.number())?;
    } else {
        let mut walk = Walk::new(&plan, Order::Down, span);
        if plan.needle.is_some() {
            while count.records <= max {
                let found = walk.find(reader, 1000, &mut budget).await?;
                count.records += found.records.len() as u64;
                if found.ended != Ended::Full || budget.is_over() {
                    count.is_exact = found.ended == Ended::Everything;
                    break;
                }
            }
        } else {
            while count.records <= max && !walk.is_over() {
                if budget.is_over() {
                    count.is_exact = false;
                    break;
                }
                let entries = budget.window(WINDOW);
                let window = walk.window_of(reader, entries).await?;
                let mut rows = reader.link.rows(plan.total(window)).await?;
                count.records += rows.pop().map_or(Ok(0), |mut row| row.number())?;
                walk.leave(window);
                budget.looked_at(entries);
            }
        }
    }
    if count.records > max {
        count = Count {
            records: max,
            is_exact: false,
        };
    }
    Ok(count)
}
