//! The questions, put to whichever database it is.

mod browse;
mod choices;
mod count;
mod follow;
mod histogram;
mod trails;

pub(super) use self::{
    browse::{browse, record},
    choices::{NEWEST, choices},
    count::count,
    follow::{follow, last_arrival},
    histogram::histogram,
    trails::{leaves, trails},
};
#[cfg(test)]
pub(super) use self::{histogram::step, trails::leaves_statement};
use super::{
    Query,
    lead::{self, Column, Draft, Lead, Plan},
    pool::Reader,
    statement::{Dialect, Kind, Sql, Statement, Tables, Value},
};

/// How many different actions of one prefix, or types of one target, are merged; beyond it all
/// records are looked through.
const MAX_PARTS: usize = 100;

/// How many different values are looked at in one statement; also what MySQL lets a recursion be.
const MAX_VALUES: usize = 900;

/// How a query is answered; none when nothing can match.
pub(super) async fn plan(
    reader: &mut Reader<'_>,
    tables: &Tables,
    query: &Query,
) -> sqlx::Result<Option<Plan>> {
    let lead = match lead::draft(query) {
        Draft::Nothing => return Ok(None),
        Draft::Ready(lead) => Some(lead),
        Draft::Actions(pattern) => {
            let (from, to) = pattern.range();
            let (from, to) = (tables.stored(&from), tables.stored(&to));
            let found = different(reader, tables, lead::ACTION, Some((&from, &to))).await?;
            let is_below = |name: &String| name.starts_with(&from);
            let names = found.map(|names| names.into_iter().filter(is_below).collect());
            names.map(|names| Lead::Column(lead::ACTION, names))
        }
        Draft::Types(id) => {
            let found = target_types(reader, tables).await?;
            found.map(|types| Lead::Target { types, id })
        }
    };
    let few = lead.filter(|lead| match lead {
        Lead::Column(_, parts) | Lead::Target { types: parts, .. } => parts.len() <= MAX_PARTS,
        Lead::Id | Lead::Arrival(..) => true,
    });
    let lead = few.unwrap_or(Lead::Id);
    let is_nothing = match &lead {
        Lead::Column(_, parts) | Lead::Target { types: parts, .. } => parts.is_empty(),
        Lead::Id | Lead::Arrival(..) => false,
    };
    Ok((!is_nothing).then(|| Plan::new(tables, query, lead)))
}

/// The different values of a column; none when they are too many. Where texts are ordered by their
/// bytes only those in the range are looked at.
async fn different(
    reader: &mut Reader<'_>,
    tables: &Tables,
    column: Column,
    range: Option<(&str, &str)>,
) -> sqlx::Result<Option<Vec<String>>> {
    let statement = loose_scan(
        tables,
        ("records", column.name, column.index),
        range,
        MAX_VALUES,
    );
    read_different(reader, statement).await
}

async fn target_types(
    reader: &mut Reader<'_>,
    tables: &Tables,
) -> sqlx::Result<Option<Vec<String>>> {
    let statement = loose_scan(tables, ("targets", "type", "target"), None, MAX_PARTS);
    read_different(reader, statement).await
}

async fn read_different(
    reader: &mut Reader<'_>,
    statement: (Statement, usize),
) -> sqlx::Result<Option<Vec<String>>> {
    let (statement, max) = statement;
    let rows = reader.link.rows(statement).await?;
    let values = rows.into_iter().map(|mut row| row.text());
    let values: Vec<String> = values.collect::<sqlx::Result<_>>()?;
    Ok((values.len() <= max).then_some(values))
}

/// The different values of a column, one step of its index for each: at most `max`, and one more.
/// MySQL's order does not tell texts apart that differ only in spaces at their end: it gives one.
pub(super) fn loose_scan(
    tables: &Tables,
    (table, column, index): (&str, &str, &str),
    range: Option<(&str, &str)>,
    max: usize,
) -> (Statement, usize) {
    let range = range.filter(|_| has_byte_order(tables.dialect));
    let from = tables.along(table, "x", index);
    let text = |text: &str| Value::Text(text.to_owned());
    let mut sql = Sql::new(tables.dialect);
    sql.push(&format!(
        "WITH RECURSIVE d (v, n) AS (SELECT (SELECT x.{column} FROM {from} WHERE "
    ));
    match range {
        Some((low, high)) => {
            sql.push(&format!("x.{column} >= ")).bind(text(low));
            sql.push(&format!(" AND x.{column} < ")).bind(text(high));
        }
        None => {
            sql.push(&format!("x.{column} IS NOT NULL"));
        }
    }
    sql.push(&format!(
        " ORDER BY x.{column} LIMIT 1), 1 UNION ALL \
         SELECT (SELECT x.{column} FROM {from} WHERE x.{column} > d.v"
    ));
    if let Some((_, high)) = range {
        sql.push(&format!(" AND x.{column} < ")).bind(text(high));
    }
    sql.push(&format!(
        " ORDER BY x.{column} LIMIT 1), n + 1 FROM d WHERE v IS NOT NULL AND n <= {max}) \
         SELECT v FROM d WHERE v IS NOT NULL"
    ));
    (sql.done(&[Kind::Text]), max)
}

/// Whether the database orders texts by their bytes; PostgreSQL has the order of some language.
fn has_byte_order(dialect: Dialect) -> bool {
    match dialect {
        #[cfg(feature = "postgres")]
        Dialect::Postgres => false,
        #[cfg(any(feature = "sqlite", feature = "mysql"))]
        _ => true,
    }
}
