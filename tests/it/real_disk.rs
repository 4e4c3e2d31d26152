//! A real directory whose files somebody else takes away while the trail is written.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use tower_audit::{Audit, Health, Receipt, Record, verify};

use crate::support::found;

const LONG: Duration = Duration::from_secs(60);

/// What somebody does to a file that is being written.
type Deed = fn(&Path);

// Trap J3: rm, mv, and what copytruncate does.
#[test]
fn a_live_segment_that_is_taken_away_takes_no_later_record_with_it() {
    let deeds: [(&str, Deed); 5] = [
        ("rm", |file| fs::remove_file(file).unwrap()),
        ("mv", |file| {
            fs::rename(file, file.with_extension("jsonl.1")).unwrap();
        }),
        ("truncate", |file| cut(file, 0)),
        ("cut in the middle", |file| cut(file, 700)),
        ("replaced by a copy", |file| {
            let copy = file.with_extension("copy");
            fs::copy(file, &copy).unwrap();
            fs::rename(copy, file).unwrap();
        }),
    ];
    for (name, deed) in deeds {
        let dir = tempfile::tempdir().unwrap();
        let audit = start(dir.path());
        let before = commit(&audit, 5);
        deed(&live_segment(audit.trail_dir()));
        let after = commit(&audit, 5);
        assert_eq!(audit.health(), Health::Ok, "{name}: it goes on");
        let report = audit.shutdown_blocking(LONG);
        assert!(report.in_order, "{name}: {report}");

        let kept = recorded(dir.path(), &after);
        assert_eq!(kept, after.len(), "{name}: what came after is there");
        let told = outage(audit.trail_dir());
        assert!(
            told.contains("segment"),
            "{name}: it is written down: {told}"
        );
        let checked = verify::journal(dir.path(), verify::Options::new()).unwrap();
        let gone = recorded(dir.path(), &before) < before.len();
        assert_eq!(checked.holds(), !gone, "{name}: verify tells: {checked}");

        // The next start takes it from there.
        drop(audit);
        let audit = start(dir.path());
        assert_eq!(recorded(dir.path(), &commit(&audit, 1)), 1, "{name}");
    }
}

fn start(dir: &Path) -> Audit {
    let builder = Audit::builder("disk").dir(dir).reserve_bytes(0);
    builder.start_blocking().unwrap()
}

fn cut(file: &Path, length: u64) {
    let file = fs::File::options().write(true).open(file).unwrap();
    file.set_len(length).unwrap();
}

fn commit(audit: &Audit, records: usize) -> Vec<Receipt> {
    (0..records)
        .map(|_| {
            audit
                .commit_blocking(Record::new("document.create"))
                .unwrap()
        })
        .collect()
}

/// The segment of the highest generation.
fn live_segment(trail: &Path) -> PathBuf {
    let segments = found::entries(trail).into_iter();
    let generation = |path: &PathBuf| {
        let name = path.file_name()?.to_str()?.strip_suffix(".jsonl")?;
        Some(name.split_once('-')?.1.to_owned())
    };
    segments
        .filter(|path| generation(path).is_some())
        .max_by_key(generation)
        .unwrap()
}

/// Every line of every segment.
fn lines(base: &Path) -> Vec<String> {
    let files = found::entries(base).into_iter();
    let files = files.filter(|path| path.extension().is_some_and(|end| end == "jsonl"));
    files
        .flat_map(|file| {
            let text = fs::read_to_string(file).unwrap();
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect()
}

/// How many of these records stand in a segment, under their number and leaf.
fn recorded(base: &Path, receipts: &[Receipt]) -> usize {
    let trails = found::entries(base).into_iter();
    let lines: Vec<String> = trails.flat_map(|trail| lines(&trail)).collect();
    let stands = |receipt: &&Receipt| {
        let start = format!(r#"{{"n":{},"h":"{}""#, receipt.number, receipt.leaf);
        lines.iter().any(|line| line.starts_with(&start))
    };
    receipts.iter().filter(stands).count()
}

/// What the trail says about its outage.
fn outage(trail: &Path) -> String {
    let outage = r#""action":"audit.outage""#;
    let line = lines(trail).into_iter().find(|line| line.contains(outage));
    line.unwrap_or_default()
}
