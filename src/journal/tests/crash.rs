//! Power that goes at any call, with any choice of what was on its way to the disk.

use std::collections::BTreeMap;

use super::*;

/// What a script did before the power went.
#[derive(Debug, Default, Clone)]
struct Told {
    /// Texts in the order of their numbers.
    appended: Vec<String>,
    /// How many of them, from the first on, somebody was told to be durable.
    acknowledged: usize,
    intents: BTreeMap<u128, Intent>,
}

/// How far an intent came.
#[derive(Debug, Default, Clone, Copy)]
struct Intent {
    opened: bool,
    settled: bool,
    settled_for_sure: bool,
}

/// What goes wrong ends the script: from then on nothing reaches the disk.
type Step = Result<(), CommitError>;

impl Told {
    fn record(&mut self, inbox: &Inbox, text: &str, closes: Option<u128>) -> Step {
        let json = format!(r#"{{"id":"{text}"}}"#);
        let line = Prepared::new(&json, closes.map(Uuid::from_u128));
        let ticket = inbox.append(&line, Urgency::Durable)?;
        self.appended.push(text.into());
        if let Some(id) = closes {
            self.intents.entry(id).or_default().settled = true;
        }
        block_on(ticket.committed())?;
        self.acknowledged = self.appended.len();
        if let Some(id) = closes {
            self.intents.entry(id).or_default().settled_for_sure = true;
        }
        Ok(())
    }

    fn buffered(&mut self, inbox: &Inbox, text: &str) -> Step {
        inbox.append(&line(text), Urgency::Buffered)?;
        self.appended.push(text.into());
        Ok(())
    }

    fn intent(&mut self, inbox: &Inbox, id: u128) -> Step {
        let ticket = inbox.open(Uuid::from_u128(id), raw(&id.to_string()))?;
        self.intents.entry(id).or_default();
        block_on(ticket.committed())?;
        self.intents.entry(id).or_default().opened = true;
        Ok(())
    }

    /// Groups of one and of several records, an intent that is settled and one that is not, a
    /// new segment in between.
    fn script(&mut self, inbox: &Inbox) -> Step {
        self.record(inbox, "a", None)?;
        self.intent(inbox, 7)?;
        self.buffered(inbox, "b")?;
        self.record(inbox, "c", None)?;
        self.intent(inbox, 8)?;
        self.buffered(inbox, &"d".repeat(3000))?;
        self.record(inbox, &"e".repeat(3000), Some(7))?;
        self.buffered(inbox, &"f".repeat(300))?;
        self.record(inbox, "g", None)
    }

    /// What must hold of the trail that is opened on a disk after a crash.
    fn check(&self, disk: &TestDisk, what: &str) {
        let base = script_base(disk);
        let opened = base.open(Uuid::from_u128(2)).unwrap();
        assert_eq!(opened.left.len(), 0, "{what}: {:?}", opened.left);
        if let Some(before) = &opened.before {
            self.check_intents(before, what);
        } else {
            assert_eq!(self.acknowledged, 0, "{what}: nothing was committed");
        }
        let head = commit(opened.inbox(), "after").unwrap();
        let found = texts(&shared(disk), opened.dir(), 0, head.size);
        let (last, found) = found.split_last().unwrap();
        assert_eq!(last, "after", "{what}");
        assert!(
            found.len() >= self.acknowledged,
            "{what}: {found:?} of {self:?}"
        );
        assert_eq!(found, &self.appended[..found.len()], "{what}");
        let all: Vec<String> = [found, &["after".to_owned()]].concat();
        assert_eq!(head, root_of(&all), "{what}");
        assert_eq!(opened.journal.close(soon()), Closed::InOrder, "{what}");
    }

    fn check_intents(&self, before: &Before, what: &str) {
        for (id, intent) in &self.intents {
            let found = before
                .unsettled
                .iter()
                .find(|(open, _)| *open == Uuid::from_u128(*id));
            if intent.opened && !intent.settled {
                let (_, json) = found.unwrap_or_else(|| panic!("{what}: {id} is forgotten"));
                assert_eq!(json.get(), raw(&id.to_string()).get(), "{what}");
            }
            if intent.settled_for_sure {
                assert!(found.is_none(), "{what}: {id} is settled");
            }
        }
        assert!(before.unsettled.len() <= self.intents.len(), "{what}");
    }
}

fn script_base(disk: &TestDisk) -> Base {
    let (mut base, _) = in_memory(disk);
    base.settings.segment_bytes = 8000;
    base.settings.buffered_delay = Duration::from_secs(3600);
    base.settings.retry_max = Duration::from_millis(1);
    base
}

/// Runs the script with no change reaching the disk after the first `calls`. True when it came
/// through.
fn run(disk: &TestDisk, calls: u64, writing: usize) -> (Told, bool) {
    let fault = Fault::eio(Call::CHANGES).after(calls).writing(writing);
    disk.inject(fault.until_cleared());
    let mut told = Told::default();
    let Ok(opened) = script_base(disk).open(Uuid::from_u128(1)) else {
        return (told, false);
    };
    let through = told.script(opened.inbox()).is_ok()
        && opened.journal.close(soon()) == Closed::InOrder
        && !was_hit(disk);
    if !through {
        opened.journal.close(Instant::now());
    }
    (told, through)
}

/// Whether the fault that was injected has hit.
fn was_hit(disk: &TestDisk) -> bool {
    let eio = std::io::Error::from_raw_os_error(5).kind();
    disk.log().iter().any(|call| call.error == Some(eio))
}

// Trap J1, J13
#[test]
fn a_crash_at_any_call_loses_nothing_that_was_acknowledged() {
    let mut crashes = 0;
    for calls in 0.. {
        let mut through = false;
        // A write that fails may have written some of its bytes, or even all.
        for writing in [0, 100, 5000, usize::MAX] {
            let disk = TestDisk::new();
            let (told, this) = run(&disk, calls, writing);
            for (what, after) in disk.every_crash() {
                told.check(&after, &format!("after {calls} calls, {what}"));
                crashes += 1;
            }
            through = this;
            assert!(!through || told.acknowledged == 7, "{told:?}");
        }
        if through {
            break;
        }
    }
    assert!(crashes > 200, "{crashes}");
}

// Trap J13
#[test]
fn a_second_crash_in_the_middle_of_recovery_loses_nothing_either() {
    for calls in 0.. {
        let disk = TestDisk::new();
        let (told, through) = run(&disk, calls, 100);
        let crash = match calls % 2 {
            0 => Crash::losing_all(),
            _ => Crash::keeping_all(),
        };
        again(&disk.after_crash(crash), &told, calls);
        if through {
            break;
        }
    }
}

// Trap J1: a dead process leaves names that are seen and not durable.
#[test]
fn a_crash_after_a_kill_loses_nothing_and_leaves_no_hole() {
    for calls in 0.. {
        let disk = TestDisk::new();
        let (told, through) = run(&disk, calls, 100);
        again(&disk.after_kill(), &told, calls);
        if through {
            break;
        }
    }
}

/// Recovers, but nothing reaches the disk after a number of calls, for each such number.
fn again(before: &TestDisk, told: &Told, calls: u64) {
    for more in 0.. {
        let disk = before.after_kill();
        disk.inject(Fault::eio(Call::CHANGES).after(more).until_cleared());
        let opened = script_base(&disk).open(Uuid::from_u128(2));
        let through = opened.is_ok_and(|opened| {
            let first = opened.inbox().flush();
            let held = first.map_or(Ok(()), |group| block_on(group).map(drop));
            let deadline = if held.is_ok() { soon() } else { Instant::now() };
            opened.journal.close(deadline) == Closed::InOrder && !was_hit(&disk)
        });
        let names = disk.unsynced_names().len();
        for choice in 0..1_u64 << names {
            for keep in [false, true] {
                let what = format!("{calls} calls, {more} more, names {choice:b}, pages {keep}");
                let mut name = 0..;
                let crash = Crash::losing_all()
                    .pages(move |_| keep)
                    .names(move |_| name.next().is_some_and(|bit| choice >> bit & 1 == 1));
                told.check(&disk.after_crash(crash), &what);
            }
        }
        if through {
            return;
        }
    }
}
