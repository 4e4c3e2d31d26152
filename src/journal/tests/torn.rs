//! The last group, cut at any byte or lost in any part.

use super::*;

/// A trail of a killed process: what it told to be durable, and then a last group of three records
/// and an intent.
struct Killed {
    disk: TestDisk,
    dir: PathBuf,
    /// Its only segment.
    file: PathBuf,
    bytes: Vec<u8>,
    /// Where the last group begins.
    group: usize,
}

fn killed() -> Killed {
    let disk = TestDisk::new();
    let process = disk.process();
    let (mut base, _events) = in_memory(&process);
    base.settings.buffered_delay = Duration::from_secs(3600);
    base.settings.segment_bytes = 1 << 20;
    let opened = base.open(Uuid::from_u128(1)).unwrap();
    let dir = opened.dir().to_owned();
    let inbox = opened.inbox();
    commit(inbox, "0").unwrap();
    commit(inbox, "1").unwrap();
    let file = segments(&disk, &dir).remove(0);
    let group = disk.bytes(&file).unwrap().len();
    for text in ["2", "3", "4"] {
        inbox.append(&line(text), Urgency::Buffered).unwrap();
    }
    // Nothing starts the group before this does.
    let intent = inbox.open(Uuid::from_u128(9), raw("9")).unwrap();
    assert_eq!(block_on(intent.committed()).unwrap().size, 5);
    process.kill();
    let bytes = disk.bytes(&file).unwrap();
    Killed {
        disk,
        dir,
        file,
        bytes,
        group,
    }
}

impl Killed {
    /// Puts `bytes` in the place of the segment and opens the trail.
    fn opened_with(&self, bytes: &[u8]) -> (TestDisk, Opened) {
        let disk = self.disk.after_kill();
        disk.put(&self.file, bytes).unwrap();
        let (base, _) = in_memory(&disk);
        let opened = base.open(Uuid::from_u128(2)).unwrap();
        (disk, opened)
    }

    /// What a file must recover to whose first `whole` bytes are as they were, and whose lines hold
    /// up to there only.
    fn check(&self, bytes: &[u8], whole: usize, what: &str) {
        let (disk, opened) = self.opened_with(bytes);
        assert_eq!(opened.left.len(), 0, "{what}: {:?}", opened.left);
        let starts = line_starts(&self.bytes);
        let end = starts.iter().rfind(|start| **start <= whole);
        let end = if whole == self.bytes.len() {
            whole
        } else {
            *end.unwrap()
        };
        let before = opened.before.as_ref().unwrap();
        let torn = (end < bytes.len()).then(|| Torn {
            file: self.file.clone(),
            offset: end as u64,
            bytes: (bytes.len() - end) as u64,
        });
        assert_eq!(before.torn, torn, "{what}");
        let held = String::from_utf8_lossy(&self.bytes[self.group..end]).into_owned();
        let records = held
            .lines()
            .filter(|line| line.starts_with("{\"n\""))
            .count();
        // The commit before the last group is proven only by a whole line behind it.
        let unproven = u64::from(end == self.group);
        assert_eq!(before.carried, records as u64 + unproven, "{what}");
        let unsettled = usize::from(held.contains("\"open\""));
        assert_eq!(before.unsettled.len(), unsettled, "{what}");
        let head = commit(opened.inbox(), "after").unwrap();
        let mut expected: Vec<String> = (0..2 + records).map(|n| n.to_string()).collect();
        expected.push("after".into());
        assert_eq!(
            texts(&shared(&disk), &self.dir, 0, u64::MAX),
            expected,
            "{what}"
        );
        assert_eq!(head, root_of(&expected), "{what}");
        assert_eq!(
            disk.bytes(&self.file).unwrap(),
            bytes,
            "{what}: it is left as it is"
        );
        assert_eq!(opened.journal.close(soon()), Closed::InOrder);
    }
}

// Trap J11
#[test]
fn a_tail_torn_at_any_byte_of_the_last_group_is_left_and_reported() {
    let killed = killed();
    for cut in killed.group..=killed.bytes.len() {
        killed.check(&killed.bytes[..cut], cut, &format!("cut at {cut}"));
    }
}

// Trap J11: the file has its length, and the bytes did not arrive.
#[test]
fn a_tail_of_zeros_from_any_byte_of_the_last_group_is_left_and_reported() {
    let killed = killed();
    for from in killed.group..killed.bytes.len() {
        let mut bytes = killed.bytes.clone();
        bytes[from..].fill(0);
        killed.check(&bytes, from, &format!("zeros from {from}"));
    }
}

// Trap J11: a page in the middle of the group did not arrive, and one after it did.
#[test]
fn a_hole_in_the_last_group_is_a_torn_tail_even_when_its_commit_arrived() {
    let killed = killed();
    let commit = *line_starts(&killed.bytes).last().unwrap();
    for from in killed.group..commit {
        let mut bytes = killed.bytes.clone();
        bytes[from..(from + 90).min(commit)].fill(0);
        killed.check(&bytes, from, &format!("a hole at {from}"));
    }
}
