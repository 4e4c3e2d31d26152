//! Small files that are read whole and replaced whole.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::Disk;

/// Reads a whole file of at most `limit` bytes; `InvalidData` when it is longer.
pub(crate) fn read_bounded(disk: &dyn Disk, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    let file = disk.open(path)?;
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let count = file.read_at(&mut chunk, bytes.len() as u64)?;
        let Some(read) = chunk.get(..count).filter(|read| !read.is_empty()) else {
            return Ok(bytes);
        };
        if read.len() > limit - bytes.len() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("file is longer than {limit} bytes"),
            ));
        }
        bytes.extend_from_slice(read);
    }
}

/// Replaces a small file so that a reader, or a crash, sees the old bytes or the new ones.
///
/// The new bytes go to `<path>.new` first, so only one caller at a time may replace a file. When
/// this fails, readers have the old bytes, unless it was the sync of the directory that failed:
/// then they have the new ones, and a crash may still bring the old ones back.
pub(crate) fn replace(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let fresh = PathBuf::from(name);
    // A crash may have left one behind, and its bytes may be anything.
    remove_if_there(disk, &fresh)?;
    if let Err(error) = write_fresh(disk, &fresh, bytes).and_then(|()| disk.rename(&fresh, path)) {
        // On a full disk the room counts. What stays is removed by the next call, so the first
        // error is the one to tell.
        let _ = remove_if_there(disk, &fresh);
        return Err(error);
    }
    disk.sync_dir(directory_of(path))
}

fn write_fresh(disk: &dyn Disk, fresh: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = disk.create_new(fresh)?;
    file.write_all(bytes)?;
    file.sync()
}

fn remove_if_there(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    match disk.remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The directory that a path is in; the parent of a bare name is the empty path, which is none.
pub(super) fn directory_of(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or_else(|| Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::disk::{Call, Crash, Fault, TestDisk};

    /// A disk with `dir/file` that holds `old`.
    fn with_old() -> (TestDisk, &'static Path) {
        let disk = TestDisk::new();
        disk.put("dir/file", b"old").unwrap();
        (disk, Path::new("dir/file"))
    }

    #[test]
    fn a_file_is_read_up_to_its_limit_and_refused_beyond() {
        let (disk, path) = with_old();
        for len in [0, 1, 4095, 4096, 4097, 10_000] {
            disk.put(path, &vec![7; len]).unwrap();
            assert_eq!(
                read_bounded(&disk, path, len).unwrap(),
                vec![7; len],
                "{len}"
            );
            disk.put(path, &vec![7; len + 1]).unwrap();
            let error = read_bounded(&disk, path, len).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{len}");
        }
    }

    #[test]
    fn a_replaced_file_is_durable_and_leaves_nothing_behind() {
        let (disk, path) = with_old();
        replace(&disk, path, b"new").unwrap();
        replace(&disk, Path::new("bare"), b"name").unwrap();
        let after = disk.crash(Crash::losing_all());
        assert_eq!(after.paths(), [Path::new("bare"), path]);
        assert_eq!(after.bytes(path).unwrap(), b"new");
    }

    #[test]
    fn a_crash_in_any_call_leaves_the_old_bytes_or_the_new_and_the_next_replacement_holds() {
        for calls in 0.. {
            let (disk, path) = with_old();
            // Nothing works any more from here on: that is where the power goes.
            disk.inject(Fault::eio(Call::CHANGES).after(calls).until_cleared());
            let done = replace(&disk, path, b"new").is_ok();
            for (kept, after) in disk.every_crash() {
                let found = after.bytes(path).unwrap();
                let fits = found == b"new" || (found == b"old" && !done);
                assert!(fits, "call {calls}, {kept}: {found:?}");
                replace(&after, path, b"next").unwrap();
                let after = after.crash(Crash::losing_all());
                assert_eq!(after.bytes(path).unwrap(), b"next", "call {calls}, {kept}");
            }
            if done {
                return;
            }
        }
    }

    #[test]
    fn a_failure_before_the_new_name_leaves_the_old_bytes_and_no_other_file() {
        for call in [Call::CreateNew, Call::Write, Call::Sync, Call::Rename] {
            let (disk, path) = with_old();
            disk.inject(Fault::enospc([call]).writing(1));
            let error = replace(&disk, path, b"new").unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{call:?}");
            assert_eq!(disk.paths(), [path], "{call:?}");
            assert_eq!(disk.bytes(path).unwrap(), b"old", "{call:?}");
        }
    }

    #[test]
    fn what_a_crash_left_of_an_earlier_replacement_is_of_no_use() {
        let (disk, path) = with_old();
        disk.put("dir/file.new", b"half of something longer")
            .unwrap();
        replace(&disk, path, b"new").unwrap();
        assert_eq!(disk.bytes(path).unwrap(), b"new");
    }
}
