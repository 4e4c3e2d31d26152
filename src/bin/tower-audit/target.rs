//! A file that is there when it is whole, and not before.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use crate::exit::Failure;

/// Writes `FILE.partial`, which only its owner may read, and gives it its name at the end.
///
/// Dropped before that, it is removed.
#[derive(Debug)]
pub(crate) struct Target {
    file: File,
    path: PathBuf,
    partial: PathBuf,
    is_done: bool,
}

impl Target {
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        let partial = beside(path, ".partial");
        let file = open(&partial).map_err(|error| {
            let advice = match error.kind() {
                io::ErrorKind::WouldBlock => {
                    "; another export is writing it: wait for it, or take another name"
                }
                io::ErrorKind::NotFound => "; make its directory first",
                _ => "",
            };
            Failure::new(format!("cannot write {}", partial.display()), error).and(advice)
        })?;
        Ok(Self {
            file,
            path: path.to_owned(),
            partial,
            is_done: false,
        })
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.file
            .write_all(bytes)
            .map_err(|error| self.failed(error))
    }

    /// Everything is on the disk under the partial name; only the name is left to be given.
    pub(crate) fn sync(&self) -> Result<(), Failure> {
        self.file.sync_all().map_err(|error| self.failed(error))
    }

    /// Gives the file its name, in place of one that has it.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        self.sync()?;
        fs::rename(&self.partial, &self.path).map_err(|error| self.failed(error))?;
        self.is_done = true;
        let folder = self
            .path
            .parent()
            .filter(|path| !path.as_os_str().is_empty());
        let folder = File::open(folder.unwrap_or_else(|| Path::new(".")));
        folder
            .and_then(|folder| folder.sync_all())
            .map_err(|error| self.failed(error))
    }

    fn failed(&self, error: io::Error) -> Failure {
        Failure::new(format!("cannot write {}", self.path.display()), error)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if !self.is_done {
            // A rest that cannot be removed has a name that says what it is.
            let _ = fs::remove_file(&self.partial);
        }
    }
}

/// The path with something behind its last name.
pub(crate) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    PathBuf::from(name)
}

/// A new file, locked, in place of one that a process left when it died.
fn open(partial: &Path) -> io::Result<File> {
    let create = || -> io::Result<File> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(partial)?;
        file.try_lock()?;
        Ok(file)
    };
    match create() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // Whoever still writes it holds its lock.
            File::open(partial)?.try_lock()?;
            fs::remove_file(partial)?;
            create()
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_has_its_name_only_when_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.csv");
        let partial = dir.path().join("out.csv.partial");
        let mut target = Target::create(&path).unwrap();
        target.write(b"half").unwrap();
        let mode = fs::metadata(&partial).unwrap().permissions().mode();
        assert_eq!((path.exists(), mode & 0o777), (false, 0o600));
        let second = Target::create(&path);
        assert!(
            matches!(&second, Err(Failure::Said(what)) if what.contains("another export")),
            "{second:?}"
        );
        drop(target);
        assert_eq!((path.exists(), partial.exists()), (false, false));

        // What a process left that was killed.
        fs::write(&partial, "rest").unwrap();
        let mut target = Target::create(&path).unwrap();
        target.write(b"whole").unwrap();
        target.finish().unwrap();
        assert_eq!(
            (fs::read(&path).unwrap(), partial.exists()),
            (b"whole".to_vec(), false)
        );
    }
}
