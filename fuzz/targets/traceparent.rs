//! `traceparent` is read strictly or not at all.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| tower_audit::fuzzing::traceparent(data));
