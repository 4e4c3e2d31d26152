//! What is recorded of a read, and what makes two of them, or two readers, the same.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use http::request::Parts;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::access::Reader;
use crate::record::{Actor, Record, Target};

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
    /// How many others came with the record that was opened.
    pub(super) others: Option<usize>,
    /// The arrival behind which it was followed, by the name of its parameter.
    pub(super) behind: Option<(&'static str, u64)>,
}

impl Read {
    pub(super) const fn of(page: &'static str) -> Self {
        Self {
            page,
            filter: Vec::new(),
            record: None,
            records: None,
            others: None,
            behind: None,
        }
    }

    /// What makes it the same as another one. From where it was followed does not: that goes on with
    /// each page.
    pub(super) fn key(&self, reader: &Reader) -> [u8; 32] {
        let mut filter = self.filter.clone();
        filter.sort_unstable();
        let who = reader_key(reader);
        let record = self.record.as_deref().unwrap_or_default();
        let others = self.others.map(|others| others.to_string());
        let others = others.as_deref().unwrap_or_default();
        let texts = filter.iter().flat_map(|(name, value)| [name, value]);
        let texts = texts.map(String::as_str);
        let key = [who.as_str(), self.kind(), record, others].into_iter();
        Sha256::digest(joined(key.chain(texts))).into()
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

    pub(super) fn record(&self, reader: &Reader) -> Record {
        let record = Record::new("audit.read").detail("page", self.page);
        let mut record = by(record, reader).success();
        if let Some(id) = &self.record {
            record = record.target(Target::new("audit_record", id.as_str()));
        } else {
            let mut filter = self.filter.clone();
            let behind = self.behind.iter();
            filter.extend(behind.map(|(name, arrival)| ((*name).to_owned(), arrival.to_string())));
            record = record.detail("filter", filter_value(&filter));
        }
        record
            .detail("records", self.records)
            .detail("others", self.others)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Reach;

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
}
