//! A file that fails when a test wants it to.

use std::{cell::Cell, fs::File, io};

use super::active::Medium;

/// What fails next, and how far it comes before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Fault {
    None,
    /// The write stops after so many bytes: a full disk.
    Write(usize),
    /// Everything is written, the sync fails.
    Sync,
    /// The write stops after so many bytes, and cutting them off fails as well.
    WriteAndCut(usize),
    /// Somebody empties the file between write and sync.
    Emptied,
}

thread_local! {
    pub(super) static NEXT: Cell<Fault> = const { Cell::new(Fault::None) };
}

#[derive(Debug)]
pub(super) struct Faulty(pub(super) File);

impl Medium for Faulty {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match NEXT.get() {
            Fault::Write(length) | Fault::WriteAndCut(length) => {
                Medium::write_all(&mut self.0, &bytes[..length])?;
                Err(io::ErrorKind::StorageFull.into())
            }
            _ => Medium::write_all(&mut self.0, bytes),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        match NEXT.get() {
            Fault::Sync => Err(io::Error::from_raw_os_error(5)),
            Fault::Emptied => self.0.set_len(0),
            _ => self.0.sync(),
        }
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        match NEXT.get() {
            Fault::WriteAndCut(_) => Err(io::Error::from_raw_os_error(5)),
            _ => self.0.cut(length),
        }
    }

    fn length(&self) -> io::Result<u64> {
        self.0.length()
    }
}
