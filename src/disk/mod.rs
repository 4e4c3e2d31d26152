//! The files below the trail: one trait, so that a test can take the power away.
//!
//! # What is promised, and what it rests on
//!
//! | promise | rests on |
//! |---|---|
//! | bytes written before a [`sync`](DiskFile::sync) that succeeded survive a power cut, and so does the length that covers them | POSIX `fdatasync` |
//! | a sync that failed says so to the handle that wrote | Linux since 4.13 reports a write-back error once to every handle that was open when it happened |
//! | a file keeps its name, and loses its old one, after [`sync_dir`](Disk::sync_dir) of the directory | Linux: `fsync` of a directory; POSIX says nothing about it |
//! | a directory made by [`create_dir`](Disk::create_dir) is there after a power cut | the directories above it are synced before it returns |
//! | [`rename`](Disk::rename) shows a reader the old file or the new one | POSIX `rename`; after a power cut too, on a file system with a journal or copy on write |
//! | one holder of a [`lock`](Disk::lock), also within one process | `flock` on an open file of its own for each holder |
//! | two files alive at the same time differ in [`identity`](FileStat::identity) | POSIX device and inode; the number of a removed file is used again once nobody has it open |
//! | space that was [allocated](DiskFile::allocate) is there to be given back | `fallocate`, or zeros written in its place; not on a file system that compresses or copies on write |
//!
//! What is **not** promised:
//!
//! - After a failed sync nothing is known about the bytes since the last one that held. They are
//!   read back from memory as if they were safe, and the next sync succeeds without them. The
//!   only way out is to write them again, to another file.
//! - Bytes that were not synced may survive a power cut in any part, in pages of 4 KiB, in any
//!   order: a later page without an earlier one, which then reads as zeros.
//! - Creations, renames and removals that were not synced may survive in any part. File systems
//!   with a journal keep them in order; nothing here relies on it.
//! - All this ends where the hardware lies, or where [`kind`](Disk::kind) is not
//!   [`VolumeKind::Local`].
//!
//! A process that dies without the machine loses nothing it wrote; its locks are released.
//!
//! The crate is for Unix, and is tested on Linux only. [`StdDisk`] is the machine's own disk.
//! With the `testing` feature there is one in memory that forgets what it never promised.

use std::{fmt::Debug, io, path::Path, sync::Arc};

#[cfg(target_os = "linux")]
mod linux;
mod local;
mod lock;
#[cfg(any(test, not(target_os = "linux")))]
mod portable;
mod whole;

pub use self::local::StdDisk;
pub(crate) use self::lock::is_locked;
pub(crate) use self::whole::{read_bounded, replace};

/// How a disk is passed around.
pub type SharedDisk = Arc<dyn Disk>;

/// What a trail asks of a file system.
///
/// Everything made here is private: directories 0700, files 0600, less what the umask takes.
/// What exists keeps its mode.
///
/// # Errors
///
/// Every method fails with what the operating system says, which does not name the path.
#[expect(clippy::missing_errors_doc, reason = "said once, for all of them")]
pub trait Disk: Debug + Send + Sync + 'static {
    /// Makes a directory and what is missing above it; one that exists is left as it is.
    ///
    /// What it made is durable when it returns.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// The names directly below a directory, in no order.
    ///
    /// A name that is not UTF-8 is not ours and is left out. A symbolic link counts as a file.
    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>>;
    /// Makes a file that must not exist yet, open for writing at its end and for reading.
    ///
    /// Its name is durable after [`sync_dir`](Self::sync_dir).
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Opens an existing file for reading.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Opens a file for writing at its end and for reading, making it when it is missing.
    ///
    /// The name of a file it made is durable after [`sync_dir`](Self::sync_dir).
    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Length and identity of the file that has this name now.
    fn stat(&self, path: &Path) -> io::Result<FileStat>;
    /// Renames a file, replacing what has the new name. Durable after [`sync_dir`](Self::sync_dir)
    /// of its directory; of both, when they differ.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file. Durable after [`sync_dir`](Self::sync_dir).
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty directory. Durable after [`sync_dir`](Self::sync_dir) of the one above.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;
    /// Makes creations, renames and removals in a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Takes the exclusive lock on a file, making it when it is missing; `WouldBlock` when another
    /// process (or another holder in this one) has it. Dropping the guard releases it.
    ///
    /// The lock is on the file, not on its name: whoever removes the file makes room for a second
    /// holder.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>>;
    /// Total and available bytes of the volume that holds this path.
    fn space(&self, path: &Path) -> io::Result<Space>;
    /// What kind of file system holds this path.
    fn kind(&self, path: &Path) -> io::Result<VolumeKind>;
}

/// An open file.
///
/// # Errors
///
/// Every method fails with what the operating system says, which does not name the path.
#[expect(clippy::missing_errors_doc, reason = "said once, for all of them")]
pub trait DiskFile: Debug + Send + 'static {
    /// Writes all of `bytes` at the end, wherever that is by now.
    ///
    /// After an error any number of them may have been written.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Returns when everything written so far is on stable storage (`fdatasync`).
    ///
    /// After an error give the file up: a later sync that succeeds says nothing about the bytes
    /// of this one.
    fn sync(&mut self) -> io::Result<()>;
    /// Reads up to `buffer.len()` bytes at `offset`; 0 at the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Length and identity of this open file, whatever its name is by now.
    fn stat(&self) -> io::Result<FileStat>;
    /// Makes the file at least `bytes` long, in zeros that have real space behind them.
    fn allocate(&mut self, bytes: u64) -> io::Result<()>;
}

/// Holds a lock until dropped.
pub trait DiskLock: Debug + Send + Sync + 'static {}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Entry {
    /// The last component of the path.
    pub name: String,
    /// Whether it is a directory.
    pub is_dir: bool,
}

impl Entry {
    /// A name, and whether it is a directory.
    #[must_use]
    pub const fn new(name: String, is_dir: bool) -> Self {
        Self { name, is_dir }
    }
}

/// What tells one file from another under the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileStat {
    /// Length in bytes.
    pub len: u64,
    /// Device and inode.
    pub identity: (u64, u64),
}

impl FileStat {
    /// A length in bytes, and device and inode.
    #[must_use]
    pub const fn new(len: u64, identity: (u64, u64)) -> Self {
        Self { len, identity }
    }
}

/// The room on a volume, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Space {
    /// Size of the volume.
    pub total: u64,
    /// What an unprivileged process may still use.
    pub available: u64,
}

impl Space {
    /// The size of a volume and what is available of it, in bytes.
    #[must_use]
    pub const fn new(total: u64, available: u64) -> Self {
        Self { total, available }
    }
}

/// Whether a volume keeps what it was asked to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum VolumeKind {
    /// A local file system, or one that is not known to be anything else.
    Local,
    /// `tmpfs` or `ramfs`: gone with the machine.
    Memory,
    /// `overlayfs` or `aufs`: gone with the container.
    Overlay,
    /// NFS, SMB and the like, shared folders of a virtual machine, and everything on FUSE (what is
    /// behind it cannot be seen from here): locks and syncs may not hold.
    Network,
}
