//! What a trail holds when it is opened, from its last segment alone.
//!
//! A commit is *proven* by anything the writer wrote after it, because it writes on only when the
//! sync before returned. The first commit of a segment is proven by the segment's name, because a
//! segment gets its name only when its first commit is durable. From the last proven commit on:
//!
//! - whole lines are carried over into the new segment, under their old numbers: some of them may
//!   have been acknowledged;
//! - the first line that does not hold, and all after it, is the torn end of a group that nobody was
//!   told about, and is reported;
//! - unless something proven stands after it: then sealed data was changed, and that is damage.

use std::{
    collections::{BTreeMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{clock::Timestamp, disk::Disk, evidence::Tree, record::Origin};

use super::{
    error::{Damage, OpenError},
    group::Group,
    line::{self, Control, Head, Line, LineError},
    segment::{self, Lines, RawLine, SegmentName},
};

/// Everything a writer needs to go on.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) origin: Origin,
    /// The highest generation that any file of the trail was given.
    pub(crate) generation: u64,
    /// The tree at the last proven commit.
    pub(crate) tree: Tree,
    /// The intents open at the last proven commit, with their lines.
    pub(crate) open: BTreeMap<Uuid, Arc<[u8]>>,
    /// The whole lines after it.
    pub(crate) carry: Group,
    /// When the last proven commit was made.
    pub(crate) committed_at: Timestamp,
    /// Whether the last run closed the trail in order.
    pub(crate) clean: bool,
    pub(crate) torn: Option<Torn>,
}

/// Bytes after the last whole line that were never acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Torn {
    pub(crate) file: PathBuf,
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
}

impl Recovered {
    /// The lines of the intents that nobody settled.
    pub(crate) fn still_open(&self) -> BTreeMap<Uuid, Arc<[u8]>> {
        let mut open = self.open.clone();
        open.extend(self.carry.opened.iter().cloned());
        for id in &self.carry.closed {
            open.remove(id);
        }
        open
    }

    /// The intents that nobody settled: the process died between asking and telling.
    pub(crate) fn unsettled(&self) -> Vec<(Uuid, Box<RawValue>)> {
        let intent = |text: &[u8]| match line::decode(text.strip_suffix(b"\n").unwrap_or(text)) {
            Ok(Line::Control(Control::Open(intent))) => Some((intent.id, intent.record)),
            _ => None,
        };
        let open = self.still_open();
        open.values().filter_map(|line| intent(line)).collect()
    }

    /// The next number the trail will give.
    pub(crate) fn next(&self) -> u64 {
        self.tree.size() + self.carry.leaves.len() as u64
    }
}

/// Reads the last segment of a trail; `None` when there is none.
///
/// # Errors
///
/// [`OpenError::Damaged`] and [`OpenError::Newer`] leave everything as it is.
pub(crate) fn recover(disk: &dyn Disk, dir: &Path) -> Result<(Option<Recovered>, u64), OpenError> {
    let (names, generation) = segment::list(disk, dir).map_err(OpenError::io("list", dir))?;
    let Some(last) = names.last() else {
        return Ok((None, generation));
    };
    let path = dir.join(last.file());
    let file = disk.open(&path).map_err(OpenError::io("open", &path))?;
    let mut scan = Scan::new(path, *last);
    let mut lines = Lines::new(file, 0);
    scan.run(&mut lines)?;
    let recovered = scan.finish(generation)?;
    Ok((Some(recovered), generation))
}

/// The walk through one segment.
struct Scan {
    path: PathBuf,
    name: SegmentName,
    head: Option<Head>,
    /// The tree and the open intents at the last proven commit.
    proven: Tree,
    open: BTreeMap<Uuid, Arc<[u8]>>,
    committed_at: Option<Timestamp>,
    /// The time of a commit that nothing follows yet.
    unproven: Option<Timestamp>,
    /// How many commits were read.
    groups: u64,
    /// The intents that the header calls open and whose lines were not read yet.
    promised: HashSet<Uuid>,
    /// The intents open at the line being read.
    live: HashSet<Uuid>,
    /// The tree at the line being read.
    tree: Tree,
    /// What stands after the last proven commit.
    carry: Group,
    clean: bool,
    torn: Option<Torn>,
}

impl Scan {
    fn new(path: PathBuf, name: SegmentName) -> Self {
        Self {
            path,
            name,
            head: None,
            proven: Tree::default(),
            open: BTreeMap::new(),
            committed_at: None,
            unproven: None,
            groups: 0,
            promised: HashSet::new(),
            live: HashSet::new(),
            tree: Tree::default(),
            carry: Group::default(),
            clean: false,
            torn: None,
        }
    }

    fn run(&mut self, lines: &mut Lines) -> Result<(), OpenError> {
        loop {
            let offset = lines.offset();
            let fault = match lines.next().map_err(OpenError::io("read", &self.path))? {
                RawLine::End => return Ok(()),
                RawLine::Whole(bytes) => match self.line(bytes) {
                    Ok(()) => continue,
                    Err(Fault::Newer(format)) => {
                        return Err(OpenError::Newer {
                            path: self.path.clone(),
                            format,
                        });
                    }
                    Err(Fault::Bad(reason)) => reason,
                },
                RawLine::Torn(_) => "the file ends within a line".into(),
                RawLine::TooLong => "the line is longer than any of ours".into(),
            };
            return self.broken(lines, offset, fault);
        }
    }

    /// A line does not hold: the end of an unacknowledged group, or damage?
    fn broken(&mut self, lines: &mut Lines, offset: u64, reason: String) -> Result<(), OpenError> {
        let sealed = self.committed_at.is_none()
            || self.clean
            || proven_after(lines, self.groups).map_err(OpenError::io("read", &self.path))?;
        if sealed {
            let last_good = self.committed_at.map(|_| self.proven.head());
            return Err(OpenError::Damaged(Damage {
                file: self.path.clone(),
                offset,
                reason,
                last_good,
            }));
        }
        let end = lines.end().map_err(OpenError::io("read", &self.path))?;
        self.torn = Some(Torn {
            file: self.path.clone(),
            offset,
            bytes: end.saturating_sub(offset),
        });
        Ok(())
    }

    fn line(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let line = line::decode(bytes)?;
        if self.head.is_none() {
            let Line::Control(Control::Head(head)) = line else {
                return Err(Fault::bad("the segment does not begin with its header"));
            };
            return self.begin(*head);
        }
        if self.clean {
            return Err(Fault::bad("something stands after the end of the run"));
        }
        // Whatever this line is, it was written after the commit before it held.
        if let Some(at) = self.unproven.take() {
            self.prove(at);
        }
        match line {
            Line::Record(record) => {
                if record.number != self.tree.size() {
                    return Err(Fault::bad(format!(
                        "number {} stands where {} belongs",
                        record.number,
                        self.tree.size()
                    )));
                }
                if record.closes.is_some_and(|id| !self.live.remove(&id)) {
                    return Err(Fault::bad("the record settles an intent that is not open"));
                }
                self.tree.push(record.leaf);
                self.carry.leaves.push(record.leaf);
                self.carry.closed.extend(record.closes);
                self.keep(bytes);
            }
            Line::Control(Control::Open(intent)) => {
                let id = intent.id;
                self.promised.remove(&id);
                self.live.insert(id);
                let line = self.keep(bytes);
                self.carry.opened.push((id, line));
            }
            Line::Control(Control::Checkpoint(_)) => drop(self.keep(bytes)),
            Line::Control(Control::Commit(commit)) => self.commit(&commit)?,
            Line::Control(Control::End(end)) => {
                if (end.head, end.group) != (self.tree.head(), self.groups) {
                    return Err(Fault::bad("the closing line has another root"));
                }
                self.clean = true;
            }
            Line::Control(Control::Head(_)) => {
                return Err(Fault::bad("a header stands inside the segment"));
            }
        }
        Ok(())
    }

    fn begin(&mut self, head: Head) -> Result<(), Fault> {
        if (head.start, head.generation) != (self.name.start, self.name.generation) {
            return Err(Fault::bad("the header and the file name disagree"));
        }
        let tree = Tree::from_frontier(head.start, head.frontier.clone());
        self.tree =
            tree.ok_or_else(|| Fault::bad("the header's frontier does not fit its start"))?;
        self.promised = head.open.iter().copied().collect();
        self.head = Some(head);
        Ok(())
    }

    fn commit(&mut self, commit: &line::Commit) -> Result<(), Fault> {
        if commit.group != self.groups + 1 {
            return Err(Fault::bad(format!(
                "the commit of group {} stands where that of group {} belongs",
                commit.group,
                self.groups + 1
            )));
        }
        if commit.head != self.tree.head() {
            return Err(Fault::bad(format!(
                "the commit over {} records has another root",
                commit.head.size
            )));
        }
        if !self.promised.is_empty() {
            return Err(Fault::bad(
                "an intent that the header calls open is missing",
            ));
        }
        self.groups += 1;
        if self.committed_at.is_none() {
            self.prove(commit.time);
        } else {
            self.unproven = Some(commit.time);
        }
        Ok(())
    }

    /// The commit just read holds: nothing before it needs to be carried over.
    fn prove(&mut self, at: Timestamp) {
        self.proven = self.tree.clone();
        self.committed_at = Some(at);
        self.open.append(&mut self.carry.opened.drain(..).collect());
        for id in &self.carry.closed {
            self.open.remove(id);
        }
        self.carry = std::mem::take(&mut self.carry).recycle();
    }

    fn keep(&mut self, line: &[u8]) -> Arc<[u8]> {
        let mut whole = line.to_vec();
        whole.push(b'\n');
        self.carry.bytes.extend_from_slice(&whole);
        whole.into()
    }

    fn finish(mut self, generation: u64) -> Result<Recovered, OpenError> {
        let damage = |reason: &str| Damage {
            file: self.path.clone(),
            offset: 0,
            reason: reason.into(),
            last_good: None,
        };
        let Some(head) = self.head.take() else {
            return Err(OpenError::Damaged(damage("the segment is empty")));
        };
        let Some(committed_at) = self.committed_at else {
            return Err(OpenError::Damaged(damage("the segment has no commit")));
        };
        Ok(Recovered {
            origin: Origin::new(head.trail, head.service, head.instance),
            generation,
            tree: self.proven,
            open: self.open,
            carry: self.carry,
            committed_at,
            clean: self.clean,
            torn: self.torn,
        })
    }
}

/// Whether the rest of the file shows that the writer went on after the group that does not hold,
/// which is the one after `groups` whole ones: something stands after its commit, or a later commit
/// does.
fn proven_after(lines: &mut Lines, groups: u64) -> std::io::Result<bool> {
    let mut committed = false;
    loop {
        match lines.next()? {
            RawLine::End | RawLine::Torn(_) => return Ok(false),
            RawLine::TooLong => {}
            RawLine::Whole(bytes) => match line::decode(bytes) {
                Ok(_) if committed => return Ok(true),
                Ok(Line::Control(Control::Commit(commit))) if commit.group > groups + 1 => {
                    return Ok(true);
                }
                Ok(Line::Control(Control::Commit(commit))) => committed = commit.group > groups,
                Ok(Line::Control(Control::End(_))) => return Ok(true),
                _ => {}
            },
        }
    }
}

/// Why the walk stops.
enum Fault {
    Bad(String),
    Newer(u32),
}

impl Fault {
    fn bad(reason: impl Into<String>) -> Self {
        Self::Bad(reason.into())
    }
}

impl From<LineError> for Fault {
    fn from(error: LineError) -> Self {
        match error {
            LineError::Newer(format) => Self::Newer(format),
            other => Self::Bad(other.to_string()),
        }
    }
}
