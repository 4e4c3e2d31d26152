//! The record: who did what to which thing, from where, with what outcome.
//!
//! A [`Record`] is built by its setters, or read back with [`Record::from_json`]. When it is handed
//! over it is *finished*: given its id and time, made clean, capped, and written once as JSON. From
//! then on those exact bytes are what is hashed, delivered and kept; nothing is ever encoded again.
//!
//! # Format
//!
//! One line of JSON in UTF-8, with the fields in the order of the table. A fact that is absent is
//! not written: it is not `null`, and not an empty text. `docs/record.schema.json` is the same as a
//! JSON Schema. The format has a version of its own, `schema`: within 1.x it only grows, so readers
//! pass over what they do not know.
//!
//! ```json
//! {"id":"01a1f929-fda3-774b-8000-000000000001","timestamp":"2026-11-20T13:34:01.123456Z","schema":"1.0",
//!  "service":{"name":"docs"},"action":"document.create","category":"document","outcome":"success",
//!  "actor":{"type":"user","id":"146"},"targets":[{"type":"document","id":"4cq1mN"}]}
//! ```
//!
//! # Fields
//!
//! | field | what it is | at most |
//! |---|---|---|
//! | `id` | UUIDv7 that carries `timestamp` to the microsecond; always the service's own | |
//! | `timestamp` | when the action began: UTC, six digits | |
//! | `schema` | the version of this format | |
//! | `service`: `service.name`, `service.version`, `service.instance` | which service wrote it | 256 bytes each |
//! | `action` | what was done: `noun.verb`, or as another system named it | 256 bytes |
//! | `category` | the group the action belongs to; by default its noun | 256 bytes |
//! | `outcome` | [`success`, `failure`, `denied`, `error`, `cancelled` or `unknown`](Outcome) | |
//! | `reason` | why it ended so, for a person | 1024 bytes |
//! | `error`: `error.type`, `error.code`, `error.message` | the fault behind it | 256, 256, 2048 bytes |
//! | `actor`: `actor.type` | [`user`, `service`, `system`, `anonymous` or `unknown`](ActorType) | |
//! | `actor.id`, `actor.name`, `actor.email` | who it is, verified | 256, 256, 320 bytes |
//! | `actor.claimed` | a name that was not verified | 320 bytes |
//! | `actor.auth_method` | how the actor was verified | 64 bytes |
//! | `actor.credential`: `actor.credential.type`, `actor.credential.id` | what was presented, in a form that cannot be used | 64, 256 bytes |
//! | `actor.on_behalf_of` | for whom: an actor like `actor` | 4 within each other |
//! | `targets`: `targets.type`, `targets.id`, `targets.name` | what was acted on | 64, 256, 256 bytes |
//! | `tenant`: `tenant.id`, `tenant.name`, `tenant.domain` | the customer or site it belongs to | 256 bytes each |
//! | `application`: `application.id`, `application.name` | the client application | 256 bytes each |
//! | `context`: `context.ip_address`, `context.peer_address` | the client, and the other end of the connection | 128 bytes each |
//! | `context.forwarded` | the chain of addresses that headers claim | the last 16, 128 bytes each |
//! | `context.user_agent` | what the client calls itself | 1024 bytes |
//! | `context.session_id`, `context.previous_session_id` | keyed hashes of the session, and the one before | 256 bytes each |
//! | `context.request_id` | the id by which client or proxy know the request | 256 bytes |
//! | `context.trace_id`, `context.span_id` | W3C Trace Context | 64 bytes each |
//! | `context.http`: `context.http.method`, `context.http.route`, `context.http.status` | the HTTP request | 64, 512 bytes |
//! | `context.duration_us` | how long it took, in microseconds | |
//! | `changes`: `changes.field`, `changes.previous`, `changes.current` | what was changed | 256 bytes; like `details` |
//! | `details` | whatever else the service says | names 128, texts 4096 bytes; 16 deep |
//! | `count`, `first`, `last` | how many actions this record stands for, and when they began | |
//! | `truncated` | what was cut: the place, and the bytes there were | |
//!
//! # Caps
//!
//! Caps count the bytes of clean text. What is longer is cut between characters, and `truncated`
//! says where and how long it was: `{"context.user_agent":1048576}`. More than 16 such marks within
//! one field of the record become one for the field, with the sum.
//!
//! The whole record has at most 64 KiB. In one that is larger the largest entries of `details` give
//! way, then the last `changes`, then the last `targets`; `truncated` says how many bytes of JSON
//! the whole field had. All else always fits.
//!
//! # Clean text
//!
//! Every text, the author's too, is made one line of visible characters. Control characters, line
//! separators, marks that change the direction, invisible characters and noncharacters are written
//! as escapes, with the backslash in the text: `\n`, `\u{1b}`, `\u{202e}`. So no format that a
//! record is later written in can be broken by it, a database cannot refuse it for a NUL, and an
//! auditor sees what was planted. The joiners U+200C and U+200D stay, for the scripts and emoji that
//! need them.

mod action;
mod actor;
mod assurance;
mod bounded;
mod builder;
mod catalogue;
mod change;
mod context;
mod draft;
#[cfg(test)]
mod golden;
mod json;
mod marks;
mod origin;
mod outcome;
#[cfg(test)]
mod properties;
mod service;
mod target;
mod value;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

pub use self::{
    action::{Action, ActionError},
    actor::{Actor, ActorType, Credential},
    assurance::{Assurance, OnFailure, WordError},
    catalogue::{Catalogue, CatalogueError, Declaration, Route},
    change::Change,
    context::{Context, Http},
    draft::Draft,
    json::RecordError,
    origin::Origin,
    outcome::{Fault, Outcome},
    service::Service,
    target::{Application, Target, Tenant},
};
use crate::clock::{RecordId, Timestamp};
pub use crate::text::Text;
pub(crate) use draft::{Owner, Standing};

/// What is known about one action: built by its setters, or read back from a trail.
///
/// Every fact is a public field, and the setter of the same name takes what can become one. A fact
/// that is absent, or an empty text, is not written. Id and time are the trail's to give.
///
/// ```
/// use tower_audit::record::{Actor, Record, Target};
///
/// let record = Record::new("document.rename")
///     .actor(Actor::user("146").name("Flapjack Toasty"))
///     .target(Target::new("document", "4cq1mN").name("Plans"))
///     .change("name", "Untitled document", "Plans")
///     .detail("workspace", serde_json::json!({"id": 97, "name": "Secret Plans"}))
///     .success();
/// assert_eq!(record.action, "document.rename");
/// assert_eq!(record.targets[0].name.as_deref(), Some("Plans"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct Record {
    #[serde(default)]
    id: Option<RecordId>,
    #[serde(default)]
    timestamp: Option<Timestamp>,
    #[serde(default)]
    schema: json::Schema,
    #[serde(default)]
    service: Option<Service>,
    /// What was done.
    pub action: Action,
    /// The group the action belongs to. When it is written, the action's noun if nothing else.
    #[serde(default)]
    pub category: Option<Text>,
    /// How it ended. When it is written, `unknown` if nothing else.
    #[serde(default)]
    pub outcome: Option<Outcome>,
    /// Why it ended so, for a person.
    #[serde(default)]
    pub reason: Option<Text>,
    /// The fault behind it.
    #[serde(default)]
    pub error: Option<Fault>,
    /// Who acted.
    #[serde(default)]
    pub actor: Option<Actor>,
    /// What was acted on, the most important first.
    #[serde(default)]
    pub targets: Vec<Target>,
    /// The customer, organisation or site it belongs to.
    #[serde(default)]
    pub tenant: Option<Tenant>,
    /// The client application through which the actor acted.
    #[serde(default)]
    pub application: Option<Application>,
    /// Where it came from.
    #[serde(default)]
    pub context: Context,
    /// What was changed.
    #[serde(default)]
    pub changes: Vec<Change>,
    /// Whatever else the service says about it.
    #[serde(default)]
    pub details: Map<String, Value>,
    /// How many actions this record stands for, if it is not one.
    #[serde(default)]
    pub count: Option<u64>,
    /// When the first of [`count`](Self::count) actions began.
    #[serde(default)]
    pub first: Option<Timestamp>,
    /// When the last of [`count`](Self::count) actions began.
    #[serde(default)]
    pub last: Option<Timestamp>,
    /// What was cut when the record was written: where, and the bytes there were.
    #[serde(default)]
    pub truncated: BTreeMap<String, u64>,
}

impl Record {
    /// A record of this action, about which nothing else is known yet.
    #[must_use]
    pub fn new(action: impl Into<Action>) -> Self {
        Self {
            action: action.into(),
            ..Self::default()
        }
    }

    /// A record of something the service did by itself: a job, a clean-up, a start.
    #[must_use]
    pub fn system(action: impl Into<Action>) -> Self {
        Self::new(action).actor(Actor::system())
    }

    /// The id, once the record was written.
    #[must_use]
    pub const fn id(&self) -> Option<RecordId> {
        self.id
    }

    /// When the action began, once the record was written.
    #[must_use]
    pub const fn timestamp(&self) -> Option<Timestamp> {
        self.timestamp
    }

    /// The service that wrote the record, once it was written.
    #[must_use]
    pub const fn service(&self) -> Option<&Service> {
        self.service.as_ref()
    }
}
