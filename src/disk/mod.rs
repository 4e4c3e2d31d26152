//! The files below the trail: one trait, so that a test can take the power away.

use std::{
    fmt::Debug,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// What a trail asks of a file system.
///
/// Everything made here is private: directories 0700, files 0600.
pub trait Disk: Debug + Send + Sync + 'static {
    /// Makes a directory and what is missing above it; one that exists is left as it is.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// The names directly below a directory, in no order.
    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>>;
    /// Makes a file that must not exist yet, open for writing at its end.
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Opens an existing file for reading.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Opens a file for writing at its end, making it when it is missing.
    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Length and identity of the file that has this name now.
    fn stat(&self, path: &Path) -> io::Result<FileStat>;
    /// Renames a file, replacing what has the new name. Durable after [`sync_dir`](Self::sync_dir).
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty directory.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;
    /// Makes creations, renames and removals in a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Takes the exclusive lock on a file, making it when it is missing; `WouldBlock` when another
    /// process (or another holder in this one) has it. Dropping the guard releases it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>>;
    /// Total and available bytes of the volume that holds this path.
    fn space(&self, path: &Path) -> io::Result<Space>;
    /// What kind of file system holds this path.
    fn kind(&self, path: &Path) -> io::Result<VolumeKind>;
}

/// An open file.
pub trait DiskFile: Debug + Send + 'static {
    /// Writes all of `bytes` at the end.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Returns when everything written so far is on stable storage (`fdatasync`).
    fn sync(&mut self) -> io::Result<()>;
    /// Reads up to `buffer.len()` bytes at `offset`; 0 at the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Length and identity of this open file, whatever its name is by now.
    fn stat(&self) -> io::Result<FileStat>;
    /// Reserves `bytes` of real space for this file.
    fn allocate(&mut self, bytes: u64) -> io::Result<()>;
}

/// Holds a lock until dropped.
pub trait DiskLock: Debug + Send + Sync + 'static {}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The last component of the path. A name that is not UTF-8 is not ours and is left out.
    pub name: String,
    /// Whether it is a directory.
    pub is_dir: bool,
}

/// What tells one file from another under the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStat {
    /// Length in bytes.
    pub len: u64,
    /// Device and inode.
    pub identity: (u64, u64),
}

/// The room on a volume, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Size of the volume.
    pub total: u64,
    /// What an unprivileged process may still use.
    pub available: u64,
}

/// Whether a volume keeps what it was asked to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VolumeKind {
    /// A local file system.
    Local,
    /// `tmpfs` or `ramfs`: gone with the machine.
    Memory,
    /// `overlayfs`: gone with the container.
    Overlay,
    /// NFS, SMB and the like: locks and syncs may not hold.
    Network,
}

/// Reads a whole file of at most `limit` bytes; `InvalidData` when it is longer.
pub(crate) fn read_bounded(disk: &dyn Disk, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    let file = disk.open(path)?;
    let mut bytes = Vec::new();
    let mut chunk = vec![0; 8192];
    loop {
        let count = file.read_at(&mut chunk, bytes.len() as u64)?;
        let Some(read) = chunk.get(..count).filter(|read| !read.is_empty()) else {
            return Ok(bytes);
        };
        bytes.extend_from_slice(read);
        if bytes.len() > limit {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "file is longer than expected",
            ));
        }
    }
}

/// Replaces a small file so that a reader, or a crash, sees the old bytes or the new ones.
pub(crate) fn replace(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let fresh = PathBuf::from(name);
    // A crash may have left one behind.
    match disk.remove(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = disk.create_new(&fresh)?;
    file.write_all(bytes)?;
    file.sync()?;
    disk.rename(&fresh, path)?;
    disk.sync_dir(path.parent().unwrap_or_else(|| Path::new(".")))
}

/// The machine's own file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct StdDisk;

/// How a disk is passed around.
pub type SharedDisk = Arc<dyn Disk>;
