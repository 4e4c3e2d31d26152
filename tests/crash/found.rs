//! What is on the disk, read without the crate's own readers wherever that is possible.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::value::RawValue;
use tower_audit::{
    evidence::leaf_hash,
    store::{Store, StoreError},
};

/// A record as some place holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) number: u64,
    pub(crate) leaf: String,
    pub(crate) json: String,
}

/// The records of each trail, in the order in which the place gives them.
pub(crate) type Trails = BTreeMap<String, Vec<Kept>>;

/// A record line of a segment or of the file sink.
#[derive(Debug, Deserialize)]
struct Line {
    trail: Option<String>,
    n: u64,
    h: String,
    record: Box<RawValue>,
}

impl Kept {
    fn new(line: &Line) -> Self {
        let json = line.record.get().to_owned();
        assert_eq!(
            leaf_hash(json.as_bytes()).to_string(),
            line.h,
            "the leaf hash of number {}",
            line.n
        );
        Self {
            number: line.n,
            leaf: line.h.clone(),
            json,
        }
    }

    /// One member of the record.
    pub(crate) fn field(&self, name: &str) -> String {
        let record: serde_json::Value = serde_json::from_str(&self.json).unwrap();
        record[name].as_str().unwrap_or_default().to_owned()
    }
}

/// The trails below a base directory.
pub(crate) fn journal(base: &Path) -> Trails {
    let mut trails = Trails::new();
    for dir in entries(base) {
        let name = dir.file_name().unwrap().to_string_lossy().into_owned();
        if let Some(id) = name.strip_prefix("trail-") {
            let records = trail(&dir);
            if !records.is_empty() {
                trails.insert(id.to_owned(), records);
            }
        }
    }
    trails
}

/// The records of one trail: each number from the newest segment that speaks for it.
fn trail(dir: &Path) -> Vec<Kept> {
    let segments = segments(dir);
    let mut records = Vec::new();
    for (at, (generation, start, file)) in segments.iter().enumerate() {
        let later = segments.iter().skip(at + 1);
        let end = later.map(|(_, start, _)| *start).min();
        let mut next = *start;
        let text = fs::read(file).unwrap();
        for line in text.split(|byte| *byte == b'\n') {
            if end.is_some_and(|end| next >= end) {
                break;
            }
            if !line.starts_with(b"{\"n\":") {
                continue;
            }
            let Ok(line) = serde_json::from_slice::<Line>(line) else {
                // A torn end; whether anything is missing shows below.
                break;
            };
            assert_eq!(line.n, next, "generation {generation}, {}", file.display());
            records.push(Kept::new(&line));
            next += 1;
        }
        if let Some(end) = end.filter(|end| *end > *start) {
            assert_eq!(next, end, "generation {generation} ends early");
        }
    }
    for (number, record) in records.iter().enumerate() {
        assert_eq!(record.number, number as u64, "numbers without gaps");
    }
    records
}

/// Generation, first number and file of each segment, oldest first.
fn segments(dir: &Path) -> Vec<(u64, u64, PathBuf)> {
    let mut segments: Vec<_> = entries(dir)
        .into_iter()
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?.strip_suffix(".jsonl")?;
            let (start, generation) = name.split_once('-')?;
            Some((generation.parse().ok()?, start.parse().ok()?, path.clone()))
        })
        .collect();
    segments.sort();
    segments
}

/// What a file sink wrote, the rotated files first.
pub(crate) fn file(path: &Path) -> Trails {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let ours = |path: &PathBuf| {
        let entry = path.file_name().unwrap().to_string_lossy().into_owned();
        entry.strip_prefix(&name).is_some_and(|rest| {
            rest.is_empty() || rest.starts_with(".0") && !rest.ends_with(".lock")
        })
    };
    let mut files: Vec<_> = entries(path.parent().unwrap())
        .into_iter()
        .filter(ours)
        .collect();
    // The current one has the shortest name and the newest lines.
    files.sort_by_key(|path| {
        (
            path.extension().is_some_and(|end| end == "jsonl"),
            path.clone(),
        )
    });
    let mut trails = Trails::new();
    for file in files {
        for line in fs::read_to_string(&file).unwrap().lines() {
            let line: Line = serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("{}: {error}: {line}", file.display()));
            let trail = line.trail.clone().unwrap();
            trails.entry(trail).or_default().push(Kept::new(&line));
        }
    }
    trails
}

/// What a database holds.
pub(crate) fn database(path: &Path) -> Trails {
    block_on(read(path)).unwrap()
}

/// The same of one that may not have been made yet.
pub(crate) fn database_so_far(path: &Path) -> Trails {
    block_on(read(path)).unwrap_or_default()
}

async fn read(path: &Path) -> Result<Trails, StoreError> {
    let store = open(path).await?;
    let mut trails = Trails::new();
    for trail in store.trails().await? {
        let mut records = Vec::new();
        loop {
            let from = records.last().map_or(0, |last: &Kept| last.number + 1);
            let leaves = store.leaves(trail.origin.trail, from, 1000).await?;
            if leaves.is_empty() {
                break;
            }
            records.extend(leaves.into_iter().map(|leaf| Kept {
                number: leaf.number,
                leaf: leaf.leaf.to_string(),
                json: leaf.json.into(),
            }));
        }
        trails.insert(trail.origin.trail.to_string(), records);
    }
    Ok(trails)
}

/// A database, open for reading.
pub(crate) async fn open(path: &Path) -> Result<Store, StoreError> {
    Store::open(&format!("sqlite://{}", path.display())).await
}

pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(future)
}

/// What is in a directory, sorted; nothing when it is not there.
pub(crate) fn entries(dir: &Path) -> Vec<PathBuf> {
    let Ok(read) = fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = read.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}
