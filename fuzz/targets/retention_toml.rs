//! A policy of retention is read, or refused with a reason.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| tower_audit::fuzzing::retention_toml(text));
