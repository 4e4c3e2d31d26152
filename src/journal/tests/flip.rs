//! One changed byte, anywhere.

use super::*;

const BITS: [u8; 3] = [1, 32, 128];

/// A trail of a killed process with several groups and two segments.
struct Trail {
    disk: TestDisk,
    dir: PathBuf,
    files: Vec<PathBuf>,
    texts: Vec<String>,
}

fn trail() -> Trail {
    let disk = TestDisk::new();
    let process = disk.process();
    let (mut base, _events) = in_memory(&process);
    base.settings.segment_bytes = 1500;
    base.settings.buffered_delay = Duration::from_secs(3600);
    let opened = base.open(Uuid::from_u128(1)).unwrap();
    let dir = opened.dir().to_owned();
    let inbox = opened.inbox();
    let mut texts = Vec::new();
    let mut record = |text: &str, urgency, closes: Option<u128>| {
        let json = format!(r#"{{"id":"{text}"}}"#);
        let line = Prepared::new(&json, closes.map(Uuid::from_u128));
        let ticket = inbox.append(&line, urgency).unwrap();
        texts.push(text.to_owned());
        if urgency == Urgency::Durable {
            block_on(ticket.committed()).unwrap();
        }
    };
    let open = |id: u128| {
        let ticket = inbox.open(Uuid::from_u128(id), raw(&id.to_string()));
        block_on(ticket.unwrap().committed()).unwrap();
    };
    record("first", Urgency::Durable, None);
    record("b", Urgency::Buffered, None);
    record("c", Urgency::Buffered, None);
    record("d", Urgency::Durable, None);
    open(7);
    while segments(&disk, &dir).len() < 2 {
        record("more", Urgency::Buffered, None);
        record("filler", Urgency::Durable, None);
    }
    record("x", Urgency::Buffered, None);
    record("y", Urgency::Durable, Some(7));
    record("last", Urgency::Buffered, None);
    record("group", Urgency::Durable, None);
    process.kill();
    let files = segments(&disk, &dir);
    assert_eq!(files.len(), 2);
    Trail {
        disk,
        dir,
        files,
        texts,
    }
}

impl Trail {
    /// Calls `look` with each changed disk: offset of the change, offset of its line, the disk.
    fn flips(&self, file: &Path, every: usize, mut look: impl FnMut(usize, usize, &TestDisk)) {
        let bytes = self.disk.bytes(file).unwrap();
        let starts = line_starts(&bytes);
        for at in (0..bytes.len()).step_by(every) {
            let line = *starts.iter().rfind(|start| **start <= at).unwrap();
            let bits: &[u8] = if every == 1 { &BITS } else { &BITS[..1] };
            for bit in bits {
                let disk = self.disk.after_kill();
                disk.overwrite(file, at, &[bytes[at] ^ bit]).unwrap();
                look(at, line, &disk);
            }
        }
    }

    /// The end of the last commit that is proven: the last but one of the file.
    fn proven_to(&self) -> usize {
        let bytes = self.disk.bytes(self.last()).unwrap();
        let starts = line_starts(&bytes);
        let mut commits = starts.windows(2).filter(|pair| {
            bytes[pair[0]..pair[1]]
                .windows(8)
                .any(|part| part == b"\"commit\"")
        });
        commits.next_back().unwrap()[1]
    }

    fn last(&self) -> &Path {
        self.files.last().unwrap()
    }
}

// Trap J11
#[test]
fn a_byte_changed_before_the_last_proven_commit_is_damage_with_its_place() {
    let trail = trail();
    let proven_to = trail.proven_to();
    trail.flips(trail.last(), 1, |at, line, disk| {
        let found = recover(disk, &trail.dir);
        if at < proven_to {
            let Err(OpenError::Damaged(damage)) = found else {
                panic!("at {at}: {found:?}");
            };
            assert_eq!(damage.file, trail.last(), "at {at}");
            assert_eq!(damage.offset, line as u64, "at {at}: {damage}");
        } else {
            let (recovered, _) = found.unwrap();
            let recovered = recovered.unwrap();
            let torn = recovered.torn.unwrap();
            assert_eq!(torn.offset, line as u64, "at {at}");
            // Both records of the last group may have been cut; none before them is.
            let kept = recovered.tree.size() + recovered.carry.leaves.len() as u64;
            assert!(kept >= trail.texts.len() as u64 - 2, "at {at}");
        }
    });
}

// Trap J5, J11
#[test]
fn a_damaged_trail_is_left_untouched_and_another_begins() {
    let trail = trail();
    let proven_to = trail.proven_to();
    trail.flips(trail.last(), 37, |at, line, disk| {
        if at >= proven_to {
            return;
        }
        let before = contents(disk);
        let (base, _events) = in_memory(disk);
        let opened = base.open(Uuid::from_u128(2)).unwrap();
        assert_eq!(opened.journal.origin.trail, Uuid::from_u128(2));
        assert_eq!(commit(opened.inbox(), "after").unwrap().size, 1);
        assert_eq!(opened.journal.close(soon()), Closed::InOrder);
        let [left] = &opened.left[..] else {
            panic!("{:?}", opened.left);
        };
        assert_eq!(left.dir, trail.dir);
        let damage = left.damage().unwrap();
        assert_eq!((&*damage.file, damage.offset), (trail.last(), line as u64));
        let mut after = contents(disk);
        after.retain(|(path, _)| path.starts_with(&trail.dir));
        assert_eq!(after, before, "at {at}");
    });
}

// Trap J11: the start reads the last segment only.
#[test]
fn a_byte_changed_in_an_older_segment_costs_its_record_and_no_other() {
    let trail = trail();
    let file = &trail.files[0];
    let bytes = trail.disk.bytes(file).unwrap();
    let starts = line_starts(&bytes);
    let number_of = |start: usize| line::peek_number(&bytes[start..]);
    let whole: Vec<_> = (0..).zip(trail.texts.iter().cloned()).collect();
    let until = whole.len() as u64;
    assert_eq!(
        read_all(&trail.disk, &trail.dir, until),
        (whole.clone(), vec![])
    );
    trail.flips(file, 1, |at, start, disk| {
        assert!(recover(disk, &trail.dir).unwrap().0.unwrap().torn.is_none());
        let mut hit: Vec<u64> = number_of(start).into_iter().collect();
        if bytes[at] == b'\n' {
            // It makes one line of two.
            let next = starts.iter().find(|next| **next > at);
            hit.extend(next.and_then(|next| number_of(*next)));
        }
        let (entries, gaps) = read_all(disk, &trail.dir, until);
        let missing: Vec<u64> = gaps.iter().flat_map(|gap| gap.from..gap.to).collect();
        assert_eq!(missing, hit, "at {at}: {gaps:?}");
        for gap in &gaps {
            let GapKind::Damaged {
                file: named,
                offset,
            } = &gap.kind
            else {
                panic!("at {at}: {gap:?}");
            };
            assert_eq!((named, *offset), (file, start as u64), "at {at}");
        }
        let mut expected = whole.clone();
        expected.retain(|(number, _)| !hit.contains(number));
        assert_eq!(entries, expected, "at {at}");
    });
}

#[test]
fn damage_at_the_end_of_the_newest_segment_is_a_gap_only_as_far_as_is_known() {
    let trail = trail();
    let size = trail.texts.len() as u64;
    let bytes = trail.disk.bytes(trail.last()).unwrap();
    let starts = line_starts(&bytes);
    let disk = trail.disk.after_kill();
    // The last record and its commit.
    for start in &starts[starts.len() - 2..] {
        disk.overwrite(trail.last(), start + 20, b"!").unwrap();
    }
    let (entries, gaps) = read_all(&disk, &trail.dir, u64::MAX);
    assert_eq!((entries.len() as u64, gaps), (size - 1, vec![]));
    let (entries, gaps) = read_all(&disk, &trail.dir, size);
    assert_eq!(entries.len() as u64, size - 1);
    assert_eq!((gaps[0].from, gaps[0].to, gaps.len()), (size - 1, size, 1));
}
