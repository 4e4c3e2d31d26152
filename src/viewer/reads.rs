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

use super::access::Reader;
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

    /// What was learnt of it. Who asked for numbers first has not seen the records yet.
    fn kind(&self) -> &'static str {
        match self.page {
            "table" | "actor" | "live" | "api/records" => "records",
            "record" | "api/record" => "record",
            "destinations" => "destinations",
            _ => "numbers",
        }
    }

    fn record(&self, reader: &Reader) -> Record {
        let record = Record::new("audit.read").detail("page", self.page);
        let mut record = by(record, reader).success();
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

/// A record with who reads, and within what: without it nobody could tell how much was seen.
pub(super) fn by(record: Record, reader: &Reader) -> Record {
    let record = record.actor(reader.actor.clone());
    if reader.reach.is_everything() {
        return record;
    }
    let said = reader.reach.said().into_iter();
    let said = said.map(|(name, id)| (name.to_owned(), id.into()));
    record.detail("within", Value::Object(said.collect()))
}

/// What makes two actors the same: kind and id, and for whom they act. What else is said of them may
/// differ from session to session, and is masked in records.
pub(super) fn actor_key(actor: &Actor) -> String {
    let mut parts = match &actor.id {
        Some(id) => vec![actor.kind.to_string(), id.as_str().to_owned()],
        // All that the host says; two that it does not tell apart are one.
        None => vec![serde_json::to_string(actor).unwrap_or_default()],
    };
    parts.extend(actor.on_behalf_of.as_deref().map(actor_key));
    joined(parts.iter().map(String::as_str))
}

/// What makes two readers the same: the actor, and what it may read. User 1 of one tenant is not user
/// 1 of another.
pub(super) fn reader_key(reader: &Reader) -> String {
    let actor = actor_key(&reader.actor);
    let said = reader.reach.said();
    let said = said.iter().flat_map(|(name, id)| [*name, *id]);
    joined(std::iter::once(actor.as_str()).chain(said))
}

/// Each text with its length before it: no two lists are one.
fn joined<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    texts.fold(String::new(), |joined, text| {
        format!("{joined}{}:{text}", text.len())
    })
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
    pub(super) fn note(&self, pen: &Pen, reader: &Reader, read: &Read) {
        let mut filter = read.filter.clone();
        filter.sort_unstable();
        let who = reader_key(reader);
        let record = read.record.as_deref().unwrap_or_default();
        let texts = filter.iter().flat_map(|(name, value)| [name, value]);
        let texts = texts.map(String::as_str);
        let key = [who.as_str(), read.kind(), record].into_iter().chain(texts);
        if self.is_new(Sha256::digest(joined(key)).into()) {
            pen.write(read.record(reader));
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
    use crate::store::Reach;

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

    fn user(id: &str) -> Reader {
        Reader {
            actor: Actor::user(id),
            reach: Reach::default(),
        }
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
        let (reads, alice, bob) = (Reads::default(), user("a"), user("b"));
        let filter = read(&[("actor", "7"), ("q", "x")], None);
        let turned = read(&[("q", "x"), ("actor", "7")], None);
        for (reader, read) in [(&alice, &filter), (&alice, &turned), (&bob, &filter)] {
            reads.note(&pen, reader, read);
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
        let (reads, alice) = (Reads::default(), user("a"));
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
        assert_eq!(actor_key(&plain), actor_key(&more));
        for other in [
            Actor::user("8"),
            Actor::service("7"),
            Actor::user("7").on_behalf_of(Actor::user("8")),
            Actor::unknown(),
        ] {
            assert_ne!(actor_key(&plain), actor_key(&other), "{other:?}");
        }
    }

    #[test]
    fn who_may_read_something_else_is_another_reader_whatever_an_id_holds() {
        let of = |actor: Actor, reach: Reach| reader_key(&Reader { actor, reach });
        let plain = of(Actor::user("1"), Reach::default());
        let keys = [
            plain.clone(),
            of(Actor::user("1"), Reach::tenant("A")),
            of(Actor::user("1"), Reach::tenant("B")),
            of(Actor::user("1"), Reach::application("A")),
            of(Actor::user("1"), Reach::tenant("A").and(Reach::tenant("B"))),
            of(
                Actor::user("1").on_behalf_of(Actor::user("2")),
                Reach::default(),
            ),
            of(Actor::user("1 for user 2"), Reach::default()),
            of(Actor::user("16:tenant1:A"), Reach::default()),
        ];
        let different: std::collections::HashSet<_> = keys.iter().collect();
        assert_eq!(different.len(), keys.len(), "{keys:?}");
        assert_eq!(plain, of(Actor::user("1").name("One"), Reach::default()));
    }

    #[test]
    fn numbers_that_were_asked_for_first_do_not_hide_the_reading() {
        let (pen, written) = pen();
        let (reads, alice) = (Reads::default(), user("a"));
        let range = || vec![("range".to_owned(), "all".to_owned())];
        for page in [
            "api/facets",
            "api/count",
            "table",
            "live",
            "record",
            "destinations",
        ] {
            let read = Read {
                filter: range(),
                ..Read::of(page)
            };
            reads.note(&pen, &alice, &read);
        }
        let written = written.lock().unwrap();
        let pages: Vec<_> = written
            .iter()
            .map(|record| &record.details["page"])
            .collect();
        assert_eq!(pages, ["api/facets", "table", "record", "destinations"]);
    }

    #[test]
    fn a_closure_that_panics_does_not_end_the_answer() {
        let pen = Pen {
            client: String::new(),
            write: Arc::new(|_| panic!("the host's closure")),
        };
        Reads::default().note(&pen, &user("a"), &read(&[], None));
    }
}
