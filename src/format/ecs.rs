//! The Elastic Common Schema, version 9.4.0.
//!
//! What has no field there is kept below `tower_audit`, which is ours, as custom fields are meant
//! to be: `tower_audit.record.details`.

use serde_json::{Value, json};

use super::{
    Event,
    deed::{Action, Deed},
    mapping::{How, Mapping, Rule, rule, same},
    spell,
    tree::text,
};

/// The released version whose field names these are.
const VERSION: &str = "9.4.0";

const IF_IP: How = How::If(spell::ip, "if it is an address");
const IP_TOO: How = How::Part(spell::ip, "if it is an address");
const TOO: How = How::Part(as_it_is, "among others");
const CLAIMED: How = How::Part(as_it_is, "not verified");

pub(super) static ECS: Mapping = Mapping {
    rules: RULES,
    cases: |_| 0,
    names: &[],
    expand: |_, _, _| None,
    finish,
    close: "}",
    base: "tower_audit.record",
};

static RULES: &[Rule] = &[
    same("id", "event.id"),
    same("timestamp", "@timestamp"),
    same("service.name", "service.name"),
    same("service.version", "service.version"),
    same("service.instance", "service.node.name"),
    same("action", "event.action"),
    rule(
        "outcome",
        "event.outcome",
        How::Part(outcome, "success, failure or unknown"),
    ),
    same("reason", "event.reason"),
    same("error.type", "error.type"),
    same("error.code", "error.code"),
    same("error.message", "error.message"),
    same("actor.id", "user.id"),
    rule("actor.id", "related.user[]", TOO),
    same("actor.name", "user.full_name"),
    rule("actor.name", "related.user[]", TOO),
    same("actor.email", "user.email"),
    rule("actor.email", "related.user[]", TOO),
    rule("actor.claimed", "user.name", CLAIMED),
    rule("actor.claimed", "related.user[]", TOO),
    same("actor.on_behalf_of.id", "user.effective.id"),
    rule("actor.on_behalf_of.id", "related.user[]", TOO),
    same("actor.on_behalf_of.name", "user.effective.full_name"),
    rule("actor.on_behalf_of.name", "related.user[]", TOO),
    same("actor.on_behalf_of.email", "user.effective.email"),
    rule("actor.on_behalf_of.email", "related.user[]", TOO),
    same("targets.@user.id", "user.target.id"),
    rule("targets.@user.id", "related.user[]", TOO),
    same("targets.@user.name", "user.target.full_name"),
    rule("targets.@user.name", "related.user[]", TOO),
    same("tenant.id", "organization.id"),
    same("tenant.name", "organization.name"),
    same("context.ip_address", "source.address"),
    same("context.ip_address", "client.address"),
    rule("context.ip_address", "source.ip", IF_IP),
    rule("context.ip_address", "client.ip", IF_IP),
    rule("context.ip_address", "related.ip[]", IP_TOO),
    rule("context.peer_address", "related.ip[]", IP_TOO),
    same("context.user_agent", "user_agent.original"),
    same("context.request_id", "http.request.id"),
    same("context.trace_id", "trace.id"),
    same("context.span_id", "span.id"),
    same("context.http.method", "http.request.method"),
    rule(
        "context.http.route",
        "url.path",
        How::If(spell::plain_path, "if it has no parameters"),
    ),
    same("context.http.status", "http.response.status_code"),
    rule(
        "context.duration_us",
        "event.duration",
        How::As(spell::nanoseconds, "in nanoseconds"),
    ),
    same("first", "event.start"),
    same("last", "event.end"),
];

fn as_it_is(value: &Value) -> Option<Value> {
    Some(value.clone())
}

/// One of the three words there are.
fn outcome(value: &Value) -> Option<Value> {
    let word = match value.as_str()? {
        "success" => "success",
        "failure" | "denied" | "error" => "failure",
        // Nobody knows whether something that was cancelled was done.
        _ => "unknown",
    };
    Some(word.into())
}

fn finish(mapped: &mut Value, record: &Value, event: &Event<'_>) {
    let (category, kinds) = classify(record);
    let Some(fields) = mapped.as_object_mut() else {
        return;
    };
    fields.insert("ecs".to_owned(), json!({ "version": VERSION }));
    fields.insert("message".to_owned(), message(record).into());
    let of_event = fields.entry("event").or_insert_with(|| json!({}));
    for (name, value) in [
        ("kind", json!("event")),
        ("module", json!("tower_audit")),
        ("dataset", json!("tower_audit.record")),
        ("sequence", json!(event.number)),
        ("category", json!([category])),
        ("type", json!(kinds)),
    ] {
        if let Some(of_event) = of_event.as_object_mut() {
            of_event.insert(name.to_owned(), value);
        }
    }
}

/// One line for a person who looks through many.
fn message(record: &Value) -> String {
    let of = |field| text(record, field);
    let mut message = of("action").unwrap_or("unknown").to_owned();
    if let Some(outcome) = of("outcome") {
        message.push(' ');
        message.push_str(outcome);
    }
    if let Some(reason) = of("reason") {
        message.push_str(": ");
        message.push_str(reason);
    }
    message
}

/// The category and its types, of those that go together.
fn classify(record: &Value) -> (&'static str, Vec<&'static str>) {
    let action = Action::of(record);
    let is_user = action.is_about_users() || !super::tree::find(record, "targets.@user").is_empty();
    match (action.deed, action.noun.as_str()) {
        (Deed::LogIn, _) => ("authentication", vec!["start"]),
        (Deed::LogOut, _) => ("authentication", vec!["end"]),
        (Deed::Grant | Deed::Revoke | Deed::AssignRole | Deed::RemoveRole, _) => {
            ("iam", vec!["admin", "change"])
        }
        (deed, "group" | "groups" | "team") => ("iam", vec!["group", kind(deed, "info")]),
        (deed, "config" | "configuration" | "setting" | "settings" | "policy") => {
            ("configuration", vec![kind(deed, "access")])
        }
        (deed, _) if is_user => ("iam", vec!["user", kind(deed, "info")]),
        (deed, _) => {
            let mut kinds = vec![kind(deed, "access")];
            if text(record, "outcome") == Some("denied") {
                kinds.push("denied");
            }
            ("api", kinds)
        }
    }
}

/// What was done, in a word; `read` is what reading is called.
const fn kind(deed: Deed, read: &'static str) -> &'static str {
    match deed {
        Deed::Create => "creation",
        Deed::Delete => "deletion",
        Deed::Read => read,
        Deed::Other => "info",
        _ => "change",
    }
}
