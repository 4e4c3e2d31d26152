//! What the tests draw.

use jiff::tz::TimeZone;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    clock::{RecordId, Timestamp},
    evidence::leaf_hash,
    record::Actor,
    store::{Bar, Choices, Field, Histogram, Stored},
    viewer::{
        model::{Entry, Search, Table, View, ZoneFrom},
        words::{Words, pick},
    },
};

/// 2026-11-20T13:40:00Z.
pub(super) const NOW: Timestamp = Timestamp::from_micros(1_795_182_000_000_000);

/// What a [`View`] borrows.
pub(super) struct Stage {
    pub(super) words: &'static Words,
    pub(super) zone: TimeZone,
    pub(super) reader: Actor,
    pub(super) path: String,
    pub(super) title: String,
    pub(super) pairs: Vec<(String, String)>,
    pub(super) kept: Vec<(&'static str, String)>,
}

impl Stage {
    pub(super) fn new(path: &str) -> Self {
        Self {
            words: pick(None, None, None),
            zone: TimeZone::UTC,
            reader: Actor::user("1").name("Ada Auditor"),
            path: path.to_owned(),
            title: "Docs".to_owned(),
            pairs: Vec::new(),
            kept: Vec::new(),
        }
    }

    pub(super) fn lang(mut self, code: &str) -> Self {
        self.words = pick(Some(code), None, None);
        self
    }

    pub(super) fn view(&self) -> View<'_> {
        View {
            base: "/audit",
            title: &self.title,
            words: self.words,
            zone: &self.zone,
            zone_from: ZoneFrom::Default,
            now: NOW,
            reader: Some(&self.reader),
            sign_in: Some("/login"),
            has_destinations: true,
            path: &self.path,
            pairs: &self.pairs,
            kept: &self.kept,
        }
    }
}

/// A search with these filters in the last seven days.
pub(super) fn search(filters: &[(&'static str, &str)]) -> Search {
    Search {
        filters: filters
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect(),
        range: "7d".to_owned(),
        from: Some(Timestamp::from_micros(NOW.as_micros() - 7 * 86_400_000_000)),
        to: Some(NOW),
        ..Search::default()
    }
}

pub(super) fn table<'a>(
    search: &'a Search,
    entries: &'a [Entry],
    choices: &'a [(Field, Choices)],
) -> Table<'a> {
    Table {
        search,
        entries,
        older: None,
        newer: None,
        searched_until: None,
        choices,
        count: None,
        arrival: 4711,
    }
}

/// The row of a record, so many seconds before now.
pub(super) fn entry(number: u64, seconds_ago: i64, mut record: Value) -> Entry {
    let at = Timestamp::from_micros(NOW.as_micros() - seconds_ago * 1_000_000 + 123_456);
    let id = RecordId::new(at, number);
    record["id"] = json!(id);
    record["timestamp"] = json!(at);
    record["schema"] = json!("1.0");
    row(id, number, &record.to_string())
}

/// A row with any text.
pub(super) fn row(id: RecordId, number: u64, json: &str) -> Entry {
    Entry::new(Stored {
        arrival: number,
        id,
        trail: Uuid::from_u128(0x0199_a1f9_29fd_774b_8000_0000_0000_0001),
        number,
        leaf: leaf_hash(json.as_bytes()),
        received: NOW,
        json: json.into(),
    })
}

/// A record with every field, each of which is this text.
pub(super) fn full_of(text: &str) -> Value {
    let actor = json!({"type":"user","id":text,"name":text,"email":text,"auth_method":text,
        "credential":{"type":text,"id":text}});
    let mut record = json!({
        "service":{"name":text,"version":text,"instance":text},
        "action":"a.b","category":text,"outcome":"denied","reason":text,
        "error":{"type":text,"code":text,"message":text},
        "actor":actor,
        "targets":[{"type":text,"id":text,"name":text},{"type":text},{"type":text,"id":text}],
        "tenant":{"id":text,"name":text,"domain":text},"application":{"id":text,"name":text},
        "context":{"ip_address":text,"peer_address":text,"forwarded":[text, text],"user_agent":text,
            "session_id":text,"previous_session_id":text,"request_id":text,"trace_id":text,
            "span_id":text,"http":{"method":text,"route":text,"status":200},"duration_us":1834},
        "changes":[{"field":text,"previous":text,"current":{"a":[text, null, 1, true]}}],
        "details":{"key":text,"map":{"list":[text]}},
        "truncated":{"details":99},
    });
    record["actor"]["on_behalf_of"] = actor;
    record["details"][text] = json!(text);
    record["truncated"][text] = json!(70_000);
    record["action"] = json!(text);
    record
}

/// Choices for every field, this one among them.
pub(super) fn choices(value: &str) -> Vec<(Field, Choices)> {
    let fields = [
        Field::Action,
        Field::Category,
        Field::Outcome,
        Field::Actor,
        Field::Tenant,
        Field::Application,
        Field::Service,
    ];
    let values = vec![value.to_owned()];
    let choices = Choices {
        values,
        is_complete: true,
    };
    fields.map(|field| (field, choices.clone())).to_vec()
}

/// Three steps of an hour.
pub(super) fn histogram() -> Histogram {
    let hour = 3_600_000_000;
    let start = |index: i64| Timestamp::from_micros(NOW.as_micros() - (3 - index) * hour);
    let bar = |index: i64, outcomes: &[(&str, u64)]| Bar {
        start: start(index),
        end: start(index + 1),
        is_whole: index > 0,
        outcomes: outcomes
            .iter()
            .map(|(word, number)| ((*word).to_owned(), *number))
            .collect(),
    };
    Histogram {
        from: start(0),
        to: NOW,
        step: hour,
        bars: vec![
            bar(0, &[("success", 90), ("denied", 10)]),
            bar(1, &[]),
            bar(2, &[("success", 1400), ("error", 3)]),
        ],
        counted_from: start(0),
    }
}
