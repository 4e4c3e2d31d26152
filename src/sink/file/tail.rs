//! The end of a file: what a crash left of it, and the last line of a trail.

use std::{
    fs::File,
    io::{self, BufRead},
    os::unix::fs::FileExt,
};

use crate::format::{self, LONGEST_HEAD, Starts};

/// How much of the end is looked through for what a crash left: more than one batch, because only
/// the last batch can be without its sync.
const WINDOW: u64 = 2 * 1024 * 1024;

/// The longest line that is looked for.
const LONGEST: u64 = 256 * 1024 * 1024;

/// How much is read at once when looking backwards.
const CHUNK: u64 = 64 * 1024;

/// The length up to which a file consists of whole lines; `None` when it is not a file of ours.
///
/// # Errors
///
/// Whatever reading gives.
pub(super) fn whole_length(file: &File, length: u64) -> io::Result<Option<u64>> {
    if !is_ours(file, length)? {
        return Ok(None);
    }
    let mut window = WINDOW;
    loop {
        let from = length.saturating_sub(window);
        let text = read(file, from, length)?;
        // What stands before the first line break may be the rest of a longer line.
        let skipped = if from == 0 {
            Some(0)
        } else {
            text.iter()
                .position(|byte| *byte == b'\n')
                .map(|place| place + 1)
                .filter(|place| *place < text.len())
        };
        if let Some(lines) = skipped.and_then(|skipped| text.get(skipped..)) {
            let torn = lines.len() - whole_lines(lines);
            return Ok(Some(length - torn as u64));
        }
        if window >= LONGEST {
            return Ok(None);
        }
        window *= 4;
    }
}

/// A file begins with a line of ours, with a part of one, or with zeros that a crash left.
fn is_ours(file: &File, length: u64) -> io::Result<bool> {
    let start = read(file, 0, length.min(LONGEST_HEAD as u64))?;
    Ok(format::may_begin(&start) || start.iter().all(|byte| *byte == 0))
}

/// The length of the whole lines at the beginning of this text.
fn whole_lines(text: &[u8]) -> usize {
    let mut length = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(line) if format::is_whole(line) => length += line.len() + 1,
            _ => break,
        }
    }
    length
}

/// How much may still be read to find a position, in bytes.
#[derive(Debug)]
pub(super) struct Budget(pub(super) u64);

impl Budget {
    /// Takes so many bytes; `false` when they are not there.
    fn take(&mut self, bytes: u64) -> bool {
        let left = self.0.checked_sub(bytes);
        self.0 = left.unwrap_or(0);
        left.is_some()
    }

    pub(super) fn is_spent(&self) -> bool {
        self.0 == 0
    }
}

/// The number in the last line of a trail, whatever its format, reading backwards.
pub(super) fn last_number(
    file: &File,
    length: u64,
    starts: &Starts,
    budget: &mut Budget,
) -> io::Result<Option<u64>> {
    // A line start that lies across two chunks is seen with the earlier one.
    let overlap = starts.reach() as u64;
    let mut end = length;
    while end > 0 && budget.take(CHUNK) {
        let from = end.saturating_sub(CHUNK);
        let text = read(file, from, (end + overlap).min(length))?;
        if let Some(number) = last_in(&text, from == 0, starts) {
            return Ok(Some(number));
        }
        end = from;
    }
    Ok(None)
}

/// The same in a text; its first byte begins a line only if it is the first of the file.
fn last_in(text: &[u8], is_beginning: bool, starts: &Starts) -> Option<u64> {
    let mut lines = text.rsplit(|byte| *byte == b'\n').peekable();
    while let Some(line) = lines.next() {
        // The last piece is the first of the text.
        if lines.peek().is_none() && !is_beginning {
            break;
        }
        if let Some(number) = starts.number(line) {
            return Some(number);
        }
    }
    None
}

/// The same, of a text that can only be read forwards.
pub(super) fn last_number_forwards(
    mut text: impl BufRead,
    starts: &Starts,
    budget: &mut Budget,
) -> io::Result<Option<u64>> {
    let mut found = None;
    let mut beginning = Vec::new();
    loop {
        // Of each line only the beginning is kept, however long it is.
        let buffer = text.fill_buf()?;
        if buffer.is_empty() {
            return Ok(found);
        }
        let length = buffer
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(buffer.len(), |place| place + 1);
        let piece = buffer.get(..length).unwrap_or_default();
        let room = starts.reach().saturating_sub(beginning.len());
        beginning.extend_from_slice(piece.get(..room).unwrap_or(piece));
        let ends = piece.ends_with(b"\n");
        text.consume(length);
        if !budget.take(length as u64) {
            return Ok(None);
        }
        if ends {
            found = last_in(&beginning, true, starts).or(found);
            beginning.clear();
        }
    }
}

fn read(file: &File, from: u64, to: u64) -> io::Result<Vec<u8>> {
    let length = usize::try_from(to.saturating_sub(from)).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, from)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::{
        evidence::leaf_hash,
        format::Format,
        sink::{Delivery, file::line},
    };

    fn lines(trail: u128, numbers: std::ops::Range<u64>, details: &str) -> Vec<u8> {
        let mut out = Vec::new();
        for number in numbers {
            let json = format!(r#"{{"n":"{details}"}}"#);
            let record = Delivery::new(number, leaf_hash(json.as_bytes()), json);
            line::write(&mut out, Format::Native, &Uuid::from_u128(trail), &record);
        }
        out
    }

    fn file(bytes: &[u8]) -> (File, u64) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        (file, bytes.len() as u64)
    }

    fn whole(bytes: &[u8]) -> Option<u64> {
        let (file, length) = file(bytes);
        whole_length(&file, length).unwrap()
    }

    // Trap J11, for a file: torn at every byte of the last batch.
    #[test]
    fn a_batch_torn_at_any_byte_leaves_its_whole_lines() {
        let before = lines(1, 0..2, "a");
        let batch = lines(1, 2..5, "b");
        let line = batch.len() / 3;
        for cut in 0..=batch.len() {
            let torn = [before.as_slice(), &batch[..cut]].concat();
            let expected = before.len() + cut / line * line;
            assert_eq!(whole(&torn), Some(expected as u64), "cut at {cut}");
        }
    }

    #[test]
    fn pages_that_a_crash_left_empty_end_what_is_whole() {
        let before = lines(1, 0..2, "a");
        let mut batch = lines(1, 2..60, "b");
        batch[700..4796].fill(0);
        let line = batch.len() / 58;
        let holed = [before.as_slice(), &batch].concat();
        let expected = before.len() + 700 / line * line;
        assert_eq!(whole(&holed), Some(expected as u64));
        assert_eq!(
            whole(&[0; 5000]),
            Some(0),
            "a file of which nothing arrived"
        );
    }

    #[test]
    fn a_file_that_is_not_ours_is_left_alone() {
        assert_eq!(whole(b"2026-11-20 something else\n"), None);
        assert_eq!(whole(b"{\"id\":1}\n"), None);
        assert_eq!(whole(b""), Some(0));
        assert_eq!(whole(b"{\"tra"), Some(0), "the torn first line");
    }

    #[test]
    fn lines_longer_than_the_window_are_judged_whole_or_torn() {
        let small = lines(1, 0..2, "a");
        let huge = lines(1, 2..3, &"x".repeat(5_000_000));
        let all = [small.as_slice(), &huge].concat();
        assert_eq!(whole(&all), Some(all.len() as u64));
        assert_eq!(whole(&all[..all.len() - 1]), Some(small.len() as u64));
    }

    #[test]
    fn the_last_line_of_a_trail_is_found_wherever_chunks_end() {
        let start = Starts::of(&Uuid::from_u128(1));
        for filler in (0..200).chain([64 * 1024 - 90, 3 * 64 * 1024]) {
            let bytes = [
                lines(1, 98..101, "a"),
                lines(2, 7..9, &"x".repeat(filler)),
                lines(2, 9..700, "b"),
            ]
            .concat();
            let (file, length) = file(&bytes);
            let mut budget = Budget(u64::MAX);
            let backwards = last_number(&file, length, &start, &mut budget).unwrap();
            let forwards = last_number_forwards(bytes.as_slice(), &start, &mut budget).unwrap();
            assert_eq!(
                (backwards, forwards),
                (Some(100), Some(100)),
                "filler {filler}"
            );
        }
    }

    #[test]
    fn text_inside_a_record_is_not_taken_for_a_line() {
        let start = Starts::of(&Uuid::from_u128(1));
        let quoted = String::from_utf8(lines(1, 500..501, "")).unwrap();
        let quoted = quoted.trim_end().replace('"', "\\\"");
        let bytes = [lines(1, 3..4, "a"), lines(2, 0..1, &format!("\\n{quoted}"))].concat();
        let (file, length) = file(&bytes);
        let mut budget = Budget(u64::MAX);
        assert_eq!(
            last_number(&file, length, &start, &mut budget).unwrap(),
            Some(3)
        );
    }

    #[test]
    fn the_search_ends_where_its_budget_does() {
        let bytes = [lines(1, 0..1, "a"), lines(2, 0..2000, "b")].concat();
        let (file, length) = file(&bytes);
        let start = Starts::of(&Uuid::from_u128(1));
        let mut budget = Budget(CHUNK);
        assert_eq!(
            last_number(&file, length, &start, &mut budget).unwrap(),
            None
        );
        assert!(budget.is_spent());
        let mut budget = Budget(CHUNK);
        let forwards = last_number_forwards(bytes.as_slice(), &start, &mut budget).unwrap();
        assert_eq!(forwards, None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        // Trap J11, for a file in any format, and in one after the other.
        #[test]
        fn a_file_torn_anywhere_keeps_its_whole_lines_and_says_how_far_each_trail_is(
            written in prop::collection::vec((0..3_u128, 0..4_usize, "\\PC{0,40}"), 1..12),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = Vec::new();
            let mut ends = Vec::new();
            for (number, (trail, format, text)) in (0..).zip(&written) {
                let json = serde_json::json!({"id": text, "details": {"t": text}}).to_string();
                let record = Delivery::new(number, leaf_hash(json.as_bytes()), json);
                line::write(&mut bytes, Format::ALL[*format], &Uuid::from_u128(*trail), &record);
                ends.push(bytes.len());
            }
            let cut = cut.index(bytes.len() + 1);
            let lines = ends.iter().take_while(|end| **end <= cut).count();
            let good = if lines == 0 { 0 } else { ends[lines - 1] };
            prop_assert_eq!(whole(&bytes[..cut]), Some(good as u64));

            let (file, length) = file(&bytes[..good]);
            for trail in 0..3 {
                let last = written[..lines].iter().rposition(|(other, ..)| *other == trail);
                let last = last.map(|number| number as u64);
                let starts = Starts::of(&Uuid::from_u128(trail));
                let mut budget = Budget(u64::MAX);
                let backwards = last_number(&file, length, &starts, &mut budget).unwrap();
                let forwards = last_number_forwards(&bytes[..good], &starts, &mut budget).unwrap();
                prop_assert_eq!((backwards, forwards), (last, last));
            }
        }
    }
}
