//! The disk in memory does what the machine's own does, as long as nothing goes wrong; and after a
//! crash it has what was synced.

use std::{collections::BTreeMap, io, ops::Range, path::Path};

use proptest::{collection::vec, prelude::*, sample::select};

use super::{Call, Crash, Fault, Length, TestDisk};
use crate::disk::{Disk, DiskFile, DiskLock, StdDisk, read_bounded, replace};

const NAMES: [&str; 7] = ["a", "b", "d", "d/a", "d/b", "d/e", "a/x"];

#[derive(Debug, Clone)]
enum Step {
    CreateDir(&'static str),
    CreateNew(&'static str),
    Append(&'static str),
    Open(&'static str),
    Write(Vec<u8>),
    Sync,
    Read(u64, usize),
    StatOpen,
    Allocate(u64),
    Stat(&'static str),
    Rename(&'static str, &'static str),
    Remove(&'static str),
    RemoveDir(&'static str),
    SyncDir(&'static str),
    List(&'static str),
    Lock(&'static str),
    Unlock,
    Replace(&'static str, Vec<u8>),
    ReadAll(&'static str),
}

fn step() -> impl Strategy<Value = Step> {
    let name = || select(&NAMES[..]);
    let bytes = || vec(any::<u8>(), 0..20);
    prop_oneof![
        name().prop_map(Step::CreateDir),
        name().prop_map(Step::CreateNew),
        name().prop_map(Step::Append),
        name().prop_map(Step::Open),
        // The machine is not even asked to write nothing.
        vec(any::<u8>(), 1..20).prop_map(Step::Write),
        Just(Step::Sync),
        (0..40_u64, 0..20_usize).prop_map(|(offset, len)| Step::Read(offset, len)),
        Just(Step::StatOpen),
        (1..40_u64).prop_map(Step::Allocate),
        name().prop_map(Step::Stat),
        (name(), name()).prop_map(|(from, to)| Step::Rename(from, to)),
        name().prop_map(Step::Remove),
        name().prop_map(Step::RemoveDir),
        name().prop_map(Step::SyncDir),
        name().prop_map(Step::List),
        name().prop_map(Step::Lock),
        Just(Step::Unlock),
        (name(), bytes()).prop_map(|(name, bytes)| Step::Replace(name, bytes)),
        name().prop_map(Step::ReadAll),
    ]
}

/// One disk, with a file and a lock that are held.
struct Actor<'a> {
    disk: &'a dyn Disk,
    base: &'a Path,
    file: Option<Box<dyn DiskFile>>,
    lock: Option<Box<dyn DiskLock>>,
}

impl<'a> Actor<'a> {
    fn new(disk: &'a dyn Disk, base: &'a Path) -> Self {
        disk.create_dir(base).unwrap();
        Self {
            disk,
            base,
            file: None,
            lock: None,
        }
    }

    fn take(&mut self, file: io::Result<Box<dyn DiskFile>>) -> io::Result<String> {
        self.file = Some(file?);
        Ok(String::new())
    }

    /// What a step lets one see; neither paths nor identities.
    fn act(&mut self, step: &Step) -> Result<String, io::ErrorKind> {
        let path = |name: &str| self.base.join(name);
        let seen = match step {
            Step::CreateDir(name) => self.disk.create_dir(&path(name)).map(|()| String::new()),
            Step::CreateNew(name) => self.take(self.disk.create_new(&path(name))),
            Step::Append(name) => self.take(self.disk.append(&path(name))),
            Step::Open(name) => self.take(self.disk.open(&path(name))),
            Step::Stat(name) => self.disk.stat(&path(name)).map(|stat| stat.len.to_string()),
            Step::Rename(from, to) => self.unit(self.disk.rename(&path(from), &path(to))),
            Step::Remove(name) => self.unit(self.disk.remove(&path(name))),
            Step::RemoveDir(name) => self.unit(self.disk.remove_dir(&path(name))),
            Step::SyncDir(name) => self.unit(self.disk.sync_dir(&path(name))),
            Step::List(name) => self.disk.list(&path(name)).map(|mut entries| {
                entries.sort();
                format!("{entries:?}")
            }),
            Step::Lock(name) => self.disk.lock(&path(name)).map(|lock| {
                self.lock = Some(lock);
                String::new()
            }),
            Step::Unlock => {
                self.lock = None;
                Ok(String::new())
            }
            Step::Replace(name, bytes) => self.unit(replace(self.disk, &path(name), bytes)),
            Step::ReadAll(name) => {
                read_bounded(self.disk, &path(name), 30).map(|bytes| format!("{bytes:?}"))
            }
            on_file => self.act_on_file(on_file),
        };
        seen.map_err(|error| error.kind())
    }

    fn act_on_file(&mut self, step: &Step) -> io::Result<String> {
        let Some(file) = &mut self.file else {
            return Ok("no file".into());
        };
        match step {
            Step::Write(bytes) => file.write_all(bytes)?,
            Step::Sync => file.sync()?,
            Step::Allocate(bytes) => file.allocate(*bytes)?,
            Step::StatOpen => return Ok(file.stat()?.len.to_string()),
            Step::Read(offset, len) => {
                let mut buffer = vec![0; *len];
                let count = file.read_at(&mut buffer, *offset)?;
                return Ok(format!("{:?}", &buffer[..count]));
            }
            other => panic!("{other:?} is not about an open file"),
        }
        Ok(String::new())
    }

    fn unit(&self, result: io::Result<()>) -> io::Result<String> {
        result.map(|()| String::new())
    }
}

/// Steps that the machine takes on directories or files too, and the disk in memory refuses.
fn is_out_of_scope(step: &Step, base: &Path) -> bool {
    match step {
        Step::Open(name) | Step::Stat(name) | Step::Rename(name, _) | Step::ReadAll(name) => {
            base.join(name).is_dir()
        }
        Step::SyncDir(name) => base.join(name).is_file(),
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn without_a_crash_it_is_like_the_disk_of_the_machine(steps in vec(step(), 1..60)) {
        let scratch = tempfile::tempdir().unwrap();
        let test = TestDisk::new();
        let mut real = Actor::new(&StdDisk, scratch.path());
        let mut played = Actor::new(&test, Path::new("/base"));
        for step in steps {
            if !is_out_of_scope(&step, scratch.path()) {
                prop_assert_eq!(real.act(&step), played.act(&step), "{:?}", step);
            }
        }
    }
}

#[derive(Debug, Clone)]
enum Event {
    Write(usize, usize),
    Sync(usize),
    FailedSync(usize),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0..2_usize, 1..6000_usize).prop_map(|(file, len)| Event::Write(file, len)),
        3 => (0..2_usize).prop_map(Event::Sync),
        1 => (0..2_usize).prop_map(Event::FailedSync),
    ]
}

/// One file, what was written to it, and the parts of that which a sync covered.
struct Written {
    file: Box<dyn DiskFile>,
    bytes: Vec<u8>,
    open: usize,
    safe: Vec<Range<usize>>,
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn after_any_crash_what_was_synced_is_there(
        events in vec(event(), 1..20),
        pages in vec(any::<bool>(), 64),
        longest in any::<bool>(),
    ) {
        let disk = TestDisk::new();
        let mut files: BTreeMap<usize, Written> = (0..2).map(|name| {
            let file = disk.create_new(Path::new(&name.to_string())).unwrap();
            (name, Written { file, bytes: Vec::new(), open: 0, safe: Vec::new() })
        }).collect();
        disk.sync_dir(Path::new("")).unwrap();
        for (number, event) in events.into_iter().enumerate() {
            play(&disk, &mut files, event, u8::try_from(number).unwrap() + 1);
        }
        let mut pages = pages.into_iter().cycle();
        let length = if longest { Length::Longest } else { Length::Shortest };
        let crash = Crash::losing_all().pages(move |_| pages.next().unwrap()).length(length);
        let after = disk.crash(crash);
        for (name, written) in files {
            let found = after.bytes(name.to_string()).unwrap();
            prop_assert!(found.len() <= written.bytes.len());
            for range in written.safe {
                prop_assert_eq!(&found[range.clone()], &written.bytes[range]);
            }
            for (found, written) in found.iter().zip(&written.bytes) {
                prop_assert!(*found == 0 || found == written);
            }
        }
    }
}

fn play(disk: &TestDisk, files: &mut BTreeMap<usize, Written>, event: Event, fill: u8) {
    match event {
        Event::Write(file, len) => {
            let written = files.get_mut(&file).unwrap();
            written.file.write_all(&vec![fill; len]).unwrap();
            written.bytes.resize(written.bytes.len() + len, fill);
        }
        Event::Sync(file) => {
            let written = files.get_mut(&file).unwrap();
            written.file.sync().unwrap();
            written.safe.push(written.open..written.bytes.len());
            written.open = written.bytes.len();
        }
        Event::FailedSync(file) => {
            let written = files.get_mut(&file).unwrap();
            disk.inject(Fault::eio([Call::Sync]));
            written.file.sync().unwrap_err();
            written.open = written.bytes.len();
        }
    }
}
