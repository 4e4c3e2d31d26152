//! What happens before the inner service is called: is it recorded, and may it begin?

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::request;

use crate::{
    journal::Committed,
    record::{Assurance, OnFailure, Record},
};

use super::{AuditScope, CommitScope, guard::Guard, layer::Config, request::Arrived};

/// How a request goes in.
pub(super) enum Entrance {
    /// Nobody will write a record of it.
    Unseen,
    /// The policy wants no record of it, whatever happens.
    Skipped,
    /// It begins at once.
    Open(Guard),
    /// Something must be durable before it begins.
    Closed(Threshold),
}

/// Looks at a request that arrives. Cheap: most of what it takes is only shared.
pub(super) fn enter(config: &Arc<Config>, parts: &mut request::Parts) -> Entrance {
    let outer = parts.extensions.get::<AuditScope>();
    let is_ours = |scope: &&AuditScope| {
        scope.is_of(&config.recorder) && scope.request().is_some() && !scope.is_over()
    };
    if let Some(outer) = outer.filter(is_ours) {
        // Two layers of one trail: the outer one records. This one may be inside of the router, and
        // know what the outer one could not when it skipped.
        outer.learn(parts);
        return Entrance::Unseen;
    }
    let Some(arrived) = Arrived::look(config, parts) else {
        config.recorder.tally(|tallies| &tallies.skipped);
        parts.extensions.insert(config.skipped.clone());
        return Entrance::Skipped;
    };
    let asked = (arrived.assurance(), arrived.on_failure());
    let admission = config.recorder.inbox().admit().ok();
    let doubtful = admission.is_none() || config.recorder.inbox().failing().is_some();
    if admission.is_none() && asked.1 == OnFailure::Continue {
        config.recorder.tally(|tallies| &tallies.not_admitted);
    }
    let (recorder, alive) = (config.recorder.clone(), config.alive.clone());
    let scope = AuditScope::of_request(recorder, alive, arrived, told(config, parts), admission);
    parts.extensions.insert(scope.clone());
    let guard = Guard::new(scope);
    match asked {
        (_, OnFailure::Refuse) if doubtful => Entrance::Closed(Threshold::doubtful(guard)),
        (Assurance::Strict, on_failure) if guard.let_in() => {
            Entrance::Closed(Threshold::intending(guard, on_failure))
        }
        (Assurance::Strict, OnFailure::Refuse) => Entrance::Closed(Threshold::turned_away(guard)),
        _ => Entrance::Open(guard),
    }
}

/// What closures of the layer say of who and what; nothing is made where they say nothing.
fn told(config: &Config, parts: &request::Parts) -> Option<Box<Record>> {
    let mut told: Option<Box<Record>> = None;
    if let Some(actor) = config.ask(config.actor.as_ref(), parts) {
        told.get_or_insert_default().actor = Some(actor);
    }
    if let Some(target) = config.ask(config.target.as_ref(), parts) {
        told.get_or_insert_default().targets.push(target);
    }
    if let Some(tenant) = config.ask(config.tenant.as_ref(), parts) {
        told.get_or_insert_default().tenant = Some(tenant);
    }
    if let Some(application) = config.ask(config.application.as_ref(), parts) {
        told.get_or_insert_default().application = Some(application);
    }
    told
}

/// Where a request waits until it may begin.
pub(super) struct Threshold {
    guard: Guard,
    on_failure: OnFailure,
    step: Step,
}

enum Step {
    /// There was no room: once what waits is on disk, there may be.
    Room(Option<Committed>),
    /// The intent is on its way to the disk.
    Intent(CommitScope),
    /// Its client has used up what one client may have.
    TurnedAway,
}

/// What came of waiting.
pub(super) enum Passage {
    Begin(Guard),
    /// Its record cannot be kept, and the rule says that it must be; why.
    Refused(Guard, &'static str),
}

impl Threshold {
    fn doubtful(guard: Guard) -> Self {
        let inbox = guard.scope().recorder().inbox();
        // While the trail is failing nobody waits: callers that come again must not pile up.
        let flush = if inbox.failing().is_some() {
            None
        } else {
            inbox.flush()
        };
        Self {
            guard,
            on_failure: OnFailure::Refuse,
            step: Step::Room(flush),
        }
    }

    fn turned_away(guard: Guard) -> Self {
        Self {
            guard,
            on_failure: OnFailure::Refuse,
            step: Step::TurnedAway,
        }
    }

    fn intending(guard: Guard, on_failure: OnFailure) -> Self {
        let step = Step::Intent(guard.scope().commit());
        Self {
            guard,
            on_failure,
            step,
        }
    }

    /// Waits. At most as long as the commit time-out for each step.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        loop {
            match &mut self.step {
                Step::Room(flush) => {
                    if let Some(flush) = flush {
                        let _ = ready!(Pin::new(flush).poll(cx));
                    }
                    let scope = self.guard.scope();
                    let failing = scope.recorder().inbox().failing().is_some();
                    if failing || !scope.admit_late() {
                        return Poll::Ready(false);
                    }
                    if scope.request().map(Arrived::assurance) != Some(Assurance::Strict) {
                        return Poll::Ready(true);
                    }
                    if !self.guard.let_in() {
                        self.step = Step::TurnedAway;
                        continue;
                    }
                    self.step = Step::Intent(scope.commit());
                }
                Step::TurnedAway => return Poll::Ready(false),
                Step::Intent(commit) => {
                    let durable = ready!(Pin::new(commit).poll(cx)).is_ok();
                    return Poll::Ready(durable || self.on_failure == OnFailure::Continue);
                }
            }
        }
    }

    /// Ends the waiting, with what [`poll`](Self::poll) answered.
    pub(super) fn pass(self, may_begin: bool) -> Passage {
        if may_begin {
            return Passage::Begin(self.guard);
        }
        let recorder = self.guard.scope().recorder();
        recorder.tally(|tallies| &tallies.refused);
        if matches!(self.step, Step::TurnedAway) {
            recorder.turned_away();
            return Passage::Refused(self.guard, "not begun: its client has too much strict work");
        }
        Passage::Refused(self.guard, "not begun: its record could not be kept")
    }
}
