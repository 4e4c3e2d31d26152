//! What the layer reads of a request's headers, as cheaply as can be: shared, not copied.

use http::{HeaderMap, HeaderName, HeaderValue, header::USER_AGENT};

use crate::record::{Context, Text};

/// The header that carries the id of a request, unless the layer is told another.
pub(crate) static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Headers as they came; read only when there is a record.
#[derive(Debug, Clone, Default)]
pub(crate) struct Taken {
    user_agent: Option<HeaderValue>,
    request_id: Option<HeaderValue>,
    traceparent: Option<HeaderValue>,
}

impl Taken {
    /// Takes them from a request. `request_id` names the header with the request's id.
    pub(crate) fn take(headers: &HeaderMap, request_id: &HeaderName) -> Self {
        Self {
            user_agent: headers.get(USER_AGENT).cloned(),
            request_id: headers.get(request_id).cloned(),
            traceparent: traceparent(headers),
        }
    }

    /// Writes what they say into a record's context; what they do not say stays as it is.
    ///
    /// Whole texts: they are cut, and the cut is marked, when the record is finished.
    pub(crate) fn write(&self, context: &mut Context) {
        write(&mut context.user_agent, &self.user_agent);
        write(&mut context.request_id, &self.request_id);
        let traceparent = self.traceparent.as_ref();
        if let Some(parent) = traceparent.and_then(|value| TraceParent::parse(value.as_bytes())) {
            context.trace_id = Some(parent.trace_id.into());
            context.span_id = Some(parent.span_id.into());
        }
    }
}

fn write(text: &mut Option<Text>, value: &Option<HeaderValue>) {
    if let Some(value) = value {
        *text = Some(String::from_utf8_lossy(value.as_bytes()).into());
    }
}

/// The one `traceparent`; of several none can be told to be right (W3C Trace Context, 3.2).
fn traceparent(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut lines = headers.get_all(&TRACEPARENT).iter();
    let only = lines.next()?;
    lines.next().is_none().then(|| only.clone())
}

/// What a `traceparent` header says (W3C Trace Context, section 3.2.2): lower-case hex, not all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TraceParent<'a> {
    /// 32 digits.
    pub(crate) trace_id: &'a str,
    /// 16 digits.
    pub(crate) span_id: &'a str,
}

impl<'a> TraceParent<'a> {
    /// Reads version 00 strictly, and of a later version the part that is the same; `ff` is none.
    pub(crate) fn parse(value: &'a [u8]) -> Option<Self> {
        let (known, beyond) = value.split_at_checked(55)?;
        let mut parts = std::str::from_utf8(known).ok()?.split('-');
        let version = digits(parts.next()?, 2)?;
        let trace_id = digits(parts.next()?, 32).filter(is_id)?;
        let span_id = digits(parts.next()?, 16).filter(is_id)?;
        digits(parts.next()?, 2)?;
        let complete = match version {
            "ff" => false,
            "00" => beyond.is_empty(),
            _ => beyond.is_empty() || beyond.starts_with(b"-"),
        };
        complete.then_some(Self { trace_id, span_id })
    }
}

fn digits(part: &str, count: usize) -> Option<&str> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (part.len() == count && part.bytes().all(is_digit)).then_some(part)
}

fn is_id(part: &&str) -> bool {
    part.bytes().any(|byte| byte != b'0')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        clock::{IdSource, SystemIds, Timestamp},
        record::{Record, Service},
    };

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    fn written(headers: &HeaderMap) -> Context {
        let mut context = Context::new();
        Taken::take(headers, &X_REQUEST_ID).write(&mut context);
        context
    }

    #[test]
    fn a_traceparent_is_read_strictly() {
        let all = format!("{TRACE}-{SPAN}");
        for (given, valid) in [
            (format!("00-{all}-01"), true),
            (format!("00-{all}-00"), true),
            (format!("cc-{all}-01"), true),
            (format!("cc-{all}-01-what-comes-later"), true),
            (format!("cc-{all}-01."), false),
            (format!("00-{all}-01-what-comes-later"), false),
            (format!("00-{all}-01-"), false),
            (format!("ff-{all}-01"), false),
            (format!("0-{all}-01"), false),
            (format!("00-{all}"), false),
            (format!("00-{all}-1"), false),
            (format!("00-{all}-0x"), false),
            (format!("00-{}-01", all.to_uppercase()), false),
            (format!("00-{}-{SPAN}-01", "0".repeat(32)), false),
            (format!("00-{TRACE}-{}-01", "0".repeat(16)), false),
            (format!("00-{TRACE}0-{}-01", &SPAN[1..]), false),
            (format!(" 00-{all}-01"), false),
            ("ü".repeat(28), false),
            (String::new(), false),
        ] {
            let expected = TraceParent {
                trace_id: TRACE,
                span_id: SPAN,
            };
            let read = TraceParent::parse(given.as_bytes());
            assert_eq!(read, valid.then_some(expected), "{given}");
        }
    }

    #[test]
    fn a_request_without_these_headers_says_nothing() {
        assert_eq!(written(&HeaderMap::new()), Context::new());
    }

    #[test]
    fn what_the_headers_say_is_written() {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_bytes(b"curl/8 \xff").unwrap());
        headers.insert("x-request-id", HeaderValue::from_static("r-1"));
        let parent = format!("00-{TRACE}-{SPAN}-01");
        headers.insert("traceparent", HeaderValue::from_str(&parent).unwrap());
        let expected = Context::new()
            .user_agent("curl/8 \u{fffd}")
            .request_id("r-1")
            .trace_id(TRACE)
            .span_id(SPAN);
        assert_eq!(written(&headers), expected);

        headers.append("traceparent", HeaderValue::from_str(&parent).unwrap());
        assert_eq!(written(&headers).trace_id, None);
    }

    // Trap C15: a megabyte of user agent is cut, and the record says how long it was.
    #[test]
    fn a_long_user_agent_is_cut_and_marked() {
        let mut headers = HeaderMap::new();
        let agent = HeaderValue::from_bytes(&vec![b'x'; 1 << 20]).unwrap();
        headers.insert(USER_AGENT, agent);
        let record = Record::new("a.b").context(written(&headers));
        let at = Timestamp::from_micros(1);
        let finished = record.finish(SystemIds::new().next(at), at, &Service::new("docs"));
        let cut = Record::from_json(&finished.json).unwrap();
        assert_eq!(cut.context.user_agent.map(|agent| agent.len()), Some(1024));
        assert_eq!(cut.truncated["context.user_agent"], 1 << 20);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes: Vec<u8>) {
            if let Some(parent) = TraceParent::parse(&bytes) {
                prop_assert_eq!((parent.trace_id.len(), parent.span_id.len()), (32, 16));
            }
        }
    }
}
