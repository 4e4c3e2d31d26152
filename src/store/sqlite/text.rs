//! The text of every statement that reads.
//!
//! Which index leads is decided here, not by SQLite, which knows nothing of how many records
//! match: the leading filter is written plainly, every other one with a unary `+`, which keeps
//! its index out. All indexes end with `id`, so that every page comes in its order.

use uuid::Uuid;

use crate::{
    clock::RecordId,
    sql::{TablePrefix, group::TEXTS},
    store::{ActionPattern, Query},
};

/// What a record is read from, in the order of the fields of `Stored`.
const COLUMNS: &str = "arrival, id, trail, number, leaf, received, json";

/// How many different actions of one prefix are merged; beyond it all records are looked through.
const MAX_ACTIONS: usize = 100;

/// A value that is bound.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    Bytes(Vec<u8>),
    Number(i64),
}

/// A statement and its values, `?1` first.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
}

/// Makes statements for tables with one prefix.
#[derive(Debug, Clone)]
pub(in crate::store) struct Text {
    prefix: TablePrefix,
}

/// The conditions of one statement, each behind an `AND`.
#[derive(Debug, Default)]
struct Conditions {
    sql: String,
    values: Vec<Value>,
}

impl Conditions {
    /// `condition` with the value in place of its `?`.
    fn and(&mut self, condition: &str, value: Value) {
        let place = self.bind(value);
        let before = if self.sql.is_empty() { "" } else { " AND " };
        self.sql = format!("{}{before}{}", self.sql, condition.replace('?', &place));
    }

    fn bind(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("?{}", self.values.len())
    }

    fn equals(&mut self, lead: Lead, column: &'static str, value: &str) {
        let plus = lead.plus(column);
        self.and(
            &format!("{plus}{column} = ?"),
            Value::Text(value.to_owned()),
        );
    }
}

/// What a page is read along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lead {
    /// The index on this column and `id`.
    Column(&'static str),
    /// The index on `id`.
    Id,
    /// The table itself, which is in the order of arrival.
    Arrival,
}

impl Lead {
    /// The filter that matches fewest records, as a rule.
    fn of(query: &Query) -> Self {
        let is_exact = |pattern: &&ActionPattern| pattern.as_exact().is_some();
        if query.session.is_some() {
            Self::Column("session")
        } else if query.actor.is_some() {
            Self::Column("actor_id")
        } else if query.action.as_ref().filter(is_exact).is_some() {
            Self::Column("action")
        } else if query.outcome.is_some() {
            Self::Column("outcome")
        } else {
            Self::Id
        }
    }

    fn plus(self, column: &'static str) -> &'static str {
        if self == Self::Column(column) {
            ""
        } else {
            "+"
        }
    }
}

/// Whether the actions below a prefix lead, each by its own part of the index.
pub(super) fn is_led_by_actions(query: &Query) -> bool {
    query.session.is_none()
        && query.actor.is_none()
        && query
            .action
            .as_ref()
            .is_some_and(|pattern| pattern.as_exact().is_none())
}

impl Text {
    pub(in crate::store) fn new(prefix: &TablePrefix) -> Self {
        Self {
            prefix: prefix.clone(),
        }
    }

    /// Records that match, newest first, along one index.
    pub(super) fn browse(&self, query: &Query) -> Statement {
        let lead = Lead::of(query);
        let mut conditions = Conditions::default();
        filter(&mut conditions, query, lead);
        if let Some(pattern) = &query.action {
            action(&mut conditions, pattern, lead);
        }
        self.page(conditions, query, "id DESC")
    }

    /// The different actions in a range; one step of the index for each.
    pub(super) fn actions(&self, from: String, to: String) -> Statement {
        let records = format!("{}records", self.prefix);
        let sql = format!(
            "WITH RECURSIVE actions (name) AS (\
             SELECT (SELECT action FROM {records} WHERE action >= ?1 AND action < ?2 \
             ORDER BY action LIMIT 1) \
             UNION ALL \
             SELECT (SELECT action FROM {records} WHERE action > name AND action < ?2 \
             ORDER BY action LIMIT 1) FROM actions WHERE name IS NOT NULL) \
             SELECT name FROM actions WHERE name IS NOT NULL LIMIT ?3"
        );
        let limit = i64::try_from(MAX_ACTIONS).unwrap_or(i64::MAX) + 1;
        let values = vec![Value::Text(from), Value::Text(to), Value::Number(limit)];
        Statement { sql, values }
    }

    /// Records with one of these actions, newest first: one part of the index for each action,
    /// merged. None when there are no such actions.
    pub(super) fn browse_actions(&self, query: &Query, names: Vec<String>) -> Option<Statement> {
        if names.len() > MAX_ACTIONS {
            return Some(self.browse(query));
        }
        let mut conditions = Conditions::default();
        let lead = Lead::Column("action");
        filter(&mut conditions, query, lead);
        let shared = conditions.sql.clone();
        let arms: Vec<String> = names
            .into_iter()
            .map(|name| {
                let place = conditions.bind(Value::Text(name));
                let and = if shared.is_empty() { "" } else { " AND " };
                format!(
                    "SELECT {COLUMNS} FROM {}records WHERE action = {place}{and}{shared}",
                    self.prefix
                )
            })
            .collect();
        if arms.is_empty() {
            return None;
        }
        let limit = conditions.bind(limit(query));
        let sql = format!(
            "{} ORDER BY id DESC LIMIT {limit}",
            arms.join(" UNION ALL ")
        );
        Some(Statement {
            sql,
            values: conditions.values,
        })
    }

    /// Records behind an arrival that match.
    pub(super) fn follow(&self, query: &Query, after: u64) -> Statement {
        let mut conditions = Conditions::default();
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        conditions.and("arrival > ?", Value::Number(after));
        let mut query = query.clone();
        query.before = None;
        filter(&mut conditions, &query, Lead::Arrival);
        if let Some(pattern) = &query.action {
            action(&mut conditions, pattern, Lead::Arrival);
        }
        self.page(conditions, &query, "arrival")
    }

    /// The last arrival given away.
    pub(super) fn last_arrival(&self) -> Statement {
        Statement {
            sql: format!("SELECT last FROM {}arrival", self.prefix),
            values: Vec::new(),
        }
    }

    /// Every trail.
    pub(super) fn trails(&self) -> Statement {
        let sql = format!(
            "SELECT trail, service, instance, next, size, root, updated FROM {}trails \
             ORDER BY service, instance, trail",
            self.prefix
        );
        Statement {
            sql,
            values: Vec::new(),
        }
    }

    /// Records of one trail from a number on.
    pub(super) fn leaves(&self, trail: Uuid, from: u64, max_records: usize) -> Statement {
        let sql = format!(
            "SELECT number, leaf, json, id, timestamp, {} FROM {}records \
             WHERE trail = ?1 AND number >= ?2 ORDER BY number LIMIT ?3",
            TEXTS.join(", "),
            self.prefix
        );
        let values = vec![
            Value::Bytes(trail.as_bytes().to_vec()),
            Value::Number(i64::try_from(from).unwrap_or(i64::MAX)),
            Value::Number(i64::try_from(max_records).unwrap_or(i64::MAX)),
        ];
        Statement { sql, values }
    }

    fn page(&self, mut conditions: Conditions, query: &Query, order: &str) -> Statement {
        let limit = conditions.bind(limit(query));
        let filter = if conditions.sql.is_empty() {
            String::new()
        } else {
            format!(" WHERE {}", conditions.sql)
        };
        Statement {
            sql: format!(
                "SELECT {COLUMNS} FROM {}records{filter} ORDER BY {order} LIMIT {limit}",
                self.prefix
            ),
            values: conditions.values,
        }
    }
}

/// Everything but the action.
fn filter(conditions: &mut Conditions, query: &Query, lead: Lead) {
    if let Some(session) = &query.session {
        conditions.equals(lead, "session", session);
    }
    if let Some(actor) = &query.actor {
        conditions.equals(lead, "actor_id", actor);
    }
    if let Some(outcome) = &query.outcome {
        conditions.equals(lead, "outcome", outcome);
    }
    let id = |id: RecordId| Value::Bytes(id.as_bytes().to_vec());
    let plus = if lead == Lead::Arrival { "+" } else { "" };
    // A range of time is a range of ids.
    if let Some(from) = query.from {
        conditions.and(&format!("{plus}id >= ?"), id(RecordId::lowest_at(from)));
    }
    let ends = [query.to.map(RecordId::lowest_at), query.before];
    if let Some(end) = ends.into_iter().flatten().min() {
        conditions.and(&format!("{plus}id < ?"), id(end));
    }
}

fn action(conditions: &mut Conditions, pattern: &ActionPattern, lead: Lead) {
    match pattern.as_exact() {
        Some(action) => conditions.equals(lead, "action", action),
        None => {
            let (from, to) = pattern.range();
            conditions.and("+action >= ?", Value::Text(from));
            conditions.and("+action < ?", Value::Text(to));
        }
    }
}

fn limit(query: &Query) -> Value {
    Value::Number(i64::try_from(query.limit_records()).unwrap_or(i64::MAX))
}
