//! No failure and no crash makes a finding, and none hides what was acknowledged.

use super::*;
use crate::{
    disk::SharedDisk,
    testing::disk::{Call, Fault, TestDisk},
};

fn base(disk: &TestDisk) -> Base {
    Base {
        disk: Arc::new(disk.clone()),
        dir: "base".into(),
        clock: Arc::new(SystemClock::new()),
        settings: Settings {
            // A few groups in each segment.
            segment_bytes: 1200,
            reserve_bytes: 0,
            buffered_delay: Duration::from_secs(60),
            retry_min: Duration::from_millis(1),
            retry_max: Duration::from_millis(1),
            ..Settings::default()
        },
        service: "docs".into(),
        instance: None,
        events: Events::new(|_| {}),
    }
}

/// Records and intents, those that span segments too; the heads that were acknowledged.
fn work(inbox: &Inbox, round: u128) -> Vec<TreeHead> {
    let mut heads = Vec::new();
    let mut append = |text: &str, closes: Option<u128>| {
        let line = line(text, closes.map(Uuid::from_u128));
        let ticket = inbox.append(&line, Urgency::Durable).unwrap();
        heads.extend(block_on(ticket.committed()).ok());
    };
    let open = |id: u128| {
        let json = serde_json::value::RawValue::from_string(format!("{{\"id\":{id}}}")).unwrap();
        let ticket = inbox.open(Uuid::from_u128(id), json).unwrap();
        let _ = block_on(ticket.committed());
    };
    let id = round * 10;
    append("a", None);
    open(id + 1);
    append("b", None);
    open(id + 2);
    append("first", Some(id + 1));
    open(id + 3);
    append("third", Some(id + 3));
    append("c", None);
    heads
}

fn holds(disk: &TestDisk, heads: &[TreeHead], told: &str) {
    let shared: SharedDisk = Arc::new(disk.clone());
    let mut options = Options::new().disk(shared);
    for head in heads {
        options = options.expect(Expected::head(TRAIL, *head));
    }
    match journal("base", options) {
        Ok(report) => {
            let files = || {
                disk.paths().into_iter().map(|path| {
                    let bytes = disk.bytes(&path).unwrap_or_default();
                    format!(
                        "--- {}\n{}",
                        path.display(),
                        String::from_utf8_lossy(&bytes)
                    )
                })
            };
            assert!(
                report.holds(),
                "{told}\n{report}\n{}",
                files().collect::<String>()
            );
        }
        Err(error) => assert!(heads.is_empty(), "{told}: {error}"),
    }
}

/// Lets a second run continue what is there, and a third that; all of it must hold.
fn goes_on(disk: &TestDisk, heads: &[TreeHead], told: &str) {
    let mut heads = heads.to_vec();
    for round in 2..4 {
        let process = disk.process();
        let opened = base(&process).open(TRAIL).unwrap();
        assert!(opened.left.is_empty(), "{told}: {:?}", opened.left);
        heads.extend(work(opened.inbox(), round));
        // The third is not closed in order.
        if round == 2 {
            close(opened);
        }
        process.kill();
        holds(disk, &heads, &format!("{told}, then run {round}"));
    }
}

// Traps J1, J11: every call fails once, and then the power fails in every way.
#[test]
fn whatever_call_fails_and_whatever_a_crash_takes_nothing_is_called_wrong() {
    for after in 0.. {
        let disk = TestDisk::new();
        let opened = base(&disk).open(TRAIL).unwrap();
        disk.inject(
            Fault::eio([Call::Write, Call::Sync, Call::Rename, Call::SyncDir])
                .after(after)
                .writing(70),
        );
        let heads = work(opened.inbox(), 1);
        let told = format!("call {after} fails");
        holds(&disk, &heads, &told);
        let crashes: Vec<_> = disk.every_crash().collect();
        for (kept, crashed) in crashes {
            holds(&crashed, &heads, &format!("{told}, {kept}"));
            goes_on(&crashed, &heads, &format!("{told}, {kept}"));
        }
        if disk.faults_left() > 0 {
            assert!(after > 15, "the script makes more calls than {after}");
            return;
        }
    }
}

// Trap J9: what is pruned while it is read is neither an error nor a finding.
#[test]
fn a_segment_that_goes_after_it_was_listed_is_looked_for_once_more() {
    let disk = TestDisk::new();
    let opened = base(&disk).open(TRAIL).unwrap();
    for text in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"] {
        commit(opened.inbox(), &[text]);
    }
    let segments = || {
        let (names, _) = segment::list(&disk, opened.dir()).unwrap();
        names
    };
    assert!(segments().len() > 2, "the script rolls");
    disk.stall(Call::Open);
    let report = std::thread::scope(|scope| {
        let checking = scope.spawn(|| journal("base", Options::new().disk(Arc::new(disk.clone()))));
        assert!(disk.wait_stalled(Call::Open, 1));
        let start = segments()[1].start;
        let json = pruned_record(start);
        let ticket = opened
            .inbox()
            .append(&Prepared::new(&json, None), Urgency::Durable);
        block_on(ticket.unwrap().committed()).unwrap();
        disk.unlink(opened.dir().join(segments()[0].file()))
            .unwrap();
        disk.release(Call::Open);
        checking.join().unwrap().unwrap()
    });
    let trail = &report.trails[0];
    assert_eq!(
        (kinds(trail), notes(trail)),
        (vec![], vec![NoteKind::Pruned]),
        "{report}"
    );
}

// Trap J11: a crash while a group is on its way.
#[test]
fn a_group_that_was_never_acknowledged_may_be_torn_in_every_way() {
    for syncs in 0..9 {
        let disk = TestDisk::new();
        let opened = base(&disk).open(TRAIL).unwrap();
        let inbox = opened.inbox().clone();
        disk.inject(Fault::eio([Call::Sync]).after(syncs).until_cleared());
        let heads = std::thread::scope(|scope| {
            let working = scope.spawn(|| work(&inbox, 1));
            let hit = disk.wait_count(Call::Sync, syncs + 1);
            assert!(hit, "{syncs}");
            for (kept, crashed) in disk.every_crash().take(200) {
                holds(&crashed, &[], &format!("after {syncs} syncs, {kept}"));
            }
            disk.clear_faults();
            working.join().unwrap()
        });
        holds(&disk, &heads, &format!("after {syncs} syncs"));
    }
}
