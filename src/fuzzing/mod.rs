//! What fuzz targets call and nobody else may: no part of the API. `fuzz/README.md` tells how.
//!
//! Each function takes hostile bytes and panics where something that must hold does not. The unit tests call
//! them too, with bytes that nothing guides: what a stable toolchain can do is done with every test run.

#[cfg(all(feature = "http", feature = "otlp"))]
mod answers;
#[cfg(feature = "_sql")]
mod reading;
#[cfg(all(feature = "_sql", feature = "toml"))]
mod retention;
mod sinks;
#[cfg(all(
    test,
    feature = "http",
    feature = "otlp",
    feature = "_sql",
    feature = "toml"
))]
mod tests;

use http::{HeaderMap, Request};
use uuid::Uuid;

#[cfg(all(feature = "http", feature = "otlp"))]
pub use self::answers::answer;
#[cfg(feature = "_sql")]
pub use self::reading::{hold, parameters};
#[cfg(all(feature = "_sql", feature = "toml"))]
pub use self::retention::retention_toml;
pub use self::sinks::sink_url;
use crate::{
    capture::{Session, TraceParent},
    clock::{RecordId, Timestamp},
    journal::{
        Prepared,
        line::{Control, Line, decode},
    },
    keyed::HashKey,
    policy::Policy,
    record::{Record, Service},
};

const NEWLINE: &[u8] = b"\n";

/// What is read is two ids in lower-case hex, and stands in the header.
pub fn traceparent(value: &[u8]) {
    let Some(parent) = TraceParent::parse(value) else {
        return;
    };
    for (id, digits) in [(parent.trace_id, 32), (parent.span_id, 16)] {
        assert_eq!(id.len(), digits, "{parent:?}");
        assert!(id.bytes().any(|byte| byte != b'0'), "{parent:?}");
        assert!(
            id.bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        );
        assert!(value.windows(digits).any(|part| part == id.as_bytes()));
    }
}

/// The session that is read from a cookie stands in the headers.
pub fn cookie(name: &str, headers: HeaderMap) {
    let session = Session::cookie(name);
    let mut request = Request::new(());
    *request.headers_mut() = headers;
    let (parts, ()) = request.into_parts();
    let of_response = session.of_response(&parts.headers);
    for found in [session.of_request(&parts), of_response]
        .into_iter()
        .flatten()
    {
        let found = found.as_bytes();
        assert!(!found.is_empty(), "a session without an id");
        let stands = |value: &[u8]| value.windows(found.len()).any(|part| part == found);
        assert!(parts.headers.values().any(|value| stands(value.as_bytes())));
    }
}

/// A line that is accepted is exactly the line that is written of what it says.
pub fn journal_line(line: &[u8]) {
    match decode(line) {
        Ok(Line::Record(record)) => same_line(line, |out| {
            Prepared::new(record.json, record.closes).write(record.number, out);
        }),
        Ok(Line::Control(control)) => same_line(line, |out| control.write(out)),
        Err(_) => {}
    }
}

fn same_line(line: &[u8], write: impl FnOnce(&mut Vec<u8>)) {
    let mut written = Vec::new();
    write(&mut written);
    assert_eq!([line, NEWLINE].concat(), written);
}

/// What is written as a line is read back, whatever is in it.
pub fn journal_text(number: u64, closes: Option<u128>, text: &str) {
    let mut lines = Vec::new();
    if !text.contains('\n') {
        Prepared::new(text, closes.map(Uuid::from_u128)).write(number, &mut lines);
    }
    if let Ok(control) = serde_json::from_str::<Control>(text) {
        control.write(&mut lines);
    }
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(NEWLINE).unwrap_or(line);
        assert!(decode(line).is_ok(), "{}", String::from_utf8_lossy(line));
        journal_line(line);
    }
}

/// Masks a record with the default rules and these secrets, and gives its JSON.
#[must_use]
pub fn mask(mut record: Record, secrets: &[&str]) -> String {
    let key = HashKey::new("fuzz", b"a key of thirty-two bytes, no less");
    Policy::default().mask().apply(&mut record, &key, secrets);
    finish(record)
}

/// The JSON that a trail keeps of a record.
#[must_use]
pub fn finish(record: Record) -> String {
    let at = Timestamp::from_micros(1_795_181_641_123_456);
    let id = RecordId::lowest_at(at);
    record.finish(id, at, &Service::new("fuzz")).json
}
