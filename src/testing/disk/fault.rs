//! Calls that fail, and calls that hang.

use std::{io, path::Path, time::Duration};

use rustix::io::Errno;

use super::{Call, TestDisk, state::State};

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
        Self::errno(calls, Errno::IO.raw_os_error())
    }

    /// Fails these calls because the disk is full.
    #[must_use]
    pub fn enospc(calls: impl AsRef<[Call]>) -> Self {
        Self::errno(calls, Errno::NOSPC.raw_os_error())
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

    /// Takes back all faults, those that have not hit included.
    pub fn clear_faults(&self) {
        self.state().faults.clear();
    }

    /// Lets calls of this kind hang from now on.
    ///
    /// A sync that hangs covers what was written before it was called, and nothing is durable
    /// until it goes on. Faults hit when it does.
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
        let hang = |state: &mut State| state.hanging(call) < calls;
        let result = self
            .shared
            .changed
            .wait_timeout_while(self.state(), PATIENCE, hang);
        match result {
            Ok((_, timeout)) => !timeout.timed_out(),
            Err(_) => false,
        }
    }
}
