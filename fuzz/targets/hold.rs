//! The filter of a hold, and what a store has of one; in doubt a record is held.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (Vec<(String, String)>, String)| {
    let (pairs, text) = input;
    tower_audit::fuzzing::hold(&pairs, &text);
});
