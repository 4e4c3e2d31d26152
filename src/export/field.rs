//! Every column there is: its name, what it holds, and where that comes from.

use std::{borrow::Cow, fmt};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    record::{Actor, Change, Http, Record, Target, Text},
    store::Stored,
    text,
};

/// What one cell holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell<'a> {
    Empty,
    /// Text from outside.
    Text(Cow<'a, str>),
    /// A number, a time or a hash that was made here: no formula can be in it.
    Ours(String),
}

/// One column.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    pub(super) cell: for<'a> fn(&'a Stored, &'a Record) -> Cell<'a>,
}

/// The columns when nothing else is said.
pub(super) const DEFAULT: &[&str] = &[
    "id",
    "timestamp",
    "action",
    "category",
    "outcome",
    "reason",
    "actor_type",
    "actor_id",
    "actor_name",
    "target_type",
    "target_id",
    "target_name",
    "targets",
    "tenant",
    "application",
    "service",
    "ip_address",
    "user_agent",
    "session_id",
    "request_id",
    "http_method",
    "http_route",
    "http_status",
    "error_type",
    "error_code",
    "error_message",
    "changes",
    "details",
    "count",
    "truncated",
];

/// The columns of duplistatus' export, and what it calls them.
pub(super) const DUPLISTATUS: &[(&str, &str)] = &[
    ("id", "ID"),
    ("timestamp", "Timestamp"),
    ("actor_id", "User ID"),
    ("actor_name", "Username"),
    ("action", "Action"),
    ("category", "Category"),
    ("target_type", "Target Type"),
    ("target_id", "Target ID"),
    ("outcome", "Status"),
    ("ip_address", "IP Address"),
    ("user_agent", "User Agent"),
    ("changes_and_details", "Details"),
    ("cause", "Error Message"),
];

pub(super) fn named(name: &str) -> Option<&'static Field> {
    ALL.iter().find(|field| field.name == name)
}

macro_rules! fields {
    ($($name:literal, $what:literal, $cell:expr;)*) => {
        &[$(Field { name: $name, what: $what, cell: $cell }),*]
    };
}

pub(super) const ALL: &[Field] = fields! {
    "id", "the record's id", |stored, _| ours(stored.id);
    "timestamp", "when the action began: RFC 3339, UTC, microseconds",
        |stored, record| ours(record.timestamp().unwrap_or_else(|| stored.id.timestamp()));
    "action", "what was done", |_, record| text(Some(record.action.as_str()));
    "category", "the group of the action", |_, record| option(record.category.as_ref());
    "outcome", "`success`, `failure`, `denied`, `error`, `cancelled` or `unknown`",
        |_, record| text(record.outcome.map(|outcome| outcome.as_str()));
    "reason", "why it ended so", |_, record| option(record.reason.as_ref());
    "cause", "the message of the error; where there is none, the reason", |_, record| {
        option(record.error.as_ref().and_then(|error| error.message.as_ref()).or(record.reason.as_ref()))
    };
    "error_type", "the kind of the error",
        |_, record| option(record.error.as_ref().and_then(|error| error.kind.as_ref()));
    "error_code", "the code of the error",
        |_, record| option(record.error.as_ref().and_then(|error| error.code.as_ref()));
    "error_message", "the message of the error",
        |_, record| option(record.error.as_ref().and_then(|error| error.message.as_ref()));
    "actor_type", "`user`, `service`, `system`, `anonymous` or `unknown`",
        |_, record| text(record.actor.as_ref().map(|actor| actor.kind.as_str()));
    "actor_id", "who did it, by id", |_, record| actor(record, |actor| actor.id.as_ref());
    "actor_name", "the actor's verified name", |_, record| actor(record, |actor| actor.name.as_ref());
    "actor_email", "the actor's e-mail address", |_, record| actor(record, |actor| actor.email.as_ref());
    "actor_claimed", "a name that was not verified", |_, record| actor(record, |actor| actor.claimed.as_ref());
    "actor_auth_method", "how the actor was verified",
        |_, record| actor(record, |actor| actor.auth_method.as_ref());
    "actor_credential", "what was presented, as JSON",
        |_, record| json(record.actor.as_ref().and_then(|actor| actor.credential.as_ref()));
    "on_behalf_of", "for whom it was done, as JSON",
        |_, record| json(record.actor.as_ref().and_then(|actor| actor.on_behalf_of.as_ref()));
    "target_type", "the type of the first target", |_, record| target(record, |target| Some(&target.kind));
    "target_id", "the id of the first target", |_, record| target(record, |target| target.id.as_ref());
    "target_name", "the name of the first target", |_, record| target(record, |target| target.name.as_ref());
    "targets", "all targets, as JSON; empty when there is only one or none",
        |_, record| json(Some(&record.targets).filter(|targets| targets.len() > 1));
    "tenant", "the id of the tenant", |_, record| option(record.tenant.as_ref().and_then(|it| it.id.as_ref()));
    "tenant_name", "the name of the tenant",
        |_, record| option(record.tenant.as_ref().and_then(|it| it.name.as_ref()));
    "tenant_domain", "the domain of the tenant",
        |_, record| option(record.tenant.as_ref().and_then(|it| it.domain.as_ref()));
    "application", "the id of the client application",
        |_, record| option(record.application.as_ref().and_then(|it| it.id.as_ref()));
    "application_name", "the name of the client application",
        |_, record| option(record.application.as_ref().and_then(|it| it.name.as_ref()));
    "service", "which service recorded it", |_, record| option(record.service().map(|it| &it.name));
    "service_version", "its version", |_, record| option(record.service().and_then(|it| it.version.as_ref()));
    "service_instance", "its instance",
        |_, record| option(record.service().and_then(|it| it.instance.as_ref()));
    "ip_address", "the client's address", |_, record| option(record.context.ip_address.as_ref());
    "peer_address", "the other end of the connection", |_, record| option(record.context.peer_address.as_ref());
    "forwarded", "the chain of addresses that headers claim, as JSON",
        |_, record| json(Some(&record.context.forwarded).filter(|chain| !chain.is_empty()));
    "user_agent", "what the client calls itself", |_, record| option(record.context.user_agent.as_ref());
    "session_id", "the keyed hash of the session", |_, record| option(record.context.session_id.as_ref());
    "previous_session_id", "the keyed hash of the session before",
        |_, record| option(record.context.previous_session_id.as_ref());
    "request_id", "the request's id", |_, record| option(record.context.request_id.as_ref());
    "trace_id", "the trace (W3C)", |_, record| option(record.context.trace_id.as_ref());
    "span_id", "the span (W3C)", |_, record| option(record.context.span_id.as_ref());
    "http_method", "the method of the request", |_, record| http(record, |http| http.method.as_ref());
    "http_route", "the route of the request", |_, record| http(record, |http| http.route.as_ref());
    "http_status", "the status of the response",
        |_, record| number(record.context.http.as_ref().and_then(|http| http.status));
    "duration_us", "how long it took, in microseconds",
        |_, record| number(record.context.duration.map(|duration| duration.as_micros()));
    "changes", "what was changed, as JSON",
        |_, record| json(Some(&record.changes).filter(|changes| !changes.is_empty()));
    "details", "whatever else the service said, as JSON",
        |_, record| json(Some(&record.details).filter(|details| !details.is_empty()));
    "changes_and_details", "both, as one JSON object with the fields `changes` and `details`",
        |_, record| json(Some(&Both::of(record)).filter(|both| !both.is_empty()));
    "count", "how many actions the record stands for, if it is not one", |_, record| number(record.count);
    "first", "when the first of them began", |_, record| number(record.first);
    "last", "when the last of them began", |_, record| number(record.last);
    "truncated", "what was cut when the record was written, as JSON",
        |_, record| json(Some(&record.truncated).filter(|marks| !marks.is_empty()));
    "trail", "the trail that the record belongs to", |stored, _| ours(stored.trail);
    "number", "its number in that trail", |stored, _| ours(stored.number);
    "leaf", "the leaf hash it was delivered with", |stored, _| ours(stored.leaf);
    "arrival", "its place in the order of arrival in the store", |stored, _| ours(stored.arrival);
    "received", "when it was read for delivery", |stored, _| ours(stored.received);
    "json", "the whole record, as it is stored", |stored, _| text(Some(&stored.json));
};

/// What was changed, and whatever else was said.
#[derive(Serialize)]
struct Both<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    changes: &'a [Change],
    #[serde(skip_serializing_if = "Map::is_empty")]
    details: &'a Map<String, Value>,
}

impl<'a> Both<'a> {
    fn of(record: &'a Record) -> Self {
        Self {
            changes: &record.changes,
            details: &record.details,
        }
    }

    fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.details.is_empty()
    }
}

fn ours<'a>(value: impl fmt::Display) -> Cell<'a> {
    Cell::Ours(value.to_string())
}

fn number<'a>(value: Option<impl fmt::Display>) -> Cell<'a> {
    value.map_or(Cell::Empty, ours)
}

fn text(value: Option<&str>) -> Cell<'_> {
    value.map_or(Cell::Empty, |text| Cell::Text(Cow::Borrowed(text)))
}

fn option(value: Option<&Text>) -> Cell<'_> {
    text(value.map(Text::as_str))
}

fn actor<'a>(record: &'a Record, of: fn(&'a Actor) -> Option<&'a Text>) -> Cell<'a> {
    option(record.actor.as_ref().and_then(of))
}

fn target<'a>(record: &'a Record, of: fn(&'a Target) -> Option<&'a Text>) -> Cell<'a> {
    option(record.targets.first().and_then(of))
}

fn http<'a>(record: &'a Record, of: fn(&'a Http) -> Option<&'a Text>) -> Cell<'a> {
    option(record.context.http.as_ref().and_then(of))
}

/// A value as JSON on one line. What a sink stored has a JSON, so that nothing is left out here.
fn json<'a>(value: Option<&(impl Serialize + ?Sized)>) -> Cell<'a> {
    let json = value.and_then(|value| serde_json::to_string(value).ok());
    json.map_or(Cell::Empty, |json| Cell::Text(Cow::Owned(visible(json))))
}

/// JSON in which characters that cannot be seen are escapes of JSON. A trail writes none; somebody
/// may have put them into the database.
fn visible(json: String) -> String {
    if text::is_clean(&json, usize::MAX) {
        return json;
    }
    let mut safe = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        let mut buffer = [0; 4];
        if text::is_clean(character.encode_utf8(&mut buffer), usize::MAX) {
            safe.push(character);
            continue;
        }
        let mut units = [0; 2];
        for unit in character.encode_utf16(&mut units) {
            safe.push_str(&format!("\\u{unit:04x}"));
        }
    }
    safe
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Field {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_stays_json_with_nothing_hidden_in_it() {
        let hidden = "a\u{202e}\u{e0041}é\"";
        let json = visible(serde_json::to_string(hidden).unwrap());
        assert_eq!(json, r#""a\u202e\udb40\udc41é\"""#);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), hidden);
    }
}
