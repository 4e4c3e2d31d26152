//! Holds: what nobody's policy removes, and whether a record is among it.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

use super::RetentionError;
use crate::{
    clock::{RecordId, Timestamp},
    record::{Record, Target},
    sql::rows::{Party, Row, Text},
    store::{NAMES, Query},
};

/// Which records a hold keeps: all that match every parameter. Without any, all.
///
/// The parameters are those of a search, as [`Query::from_params`] reads them, without those of
/// pages: `action`, `category`, `actor`, `actor_type`, `target`, `outcome`, `ip`, `session`,
/// `request`, `tenant`, `application`, `service`, `q`, `from` (inclusive), `to` (exclusive).
///
/// In doubt a record matches: a text is looked for in all of a record.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Filter(BTreeMap<String, String>);

/// Parameters of a query that say which page is wanted, or how far back, not which records.
const OF_PAGES: [&str; 5] = ["range", "reads", "before", "after", "limit"];

/// The parameters of a [`Filter`]: those of a query that say which records.
fn names() -> impl Iterator<Item = &'static str> {
    let is_filter = |name: &&str| !OF_PAGES.contains(name);
    NAMES.into_iter().filter(is_filter)
}

/// Records that are kept until somebody releases them, whatever any policy says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Hold {
    /// Its id.
    pub id: String,
    /// Which records; `None`: a newer version wrote it in words that this one does not know, and
    /// everything is kept.
    pub filter: Option<Filter>,
    /// The filter as it is stored: a JSON object.
    pub stored_filter: String,
    /// Why.
    pub reason: String,
    /// Who placed it.
    pub by: String,
    /// When.
    pub since: Timestamp,
    /// When it was released; nothing is held by it from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub released: Option<Timestamp>,
    /// Who released it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub released_by: Option<String>,
}

impl Filter {
    /// Reads parameters; an empty value is none. Times such as `7d` are counted from `now`.
    ///
    /// # Errors
    ///
    /// [`RetentionError::Filter`] names what is unknown, given twice, malformed or too long.
    pub fn new<N: AsRef<str>, V: Into<String>>(
        parameters: impl IntoIterator<Item = (N, V)>,
        now: Timestamp,
    ) -> Result<Self, RetentionError> {
        let mut given = vec![("range".to_owned(), "all".to_owned())];
        for (name, value) in parameters {
            let name = name.as_ref();
            if !names().any(|known| known == name) {
                return Err(RetentionError::Filter {
                    parameter: crate::text::clean(name, 64).0.into_owned(),
                    reason: format!(
                        "unknown parameter; expected one of: {}",
                        names().collect::<Vec<_>>().join(", ")
                    ),
                });
            }
            given.push((name.to_owned(), value.into()));
        }
        let query = Query::from_params(given, now).map_err(|error| RetentionError::Filter {
            parameter: error.parameter,
            reason: error.reason,
        })?;
        Ok(Self::of(&query))
    }

    /// What a query finds, on all of its pages and whoever asks.
    #[must_use]
    pub fn of(query: &Query) -> Self {
        let parameters = query.params().into_iter();
        let wanted = parameters.filter(|(name, _)| !OF_PAGES.contains(name));
        Self(
            wanted
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        )
    }

    /// Its parameters, in the order of their names.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The canonical form: a JSON object with its parameters in the order of their names.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    fn from_json(text: &str) -> Option<Self> {
        let parameters: BTreeMap<String, String> = serde_json::from_str(text).ok()?;
        // Times were counted when it was placed; what is not one of its words is not understood.
        Self::new(parameters, Timestamp::from_micros(0)).ok()
    }

    /// The time range that it can match in; without ends where it has none.
    pub(super) fn range(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        let time = |name| self.0.get(name).and_then(|text| text.parse().ok());
        (time("from"), time("to"))
    }

    /// Whether a record is held. In doubt, it is.
    pub(super) fn holds(&self, json: &str) -> bool {
        let Ok(row) = Row::new(0, &[0; 32], json) else {
            return true;
        };
        self.parameters()
            .all(|(name, value)| matches(name, value, &row))
    }
}

/// Whether one parameter matches a record.
fn matches(name: &str, value: &str, row: &Row<'_>) -> bool {
    let columns = &row.columns;
    let is = |text: Option<&Text<'_>>| text.is_some_and(|text| text.0 == value);
    let actor = columns.actor.as_ref();
    let context = columns.context.as_ref();
    let id = |party: &Option<Party<'_>>| is(party.as_ref().and_then(|party| party.id.as_ref()));
    match name {
        "action" => match value.strip_suffix('*') {
            Some(prefix) => columns.action.0.starts_with(prefix),
            None => columns.action.0 == value,
        },
        "category" => is(columns.category.as_ref()),
        "outcome" => is(columns.outcome.as_ref()),
        "actor" => is(actor.and_then(|actor| actor.id.as_ref())),
        "actor_type" => is(actor.and_then(|actor| actor.kind.as_ref())),
        "tenant" => id(&columns.tenant),
        "application" => id(&columns.application),
        "service" => is(columns
            .service
            .as_ref()
            .and_then(|service| service.name.as_ref())),
        "ip" => is(context.and_then(|context| context.ip_address.as_ref())),
        "session" => is(context.and_then(|context| context.session_id.as_ref())),
        "request" => is(context.and_then(|context| context.request_id.as_ref())),
        "target" => columns
            .targets
            .iter()
            .any(|target| is_target(target, value)),
        "q" => holds_text(row.json, value),
        // A bound that cannot be read is none: what it leaves in stays.
        "from" => value.parse().map_or(true, |from| span(row).1 >= from),
        "to" => value.parse().map_or(true, |to: Timestamp| span(row).0 < to),
        _ => true,
    }
}

/// A record's two times, its time stamp and that of its id, the earlier one first.
fn span(row: &Row<'_>) -> (Timestamp, Timestamp) {
    let id: Timestamp = RecordId::timestamp(row.id);
    (row.timestamp.min(id), row.timestamp.max(id))
}

/// A target as a query says it; an id that could be taken for a type and an id is held as both.
fn is_target(target: &Party<'_>, value: &str) -> bool {
    let text = |text: &Option<Text<'_>>| {
        text.as_ref()
            .map_or(String::new(), |text| text.0.to_string())
    };
    let (kind, id) = (text(&target.kind), text(&target.id));
    let said = |query: Query| {
        let mut parameters = query.params().into_iter();
        parameters.any(|(name, said)| name == "target" && said == value)
    };
    id == value
        || said(Query::new().target_type(&kind).target(&id))
        || said(Query::new().target_type(&kind))
        || said(Query::new().target(&id))
}

/// Whether a text stands in any of a record's texts, or in the name of a field, in any case.
fn holds_text(json: &str, text: &str) -> bool {
    fn within(value: &serde_json::Value, text: &str) -> bool {
        match value {
            serde_json::Value::String(value) => value.to_lowercase().contains(text),
            serde_json::Value::Array(values) => values.iter().any(|value| within(value, text)),
            serde_json::Value::Object(fields) => fields
                .iter()
                .any(|(name, value)| name.to_lowercase().contains(text) || within(value, text)),
            other => other.to_string().contains(text),
        }
    }
    let text = text.to_lowercase();
    // As it is written, escapes and all, counts too.
    json.to_lowercase().contains(&text)
        || serde_json::from_str(json).map_or(true, |value| within(&value, &text))
}

impl Hold {
    pub(super) fn new(
        id: String,
        filter: &Filter,
        reason: String,
        by: String,
        since: Timestamp,
    ) -> Self {
        Self {
            id,
            stored_filter: filter.to_json(),
            filter: Some(filter.clone()),
            reason,
            by,
            since,
            released: None,
            released_by: None,
        }
    }

    /// `audit.hold`, or `audit.release` when it was released.
    #[must_use]
    pub fn record(&self) -> Record {
        let (action, by) = match &self.released_by {
            Some(by) => ("audit.release", by),
            None => ("audit.hold", &self.by),
        };
        let filter = serde_json::from_str::<serde_json::Value>(&self.stored_filter).ok();
        let record = Record::new(action).actor(super::report::who(by));
        let record = record.target(Target::new("hold", self.id.clone()));
        record
            .detail("filter", filter)
            .detail("hold_reason", &self.reason)
            .success()
    }

    /// One that a store has, with this filter.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn played(stored_filter: String) -> Self {
        let mut hold = Self {
            id: "1".to_owned(),
            stored_filter,
            filter: None,
            reason: "case 7".to_owned(),
            by: "ann".to_owned(),
            since: Timestamp::MIN,
            released: None,
            released_by: None,
        };
        hold.read_filter();
        hold
    }

    /// Reads a filter as it is stored.
    pub(super) fn read_filter(&mut self) {
        self.filter = Filter::from_json(&self.stored_filter);
    }

    /// Whether it keeps a record. In doubt, it does.
    pub(crate) fn keeps(&self, json: &str) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.holds(json))
    }

    /// Whether it may keep something that happened between two times, both inclusive.
    pub(crate) fn may_keep(&self, first: Timestamp, last: Timestamp) -> bool {
        let (from, to) = self.filter.as_ref().map_or((None, None), Filter::range);
        from.is_none_or(|from| last >= from) && to.is_none_or(|to| first < to)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("everything");
        }
        for (place, (name, value)) in self.parameters().enumerate() {
            let and = if place > 0 { " " } else { "" };
            write!(f, "{and}{name}={value:?}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_795_219_200_000_000);

    const RECORD: &str = r#"{"id":"01a1f929-fda3-774b-8000-000000000001",
        "timestamp":"2026-11-20T13:34:01.123456Z","action":"document.create","category":"document",
        "outcome":"success","service":{"name":"docs"},"actor":{"type":"user","id":"146","name":"Toast"},
        "targets":[{"type":"document","id":"a:b"},{"type":"folder","id":"7"}],
        "tenant":{"id":"42"},"context":{"ip_address":"10.0.0.1","request_id":"r1"},
        "details":{"note":"Straße \u00e9t\u00e9","n":4711}}"#;

    fn filter(pairs: &[(&str, &str)]) -> Filter {
        Filter::new(pairs.iter().copied(), NOW).unwrap()
    }

    #[test]
    fn a_record_is_held_when_every_parameter_matches() {
        let cases: [(&[(&str, &str)], bool); 29] = [
            (&[], true),
            (&[("action", "document.create")], true),
            (&[("action", "document.*")], true),
            (&[("action", "doc.*")], false),
            (&[("category", "document"), ("outcome", "success")], true),
            (&[("category", "document"), ("outcome", "denied")], false),
            (&[("actor", "146"), ("actor_type", "user")], true),
            (&[("actor", "Toast")], false),
            (&[("target", "a:b")], true),
            (&[("target", "document:a:b")], true),
            (&[("target", "document:*")], true),
            (&[("target", "folder:a:b")], false),
            (&[("target", "*:a:b")], true),
            (&[("target", "7")], true),
            (&[("target", "8")], false),
            (&[("tenant", "42"), ("service", "docs")], true),
            (&[("application", "web")], false),
            (&[("ip", "10.0.0.1"), ("request", "r1")], true),
            (&[("session", "hmac-sha256:k1:9f")], false),
            (&[("q", "TOAST")], true),
            (&[("q", "\u{e9}t\u{e9}")], true),
            (&[("q", "stra\u{df}e")], true),
            (&[("q", "4711")], true),
            (&[("q", "nothing of it")], false),
            (&[("from", "2026-11-20T13:34:01.123456Z")], true),
            (&[("from", "2026-11-20T13:34:02Z")], false),
            (&[("to", "2026-11-20T13:34:01.123456Z")], false),
            (&[("to", "2026-11-20T13:34:01.123457Z")], true),
            (&[("from", "1d")], true),
        ];
        for (pairs, expected) in cases {
            assert_eq!(filter(pairs).holds(RECORD), expected, "{pairs:?}");
        }
        assert!(filter(&[("actor", "7")]).holds("no record at all"));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_and_what_is_not_understood_holds_everything() {
        for (name, value, expected) in [
            ("actro", "1", "unknown parameter"),
            ("limit", "1", "unknown parameter"),
            ("from", "yesterday", "2026-11-20T13:34:01Z"),
            ("outcome", "good", "write success"),
            ("action", "user*", "(user.login)"),
            ("q", &"x".repeat(1025), "longer than 1024"),
        ] {
            let error = Filter::new([(name, value)], NOW).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains(name), "{error}");
        }
        let twice = Filter::new([("actor", "1"), ("actor", "2")], NOW).unwrap_err();
        assert!(twice.to_string().contains("twice"), "{twice}");
        assert_eq!(filter(&[("actor", "")]), Filter::default());
        let json = filter(&[("q", "a\"b"), ("actor", "1")]).to_json();
        assert_eq!(json, r#"{"actor":"1","q":"a\"b"}"#);
        let mut hold = Hold::new(
            "1".into(),
            &filter(&[("actor", "no")]),
            String::new(),
            String::new(),
            Timestamp::from_micros(0),
        );
        assert!(!hold.keeps(RECORD));
        hold.stored_filter = r#"{"mood":"odd"}"#.into();
        hold.read_filter();
        assert!(hold.keeps(RECORD));
    }

    #[test]
    fn a_range_that_does_not_touch_a_hold_may_go() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let june = filter(&[
            ("from", "2026-06-01T00:00:00Z"),
            ("to", "2026-07-01T00:00:00Z"),
        ]);
        let since = at("2026-07-01T00:00:00Z");
        let hold = Hold::new("1".into(), &june, String::new(), String::new(), since);
        let (may, june_end) = (at("2026-05-01T00:00:00Z"), at("2026-06-30T23:59:59Z"));
        assert!(hold.may_keep(may, june_end));
        assert!(!hold.may_keep(may, at("2026-05-31T23:59:59Z")));
        assert!(!hold.may_keep(since, at("2026-08-01T00:00:00Z")));
    }
}
