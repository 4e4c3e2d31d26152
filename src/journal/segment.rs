//! Segment files: their names, how one comes to be, and how one is read line by line.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::disk::{Disk, DiskFile, FileStat};

use super::line::MAX_LINE;

/// Names one segment: `<first number>-<generation>.jsonl`, both zero-padded so that a listing sorts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SegmentName {
    // First, so that the order is the order in which segments were made.
    pub(crate) generation: u64,
    pub(crate) start: u64,
}

impl SegmentName {
    pub(crate) fn file(&self) -> String {
        format!("{:020}-{:010}.jsonl", self.start, self.generation)
    }

    pub(crate) fn parse(file: &str) -> Option<Self> {
        let (start, generation) = file.strip_suffix(".jsonl")?.split_once('-')?;
        let number = |digits: &str, width: usize| {
            let plain = digits.len() >= width && digits.bytes().all(|digit| digit.is_ascii_digit());
            plain.then(|| digits.parse().ok()).flatten()
        };
        let name = Self {
            start: number(start, 20)?,
            generation: number(generation, 10)?,
        };
        (name.file() == file).then_some(name)
    }
}

/// The segments of a trail directory, oldest generation first, and the highest generation any file
/// there was ever given (a half-made one included).
pub(crate) fn list(disk: &dyn Disk, dir: &Path) -> io::Result<(Vec<SegmentName>, u64)> {
    let mut names = Vec::new();
    let mut highest = 0;
    for entry in disk.list(dir)? {
        let whole = entry.name.strip_suffix(".new");
        if let Some(name) = SegmentName::parse(whole.unwrap_or(&entry.name)) {
            highest = highest.max(name.generation);
            if whole.is_none() && !entry.is_dir {
                names.push(name);
            }
        }
    }
    names.sort_unstable();
    Ok((names, highest))
}

/// The numbers a segment speaks for: from its start up to where a later one takes over.
///
/// `names` is sorted by generation. `None`: up to the end of the trail.
pub(crate) fn superseded_at(names: &[SegmentName], generation: u64) -> Option<u64> {
    names
        .iter()
        .filter(|name| name.generation > generation)
        .map(|name| name.start)
        .min()
}

/// A segment that this process made and writes.
#[derive(Debug)]
pub(crate) struct OpenSegment {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    stat: FileStat,
    /// The length of what it began with before its first group.
    head_len: u64,
    groups: u64,
}

impl OpenSegment {
    /// Makes a segment that appears under its name only when its head and its first group are durable.
    ///
    /// A header supersedes what earlier files hold, so it must never be visible without the
    /// records that it carries over: hence the detour through another name.
    pub(crate) fn create(
        disk: &dyn Disk,
        dir: &Path,
        name: SegmentName,
        head: &[u8],
        group: &[u8],
    ) -> io::Result<Self> {
        let path = dir.join(name.file());
        let fresh = dir.join(format!("{}.new", name.file()));
        let mut file = disk.create_new(&fresh)?;
        let written = file
            .write_all(head)
            .and_then(|()| file.write_all(group))
            .and_then(|()| file.sync());
        if let Err(error) = written.and_then(|()| disk.rename(&fresh, &path)) {
            // Not needed for safety, only for room: a half-made segment is never read.
            let _ = disk.remove(&fresh);
            return Err(error);
        }
        disk.sync_dir(dir)?;
        let stat = file.stat()?;
        Ok(Self {
            file,
            path,
            stat,
            head_len: head.len() as u64,
            groups: 1,
        })
    }

    /// Appends a group and returns when they are durable and the file still has its name.
    ///
    /// After an error nothing is known about the file, and it must not be written again.
    pub(crate) fn append(&mut self, disk: &dyn Disk, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.file.sync()?;
        self.stat.len += bytes.len() as u64;
        self.groups += 1;
        // Trap J3: a file that was removed, renamed or cut behind our back takes writes and keeps none.
        match disk.stat(&self.path) {
            Ok(now) if now == self.stat => Ok(()),
            Ok(now) => Err(io::Error::other(format!(
                "segment {} was changed by somebody else: {} bytes expected, {} found, {} file",
                self.path.display(),
                self.stat.len,
                now.len,
                if now.identity == self.stat.identity {
                    "same"
                } else {
                    "another"
                },
            ))),
            Err(error) => Err(io::Error::new(
                error.kind(),
                format!("segment {} has lost its name: {error}", self.path.display()),
            )),
        }
    }

    /// The bytes of its groups.
    pub(crate) const fn grown(&self) -> u64 {
        self.stat.len.saturating_sub(self.head_len)
    }

    /// How many groups it holds.
    pub(crate) const fn groups(&self) -> u64 {
        self.groups
    }
}

/// Reads a file line by line from an offset, with a bounded buffer.
#[derive(Debug)]
pub(crate) struct Lines {
    file: Box<dyn DiskFile>,
    /// What one call reads into; kept, because making it costs as much as reading a small file.
    chunk: Vec<u8>,
    buffer: Vec<u8>,
    /// Where the next line begins in `buffer`.
    begin: usize,
    /// Where the next line begins in the file.
    offset: u64,
    /// How far `buffer` was searched for a newline, from `begin`.
    searched: usize,
}

/// What stands at an offset.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RawLine<'a> {
    /// A line, without its newline.
    Whole(&'a [u8]),
    /// Bytes up to the end of the file, without a newline.
    Torn(&'a [u8]),
    /// Longer than any line of ours; the rest of it was passed over.
    TooLong,
    /// The end of the file.
    End,
}

/// What stands at the place of a reader, with its length in bytes (of a whole line, with its newline).
#[derive(Clone, Copy)]
enum Found {
    Whole(usize),
    TooLong(usize),
    Rest(usize),
}

const CHUNK: usize = 256 * 1024;

impl Lines {
    pub(crate) fn new(file: Box<dyn DiskFile>, offset: u64) -> Self {
        Self {
            file,
            chunk: Vec::new(),
            buffer: Vec::new(),
            begin: 0,
            offset,
            searched: 0,
        }
    }

    /// The offset of the line that [`next`](Self::next) gives next.
    pub(crate) const fn offset(&self) -> u64 {
        self.offset
    }

    /// Goes back to a line that began at `offset`.
    pub(crate) fn back_to(&mut self, offset: u64) {
        let back = self.offset.saturating_sub(offset);
        self.offset = offset;
        self.searched = 0;
        // What is still in the buffer is not read again.
        let kept = usize::try_from(back).ok();
        let begin = kept.and_then(|back| self.begin.checked_sub(back));
        self.begin = begin.unwrap_or(self.buffer.len());
        if begin.is_none() {
            self.buffer.clear();
            self.begin = 0;
        }
    }

    /// The length of the file now.
    pub(crate) fn end(&self) -> io::Result<u64> {
        self.file.stat().map(|stat| stat.len)
    }

    /// The next line; after [`RawLine::Torn`] or [`RawLine::End`] the same place is read again, so
    /// that a reader can follow a file that grows.
    pub(crate) fn next(&mut self) -> io::Result<RawLine<'_>> {
        let found = self.find()?;
        let begin = self.begin;
        if let Found::Whole(length) | Found::TooLong(length) = found {
            self.begin += length;
            self.offset += length as u64;
            self.searched = 0;
        }
        Ok(self.show(begin, found))
    }

    /// The line that [`next`](Self::next) gives next.
    pub(crate) fn peek(&mut self) -> io::Result<RawLine<'_>> {
        let found = self.find()?;
        Ok(self.show(self.begin, found))
    }

    fn show(&self, begin: usize, found: Found) -> RawLine<'_> {
        let bytes = |length: usize| self.buffer.get(begin..begin + length).unwrap_or_default();
        match found {
            Found::Whole(length) => RawLine::Whole(bytes(length - 1)),
            Found::TooLong(_) => RawLine::TooLong,
            Found::Rest(0) => RawLine::End,
            Found::Rest(length) => RawLine::Torn(bytes(length)),
        }
    }

    /// Reads until a newline, the end of the file or the longest line is in the buffer.
    fn find(&mut self) -> io::Result<Found> {
        loop {
            let unread = self.buffer.get(self.begin..).unwrap_or_default();
            let fresh = unread.get(self.searched..).unwrap_or_default();
            if let Some(at) = fresh.iter().position(|byte| *byte == b'\n') {
                return Ok(Found::Whole(self.searched + at + 1));
            }
            self.searched = unread.len();
            if self.searched > MAX_LINE {
                // The rest of it looks like another line, and will not hold either.
                return Ok(Found::TooLong(self.searched));
            }
            if self.fill()? == 0 {
                return Ok(Found::Rest(self.searched));
            }
        }
    }

    fn fill(&mut self) -> io::Result<usize> {
        self.buffer.drain(..self.begin);
        self.begin = 0;
        let at = self.offset + self.buffer.len() as u64;
        if self.chunk.is_empty() {
            self.chunk = vec![0; CHUNK];
        }
        let read = self.file.read_at(&mut self.chunk, at)?;
        self.buffer
            .extend_from_slice(self.chunk.get(..read).unwrap_or_default());
        Ok(read)
    }
}
