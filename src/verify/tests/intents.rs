//! Intents that vanish, change, or come from nowhere.

use super::*;

/// The first finding is about an intent, in this file.
fn found_in(scratch: &Scratch, index: usize) -> Option<u64> {
    let report = scratch.check();
    let Some(first) = report.findings.first() else {
        panic!("{report}")
    };
    assert_eq!(
        (first.kind, first.file.as_ref()),
        (Kind::Intent, Some(&scratch.names()[index])),
        "{report}"
    );
    first.offset
}

fn without(lines: &[String], part: &str) -> Vec<String> {
    let kept: Vec<String> = lines
        .iter()
        .filter(|line| !line.contains(part))
        .cloned()
        .collect();
    assert!(kept.len() < lines.len(), "{part}");
    kept
}

const SEVEN: &str = "00000000-0000-0000-0000-000000000007";

#[test]
fn an_intent_that_nobody_opened_is_found_where_a_header_lists_it() {
    let scratch = Scratch::sealed();
    scratch.put_lines(0, &without(&scratch.lines(0), "\"open\":{"));
    assert_eq!(found_in(&scratch, 1), Some(0));
}

#[test]
fn an_intent_that_a_header_leaves_out_is_found_there() {
    let scratch = Scratch::sealed();
    let mut lines = without(&scratch.lines(1), "\"open\":{");
    lines[0] = resealed(&lines[0], &format!("\"open\":[\"{SEVEN}\"]"), "\"open\":[]");
    scratch.put_lines(1, &lines);
    assert_eq!(found_in(&scratch, 1), Some(0));
}

#[test]
fn an_intent_that_is_listed_and_not_repeated_or_repeated_otherwise_is_found() {
    let scratch = Scratch::sealed();
    let good = scratch.lines(1);
    let place = Some(good[0].len() as u64);
    scratch.put_lines(1, &without(&good, "\"open\":{"));
    assert_eq!(found_in(&scratch, 1), place);
    let mut lines = good;
    lines[1] = resealed(&lines[1], "{\"id\":7}", "{\"id\":9}");
    scratch.put_lines(1, &lines);
    assert_eq!(found_in(&scratch, 1), place);
}

#[test]
fn a_verdict_without_its_intent_and_an_intent_opened_twice_are_found() {
    let scratch = Scratch::sealed();
    let good = scratch.lines(1);
    let verdict = good
        .iter()
        .position(|line| line.contains("closes"))
        .unwrap();
    let mut lines = good.clone();
    lines[verdict] = lines[verdict].replace(SEVEN, "00000000-0000-0000-0000-000000000008");
    scratch.put_lines(1, &lines);
    let before: usize = lines[..verdict].iter().map(String::len).sum();
    assert_eq!(found_in(&scratch, 1), Some(before as u64));
    let mut lines = good;
    lines.insert(2, lines[1].clone());
    scratch.put_lines(1, &lines);
    let before: usize = lines[..2].iter().map(String::len).sum();
    assert_eq!(found_in(&scratch, 1), Some(before as u64));
}

/// Two runs; the intents of the first stand after its last record, where the second takes over.
#[test]
fn an_intent_that_was_acknowledged_last_is_missed_when_the_next_run_leaves_it_out() {
    let scratch = Scratch::new(u64::MAX);
    let opened = scratch.open();
    commit(opened.inbox(), &["a"]);
    intent(opened.inbox(), 7);
    close(opened);
    close(scratch.open());
    let report = scratch.check();
    assert_eq!(
        (kinds(&report), notes(&report)),
        (vec![], vec![NoteKind::OpenIntents]),
        "{report}"
    );
    let mut lines = without(&scratch.lines(1), "\"open\":{");
    lines[0] = resealed(&lines[0], &format!("\"open\":[\"{SEVEN}\"]"), "\"open\":[]");
    scratch.put_lines(1, &lines);
    assert_eq!(found_in(&scratch, 1), Some(0));
    // Its group is taken out of the first run too; the line that ends it knows how many there were.
    let mut lines = scratch.lines(0);
    let group = lines
        .iter()
        .position(|line| line.contains("\"open\":{"))
        .unwrap();
    lines.drain(group..group + 2);
    scratch.put_lines(0, &lines);
    let report = scratch.check();
    assert_eq!(kinds(&report), [Kind::End], "{report}");
}
