//! What reading leaves: a record for each reader and filter, not one for each click.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::request::Parts;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::record::{Actor, Record, Target};

/// How long the same reader with the same filter leaves no further record.
pub(super) const WINDOW: Duration = Duration::from_secs(5 * 60);

/// How many readers and filters are remembered; beyond it the oldest are recorded again.
const MAX_REMEMBERED: usize = 10_000;

/// Writes the records of one request.
#[derive(Clone)]
pub(crate) struct Pen {
    /// Who asks, as far as the host knows when the authoriser says no: an address.
    pub(crate) client: String,
    pub(crate) write: Arc<dyn Fn(Record) + Send + Sync>,
}

/// Makes the pen of a request.
pub(crate) type TakePen = Arc<dyn Fn(&Parts) -> Pen + Send + Sync>;

impl Pen {
    /// Hands a record over. What the host's closure panics with is kept here.
    pub(super) fn write(&self, record: Record) {
        if catch_unwind(AssertUnwindSafe(|| (self.write)(record))).is_err() {
            tracing::error!(target: "tower_audit", "the closure that records what is read panicked; the record is lost");
        }
    }
}

impl fmt::Debug for Pen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pen").finish_non_exhaustive()
    }
}

/// What was read.
#[derive(Debug, Clone)]
pub(super) struct Read {
    /// The kind of page: `table`, `record`, `actor`, `live`, `facets` …
    pub(super) page: &'static str,
    /// The filter as parameters.
    pub(super) filter: Vec<(String, String)>,
    /// The record that was opened.
    pub(super) record: Option<String>,
    /// How many records were shown.
    pub(super) records: Option<usize>,
}

impl Read {
    pub(super) const fn of(page: &'static str) -> Self {
        Self {
            page,
            filter: Vec::new(),
            record: None,
            records: None,
        }
    }

    fn record(&self, actor: &Actor) -> Record {
        let mut record = Record::new("audit.read")
            .actor(actor.clone())
            .detail("page", self.page)
            .success();
        if let Some(id) = &self.record {
            record = record.target(Target::new("audit_record", id.as_str()));
        } else {
            record = record.detail("filter", filter_value(&self.filter));
        }
        record.detail("records", self.records)
    }
}

/// A filter as a record has it.
pub(super) fn filter_value(filter: &[(String, String)]) -> Value {
    let pairs = filter.iter().cloned();
    Value::Object(
        pairs
            .map(|(name, value)| (name, value.into()))
            .collect::<Map<_, _>>(),
    )
}

/// What makes two readers the same: kind and id, and for whom they act. What else is said of them may
/// differ from session to session, and is masked in records.
pub(super) fn reader_key(actor: &Actor) -> String {
    let mut key = match &actor.id {
        Some(id) => format!("{} {}", actor.kind, id.as_str()),
        // All that the host says; two that it does not tell apart are one.
        None => serde_json::to_string(actor).unwrap_or_default(),
    };
    if let Some(other) = &actor.on_behalf_of {
        key.push_str(" for ");
        key.push_str(&reader_key(other));
    }
    key
}

/// What was recorded lately.
#[derive(Debug, Default)]
pub(super) struct Reads {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    last: HashMap<[u8; 32], Instant>,
    /// Oldest first; what was seen again since is in it twice, and the later place counts.
    order: VecDeque<([u8; 32], Instant)>,
}

impl Reads {
    /// Records what was read, unless the same reader did so with the same filter lately.
    pub(super) fn note(&self, pen: &Pen, actor: &Actor, read: &Read) {
        let mut filter = read.filter.clone();
        filter.sort_unstable();
        let mut key = Sha256::new();
        // Each text with its length before it: no two lists are one.
        let reader = reader_key(actor);
        let record = read.record.as_deref().unwrap_or_default();
        let texts = filter.iter().flat_map(|(name, value)| [name, value]);
        let texts = texts.map(String::as_str);
        for text in [reader.as_str(), record].into_iter().chain(texts) {
            key.update(text.len().to_le_bytes());
            key.update(text);
        }
        if self.is_new(key.finalize().into()) {
            pen.write(read.record(actor));
        }
    }

    /// Records that somebody was refused, once in a while for each client.
    pub(super) fn note_denied(&self, pen: &Pen, page: &'static str) {
        let key = Sha256::digest(format!("denied {page} {}", pen.client));
        if self.is_new(key.into()) {
            let record = Record::new("audit.read").detail("page", page);
            pen.write(record.denied("the authoriser of the viewer said no"));
        }
    }

    fn is_new(&self, key: [u8; 32]) -> bool {
        let now = Instant::now();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let last = seen.last.get(&key);
        if last.is_some_and(|last| now.duration_since(*last) < WINDOW) {
            return false;
        }
        seen.last.insert(key, now);
        seen.order.push_back((key, now));
        while seen.order.len() > MAX_REMEMBERED {
            let Some((oldest, at)) = seen.order.pop_front() else {
                break;
            };
            if seen.last.get(&oldest) == Some(&at) {
                seen.last.remove(&oldest);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pen() -> (Pen, Arc<Mutex<Vec<Record>>>) {
        let written = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&written);
        let write = move |record| kept.lock().unwrap().push(record);
        let pen = Pen {
            client: String::new(),
            write: Arc::new(write),
        };
        (pen, written)
    }

    fn read(filter: &[(&str, &str)], record: Option<&str>) -> Read {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Read {
            filter: filter.iter().map(own).collect(),
            record: record.map(str::to_owned),
            ..Read::of("table")
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_and_a_filter_are_recorded_once_in_five_minutes() {
        let (pen, written) = pen();
        let (reads, alice, bob) = (Reads::default(), Actor::user("a"), Actor::user("b"));
        let filter = read(&[("actor", "7"), ("q", "x")], None);
        let turned = read(&[("q", "x"), ("actor", "7")], None);
        for (actor, read) in [(&alice, &filter), (&alice, &turned), (&bob, &filter)] {
            reads.note(&pen, actor, read);
        }
        assert_eq!(written.lock().unwrap().len(), 2);
        for other in [
            read(&[("actor", "7x"), ("q", "")], None),
            read(&[], Some("actor")),
            read(&[], None),
        ] {
            reads.note(&pen, &alice, &other);
        }
        assert_eq!(written.lock().unwrap().len(), 5);
        tokio::time::advance(WINDOW).await;
        reads.note(&pen, &alice, &filter);
        assert_eq!(written.lock().unwrap().len(), 6);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_a_flood_of_filters_is_recorded() {
        let (pen, written) = pen();
        let (reads, alice) = (Reads::default(), Actor::user("a"));
        for n in 0..=MAX_REMEMBERED {
            reads.note(&pen, &alice, &read(&[("q", &n.to_string())], None));
        }
        assert_eq!(reads.seen.lock().unwrap().last.len(), MAX_REMEMBERED);
        // The first was forgotten; the last was not.
        for (n, expected) in [(MAX_REMEMBERED, 0), (0, 1)] {
            let before = written.lock().unwrap().len();
            reads.note(&pen, &alice, &read(&[("q", &n.to_string())], None));
            assert_eq!(written.lock().unwrap().len(), before + expected);
        }
    }

    #[test]
    fn a_reader_is_known_again_whatever_else_is_said_of_it() {
        let plain = Actor::user("7");
        let more = Actor::user("7").email("a@b").credential("session", "s1");
        assert_eq!(reader_key(&plain), reader_key(&more));
        for other in [
            Actor::user("8"),
            Actor::service("7"),
            Actor::user("7").on_behalf_of(Actor::user("8")),
            Actor::unknown(),
        ] {
            assert_ne!(reader_key(&plain), reader_key(&other), "{other:?}");
        }
    }

    #[test]
    fn a_closure_that_panics_does_not_end_the_answer() {
        let pen = Pen {
            client: String::new(),
            write: Arc::new(|_| panic!("the host's closure")),
        };
        Reads::default().note(&pen, &Actor::user("a"), &read(&[], None));
    }
}
