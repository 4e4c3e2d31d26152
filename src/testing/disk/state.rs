//! What all handles of one disk share.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Condvar, Mutex},
};

use super::{Call, Fault, Operation, volume::Volume};
use crate::disk::{Space, VolumeKind};

/// Room enough for any test that does not set its own.
const CAPACITY: u64 = 1 << 40;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) state: Mutex<State>,
    /// Told of every change that somebody who hangs, or waits for that, may wait for.
    pub(super) changed: Condvar,
}

impl From<State> for Shared {
    fn from(state: State) -> Self {
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }
}

/// A file that a process has open or locked.
#[derive(Debug, Clone, Copy)]
struct Hold {
    file: u64,
    process: u64,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) volume: Volume,
    pub(super) capacity: u64,
    pub(super) kind: VolumeKind,
    pub(super) faults: Vec<Fault>,
    /// The calls that hang, and how many of each may pass.
    pub(super) stalls: BTreeMap<Call, u64>,
    pub(super) counts: BTreeMap<Call, u64>,
    pub(super) log: Vec<Operation>,
    waiting: BTreeMap<Call, usize>,
    powered: bool,
    dead: BTreeSet<u64>,
    /// Open files and locks, by token.
    open: BTreeMap<u64, Hold>,
    locks: BTreeMap<u64, Hold>,
    tokens: u64,
}

impl State {
    pub(super) const fn new(volume: Volume) -> Self {
        Self {
            volume,
            capacity: CAPACITY,
            kind: VolumeKind::Local,
            faults: Vec::new(),
            stalls: BTreeMap::new(),
            counts: BTreeMap::new(),
            log: Vec::new(),
            waiting: BTreeMap::new(),
            powered: true,
            dead: BTreeSet::new(),
            open: BTreeMap::new(),
            locks: BTreeMap::new(),
            tokens: 0,
        }
    }

    /// The same machine with other contents: nothing runs, nothing is counted, nothing fails.
    pub(super) const fn restarted(&self, volume: Volume) -> Self {
        let mut state = Self::new(volume);
        state.capacity = self.capacity;
        state.kind = self.kind;
        state.tokens = self.tokens;
        state
    }

    pub(super) const fn token(&mut self) -> u64 {
        self.tokens += 1;
        self.tokens
    }

    pub(super) fn power_off(&mut self) {
        self.powered = false;
        self.open.clear();
        self.locks.clear();
    }

    pub(super) fn kill(&mut self, process: u64) {
        self.dead.insert(process);
        self.open.retain(|_, hold| hold.process != process);
        self.locks.retain(|_, hold| hold.process != process);
    }

    /// Fails for a process that was killed, or is on a disk without power.
    pub(super) fn alive(&self, process: u64) -> io::Result<()> {
        if self.powered && !self.dead.contains(&process) {
            return Ok(());
        }
        Err(io::Error::other("the process of this handle is dead"))
    }

    pub(super) fn open(&mut self, file: u64, process: u64) -> u64 {
        let token = self.token();
        self.open.insert(token, Hold { file, process });
        token
    }

    pub(super) fn close(&mut self, token: u64) {
        self.open.remove(&token);
    }

    pub(super) fn lock(&mut self, file: u64, process: u64) -> io::Result<u64> {
        if self.locks.values().any(|hold| hold.file == file) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let token = self.token();
        self.locks.insert(token, Hold { file, process });
        Ok(token)
    }

    pub(super) fn unlock(&mut self, token: u64) {
        self.locks.remove(&token);
    }

    pub(super) fn space(&self) -> Space {
        let used = self.volume.used(self.open.values().map(|hold| hold.file));
        Space::new(self.capacity, self.capacity.saturating_sub(used))
    }

    /// How many of `bytes` still fit.
    pub(super) fn fitting(&self, bytes: usize) -> usize {
        usize::try_from(self.space().available).map_or(bytes, |room| bytes.min(room))
    }

    /// Whether a call may go on.
    pub(super) fn may_pass(&mut self, call: Call) -> bool {
        match self.stalls.get_mut(&call) {
            None => true,
            Some(0) => false,
            Some(permits) => {
                *permits -= 1;
                true
            }
        }
    }

    pub(super) fn count(&self, call: Call) -> u64 {
        self.counts.get(&call).copied().unwrap_or(0)
    }

    pub(super) fn hang(&mut self, call: Call) {
        *self.waiting.entry(call).or_default() += 1;
    }

    pub(super) fn go_on(&mut self, call: Call) {
        if let Some(count) = self.waiting.get_mut(&call) {
            *count = count.saturating_sub(1);
        }
    }

    pub(super) fn hanging(&self, call: Call) -> usize {
        self.waiting.get(&call).copied().unwrap_or(0)
    }
}
