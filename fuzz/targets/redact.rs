//! No record keeps a secret, wherever else in it the secret stands.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tower_audit::{Record, fuzzing::mask};

const SECRETS: [&str; 2] = ["canary-of-a-session-4f1d", "canary-of-a-password-9b2e"];

fuzz_target!(|data: &[u8]| {
    let Ok(record) = Record::from_json(data) else {
        return;
    };
    let [session, password] = SECRETS;
    let text = format!("it was {session} and {password}");
    let record = record
        .detail("newPassword", password)
        .detail("note", &text)
        .change("apiKey", session, password)
        .reason(text);
    let json = mask(record, &[session]);
    for secret in SECRETS {
        assert!(!json.contains(secret), "{json}");
    }
});
