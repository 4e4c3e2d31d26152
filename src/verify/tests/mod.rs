//! Small journals, and what is done to them.

mod expected;
mod faults;
mod intents;
mod mutations;
mod runs;
#[cfg(feature = "sqlite")]
mod stores;

use std::{
    fs,
    path::{Path, PathBuf},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::Thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::{
    clock::SystemClock,
    evidence::TreeHead,
    journal::{Base, Closed, Events, Inbox, Opened, Prepared, Settings, Urgency, segment},
};

/// The trail of every journal here.
const TRAIL: Uuid = Uuid::from_u128(1);

fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        std::thread::park();
    }
}

/// A base directory on the real disk, and the trail in it.
struct Scratch {
    tmp: TempDir,
    base: Base,
}

impl Scratch {
    fn new(segment_bytes: u64) -> Self {
        let tmp = tempfile::tempdir().unwrap();
        let base = Base {
            disk: Arc::new(StdDisk),
            dir: tmp.path().join("base"),
            clock: Arc::new(SystemClock::new()),
            settings: Settings {
                segment_bytes,
                reserve_bytes: 0,
                buffered_delay: Duration::from_secs(60),
                ..Settings::default()
            },
            service: "docs".into(),
            instance: None,
            events: Events::new(|_| {}),
        };
        Self { tmp, base }
    }

    /// Three runs that ended in order, a segment each: an intent among records, its verdict, nothing.
    fn sealed() -> Self {
        let scratch = Self::new(u64::MAX);
        let opened = scratch.open();
        commit(opened.inbox(), &["a"]);
        intent(opened.inbox(), 7);
        commit(opened.inbox(), &["b", "c"]);
        close(opened);
        let opened = scratch.open();
        verdict(opened.inbox(), 7);
        close(opened);
        close(scratch.open());
        assert_eq!(scratch.names().len(), 3);
        scratch
    }

    fn open(&self) -> Opened {
        self.base.open(TRAIL).unwrap()
    }

    fn dir(&self) -> PathBuf {
        self.base.dir.join(format!("trail-{TRAIL}"))
    }

    /// Continues the trail as the next run would; how many records it carried over.
    fn open_again(&self) -> Option<u64> {
        let opened = self.open();
        let before = opened.before.as_ref()?.carried;
        close(opened);
        Some(before)
    }

    /// A trail of one record in each segment.
    fn ones(texts: &[&str]) -> (Self, Vec<TreeHead>) {
        let scratch = Self::new(1);
        let opened = scratch.open();
        let heads = texts
            .iter()
            .map(|text| commit(opened.inbox(), &[text]))
            .collect();
        close(opened);
        // A run begins with a segment that holds nothing yet; here it was superseded at once.
        fs::remove_file(scratch.path(0)).unwrap();
        assert_eq!(scratch.names().len(), texts.len());
        (scratch, heads)
    }

    fn names(&self) -> Vec<String> {
        let (names, _) = segment::list(&StdDisk, &self.dir()).unwrap();
        names.iter().map(segment::SegmentName::file).collect()
    }

    fn path(&self, index: usize) -> PathBuf {
        self.dir().join(&self.names()[index])
    }

    fn bytes(&self, index: usize) -> Vec<u8> {
        fs::read(self.path(index)).unwrap()
    }

    fn lines(&self, index: usize) -> Vec<String> {
        lines_of(&self.path(index))
    }

    fn put(&self, index: usize, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(index), bytes).unwrap();
    }

    fn put_lines(&self, index: usize, lines: &[String]) {
        self.put(index, lines.concat());
    }

    fn check(&self) -> TrailReport {
        self.check_with(Options::new())
    }

    fn check_with(&self, options: Options<'_>) -> TrailReport {
        let mut report = journal(&self.base.dir, options).unwrap();
        assert_eq!(report.trails.len(), 1, "{report}");
        report.trails.remove(0)
    }
}

/// A control line with other words, and the check sum that they need.
fn resealed(line: &str, from: &str, to: &str) -> String {
    assert!(line.contains(from), "{line}");
    let (_, body) = line.split_once("\",").unwrap();
    let body = body
        .trim_end()
        .strip_suffix('}')
        .unwrap()
        .replacen(from, to, 1);
    let sum: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(&body).into();
    let mut hex = Vec::new();
    crate::evidence::write_hex(&sum[..16], &mut hex);
    format!("{{\"h\":\"{}\",{body}}}\n", String::from_utf8(hex).unwrap())
}

fn lines_of(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    text.split_inclusive('\n').map(str::to_owned).collect()
}

/// Commits these as one group.
fn commit(inbox: &Inbox, texts: &[&str]) -> TreeHead {
    let (last, first) = texts.split_last().unwrap();
    for text in first {
        inbox.append(&line(text, None), Urgency::Buffered).unwrap();
    }
    block_on(
        inbox
            .append(&line(last, None), Urgency::Durable)
            .unwrap()
            .committed(),
    )
    .unwrap()
}

fn line(text: &str, closes: Option<Uuid>) -> Prepared {
    Prepared::new(format!(r#"{{"id":"{text}"}}"#), closes)
}

fn intent(inbox: &Inbox, id: u128) {
    let json = serde_json::value::RawValue::from_string(format!("{{\"id\":{id}}}")).unwrap();
    block_on(inbox.open(Uuid::from_u128(id), json).unwrap().committed()).unwrap();
}

fn verdict(inbox: &Inbox, id: u128) -> TreeHead {
    let ticket = inbox
        .append(
            &line("verdict", Some(Uuid::from_u128(id))),
            Urgency::Durable,
        )
        .unwrap();
    block_on(ticket.committed()).unwrap()
}

fn close(opened: Opened) {
    let closed = opened
        .journal
        .close(Instant::now() + Duration::from_secs(10));
    assert_eq!(closed, Closed::InOrder);
}

/// What a service writes before it removes everything below a number.
fn pruned_record(first_kept: u64) -> String {
    format!(
        r#"{{"id":"0199aaaa-0000-7000-8000-000000000000","timestamp":"2026-11-20T13:34:01.123456Z","schema":"1.0","service":{{"name":"docs"}},"action":"audit.pruned","outcome":"success","details":{{"first_kept":{{"file":"x","start":{first_kept}}}}}}}"#
    )
}

fn kinds(report: &TrailReport) -> Vec<Kind> {
    report.findings.iter().map(|finding| finding.kind).collect()
}

fn notes(report: &TrailReport) -> Vec<NoteKind> {
    report.notes.iter().map(|note| note.kind).collect()
}
