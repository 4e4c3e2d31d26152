//! A file of real space, given back when the volume is full so that the outage can be written.

use std::{
    io,
    path::Path,
    time::{Duration, Instant},
};

use crate::disk::Disk;

const NAME: &str = "reserve";

/// The reserve of one trail.
#[derive(Debug)]
pub(crate) struct Reserve {
    bytes: u64,
    pause: Duration,
    held: bool,
    tried: Option<Instant>,
}

impl Reserve {
    /// Takes the reserve, or finds it there. A volume without room for it is not an error.
    pub(crate) fn take(disk: &dyn Disk, dir: &Path, bytes: u64, pause: Duration) -> Self {
        let mut reserve = Self {
            bytes,
            pause,
            held: false,
            tried: None,
        };
        reserve.restore(disk, dir);
        reserve
    }

    /// Gives the space back; false when there was nothing to give.
    pub(crate) fn release(&mut self, disk: &dyn Disk, dir: &Path) -> bool {
        let held = std::mem::replace(&mut self.held, false);
        self.tried = Some(Instant::now());
        held && disk.remove(&dir.join(NAME)).is_ok()
    }

    /// Takes the space again: not before the pause is over, and only when twice as much is there.
    pub(crate) fn restore(&mut self, disk: &dyn Disk, dir: &Path) {
        let soon = self.tried.is_some_and(|tried| tried.elapsed() < self.pause);
        if self.held || self.bytes == 0 || soon {
            return;
        }
        self.tried = Some(Instant::now());
        self.held = self.try_restore(disk, dir).unwrap_or(false);
    }

    fn try_restore(&self, disk: &dyn Disk, dir: &Path) -> io::Result<bool> {
        let path = dir.join(NAME);
        match disk.stat(&path) {
            Ok(stat) if stat.len >= self.bytes => return Ok(true),
            Ok(_) => disk.remove(&path)?,
            Err(_) => {}
        }
        if disk.space(dir)?.available < self.bytes.saturating_mul(2) {
            return Ok(false);
        }
        let mut file = disk.create_new(&path)?;
        if let Err(error) = file.allocate(self.bytes).and_then(|()| file.sync()) {
            disk.remove(&path)?;
            return Err(error);
        }
        Ok(true)
    }
}
