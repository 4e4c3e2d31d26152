//! A disk in memory that keeps what a real one would keep, and loses what a real one may lose.
//!
//! What is written is read back at once. It is durable after [`sync`](crate::disk::DiskFile::sync)
//! of the file, and the name of the file after [`sync_dir`](crate::disk::Disk::sync_dir) of its
//! directory. From there on a test decides:
//!
//! - [`kill`](TestDisk::kill) a process: all it wrote is still there, not all of it durable.
//! - [`crash`](TestDisk::crash) the machine, with any choice of what was not synced;
//!   [`every_crash`](TestDisk::every_crash) goes through all of them.
//! - [`inject`](TestDisk::inject) failures, set a [capacity](TestDisk::set_capacity), let a call
//!   [hang](TestDisk::stall).
//! - [`overwrite`](TestDisk::overwrite), [`truncate`](TestDisk::truncate),
//!   [`unlink`](TestDisk::unlink) and the like, as somebody with a shell does.
//! - look at the [log](TestDisk::log) and the [counts](TestDisk::count) of calls.
//!
//! What it does not play: a page that reached the device half-way between two writes to it, bytes
//! that change on their own, links, modes, names that are not UTF-8.
//!
//! ```
//! use std::path::Path;
//! use tower_audit::{disk::Disk, testing::disk::{Crash, TestDisk}};
//!
//! let disk = TestDisk::new();
//! let mut file = disk.create_new(Path::new("a"))?;
//! file.write_all(b"safe")?;
//! file.sync()?;
//! disk.sync_dir(Path::new(""))?;
//! file.write_all(b" or not")?;
//!
//! let disk = disk.crash(Crash::losing_all());
//! assert_eq!(disk.bytes("a")?, b"safe");
//! assert!(file.sync().is_err(), "who had it open is dead");
//! # Ok::<(), std::io::Error>(())
//! ```

use std::sync::{Arc, MutexGuard, PoisonError};

use self::{
    state::{Shared, State},
    volume::Volume,
};
use crate::disk::VolumeKind;

mod call;
mod crash;
mod every;
mod fault;
mod file;
mod handle;
mod state;
mod tamper;
mod volume;

pub use self::{
    call::{Call, Operation},
    crash::{Crash, Length, NameChange, Page},
    fault::Fault,
};

/// A disk in memory; a clone is the same disk, used by the same process.
#[derive(Debug, Clone)]
pub struct TestDisk {
    shared: Arc<Shared>,
    process: u64,
}

impl Default for TestDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl TestDisk {
    /// An empty disk of 1 TiB, that calls itself [`VolumeKind::Local`].
    #[must_use]
    pub fn new() -> Self {
        Self {
            shared: Arc::new(State::new(Volume::default()).into()),
            process: 0,
        }
    }

    /// The same disk, as another process sees it.
    #[must_use]
    pub fn process(&self) -> Self {
        let process = self.state().token();
        Self {
            shared: Arc::clone(&self.shared),
            process,
        }
    }

    /// Kills the process that this handle and its clones belong to.
    ///
    /// Nothing it wrote is lost. Its handles fail from now on, its locks are released, and its
    /// threads that [hang](Self::stall) return with an error. [`process`](Self::process) makes the
    /// next one.
    pub fn kill(&self) {
        self.state().kill(self.process);
        self.shared.changed.notify_all();
    }

    /// A copy of the disk as a new process would find it; this one goes on.
    #[must_use]
    pub fn after_kill(&self) -> Self {
        let state = self.state();
        Self {
            shared: Arc::new(state.restarted(state.volume.clone()).into()),
            process: 0,
        }
    }

    /// Sets the size of the volume in bytes: a write puts there what fits, then fails as a full
    /// disk does. Only the bytes of files count.
    pub fn set_capacity(&self, bytes: u64) {
        self.state().capacity = bytes;
    }

    /// Sets what the volume calls itself.
    pub fn set_kind(&self, kind: VolumeKind) {
        self.state().kind = kind;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics in between two changes that belong together.
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
