//! What the trail does by itself: adopt, prune, warn, verify, write down.

use std::time::{Duration, Instant};

use tower_audit::{
    AuditBuilder, Health, Record, SinkOptions, assert_recorded,
    record::Outcome,
    testing::{
        TestTrail,
        disk::{Call, TestDisk},
        sinks::{Answer, MemoryStore, Script},
    },
};

fn login() -> Record {
    Record::new("user.login")
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::yield_now();
    }
}

fn has(trail: &TestTrail, action: &str) -> bool {
    trail
        .everything()
        .iter()
        .any(|record| record.action == action)
}

fn restless(builder: AuditBuilder) -> AuditBuilder {
    let often = Duration::from_millis(2);
    builder.adopt_every(often).tidy_every(often)
}

fn segments(disk: &TestDisk) -> usize {
    let is_segment =
        |path: &&std::path::PathBuf| path.extension().is_some_and(|end| end == "jsonl");
    disk.paths().iter().filter(is_segment).count()
}

// Trap J4: what one process leaves, another delivers, exactly once.
#[test]
fn an_adopted_trail_reaches_the_sinks_once_and_is_free_again() {
    let disk = TestDisk::new();
    let store = MemoryStore::new();
    let first = TestTrail::on(&disk, |builder| builder);
    let other = disk.process();
    let second = TestTrail::on(&other, |builder| {
        restless(builder).sink("memory", store.sink())
    });
    let orphan = first.audit().origin().trail;
    for _ in 0..10 {
        first.audit().commit_blocking(login()).unwrap();
    }
    disk.kill();
    store.wait_until("the orphan is delivered", |contents| {
        contents.numbers(orphan).len() == 11
    });
    wait_until("its adoption is recorded", || {
        has(&second, "audit.trail_adopted")
    });
    assert_eq!(
        store.contents().numbers(orphan),
        (0..11).collect::<Vec<_>>()
    );

    // A third process continues the trail that was given back.
    let third = other.process();
    wait_until("the orphan is free", || {
        let third = TestTrail::on(&third, |builder| builder);
        third.audit().origin().trail == orphan
    });
}

#[test]
fn delivered_segments_are_pruned_after_a_record_of_it() {
    let store = MemoryStore::new();
    let trail = TestTrail::with(|builder| {
        restless(builder)
            .segment_bytes(4096)
            .keep_delivered(Duration::from_secs(3600), 8192)
            .sink("memory", store.sink())
    });
    for _ in 0..100 {
        trail.audit().commit_blocking(login()).unwrap();
    }
    wait_until("old segments are gone", || segments(trail.disk()) <= 4);
    assert!(trail.shutdown().in_order);
    let dead_or_missed = |sink: &tower_audit::stats::SinkStats| sink.dead + sink.missed;
    assert_eq!(
        trail
            .audit()
            .stats()
            .sinks
            .iter()
            .map(dead_or_missed)
            .sum::<u64>(),
        0
    );
    let pruned =
        |stored: &&tower_audit::testing::sinks::Stored| stored.json.contains("\"audit.pruned\"");
    let contents = store.contents();
    let told = contents.records.iter().filter(pruned).count();
    assert!(told > 0, "the sink heard of it");
}

#[test]
fn without_a_sink_nothing_counts_as_delivered() {
    let trail = TestTrail::with(|builder| {
        restless(builder)
            .segment_bytes(4096)
            .keep_delivered(Duration::ZERO, 0)
            .keep_undelivered(u64::MAX)
    });
    for _ in 0..100 {
        trail.audit().commit_blocking(login()).unwrap();
    }
    let before = segments(trail.disk());
    assert!(before > 4);
    let reads = trail.disk().count(Call::List);
    wait_until("it was looked at again", || {
        trail.disk().count(Call::List) > reads + 4
    });
    assert_eq!(segments(trail.disk()), before);
    assert_eq!(trail.records().len(), 100);
}

#[test]
fn a_sink_that_is_too_far_behind_misses_the_oldest_and_everybody_is_told() {
    let store = MemoryStore::new();
    let script = Script::new();
    let trail = TestTrail::with(|builder| {
        restless(builder)
            .segment_bytes(4096)
            .keep_undelivered(16 * 1024)
            .sink("memory", script.around(store.sink()))
    });
    // It has said where it is; one that never did is given a minute.
    trail.audit().commit_blocking(login()).unwrap();
    store.wait_until("the sink works", |contents| !contents.records.is_empty());
    script.always(Answer::Retry);
    for _ in 0..200 {
        trail.audit().commit_blocking(login()).unwrap();
    }
    wait_until("the bound holds", || segments(trail.disk()) <= 7);
    wait_until("health warns", || {
        matches!(trail.audit().health(), Health::Degraded(_))
    });
    script.heal();
    assert!(trail.audit().sinks().resume("memory"));
    assert!(trail.shutdown().in_order);
    let stats = trail.audit().stats();
    let sink = &stats.sinks[0];
    assert!(sink.missed > 0, "{sink:?}");
    assert_eq!(
        sink.committed,
        sink.delivered + sink.pending + sink.dead + sink.missed,
        "{sink:?}"
    );
    assert_eq!(sink.pending, 0, "{sink:?}");
}

#[test]
fn the_trail_verifies_itself_and_says_what_it_found() {
    let trail = TestTrail::with(|builder| builder.verify_every(Duration::from_millis(5)));
    trail.audit().commit_blocking(login()).unwrap();
    wait_until("it was verified", || has(&trail, "audit.verify"));
    let good = trail
        .everything()
        .into_iter()
        .find(|record| record.action == "audit.verify")
        .unwrap();
    assert_eq!(good.outcome, Some(Outcome::Success), "{good:?}");

    let segment = trail
        .disk()
        .paths()
        .into_iter()
        .find(|path| path.extension().is_some_and(|end| end == "jsonl"));
    trail.disk().overwrite(segment.unwrap(), 600, b"#").unwrap();
    let found = || matches!(trail.audit().health(), Health::Degraded(reasons) if reasons.iter().any(|reason| reason.contains("verify")));
    wait_until("the damage is found", found);
}

#[test]
fn sinks_are_added_paused_resumed_and_removed_and_each_is_recorded() {
    let (first, second) = (MemoryStore::new(), MemoryStore::new());
    let trail = TestTrail::with(|builder| builder.sink("first", first.sink()));
    let sinks = trail.audit().sinks();
    assert!(sinks.pause("first"));
    assert!(!sinks.pause("nobody"));
    sinks
        .add("second", Box::new(second.sink()), SinkOptions::new())
        .unwrap();
    assert!(
        sinks
            .add("second", Box::new(second.sink()), SinkOptions::new())
            .is_err()
    );
    trail.audit().commit_blocking(login()).unwrap();
    second.wait_until("the second sink has it", |contents| {
        contents
            .records
            .iter()
            .any(|stored| stored.json.contains("user.login"))
    });
    let paused = first.contents();
    assert!(
        !paused
            .records
            .iter()
            .any(|stored| stored.json.contains("user.login")),
        "it stands still"
    );
    assert!(sinks.resume("first"));
    first.wait_until("the first sink goes on", |contents| {
        contents
            .records
            .iter()
            .any(|stored| stored.json.contains("user.login"))
    });
    let report = sinks.remove("second", Duration::from_secs(10)).unwrap();
    assert!(!report.stuck, "{report:?}");
    assert_eq!(sinks.list().len(), 1);
    for (action, sink) in [
        ("audit.sink_paused", "first"),
        ("audit.sink_added", "second"),
        ("audit.sink_resumed", "first"),
        ("audit.sink_removed", "second"),
    ] {
        assert_recorded!(trail, {"action": action, "targets": [{"type": "sink", "id": sink}]});
    }
}
