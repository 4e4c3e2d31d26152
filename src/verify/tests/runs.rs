//! What an honest trail may look like, whatever happened to its process.

use super::*;

#[test]
fn a_sealed_trail_holds_and_says_how_far() {
    let scratch = Scratch::sealed();
    let report = scratch.check();
    assert_eq!(
        (kinds(&report), notes(&report)),
        (vec![], vec![]),
        "{report}"
    );
    assert_eq!(
        (report.trail, report.segments, report.records, report.first),
        (Some(TRAIL), 3, 4, 0)
    );
    assert_eq!(
        (
            report.head.map(|head| head.size),
            report.ended,
            report.open_intents
        ),
        (Some(4), true, 0)
    );
    assert_eq!(report.service.as_deref(), Some("docs"));
    assert!(
        report.unanchored_since.is_some() && report.anchored.is_none(),
        "{report}"
    );
    assert!(
        report
            .to_string()
            .contains("consistent, not anchored since 20"),
        "{report}"
    );
}

// Trap J9.
#[test]
fn a_trail_holds_at_every_moment_while_it_is_written() {
    let scratch = Scratch::new(2000);
    let opened = scratch.open();
    let inbox = opened.inbox().clone();
    let (mut last, mut rounds) = (0, 0);
    std::thread::scope(|scope| {
        let writer = scope.spawn(move || {
            for i in 0..400 {
                commit(&inbox, &[&format!("{i}")]);
                if i % 40 == 0 {
                    intent(&inbox, i + 1);
                }
            }
        });
        while !writer.is_finished() {
            let report = scratch.check();
            assert_eq!(kinds(&report), [], "{report}");
            assert!(report.records >= last, "{report}");
            (last, rounds) = (report.records, rounds + 1);
        }
        writer.join().unwrap();
    });
    let report = scratch.check();
    assert_eq!(
        (kinds(&report), report.records, report.open_intents),
        (vec![], 400, 10),
        "{report}"
    );
    assert!(
        rounds > 0 && report.segments > 10,
        "{rounds} rounds: {report}"
    );
}

#[test]
fn a_base_directory_is_all_its_trails_and_one_of_them_can_be_named() {
    let scratch = Scratch::new(u64::MAX);
    let first = scratch.open();
    let second = scratch.base.open(Uuid::from_u128(2)).unwrap();
    commit(first.inbox(), &["a"]);
    commit(second.inbox(), &["b", "c"]);
    let all = journal(&scratch.base.dir, Options::new()).unwrap();
    assert!(all.holds(), "{all}");
    assert_eq!(
        all.trails
            .iter()
            .map(|trail| trail.records)
            .collect::<Vec<_>>(),
        [1, 2]
    );
    let one = journal(scratch.dir(), Options::new()).unwrap();
    assert_eq!((one.trails.len(), one.records()), (1, 1));
    // A copy under another name is still the trail that its headers say.
    let copy = scratch.tmp.path().join("copy");
    fs::create_dir(&copy).unwrap();
    fs::copy(scratch.path(0), copy.join(&scratch.names()[0])).unwrap();
    let report = journal(&copy, Options::new()).unwrap();
    assert_eq!(
        (report.trails[0].trail, report.holds()),
        (Some(TRAIL), true),
        "{report}"
    );
}

#[test]
fn what_is_no_journal_is_refused_and_not_called_good() {
    let tmp = tempfile::tempdir().unwrap();
    let refused = journal(tmp.path(), Options::new());
    assert!(
        matches!(refused, Err(VerifyError::NotAJournal { .. })),
        "{refused:?}"
    );
    let refused = journal(tmp.path().join("missing"), Options::new());
    assert!(
        matches!(refused, Err(VerifyError::Io { .. })),
        "{refused:?}"
    );
    fs::write(tmp.path().join("notes.jsonl"), "{}").unwrap();
    let refused = journal(tmp.path(), Options::new());
    assert!(
        matches!(refused, Err(VerifyError::NotAJournal { .. })),
        "{refused:?}"
    );
}

#[test]
fn the_rest_of_an_abandoned_segment_may_be_anything_but_what_counts_of_it_may_not() {
    let scratch = Scratch::new(u64::MAX);
    let opened = scratch.open();
    commit(opened.inbox(), &["a"]);
    let first = scratch.path(0);
    let good = scratch.bytes(0);
    // The writer finds its file changed, gives it up, and goes on in another.
    fs::write(&first, [&good[..], b"torn \xff\n{}\n"].concat()).unwrap();
    commit(opened.inbox(), &["b"]);
    close(opened);
    assert_eq!(scratch.names().len(), 2);
    let report = scratch.check();
    assert_eq!(
        (kinds(&report), notes(&report)),
        (vec![], vec![NoteKind::Superseded]),
        "{report}"
    );
    assert_eq!((report.records, report.ended), (2, true));
    let mut bad = scratch.bytes(0);
    bad[good.len() - 10] ^= 1;
    scratch.put(0, &bad);
    let report = scratch.check();
    assert_eq!(kinds(&report).first(), Some(&Kind::Damaged), "{report}");
}

#[test]
fn a_run_that_died_and_was_continued_holds() {
    let scratch = Scratch::new(u64::MAX);
    let opened = scratch.open();
    intent(opened.inbox(), 7);
    commit(opened.inbox(), &["a", "b"]);
    intent(opened.inbox(), 8);
    let died = scratch.bytes(0);
    close(opened);
    let lines = scratch.lines(0);
    let text = lines.concat();
    for len in (died.len() / 2..died.len()).step_by(17) {
        let scratch = Scratch::new(u64::MAX);
        close(scratch.open());
        scratch.put(0, &text[..len]);
        let Some(before) = scratch.open_again() else {
            continue;
        };
        let report = scratch.check();
        assert_eq!(
            kinds(&report),
            [],
            "cut to {len}, carried {before}: {report}"
        );
    }
}

#[test]
fn a_newer_format_is_named_and_nothing_else_is_said() {
    let scratch = Scratch::sealed();
    let mut lines = scratch.lines(0);
    lines[0] = resealed(&lines[0], "\"format\":1", "\"format\":9");
    scratch.put_lines(0, &lines);
    let report = scratch.check();
    assert_eq!(kinds(&report), [Kind::Newer], "{report}");
    assert!(report.findings[0].what.contains("format 9"), "{report}");
}
