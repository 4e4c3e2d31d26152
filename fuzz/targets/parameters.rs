//! The parameters of an address: a query is read back from its own parameters, or a reason names what is wrong.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|pairs: Vec<(String, String)>| tower_audit::fuzzing::parameters(&pairs));
