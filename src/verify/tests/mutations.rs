//! What somebody may do to the files, and the reason that is given for it.

use super::*;
use crate::evidence::leaf_hash;

/// Whether the byte is in the line that ends a run: where the next run's header already speaks for
/// the trail, that line may be torn, and is only noted.
fn in_end_line(lines: &[String], at: usize) -> bool {
    let end = lines
        .last()
        .filter(|line| line.contains("\"end\":{"))
        .map_or(0, String::len);
    at + end >= lines.concat().len()
}

/// The first finding is in this file, at this offset or before it.
fn found_at(report: &TrailReport, file: &str, offset: u64) -> bool {
    report.findings.first().is_some_and(|finding| {
        finding.file.as_deref() == Some(file) && finding.offset.is_some_and(|at| at <= offset)
    })
}

// Traps J8, J11.
#[test]
fn a_changed_byte_in_a_sealed_segment_is_found_where_it_is() {
    let scratch = Scratch::sealed();
    assert_eq!(kinds(&scratch.check()), []);
    for index in 0..2 {
        let file = scratch.names()[index].clone();
        let (good, lines) = (scratch.bytes(index), scratch.lines(index));
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            scratch.put(index, &bad);
            let report = scratch.check();
            let noted = in_end_line(&lines, at) && notes(&report) == [NoteKind::Superseded];
            assert!(
                noted || found_at(&report, &file, at as u64),
                "byte {at} of {file}:\n{report}"
            );
        }
        scratch.put(index, &good);
    }
}

// Trap J11.
#[test]
fn a_changed_byte_in_the_last_segment_is_found_even_where_a_crash_could_have_torn_it() {
    let scratch = Scratch::sealed();
    let (index, file) = (2, scratch.names()[2].clone());
    let good = scratch.bytes(index);
    for at in 0..good.len() - 1 {
        let mut bad = good.clone();
        bad[at] ^= 1;
        scratch.put(index, &bad);
        let report = scratch.check();
        assert!(found_at(&report, &file, at as u64), "byte {at}:\n{report}");
    }
}

// Trap J11.
#[test]
fn a_torn_end_is_a_note_and_takes_nothing_that_was_committed_before() {
    let scratch = Scratch::new(u64::MAX);
    let opened = scratch.open();
    commit(opened.inbox(), &["a"]);
    let kept = scratch.bytes(0).len();
    commit(opened.inbox(), &["b", "c"]);
    let good = scratch.bytes(0);
    for len in kept..good.len() {
        for zeros in [0, 5] {
            // A page that did not reach the disk reads as zeros when a later one did.
            let mut torn = good[..len].to_vec();
            torn.resize(len + zeros, 0);
            scratch.put(0, &torn);
            let report = scratch.check();
            assert_eq!(kinds(&report), [], "{len}: {report}");
            assert!(
                !report.notes.is_empty() || len == kept && zeros == 0,
                "{len}: {report}"
            );
            assert_eq!(
                (report.records, report.ended),
                (1, false),
                "{len}: {report}"
            );
        }
    }
    scratch.put(0, &good);
    assert_eq!(scratch.check().records, 3);
}

// Trap J11.
#[test]
fn a_page_that_a_crash_lost_reads_as_zeros_and_is_a_note() {
    let scratch = Scratch::new(u64::MAX);
    let opened = scratch.open();
    commit(opened.inbox(), &["a"]);
    let kept = scratch.bytes(0).len();
    commit(opened.inbox(), &["b", "c"]);
    let good = scratch.bytes(0);
    for from in kept..good.len() {
        for len in [1, 50, 4096] {
            let mut lost = good.clone();
            let to = (from + len).min(lost.len());
            lost[from..to].fill(0);
            scratch.put(0, &lost);
            let report = scratch.check();
            assert_eq!(
                (kinds(&report), report.records),
                (vec![], 1),
                "{from} to {to}: {report}"
            );
            assert!(
                notes(&report).contains(&NoteKind::Torn),
                "{from} to {to}: {report}"
            );
        }
    }
}

#[test]
fn a_sealed_segment_that_is_cut_anywhere_is_found() {
    let scratch = Scratch::sealed();
    let file = scratch.names()[1].clone();
    let (good, lines) = (scratch.bytes(1), scratch.lines(1));
    for len in 0..good.len() {
        scratch.put(1, &good[..len]);
        let report = scratch.check();
        let noted = in_end_line(&lines, len) && kinds(&report).is_empty();
        assert!(
            noted || found_at(&report, &file, len as u64),
            "cut to {len}:\n{report}"
        );
    }
}

/// Rewrites the lines of one segment, so that each line holds for itself.
type Change = fn(&mut Vec<String>);

/// What is done to `0 head, 1 commit of nothing, 2 a, 3 b, 4 commit, 5 c, 6 d, 7 commit, 8 end`; what is
/// found, on which line, and under which number.
#[rustfmt::skip]
const CHANGES: [(&str, Change, Kind, usize, Option<u64>); 13] = [
    ("two records swapped", |lines| lines.swap(2, 3), Kind::Order, 2, Some(0)),
    ("a record repeated", |lines| lines.insert(3, lines[2].clone()), Kind::Order, 3, Some(0)),
    ("a record left out", |lines| drop(lines.remove(2)), Kind::Order, 2, Some(0)),
    ("the last record left out", |lines| drop(lines.remove(6)), Kind::Root, 5, Some(2)),
    ("an old record again under a new number", |lines| lines[5] = renumbered(&lines[2], 2), Kind::Root, 5, Some(2)),
    ("another record in its place", |lines| lines[2] = record(0, "{\"id\":\"x\"}"), Kind::Root, 2, Some(0)),
    ("a record added", |lines| lines.insert(7, record(4, "{}")), Kind::Root, 5, Some(2)),
    ("a group left out", |lines| drop(lines.drain(5..8)), Kind::End, 5, Some(2)),
    ("a commit left out", |lines| drop(lines.remove(4)), Kind::Order, 2, Some(0)),
    ("a commit again", |lines| lines.insert(7, lines[4].clone()), Kind::Root, 5, Some(2)),
    ("the header again", |lines| lines.insert(5, lines[0].clone()), Kind::Header, 5, None),
    ("the end in the middle", |lines| lines[5..].rotate_right(1), Kind::End, 5, Some(2)),
    ("a record after the end", |lines| lines.push(record(4, "{}")), Kind::End, 9, None),
];

fn renumbered(line: &str, number: u64) -> String {
    let (_, rest) = line.split_once(',').unwrap();
    format!("{{\"n\":{number},{rest}")
}

fn record(number: u64, json: &str) -> String {
    format!(
        "{{\"n\":{number},\"h\":\"{}\",\"record\":{json}}}\n",
        leaf_hash(json.as_bytes())
    )
}

// Trap J8.
#[test]
fn lines_that_each_hold_are_found_when_they_are_moved_repeated_replaced_or_left_out() {
    let scratch = Scratch::new(u64::MAX);
    let opened = scratch.open();
    commit(opened.inbox(), &["a", "b"]);
    commit(opened.inbox(), &["c", "d"]);
    close(opened);
    let good = scratch.lines(0);
    for (name, change, kind, line, number) in CHANGES {
        let mut lines = good.clone();
        change(&mut lines);
        scratch.put_lines(0, &lines);
        let report = scratch.check();
        let Some(first) = report.findings.first() else {
            panic!("{name}: {report}")
        };
        let offset: usize = lines[..line].iter().map(String::len).sum();
        let found = (first.kind, first.offset, first.number);
        assert_eq!(
            found,
            (kind, Some(offset as u64), number),
            "{name}: {report}"
        );
        assert_eq!(first.certainty, Certainty::Certain, "{name}");
        let mut all = kinds(&report);
        all.dedup();
        assert_eq!(
            all,
            [kind],
            "one cause, one kind of finding: {name}: {report}"
        );
    }
}

#[test]
fn the_line_that_ends_a_run_is_held_to_the_tree_where_the_next_run_took_over() {
    let scratch = Scratch::sealed();
    let mut lines = scratch.lines(0);
    let end = lines.pop().unwrap();
    let offset = lines.concat().len() as u64;
    lines.push(resealed(&end, "\"size\":3", "\"size\":2"));
    scratch.put_lines(0, &lines);
    let report = scratch.check();
    assert_eq!(kinds(&report), [Kind::End], "{report}");
    assert_eq!(report.findings[0].offset, Some(offset), "{report}");
}

// Trap J8.
#[test]
fn a_removed_segment_is_missed_at_head_and_in_the_middle() {
    let table = [(0, Kind::MissingHead, 0), (1, Kind::Missing, 1)];
    for (index, kind, number) in table {
        let (scratch, _) = Scratch::ones(&["a", "b", "c"]);
        fs::remove_file(scratch.path(index)).unwrap();
        let report = scratch.check();
        assert_eq!(kinds(&report), [kind], "{report}");
        assert_eq!(report.findings[0].number, Some(number), "{report}");
    }
}

#[test]
fn a_segment_under_a_name_or_in_a_trail_that_is_not_its_own_is_found() {
    let scratch = Scratch::sealed();
    let (old, names) = (scratch.path(2), scratch.names());
    let renamed = scratch
        .dir()
        .join(names[2].replace("0000000003.jsonl", "0000000009.jsonl"));
    fs::rename(&old, &renamed).unwrap();
    assert_eq!(kinds(&scratch.check()), [Kind::Header]);
    fs::rename(&renamed, &old).unwrap();

    let other = scratch
        .base
        .dir
        .join(format!("trail-{}", Uuid::from_u128(2)));
    fs::rename(scratch.dir(), &other).unwrap();
    assert_eq!(kinds(&scratch.check()), [Kind::Header; 3]);
}

#[test]
fn a_segment_rewritten_as_a_whole_no_longer_fits_the_one_before() {
    let (scratch, _) = Scratch::ones(&["a", "b"]);
    let (other, _) = Scratch::ones(&["forged", "b"]);
    fs::copy(other.path(0), scratch.path(0)).unwrap();
    let report = scratch.check();
    assert_eq!(kinds(&report), [Kind::Frontier], "{report}");
    assert_eq!(report.findings[0].file.as_ref(), Some(&scratch.names()[1]));
}

#[test]
fn a_changed_record_is_told_from_a_changed_tree() {
    let scratch = Scratch::sealed();
    let text = String::from_utf8(scratch.bytes(0)).unwrap();
    scratch.put(0, text.replace("{\"id\":\"a\"}", "{\"id\":\"z\"}"));
    let report = scratch.check();
    // The leaf hash beside it is the one that was committed: nothing else is in doubt.
    assert_eq!(kinds(&report), [Kind::Damaged], "{report}");
    assert_eq!(
        (report.findings[0].number, report.records),
        (Some(0), 3),
        "{report}"
    );
    assert_eq!(report.head.map(|head| head.size), Some(4), "{report}");
}
