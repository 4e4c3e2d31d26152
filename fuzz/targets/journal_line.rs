//! A line of the journal has one spelling, and what is written is read back.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tower_audit::fuzzing::{journal_line, journal_text};

fuzz_target!(|input: (u64, Option<u128>, &[u8])| {
    let (number, closes, bytes) = input;
    journal_line(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        journal_text(number, closes, text);
    }
});
