//! A record as an OpenTelemetry log record.
//!
//! Every field of the record has a home in [`TABLE`]; a field that a later version of the format
//! adds goes under its own path with `audit.` before it. The body is the record's exact JSON.

use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value::Value},
    logs::v1::{LogRecord, SeverityNumber},
};

use super::{
    resource::Service,
    value::{self, Node, pair},
};
use crate::{
    clock::Timestamp,
    evidence::parse_hex,
    sink::{Batch, Delivery},
};

/// Where a field goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Home {
    /// Its own fields have homes.
    Group,
    /// An attribute.
    Attribute(&'static str),
    /// An attribute, and a second one when the actor is a person.
    Person(&'static str, &'static str),
    /// An attribute, and the first entry's parts as attributes of their own below this prefix.
    First(&'static str, &'static str),
    /// An attribute of the resource.
    Resource(ServiceField),
    /// The name of the event, and an attribute.
    EventName(&'static str),
    /// What the severity is made from, and an attribute.
    Severity(&'static str),
    /// `time_unix_nano`.
    Time,
    /// `trace_id`; an attribute of this name where it is none.
    TraceId(&'static str),
    /// `span_id`; an attribute of this name where it is none.
    SpanId(&'static str),
}

/// A field of the record's `service`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ServiceField {
    Name,
    Version,
    Instance,
}

use Home::{Attribute, Group, Person};

/// Every field of the record, sorted, and where it goes.
pub(super) const TABLE: &[(&str, Home)] = &[
    ("action", Home::EventName("audit.action")),
    ("actor", Group),
    ("actor.auth_method", Attribute("audit.actor.auth_method")),
    ("actor.claimed", Attribute("audit.actor.claimed")),
    ("actor.credential", Group),
    (
        "actor.credential.id",
        Attribute("audit.actor.credential.id"),
    ),
    (
        "actor.credential.type",
        Attribute("audit.actor.credential.type"),
    ),
    ("actor.email", Person("audit.actor.email", "user.email")),
    ("actor.id", Person("audit.actor.id", "user.id")),
    ("actor.name", Person("audit.actor.name", "user.name")),
    ("actor.on_behalf_of", Attribute("audit.actor.on_behalf_of")),
    ("actor.type", Attribute("audit.actor.type")),
    ("application", Group),
    ("application.id", Attribute("audit.application.id")),
    ("application.name", Attribute("audit.application.name")),
    ("category", Attribute("audit.category")),
    ("changes", Attribute("audit.changes")),
    ("context", Group),
    ("context.duration_us", Attribute("audit.duration_us")),
    ("context.forwarded", Attribute("audit.forwarded")),
    ("context.http", Group),
    ("context.http.method", Attribute("http.request.method")),
    ("context.http.route", Attribute("http.route")),
    (
        "context.http.status",
        Attribute("http.response.status_code"),
    ),
    ("context.ip_address", Attribute("client.address")),
    ("context.peer_address", Attribute("network.peer.address")),
    (
        "context.previous_session_id",
        Attribute("session.previous_id"),
    ),
    ("context.request_id", Attribute("audit.request.id")),
    ("context.session_id", Attribute("session.id")),
    ("context.span_id", Home::SpanId("audit.span_id")),
    ("context.trace_id", Home::TraceId("audit.trace_id")),
    ("context.user_agent", Attribute("user_agent.original")),
    ("count", Attribute("audit.count")),
    ("details", Attribute("audit.details")),
    ("error", Group),
    ("error.code", Attribute("audit.error.code")),
    ("error.message", Attribute("error.message")),
    ("error.type", Attribute("error.type")),
    ("first", Attribute("audit.first")),
    ("id", Attribute("audit.record.id")),
    ("last", Attribute("audit.last")),
    ("outcome", Home::Severity("audit.outcome")),
    ("reason", Attribute("audit.reason")),
    ("schema", Attribute("audit.schema.version")),
    ("service", Group),
    ("service.instance", Home::Resource(ServiceField::Instance)),
    ("service.name", Home::Resource(ServiceField::Name)),
    ("service.version", Home::Resource(ServiceField::Version)),
    ("targets", Home::First("audit.targets", "audit.target")),
    ("tenant", Group),
    ("tenant.domain", Attribute("audit.tenant.domain")),
    ("tenant.id", Attribute("audit.tenant.id")),
    ("tenant.name", Attribute("audit.tenant.name")),
    ("timestamp", Home::Time),
    ("truncated", Attribute("audit.truncated")),
];

/// What every log record carries beside the record: its place in the trail, and its leaf.
pub(super) const ENVELOPE: [&str; 3] =
    ["audit.trail.id", "audit.sequence.number", "audit.leaf.hash"];

/// A record as it is sent, and the service that it says it is from.
pub(super) fn log_record(batch: &Batch, delivery: &Delivery) -> (LogRecord, Service) {
    let fields = value::fields(&delivery.json);
    let mut writer = Writer {
        log: LogRecord {
            observed_time_unix_nano: nanos(batch.received),
            severity_number: SeverityNumber::Info.into(),
            severity_text: "INFO".to_owned(),
            body: Some(text(&*delivery.json)),
            attributes: Vec::with_capacity(fields.len() + 16),
            ..LogRecord::default()
        },
        service: Service::default(),
        path: String::with_capacity(64),
        actor: ActorKind::Other,
    };
    writer.envelope(batch, delivery);
    writer.fields(fields);
    (writer.log, writer.service)
}

/// Whether `user.*` may be said of the actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ActorKind {
    User,
    Other,
}

struct Writer {
    log: LogRecord,
    service: Service,
    /// Of the field at hand.
    path: String,
    actor: ActorKind,
}

impl Writer {
    fn envelope(&mut self, batch: &Batch, delivery: &Delivery) {
        let [trail, number, leaf] = ENVELOPE;
        let (digits, digits_of_leaf) = (batch.origin.trail.to_string(), delivery.leaf.to_string());
        self.push(trail, Node::Text(digits.into()));
        let value = i64::try_from(delivery.number).map_or_else(
            |_| Node::Text(delivery.number.to_string().into()),
            Node::Integer,
        );
        self.push(number, value);
        self.push(leaf, Node::Text(digits_of_leaf.into()));
    }

    fn fields(&mut self, fields: value::Fields<'_>) {
        let before = self.path.len();
        for (name, node) in fields {
            if before > 0 {
                self.path.push('.');
            }
            self.path.push_str(&name);
            self.field(node);
            self.path.truncate(before);
        }
    }

    fn field(&mut self, node: Node<'_>) {
        let row = TABLE.binary_search_by_key(&self.path.as_str(), |(path, _)| path);
        let home = row.ok().and_then(|row| TABLE.get(row));
        match (home.map(|(_, home)| *home), node) {
            (Some(Group), Node::Map(fields)) => {
                if self.path == "actor" {
                    self.actor = actor_kind(&fields);
                }
                self.fields(fields);
            }
            (Some(Attribute(name)), node) => self.push(name, node),
            (Some(Person(name, of_person)), node) => {
                if self.actor == ActorKind::User
                    && let Some(value) = node.text()
                {
                    self.push(of_person, Node::Text(value.to_owned().into()));
                }
                self.push(name, node);
            }
            (Some(Home::First(name, prefix)), node) => self.first(name, prefix, node),
            (Some(Home::EventName(name)), node) => {
                if let Some(action) = node.text() {
                    action.clone_into(&mut self.log.event_name);
                }
                self.push(name, node);
            }
            (Some(Home::Severity(name)), node) => {
                let (number, word) = severity(node.text());
                self.log.severity_number = number.into();
                word.clone_into(&mut self.log.severity_text);
                self.push(name, node);
            }
            (Some(Home::Resource(field)), Node::Text(text)) => {
                *self.service.field(field) = Some(text.into_owned());
            }
            (Some(Home::Time), node) => self.time(node),
            (Some(Home::TraceId(name)), node) => match id::<16>(&node) {
                Some(id) => self.log.trace_id = id,
                None => self.push(name, node),
            },
            (Some(Home::SpanId(name)), node) => match id::<8>(&node) {
                Some(id) => self.log.span_id = id,
                None => self.push(name, node),
            },
            // Of a later version of the format, or not what this one says it is.
            (None | Some(Group | Home::Resource(_)), node) => {
                self.push(format!("audit.{}", self.path), node);
            }
        }
    }

    fn time(&mut self, node: Node<'_>) {
        match node.text().and_then(|text| text.parse::<Timestamp>().ok()) {
            Some(at) => self.log.time_unix_nano = nanos(at),
            None => self.push("audit.timestamp", node),
        }
    }

    /// A list, and the parts of its first entry, which receivers can search.
    fn first(&mut self, name: &'static str, prefix: &str, node: Node<'_>) {
        if let Node::List(entries) = &node
            && let Some(Node::Map(parts)) = entries.first()
        {
            for (part, value) in parts {
                if let Some(value) = value.text() {
                    let value = Node::Text(value.to_owned().into());
                    self.push(format!("{prefix}.{part}"), value);
                }
            }
        }
        self.push(name, node);
    }

    fn push(&mut self, name: impl Into<String>, node: Node<'_>) {
        self.log.attributes.push(pair(name, node));
    }
}

fn actor_kind(fields: &[(std::borrow::Cow<'_, str>, Node<'_>)]) -> ActorKind {
    let kind = fields.iter().find(|(name, _)| name == "type");
    match kind.and_then(|(_, kind)| kind.text()) {
        Some("user") => ActorKind::User,
        _ => ActorKind::Other,
    }
}

/// How much a reader of logs should mind the outcome.
pub(super) fn severity(outcome: Option<&str>) -> (SeverityNumber, &'static str) {
    match outcome {
        Some("success" | "cancelled") => (SeverityNumber::Info, "INFO"),
        Some("error") => (SeverityNumber::Error, "ERROR"),
        // Refused, failed, or nobody saw the end.
        _ => (SeverityNumber::Warn, "WARN"),
    }
}

/// An id of so many bytes; all zeroes is none.
fn id<const BYTES: usize>(node: &Node<'_>) -> Option<Vec<u8>> {
    let mut bytes = vec![0; BYTES];
    parse_hex(node.text()?.as_bytes(), &mut bytes)?;
    bytes.iter().any(|byte| *byte != 0).then_some(bytes)
}

fn nanos(at: Timestamp) -> u64 {
    at.as_micros().unsigned_abs().saturating_mul(1000)
}

/// A text as it is sent.
pub(super) fn text(text: impl Into<String>) -> AnyValue {
    AnyValue {
        value: Some(Value::StringValue(text.into())),
    }
}

/// An attribute with a text.
pub(super) fn text_pair(name: impl Into<String>, value: impl Into<String>) -> KeyValue {
    KeyValue {
        key: name.into(),
        value: Some(text(value)),
        key_strindex: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_names_each_attribute_once() {
        assert!(TABLE.is_sorted_by(|(one, _), (other, _)| one < other));
        let mut names: Vec<_> = ENVELOPE.into();
        for (_, home) in TABLE {
            match home {
                Attribute(name)
                | Home::First(name, _)
                | Home::EventName(name)
                | Home::Severity(name)
                | Home::TraceId(name)
                | Home::SpanId(name) => names.push(name),
                Person(name, of_person) => names.extend([*name, *of_person]),
                Group | Home::Resource(_) | Home::Time => {}
            }
        }
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
