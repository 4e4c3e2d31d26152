//! The end of a request: told once, whatever it is.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicBool, Ordering},
};

use http::{HeaderMap, StatusCode, response};

use crate::{
    journal::{Receiving, Urgency},
    policy::{Decision, Until},
    record::{Assurance, Fault, Outcome, Record},
};

use super::{
    AuditScope,
    conclusion::panic_message,
    ending::Ending,
    flood::{Passed, is_foldable},
    found::Found,
    grpc,
    recorder::of_service,
    request::Arrived,
    scope::Closed,
};

/// Writes the record of a request exactly once: at its end, or when it is dropped before.
#[derive(Debug)]
pub(super) struct Guard {
    scope: AuditScope,
    /// Strict work that came to nothing, by nobody in particular.
    wasted: AtomicBool,
}

/// What came of an ending.
#[derive(Debug)]
pub(super) enum Finish {
    /// There is a record, or none; nobody waits for it.
    Done,
    /// The answer is held until it is durable.
    Hold(Receiving),
    /// The record waits for the end of the body.
    AtBody,
}

impl Guard {
    pub(super) const fn new(scope: AuditScope) -> Self {
        let wasted = AtomicBool::new(false);
        Self { scope, wasted }
    }

    /// Lets its client begin strict work, unless that has too much of it.
    pub(super) fn let_in(&self) -> bool {
        let recorder = self.scope.recorder();
        let arrived = self.scope.request();
        arrived.is_some_and(|arrived| arrived.enter(recorder.rules(), recorder.now()))
    }

    pub(super) const fn scope(&self) -> &AuditScope {
        &self.scope
    }

    /// The head of the response is there. `body_follows`: whether there is anything to wait for.
    pub(super) fn answered(&self, head: &response::Parts, body_follows: bool) -> (Finish, Ending) {
        let Some(arrived) = self.scope.request() else {
            return (Finish::Done, Ending::of(Outcome::Unknown));
        };
        let mut ending = Ending::answered(arrived, head);
        let finish = if ending.awaits_trailers && body_follows {
            Finish::AtBody
        } else {
            ending.trailers(None);
            self.finish(&ending, Some(head), body_follows)
        };
        if matches!(finish, Finish::AtBody) {
            ending.found = Found::look(arrived, head);
        }
        (finish, ending)
    }

    /// The body came to its end, with these trailers.
    pub(super) fn body_ended(&self, mut ending: Ending, trailers: Option<&HeaderMap>) -> Finish {
        ending.trailers(trailers);
        self.finish(&ending, None, false)
    }

    /// The body broke before its end.
    pub(super) fn body_broke(&self, ending: Ending) {
        let ending = Ending {
            outcome: Outcome::Error,
            certain: true,
            reason: Some("the body of the response broke"),
            ..ending
        };
        let _ = self.finish(&ending, None, false);
    }

    /// Nobody waits for the rest of the body. What the head said of a refusal or a failure stands:
    /// a client must not be able to relabel it by leaving.
    pub(super) fn body_dropped(&self, mut ending: Ending) {
        if ending.outcome == Outcome::Success && !ending.told {
            ending.outcome = Outcome::Cancelled;
        }
        let _ = self.finish(&ending, None, false);
    }

    /// The inner service gave an error instead of a response.
    pub(super) fn failed(&self) -> Finish {
        let ending = Ending {
            reason: Some("the service gave an error instead of a response"),
            ..Ending::of(Outcome::Error)
        };
        self.finish(&ending, None, false)
    }

    /// It was not begun, for this reason.
    pub(super) fn refused(&self, reason: &'static str) {
        let mut ending = Ending {
            certain: true,
            reason: Some(reason),
            status: Some(StatusCode::SERVICE_UNAVAILABLE),
            judged: Some(StatusCode::SERVICE_UNAVAILABLE),
            ..Ending::of(Outcome::Error)
        };
        if self.scope.request().is_some_and(Arrived::is_grpc) {
            // What the client sees.
            ending.status = Some(StatusCode::OK);
            ending.grpc(grpc::Code::UNAVAILABLE);
        }
        let _ = self.finish(&ending, None, false);
    }

    /// What it said of its outcome before is no longer true.
    pub(super) fn panicked(&self, panic: &(dyn Any + Send)) {
        self.panicked_behind(Ending::of(Outcome::Error), panic);
    }

    /// The body panicked; its head was given.
    pub(super) fn panicked_behind(&self, head: Ending, panic: &(dyn Any + Send)) {
        let ending = Ending {
            outcome: Outcome::Error,
            certain: true,
            fault: Some(Fault::new(panic_message(panic)).kind("panic")),
            ..head
        };
        let _ = self.finish(&ending, None, false);
    }

    fn finish(
        &self,
        ending: &Ending,
        head: Option<&response::Parts>,
        body_follows: bool,
    ) -> Finish {
        let Some(arrived) = self.scope.request() else {
            return Finish::Done;
        };
        if ending.is_astray {
            arrived.went_astray(self.scope.recorder().rules());
        }
        let mut decision = None;
        let mut at_body = false;
        let closed = self.scope.close_unless(|record, annotated| {
            let decided = ending.decide(arrived, &self.scope, record, annotated);
            at_body = body_follows && decided.record && decided.until == Until::Body;
            decision = Some(decided);
            at_body
        });
        match (closed, decision) {
            (Some(closed), Some(decision)) if decision.record || closed.is_expected() => {
                let found = head.map(|head| Found::look(arrived, head));
                let found = found.as_ref().unwrap_or(&ending.found);
                self.write_whatever_happens((ending, found), arrived, closed, decision)
            }
            (Some(closed), _) => {
                let recorder = self.scope.recorder();
                recorder.tally(|tallies| &tallies.skipped);
                self.settle_without_record(ending, closed);
                Finish::Done
            }
            _ if at_body => Finish::AtBody,
            _ => Finish::Done,
        }
    }

    /// A rule skips the request, not the steps that its handler named.
    fn settle_without_record(&self, ending: &Ending, mut closed: Closed) {
        if closed.has_steps() {
            let mut record = std::mem::take(&mut *closed.record);
            ending.conclude(&mut record);
            // As below: the host's subscriber may panic.
            let settle = || self.scope.settle(&mut closed, &record);
            let _ = catch_unwind(AssertUnwindSafe(settle));
        }
    }

    /// Foreign code runs here too: clocks, ids, the host's subscriber. The request has its answer, so
    /// a panic is kept here, and the record goes without what led to it.
    fn write_whatever_happens(
        &self,
        (ending, found): (&Ending, &Found),
        arrived: &Arrived,
        mut closed: Closed,
        decision: Decision,
    ) -> Finish {
        let write = || self.write((ending, found), arrived, &mut closed, decision);
        catch_unwind(AssertUnwindSafe(write)).unwrap_or_else(|_| {
            let recorder = self.scope.recorder();
            recorder.tally(|tallies| &tallies.hook_panics);
            let mut record =
                Record::default().reason("auditing panicked: only the request is known");
            // What the journal does not take it counts itself.
            let _ = catch_unwind(AssertUnwindSafe(|| {
                let (origins, rules) = (arrived.origins(), recorder.rules());
                arrived.complete(&mut record, origins, decision.address, rules);
                let mut record = of_service(record);
                ending.conclude(&mut record);
                self.scope.settle(&mut closed, &record);
                let _ = self.scope.write(record, &closed, Urgency::Buffered);
            }));
            Finish::Done
        })
    }

    fn write(
        &self,
        (ending, found): (&Ending, &Found),
        arrived: &Arrived,
        closed: &mut Closed,
        decision: Decision,
    ) -> Finish {
        let recorder = self.scope.recorder();
        let rules = recorder.rules();
        let mut record = std::mem::take(&mut *closed.record);
        if decision.is_late(arrived.arrival()) && !closed.has_intent() {
            recorder.late_rule();
        }
        let origins = arrived.origins();
        let client = origins.client;
        if origins.peer.is_none() {
            recorder.no_peer();
        }
        let is_named = arrived.complete(&mut record, origins, decision.address, rules);
        // Only what exists goes into the inventory; strangers could fill it.
        if ending.shows_the_method || !arrived.is_call() {
            arrived.note(&record, is_named, rules);
        }
        // Last, because closures of the layer and clients of gRPC name actions too.
        let mut record = of_service(record);
        ending.conclude(&mut record);
        found.write(&mut record, rules);
        closed.set_session.clone_from(&found.session);
        self.scope.settle(closed, &record);
        let nobody_s = is_foldable(&record);
        self.wasted.store(nobody_s, Ordering::Relaxed);
        let foldable = nobody_s && !closed.is_expected();
        if foldable {
            match recorder.pass(client, Box::new(record), self.scope.begun()) {
                Passed::Record(passed) => record = *passed,
                Passed::Folded => return Finish::Done,
            }
        }
        // After an intent nothing less than `Strict` is promised.
        let waits = decision.assurance > Assurance::Buffered || closed.has_intent();
        let urgency = if waits && !foldable {
            Urgency::Durable
        } else {
            Urgency::Buffered
        };
        match self.scope.write(record, closed, urgency) {
            Ok(appended) if urgency == Urgency::Durable => Finish::Hold(appended.receiving()),
            _ => Finish::Done,
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Trap C3: the client left, or a time-out dropped the future. Never waits.
        let _ = self.finish(&Ending::of(Outcome::Cancelled), None, false);
        if let Some(pass) = self.scope.request().and_then(Arrived::pass) {
            let recorder = self.scope.recorder();
            let wasted = self.wasted.load(Ordering::Relaxed);
            recorder.rules().doors.leave(pass, wasted, recorder.now());
        }
    }
}
