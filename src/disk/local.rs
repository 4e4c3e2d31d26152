//! The machine's own disk.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt},
    path::Path,
};

#[cfg(target_os = "linux")]
use super::linux as system;
#[cfg(not(target_os = "linux"))]
use super::portable as system;
use super::{
    Disk, DiskFile, DiskLock, Entry, FileStat, Space, VolumeKind, lock::StdLock,
    whole::directory_of,
};

/// The machine's own file system.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has nothing to keep")]
pub struct StdDisk;

impl Disk for StdDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut missing = Vec::new();
        for dir in path.ancestors().filter(|dir| !dir.as_os_str().is_empty()) {
            match fs::metadata(dir) {
                Ok(found) if found.is_dir() => break,
                Ok(_) => return Err(io::ErrorKind::NotADirectory.into()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => missing.push(dir),
                Err(error) => return Err(error),
            }
        }
        missing
            .into_iter()
            .rev()
            .try_for_each(|dir| make_dir(self, dir))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            match entry.file_type() {
                Ok(kind) => entries.push(Entry::new(name, kind.is_dir())),
                // Removed since the directory was read.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(entries)
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = private().create_new(true).open(path)?;
        Ok(Box::new(StdFile(file)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(StdFile(File::open(path)?)))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = private().create(true).open(path)?;
        Ok(Box::new(StdFile(file)))
    }

    fn stat(&self, path: &Path) -> io::Result<FileStat> {
        fs::metadata(path).map(|found| stat_of(&found))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        match File::open(dir)?.sync_all() {
            // Some shared folders have no such call. What they are, `kind` says.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            result => result,
        }
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        let file = private().create(true).open(path)?;
        Ok(Box::new(StdLock::take(file, path)?))
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let volume = rustix::io::retry_on_intr(|| rustix::fs::statvfs(path))?;
        Ok(Space::new(
            volume.f_blocks.saturating_mul(volume.f_frsize),
            volume.f_bavail.saturating_mul(volume.f_frsize),
        ))
    }

    fn kind(&self, path: &Path) -> io::Result<VolumeKind> {
        system::kind(path)
    }
}

/// Makes one directory, durably or not at all.
fn make_dir(disk: &StdDisk, dir: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(dir) {
        // Another process was quicker, but may not have come to its sync.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => {}
        result => result?,
    }
    disk.sync_dir(directory_of(dir)).inspect_err(|_| {
        // Left standing, it would be found by the next call, which would then not sync it. If
        // somebody has put a file into it by now it stays, and that is right.
        let _ = fs::remove_dir(dir);
    })
}

/// For writing at the end, readable by nobody else.
fn private() -> OpenOptions {
    let mut options = File::options();
    options.read(true).append(true).mode(0o600);
    options
}

fn stat_of(found: &fs::Metadata) -> FileStat {
    FileStat::new(found.len(), (found.dev(), found.ino()))
}

/// An open file of the machine.
#[derive(Debug)]
struct StdFile(File);

impl StdFile {
    /// Writes zeros up to a length of `bytes`.
    fn fill(&mut self, bytes: u64) -> io::Result<()> {
        let missing = bytes.saturating_sub(self.0.metadata()?.len());
        io::copy(&mut io::Read::take(io::repeat(0), missing), &mut self.0).map(drop)
    }
}

impl DiskFile for StdFile {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        loop {
            match self.0.read_at(buffer, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn stat(&self) -> io::Result<FileStat> {
        self.0.metadata().map(|found| stat_of(&found))
    }

    fn allocate(&mut self, bytes: u64) -> io::Result<()> {
        // `fallocate` refuses a length of zero.
        if bytes == 0 || system::reserve(&self.0, bytes)? {
            return Ok(());
        }
        self.fill(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::PathBuf};

    use tempfile::TempDir;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    fn scratch() -> (TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_path_buf();
        (dir, path)
    }

    #[test]
    fn what_is_made_is_private() {
        let (_scratch, base) = scratch();
        let dir = base.join("a/b");
        StdDisk.create_dir(&dir).unwrap();
        StdDisk.create_new(&dir.join("new")).unwrap();
        StdDisk.append(&dir.join("append")).unwrap();
        let _lock = StdDisk.lock(&dir.join("lock")).unwrap();
        for (name, expected) in [
            ("a", 0o700),
            ("a/b", 0o700),
            ("a/b/new", 0o600),
            ("a/b/append", 0o600),
            ("a/b/lock", 0o600),
        ] {
            assert_eq!(mode(&base.join(name)), expected, "{name}");
        }
    }

    #[test]
    fn a_directory_that_exists_is_left_as_it_is() {
        let (_scratch, base) = scratch();
        let dir = base.join("shared");
        DirBuilder::new().mode(0o750).create(&dir).unwrap();
        let before = mode(&dir);
        StdDisk.create_dir(&dir).unwrap();
        assert_eq!(mode(&dir), before);
        assert_ne!(before, 0o700);
    }

    #[test]
    fn a_file_in_the_way_of_a_directory_is_said() {
        let (_scratch, base) = scratch();
        fs::write(base.join("file"), "").unwrap();
        for path in ["file", "file/below"] {
            let error = StdDisk.create_dir(&base.join(path)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotADirectory, "{path}");
        }
    }

    #[test]
    fn a_new_file_replaces_nothing() {
        let (_scratch, base) = scratch();
        fs::write(base.join("file"), "old").unwrap();
        let error = StdDisk.create_new(&base.join("file")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(base.join("file")).unwrap(), b"old");
    }

    #[test]
    fn writes_go_to_the_end_even_when_the_file_was_cut() {
        let (_scratch, base) = scratch();
        let path = base.join("file");
        let mut file = StdDisk.create_new(&path).unwrap();
        file.write_all(b"one").unwrap();
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(1)
            .unwrap();
        file.write_all(b"two").unwrap();
        file.sync().unwrap();
        StdDisk.append(&path).unwrap().write_all(b"three").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"otwothree");
    }

    #[test]
    fn a_file_opened_for_reading_cannot_be_written() {
        let (_scratch, base) = scratch();
        fs::write(base.join("file"), "old").unwrap();
        let mut file = StdDisk.open(&base.join("file")).unwrap();
        file.write_all(b"new").unwrap_err();
        let mut buffer = [0; 8];
        assert_eq!(file.read_at(&mut buffer, 1).unwrap(), 2);
        assert_eq!(&buffer[..2], b"ld");
        assert_eq!(file.read_at(&mut buffer, 3).unwrap(), 0);
    }

    #[test]
    fn names_that_are_not_ours_are_not_listed() {
        let (_scratch, base) = scratch();
        fs::write(base.join("file"), "").unwrap();
        fs::write(base.join(OsStr::from_bytes(b"b\xFFd")), "").unwrap();
        fs::create_dir(base.join("dir")).unwrap();
        std::os::unix::fs::symlink("dir", base.join("link")).unwrap();
        let mut entries = StdDisk.list(&base).unwrap();
        entries.sort();
        assert_eq!(
            entries,
            [
                Entry::new("dir".into(), true),
                Entry::new("file".into(), false),
                Entry::new("link".into(), false),
            ]
        );
    }

    // trap J3
    #[test]
    fn a_renamed_or_replaced_file_is_told_by_its_identity() {
        let (_scratch, base) = scratch();
        let path = base.join("file");
        let mut file = StdDisk.create_new(&path).unwrap();
        file.write_all(b"12345").unwrap();
        assert_eq!(StdDisk.stat(&path).unwrap(), file.stat().unwrap());
        assert_eq!(file.stat().unwrap().len, 5);

        StdDisk.rename(&path, &base.join("moved")).unwrap();
        StdDisk.create_new(&path).unwrap();
        assert_ne!(
            StdDisk.stat(&path).unwrap().identity,
            file.stat().unwrap().identity
        );

        StdDisk.remove(&base.join("moved")).unwrap();
        StdDisk.sync_dir(&base).unwrap();
        assert_eq!(file.stat().unwrap().len, 5);
        let error = StdDisk.stat(&base.join("moved")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn space_is_that_of_the_volume() {
        let (_scratch, base) = scratch();
        let space = StdDisk.space(&base).unwrap();
        assert!(
            space.total > 0 && space.available <= space.total,
            "{space:?}"
        );
    }

    #[test]
    fn allocated_space_is_real_and_reads_as_zeros() {
        let (_scratch, base) = scratch();
        let mut reserved = StdFile(private().create_new(true).open(base.join("a")).unwrap());
        let mut filled = StdFile(private().create_new(true).open(base.join("b")).unwrap());
        for (bytes, expected) in [(0, 1), (100_000, 100_000), (50, 100_000)] {
            if bytes == 0 {
                reserved.write_all(b"x").unwrap();
                filled.write_all(b"x").unwrap();
            }
            reserved.allocate(bytes).unwrap();
            filled.fill(bytes).unwrap();
            assert_eq!(reserved.stat().unwrap().len, expected, "{bytes}");
            assert_eq!(filled.stat().unwrap().len, expected, "{bytes}");
        }
        let bytes = fs::read(base.join("a")).unwrap();
        assert!(bytes.starts_with(b"x\0") && bytes[1..].iter().all(|byte| *byte == 0));
        assert_eq!(fs::read(base.join("b")).unwrap(), bytes);
        assert!(reserved.0.metadata().unwrap().blocks() * 512 >= 100_000);
    }

    #[test]
    fn a_relative_path_is_below_where_the_process_stands() {
        assert_eq!(directory_of(Path::new("name")), Path::new("."));
        assert_eq!(directory_of(Path::new("a/name")), Path::new("a"));
        StdDisk.sync_dir(directory_of(Path::new("name"))).unwrap();
    }
}
