//! The file sink: whole lines, nothing doubled, whatever happens to the file meanwhile.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, value::RawValue};
use tempfile::TempDir;
use tower_audit::{
    clock::Timestamp,
    sink::{FileSink, FileSinkBuilder, Sink, SinkError},
};

use crate::support::batches::{START, batch, origin, plain, record};

/// A line as it is published: no more fields, no fewer.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    trail: String,
    n: u64,
    h: String,
    #[serde(borrow)]
    record: &'a RawValue,
}

struct Place {
    dir: TempDir,
    path: PathBuf,
}

fn place() -> Place {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    Place { dir, path }
}

impl Place {
    fn builder(&self) -> FileSinkBuilder {
        FileSink::builder(&self.path)
    }

    fn sink(&self) -> FileSink {
        self.builder().build().unwrap()
    }

    /// The file with this ending.
    fn beside(&self, ending: &str) -> PathBuf {
        self.dir.path().join(format!("audit.jsonl{ending}"))
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.ends_with(".lock"))
            .collect();
        names.sort();
        names
    }
}

/// The numbers in a file, every line of which must be whole.
fn numbers(path: &Path) -> Vec<u64> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    text.lines()
        .map(|line| serde_json::from_str::<Line<'_>>(line).unwrap().n)
        .collect()
}

fn blocked<T: std::fmt::Debug>(result: Result<T, SinkError>) -> String {
    match result {
        Err(SinkError::Blocked { reason }) => reason,
        other => panic!("blocked expected: {other:?}"),
    }
}

// Trap J7: the bytes that come out are the bytes that went in.
#[tokio::test]
async fn a_line_holds_the_origin_the_proof_and_the_exact_bytes() {
    let place = place();
    let record = record(7, "document.create", r#","details":{"x":"é\u0000\ud800"}"#);
    let mut sink = place.sink();
    sink.deliver(&batch(&origin(1), vec![record.clone()]))
        .await
        .unwrap();

    let text = fs::read_to_string(&place.path).unwrap();
    let line: Line<'_> = serde_json::from_str(text.trim_end()).unwrap();
    assert_eq!((line.trail, line.n), (origin(1).trail.to_string(), 7));
    assert_eq!(line.h, record.leaf.to_string());
    assert_eq!(line.record.get(), &*record.json);
    let mode = fs::metadata(&place.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn the_position_of_each_trail_is_in_its_last_line() {
    let place = place();
    let mut sink = place.sink();
    assert_eq!(sink.position(&origin(1)).await, Ok(None));
    sink.deliver(&plain(&origin(1), 0..500)).await.unwrap();
    sink.deliver(&plain(&origin(2), 0..900)).await.unwrap();
    sink.close().await.unwrap();

    let mut sink = place.sink();
    assert_eq!(sink.position(&origin(1)).await, Ok(Some(500)));
    assert_eq!(sink.position(&origin(2)).await, Ok(Some(900)));
    assert_eq!(
        sink.position(&origin(3)).await,
        Ok(None),
        "the cursor file decides"
    );
}

// Trap J13, for a file: a crash in the middle of a write.
#[tokio::test]
async fn what_a_crash_left_torn_is_cut_and_delivered_again_once() {
    let full = place();
    let mut sink = full.sink();
    sink.deliver(&plain(&origin(1), 0..2)).await.unwrap();
    let before = fs::metadata(&full.path).unwrap().len();
    sink.deliver(&plain(&origin(1), 2..5)).await.unwrap();
    let text = fs::read(&full.path).unwrap();

    let from = usize::try_from(before).unwrap();
    for cut in (from..text.len()).step_by(7) {
        let place = place();
        fs::write(&place.path, &text[..cut]).unwrap();
        let mut sink = place.sink();
        let next = sink.position(&origin(1)).await.unwrap().unwrap();
        assert!((2..5).contains(&next), "cut at {cut}: {next}");
        sink.deliver(&plain(&origin(1), next..5)).await.unwrap();
        assert_eq!(numbers(&place.path), [0, 1, 2, 3, 4], "cut at {cut}");
    }
}

// Trap J3: rm, mv, copytruncate.
#[tokio::test]
async fn a_file_that_was_renamed_removed_or_emptied_is_made_again_before_the_next_batch() {
    let place = place();
    let mut sink = place.sink();
    sink.deliver(&plain(&origin(1), 0..2)).await.unwrap();
    fs::rename(&place.path, place.beside(".1")).unwrap();
    sink.deliver(&plain(&origin(1), 2..4)).await.unwrap();
    assert_eq!(numbers(&place.beside(".1")), [0, 1]);
    assert_eq!(numbers(&place.path), [2, 3]);

    fs::remove_file(&place.path).unwrap();
    sink.deliver(&plain(&origin(1), 4..6)).await.unwrap();
    assert_eq!(numbers(&place.path), [4, 5]);

    OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(&place.path)
        .unwrap();
    sink.deliver(&plain(&origin(1), 6..8)).await.unwrap();
    assert_eq!(numbers(&place.path), [6, 7]);

    // As logrotate's `create` does.
    fs::rename(&place.path, place.beside(".2")).unwrap();
    fs::write(&place.path, "").unwrap();
    sink.deliver(&plain(&origin(1), 8..9)).await.unwrap();
    assert_eq!(
        (numbers(&place.beside(".2")), numbers(&place.path)),
        (vec![6, 7], vec![8])
    );
}

#[tokio::test]
async fn files_are_rotated_by_size_between_batches_and_the_oldest_give_way() {
    let place = place();
    let mut sink = place
        .builder()
        .rotate_at_bytes(2000)
        .keep(2)
        .build()
        .unwrap();
    for first in (0..32).step_by(4) {
        sink.deliver(&plain(&origin(1), first..first + 4))
            .await
            .unwrap();
    }
    let names = place.names();
    assert_eq!(
        names,
        [
            "audit.jsonl",
            "audit.jsonl.0000000006",
            "audit.jsonl.0000000007"
        ]
    );
    assert_eq!(numbers(&place.beside(".0000000007")), [24, 25, 26, 27]);
    assert_eq!(numbers(&place.path), [28, 29, 30, 31]);
}

#[tokio::test]
async fn a_batch_larger_than_the_limit_is_one_file() {
    let place = place();
    let mut sink = place.builder().rotate_at_bytes(1).build().unwrap();
    sink.deliver(&plain(&origin(1), 0..50)).await.unwrap();
    sink.deliver(&plain(&origin(1), 50..100)).await.unwrap();
    assert_eq!(numbers(&place.beside(".0000000001")), Vec::from_iter(0..50));
    assert_eq!(numbers(&place.path), Vec::from_iter(50..100));
}

#[tokio::test]
async fn files_are_rotated_by_age_at_the_first_batch_that_finds_them_old() {
    let place = place();
    let mut sink = place
        .builder()
        .rotate_at_age(Duration::from_secs(60))
        .build()
        .unwrap();
    for (number, seconds) in [(0, 0), (1, 59), (2, 60), (3, 119), (4, 120)] {
        let mut batch = plain(&origin(1), number..number + 1);
        batch.received = Timestamp::from_micros(START + seconds * 1_000_000);
        sink.deliver(&batch).await.unwrap();
    }
    assert_eq!(numbers(&place.beside(".0000000001")), [0, 1]);
    assert_eq!(numbers(&place.beside(".0000000002")), [2, 3]);
    assert_eq!(numbers(&place.path), [4]);
}

#[tokio::test]
async fn the_position_is_found_in_rotated_files_newest_first() {
    let place = place();
    let rotating = || place.builder().rotate_at_bytes(1).build().unwrap();
    let mut sink = rotating();
    sink.deliver(&plain(&origin(1), 0..3)).await.unwrap();
    sink.deliver(&plain(&origin(1), 3..6)).await.unwrap();
    sink.deliver(&plain(&origin(2), 0..3)).await.unwrap();
    sink.close().await.unwrap();
    assert_eq!(rotating().position(&origin(1)).await, Ok(Some(6)));
    // Without a rotation of its own, somebody else's may have taken newer files away.
    assert_eq!(place.sink().position(&origin(1)).await, Ok(None));
}

#[cfg(feature = "zstd")]
#[tokio::test]
async fn rotated_files_are_compressed_and_still_searched() {
    let place = place();
    let rotating = || {
        place
            .builder()
            .rotate_at_bytes(1)
            .compress_zstd()
            .build()
            .unwrap()
    };
    let mut sink = rotating();
    sink.deliver(&plain(&origin(1), 0..300)).await.unwrap();
    let size = fs::metadata(&place.path).unwrap().len();
    sink.deliver(&plain(&origin(2), 0..3)).await.unwrap();
    sink.close().await.unwrap();

    assert_eq!(place.names(), ["audit.jsonl", "audit.jsonl.0000000001.zst"]);
    let compressed = place.beside(".0000000001.zst");
    let found = fs::metadata(&compressed).unwrap();
    assert_eq!(found.permissions().mode() & 0o777, 0o600);
    assert!(found.len() * 3 < size, "{} of {size}", found.len());
    let text = zstd::decode_all(fs::File::open(&compressed).unwrap()).unwrap();
    assert_eq!(text.split(|byte| *byte == b'\n').count(), 301);
    assert_eq!(rotating().position(&origin(1)).await, Ok(Some(300)));
}

// Trap J4, for a file: two processes on one name.
#[tokio::test]
async fn a_second_writer_is_blocked_until_the_first_ends() {
    let place = place();
    let (mut first, mut second) = (place.sink(), place.sink());
    first.deliver(&plain(&origin(1), 0..1)).await.unwrap();
    let reason = blocked(second.deliver(&plain(&origin(2), 0..1)).await);
    assert!(reason.contains("put {instance} in the name"), "{reason}");
    blocked(second.position(&origin(2)).await);
    first.close().await.unwrap();
    assert_eq!(second.deliver(&plain(&origin(2), 0..1)).await, Ok(()));
    assert!(place.beside(".lock").exists());
}

#[tokio::test]
async fn the_instance_keeps_two_processes_apart() {
    let place = place();
    let path = place.dir.path().join("audit-{instance}.jsonl");
    let sink = |instance: &str| FileSink::builder(&path).instance(instance).build().unwrap();
    let (mut first, mut second) = (sink("web-1"), sink("../web 2"));
    first.deliver(&plain(&origin(1), 0..1)).await.unwrap();
    second.deliver(&plain(&origin(2), 0..1)).await.unwrap();
    assert_eq!(place.names(), ["audit-_._web_2.jsonl", "audit-web-1.jsonl"]);
}

#[tokio::test]
async fn what_a_person_must_repair_blocks_with_the_way_out_and_goes_on_afterwards() {
    let place = place();
    let dir = place.dir.path();
    let batch = plain(&origin(1), 0..1);
    let mut sink = FileSink::builder(dir.join("logs/audit.jsonl"))
        .build()
        .unwrap();
    let reason = blocked(sink.deliver(&batch).await);
    assert!(reason.contains("make its directory"), "{reason}");
    fs::create_dir(dir.join("logs")).unwrap();
    assert_eq!(sink.deliver(&batch).await, Ok(()));

    for (name, make) in [
        (
            "folder",
            (|path| fs::create_dir(path)) as fn(&Path) -> std::io::Result<()>,
        ),
        ("foreign", |path| fs::write(path, "Nov 20 something else\n")),
        ("device", |path| symlink("/dev/zero", path)),
    ] {
        let path = dir.join(name);
        make(&path).unwrap();
        let mut sink = FileSink::builder(&path).build().unwrap();
        let reason = blocked(sink.deliver(&batch).await);
        assert!(reason.contains("name another"), "{name}: {reason}");
    }
    assert_eq!(
        fs::read_to_string(dir.join("foreign")).unwrap(),
        "Nov 20 something else\n"
    );
}

#[tokio::test]
async fn a_line_break_inside_a_record_is_refused_by_number() {
    let place = place();
    let records = vec![
        record(0, "a.b", ""),
        record(1, "a.b", ",\n\"x\":1"),
        record(2, "a.b", ""),
    ];
    let error = place
        .sink()
        .deliver(&batch(&origin(1), records))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, SinkError::Refused { numbers, .. } if numbers == &[1]),
        "{error:?}"
    );
    assert!(!place.path.exists());
}

#[tokio::test]
async fn a_record_of_megabytes_is_stored_and_found_again() {
    let place = place();
    let mut sink = place.sink();
    let huge = format!(r#","details":{{"x":"{}"}}"#, "y".repeat(5_000_000));
    sink.deliver(&batch(&origin(1), vec![record(0, "big.one", &huge)]))
        .await
        .unwrap();
    sink.close().await.unwrap();
    assert_eq!(sink.position(&origin(1)).await, Ok(Some(1)));
    let text = fs::read_to_string(&place.path).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        value["record"]["details"]["x"].as_str().unwrap().len(),
        5_000_000
    );
}

#[tokio::test]
async fn lines_of_another_hand_behind_ours_are_cut() {
    let place = place();
    let mut sink = place.sink();
    sink.deliver(&plain(&origin(1), 0..2)).await.unwrap();
    let mut other = OpenOptions::new().append(true).open(&place.path).unwrap();
    other.write_all(b"half a line").unwrap();
    sink.deliver(&plain(&origin(1), 2..3)).await.unwrap();
    assert_eq!(numbers(&place.path), [0, 1, 2]);
}
