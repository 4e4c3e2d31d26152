//! The end of a request: told once, whatever it is.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

use http::{HeaderMap, StatusCode, response};

use crate::{
    journal::{Receiving, Urgency},
    policy::{Decision, Until},
    record::{ActorType, Assurance, Fault, Http, Outcome, Record},
};

use super::{
    AuditScope,
    classify::outcome_of,
    conclusion::{panic_message, with_fault},
    flood::Passed,
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
}

/// How a request ended.
#[derive(Debug)]
pub(super) struct Ending {
    outcome: Outcome,
    /// Whether it stands whatever the handler said before.
    certain: bool,
    fault: Option<Fault>,
    reason: Option<&'static str>,
    status: Option<StatusCode>,
    /// The status as a policy knows it: gRPC's word in HTTP's.
    judged: Option<StatusCode>,
    /// Whether a closure of the layer said the outcome.
    told: bool,
    /// Whether the trailers say how it ended.
    awaits_trailers: bool,
    /// Whether the answer shows that there is no such method of gRPC.
    is_astray: bool,
    /// Whether the answer shows that there is such a method of gRPC.
    shows_the_method: bool,
    /// What the head of the response says for the record; kept where the record comes later.
    found: Found,
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
        Self { scope }
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

    /// It was not begun, because its record cannot be kept.
    pub(super) fn refused(&self) {
        let mut ending = Ending {
            certain: true,
            reason: Some("not begun: the audit trail cannot be written"),
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
            (Some(_), _) => {
                let recorder = self.scope.recorder();
                recorder.tally(|tallies| &tallies.skipped);
                Finish::Done
            }
            _ if at_body => Finish::AtBody,
            _ => Finish::Done,
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
            let bare = AssertUnwindSafe(|| {
                arrived.complete(&mut record, decision.address, recorder.rules());
                ending.conclude(&mut record);
                self.scope.write(record, &closed, Urgency::Buffered)
            });
            if !matches!(catch_unwind(bare), Ok(Ok(_))) {
                recorder.tally(|tallies| &tallies.own_refused);
            }
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
        let is_named = arrived.complete_from(&mut record, origins, decision.address, rules);
        // Only what exists goes into the inventory; strangers could fill it.
        if ending.shows_the_method || !arrived.is_call() {
            arrived.note(&record, is_named, rules);
        }
        // Last, because closures of the layer and clients of gRPC name actions too.
        let mut record = of_service(record);
        ending.conclude(&mut record);
        found.write(&mut record, rules);
        closed.set_session.clone_from(&found.session);
        let foldable = is_foldable(&record) && !closed.is_expected();
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
    }
}

/// Anybody can make any number of these: refused or failed, by nobody in particular.
fn is_foldable(record: &Record) -> bool {
    let nobody = record
        .actor
        .as_ref()
        .is_none_or(|actor| actor.kind == ActorType::Anonymous);
    let done = matches!(
        record.outcome,
        Some(Outcome::Success | Outcome::Unknown) | None
    );
    nobody && !done
}

impl Ending {
    pub(super) const fn of(outcome: Outcome) -> Self {
        Self {
            outcome,
            certain: false,
            fault: None,
            reason: None,
            status: None,
            judged: None,
            told: false,
            awaits_trailers: false,
            is_astray: false,
            shows_the_method: false,
            found: Found {
                session: None,
                request_id: None,
            },
        }
    }

    fn answered(arrived: &Arrived, head: &response::Parts) -> Self {
        let config = arrived.config();
        let told = config.ask(config.outcome.as_ref(), head);
        let mut ending = Self {
            status: Some(head.status),
            judged: Some(head.status),
            ..Self::of(outcome_of(head.status))
        };
        if let Some(outcome) = told {
            ending.outcome = outcome;
            ending.told = true;
        }
        if arrived.is_grpc() {
            ending.of_grpc(head);
        }
        ending
    }

    fn of_grpc(&mut self, head: &response::Parts) {
        let is_grpc = grpc::is_grpc(&head.headers);
        // What stands before a gRPC server answers in HTTP's words; it does not know the methods.
        self.is_astray = !is_grpc;
        if head.status == StatusCode::OK {
            // Without trailers the code is in the head.
            match grpc::code(&head.headers) {
                Some(code) => self.grpc(code),
                None => self.awaits_trailers = is_grpc,
            }
        }
    }

    /// Whether the trailers say how it ended.
    pub(super) const fn awaits_trailers(&self) -> bool {
        self.awaits_trailers
    }

    /// The stream is at its end: what is not said by now never will be.
    fn trailers(&mut self, trailers: Option<&HeaderMap>) {
        if std::mem::take(&mut self.awaits_trailers) {
            self.grpc(trailers.and_then(grpc::code).unwrap_or(grpc::Code::UNKNOWN));
        }
    }

    fn grpc(&mut self, code: grpc::Code) {
        if !self.told {
            self.outcome = code.outcome();
        }
        self.is_astray |= code == grpc::Code::UNIMPLEMENTED;
        self.shows_the_method = code.shows_the_method();
        self.judged = code.status();
        self.fault = code.fault();
    }

    /// What the policy says, with what is known now.
    fn decide(
        &self,
        arrived: &Arrived,
        scope: &AuditScope,
        record: Option<&Record>,
        annotated: bool,
    ) -> Decision {
        let rules = scope.recorder().rules();
        let mut facts = arrived.facts(record, annotated, rules);
        facts.outcome = Some(self.outcome_of(record));
        facts.status = self.judged.map(|status| status.as_u16());
        let declared = arrived.declared_assurance(facts.action, rules);
        let decision = rules.policy.at_end(&facts, declared);
        decision.at_least(arrived.arrival())
    }

    fn outcome_of(&self, record: Option<&Record>) -> Outcome {
        match (record, record.and_then(|record| record.outcome)) {
            (_, Some(said)) if !self.certain => said,
            (Some(record), _) => with_fault(self.outcome, record),
            (None, _) => self.outcome,
        }
    }

    /// Writes the end into the record; what the handler said stands, unless this is certain.
    fn conclude(&self, record: &mut Record) {
        record.outcome = Some(self.outcome_of(Some(record)));
        if self.certain || record.error.is_none() {
            record.error = self.fault.clone().or_else(|| record.error.take());
        }
        if let Some(reason) = self.reason {
            record
                .reason
                .get_or_insert_with(|| crate::text::Text::fixed(reason));
        }
        let http = record.context.http.get_or_insert_with(Http::new);
        http.status = self.status.map(|status| status.as_u16());
    }
}
