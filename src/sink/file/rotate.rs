//! Rotation: when a file is full or old it gets a number, and the oldest give way.
//!
//! `audit.jsonl` becomes `audit.jsonl.0000000042`, and with compression
//! `audit.jsonl.0000000042.zst`. Numbers only grow, so that the order does not depend on clocks.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{compress, directory_of};
use crate::clock::Timestamp;

/// When to rotate, and what becomes of rotated files.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rotation {
    pub(super) max_bytes: Option<u64>,
    pub(super) max_age: Option<Duration>,
    pub(super) keep: Option<usize>,
    pub(super) compress: bool,
}

impl Rotation {
    /// Whether this sink rotates at all; if not, somebody else may.
    pub(super) const fn is_ours(&self) -> bool {
        self.max_bytes.is_some() || self.max_age.is_some()
    }

    /// Whether a file of this length and age must make room for a batch.
    pub(super) fn is_due(
        &self,
        length: u64,
        since: Option<Timestamp>,
        batch: u64,
        now: Timestamp,
    ) -> bool {
        // An empty file takes any batch: one that is larger than the limit is a file of its own.
        let Some(since) = since.filter(|_| length > 0) else {
            return false;
        };
        let too_long = |max| length.saturating_add(batch) > max;
        self.max_bytes.is_some_and(too_long)
            || self.max_age.is_some_and(|max| now.since(since) >= max)
    }
}

/// A file that was rotated.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rotated {
    pub(super) number: u64,
    pub(super) is_compressed: bool,
    pub(super) path: PathBuf,
}

/// Every rotated file of this one, oldest first.
pub(super) fn rotated(path: &Path) -> io::Result<Vec<Rotated>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory_of(path))? {
        let path_of_entry = entry?.path();
        if let Some((number, ending)) = number_and_ending(path, &path_of_entry)
            && (ending.is_empty() || ending == COMPRESSED)
        {
            found.push(Rotated {
                number,
                is_compressed: !ending.is_empty(),
                path: path_of_entry,
            });
        }
    }
    found.sort();
    Ok(found)
}

/// The rotated files of the sink on this file, each with the time of its last change.
pub(crate) fn with_times(path: &Path) -> io::Result<Vec<(PathBuf, Timestamp)>> {
    let mut files = Vec::new();
    for file in rotated(path)? {
        let changed = fs::metadata(&file.path)?.modified()?;
        let since = changed
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        let micros = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
        files.push((file.path, Timestamp::from_micros(micros)));
    }
    Ok(files)
}

const COMPRESSED: &str = ".zst";
const UNFINISHED: &str = ".zst.new";
const DIGITS: usize = 10;

/// Takes `<path>.<10 digits><ending>` apart.
fn number_and_ending<'a>(path: &Path, entry: &'a Path) -> Option<(u64, &'a str)> {
    let name = path.file_name()?.to_str()?;
    let entry = entry.file_name()?.to_str()?;
    let (digits, ending) = entry
        .strip_prefix(name)?
        .strip_prefix('.')?
        .split_at_checked(DIGITS)?;
    if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    Some((digits.parse().ok()?, ending))
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Gives the file the next number. What comes next makes the new file and syncs the directory.
pub(super) fn rotate(path: &Path) -> io::Result<()> {
    let newest = rotated(path)?.last().map_or(0, |newest| newest.number);
    fs::rename(
        path,
        with_ending(path, &format!(".{:0DIGITS$}", newest + 1)),
    )
}

/// Compresses what is to be compressed, then removes the oldest.
///
/// Nothing here is needed to go on writing, so every file is tried and the first error is told.
pub(super) fn tidy(path: &Path, rotation: &Rotation) -> io::Result<()> {
    let mut told = remove_unfinished(path);
    let files = rotated(path)?;
    for file in &files {
        // The same number twice: a crash came between compressing a file and removing it.
        let is_done = files
            .iter()
            .any(|other| other.number == file.number && other.is_compressed);
        if !file.is_compressed && is_done {
            tell(&mut told, fs::remove_file(&file.path));
        } else if !file.is_compressed && rotation.compress {
            tell(&mut told, shrink(&file.path));
        }
    }
    if let Some(keep) = rotation.keep {
        let files = rotated(path)?;
        let excess = files.len().saturating_sub(keep);
        for file in files.iter().take(excess) {
            tell(&mut told, fs::remove_file(&file.path));
        }
    }
    told
}

/// Keeps the first error.
fn tell(told: &mut io::Result<()>, tried: io::Result<()>) {
    if told.is_ok() {
        *told = tried;
    }
}

/// Replaces a file by its compressed form; a crash leaves one of the two whole.
fn shrink(path: &Path) -> io::Result<()> {
    let unfinished = with_ending(path, UNFINISHED);
    compress::compress(path, &unfinished)?;
    fs::rename(&unfinished, with_ending(path, COMPRESSED))?;
    fs::File::open(directory_of(path))?.sync_all()?;
    fs::remove_file(path)
}

fn remove_unfinished(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory_of(path))? {
        let entry = entry?.path();
        if number_and_ending(path, &entry).is_some_and(|(_, ending)| ending == UNFINISHED) {
            fs::remove_file(&entry)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn a_file_is_due_when_a_batch_would_pass_the_limit_or_its_age_is_reached() {
        let rotation = Rotation {
            max_bytes: Some(100),
            max_age: Some(Duration::from_secs(60)),
            ..Rotation::default()
        };
        let cases = [
            ("empty, huge batch", 0, 500, 0, false),
            ("exactly full", 60, 40, 0, false),
            ("one byte over", 60, 41, 0, true),
            ("just before its age", 60, 1, 59, false),
            ("at its age", 60, 1, 60, true),
        ];
        for (name, length, batch, now, expected) in cases {
            assert_eq!(
                rotation.is_due(length, Some(at(0)), batch, at(now)),
                expected,
                "{name}"
            );
        }
        let never = Rotation::default();
        assert!(!never.is_due(u64::MAX, Some(at(0)), u64::MAX, at(i64::from(i32::MAX))));
    }

    #[test]
    fn numbers_grow_and_other_files_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.jsonl");
        let others = [
            "audit.jsonl.1",
            "audit.jsonl.0000000009.gz",
            "b.jsonl.0000000050",
            "audit.jsonl.lock",
        ];
        for name in others {
            fs::write(dir.path().join(name), "").unwrap();
        }
        fs::write(dir.path().join("audit.jsonl.0000000041.zst"), "").unwrap();
        for _ in 0..2 {
            fs::write(&path, "").unwrap();
            rotate(&path).unwrap();
        }
        let numbers: Vec<u64> = rotated(&path)
            .unwrap()
            .iter()
            .map(|file| file.number)
            .collect();
        assert_eq!(numbers, [41, 42, 43]);

        let keep = Rotation {
            keep: Some(1),
            ..Rotation::default()
        };
        tidy(&path, &keep).unwrap();
        let numbers: Vec<u64> = rotated(&path)
            .unwrap()
            .iter()
            .map(|file| file.number)
            .collect();
        assert_eq!(numbers, [43]);
        for name in others {
            assert!(dir.path().join(name).exists(), "{name}");
        }
    }

    #[test]
    fn what_a_crash_left_of_compressing_is_cleared_away() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.jsonl");
        for name in [
            "audit.jsonl.0000000001",
            "audit.jsonl.0000000001.zst",
            "audit.jsonl.0000000002.zst.new",
        ] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        tidy(&path, &Rotation::default()).unwrap();
        let left: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["audit.jsonl.0000000001.zst"]);
    }
}
