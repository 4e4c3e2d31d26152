//! Calls that fail, and calls that hang.

use std::{io, path::Path, time::Duration};

use super::{Call, TestDisk, state::State};

// The same on every Unix.
const EIO: i32 = 5;
pub(super) const EBADF: i32 = 9;
pub(super) const ENOSPC: i32 = 28;

/// A failure to come, for [`TestDisk::inject`].
///
/// Without more, the next call of these kinds fails, once. A call that fails does nothing, except:
///
/// - a write may have written its [first bytes](Self::writing);
/// - the bytes under a failed sync stay readable, and no later sync writes them. A crash may have
///   them, since the device may have taken them: see [`Page::failed`](super::Page::failed).
///
/// Of a failed sync of a directory the changes stay pending, and a later one makes them durable.
#[derive(Debug, Clone)]
pub struct Fault {
    calls: Vec<Call>,
    error: i32,
    name: String,
    after: u64,
    repeats: bool,
    written: usize,
}

impl Fault {
    /// Fails these calls with an input/output error.
    #[must_use]
    pub fn eio(calls: impl AsRef<[Call]>) -> Self {
        Self::errno(calls, EIO)
    }

    /// Fails these calls because the disk is full.
    #[must_use]
    pub fn enospc(calls: impl AsRef<[Call]>) -> Self {
        Self::errno(calls, ENOSPC)
    }

    /// Fails these calls with an error number of the operating system.
    #[must_use]
    pub fn errno(calls: impl AsRef<[Call]>, error: i32) -> Self {
        Self {
            calls: calls.as_ref().to_vec(),
            error,
            name: String::new(),
            after: 0,
            repeats: false,
            written: 0,
        }
    }

    /// Lets this many of the calls through first; 0 unless said.
    #[must_use]
    pub const fn after(mut self, calls: u64) -> Self {
        self.after = calls;
        self
    }

    /// Only calls on a path that has this in it.
    #[must_use]
    pub fn on(mut self, part: impl Into<String>) -> Self {
        self.name = part.into();
        self
    }

    /// A write puts this many of its bytes into the file before it fails; 0 unless said.
    #[must_use]
    pub const fn writing(mut self, bytes: usize) -> Self {
        self.written = bytes;
        self
    }

    /// Fails every such call from then on, until [`TestDisk::clear_faults`].
    #[must_use]
    pub const fn until_cleared(mut self) -> Self {
        self.repeats = true;
        self
    }

    pub(super) fn error(&self) -> io::Error {
        io::Error::from_raw_os_error(self.error)
    }

    pub(super) const fn written(&self) -> usize {
        self.written
    }

    fn concerns(&self, call: Call, path: &Path) -> bool {
        self.calls.contains(&call) && path.to_string_lossy().contains(&self.name)
    }
}

/// Takes the fault that hits this call, if one does; each one that concerns it counts it.
pub(super) fn hit(faults: &mut Vec<Fault>, call: Call, path: &Path) -> Option<Fault> {
    let mut found: Option<Fault> = None;
    faults.retain_mut(|fault| {
        if !fault.concerns(call, path) {
            return true;
        }
        if fault.after > 0 {
            fault.after -= 1;
            return true;
        }
        if found.is_some() {
            return true;
        }
        found = Some(fault.clone());
        fault.repeats
    });
    found
}

/// How long a test waits for what should be there at once, before it is called a failure.
const PATIENCE: Duration = Duration::from_secs(30);

impl TestDisk {
    /// Makes calls fail. Of several faults that concern one call the first injected hits.
    pub fn inject(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// How many faults are still to hit. Those that hit [until cleared](Fault::until_cleared) are
    /// always among them.
    ///
    /// A test that fails each call in turn, `Fault::eio(Call::CHANGES).after(n)` for n from 0, is
    /// through when one is left over.
    #[must_use]
    pub fn faults_left(&self) -> usize {
        self.state().faults.len()
    }

    /// Takes back all faults, those that have not hit included.
    pub fn clear_faults(&self) {
        self.state().faults.clear();
    }

    /// Lets calls of this kind hang from now on.
    ///
    /// A call that hangs has had no effect yet. A sync that hangs covers what was written or
    /// renamed before it was called, not what comes while it hangs. Faults hit when it goes on.
    pub fn stall(&self, call: Call) {
        self.state().stalls.entry(call).or_insert(0);
    }

    /// Lets one call that hangs go on; the next one to come, if none does.
    pub fn step(&self, call: Call) {
        if let Some(permits) = self.state().stalls.get_mut(&call) {
            *permits += 1;
        }
        self.shared.changed.notify_all();
    }

    /// Lets all calls of this kind go on, and hang no more.
    pub fn release(&self, call: Call) {
        self.state().stalls.remove(&call);
        self.shared.changed.notify_all();
    }

    /// Waits until this many calls of this kind hang; `false` if that does not come about within
    /// half a minute.
    #[must_use]
    pub fn wait_stalled(&self, call: Call, calls: usize) -> bool {
        self.wait(|state| state.hanging(call) >= calls)
    }

    /// Waits until [`count`](Self::count) is at least this; `false` if that does not come about
    /// within half a minute.
    #[must_use]
    pub fn wait_count(&self, call: Call, calls: u64) -> bool {
        self.wait(|state| state.count(call) >= calls)
    }

    fn wait(&self, holds: impl Fn(&State) -> bool) -> bool {
        let changed = &self.shared.changed;
        let waited = changed.wait_timeout_while(self.state(), PATIENCE, |state| !holds(state));
        waited.is_ok_and(|(_, timeout)| !timeout.timed_out())
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::{
        disk::{Disk, DiskFile},
        testing::disk::Crash,
    };

    fn with_file() -> (TestDisk, Box<dyn DiskFile>) {
        let disk = TestDisk::new();
        let file = disk.create_new(Path::new("file")).unwrap();
        disk.sync_dir(Path::new("")).unwrap();
        (disk, file)
    }

    #[test]
    fn the_nth_call_fails_once() {
        let (disk, mut file) = with_file();
        disk.inject(Fault::eio([Call::Write]).after(1));
        file.write_all(b"1").unwrap();
        assert_eq!(disk.faults_left(), 1);
        let error = file.write_all(b"2").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(EIO));
        assert_eq!(disk.faults_left(), 0);
        file.write_all(b"3").unwrap();
        assert_eq!(disk.bytes("file").unwrap(), b"13");
    }

    #[test]
    fn a_call_fails_until_the_fault_is_cleared() {
        let (disk, mut file) = with_file();
        disk.inject(Fault::enospc([Call::Write]).until_cleared());
        for _ in 0..3 {
            let error = file.write_all(b"x").unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        }
        disk.clear_faults();
        file.write_all(b"x").unwrap();
    }

    #[test]
    fn a_fault_is_for_the_calls_and_paths_it_names() {
        let (disk, mut file) = with_file();
        disk.inject(Fault::eio([Call::Write, Call::CreateNew]).on("other"));
        file.write_all(b"x").unwrap();
        disk.append(Path::new("other")).unwrap();
        disk.create_new(Path::new("another")).unwrap_err();
        assert_eq!(disk.paths(), [Path::new("file"), Path::new("other")]);
    }

    #[test]
    fn every_call_can_fail_without_doing_anything() {
        type Make = fn(&TestDisk) -> io::Result<()>;
        let calls: [(Call, Make); 12] = [
            (Call::CreateDir, |disk| disk.create_dir(Path::new("dir"))),
            (Call::List, |disk| disk.list(Path::new("")).map(drop)),
            (Call::CreateNew, |disk| {
                disk.create_new(Path::new("new")).map(drop)
            }),
            (Call::Open, |disk| disk.open(Path::new("file")).map(drop)),
            (Call::Append, |disk| disk.append(Path::new("new")).map(drop)),
            (Call::Stat, |disk| disk.stat(Path::new("file")).map(drop)),
            (Call::Rename, |disk| {
                disk.rename(Path::new("file"), Path::new("new"))
            }),
            (Call::Remove, |disk| disk.remove(Path::new("file"))),
            (Call::SyncDir, |disk| disk.sync_dir(Path::new(""))),
            (Call::Lock, |disk| disk.lock(Path::new("new")).map(drop)),
            (Call::Space, |disk| disk.space(Path::new("")).map(drop)),
            (Call::Kind, |disk| disk.kind(Path::new("")).map(drop)),
        ];
        for (call, make) in calls {
            let (disk, _file) = with_file();
            let before = disk.count(call);
            disk.inject(Fault::eio([call]));
            assert_eq!(
                make(&disk).unwrap_err().raw_os_error(),
                Some(EIO),
                "{call:?}"
            );
            assert_eq!(disk.paths(), [Path::new("file")], "{call:?}");
            make(&disk).unwrap();
            assert_eq!(disk.count(call), before + 2, "{call:?}");
        }
    }

    #[test]
    fn a_failed_sync_of_a_directory_makes_nothing_durable() {
        let (disk, _file) = with_file();
        disk.create_new(Path::new("new")).unwrap();
        disk.inject(Fault::eio([Call::SyncDir]));
        disk.sync_dir(Path::new("")).unwrap_err();
        assert_eq!(
            disk.after_crash(Crash::losing_all()).paths(),
            [Path::new("file")]
        );
        disk.sync_dir(Path::new("")).unwrap();
        assert_eq!(disk.crash(Crash::losing_all()).paths().len(), 2);
    }

    #[test]
    fn a_write_that_fails_may_have_written_its_first_bytes() {
        let (disk, mut file) = with_file();
        disk.inject(Fault::enospc([Call::Write]).writing(3));
        file.write_all(b"12345").unwrap_err();
        assert_eq!(disk.bytes("file").unwrap(), b"123");
    }

    // trap J2
    #[test]
    fn a_full_disk_takes_what_fits() {
        let (disk, mut file) = with_file();
        disk.set_capacity(10);
        let mut reserve = disk.create_new(Path::new("reserve")).unwrap();
        reserve.allocate(6).unwrap();
        let error = file.write_all(b"12345").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(disk.bytes("file").unwrap(), b"1234");
        assert_eq!(disk.space(Path::new("file")).unwrap().available, 0);
        reserve.allocate(7).unwrap_err();

        disk.remove(Path::new("reserve")).unwrap();
        file.write_all(b"5").unwrap_err();
        drop(reserve);
        file.write_all(b"5").unwrap();
        assert_eq!(disk.space(Path::new("")).unwrap().available, 5);
    }

    #[test]
    fn a_sync_that_hangs_covers_only_what_was_there_when_it_was_called() {
        let (disk, mut file) = with_file();
        let mut other = disk.append(Path::new("file")).unwrap();
        file.write_all(b"before").unwrap();
        disk.stall(Call::Sync);
        let sync = thread::spawn(move || file.sync());
        assert!(disk.wait_stalled(Call::Sync, 1));
        other.write_all(b"after").unwrap();
        assert_eq!(disk.durable_bytes("file").unwrap(), b"");
        disk.release(Call::Sync);
        sync.join().unwrap().unwrap();
        assert_eq!(disk.durable_bytes("file").unwrap(), b"before");
        other.sync().unwrap();
        assert_eq!(disk.durable_bytes("file").unwrap(), b"beforeafter");
    }

    #[test]
    fn a_sync_of_a_directory_that_hangs_covers_only_the_names_of_before() {
        let (disk, _file) = with_file();
        disk.create_new(Path::new("before")).unwrap();
        disk.stall(Call::SyncDir);
        let sync = thread::spawn({
            let disk = disk.clone();
            move || disk.sync_dir(Path::new(""))
        });
        assert!(disk.wait_stalled(Call::SyncDir, 1));
        disk.create_new(Path::new("while")).unwrap();
        disk.release(Call::SyncDir);
        sync.join().unwrap().unwrap();
        let after = disk.crash(Crash::losing_all());
        assert_eq!(after.paths(), [Path::new("before"), Path::new("file")]);
    }

    #[test]
    fn calls_that_hang_go_on_one_by_one() {
        let (disk, mut file) = with_file();
        disk.stall(Call::Write);
        let writer = thread::spawn(move || {
            file.write_all(b"1").unwrap();
            file.write_all(b"2").unwrap();
        });
        assert!(disk.wait_stalled(Call::Write, 1));
        disk.step(Call::Write);
        // The one that hangs now is the second only when both were made.
        assert!(disk.wait_count(Call::Write, 2) && disk.wait_stalled(Call::Write, 1));
        assert_eq!(disk.bytes("file").unwrap(), b"1");
        disk.step(Call::Write);
        writer.join().unwrap();
        assert_eq!(disk.bytes("file").unwrap(), b"12");
    }

    #[test]
    fn who_hangs_in_a_crash_or_a_kill_comes_back_with_an_error() {
        for crash in [true, false] {
            let (disk, mut file) = with_file();
            file.write_all(b"x").unwrap();
            disk.stall(Call::Sync);
            let sync = thread::spawn(move || file.sync());
            assert!(disk.wait_stalled(Call::Sync, 1));
            let after = if crash {
                disk.crash(Crash::losing_all())
            } else {
                disk.kill();
                disk.after_crash(Crash::losing_all())
            };
            sync.join().unwrap().unwrap_err();
            assert_eq!(after.bytes("file").unwrap(), b"", "crash: {crash}");
            assert_eq!(disk.durable_bytes("file").unwrap(), b"", "crash: {crash}");
        }
    }
}
