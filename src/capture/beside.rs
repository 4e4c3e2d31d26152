//! A request as the trail's own records tell of it, such as of what the viewer showed.

use http::request::Parts;

use super::{AuditScope, axum_parts, headers::Taken, headers::X_REQUEST_ID, recorder::Recorder};
use crate::record::{Context, Outcome, Record};

/// What a request says of itself, for as long as its answer streams.
#[derive(Debug, Clone)]
pub(crate) struct Beside {
    recorder: Recorder,
    /// The request's scope in this trail.
    scope: Option<AuditScope>,
    /// What is known without a scope: the peer, and what the client calls itself.
    context: Context,
}

impl Beside {
    pub(crate) fn of(recorder: &Recorder, parts: &Parts) -> Self {
        let scope = parts.extensions.get::<AuditScope>().cloned();
        let scope = scope.or_else(AuditScope::current);
        let scope = scope.filter(|scope| scope.is_of(recorder) && scope.request().is_some());
        let mut context = Context::new();
        if scope.is_none() {
            Taken::take(&parts.headers, &X_REQUEST_ID).write(&mut context);
            if let Some(peer) = axum_parts::peer(&parts.extensions) {
                // Nobody said which proxies are to be believed.
                context = context
                    .ip_address(peer.to_string())
                    .peer_address(peer.to_string());
            }
        }
        Self {
            recorder: recorder.clone(),
            scope,
            context,
        }
    }

    /// Which client it is, if that is known.
    pub(crate) fn client(&self) -> String {
        let request = self.scope.as_ref().and_then(AuditScope::request);
        let client = request.and_then(|request| request.origins().client);
        let client = client.map(|client| client.to_string());
        let peer = || self.context.peer_address.as_deref().map(str::to_owned);
        client.or_else(peer).unwrap_or_default()
    }

    /// Appends one of the trail's own records about it.
    pub(crate) fn own(&self, record: Record) {
        match &self.scope {
            Some(scope) => {
                // The layer would say the same of an answer with 403.
                if record.outcome == Some(Outcome::Denied) {
                    scope.give_way();
                }
                scope.own(record);
            }
            None => {
                // Counted and logged there.
                let _ = self.recorder.own(record.context(self.context.clone()));
            }
        }
    }
}
