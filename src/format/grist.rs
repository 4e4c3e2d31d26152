//! The events that Grist streams, as its `AuditEvent.ts` declares them.
//!
//! What a target is called there is the name of its place: `details.document.id`. What has no place
//! is kept below `tower_audit`, which Grist's readers do not know and pass over.

use serde_json::{Value, json};

use super::{
    Event,
    mapping::{Cases, How, Mapping, Rule, rule, same},
    spell,
    tree::{self, Step, text},
};

/// The actor is one that has an account.
const ACCOUNT: Cases = 1;
/// The first target is a document, and the action is not told by its changes alone.
const DOCUMENT: Cases = 1 << 1;
/// There are changes.
const CHANGED: Cases = 1 << 2;
/// The action is none of those that Grist tells by what was and what is, and nothing else.
const NAMED: Cases = 1 << 3;
/// A site or a workspace could not be deleted.
const NOT_DELETED: Cases = 1 << 4;
/// There are changes of a document.
const DOCUMENT_CHANGED: Cases = 1 << 5;

const NUMBER: How = How::As(spell::number, "digits as a number");

/// Actions of which Grist tells only what was and what is.
const BEFORE_AND_AFTER: &[&str] = &[
    "config.update",
    "document.move",
    "document.rename",
    "site.rename",
    "user.change_name",
    "workspace.rename",
];

pub(super) static GRIST: Mapping = Mapping {
    rules: RULES,
    cases,
    names: &[
        (ACCOUNT, "of a user or service"),
        (DOCUMENT, "of a document"),
        (CHANGED, "if there are changes"),
        (NAMED, "unless the action is told by its changes alone"),
        (DOCUMENT_CHANGED, "of a document with changes"),
        (NOT_DELETED, "of site.delete and workspace.delete"),
    ],
    expand,
    finish,
    close: "}",
    base: "tower_audit.record",
};

static RULES: &[Rule] = &[
    same("id", "id"),
    same("timestamp", "timestamp"),
    same("action", "action"),
    rule(
        "actor.type",
        "actor.type",
        How::If(actor, "anonymous as guest, but for a service"),
    ),
    rule(
        "actor.type",
        "actor.type",
        How::Part(service, "a service as user"),
    ),
    rule("actor.id", "actor.user.id", NUMBER).when(ACCOUNT),
    same("actor.name", "actor.user.name").when(ACCOUNT),
    same("actor.email", "actor.user.email").when(ACCOUNT),
    rule("tenant.id", "context.site.id", NUMBER),
    same("tenant.name", "context.site.name"),
    same("tenant.domain", "context.site.domain"),
    same("context.ip_address", "context.ip_address"),
    same("context.user_agent", "context.user_agent"),
    same("context.session_id", "context.session_id"),
    same("error.message", "details.error").when(NOT_DELETED),
    // What Grist has inside of the document.
    same("details.workspace", "details.document.workspace").when(DOCUMENT),
    same("details.url_id", "details.document.url_id").when(DOCUMENT),
    same("details.fork_id", "details.document.fork_id").when(DOCUMENT),
    same("details.snapshot_id", "details.document.snapshot_id").when(DOCUMENT),
    rule("details.*", "details.*", How::Left),
    // Before the targets: a name that was changed is the changed one on either side.
    same("changes.*.previous", "details.previous.{type}.{field}"),
    same("changes.*.current", "details.current.{type}.{field}"),
    // The id of a document is a text there, even one of digits.
    same("targets.0.id", "details.previous.{type}.id").when(DOCUMENT_CHANGED),
    same("targets.0.id", "details.current.{type}.id").when(DOCUMENT_CHANGED),
    same("targets.0.id", "details.{type}.id").when(DOCUMENT),
    rule("targets.0.id", "details.previous.{type}.id", NUMBER).when(CHANGED),
    rule("targets.0.id", "details.current.{type}.id", NUMBER).when(CHANGED),
    same("targets.0.name", "details.previous.{type}.name").when(CHANGED),
    same("targets.0.name", "details.current.{type}.name").when(CHANGED),
    rule("targets.*.id", "details.{type of it}.id", NUMBER).when(NAMED),
    same("targets.*.name", "details.{type of it}.name").when(NAMED),
    rule(
        "changes.*.field",
        "details.previous.{type}.{field}",
        How::Name,
    ),
    rule(
        "changes.*.field",
        "details.current.{type}.{field}",
        How::Name,
    ),
    rule("targets.*.type", "details.{type of it}", How::Name).when(NAMED),
    rule("targets.0.type", "details.current.{type}", How::Name).when(CHANGED),
];

fn cases(record: &Value) -> Cases {
    let of = |field| text(record, field);
    let action = of("action").unwrap_or_default();
    let has_changes = !tree::find(record, "changes.0").is_empty();
    let is_told_by_changes = has_changes && BEFORE_AND_AFTER.contains(&action);
    let is_document = of("targets.0.type") == Some("document");
    let is_not_deleted = matches!(action, "site.delete" | "workspace.delete");
    [
        (
            ACCOUNT,
            matches!(of("actor.type"), Some("user" | "service")),
        ),
        (DOCUMENT, is_document && !is_told_by_changes),
        (DOCUMENT_CHANGED, is_document && has_changes),
        (CHANGED, has_changes),
        (NAMED, !is_told_by_changes),
        (NOT_DELETED, is_not_deleted),
    ]
    .into_iter()
    .filter(|(_, holds)| *holds)
    .fold(0, |cases, (case, _)| cases | case)
}

fn expand(name: &str, record: &Value, star: Option<&Step>) -> Option<String> {
    let entry = |list: &str, index: usize, field: &str| {
        text(record, &format!("{list}.{index}.{field}")).map(str::to_owned)
    };
    match (name, star) {
        ("type", _) => entry("targets", 0, "type"),
        ("type of it", Some(Step::Index(index))) => entry("targets", *index, "type"),
        ("field", Some(Step::Index(index))) => entry("changes", *index, "field"),
        _ => None,
    }
}

/// Who acts, and from where, have a place in each event there, also where nobody knows.
fn finish(mapped: &mut Value, _: &Value, _: &Event<'_>) {
    if let Some(event) = mapped.as_object_mut() {
        event.entry("actor").or_insert(json!({"type": "unknown"}));
        event.entry("context").or_insert(json!({}));
    }
}

/// The words there are for those who act.
fn actor(value: &Value) -> Option<Value> {
    let word = match value.as_str()? {
        "anonymous" => "guest",
        word @ ("user" | "system" | "unknown") => word,
        _ => return None,
    };
    Some(word.into())
}

/// A program with an account of its own is a user there.
fn service(value: &Value) -> Option<Value> {
    (value.as_str()? == "service").then(|| "user".into())
}
