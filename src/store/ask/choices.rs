//! What there is to choose from.

use super::super::{
    Choices, Field, Query, Reach,
    lead::{self, Column},
    pool::Reader,
    select::Order,
    span::Span,
    statement::Tables,
    walk::Walk,
};

/// Within a reach the values of so many newest records of it are looked at.
pub(in crate::store) const NEWEST: usize = 20_000;

/// The different values of a field; within a reach, among so many newest records of it.
pub(in crate::store) async fn choices(
    reader: &mut Reader<'_>,
    tables: &Tables,
    field: Field,
    reach: &Reach,
    max: usize,
    newest: usize,
) -> sqlx::Result<Choices> {
    let max = max.min(super::MAX_VALUES);
    let column = column(field);
    let mut choices = Choices {
        values: Vec::new(),
        is_complete: true,
    };
    let statement = if reach.is_everything() {
        let place = ("records", column.name, column.index);
        super::loose_scan(tables, place, None, max).0
    } else {
        let query = Query::new().within(reach.clone());
        let Some(plan) = super::plan(reader, tables, &query).await? else {
            return Ok(choices);
        };
        let whole = Span::of(&query);
        let walk = Walk::new(&plan, Order::Down, whole);
        let window = walk.window_of(reader, newest).await?;
        choices.is_complete = window == whole;
        plan.values(column, window, max.saturating_add(1))
    };
    let rows = reader.link.rows(statement).await?;
    for mut row in rows {
        choices.values.push(row.text()?);
    }
    choices.values.sort_unstable();
    if choices.values.len() > max {
        choices.values.truncate(max);
        choices.is_complete = false;
    }
    Ok(choices)
}

fn column(field: Field) -> Column {
    match field {
        Field::Action => lead::ACTION,
        Field::Category => lead::CATEGORY,
        Field::Outcome => lead::OUTCOME,
        Field::Actor => lead::ACTOR,
        Field::Tenant => lead::TENANT,
        Field::Application => lead::APPLICATION,
        Field::Service => lead::SERVICE,
    }
}
