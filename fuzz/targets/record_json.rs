//! Any JSON that is read as a record becomes one clean line within the cap, and stays as it is.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tower_audit::{Record, fuzzing::finish};

fuzz_target!(|data: &[u8]| {
    let Ok(record) = Record::from_json(data) else {
        return;
    };
    let json = finish(record);
    assert!(json.len() <= 64 * 1024, "{}", json.len());
    assert!(!json.contains(char::is_control), "{json}");
    let again = Record::from_json(&json).expect("what was written is read");
    assert_eq!(finish(again), json);
});
