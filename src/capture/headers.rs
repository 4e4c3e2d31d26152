//! What the layer reads of a request's headers, as cheaply as can be: shared, not copied.

use http::{HeaderMap, HeaderValue};

use crate::record::Context;

/// Headers as they came; read only when there is a record.
#[derive(Debug, Clone, Default)]
pub(crate) struct Taken {
    user_agent: Option<HeaderValue>,
    request_id: Option<HeaderValue>,
    traceparent: Option<HeaderValue>,
}

impl Taken {
    pub(crate) fn take(headers: &HeaderMap) -> Self {
        Self {
            user_agent: headers.get(http::header::USER_AGENT).cloned(),
            request_id: headers.get("x-request-id").cloned(),
            traceparent: headers.get("traceparent").cloned(),
        }
    }

    /// Writes what they say into a record's context.
    pub(crate) fn write(&self, context: &mut Context) {
        let text = |value: &Option<HeaderValue>| {
            let value = value.as_ref()?;
            Some(
                String::from_utf8_lossy(value.as_bytes())
                    .into_owned()
                    .into(),
            )
        };
        context.user_agent = text(&self.user_agent);
        context.request_id = text(&self.request_id);
        let _ = &self.traceparent;
    }
}
