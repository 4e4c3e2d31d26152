//! What the end of a request says: its outcome, its status, and what the policy makes of it.

use http::{HeaderMap, StatusCode, response};

use crate::{
    policy::Decision,
    record::{Fault, Http, Outcome, Record},
};

use super::{
    AuditScope, classify::outcome_of, conclusion::with_fault, found::Found, grpc, request::Arrived,
};

/// How a request ended.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) outcome: Outcome,
    /// Whether it stands whatever the handler said before.
    pub(super) certain: bool,
    pub(super) fault: Option<Fault>,
    pub(super) reason: Option<&'static str>,
    pub(super) status: Option<StatusCode>,
    /// The status as a policy knows it: gRPC's word in HTTP's.
    pub(super) judged: Option<StatusCode>,
    /// Whether a closure of the layer said the outcome.
    pub(super) told: bool,
    /// Whether the trailers say how it ended.
    pub(super) awaits_trailers: bool,
    /// Whether the answer shows that there is no such method of gRPC.
    pub(super) is_astray: bool,
    /// Whether the answer shows that there is such a method of gRPC.
    pub(super) shows_the_method: bool,
    /// What the head of the response says for the record; kept where the record comes later.
    pub(super) found: Found,
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

    pub(super) fn answered(arrived: &Arrived, head: &response::Parts) -> Self {
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

    /// The stream is at its end: what is not said by now never will be.
    pub(super) fn trailers(&mut self, trailers: Option<&HeaderMap>) {
        if std::mem::take(&mut self.awaits_trailers) {
            self.grpc(trailers.and_then(grpc::code).unwrap_or(grpc::Code::UNKNOWN));
        }
    }

    pub(super) fn grpc(&mut self, code: grpc::Code) {
        if !self.told {
            self.outcome = code.outcome();
        }
        self.is_astray |= code == grpc::Code::UNIMPLEMENTED;
        self.shows_the_method = code.shows_the_method();
        self.judged = code.status();
        self.fault = code.fault();
    }

    /// What the policy says, with what is known now.
    pub(super) fn decide(
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
    pub(super) fn conclude(&self, record: &mut Record) {
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
