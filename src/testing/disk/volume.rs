//! Names and files of the disk: as they are seen, and as a power cut leaves them.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Component, Path, PathBuf},
};

use super::{
    crash::{NameChange, Page},
    file::Content,
};
use crate::disk::{Entry, FileStat};

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    Directory,
    File(u64),
}

type Names = BTreeMap<PathBuf, Named>;

/// A file system. Paths are taken relative to its root, which always exists.
#[derive(Debug, Clone, Default)]
pub(super) struct Volume {
    files: BTreeMap<u64, Content>,
    /// What a reader sees.
    names: Names,
    /// What is on stable storage.
    durable: Names,
    /// What leads from `durable` to `names`, in order.
    ///
    /// Invariant: within one directory all of it is younger than what is durable there.
    pending: Vec<Pending>,
    /// Files and changes are numbered from one counter; a number is never used twice.
    numbers: u64,
}

/// A change of names on its way to stable storage.
#[derive(Debug, Clone)]
struct Pending {
    number: u64,
    change: NameChange,
    named: Named,
}

impl Volume {
    /// Makes a directory, durably, in one that exists.
    pub(super) fn create_dir(&mut self, path: &Path) -> io::Result<()> {
        let path = normal(path);
        match self.find(&path) {
            Ok(Named::Directory) => return Ok(()),
            Ok(Named::File(_)) => return Err(io::ErrorKind::NotADirectory.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        if let Some(parent) = path.parent() {
            self.create_dir(parent)?;
        }
        self.change(NameChange::Created(path.clone()), Named::Directory);
        self.sync_dir(directory_of(&path), self.numbers)
    }

    /// Makes a file that must not exist.
    pub(super) fn create(&mut self, path: &Path) -> io::Result<u64> {
        let path = normal(path);
        match self.find(&path) {
            Ok(_) => return Err(io::ErrorKind::AlreadyExists.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        self.directory(directory_of(&path))?;
        self.numbers += 1;
        let file = self.numbers;
        self.files.insert(file, Content::default());
        self.change(NameChange::Created(path), Named::File(file));
        Ok(file)
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (normal(from), normal(to));
        // Both directories are looked up first.
        self.directory(directory_of(&from))?;
        self.directory(directory_of(&to))?;
        let file = Named::File(self.file(&from)?);
        if from.starts_with(&to) && from != to {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        if self.find(&to).is_ok_and(|found| found == Named::Directory) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if directory_of(&from) == directory_of(&to) {
            self.change(NameChange::Renamed { from, to }, file);
        } else {
            // Two directories are synced one by one.
            self.change(NameChange::Created(to), file);
            self.change(NameChange::Removed(from), file);
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        let path = normal(path);
        let file = Named::File(self.file(&path)?);
        self.change(NameChange::Removed(path), file);
        Ok(())
    }

    pub(super) fn remove_dir(&mut self, path: &Path) -> io::Result<()> {
        let path = normal(path);
        self.directory(&path)?;
        if !self.list(&path)?.is_empty() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        self.change(NameChange::Removed(path), Named::Directory);
        Ok(())
    }

    /// Makes the changes in a directory durable, up to the one with this number.
    pub(super) fn sync_dir(&mut self, dir: &Path, last: u64) -> io::Result<()> {
        let dir = normal(dir);
        self.directory(&dir)?;
        let durable = &mut self.durable;
        self.pending.retain(|pending| {
            let stays = pending.number > last || pending.change.directory() != dir;
            if !stays {
                replay(durable, &pending.change, pending.named);
            }
            stays
        });
        Ok(())
    }

    /// The number of the youngest change.
    pub(super) const fn last_change(&self) -> u64 {
        self.numbers
    }

    pub(super) fn content_mut(&mut self, file: u64) -> io::Result<&mut Content> {
        self.files.get_mut(&file).ok_or_else(gone)
    }

    pub(super) fn content(&self, file: u64) -> io::Result<&Content> {
        self.files.get(&file).ok_or_else(gone)
    }

    pub(super) fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        let dir = normal(dir);
        self.directory(&dir)?;
        let below = self
            .names
            .iter()
            .filter(|(path, _)| directory_of(path) == dir);
        Ok(below
            .filter_map(|(path, named)| {
                let name = path.file_name()?.to_str()?.to_owned();
                Some(Entry::new(name, *named == Named::Directory))
            })
            .collect())
    }

    pub(super) fn stat(&self, file: u64) -> io::Result<FileStat> {
        let len = self.content(file)?.cached().len() as u64;
        Ok(FileStat::new(len, (1, file)))
    }

    /// The file that has this name.
    pub(super) fn file(&self, path: &Path) -> io::Result<u64> {
        match self.find(&normal(path))? {
            Named::File(file) => Ok(file),
            Named::Directory => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    /// The file that has this name after a crash that loses all it may.
    pub(super) fn durable_file(&self, path: &Path) -> Option<u64> {
        match self.durable.get(&normal(path)) {
            Some(Named::File(file)) => Some(*file),
            _ => None,
        }
    }

    pub(super) fn find(&self, path: &Path) -> io::Result<Named> {
        let path = normal(path);
        if path.as_os_str().is_empty() {
            return Ok(Named::Directory);
        }
        if let Some(named) = self.names.get(&path) {
            return Ok(*named);
        }
        let above = path
            .ancestors()
            .skip(1)
            .find_map(|above| self.names.get(above));
        match above {
            Some(Named::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// The paths of all files, in order.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        let files = self
            .names
            .iter()
            .filter(|(_, named)| **named != Named::Directory);
        files.map(|(path, _)| path.clone()).collect()
    }

    /// Bytes in use: what has a name, and what has none but is `open`.
    pub(super) fn used(&self, open: impl Iterator<Item = u64>) -> u64 {
        let named = self.names.values().filter_map(|named| match named {
            Named::File(file) => Some(*file),
            Named::Directory => None,
        });
        let alive: BTreeSet<u64> = named.chain(open).collect();
        let contents = alive.iter().filter_map(|file| self.files.get(file));
        contents.map(|content| content.cached().len() as u64).sum()
    }

    /// Name changes that a crash may keep or lose, in order.
    pub(super) fn unsynced_names(&self) -> impl Iterator<Item = &NameChange> {
        self.pending.iter().map(|pending| &pending.change)
    }

    /// Pages that a crash may keep or lose, of every file that can still have a name after it.
    pub(super) fn unsynced_pages(&self) -> Vec<Page> {
        let mut pages = Vec::new();
        for (file, path) in self.reachable() {
            let content = self.files.get(&file).map(Content::unsynced);
            for (index, failed, _) in content.unwrap_or_default() {
                pages.push(Page::new(path.clone(), index, failed));
            }
        }
        pages
    }

    /// Whether the length of some file may differ after a crash that keeps the same pages.
    pub(super) fn len_is_open(&self) -> bool {
        let mut files = self.reachable().into_keys();
        files.any(|file| self.files.get(&file).is_some_and(Content::len_is_open))
    }

    /// The volume after a power cut.
    pub(super) fn crashed(
        &self,
        mut page: impl FnMut(&Page) -> bool,
        mut name: impl FnMut(&NameChange) -> bool,
        longest: bool,
    ) -> Self {
        let mut files = BTreeMap::new();
        for (file, path) in self.reachable() {
            if let Some(content) = self.files.get(&file) {
                let keep = |index, failed| page(&Page::new(path.clone(), index, failed));
                files.insert(file, content.crashed(keep, longest));
            }
        }
        let mut names = self.durable.clone();
        for pending in &self.pending {
            if name(&pending.change) {
                replay(&mut names, &pending.change, pending.named);
            }
        }
        // What was in a directory that is gone is gone.
        let all = names.clone();
        names.retain(|path, _| {
            let mut above = path
                .ancestors()
                .skip(1)
                .filter(|above| !above.as_os_str().is_empty());
            above.all(|above| all.get(above) == Some(&Named::Directory))
        });
        Self {
            files,
            durable: names.clone(),
            names,
            pending: Vec::new(),
            numbers: self.numbers,
        }
    }

    /// Every file that has, or after a crash can have, a name; with one of its names.
    fn reachable(&self) -> BTreeMap<u64, PathBuf> {
        let mut found = BTreeMap::new();
        let pending = self
            .pending
            .iter()
            .map(|pending| (pending.change.path(), &pending.named));
        let all = self.names.iter().chain(self.durable.iter()).chain(pending);
        for (path, named) in all {
            if let Named::File(file) = named {
                found.entry(*file).or_insert_with(|| path.clone());
            }
        }
        found
    }

    fn directory(&self, path: &Path) -> io::Result<()> {
        match self.find(path)? {
            Named::Directory => Ok(()),
            Named::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn change(&mut self, change: NameChange, named: Named) {
        replay(&mut self.names, &change, named);
        self.numbers += 1;
        self.pending.push(Pending {
            number: self.numbers,
            change,
            named,
        });
    }
}

fn replay(names: &mut Names, change: &NameChange, named: Named) {
    match change {
        NameChange::Created(path) => {
            names.insert(path.clone(), named);
        }
        NameChange::Renamed { from, to } => {
            names.remove(from);
            names.insert(to.clone(), named);
        }
        NameChange::Removed(path) => {
            names.remove(path);
        }
    }
}

/// A path without a root, `.` and `..`.
pub(super) fn normal(path: &Path) -> PathBuf {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => parts.push(name),
            Component::ParentDir => {
                parts.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    parts
}

/// The directory that a normal path is in.
pub(super) fn directory_of(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

fn gone() -> io::Error {
    io::Error::other("this file is not on the disk")
}
