//! Tree heads and receipts from outside, and the numbers that are declared gone.

use super::*;
use crate::evidence::{Hash, leaf_hash};

/// One record in each segment; the heads after each.
fn ten() -> (Scratch, Vec<TreeHead>) {
    Scratch::ones(&["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"])
}

// Trap J8: a cut tail is consistent in itself.
#[test]
fn a_cut_end_is_found_by_a_head_that_was_kept() {
    let (scratch, heads) = ten();
    let expect = || Options::new().expect(Expected::head(TRAIL, heads[9]));
    let report = scratch.check_with(expect());
    assert_eq!(
        (kinds(&report), report.anchored, report.unanchored_since),
        (vec![], Some(heads[9]), None),
        "{report}"
    );
    fs::remove_file(scratch.path(9)).unwrap();
    assert_eq!(kinds(&scratch.check()), []);
    let report = scratch.check_with(expect());
    assert_eq!(kinds(&report), [Kind::CutShort], "{report}");
    assert_eq!(report.findings[0].number, Some(9));
    for index in (0..9).rev() {
        fs::remove_file(scratch.path(index)).unwrap();
    }
    assert_eq!(kinds(&scratch.check_with(expect())), [Kind::CutShort]);
    fs::remove_dir_all(scratch.dir()).unwrap();
    let gone = journal(&scratch.base.dir, expect());
    assert!(
        matches!(gone, Err(VerifyError::NotAJournal { .. })),
        "{gone:?}"
    );
}

// Trap J8: a cut tail, as the sinks of the same service remember it.
#[test]
fn a_cut_end_is_found_by_a_cursor_that_is_beyond_it() {
    let (scratch, _) = ten();
    let cursors = scratch.dir().join("cursors");
    fs::create_dir(&cursors).unwrap();
    let cursor = |next: u64| {
        let text = format!(
            r#"{{"cursor":{{"trail":"{TRAIL}","sink":"splunk","start":0,"next":{next}}},"sum":""}}"#
        );
        fs::write(cursors.join("splunk.json"), text).unwrap();
    };
    fs::write(cursors.join("other.json"), "not a cursor").unwrap();
    cursor(10);
    assert_eq!(kinds(&scratch.check()), []);
    fs::remove_file(scratch.path(9)).unwrap();
    let report = scratch.check();
    assert_eq!(kinds(&report), [Kind::CutShort], "{report}");
    assert!(report.findings[0].what.contains("splunk"), "{report}");
    cursor(9);
    assert_eq!(kinds(&scratch.check()), []);
    for index in (0..9).rev() {
        fs::remove_file(scratch.path(index)).unwrap();
    }
    assert_eq!(kinds(&scratch.check()), [Kind::CutShort], "nothing is left");
}

#[test]
fn a_head_anywhere_is_compared_and_tells_since_when_nothing_vouches() {
    let (scratch, heads) = ten();
    let report = scratch.check_with(Options::new().expect(Expected::head(TRAIL, heads[3])));
    assert_eq!(
        (kinds(&report), report.anchored),
        (vec![], Some(heads[3])),
        "{report}"
    );
    let whole = scratch.check();
    assert!(
        report.unanchored_since > whole.unanchored_since,
        "{report}\n{whole}"
    );
    let wrong = TreeHead::new(4, heads[5].root);
    let report = scratch.check_with(Options::new().expect(Expected::head(TRAIL, wrong)));
    assert_eq!(
        (kinds(&report), report.anchored),
        (vec![Kind::Unexpected], None),
        "{report}"
    );
    let other = Expected::head(Uuid::from_u128(2), heads[3]);
    let report = journal(&scratch.base.dir, Options::new().expect(other)).unwrap();
    assert_eq!(kinds(&report.trails[1]), [Kind::CutShort], "{report}");
}

#[test]
fn a_receipt_is_for_one_record_under_one_tree() {
    let (scratch, heads) = ten();
    let leaf = |i: u32| leaf_hash(format!("{{\"id\":\"{i}\"}}").as_bytes());
    let check = |number, leaf: Hash, head| {
        scratch.check_with(Options::new().expect(Expected::receipt(TRAIL, number, leaf, head)))
    };
    assert_eq!(kinds(&check(4, leaf(4), heads[7])), []);
    let report = check(4, leaf(5), heads[7]);
    assert_eq!(kinds(&report), [Kind::Unexpected], "{report}");
    assert_eq!(report.findings[0].number, Some(4));
}

/// A trail of which the first `gone` segments were removed, with the record that may declare it.
fn pruned(gone: usize, first_kept: Option<u64>) -> TrailReport {
    let (scratch, _) = ten();
    let opened = scratch.open();
    if let Some(start) = first_kept {
        let json = pruned_record(start);
        let ticket = opened
            .inbox()
            .append(&Prepared::new(&json, None), Urgency::Durable)
            .unwrap();
        block_on(ticket.committed()).unwrap();
    }
    commit(opened.inbox(), &["after"]);
    close(opened);
    for _ in 0..gone {
        fs::remove_file(scratch.path(0)).unwrap();
    }
    scratch.check()
}

// Trap J10.
#[test]
fn a_declared_pruning_is_a_gap_and_not_a_finding() {
    for gone in 1..=4 {
        let report = pruned(gone, Some(4));
        assert_eq!(
            (kinds(&report), notes(&report)),
            (vec![], vec![NoteKind::Pruned]),
            "{gone}: {report}"
        );
        assert_eq!(
            (report.first, report.records),
            (gone as u64, 12 - gone as u64),
            "{report}"
        );
    }
}

#[test]
fn more_than_was_declared_is_missed() {
    for (gone, declared) in [(1, None), (5, Some(4)), (10, Some(4))] {
        let report = pruned(gone, declared);
        assert_eq!(
            kinds(&report),
            [Kind::MissingHead],
            "{gone} of {declared:?}: {report}"
        );
    }
}

#[test]
fn what_lies_before_a_pruning_cannot_be_checked_and_is_not_called_good() {
    let (scratch, heads) = ten();
    fs::remove_file(scratch.path(0)).unwrap();
    fs::remove_file(scratch.path(0)).unwrap();
    let check =
        |head| kinds(&scratch.check_with(Options::new().expect(Expected::head(TRAIL, head))));
    assert_eq!(check(heads[0]), [Kind::MissingHead, Kind::Unchecked]);
    // The first header that is left has the tree up to itself.
    assert_eq!(check(heads[1]), [Kind::MissingHead]);
    assert_eq!(check(heads[8]), [Kind::MissingHead]);
}
