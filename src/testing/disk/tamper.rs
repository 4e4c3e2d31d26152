//! What somebody else does to the files, behind the back of whoever writes them.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{TestDisk, state::State, volume::directory_of};

/// These are not counted, noted or hindered, and not lost either: they are on storage at once, with
/// all earlier changes of names in that directory.
impl TestDisk {
    /// The paths of all files, in order, relative to the root.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        self.state().volume.paths()
    }

    /// The bytes of a file as they are read now.
    ///
    /// # Errors
    ///
    /// As for opening it.
    pub fn bytes(&self, path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
        let state = self.state();
        let file = state.volume.file(path.as_ref())?;
        Ok(state.volume.content(file)?.cached().to_vec())
    }

    /// The bytes of a file after a crash that loses all it may; `None` when its name is lost.
    #[must_use]
    pub fn durable_bytes(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        let state = self.state();
        let file = state.volume.durable_file(path.as_ref())?;
        let content = state.volume.content(file).ok()?;
        Some(content.durable().to_vec())
    }

    /// Puts a file there, with the directories above it; one that has the name gets other bytes.
    ///
    /// # Errors
    ///
    /// When the name is that of a directory, or is below a file.
    pub fn put(&self, path: impl AsRef<Path>, bytes: &[u8]) -> io::Result<()> {
        let path = path.as_ref();
        let mut state = self.state();
        state.volume.create_dir(directory_of(path))?;
        if let Err(error) = state.volume.file(path) {
            if error.kind() != io::ErrorKind::NotFound {
                return Err(error);
            }
            state.volume.create(path)?;
            settle(&mut state, path)?;
        }
        let file = state.volume.file(path)?;
        let content = state.volume.content_mut(file)?;
        content.tamper(|all| *all = bytes.to_vec());
        Ok(())
    }

    /// Overwrites bytes where they are; what would be beyond the end is left out.
    ///
    /// # Errors
    ///
    /// When there is no such file.
    pub fn overwrite(&self, path: impl AsRef<Path>, offset: usize, bytes: &[u8]) -> io::Result<()> {
        self.tamper(path.as_ref(), |all| {
            let place = all.iter_mut().skip(offset);
            place.zip(bytes).for_each(|(to, from)| *to = *from);
        })
    }

    /// Cuts a file to this many bytes; a shorter one grows by zeros.
    ///
    /// # Errors
    ///
    /// When there is no such file.
    pub fn truncate(&self, path: impl AsRef<Path>, len: usize) -> io::Result<()> {
        self.tamper(path.as_ref(), |all| all.resize(len, 0))
    }

    /// Takes the name of a file away, as `rm` does. Who has the file open goes on with it.
    ///
    /// # Errors
    ///
    /// When there is no such file.
    pub fn unlink(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let mut state = self.state();
        state.volume.remove(path.as_ref())?;
        settle(&mut state, path.as_ref())
    }

    /// Gives a file another name, as `mv` does.
    ///
    /// # Errors
    ///
    /// When there is no such file, or no directory for the new name.
    pub fn move_file(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
        let (from, to) = (from.as_ref(), to.as_ref());
        let mut state = self.state();
        state.volume.rename(from, to)?;
        settle(&mut state, to)?;
        settle(&mut state, from)
    }

    fn tamper(&self, path: &Path, change: impl Fn(&mut Vec<u8>)) -> io::Result<()> {
        let mut state = self.state();
        let file = state.volume.file(path)?;
        state.volume.content_mut(file)?.tamper(change);
        Ok(())
    }
}

fn settle(state: &mut State, path: &Path) -> io::Result<()> {
    let last = state.volume.last_change();
    state.volume.sync_dir(directory_of(path), last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{disk::Disk, testing::disk::Crash};

    #[test]
    fn what_somebody_else_does_is_on_storage_at_once() {
        let disk = TestDisk::new();
        disk.put("dir/a", b"12345").unwrap();
        disk.put("dir/b", b"b").unwrap();
        disk.put("dir/c", b"c").unwrap();
        disk.overwrite("dir/a", 3, b"xyz").unwrap();
        disk.unlink("dir/b").unwrap();
        disk.move_file("dir/c", "d").unwrap();
        disk.put("d", b"other").unwrap();
        disk.truncate("d", 2).unwrap();
        let after = disk.crash(Crash::losing_all());
        assert_eq!(after.paths(), [Path::new("d"), Path::new("dir/a")]);
        assert_eq!(after.bytes("dir/a").unwrap(), b"123xy");
        assert_eq!(after.bytes("d").unwrap(), b"ot");
    }

    // trap J3
    #[test]
    fn a_writer_whose_file_was_unlinked_writes_on_where_nobody_looks() {
        let disk = TestDisk::new();
        let mut file = disk.append(Path::new("file")).unwrap();
        file.write_all(b"1").unwrap();
        disk.unlink("file").unwrap();
        disk.put("file", b"other").unwrap();
        file.write_all(b"2").unwrap();
        file.sync().unwrap();
        assert_eq!(file.stat().unwrap().len, 2);
        assert_ne!(
            disk.stat(Path::new("file")).unwrap().identity,
            file.stat().unwrap().identity
        );
        assert_eq!(disk.bytes("file").unwrap(), b"other");
    }

    // trap J3
    #[test]
    fn a_writer_whose_file_was_cut_goes_on_at_its_new_end() {
        let disk = TestDisk::new();
        let mut file = disk.append(Path::new("file")).unwrap();
        file.write_all(b"12345").unwrap();
        disk.truncate("file", 1).unwrap();
        file.write_all(b"x").unwrap();
        file.sync().unwrap();
        disk.sync_dir(Path::new("")).unwrap();
        assert_eq!(disk.durable_bytes("file").unwrap(), b"1x");
    }

    #[test]
    fn a_name_that_is_not_durable_has_no_durable_bytes() {
        let disk = TestDisk::new();
        let mut file = disk.append(Path::new("file")).unwrap();
        file.write_all(b"x").unwrap();
        file.sync().unwrap();
        assert_eq!(disk.durable_bytes("file"), None);
        disk.sync_dir(Path::new("")).unwrap();
        assert_eq!(disk.durable_bytes("file").unwrap(), b"x");
    }
}
