//! What lies beside a store on a service's disk: dead letters, and rotated files of file sinks.
//!
//! They go as whole files. Where a service runs, a file of dead letters is first renamed, and removed
//! the next time, when it is looked at again: whoever was about to add a letter has done it by then.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Hold, Retention};
use crate::{
    clock::Timestamp,
    disk::{Disk, DiskFile},
    sink::Sink,
};

#[cfg(feature = "file")]
pub(crate) use crate::sink::file::rotate::with_times as rotated;

/// What was, or would be, removed beside a store.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Beside {
    /// Files of dead letters.
    pub dead_letters: u64,
    /// Rotated files.
    pub files: u64,
    /// What is old enough, and was kept, with the reason: a hold, a service that runs, something that
    /// failed. At most 20.
    pub kept: Vec<String>,
    /// How many files could not be removed, of those that were to go.
    #[serde(skip_serializing_if = "is_zero")]
    pub failed: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What is done with what may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    /// It is counted.
    Count,
    /// It is removed, and dead letters in two turns: somebody may be adding one.
    InTurns,
    /// It is removed at once: nobody writes there.
    AtOnce,
}

/// So many kept files are named at most.
const MOST_NAMED: usize = 20;
/// Longer than any line that a sink's dead letters have.
const LONGEST_LINE: usize = 256 * 1024;
/// What the name of a file of dead letters ends with, and what it gets before it goes.
const LETTERS: &str = ".jsonl";
const GOING: &str = ".going";

/// What is read of a dead letter.
#[derive(Deserialize)]
struct Letter<'a> {
    at: Timestamp,
    #[serde(borrow)]
    record: &'a RawValue,
}

impl Beside {
    /// Whether there is nothing to tell.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Notes that something that was to go is still there.
    fn fail(&mut self, path: &Path, error: &io::Error) {
        // Another one that tidies was faster.
        if error.kind() != io::ErrorKind::NotFound {
            self.failed += 1;
            self.keep(path, error);
        }
    }

    pub(super) fn keep(&mut self, path: &Path, why: impl std::fmt::Display) {
        if self.kept.len() < MOST_NAMED {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let (name, _) = crate::text::clean(&name, 128);
            self.kept.push(format!("{name}: {why}"));
        }
    }
}

impl Retention {
    /// Removes what is old beside the store: dead letters in the trails below `trails`, and these
    /// rotated files with the times of their last change. What cannot be judged stays.
    pub(crate) fn tidy_beside(
        &self,
        disk: &dyn Disk,
        trails: &Path,
        rotated: &[(PathBuf, Timestamp)],
        holds: &[Hold],
        now: Timestamp,
    ) -> Beside {
        let mut tidy = self.tidy(disk, holds, now, Deed::InTurns);
        tidy.rotated(rotated);
        let is_trail = |name: &str, is_dir| is_dir && name.starts_with("trail-");
        for dir in below(disk, trails, is_trail) {
            tidy.letters(&dir);
        }
        tidy.beside
    }

    pub(super) fn tidy<'a>(
        &'a self,
        disk: &'a dyn Disk,
        holds: &'a [Hold],
        now: Timestamp,
        deed: Deed,
    ) -> Tidy<'a> {
        Tidy {
            retention: self,
            disk,
            holds,
            now,
            deed,
            beside: Beside::default(),
        }
    }
}

/// One way through what lies beside a store.
pub(super) struct Tidy<'a> {
    retention: &'a Retention,
    disk: &'a dyn Disk,
    holds: &'a [Hold],
    now: Timestamp,
    deed: Deed,
    pub(super) beside: Beside,
}

impl Tidy<'_> {
    /// Sees to these rotated files, with the times of their last change.
    pub(super) fn rotated(&mut self, rotated: &[(PathBuf, Timestamp)]) {
        let age = self.retention.files;
        let Some(before) = age.and_then(|age| self.now.checked_sub(age)) else {
            return;
        };
        for (path, changed) in rotated.iter().filter(|(_, changed)| *changed <= before) {
            // When its first record was made is not known.
            let is_held = |hold: &Hold| hold.may_keep(Timestamp::from_micros(0), *changed);
            if self.holds.iter().any(is_held) {
                self.beside.keep(path, "a hold may be about it");
            } else if self.deed == Deed::Count {
                self.beside.files += 1;
            } else {
                match self.disk.remove(path) {
                    Ok(()) => self.beside.files += 1,
                    Err(error) => self.beside.fail(path, &error),
                }
            }
        }
    }

    /// Sees to the dead letters of a trail.
    pub(super) fn letters(&mut self, trail: &Path) {
        let age = self.retention.dead_letters;
        let Some(before) = age.and_then(|age| self.now.checked_sub(age)) else {
            return;
        };
        let of_sinks = |name: &str, is_dir: bool| {
            let name = name.strip_suffix(GOING).unwrap_or(name);
            !is_dir && name.ends_with(LETTERS)
        };
        let dir = trail.join("dead");
        for path in below(self.disk, &dir, of_sinks) {
            match goes(self.disk, &path, before, self.holds) {
                Ok(None) => {}
                Ok(Some(Goes::Held)) => self.beside.keep(&path, "a hold is about it"),
                Ok(Some(Goes::Now)) => self.let_go(&dir, &path),
                Err(error) => self.beside.fail(&path, &error),
            }
        }
    }

    fn let_go(&mut self, dir: &Path, path: &Path) {
        let going = path.to_string_lossy().ends_with(GOING);
        let done = match self.deed {
            Deed::Count => Ok(true),
            Deed::InTurns if !going => set_aside(self.disk, dir, path).map(|()| false),
            Deed::InTurns | Deed::AtOnce => remove(self.disk, dir, path).map(|()| true),
        };
        match done {
            Ok(is_gone) => self.beside.dead_letters += u64::from(is_gone),
            Err(error) => self.beside.fail(path, &error),
        }
    }
}

/// The file that a sink writes to, if it is a file sink.
pub(crate) fn file_of(sink: &dyn Sink) -> Option<PathBuf> {
    let address = (sink.kind() == "file").then(|| sink.address())?;
    Some(PathBuf::from(address.strip_prefix("file://")?))
}

/// The rotated files of the sink on this file: without file sinks, none.
#[cfg(not(feature = "file"))]
#[expect(
    clippy::unnecessary_wraps,
    reason = "as where there is something to read"
)]
pub(crate) fn rotated(_file: &Path) -> io::Result<Vec<(PathBuf, Timestamp)>> {
    Ok(Vec::new())
}

/// The paths directly below a directory that are wanted; none when it cannot be read.
fn below(disk: &dyn Disk, dir: &Path, is_wanted: impl Fn(&str, bool) -> bool) -> Vec<PathBuf> {
    let entries = disk.list(dir).unwrap_or_default();
    let wanted = entries
        .iter()
        .filter(|entry| is_wanted(&entry.name, entry.is_dir));
    wanted.map(|entry| dir.join(&entry.name)).collect()
}

fn remove(disk: &dyn Disk, dir: &Path, path: &Path) -> io::Result<()> {
    disk.remove(path)?;
    disk.sync_dir(dir)
}

/// Gives a file the name under which it goes; not while another one has it.
fn set_aside(disk: &dyn Disk, dir: &Path, path: &Path) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(GOING);
    match disk.stat(Path::new(&name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            disk.rename(path, Path::new(&name))?;
            disk.sync_dir(dir)
        }
        // The next time.
        other => other.map(drop),
    }
}

/// A file that is old enough.
enum Goes {
    Now,
    Held,
}

/// Whether a file of dead letters is old in all of its lines, and no hold is about one of them.
fn goes(
    disk: &dyn Disk,
    path: &Path,
    before: Timestamp,
    holds: &[Hold],
) -> io::Result<Option<Goes>> {
    let file = disk.open(path)?;
    let mut is_old = true;
    let mut is_held = false;
    lines(&*file, |line| {
        match serde_json::from_slice::<Letter<'_>>(line) {
            Ok(letter) => {
                is_old &= letter.at <= before;
                is_held |= holds.iter().any(|hold| hold.keeps(letter.record.get()));
            }
            // A line that nobody can read tells no time.
            Err(_) => is_old = false,
        }
    })?;
    let held = if is_held { Goes::Held } else { Goes::Now };
    Ok(is_old.then_some(held))
}

/// Gives every line, the last one too; of one that is too long, its beginning.
fn lines(file: &dyn DiskFile, mut each: impl FnMut(&[u8])) -> io::Result<()> {
    let (mut line, mut at) = (Vec::new(), 0_u64);
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let count = file.read_at(&mut chunk, at)?;
        let Some(read) = chunk.get(..count).filter(|read| !read.is_empty()) else {
            break;
        };
        for piece in read.split_inclusive(|byte| *byte == b'\n') {
            let room = LONGEST_LINE.saturating_sub(line.len());
            line.extend(piece.iter().take(room));
            if piece.ends_with(b"\n") {
                each(&line);
                line.clear();
            }
        }
        at = at.saturating_add(count as u64);
    }
    if !line.is_empty() {
        each(&line);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{fs, time::Duration};

    use super::*;
    use crate::{disk::StdDisk, retention::Filter};

    const NOW: Timestamp = Timestamp::from_micros(1_795_219_200_000_000);

    const fn days(count: u64) -> Duration {
        Duration::from_secs(count * 24 * 60 * 60)
    }

    fn letter(days_ago: u64, actor: &str) -> String {
        let at = NOW.saturating_sub(days(days_ago));
        format!(
            "{{\"trail\":\"1\",\"n\":1,\"h\":\"0\",\"reason\":\"x\",\"at\":\"{at}\",\"record\":{{\
             \"id\":\"01a1f929-fda3-774b-8000-000000000001\",\"timestamp\":\"{at}\",\
             \"action\":\"a.b\",\"actor\":{{\"id\":\"{actor}\"}}}}}}\n"
        )
    }

    fn hold(parameter: (&str, &str)) -> Hold {
        let filter = Filter::new([parameter], NOW).unwrap();
        Hold::new("1".into(), &filter, "case".into(), "ann".into(), NOW)
    }

    #[test]
    fn dead_letters_go_when_all_are_old_and_a_second_look_agrees() {
        let dir = tempfile::tempdir().unwrap();
        let dead = dir.path().join("trail-1/dead");
        fs::create_dir_all(&dead).unwrap();
        let put = |name: &str, text: String| fs::write(dead.join(name), text).unwrap();
        put("old.jsonl", letter(100, "7") + &letter(95, "7"));
        put("young.jsonl", letter(100, "7") + &letter(80, "7"));
        put("held.jsonl", letter(100, "7") + &letter(100, "146"));
        put("odd.jsonl", letter(100, "7") + "{\n");
        put("other.txt", letter(100, "7"));
        let retention = Retention::new().dead_letters(days(90));
        let holds = [hold(("actor", "146"))];
        let tidy = || retention.tidy_beside(&StdDisk, dir.path(), &[], &holds, NOW);
        let names = || {
            let mut names: Vec<_> = fs::read_dir(&dead)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        };
        let kept = vec!["held.jsonl: a hold is about it".to_owned()];
        let first = tidy();
        assert_eq!((first.dead_letters, &first.kept), (0, &kept));
        assert!(
            names().contains(&"old.jsonl.going".to_owned()),
            "{:?}",
            names()
        );
        // Somebody had it open when it was renamed.
        put("old.jsonl.going", letter(100, "7") + &letter(0, "7"));
        assert_eq!(tidy().dead_letters, 0);
        put("old.jsonl.going", letter(100, "7"));
        assert_eq!(tidy().dead_letters, 1);
        let left = ["held.jsonl", "odd.jsonl", "other.txt", "young.jsonl"];
        assert_eq!(names(), left);
        let never = Retention::new().tidy_beside(&StdDisk, dir.path(), &[], &[], NOW);
        assert!(never.is_empty() && names().len() == 4);
    }

    #[test]
    fn rotated_files_go_by_their_last_change_unless_a_hold_may_be_about_them() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, days_ago: u64| {
            let path = dir.path().join(name);
            fs::write(&path, "x").unwrap();
            (path, NOW.saturating_sub(days(days_ago)))
        };
        let files = [file("a.1", 100), file("a.2", 89)];
        let retention = Retention::new().files(days(90));
        let tidy = |holds: &[Hold]| retention.tidy_beside(&StdDisk, dir.path(), &files, holds, NOW);
        let held = tidy(&[hold(("actor", "146"))]);
        assert_eq!((held.files, held.kept.len()), (0, 1));
        let since = NOW.saturating_sub(days(95)).to_string();
        let later = hold(("from", since.as_str()));
        assert_eq!(tidy(&[later]).files, 1);
        assert!(!files[0].0.exists() && files[1].0.exists());
    }
}
