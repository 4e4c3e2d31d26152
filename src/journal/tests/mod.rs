//! What the journal promises, from outside; what a disk may do to it is played on the one in memory.

use std::{
    path::{Path, PathBuf},
    sync::mpsc,
    time::{Duration, Instant},
};

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use sha2::Sha256;
use uuid::Uuid;

use super::{recovery::recover, *};
use crate::{
    clock::SystemClock,
    disk::SharedDisk,
    evidence::TreeHead,
    testing::disk::{Call, Crash, Fault, TestDisk},
};

mod basics;
mod crash;
mod failing;
mod flip;
mod foreign;
mod model;
mod stalled;
mod strangers;
mod torn;

fn base(disk: SharedDisk, dir: &Path) -> (Base, mpsc::Receiver<TrailEvent>) {
    let (sender, received) = mpsc::channel();
    let events = Events::new(move |event| drop(sender.send(event)));
    let settings = Settings {
        segment_bytes: 4096,
        reserve_bytes: 0,
        retry_min: Duration::from_millis(1),
        ..Settings::default()
    };
    let base = Base {
        disk,
        dir: dir.into(),
        clock: Arc::new(SystemClock::new()),
        settings,
        service: "docs".into(),
        instance: None,
        events,
    };
    (base, received)
}

fn line(text: &str) -> Prepared {
    Prepared::new(format!(r#"{{"id":"{text}"}}"#), None)
}

fn commit(inbox: &Inbox, text: &str) -> Result<TreeHead, CommitError> {
    let ticket = inbox.append(&line(text), Urgency::Durable)?;
    block_on(ticket.committed())
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

fn texts(disk: &SharedDisk, dir: &Path, from: u64, until: u64) -> Vec<String> {
    let mut reader = Reader::open(Arc::clone(disk), dir.into(), from);
    let mut texts = Vec::new();
    loop {
        let chunk = reader
            .read(
                until,
                Most {
                    records: 7,
                    bytes: 300,
                },
            )
            .unwrap();
        assert_eq!(chunk.gaps, [], "nothing is missing");
        if chunk.entries.is_empty() {
            return texts;
        }
        texts.extend(
            chunk
                .entries
                .iter()
                .map(|entry| entry.json[7..entry.json.len() - 2].to_owned()),
        );
    }
}

const BASE: &str = "base";

/// A base on a disk in memory.
fn in_memory(disk: &TestDisk) -> (Base, mpsc::Receiver<TrailEvent>) {
    base(Arc::new(disk.clone()), Path::new(BASE))
}

fn shared(disk: &TestDisk) -> SharedDisk {
    Arc::new(disk.clone())
}

fn raw(text: &str) -> Box<serde_json::value::RawValue> {
    let json = format!(r#"{{"id":"{text}"}}"#);
    serde_json::value::RawValue::from_string(json).unwrap()
}

/// The root over records with these texts, by another implementation.
fn root_of(texts: &[String]) -> TreeHead {
    let mut tree = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    for text in texts {
        tree.push(format!(r#"{{"id":"{text}"}}"#).into_bytes());
    }
    let root: [u8; 32] = tree.root().as_bytes()[..].try_into().unwrap();
    TreeHead::new(texts.len() as u64, crate::evidence::Hash::from_bytes(root))
}

fn text_of(json: &str) -> String {
    json[7..json.len() - 2].to_owned()
}

/// Everything below `until`, with what is missing.
fn read_all(disk: &TestDisk, dir: &Path, until: u64) -> (Vec<(u64, String)>, Vec<Gap>) {
    let mut reader = Reader::open(shared(disk), dir.into(), 0);
    let (mut entries, mut gaps, mut before) = (Vec::new(), Vec::new(), 0);
    let most = Most {
        records: 2,
        bytes: 10_000,
    };
    loop {
        let chunk = reader.read(until, most).unwrap();
        for entry in chunk.entries {
            entries.push((entry.number, text_of(&entry.json)));
        }
        gaps.extend(chunk.gaps);
        if chunk.next == before {
            return (entries, gaps);
        }
        before = chunk.next;
    }
}

/// The segments of the trail in `dir`, in the order of their generations.
fn segments(disk: &TestDisk, dir: &Path) -> Vec<PathBuf> {
    let (names, _) = segment::list(disk, dir).unwrap();
    names.iter().map(|name| dir.join(name.file())).collect()
}

/// Where each line of a file begins.
fn line_starts(bytes: &[u8]) -> Vec<usize> {
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    std::iter::once(0)
        .chain(ends.map(|(at, _)| at + 1))
        .filter(|at| *at < bytes.len())
        .collect()
}

/// All files with their bytes.
fn contents(disk: &TestDisk) -> Vec<(PathBuf, Vec<u8>)> {
    let paths = disk.paths().into_iter();
    paths
        .map(|path| (path.clone(), disk.bytes(path).unwrap()))
        .collect()
}
