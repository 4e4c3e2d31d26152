//! The setters of a record.

use serde::Serialize;

use super::{
    Action, Actor, Application, Change, Context, Fault, Outcome, Record, Target, Tenant, value,
};
use crate::{clock::Timestamp, text::Text};

impl Record {
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
}
