//! The handle: what it takes, what it promises, how it ends.

use std::time::Duration;

use tower_audit::{
    Actor, Audit, CommitError, Health, OnDamage, Record, Rejected, StartError, assert_recorded,
    disk::StdDisk,
    testing::{
        TestTrail,
        disk::{Call, Fault, TestDisk},
    },
};

fn login() -> Record {
    Record::new("user.login").actor(Actor::user("146"))
}

fn actions(trail: &TestTrail) -> Vec<String> {
    trail
        .everything()
        .iter()
        .map(|record| record.action.to_string())
        .collect()
}

#[test]
fn a_committed_record_has_a_receipt_that_names_its_place() {
    let trail = TestTrail::start();
    let receipt = trail.audit().commit_blocking(login()).unwrap();
    let record = assert_recorded!(trail, {"action": "user.login", "outcome": "success"});
    assert_eq!(record.id(), Some(receipt.id));
    let line = &trail.lines()[usize::try_from(receipt.number).unwrap()];
    assert_eq!(
        tower_audit::evidence::leaf_hash(line.as_bytes()),
        receipt.leaf
    );
    assert!(receipt.number < receipt.tree_size);
}

#[test]
fn a_trail_introduces_itself_and_says_goodbye() {
    let disk = TestDisk::new();
    TestTrail::on(&disk, |builder| builder)
        .shutdown()
        .in_order
        .then_some(())
        .unwrap();
    let again = TestTrail::on(&disk, |builder| builder);
    assert_eq!(
        actions(&again),
        ["audit.start", "audit.stop", "audit.start"]
    );
    let last = again.everything().pop().unwrap();
    assert_eq!(last.details["last_run"], "in order");
}

#[test]
fn a_record_after_the_shutdown_is_refused_and_a_second_shutdown_is_harmless() {
    let trail = TestTrail::start();
    trail.audit().record(login()).unwrap();
    let first = trail.shutdown();
    let second = trail.shutdown();
    assert_eq!(first, second);
    assert_eq!(trail.audit().record(login()), Err(Rejected::Closed));
    assert_eq!(
        trail.audit().commit_blocking(login()),
        Err(CommitError::Rejected(Rejected::Closed))
    );
    assert_eq!(trail.audit().stats().rejected_closed, 2);
    assert_eq!(trail.records().len(), 1);
}

#[test]
fn the_last_handle_commits_what_was_recorded() {
    let disk = TestDisk::new();
    let trail = TestTrail::on(&disk, |builder| {
        builder.buffered_delay(Duration::from_secs(3600))
    });
    trail.audit().record(login()).unwrap();
    drop(trail);
    let again = TestTrail::on(&disk, |builder| builder);
    assert_eq!(again.records().len(), 1);
    assert_eq!(
        actions(&again)[..3],
        ["audit.start", "user.login", "audit.stop"]
    );
}

// Trap J13: nothing that was acknowledged is missing after `kill -9`, and the trail says so.
#[test]
fn a_killed_process_leaves_what_was_acknowledged_and_an_unclean_start() {
    let disk = TestDisk::new();
    let trail = TestTrail::on(&disk, |builder| builder);
    trail.audit().commit_blocking(login()).unwrap();
    let again = TestTrail::on(&disk.after_kill(), |builder| builder);
    assert_eq!(again.records().len(), 1);
    assert_recorded!(again, {"action": "audit.unclean_start", "outcome": "error"});
}

#[test]
fn an_outage_is_written_down_when_it_is_over() {
    let trail = TestTrail::start();
    let before = trail.audit().stats();
    trail.disk().inject(Fault::eio([Call::Sync]));
    trail.audit().commit_blocking(login()).unwrap();
    // The event takes its way over the keeper's thread; a shutdown waits for it.
    let report = trail.shutdown();
    assert!(report.in_order, "{report}");
    let after = trail.audit().stats();
    assert_eq!(after.write_failures, before.write_failures + 1);
    assert_recorded!(trail, {"action": "audit.outage", "outcome": "error", "details": {"failed_writes": 1, "lost": 0}});
    assert_eq!(after.emitted, after.stored + after.queued + after.lost);
}

#[test]
fn a_failing_disk_fails_commits_but_not_the_service() {
    let trail = TestTrail::start();
    trail.audit().commit_blocking(login()).unwrap();
    trail
        .disk()
        .inject(Fault::eio([Call::Sync]).until_cleared());
    let error = trail.audit().commit_blocking(login()).unwrap_err();
    assert!(matches!(error, CommitError::Failing { .. }), "{error:?}");
    assert!(
        matches!(trail.audit().health(), Health::Failing(_)),
        "{:?}",
        trail.audit().health()
    );
    assert!(!trail.audit().health().is_ready());
    trail.disk().clear_faults();
    // Both records are there once writing works, the one whose commit failed too.
    assert_eq!(
        trail
            .audit()
            .shutdown_blocking(Duration::from_secs(30))
            .unstored,
        0
    );
    assert_eq!(trail.records().len(), 2);
}

#[test]
fn a_stalled_disk_lets_answers_go_on_after_the_commit_timeout() {
    // Long enough for the first commit, also on a machine that is busy with other tests.
    let after = Duration::from_secs(2);
    let trail = TestTrail::with(|builder| builder.commit_timeout(after));
    trail.audit().commit_blocking(login()).unwrap();
    trail.disk().stall(Call::Sync);
    let error = trail.audit().commit_blocking(login()).unwrap_err();
    assert_eq!(error, CommitError::TimedOut { after });
    // Nobody else waits while it lasts.
    let error = trail.audit().commit_blocking(login()).unwrap_err();
    assert!(matches!(error, CommitError::Failing { .. }), "{error:?}");
    trail.disk().release(Call::Sync);
    assert!(trail.shutdown().in_order);
    assert_eq!(trail.records().len(), 3);
    assert_recorded!(trail, {"action": "audit.outage"});
}

// Trap J5: never a fresh chain in silence.
#[test]
fn a_damaged_trail_is_left_alone_and_the_next_one_says_so_first() {
    let disk = TestDisk::new();
    let trail = TestTrail::on(&disk, |builder| builder);
    trail.audit().commit_blocking(login()).unwrap();
    trail.audit().commit_blocking(login()).unwrap();
    let _ = trail.shutdown();
    drop(trail);
    let segment = disk
        .paths()
        .into_iter()
        .find(|path| path.extension().is_some_and(|end| end == "jsonl"))
        .unwrap();
    disk.overwrite(&segment, 700, b"#").unwrap();
    let damaged = disk.bytes(&segment).unwrap();

    let again = TestTrail::on(&disk, |builder| builder);
    assert_eq!(actions(&again)[..2], ["audit.trail_damaged", "audit.start"]);
    let first = again.everything().swap_remove(0);
    let file = segment.file_name().unwrap().to_str().unwrap();
    assert_eq!(first.details["file"], file);
    assert!(
        matches!(again.audit().health(), Health::Degraded(_)),
        "{:?}",
        again.audit().health()
    );
    assert_eq!(
        disk.bytes(&segment).unwrap(),
        damaged,
        "it is left as it is"
    );

    let refused = Audit::builder("test")
        .dir("/audit")
        .disk(disk.after_kill())
        .on_damage(OnDamage::Refuse)
        .start_blocking();
    // The second trail holds; only the damaged one is refused, and it is not the newest.
    let _ = refused.map(|audit| audit.shutdown_blocking(Duration::from_secs(5)));
}

#[test]
fn a_damaged_trail_is_refused_when_that_was_asked_for() {
    let disk = TestDisk::new();
    let trail = TestTrail::on(&disk, |builder| builder);
    trail.audit().commit_blocking(login()).unwrap();
    let _ = trail.shutdown();
    drop(trail);
    let segment = disk
        .paths()
        .into_iter()
        .find(|path| path.extension().is_some_and(|end| end == "jsonl"))
        .unwrap();
    disk.overwrite(&segment, 700, b"#").unwrap();
    let refused = Audit::builder("test")
        .dir("/audit")
        .disk(disk)
        .on_damage(OnDamage::Refuse)
        .start_blocking();
    assert!(
        matches!(refused, Err(StartError::Damaged { .. })),
        "{refused:?}"
    );
}

// Trap J4: what one process leaves, the other delivers.
#[test]
fn a_trail_of_a_dead_process_is_adopted_and_its_intents_are_closed() {
    let disk = TestDisk::new();
    let first = TestTrail::on(&disk, |builder| builder);
    let other = disk.process();
    let second = TestTrail::on(&other, |builder| {
        builder.adopt_every(Duration::from_millis(5))
    });
    assert_ne!(first.audit().origin().trail, second.audit().origin().trail);
    first.audit().commit_blocking(login()).unwrap();
    disk.kill();
    let adopted = || {
        second
            .everything()
            .iter()
            .any(|record| record.action.as_str() == "audit.trail_adopted")
    };
    wait_until("the trail is adopted", adopted);
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(std::time::Instant::now() < deadline, "in vain: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_directory_that_cannot_be_used_is_an_error_that_names_it() {
    let tmp = tempfile::tempdir().unwrap();
    let file = tmp.path().join("a-file");
    std::fs::write(&file, "x").unwrap();
    let error = Audit::builder("test")
        .dir(&file)
        .disk(StdDisk)
        .start_blocking()
        .unwrap_err();
    assert!(error.to_string().contains("a-file"), "{error}");
    assert!(matches!(error, StartError::Dir { .. }), "{error:?}");
}

#[test]
fn a_setting_that_cannot_be_meant_is_refused_by_its_name() {
    let start = |configure: fn(tower_audit::AuditBuilder) -> tower_audit::AuditBuilder| {
        let builder = Audit::builder("test").dir("/audit").disk(TestDisk::new());
        configure(builder).start_blocking().unwrap_err().to_string()
    };
    for (setting, error) in [
        ("memory_limit", start(|builder| builder.memory_limit(1))),
        ("segment_bytes", start(|builder| builder.segment_bytes(1))),
        (
            "commit_timeout",
            start(|builder| builder.commit_timeout(Duration::ZERO)),
        ),
    ] {
        assert!(error.contains(setting), "{error}");
    }
    let nameless = Audit::builder(" ")
        .dir("/audit")
        .disk(TestDisk::new())
        .start_blocking();
    assert!(
        matches!(nameless, Err(StartError::Config { .. })),
        "{nameless:?}"
    );
}

#[test]
fn the_counters_are_readable_by_prometheus() {
    let trail = TestTrail::start();
    trail.audit().commit_blocking(login()).unwrap();
    let text = trail.audit().prometheus();
    assert!(text.contains("\naudit_records_stored_total 2\n"), "{text}");
    for line in text.lines() {
        let form = line.starts_with("# HELP ")
            || line.starts_with("# TYPE ")
            || line.split(' ').count() == 2;
        assert!(form, "{line}");
    }
}

#[tokio::test]
async fn a_shutdown_from_a_runtime_blocks_nobody() {
    let audit = Audit::builder("test")
        .dir("/audit")
        .disk(TestDisk::new())
        .start()
        .await
        .unwrap();
    audit.commit(login()).await.unwrap();
    let report = audit.shutdown(Duration::from_secs(5)).await;
    assert!(report.in_order, "{report}");
}
