//! The record: who did what to which thing, from where, with what outcome.

mod action;
mod actor;
mod assurance;
mod change;
mod context;
mod json;
mod marks;
mod origin;
mod outcome;
mod service;
mod target;
mod value;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(crate) use self::json::Finished;
pub use self::{
    action::{Action, ActionError},
    actor::{Actor, ActorType, Credential},
    assurance::{Assurance, OnFailure, WordError},
    change::Change,
    context::{Context, Http},
    json::RecordError,
    origin::Origin,
    outcome::{Fault, Outcome},
    service::Service,
    target::{Application, Target, Tenant},
};
use crate::clock::{RecordId, Timestamp};
pub use crate::text::Text;

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
    #[expect(dead_code, reason = "read to refuse other major versions")]
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

    /// Sets what was done.
    #[must_use]
    pub fn action(mut self, action: impl Into<Action>) -> Self {
        self.action = action.into();
        self
    }

    /// Sets the group the action belongs to; the default is its noun.
    #[must_use]
    pub fn category(mut self, category: impl Into<Text>) -> Self {
        self.category = Some(category.into());
        self
    }

    /// Sets how it ended.
    #[must_use]
    pub fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = Some(outcome);
        self
    }

    /// Says that it was done.
    #[must_use]
    pub fn success(self) -> Self {
        self.outcome(Outcome::Success)
    }

    /// Says that it was not done, for a reason that lies with the request.
    #[must_use]
    pub fn failure(self, reason: impl Into<Text>) -> Self {
        self.outcome(Outcome::Failure).reason(reason)
    }

    /// Says that it was not allowed.
    #[must_use]
    pub fn denied(self, reason: impl Into<Text>) -> Self {
        self.outcome(Outcome::Denied).reason(reason)
    }

    /// Says what the fault was, and that it ended in an error unless another outcome is set.
    #[must_use]
    pub fn error(mut self, fault: Fault) -> Self {
        self.error = Some(fault);
        self.outcome.get_or_insert(Outcome::Error);
        self
    }

    /// Sets why it ended so, for a person.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<Text>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Sets who acted.
    #[must_use]
    pub fn actor(mut self, actor: Actor) -> Self {
        self.actor = Some(actor);
        self
    }

    /// Adds something that was acted on.
    #[must_use]
    pub fn target(mut self, target: Target) -> Self {
        self.targets.push(target);
        self
    }

    /// Sets the customer, organisation or site it belongs to.
    #[must_use]
    pub fn tenant(mut self, tenant: Tenant) -> Self {
        self.tenant = Some(tenant);
        self
    }

    /// Sets the client application through which the actor acted.
    #[must_use]
    pub fn application(mut self, application: Application) -> Self {
        self.application = Some(application);
        self
    }

    /// Sets where it came from.
    #[must_use]
    pub fn context(mut self, context: Context) -> Self {
        self.context = context;
        self
    }

    /// Adds a field that was changed; `None` and `null` mean that it was, or is, not set.
    ///
    /// The values follow the rules of [`detail`](Self::detail).
    #[must_use]
    pub fn change(
        mut self,
        field: impl Into<Text>,
        previous: impl Serialize,
        current: impl Serialize,
    ) -> Self {
        self.changes.push(Change::new(field, previous, current));
        self
    }

    /// Sets something else the service says about it; `None` and `null` leave it out.
    ///
    /// The value is taken as its JSON. Lists and maps go 16 deep at most; what lies deeper is
    /// `[nested too deeply]`. A value that has no JSON is a text that says so.
    #[must_use]
    pub fn detail(mut self, name: impl Into<String>, value: impl Serialize) -> Self {
        match value::given(&value) {
            Some(value) => self.details.insert(name.into(), value),
            None => self.details.remove(&name.into()),
        };
        self
    }

    /// Says that this record stands for `count` actions, begun from `first` to `last`.
    #[must_use]
    pub fn folded(mut self, count: u64, first: Timestamp, last: Timestamp) -> Self {
        self.count = Some(count);
        self.first = Some(first);
        self.last = Some(last);
        self
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
