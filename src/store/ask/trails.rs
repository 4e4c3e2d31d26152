//! Whole trails, for those who prove them.

use uuid::Uuid;

use super::super::{
    Leaf, TrailState,
    cell::{self, Row},
    pool::Reader,
    statement::{Kind, Sql, Statement, Tables, Value},
};
use crate::{
    evidence::{Hash, TreeHead},
    record::Origin,
    sql::{
        group::{TEXTS, texts},
        rows,
    },
};

/// Every trail.
pub(in crate::store) async fn trails(
    reader: &mut Reader<'_>,
    tables: &Tables,
) -> sqlx::Result<Vec<TrailState>> {
    let statement = Statement {
        sql: format!(
            "SELECT trail, service, instance, next, size, root, updated FROM {}",
            tables.name("trails")
        ),
        values: Vec::new(),
        kinds: vec![
            Kind::Id,
            Kind::Text,
            Kind::Text,
            Kind::Number,
            Kind::Number,
            Kind::Bytes,
            Kind::Number,
        ],
    };
    let rows = reader.link.rows(statement).await?;
    let mut states: Vec<TrailState> = rows
        .into_iter()
        .map(trail_state)
        .collect::<sqlx::Result<_>>()?;
    // Here, because databases order texts differently.
    states.sort_by(|one, other| key(one).cmp(&key(other)));
    Ok(states)
}

fn key(state: &TrailState) -> (&str, Option<&str>, Uuid) {
    let origin = &state.origin;
    (&origin.service, origin.instance.as_deref(), origin.trail)
}

fn trail_state(mut row: Row) -> sqlx::Result<TrailState> {
    let (trail, service, instance) = (row.uuid()?, row.text()?, row.optional_text()?);
    let next = row.number()?;
    let (size, root) = (row.optional_number()?, row.optional_bytes()?);
    let head = size.zip(root);
    Ok(TrailState {
        origin: Origin::new(trail, service, instance),
        next,
        head: head.map(|(size, root)| TreeHead::new(size, Hash::from_bytes(root))),
        updated: row.time()?,
    })
}

/// Records of one trail from a number on.
pub(in crate::store) async fn leaves(
    reader: &mut Reader<'_>,
    tables: &Tables,
    trail: Uuid,
    from: u64,
    max_records: usize,
) -> sqlx::Result<Vec<Leaf>> {
    let statement = leaves_statement(tables, trail, from, max_records);
    let rows = reader.link.rows(statement).await?;
    rows.into_iter().map(|row| leaf(row, tables)).collect()
}

pub(in crate::store) fn leaves_statement(
    tables: &Tables,
    trail: Uuid,
    from: u64,
    max_records: usize,
) -> Statement {
    let mut sql = Sql::new(tables.dialect);
    sql.push(&format!(
        "SELECT number, leaf, {} AS json, id, timestamp, {} FROM {} WHERE trail = ",
        tables.json(),
        TEXTS.join(", "),
        tables.along("records", "r", tables.trail_index()),
    ));
    sql.bind(Value::Id(*trail.as_bytes()));
    sql.push(" AND number >= ");
    sql.bind(Value::Number(i64::try_from(from).unwrap_or(i64::MAX)));
    sql.push(" ORDER BY number LIMIT ");
    sql.bind(Value::Number(
        i64::try_from(max_records).unwrap_or(i64::MAX),
    ));
    let mut kinds = vec![
        Kind::Number,
        Kind::Bytes,
        Kind::Text,
        Kind::Id,
        Kind::Number,
    ];
    kinds.resize(kinds.len() + TEXTS.len(), Kind::Text);
    sql.done(&kinds)
}

fn leaf(mut row: Row, tables: &Tables) -> sqlx::Result<Leaf> {
    // What no sink wrote is altered, and no reason to say nothing of the others.
    let number = row.number()?;
    let leaf = row.hash().unwrap_or(cell::NO_LEAF);
    let json = row.text().unwrap_or_default();
    let stray = stray(&mut row, tables, number, leaf, &json);
    let json = json.into();
    Ok(Leaf {
        number,
        leaf,
        json,
        stray,
    })
}

/// The first column that is not a copy of what the record's text says.
fn stray(
    row: &mut Row,
    tables: &Tables,
    number: u64,
    leaf: Hash,
    json: &str,
) -> Option<&'static str> {
    let Ok(expected) = rows::Row::new(number, leaf.as_bytes(), json) else {
        return Some("json");
    };
    if row.bytes::<16>().ok().as_ref() != Some(expected.id.as_bytes()) {
        return Some("id");
    }
    if row.time().ok() != Some(expected.timestamp) {
        return Some("timestamp");
    }
    for (name, text) in TEXTS.into_iter().zip(texts(&expected)) {
        let there = row.optional_text().ok();
        if there != Some(text.map(|text| tables.stored(&text.0))) {
            return Some(name);
        }
    }
    None
}
