//! The disk as a trail sees it: every call is counted, may hang, may fail, and is noted.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{MutexGuard, PoisonError},
};

use super::{
    Call, Fault, Operation, TestDisk,
    fault::{EBADF, ENOSPC, hit},
    state::State,
};
use crate::disk::{Disk, DiskFile, DiskLock, Entry, FileStat, Space, VolumeKind};

impl TestDisk {
    /// Counts a call.
    fn begin(&self, call: Call) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        state.alive(self.process)?;
        *state.counts.entry(call).or_default() += 1;
        self.shared.changed.notify_all();
        Ok(state)
    }

    /// Lets a call hang while it must, do what it does, and be noted.
    fn finish<T>(
        &self,
        mut state: MutexGuard<'_, State>,
        call: Call,
        path: &Path,
        bytes: usize,
        body: impl FnOnce(&mut State, Option<&Fault>) -> io::Result<T>,
    ) -> io::Result<T> {
        while !state.may_pass(call) {
            state.hang(call);
            self.shared.changed.notify_all();
            let woken = self.shared.changed.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
            state.go_on(call);
            state.alive(self.process)?;
        }
        let fault = hit(&mut state.faults, call, path);
        let result = body(&mut state, fault.as_ref());
        let operation = Operation::new(call, path, bytes as u64, &result);
        state.log.push(operation);
        result
    }

    /// A call that does nothing when it fails.
    fn call<T>(
        &self,
        call: Call,
        path: &Path,
        bytes: usize,
        body: impl FnOnce(&mut State) -> io::Result<T>,
    ) -> io::Result<T> {
        let state = self.begin(call)?;
        self.finish(state, call, path, bytes, |state, fault| match fault {
            Some(fault) => Err(fault.error()),
            None => body(state),
        })
    }

    fn handle(&self, state: &mut State, file: u64, path: &Path, access: Access) -> TestFile {
        TestFile {
            disk: self.clone(),
            path: path.to_path_buf(),
            token: state.open(file, self.process),
            file,
            access,
        }
    }
}

impl Disk for TestDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.call(Call::CreateDir, path, 0, |state| {
            state.volume.create_dir(path)
        })
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        self.call(Call::List, dir, 0, |state| state.volume.list(dir))
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.call(Call::CreateNew, path, 0, |state| {
            let file = state.volume.create(path)?;
            Ok(Box::new(self.handle(state, file, path, Access::Append)) as _)
        })
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.call(Call::Open, path, 0, |state| {
            let file = state.volume.file(path)?;
            Ok(Box::new(self.handle(state, file, path, Access::Read)) as _)
        })
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.call(Call::Append, path, 0, |state| {
            let file = find_or_create(state, path)?;
            Ok(Box::new(self.handle(state, file, path, Access::Append)) as _)
        })
    }

    fn stat(&self, path: &Path) -> io::Result<FileStat> {
        self.call(Call::Stat, path, 0, |state| {
            state.volume.stat(state.volume.file(path)?)
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call(Call::Rename, from, 0, |state| state.volume.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.call(Call::Remove, path, 0, |state| state.volume.remove(path))
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.call(Call::RemoveDir, path, 0, |state| {
            state.volume.remove_dir(path)
        })
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let state = self.begin(Call::SyncDir)?;
        let last = state.volume.last_change();
        self.finish(state, Call::SyncDir, dir, 0, |state, fault| match fault {
            Some(fault) => Err(fault.error()),
            None => state.volume.sync_dir(dir, last),
        })
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        self.call(Call::Lock, path, 0, |state| {
            let file = find_or_create(state, path)?;
            let token = state.lock(file, self.process)?;
            let disk = self.clone();
            Ok(Box::new(TestLock { disk, token }) as _)
        })
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        self.call(Call::Space, path, 0, |state| {
            state.volume.find(path).map(|_| state.space())
        })
    }

    fn kind(&self, path: &Path) -> io::Result<VolumeKind> {
        self.call(Call::Kind, path, 0, |state| {
            state.volume.find(path).map(|_| state.kind)
        })
    }
}

fn find_or_create(state: &mut State, path: &Path) -> io::Result<u64> {
    match state.volume.file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => state.volume.create(path),
        result => result,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Append,
}

/// An open file in memory.
#[derive(Debug)]
struct TestFile {
    disk: TestDisk,
    path: PathBuf,
    token: u64,
    file: u64,
    access: Access,
}

impl TestFile {
    fn writable(&self) -> io::Result<()> {
        match self.access {
            Access::Append => Ok(()),
            Access::Read => Err(io::Error::from_raw_os_error(EBADF)),
        }
    }

    fn write(&self, state: &mut State, bytes: &[u8], fault: Option<&Fault>) -> io::Result<()> {
        self.writable()?;
        let wanted = fault.map_or(bytes.len(), |fault| fault.written().min(bytes.len()));
        let fitting = state.fitting(wanted);
        let content = state.volume.content_mut(self.file)?;
        content.append(bytes.get(..fitting).unwrap_or_default());
        match fault {
            _ if fitting < wanted => Err(io::Error::from_raw_os_error(ENOSPC)),
            Some(fault) => Err(fault.error()),
            None => Ok(()),
        }
    }
}

impl DiskFile for TestFile {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let state = self.disk.begin(Call::Write)?;
        let write = |state: &mut State, fault: Option<&Fault>| self.write(state, bytes, fault);
        self.disk
            .finish(state, Call::Write, &self.path, bytes.len(), write)
    }

    fn sync(&mut self) -> io::Result<()> {
        let state = self.disk.begin(Call::Sync)?;
        let flight = state.volume.content(self.file)?.begin_sync();
        self.disk
            .finish(state, Call::Sync, &self.path, 0, |state, fault| {
                let content = state.volume.content_mut(self.file)?;
                match fault {
                    Some(fault) => {
                        content.fail_sync(flight);
                        Err(fault.error())
                    }
                    None => {
                        content.end_sync(flight);
                        Ok(())
                    }
                }
            })
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.disk
            .call(Call::Read, &self.path, buffer.len(), |state| {
                let bytes = state.volume.content(self.file)?.cached();
                let offset = usize::try_from(offset).unwrap_or(usize::MAX);
                let found = bytes.get(offset..).unwrap_or_default();
                let count = found.len().min(buffer.len());
                for (to, from) in buffer.iter_mut().zip(found) {
                    *to = *from;
                }
                Ok(count)
            })
    }

    fn stat(&self) -> io::Result<FileStat> {
        self.disk.call(Call::StatOpen, &self.path, 0, |state| {
            state.volume.stat(self.file)
        })
    }

    fn allocate(&mut self, bytes: u64) -> io::Result<()> {
        let len = usize::try_from(bytes).unwrap_or(usize::MAX);
        self.disk.call(Call::Allocate, &self.path, len, |state| {
            self.writable()?;
            let missing = bytes.saturating_sub(state.volume.stat(self.file)?.len);
            if missing > state.space().available {
                return Err(io::Error::from_raw_os_error(ENOSPC));
            }
            state.volume.content_mut(self.file)?.extend(len);
            Ok(())
        })
    }
}

impl Drop for TestFile {
    fn drop(&mut self) {
        self.disk.state().close(self.token);
    }
}

/// A lock in memory.
#[derive(Debug)]
struct TestLock {
    disk: TestDisk,
    token: u64,
}

impl DiskLock for TestLock {}

impl Drop for TestLock {
    fn drop(&mut self) {
        self.disk.state().unlock(self.token);
    }
}
