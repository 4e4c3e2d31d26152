//! Reading how a line begins: how far a file has come, and what a crash left of it.

use serde::de::IgnoredAny;
use uuid::Uuid;

use super::line::{MAPPED, NATIVE, NUMBER, UNMAPPED};
use crate::evidence::Hash;

/// All that there are.
const HEADS: [&[u8]; 3] = [NATIVE, MAPPED, UNMAPPED];

/// The longest of them, in bytes.
pub(crate) const LONGEST_HEAD: usize = UNMAPPED.len();

/// The starts of a trail's lines, in every format there is.
#[derive(Debug)]
pub(crate) struct Starts([Vec<u8>; HEADS.len()]);

impl Starts {
    /// Those of this trail.
    pub(crate) fn of(trail: &Uuid) -> Self {
        Self(HEADS.map(|head| start(head, trail)))
    }

    /// The number of a line of this trail, whatever its format.
    pub(crate) fn number(&self, line: &[u8]) -> Option<u64> {
        let rest = self
            .0
            .iter()
            .find_map(|start| line.strip_prefix(&**start))?;
        let (number, rest) = number(rest)?;
        rest.starts_with(b",").then_some(number)
    }

    /// How much of a line's beginning [`number`](Self::number) looks at, in bytes.
    pub(crate) fn reach(&self) -> usize {
        self.0.iter().map(Vec::len).max().unwrap_or(0) + 24
    }
}

fn start(head: &[u8], trail: &Uuid) -> Vec<u8> {
    let mut start = Vec::with_capacity(96);
    start.extend_from_slice(head);
    let mut digits = Uuid::encode_buffer();
    start.extend_from_slice(trail.hyphenated().encode_lower(&mut digits).as_bytes());
    start.extend_from_slice(NUMBER);
    start
}

/// Whether these bytes, the first of a file, can be the first of a line.
pub(crate) fn may_begin(bytes: &[u8]) -> bool {
    HEADS.iter().any(|head| {
        let length = head.len().min(bytes.len());
        head.get(..length) == bytes.get(..length)
    })
}

/// Whether this is a whole line of ours in some format, without its line break.
///
/// A crash can leave a hole of zeros anywhere in what was not synced, so the line is looked
/// through as JSON; what was changed later and still is JSON is not found here.
pub(crate) fn is_whole(line: &[u8]) -> bool {
    begins(line).is_some() && serde_json::from_slice::<IgnoredAny>(line).is_ok()
}

/// Whether the beginning of a line names a trail, a number and a leaf.
fn begins(line: &[u8]) -> Option<()> {
    let head = HEADS.into_iter().find(|head| line.starts_with(head))?;
    let (trail, rest) = line.strip_prefix(head)?.split_at_checked(36)?;
    Uuid::try_parse_ascii(trail).ok()?;
    let (_, rest) = number(rest.strip_prefix(NUMBER)?)?;
    let (leaf, rest) = rest.strip_prefix(br#","h":""#)?.split_at_checked(64)?;
    Hash::parse_hex(leaf)?;
    let rest = rest.strip_prefix(b"\"")?;
    if head == NATIVE {
        return rest.strip_prefix(br#","record":"#).map(|_| ());
    }
    rest.starts_with(b",")
        .then_some(())
        .or_else(|| rest.starts_with(b"}").then_some(()))
}

/// The number that these bytes begin with.
fn number(rest: &[u8]) -> Option<(u64, &[u8])> {
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = rest.split_at_checked(digits)?;
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((number, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::evidence::leaf_hash;
    use crate::format::{Event, Format};

    fn line(format: Format, trail: u128, number: u64, json: &str) -> Vec<u8> {
        let mut out = Vec::new();
        let event = Event {
            trail: &Uuid::from_u128(trail),
            number,
            leaf: &leaf_hash(json.as_bytes()),
            json,
        };
        format.write(&mut out, &event);
        out
    }

    const SAMPLE: &str = r#"{"id":"x","action":"a.b","details":{"a":[1,"\u0000"]}}"#;

    #[test]
    fn only_a_line_that_is_there_from_its_first_to_its_last_byte_is_whole() {
        for format in Format::ALL {
            let line = line(format, 7, 41, SAMPLE);
            assert!(is_whole(&line), "{format}");
            for cut in 0..line.len() {
                assert!(!is_whole(&line[..cut]), "{format} cut at {cut}");
                assert!(may_begin(&line[..cut]), "{format} cut at {cut}");
            }
            for hole in 0..line.len() {
                let mut holed = line.clone();
                holed[hole] = 0;
                assert!(!is_whole(&holed), "{format}: hole at {hole}");
            }
        }
    }

    #[test]
    fn a_line_of_something_else_is_not_ours() {
        for text in [
            "",
            "{}",
            r#"{"tower_audit":{}}"#,
            r#"{"trail":"x","n":1,"h":"","record":{}}"#,
            r#"{"@timestamp":"2026-11-20T13:34:01Z","message":"x"}"#,
        ] {
            assert!(!is_whole(text.as_bytes()), "{text}");
        }
    }

    proptest! {
        // Whatever was in force before, a file says how far each of its trails has come.
        #[test]
        fn the_number_of_a_line_is_read_back_in_every_format(
            trail in any::<u128>(), other in any::<u128>(), number in any::<u64>(), text in any::<String>()
        ) {
            prop_assume!(trail != other);
            let json = serde_json::json!({ "id": text, "details": { "text": text } }).to_string();
            for format in Format::ALL {
                let line = line(format, trail, number, &json);
                prop_assert!(is_whole(&line));
                prop_assert!(!line.contains(&b'\n'));
                let starts = Starts::of(&Uuid::from_u128(trail));
                prop_assert_eq!(starts.number(&line), Some(number));
                prop_assert_eq!(starts.number(&line[..starts.reach().min(line.len())]), Some(number));
                prop_assert_eq!(Starts::of(&Uuid::from_u128(other)).number(&line), None);
            }
        }
    }
}
