//! The address of a sink is read without opening anything, or refused; no password in it is told.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str)| tower_audit::fuzzing::sink_url(input.0, input.1));
