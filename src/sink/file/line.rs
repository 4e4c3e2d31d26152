//! One line of the file: which record it is, its proof, and its exact bytes.

use serde::de::IgnoredAny;
use uuid::Uuid;

use crate::{evidence::Hash, sink::Delivery};

/// What every line begins with.
pub(super) const START: &[u8] = br#"{"trail":""#;

/// What every line of a trail begins with; the number follows.
pub(super) fn start_of(trail: &Uuid) -> Vec<u8> {
    let mut start = Vec::with_capacity(64);
    start.extend_from_slice(START);
    let mut digits = Uuid::encode_buffer();
    start.extend_from_slice(trail.hyphenated().encode_lower(&mut digits).as_bytes());
    start.extend_from_slice(br#"","n":"#);
    start
}

/// Appends the line of a record; `start` is that of its trail.
pub(super) fn write(out: &mut Vec<u8>, start: &[u8], record: &Delivery) {
    out.extend_from_slice(start);
    out.extend_from_slice(record.number.to_string().as_bytes());
    out.extend_from_slice(br#","h":""#);
    out.extend_from_slice(record.leaf.to_string().as_bytes());
    out.extend_from_slice(br#"","record":"#);
    out.extend_from_slice(record.json.as_bytes());
    out.extend_from_slice(b"}\n");
}

/// The number that stands behind the start of a line.
pub(super) fn number(rest: &[u8]) -> Option<(u64, &[u8])> {
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = rest.split_at_checked(digits)?;
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((number, rest))
}

/// Whether this is a whole line of ours, without its line break.
///
/// A crash can leave a hole of zeros anywhere in what was not synced, so the record is looked
/// through as JSON; what was changed later and still is JSON is not found here.
pub(super) fn is_whole(line: &[u8]) -> bool {
    let record = || {
        let rest = line.strip_prefix(START)?;
        let (trail, rest) = rest.split_at_checked(36)?;
        Uuid::try_parse_ascii(trail).ok()?;
        let (_, rest) = number(rest.strip_prefix(br#"","n":"#)?)?;
        let (leaf, rest) = rest.strip_prefix(br#","h":""#)?.split_at_checked(64)?;
        Hash::parse_hex(leaf)?;
        rest.strip_prefix(br#"","record":"#)?.strip_suffix(b"}")
    };
    record().is_some_and(|json| serde_json::from_slice::<IgnoredAny>(json).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::leaf_hash;

    fn sample() -> String {
        let json = r#"{"id":"x","details":{"a":[1,"\u0000"]}}"#;
        let record = Delivery::new(41, leaf_hash(json.as_bytes()), json);
        let mut out = Vec::new();
        write(&mut out, &start_of(&Uuid::from_u128(7)), &record);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_is_as_documented_and_holds_the_exact_bytes() {
        let json = r#"{"id":"x","details":{"a":[1,"\u0000"]}}"#;
        let leaf = leaf_hash(json.as_bytes());
        let trail = "00000000-0000-0000-0000-000000000007";
        let expected = format!(r#"{{"trail":"{trail}","n":41,"h":"{leaf}","record":{json}}}"#);
        assert_eq!(sample(), format!("{expected}\n"));
    }

    #[test]
    fn only_a_line_that_is_there_from_its_first_to_its_last_byte_is_whole() {
        let line = sample();
        let line = line.trim_end().as_bytes();
        assert!(is_whole(line));
        for cut in 0..line.len() {
            assert!(!is_whole(&line[..cut]), "cut at {cut}");
        }
        for hole in 0..line.len() {
            let mut holed = line.to_vec();
            holed[hole] = 0;
            assert!(!is_whole(&holed), "hole at {hole}");
        }
    }
}
