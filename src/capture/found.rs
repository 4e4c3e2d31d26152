//! What the head of a response says for the record.

use http::{HeaderValue, response};

use crate::record::Record;

use super::{
    Rules,
    request::{Arrived, hashed},
    session::RawSession,
};

/// What is taken from the head of a response, for a record only.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    /// The session that it sets.
    pub(super) session: Option<RawSession>,
    /// The id that a layer inside gave the request.
    pub(super) request_id: Option<HeaderValue>,
}

impl Found {
    pub(super) fn look(arrived: &Arrived, head: &response::Parts) -> Self {
        let config = arrived.config();
        let session = config.session.as_ref();
        Self {
            session: session.and_then(|session| session.of_response(&head.headers)),
            request_id: head.headers.get(&config.request_id).cloned(),
        }
    }

    pub(super) fn write(&self, record: &mut Record, rules: &Rules) {
        let context = &mut record.context;
        if let Some(request_id) = &self.request_id {
            let given = || String::from_utf8_lossy(request_id.as_bytes()).into();
            context.request_id.get_or_insert_with(given);
        }
        if let Some(session) = &self.session {
            let old = context.session_id.replace(hashed(session, rules));
            // Many services set the same cookie again with every answer.
            context.previous_session_id =
                old.filter(|old| Some(old) != context.session_id.as_ref());
        }
    }
}
