//! A disk that fails once, or until it is repaired; one that is full; files changed by others.

use super::*;

const FAILURES: [fn(Vec<Call>) -> Fault; 2] = [Fault::eio, Fault::enospc];

fn small(disk: &TestDisk) -> (Base, mpsc::Receiver<TrailEvent>) {
    let (mut base, events) = in_memory(disk);
    base.settings.segment_bytes = 700;
    base.settings.retry_max = Duration::from_millis(1);
    (base, events)
}

fn opened(base: &Base) -> Opened {
    base.open(Uuid::from_u128(1)).unwrap()
}

fn numbered(numbers: std::ops::Range<u64>) -> Vec<(u64, String)> {
    numbers.map(|number| (number, number.to_string())).collect()
}

/// Returns when all numbers below `size` are durable.
fn landed(inbox: &Inbox, size: u64) {
    let mut mark = inbox.mark();
    block_on(mark.wait_for(|mark| *mark >= size)).unwrap();
}

fn next_outage(events: &mpsc::Receiver<TrailEvent>) -> Outage {
    loop {
        match events.recv_timeout(Duration::from_secs(30)).unwrap() {
            TrailEvent::Outage(outage) => return outage,
            _ => continue,
        }
    }
}

/// Nothing was written to a segment after a call on it had failed.
fn check_abandoned(disk: &TestDisk, what: &str) {
    let mut given_up: Vec<PathBuf> = Vec::new();
    for call in disk.log() {
        let writes = matches!(call.call, Call::Write | Call::Sync | Call::Rename);
        assert!(!writes || !given_up.contains(&call.path), "{what}: {call}");
        if call.error.is_some() && writes {
            given_up.push(call.path);
        }
    }
}

// Trap J1, J2
#[test]
fn any_single_failure_is_survived_in_a_new_segment_and_nobody_notices() {
    for failure in FAILURES {
        for (calls, writing) in (0..40).flat_map(|calls| [(calls, 0), (calls, 60)]) {
            let disk = TestDisk::new();
            let (base, events) = small(&disk);
            let opened = opened(&base);
            assert_eq!(commit(opened.inbox(), "0").unwrap().size, 1);
            let fault = failure(Call::CHANGES.to_vec());
            disk.inject(fault.after(calls).writing(writing));
            for number in 1..8 {
                let head = commit(opened.inbox(), &number.to_string()).unwrap();
                assert_eq!(head.size, number + 1);
            }
            let what = format!("{calls} calls, {writing} bytes");
            assert_eq!(opened.inbox().failing(), None, "{what}");
            check_abandoned(&disk, &what);
            if disk.faults_left() == 0 {
                let outage = next_outage(&events);
                assert_eq!((outage.failures, outage.lost), (1, 0), "{what}");
            }
            for (crash, after) in disk.every_crash() {
                let (base, _) = small(&after);
                let again = base.open(Uuid::from_u128(2)).unwrap();
                let flushed = again.inbox().flush().map(block_on);
                assert!(matches!(flushed, None | Some(Ok(_))), "{flushed:?}");
                let found = read_all(&after, again.dir(), u64::MAX);
                assert_eq!(found, (numbered(0..8), vec![]), "{what}, {crash}");
            }
        }
    }
}

// Trap J1
#[test]
fn while_the_disk_fails_nobody_is_told_ok_and_afterwards_all_is_there() {
    for call in [
        Call::Sync,
        Call::Write,
        Call::CreateNew,
        Call::Rename,
        Call::SyncDir,
    ] {
        let disk = TestDisk::new();
        let (base, events) = small(&disk);
        let opened = opened(&base);
        let inbox = opened.inbox();
        commit(inbox, "0").unwrap();
        disk.inject(Fault::eio([call, Call::Sync]).until_cleared());
        let CommitError::Failing { cause } = commit(inbox, "1").unwrap_err() else {
            panic!("{call:?}");
        };
        assert_eq!(inbox.failing(), Some(cause.clone()));
        for number in 2..5 {
            let told = commit(inbox, &number.to_string());
            assert_eq!(
                told,
                Err(CommitError::Failing {
                    cause: cause.clone()
                })
            );
        }
        let counts = inbox.counts();
        assert_eq!((counts.emitted, counts.stored, counts.queued), (5, 1, 4));
        disk.clear_faults();
        landed(inbox, 5);
        let outage = next_outage(&events);
        assert_eq!((outage.cause, outage.waited, outage.lost), (cause, 4, 0));
        assert!(outage.failures >= 2 && outage.start <= outage.end);
        assert_eq!(commit(inbox, "5").unwrap().size, 6);
        assert_eq!(inbox.failing(), None);
        check_abandoned(&disk, &format!("{call:?}"));
        let after = disk.after_crash(Crash::losing_all());
        assert_eq!(read_all(&after, opened.dir(), 6), (numbered(0..6), vec![]));
    }
}

// Trap J2
#[test]
fn a_full_disk_gets_the_reserve_back_and_takes_it_again_when_there_is_room() {
    let disk = TestDisk::new();
    let (mut base, events) = small(&disk);
    base.settings.reserve_bytes = 16_384;
    base.settings.reserve_pause = Duration::ZERO;
    let opened = opened(&base);
    let reserve = opened.dir().join("reserve");
    commit(opened.inbox(), "0").unwrap();
    assert_eq!(disk.bytes(&reserve).unwrap().len(), 16_384);
    let space = crate::disk::Disk::space(&disk, Path::new("")).unwrap();
    disk.set_capacity(space.total - space.available + 100);
    assert_eq!(commit(opened.inbox(), "1").unwrap().size, 2);
    let released = events.recv_timeout(Duration::from_secs(30)).unwrap();
    assert!(
        matches!(released, TrailEvent::ReserveReleased { .. }),
        "{released:?}"
    );
    let outage = next_outage(&events);
    assert_eq!((outage.failures, outage.lost), (1, 0));
    disk.bytes(&reserve).unwrap_err();
    disk.set_capacity(1 << 20);
    commit(opened.inbox(), "2").unwrap();
    assert_eq!(opened.journal.close(soon()), Closed::InOrder);
    assert_eq!(disk.bytes(&reserve).unwrap().len(), 16_384);
}

// Trap J2
#[test]
fn a_full_disk_without_a_reserve_keeps_all_in_memory_until_there_is_room() {
    let disk = TestDisk::new();
    let (base, events) = small(&disk);
    let opened = opened(&base);
    let inbox = opened.inbox();
    commit(inbox, "0").unwrap();
    disk.set_capacity(0);
    for number in 1..4 {
        let told = commit(inbox, &number.to_string());
        assert!(matches!(told, Err(CommitError::Failing { .. })), "{told:?}");
    }
    disk.set_capacity(1 << 20);
    landed(inbox, 4);
    assert_eq!(next_outage(&events).lost, 0);
    assert_eq!(opened.journal.close(soon()), Closed::InOrder);
    assert_eq!(read_all(&disk, opened.dir(), 4), (numbered(0..4), vec![]));
    let half_made = disk
        .paths()
        .into_iter()
        .filter(|path| path.extension() == Some("new".as_ref()));
    assert_eq!(
        half_made.count(),
        0,
        "what could not be finished takes no room"
    );
}

type Tamper = fn(&TestDisk, &Path);

// Trap J3
#[test]
fn a_segment_changed_by_somebody_else_is_left_and_nothing_more_goes_there() {
    let table: [(&str, Tamper); 5] = [
        ("rm", |disk, file| disk.unlink(file).unwrap()),
        ("mv", |disk, file| {
            disk.move_file(file, "elsewhere").unwrap()
        }),
        ("cut", |disk, file| disk.truncate(file, 10).unwrap()),
        ("copytruncate", |disk, file| disk.truncate(file, 0).unwrap()),
        ("replaced", |disk, file| {
            let bytes = disk.bytes(file).unwrap();
            disk.unlink(file).unwrap();
            disk.put(file, &bytes).unwrap();
        }),
    ];
    for (name, tamper) in table {
        let disk = TestDisk::new();
        let (mut base, events) = small(&disk);
        base.settings.segment_bytes = 1 << 20;
        let opened = opened(&base);
        let inbox = opened.inbox();
        for number in 0..3 {
            commit(inbox, &number.to_string()).unwrap();
        }
        let file = segments(&disk, opened.dir()).remove(0);
        tamper(&disk, &file);
        for number in 3..6 {
            let head = commit(inbox, &number.to_string()).unwrap();
            assert_eq!(head.size, number + 1, "{name}");
        }
        let outage = next_outage(&events);
        assert!(
            outage.cause.contains(&*file.to_string_lossy()),
            "{name}: {outage:?}"
        );
        let after = disk.after_crash(Crash::losing_all());
        let (entries, gaps) = read_all(&after, opened.dir(), 6);
        assert_eq!(entries[entries.len() - 3..], numbered(3..6), "{name}");
        let missing: u64 = gaps.iter().map(|gap| gap.to - gap.from).sum();
        assert_eq!(missing + entries.len() as u64, 6, "{name}: {gaps:?}");
        assert_eq!(missing == 0, name == "replaced", "{name}");
    }
}
