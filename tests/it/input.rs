//! Bad input: each is answered by a clear error or a marked record, never by a panic or a silent
//! loss.

use std::{
    error::Error,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sha2::{Digest, Sha256};
use tower_audit::{
    Actor, Audit, CommitError, Health, OnDamage, Record, StartError, assert_recorded,
    disk::{Disk, StdDisk},
    testing::{
        FixedClock, TestTrail,
        disk::{Call, Fault, TestDisk},
    },
    verify,
};

const EACCES: i32 = 13;

fn login() -> Record {
    Record::new("user.login").actor(Actor::user("146"))
}

/// What is on a disk below a directory: names and contents.
fn contents(disk: &TestDisk, dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    // The disk in memory lists its files from its root.
    let dir = dir.strip_prefix("/").unwrap();
    let mut paths = disk.paths();
    paths.retain(|path| path.starts_with(dir));
    assert!(!paths.is_empty(), "nothing below {}", dir.display());
    let read = |path: PathBuf| (path.clone(), disk.bytes(path).unwrap());
    paths.into_iter().map(read).collect()
}

fn segment_of(disk: &TestDisk, trail: &Path) -> PathBuf {
    let files = contents(disk, trail).into_iter();
    let is_segment = |path: &PathBuf| path.extension().is_some_and(|end| end == "jsonl");
    files.map(|(path, _)| path).find(is_segment).unwrap()
}

fn count(trail: &TestTrail, action: &str) -> usize {
    let everything = trail.everything();
    everything.iter().filter(|it| it.action == action).count()
}

fn journal_holds(disk: &TestDisk) {
    let options = verify::Options::new().disk(Arc::new(disk.clone()));
    let report = verify::journal("/audit", options).unwrap();
    assert!(report.holds(), "{report:#?}");
}

/// A trail on a volume that has no byte left but the reserve.
fn on_a_full_disk() -> TestTrail {
    let disk = TestDisk::new();
    let trail = TestTrail::on(&disk, |builder| builder.reserve_bytes(64 * 1024));
    trail.audit().commit_blocking(login()).unwrap();
    let space = disk.space(Path::new("/audit")).unwrap();
    disk.set_capacity(space.total - space.available);
    trail
}

// trap J2
#[test]
fn a_full_disk_is_written_down_from_the_reserve() {
    let trail = on_a_full_disk();
    let receipt = trail.audit().commit_blocking(login());
    assert!(receipt.is_ok(), "the reserve takes it: {receipt:?}");
    let report = trail.shutdown();
    assert!(report.in_order, "{report}");
    assert_recorded!(trail, {"action": "audit.disk_full", "outcome": "error"});
    assert_recorded!(trail, {"action": "audit.outage", "outcome": "error"});
    assert_eq!(trail.records().len(), 2);
    journal_holds(trail.disk());
}

// trap J2
#[test]
fn commits_fail_clearly_when_the_reserve_is_used_up_and_nothing_is_lost() {
    let trail = on_a_full_disk();
    let large = || login().detail("text", vec!["x".repeat(4000); 2]);
    let (mut taken, mut error) = (1, None);
    while error.is_none() {
        assert!(taken < 100, "64 KiB cannot hold this");
        taken += 1;
        error = trail.audit().commit_blocking(large()).err();
    }
    let error = error.unwrap();
    assert!(matches!(error, CommitError::Failing { .. }), "{error:?}");
    assert!(error.to_string().contains("space"), "{error}");
    let health = trail.audit().health();
    assert!(matches!(health, Health::Failing(_)), "{health:?}");

    trail.disk().set_capacity(1 << 30);
    let report = trail.shutdown();
    assert!(report.in_order, "{report}");
    assert_eq!((report.lost, report.unstored), (0, 0), "{report}");
    assert_eq!(trail.records().len(), taken);
    assert_recorded!(trail, {"action": "audit.disk_full", "outcome": "error"});
    journal_holds(trail.disk());
}

// trap J12
#[test]
fn a_clock_that_stepped_back_refuses_nothing_and_is_recorded() {
    const HOUR: Duration = Duration::from_secs(3600);
    let clock = FixedClock::default();
    let trail = TestTrail::with(|builder| builder.clock(clock.clone()));
    trail.audit().commit_blocking(login()).unwrap();
    clock.step_back(HOUR);
    let stepped = tower_audit::clock::Clock::now(&clock);
    for _ in 0..3 {
        trail.audit().commit_blocking(login()).unwrap();
    }
    assert!(trail.shutdown().in_order);
    let records = trail.records();
    assert_eq!(records.len(), 4);
    for record in &records[1..] {
        assert_eq!(record.timestamp(), Some(stepped));
        assert_eq!(record.id().map(|id| id.timestamp()), Some(stepped));
    }
    let everything = trail.everything();
    let back = |record: &&Record| {
        let by_us = record.details.get("by_us").and_then(|by| by.as_i64());
        record.action == "audit.clock_step" && by_us < Some(-3_590_000_000)
    };
    assert_eq!(everything.iter().filter(back).count(), 1, "{everything:#?}");
    journal_holds(trail.disk());
}

// trap J12
#[test]
fn a_start_before_the_last_commit_continues_the_trail() {
    let (disk, clock) = (TestDisk::new(), FixedClock::default());
    let first = TestTrail::on(&disk, |builder| builder.clock(clock.clone()));
    first.audit().commit_blocking(login()).unwrap();
    assert!(first.shutdown().in_order);
    let origin = first.audit().origin().trail;
    drop(first);
    clock.step_back(Duration::from_secs(400 * 24 * 3600));
    let again = TestTrail::on(&disk, |builder| builder.clock(clock.clone()));
    again.audit().commit_blocking(login()).unwrap();
    assert_eq!(again.audit().origin().trail, origin);
    assert_eq!(again.records().len(), 2);
    assert!(again.shutdown().in_order);
    journal_holds(&disk);
}

#[test]
fn what_is_not_ours_in_the_base_is_left_alone() {
    let disk = TestDisk::new();
    for dir in [
        "lost+found",
        "trail-",
        "trail-x",
        "trail-019B76DA-A800-7000-8000-000000000000",
        "docs/trail-019b76da-a800-7000-8000-000000000000",
    ] {
        disk.create_dir(&Path::new("/audit").join(dir)).unwrap();
    }
    for file in [
        "README",
        "notes.jsonl",
        "lock",
        "00000000000000000000-0000000001.jsonl",
        "trail-019b76da-a800-7000-8000-000000000001",
        "trail-x/00000000000000000000-0000000001.jsonl",
        "lost+found/lock",
    ] {
        disk.put(Path::new("/audit").join(file), b"not ours\n")
            .unwrap();
    }
    let before = contents(&disk, Path::new("/audit"));
    for _ in 0..2 {
        let trail = TestTrail::on(&disk, |builder| builder);
        trail.audit().commit_blocking(login()).unwrap();
        assert_eq!(trail.audit().health(), Health::Ok);
        assert!(trail.shutdown().in_order);
    }
    let mut after = contents(&disk, Path::new("/audit"));
    after.retain(|found| before.contains(found));
    assert_eq!(after, before);
}

#[test]
fn a_foreign_file_in_a_trail_is_left_alone() {
    let disk = TestDisk::new();
    let first = TestTrail::on(&disk, |builder| builder);
    first.audit().commit_blocking(login()).unwrap();
    assert!(first.shutdown().in_order);
    let dir = first.audit().trail_dir().to_path_buf();
    drop(first);
    let names = ["notes.txt", "backup.jsonl", "1-1.jsonl", "old.jsonl.new"];
    for name in names {
        disk.put(dir.join(name), b"not ours\n").unwrap();
    }
    let again = TestTrail::on(&disk, |builder| builder);
    assert_eq!(again.audit().trail_dir(), dir);
    assert_eq!(again.records().len(), 1);
    assert!(again.shutdown().in_order);
    for name in names {
        assert_eq!(disk.bytes(dir.join(name)).unwrap(), b"not ours\n", "{name}");
    }
}

/// A disk with one trail that a later version wrote, and that trail's directory.
fn of_a_newer_version() -> (TestDisk, PathBuf) {
    let disk = TestDisk::new();
    let trail = TestTrail::on(&disk, |builder| builder);
    trail.audit().commit_blocking(login()).unwrap();
    assert!(trail.shutdown().in_order);
    let dir = trail.audit().trail_dir().to_path_buf();
    let segment = segment_of(&disk, &dir);
    let text = String::from_utf8(disk.bytes(&segment).unwrap()).unwrap();
    let (head, rest) = text.split_once('\n').unwrap();
    // `{"h":"<32 hex>",<body>}`, and the check sum is over the body.
    let body = head[40..head.len() - 1].replacen("\"format\":1,", "\"format\":2,", 1);
    assert_eq!(body.get(..19), Some("\"head\":{\"format\":2,"));
    let sum = Sha256::digest(body.as_bytes());
    let sum: String = sum[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let head = format!("{{\"h\":\"{sum}\",{body}}}");
    disk.put(&segment, format!("{head}\n{rest}").as_bytes())
        .unwrap();
    (disk, dir)
}

#[test]
fn a_trail_of_a_newer_format_is_left_alone_and_the_next_one_says_so_first() {
    let (disk, dir) = of_a_newer_version();
    let before = contents(&disk, &dir);
    let trail = TestTrail::on(&disk, |builder| builder);
    assert_ne!(trail.audit().trail_dir(), dir);
    let first = trail.everything().swap_remove(0);
    assert_eq!(first.action, "audit.trail_damaged");
    let name = dir.file_name().unwrap().to_str().unwrap();
    assert_eq!(first.targets[0].id.as_deref(), Some(name));
    let said = first.error.unwrap().message.unwrap();
    assert!(
        said.contains("format 2") && said.contains("newer version"),
        "{said}"
    );
    let health = trail.audit().health();
    assert!(matches!(health, Health::Degraded(_)), "{health:?}");
    trail.audit().commit_blocking(login()).unwrap();
    assert!(trail.shutdown().in_order);
    assert_eq!(contents(&disk, &dir), before);
}

#[test]
fn a_trail_that_is_left_is_recorded_once() {
    let (disk, _) = of_a_newer_version();
    let often = Duration::from_millis(1);
    let trail = TestTrail::on(&disk, |builder| builder.adopt_every(often));
    let looks = disk.count(Call::List);
    assert!(disk.wait_count(Call::List, looks + 10));
    assert!(trail.shutdown().in_order);
    assert_eq!(count(&trail, "audit.trail_damaged"), 1);
}

#[test]
fn a_trail_of_a_newer_format_is_refused_when_that_was_asked_for() {
    let (disk, dir) = of_a_newer_version();
    let refused = Audit::builder("test")
        .dir("/audit")
        .disk(disk)
        .on_damage(OnDamage::Refuse)
        .start_blocking();
    let Err(StartError::Damaged { dir: named, source }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(named, dir);
    assert!(source.to_string().contains("newer version"), "{source}");
}

#[test]
fn a_missing_directory_is_made() {
    let tmp = tempfile::tempdir().unwrap();
    let dir = tmp.path().join("var/lib/docs/audit");
    let audit = Audit::builder("test").dir(&dir).start_blocking().unwrap();
    audit.commit_blocking(login()).unwrap();
    assert!(audit.trail_dir().starts_with(&dir));
    let report = audit.shutdown_blocking(Duration::from_secs(10));
    assert!(report.in_order, "{report}");
    let verified = verify::journal(&dir, verify::Options::new()).unwrap();
    assert!(verified.holds() && verified.records() == 3, "{verified:#?}");
}

#[test]
fn a_directory_that_may_not_be_written_is_an_error_that_names_it() {
    for call in [Call::CreateDir, Call::List, Call::SyncDir, Call::Lock] {
        let disk = TestDisk::new();
        disk.inject(Fault::errno([call], EACCES).until_cleared());
        let refused = Audit::builder("test")
            .dir("/srv/audit")
            .disk(disk)
            .start_blocking();
        let Err(error @ StartError::Dir { .. }) = refused else {
            panic!("{call:?}: {refused:?}");
        };
        assert!(
            error.to_string().contains("/srv/audit"),
            "{call:?}: {error}"
        );
        let tried = error.source().unwrap();
        let cause = tried.source().map(ToString::to_string).unwrap_or_default();
        assert!(
            tried.to_string().contains("/srv/audit") && cause.contains("ermission denied"),
            "{call:?}: {tried}: {cause}"
        );
    }
}

#[test]
fn a_directory_below_a_file_is_an_error_that_names_it() {
    let tmp = tempfile::tempdir().unwrap();
    std::fs::write(tmp.path().join("file"), "x").unwrap();
    let refused = Audit::builder("test")
        .dir(tmp.path().join("file/audit"))
        .disk(StdDisk)
        .start_blocking();
    let Err(error @ StartError::Dir { .. }) = refused else {
        panic!("{refused:?}");
    };
    assert!(error.to_string().contains("file/audit"), "{error}");
}

#[cfg(feature = "sqlite")]
mod sinks {
    use tower_audit::{
        AuditBuilder, SinkOptions,
        sink::{SqliteSink, url},
    };

    use super::*;

    #[test]
    fn a_sink_address_with_a_typo_is_told_before_anything_starts() {
        for (address, part, expected) in [
            ("sqlte://audit.db", "scheme", "did you mean sqlite?"),
            (
                "sqlite://audit.db?prefx=a_",
                "option",
                "did you mean prefix?",
            ),
            ("sqlite:/audit.db", "scheme", "://"),
        ] {
            let error = url::parse(address).err().expect(address);
            assert_eq!(error.part, part, "{error}");
            assert!(error.expected.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_sink_name_that_cannot_be_a_cursor_s_is_refused() {
        let sink = || SqliteSink::new("/nowhere/audit.db");
        let refused = |configure: &dyn Fn(AuditBuilder) -> AuditBuilder| {
            let builder = Audit::builder("test").dir("/audit").disk(TestDisk::new());
            configure(builder).start_blocking().unwrap_err().to_string()
        };
        for name in ["", "../x", "a/b", "a\0b"] {
            let error = refused(&|builder| builder.sink(name, sink()));
            assert!(error.contains("`sink`"), "{name:?}: {error}");
        }
        let error = refused(&|builder| builder.sink("db", sink()).sink("db", sink()));
        assert!(error.contains("two sinks are named db"), "{error}");
    }

    #[test]
    fn a_sink_that_cannot_be_reached_does_not_keep_a_service_from_starting() {
        let tmp = tempfile::tempdir().unwrap();
        let missing = format!("sqlite://{}/missing/audit.db", tmp.path().display());
        let sink = url::parse(&missing).unwrap();
        let trail = TestTrail::with(|builder| builder.sink_with("db", sink, SinkOptions::new()));
        trail.audit().commit_blocking(login()).unwrap();
        let deadline = std::time::Instant::now() + Duration::from_secs(30);
        while trail.audit().health() == Health::Ok {
            assert!(std::time::Instant::now() < deadline, "health says nothing");
            std::thread::yield_now();
        }
        let health = trail.audit().health();
        let said = health.reasons().join("; ");
        assert!(said.contains("sink db"), "{said}");
        assert!(health.is_ready(), "{health:?}");
        let report = trail.shutdown();
        assert!(report.in_order, "{report}");
        assert!(report.sinks[0].undelivered > 0, "{report}");
    }
}
