//! The JSON API: what programs ask for. `docs/openapi.json` describes it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    access::Reader, answer::Answer, failure::Failure, model, page, reads::Read, search::Asked,
    shared::Shared, steps,
};
use crate::{
    clock::{RecordId, Timestamp},
    store::{Field, Query, StoreError, Stored},
};

/// The parameters of each operation beside those of filters.
#[cfg(test)]
pub(super) const OWN: [(&str, &[&str]); 7] = [
    ("/api/records", &["following"]),
    ("/api/records/{id}", &[]),
    ("/api/facets", &["field", "max"]),
    ("/api/histogram", &["steps", "tz"]),
    ("/api/count", &["max"]),
    ("/api/export", &["format", "columns"]),
    ("/api/openapi.json", &[]),
];

/// Other records of the same request that come with a record.
const MAX_NEIGHBOURS: usize = 100;

/// Choices of one field: unless told otherwise, and at most.
const CHOICES: (u64, u64) = (100, 1000);

/// Steps of a histogram: unless told otherwise, and at most. Unless told otherwise an hour has sixty whole minutes, and
/// one more that is cut.
const STEPS: (u64, u64) = (61, 400);

/// How far is counted: unless told otherwise, and at most.
const COUNT: (u64, u64) = (10_000, 1_000_000);

/// The fields whose values are offered, with their parameters' names.
pub(super) const FIELDS: [(&str, Field); 7] = [
    ("action", Field::Action),
    ("category", Field::Category),
    ("outcome", Field::Outcome),
    ("actor", Field::Actor),
    ("tenant", Field::Tenant),
    ("application", Field::Application),
    ("service", Field::Service),
];

/// A record as the API gives it: `record` is its stored text, byte for byte.
#[derive(Debug, Serialize)]
struct Entry<'a> {
    arrival: u64,
    id: String,
    trail: String,
    number: u64,
    leaf: String,
    received: Timestamp,
    /// The stored text does not hash to the leaf: somebody changed the row.
    altered: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<&'a RawValue>,
    /// In place of `record`, where the text is no JSON: somebody changed the row.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
}

impl<'a> Entry<'a> {
    fn new(stored: &'a Stored) -> Self {
        let record: Option<&RawValue> = serde_json::from_str(&stored.json).ok();
        Self {
            arrival: stored.arrival,
            id: stored.id.to_string(),
            trail: stored.trail.to_string(),
            number: stored.number,
            leaf: stored.leaf.to_string(),
            received: stored.received,
            altered: model::is_altered(stored),
            text: record.is_none().then_some(&*stored.json),
            record,
        }
    }
}

fn entries(records: &[Stored]) -> Vec<Entry<'_>> {
    records.iter().map(Entry::new).collect()
}

#[derive(Debug, Serialize)]
struct Page<'a> {
    records: Vec<Entry<'a>>,
    older: Option<RecordId>,
    newer: Option<RecordId>,
    searched_until: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
struct Followed<'a> {
    records: Vec<Entry<'a>>,
    next: u64,
}

#[derive(Debug, Serialize)]
struct Detail<'a> {
    #[serde(flatten)]
    entry: Entry<'a>,
    same_request: Vec<Entry<'a>>,
    same_request_is_complete: bool,
}

#[derive(Debug, Serialize)]
struct Facets {
    facets: Vec<Facet>,
}

#[derive(Debug, Serialize)]
struct Facet {
    field: &'static str,
    values: Vec<String>,
    is_complete: bool,
}

#[derive(Debug, Serialize)]
struct Bars<'a> {
    from: Timestamp,
    to: Timestamp,
    step_us: i64,
    counted_from: Timestamp,
    bars: Vec<Bar<'a>>,
}

#[derive(Debug, Serialize)]
struct Bar<'a> {
    start: Timestamp,
    end: Timestamp,
    is_whole: bool,
    outcomes: BTreeMap<&'a str, u64>,
}

#[derive(Debug, Serialize)]
struct Counted {
    records: u64,
    is_exact: bool,
}

/// An answer, and what was read by it.
pub(super) type Told = (Answer, Read);

/// `/api/records`: a page, newest first, or what arrived behind `following`.
pub(super) async fn records(
    shared: &Shared,
    reader: &Reader,
    mut asked: Asked,
) -> Result<Told, Failure> {
    let following = asked.number("following", (0, u64::MAX))?;
    let search = asked.search(shared.clock.now(), None)?;
    let query = search.query.clone().within(reader.reach.clone());
    let mut read = Read::of("api/records");
    read.filter = search.filter();
    read.behind = following.map(|after| ("following", after));
    let answer = if let Some(after) = following {
        if let Some(name) = paged(&search.query) {
            let reason = "it has no part in following; leave it out";
            return Err(Failure::parameter(name, reason));
        }
        let arrivals = match shared.store.follow(&query, after).await {
            Err(StoreError::Ahead { last, .. }) => return Err(ahead(last)),
            arrivals => arrivals?,
        };
        read.records = Some(arrivals.records.len());
        Answer::json(&Followed {
            records: entries(&arrivals.records),
            next: arrivals.next,
        })?
    } else {
        let page = shared.store.browse(&query).await?;
        read.records = Some(page.records.len());
        Answer::json(&Page {
            records: entries(&page.records),
            older: page.older,
            newer: page.newer,
            searched_until: page.searched_until,
        })?
    };
    Ok((answer, read))
}

/// Nothing can have arrived there: an empty list would come for ever.
fn ahead(last: u64) -> Failure {
    let reason = format!(
        "the store has only come to {last}: it was restored from a backup, or is another one; go on \
         from {last}, or begin with 0"
    );
    Failure::parameter("following", reason)
}

/// A parameter that says where a page begins, if there is one.
fn paged(query: &Query) -> Option<&'static str> {
    let params = query.params();
    let mut names = params.iter().map(|(name, _)| *name);
    names.find(|name| matches!(*name, "before" | "after"))
}

/// `/api/records/{id}`.
pub(super) async fn record(
    shared: &Shared,
    reader: &Reader,
    id: &str,
    asked: Asked,
) -> Result<Told, Failure> {
    asked.end()?;
    let (stored, same) = opened(shared, reader, id).await?;
    let detail = Detail {
        entry: Entry::new(&stored),
        same_request: entries(&same.records),
        same_request_is_complete: same.is_complete,
    };
    let mut read = Read::of("api/record");
    read.record = Some(stored.id.to_string());
    read.others = Some(same.records.len());
    Ok((Answer::json(&detail)?, read))
}

/// Other records of the request that a record belongs to.
#[derive(Debug)]
pub(super) struct SameRequest {
    pub(super) records: Vec<Stored>,
    pub(super) is_complete: bool,
}

/// A record by its id, as an address has it, and its neighbours. What is out of reach is not there.
pub(super) async fn opened(
    shared: &Shared,
    reader: &Reader,
    id: &str,
) -> Result<(Stored, SameRequest), Failure> {
    let parsed: RecordId = id.parse().map_err(|error: crate::clock::RecordIdError| {
        Failure::parameter("id", error.to_string())
    })?;
    let found = shared.store.record(parsed, &reader.reach).await?;
    let stored = found.ok_or(Failure::NotFound)?;
    let record = crate::record::Record::from_json(&*stored.json).ok();
    let request = record.and_then(|record| record.context.request_id);
    let mut same = SameRequest {
        records: Vec::new(),
        is_complete: true,
    };
    if let Some(request) = request {
        let query = Query::new()
            .request(request.as_str())
            .within(reader.reach.clone())
            .limit(MAX_NEIGHBOURS + 1);
        let page = shared.store.browse(&query).await?;
        same.is_complete = page.older.is_none();
        same.records = page.records;
        same.records.retain(|other| other.id != stored.id);
        same.records.truncate(MAX_NEIGHBOURS);
    }
    Ok((stored, same))
}

/// `/api/facets`: the values that a filter can have.
pub(super) async fn facets(
    shared: &Shared,
    reader: &Reader,
    mut asked: Asked,
) -> Result<Told, Failure> {
    let only = asked.take("field")?;
    let max = asked.number("max", (1, CHOICES.1))?.unwrap_or(CHOICES.0);
    asked.end()?;
    let fields = FIELDS.iter().filter(|(name, _)| {
        let only = only.as_deref();
        only.is_none_or(|only| only == *name)
    });
    let mut facets = Vec::new();
    for (name, field) in fields {
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        let choices = shared.store.choices(*field, &reader.reach, max).await?;
        facets.push(Facet {
            field: name,
            values: choices.values,
            is_complete: choices.is_complete,
        });
    }
    if facets.is_empty() {
        let names = FIELDS.map(|(name, _)| name).join(", ");
        return Err(Failure::parameter("field", format!("write one of {names}")));
    }
    let mut read = Read::of("api/facets");
    read.filter = vec![("range".to_owned(), "all".to_owned())];
    Ok((Answer::json(&Facets { facets })?, read))
}

/// `/api/histogram`: how many records there were when, by outcome.
pub(super) async fn histogram(
    shared: &Shared,
    reader: &Reader,
    mut asked: Asked,
) -> Result<Told, Failure> {
    let steps = asked.number("steps", (1, STEPS.1))?.unwrap_or(STEPS.0);
    let tz = asked.take("tz")?;
    let zone = page::zone(tz.as_deref(), None);
    let (zone, _) = zone.ok_or_else(Failure::no_such_zone)?;
    let search = asked.search(shared.clock.now(), None)?;
    let query = search.query.clone().within(reader.reach.clone());
    let steps = usize::try_from(steps).unwrap_or(usize::MAX);
    let cut = |extent| steps::round(extent, steps, &zone);
    let found = shared.store.histogram_in(&query, cut).await?;
    let bars = found.bars.iter().map(|bar| Bar {
        start: bar.start,
        end: bar.end,
        is_whole: bar.is_whole,
        outcomes: bar
            .outcomes
            .iter()
            .map(|(word, number)| (word.as_str(), *number))
            .collect(),
    });
    let answer = Answer::json(&Bars {
        from: found.from,
        to: found.to,
        step_us: found.step,
        counted_from: found.counted_from,
        bars: bars.collect(),
    })?;
    let mut read = Read::of("api/histogram");
    read.filter = search.filter();
    Ok((answer, read))
}

/// `/api/count`: how many records match.
pub(super) async fn count(
    shared: &Shared,
    reader: &Reader,
    mut asked: Asked,
) -> Result<Told, Failure> {
    let max = asked.number("max", (1, COUNT.1))?.unwrap_or(COUNT.0);
    let search = asked.search(shared.clock.now(), None)?;
    let query = search.query.clone().within(reader.reach.clone());
    let found = shared.store.count(&query, max).await?;
    let answer = Answer::json(&Counted {
        records: found.records,
        is_exact: found.is_exact,
    })?;
    let mut read = Read::of("api/count");
    read.filter = search.filter();
    Ok((answer, read))
}
