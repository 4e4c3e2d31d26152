//! What a power cut keeps and what it loses.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{TestDisk, state::State, volume::directory_of};

/// 4 KiB of a file, or what of them was written, that no successful sync covers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page {
    /// A name of the file, as it was before the crash.
    pub path: PathBuf,
    /// The number of the page in its file, from 0.
    pub index: usize,
    /// Whether a sync of it failed. The device may have taken it all the same.
    pub failed: bool,
}

impl Page {
    pub(super) const fn new(path: PathBuf, index: usize, failed: bool) -> Self {
        Self {
            path,
            index,
            failed,
        }
    }
}

/// A change of names that no sync of its directory covers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameChange {
    /// A file was made, or came from another directory.
    Created(PathBuf),
    /// A file was renamed within its directory, over whatever had the name.
    Renamed {
        /// The name before.
        from: PathBuf,
        /// The name after.
        to: PathBuf,
    },
    /// A file or directory was removed, or went to another directory.
    Removed(PathBuf),
}

impl NameChange {
    /// The name after the change; of a removed file, the one it had.
    #[must_use]
    pub const fn path(&self) -> &PathBuf {
        match self {
            Self::Created(path) | Self::Removed(path) | Self::Renamed { to: path, .. } => path,
        }
    }

    pub(super) fn directory(&self) -> &Path {
        directory_of(self.path())
    }
}

/// How long a file is whose end was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Length {
    /// As long as the pages that were kept need it to be.
    Shortest,
    /// As long as it was before the crash; what was lost reads as zeros.
    Longest,
}

/// A choice of what a power cut keeps of what was not synced.
///
/// What was synced is always kept. A page that is lost reads as it was when it was last synced,
/// or as zeros. Any choice of pages is one that a real disk can make. Of the choices of names, a
/// file system with a journal makes only those of [`first_names`](Self::first_names); POSIX
/// promises nothing.
pub struct Crash {
    page: Box<dyn FnMut(&Page) -> bool + Send>,
    name: Box<dyn FnMut(&NameChange) -> bool + Send>,
    length: Length,
}

impl fmt::Debug for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crash")
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

impl Crash {
    /// Loses everything that was not synced.
    #[must_use]
    pub fn losing_all() -> Self {
        Self {
            page: Box::new(|_| false),
            name: Box::new(|_| false),
            length: Length::Shortest,
        }
    }

    /// Keeps everything that was still on its way; pages of a failed sync are lost.
    #[must_use]
    pub fn keeping_all() -> Self {
        Self {
            page: Box::new(|page| !page.failed),
            name: Box::new(|_| true),
            length: Length::Longest,
        }
    }

    /// Chooses pages one by one, in the order of [`TestDisk::unsynced_pages`].
    #[must_use]
    pub fn pages(mut self, keep: impl FnMut(&Page) -> bool + Send + 'static) -> Self {
        self.page = Box::new(keep);
        self
    }

    /// Chooses changes of names one by one, in the order of [`TestDisk::unsynced_names`].
    #[must_use]
    pub fn names(mut self, keep: impl FnMut(&NameChange) -> bool + Send + 'static) -> Self {
        self.name = Box::new(keep);
        self
    }

    /// Keeps the first `count` changes of names and none that came after them.
    #[must_use]
    pub fn first_names(self, count: usize) -> Self {
        let mut left = count;
        self.names(move |_| {
            let keep = left > 0;
            left = left.saturating_sub(1);
            keep
        })
    }

    /// Chooses the length of files whose end was not synced.
    #[must_use]
    pub const fn length(mut self, length: Length) -> Self {
        self.length = length;
        self
    }
}

impl TestDisk {
    /// What a crash now would keep or lose of the files, by path and place.
    #[must_use]
    pub fn unsynced_pages(&self) -> Vec<Page> {
        self.state().volume.unsynced_pages()
    }

    /// What a crash now would keep or lose of the directories, in the order it happened.
    #[must_use]
    pub fn unsynced_names(&self) -> Vec<NameChange> {
        self.state().volume.unsynced_names().cloned().collect()
    }

    /// Takes the power away, and gives back the disk as the next start of the machine finds it.
    ///
    /// Every process on this disk is dead from now on: their handles fail, their locks are
    /// released, who waited in a [stall](Self::stall) returns with an error.
    #[must_use]
    pub fn crash(&self, crash: Crash) -> Self {
        let mut state = self.state();
        let after = self.restarted(&state, crash);
        state.power_off();
        drop(state);
        self.shared.changed.notify_all();
        after
    }

    /// The disk as [`crash`](Self::crash) would leave it; this one goes on.
    #[must_use]
    pub fn after_crash(&self, crash: Crash) -> Self {
        let state = self.state();
        self.restarted(&state, crash)
    }

    fn restarted(&self, state: &State, crash: Crash) -> Self {
        let longest = crash.length == Length::Longest;
        let volume = state.volume.crashed(crash.page, crash.name, longest);
        Self {
            shared: Arc::new(state.restarted(volume).into()),
            process: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        disk::{Disk, DiskFile},
        testing::disk::{Call, Fault},
    };

    const PAGE: usize = 4096;

    /// A disk with one file of a name that is durable.
    fn with_file() -> (TestDisk, Box<dyn DiskFile>) {
        let disk = TestDisk::new();
        let file = disk.create_new(Path::new("file")).unwrap();
        disk.sync_dir(Path::new("")).unwrap();
        (disk, file)
    }

    fn page(index: usize, failed: bool) -> Page {
        Page::new("file".into(), index, failed)
    }

    #[test]
    fn what_was_synced_survives_and_what_was_not_is_lost() {
        let (disk, mut file) = with_file();
        file.write_all(b"safe").unwrap();
        file.sync().unwrap();
        file.write_all(b" or not").unwrap();
        assert_eq!(disk.bytes("file").unwrap(), b"safe or not");
        let after = disk.crash(Crash::losing_all());
        assert_eq!(after.bytes("file").unwrap(), b"safe");
    }

    #[test]
    fn a_name_is_lost_until_its_directory_is_synced() {
        let disk = TestDisk::new();
        disk.create_dir(Path::new("dir")).unwrap();
        let mut file = disk.create_new(Path::new("dir/file")).unwrap();
        file.write_all(b"x").unwrap();
        file.sync().unwrap();
        disk.sync_dir(Path::new("")).unwrap();
        let lost = disk.after_crash(Crash::losing_all());
        assert_eq!(lost.paths(), Vec::<PathBuf>::new());
        let kept = disk.after_crash(Crash::keeping_all());
        assert_eq!(kept.bytes("dir/file").unwrap(), b"x");
        disk.sync_dir(Path::new("dir")).unwrap();
        let after = disk.crash(Crash::losing_all());
        assert_eq!(after.bytes("dir/file").unwrap(), b"x");
    }

    #[test]
    fn any_subset_of_pages_can_be_lost_and_a_hole_reads_as_zeros() {
        let (disk, mut file) = with_file();
        file.write_all(&[1; 100]).unwrap();
        file.sync().unwrap();
        file.write_all(&[2; 2 * PAGE]).unwrap();
        assert_eq!(
            disk.unsynced_pages(),
            [page(0, false), page(1, false), page(2, false)]
        );
        let crash = Crash::losing_all().pages(|page| page.index == 1);
        let after = disk.crash(crash).bytes("file").unwrap();
        assert_eq!(after.len(), 2 * PAGE);
        assert_eq!(after[..100], [1; 100]);
        assert_eq!(after[100..PAGE], [0; PAGE - 100]);
        assert_eq!(after[PAGE..], [2; PAGE]);
    }

    #[test]
    fn a_file_may_be_as_long_as_it_was_without_any_of_its_bytes() {
        let (disk, mut file) = with_file();
        file.write_all(b"lost").unwrap();
        let crash = Crash::losing_all().length(Length::Longest);
        assert_eq!(disk.crash(crash).bytes("file").unwrap(), [0; 4]);
    }

    // trap J1
    #[test]
    fn bytes_of_a_failed_sync_are_read_back_and_never_written_by_a_later_one() {
        let (disk, mut file) = with_file();
        file.write_all(b"lost").unwrap();
        disk.inject(Fault::eio([Call::Sync]));
        file.sync().unwrap_err();
        file.write_all(b"safe").unwrap();
        file.sync().unwrap();
        assert_eq!(disk.bytes("file").unwrap(), b"lostsafe");
        assert_eq!(disk.unsynced_pages(), [page(0, true)]);
        for crash in [Crash::losing_all(), Crash::keeping_all()] {
            assert_eq!(
                disk.after_crash(crash).bytes("file").unwrap(),
                b"\0\0\0\0safe"
            );
        }
        let taken = disk.crash(Crash::losing_all().pages(|page| page.failed));
        assert_eq!(taken.bytes("file").unwrap(), b"lostsafe");
    }

    #[test]
    fn a_rename_that_was_not_synced_is_undone_or_kept_as_a_whole() {
        let (disk, _file) = with_file();
        disk.put("other", b"other").unwrap();
        disk.rename(Path::new("other"), Path::new("file")).unwrap();
        let undone = disk.after_crash(Crash::losing_all());
        assert_eq!(undone.bytes("file").unwrap(), b"");
        assert_eq!(undone.bytes("other").unwrap(), b"other");
        let kept = disk.crash(Crash::losing_all().names(|_| true));
        assert_eq!(kept.paths(), [Path::new("file")]);
        assert_eq!(kept.bytes("file").unwrap(), b"other");
    }

    #[test]
    fn a_move_to_another_directory_is_two_changes() {
        let (disk, _file) = with_file();
        disk.create_dir(Path::new("dir")).unwrap();
        disk.rename(Path::new("file"), Path::new("dir/file"))
            .unwrap();
        disk.sync_dir(Path::new("dir")).unwrap();
        let twice = disk.after_crash(Crash::losing_all());
        assert_eq!(twice.paths(), [Path::new("dir/file"), Path::new("file")]);
        disk.sync_dir(Path::new("")).unwrap();
        let once = disk.crash(Crash::losing_all());
        assert_eq!(once.paths(), [Path::new("dir/file")]);
    }

    #[test]
    fn a_removal_that_was_not_synced_can_come_back() {
        let (disk, mut file) = with_file();
        file.write_all(b"x").unwrap();
        file.sync().unwrap();
        disk.remove(Path::new("file")).unwrap();
        disk.create_new(Path::new("next")).unwrap();
        let both = disk.after_crash(Crash::losing_all().first_names(2));
        assert_eq!(both.paths(), [Path::new("next")]);
        let first = disk.after_crash(Crash::losing_all().first_names(1));
        assert_eq!(first.paths(), Vec::<PathBuf>::new());
        let none = disk.crash(Crash::losing_all());
        assert_eq!(none.bytes("file").unwrap(), b"x");
    }

    // trap J1
    #[test]
    fn a_process_that_is_killed_loses_nothing_and_leaves_nothing_durable() {
        let (disk, mut file) = with_file();
        file.write_all(b"x").unwrap();
        let next = disk.process();
        let lock = disk.lock(Path::new("lock")).unwrap();
        next.lock(Path::new("lock")).unwrap_err();
        disk.kill();
        file.write_all(b"y").unwrap_err();
        file.sync().unwrap_err();
        disk.create_new(Path::new("more")).unwrap_err();
        let _held = next.lock(Path::new("lock")).unwrap();
        drop(lock);
        next.lock(Path::new("lock")).unwrap_err();
        assert_eq!(next.bytes("file").unwrap(), b"x");
        assert_eq!(next.crash(Crash::losing_all()).bytes("file").unwrap(), b"");
    }

    #[test]
    fn a_process_that_is_killed_gives_back_the_room_of_what_it_removed() {
        let (disk, mut file) = with_file();
        disk.set_capacity(4);
        file.write_all(b"1234").unwrap();
        disk.remove(Path::new("file")).unwrap();
        let next = disk.process();
        assert_eq!(next.space(Path::new("")).unwrap().available, 0);
        disk.kill();
        assert_eq!(next.space(Path::new("")).unwrap().available, 4);
        drop(file);
    }

    #[test]
    fn what_was_in_a_directory_is_gone_with_it() {
        let disk = TestDisk::new();
        disk.put("dir/file", b"x").unwrap();
        disk.remove(Path::new("dir/file")).unwrap();
        disk.remove_dir(Path::new("dir")).unwrap();
        let removed = NameChange::Removed("dir".into());
        let crash = Crash::losing_all().names(move |change| *change == removed);
        let after = disk.crash(crash);
        assert_eq!(after.paths(), Vec::<PathBuf>::new());
        assert_eq!(after.list(Path::new("")).unwrap(), []);
    }

    #[test]
    fn who_was_there_before_a_crash_reaches_neither_disk() {
        let (disk, mut file) = with_file();
        let lock = disk.lock(Path::new("file")).unwrap();
        let after = disk.crash(Crash::losing_all());
        file.write_all(b"x").unwrap_err();
        disk.process().create_new(Path::new("more")).unwrap_err();
        let _held = after.lock(Path::new("file")).unwrap();
        drop(lock);
        after.lock(Path::new("file")).unwrap_err();
        assert_eq!(after.bytes("file").unwrap(), b"");
        assert_eq!(after.paths(), [Path::new("file")]);
    }
}
