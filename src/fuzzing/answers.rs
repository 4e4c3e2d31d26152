//! What the servers answer that records are sent to.

use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};

use crate::sink::{SinkError, played};

/// What we sent, and no reason may repeat.
const SECRET: &str = "canary-of-a-token-4f1d";

/// Whatever a server of HTTP, Splunk or a collector answers, the reason that follows is one bounded line without what
/// we sent. `status` is that of HTTP, or the code of gRPC.
pub fn answer(status: u16, headers: &HeaderMap, body: &[u8]) {
    let mut sent = HeaderMap::new();
    sent.insert(AUTHORIZATION, HeaderValue::from_static(SECRET));
    for body in bodies(body) {
        for error in played::http(status, headers, &body, SECRET) {
            is_one_line(&error);
        }
        for error in played::otlp(status, headers, &body, &sent) {
            is_one_line(&error);
        }
    }
}

/// The bytes, and the bytes with the secret behind them, in their middle and alone.
fn bodies(body: &[u8]) -> [Vec<u8>; 4] {
    let (before, behind) = body.split_at(body.len() / 2);
    let secret = SECRET.as_bytes();
    [
        body.to_vec(),
        [body, b" ", secret].concat(),
        [before, b" ", secret, b" ", behind].concat(),
        secret.to_vec(),
    ]
}

fn is_one_line(error: &SinkError) {
    let reason = error.to_string();
    assert!(!reason.contains(SECRET), "{reason}");
    assert!(!reason.contains(char::is_control), "{reason:?}");
    assert!(reason.len() < 4096, "{}", reason.len());
}
