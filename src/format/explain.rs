//! Which field goes where, told by the tables that do it.

use serde::Serialize;

use super::{
    Format,
    mapping::{ALWAYS, How, Mapping, Rule},
};

/// Where one field of a record goes in a [`Format`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Mapped {
    /// The field: `targets.*.id`; `*` is each entry of a list.
    pub field: String,
    /// Where it goes. `{type}` is the type of the target, `[]` a list that it is added to.
    pub to: String,
    /// When it goes there, or what it becomes; empty for always and as it is.
    pub note: String,
    /// Whether the format has a place for it; if not, it is kept where only we put something.
    pub has_home: bool,
}

/// Every field of a record, as `docs/record.schema.json` has them.
pub(super) const FIELDS: &[&str] = &[
    "id",
    "timestamp",
    "schema",
    "service.name",
    "service.version",
    "service.instance",
    "action",
    "category",
    "outcome",
    "reason",
    "error.type",
    "error.code",
    "error.message",
    "actor.type",
    "actor.id",
    "actor.name",
    "actor.email",
    "actor.claimed",
    "actor.auth_method",
    "actor.credential.type",
    "actor.credential.id",
    "actor.on_behalf_of.type",
    "actor.on_behalf_of.id",
    "actor.on_behalf_of.name",
    "actor.on_behalf_of.email",
    "actor.on_behalf_of.claimed",
    "actor.on_behalf_of.auth_method",
    "actor.on_behalf_of.credential.type",
    "actor.on_behalf_of.credential.id",
    "actor.on_behalf_of.on_behalf_of",
    "targets.*.type",
    "targets.*.id",
    "targets.*.name",
    "tenant.id",
    "tenant.name",
    "tenant.domain",
    "application.id",
    "application.name",
    "context.ip_address",
    "context.peer_address",
    "context.forwarded",
    "context.user_agent",
    "context.session_id",
    "context.previous_session_id",
    "context.request_id",
    "context.trace_id",
    "context.span_id",
    "context.http.method",
    "context.http.route",
    "context.http.status",
    "context.duration_us",
    "changes.*.field",
    "changes.*.previous",
    "changes.*.current",
    "details",
    "count",
    "first",
    "last",
    "truncated",
];

impl Format {
    /// Where each field of a record goes, and which have no home.
    ///
    /// What a later version of the record adds, and what finds its place taken, is kept like a
    /// field without a home: nothing of a record is dropped in any format.
    #[must_use]
    pub fn explain(self) -> Vec<Mapped> {
        let fields = FIELDS.iter();
        match self.mapping() {
            None => fields.map(|field| native(field)).collect(),
            Some(mapping) => fields.flat_map(|field| explain(mapping, field)).collect(),
        }
    }
}

fn native(field: &str) -> Mapped {
    Mapped {
        field: field.to_owned(),
        to: format!("record.{field}"),
        note: String::new(),
        has_home: true,
    }
}

fn explain(mapping: &Mapping, field: &str) -> Vec<Mapped> {
    let rules = mapping.rules.iter();
    let mut rows: Vec<Mapped> = rules
        .filter(|rule| is_about(rule, field))
        .map(|rule| row(mapping, rule, field))
        .collect();
    let is_settled = mapping
        .rules
        .iter()
        .any(|rule| is_about(rule, field) && settles(rule, field));
    if !is_settled {
        let is_whole = |rule: &&Rule| !matches!(rule.how, How::Part(..));
        let mut about = mapping.rules.iter().filter(|rule| is_about(rule, field));
        let note = match (rows.is_empty(), about.any(|rule| is_whole(&rule))) {
            (true, _) => "",
            (false, true) => "otherwise",
            (false, false) => "in full",
        };
        rows.push(Mapped {
            field: field.to_owned(),
            to: format!("{}.{field}", mapping.base),
            note: note.to_owned(),
            has_home: false,
        });
    }
    rows
}

/// Whether a rule moves the field, a part of it, or what it is part of.
pub(super) fn is_about(rule: &Rule, field: &str) -> bool {
    let mut pairs = rule.from.split('.').zip(field.split('.'));
    pairs.all(|(from, field)| from == field || field == "*")
}

/// Whether nothing of the field is ever kept because of this rule.
fn settles(rule: &Rule, field: &str) -> bool {
    let is_sure = matches!(rule.how, How::Same | How::Left | How::As(..));
    let is_all = rule.from == field || (matches!(rule.how, How::Left) && rule.from.ends_with(".*"));
    is_sure && is_all && rule.when == ALWAYS && !rule.to.contains('{')
}

fn row(mapping: &Mapping, rule: &Rule, field: &str) -> Mapped {
    let which = match rule.from.split('.').nth(1) {
        Some("@user") => "of the first that is a user",
        Some("@other") => "of the others",
        Some("0") => "of the first",
        _ => "",
    };
    let how = match rule.how {
        How::Same | How::Left => "",
        How::As(_, note) | How::If(_, note) | How::Part(_, note) => note,
        How::Name => "as a name",
    };
    let when = mapping
        .names
        .iter()
        .filter(|(case, _)| rule.when & case != 0)
        .map(|(_, name)| *name);
    let when = when.collect::<Vec<_>>().join(" or ");
    let notes = [which, how, when.as_str()].into_iter();
    // A rule for a part of the field is told as such.
    let is_part = rule.from.split('.').count() > field.split('.').count();
    Mapped {
        field: if is_part { rule.from } else { field }.to_owned(),
        to: rule.to.to_owned(),
        note: notes
            .filter(|note| !note.is_empty())
            .collect::<Vec<_>>()
            .join(", "),
        has_home: true,
    }
}
