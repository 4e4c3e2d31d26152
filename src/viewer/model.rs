//! What a page is made of: filled by the service, drawn by `page`, which asks nobody for anything.

use crate::{
    clock::{RecordId, Timestamp},
    evidence::leaf_hash,
    record::{Actor, Record},
    store::{Choices, Count, Field, Query, Stored},
    viewer::{destination::Destination, words::Words},
};

/// What is the same for every page of one answer.
#[derive(Debug)]
pub(super) struct View<'a> {
    /// What all addresses begin with, as the browser sees it; without a slash at its end.
    pub(super) base: &'a str,
    /// The name of the service.
    pub(super) title: &'a str,
    /// The language's texts: `words::pick`.
    pub(super) words: &'static Words,
    /// The zone that times are shown in: `page::zone`.
    pub(super) zone: &'a jiff::tz::TimeZone,
    /// Where the zone comes from.
    pub(super) zone_from: ZoneFrom,
    /// The time of the request.
    pub(super) now: Timestamp,
    /// Who reads; nobody on a page that was refused.
    pub(super) reader: Option<&'a Actor>,
    /// Where to sign in, if the host said so.
    pub(super) sign_in: Option<&'a str>,
    /// Whether there are destinations to show.
    pub(super) has_destinations: bool,
    /// The path of this page below `base`, as it stands in the address: `/`, `/actors/146`.
    pub(super) path: &'a str,
    /// The parameters of this page's address as they were given, decoded, without `lang` and `tz`;
    /// the switches of language and zone keep them.
    pub(super) pairs: &'a [(String, String)],
    /// `lang` and `tz` as the address of this page has them; every link of the page carries them on.
    /// Empty when a cookie or the browser decided.
    pub(super) kept: &'a [(&'static str, String)],
}

/// Where the zone of a [`View`] comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ZoneFrom {
    /// `tz` of the address: the script leaves it alone.
    Address,
    /// The cookie that the script set to the browser's zone.
    Cookie,
    /// Nobody said; it is UTC, until the script sets the cookie.
    Default,
}

/// What was asked for, as it stands in the address.
#[derive(Debug, Clone, Default)]
pub(super) struct Search {
    /// The parameters of the address that are filters, in the order of the form; never empty values.
    /// `from` and `to` are among them when `range` is `custom`; `range`, `reads`, `limit`, `before`,
    /// `after`, `live`, `lang` and `tz` never are.
    pub(super) filters: Vec<(&'static str, String)>,
    /// `1h`, `24h`, `7d`, `30d`, `all`, or `custom` with `from` and `to` among the filters.
    pub(super) range: String,
    /// From when on (inclusive), as `filters` and `range` mean it now; none is from the beginning.
    pub(super) from: Option<Timestamp>,
    /// Until when (exclusive); none is without an end.
    pub(super) to: Option<Timestamp>,
    /// Whether reads and exports are shown too.
    pub(super) reads: bool,
    /// Whether the page follows what arrives.
    pub(super) live: bool,
    /// The records of a page, if the address says so.
    pub(super) limit: Option<usize>,
    /// Whether the page goes towards newer records, from `after` on.
    pub(super) is_upwards: bool,
    /// The same as a query.
    pub(super) query: Query,
}

/// A record, and what it was read from.
#[derive(Debug)]
pub(super) struct Entry {
    /// The row of the store.
    pub(super) stored: Stored,
    /// What its text says; none when it is no record as this version reads it. It is shown all the
    /// same, because a row that is left out looks like nothing happened.
    pub(super) record: Option<Record>,
    /// Its text does not hash to its leaf: somebody changed the row. It is shown with a mark, because
    /// without one a change looks like what happened.
    pub(super) is_altered: bool,
}

impl Entry {
    /// Reads the text of a row.
    pub(super) fn new(stored: Stored) -> Self {
        let record = Record::from_json(&*stored.json).ok();
        let is_altered = is_altered(&stored);
        Self {
            stored,
            record,
            is_altered,
        }
    }
}

/// Whether the text of a row is another one than was delivered.
pub(super) fn is_altered(stored: &Stored) -> bool {
    leaf_hash(stored.json.as_bytes()) != stored.leaf
}

/// The table of records.
#[derive(Debug)]
pub(super) struct Table<'a> {
    pub(super) search: &'a Search,
    /// Newest first.
    pub(super) entries: &'a [Entry],
    pub(super) older: Option<RecordId>,
    pub(super) newer: Option<RecordId>,
    /// The search gave up here, before the page was full.
    pub(super) searched_until: Option<Timestamp>,
    /// Choices of the filters; a field that is not here is a plain text field.
    pub(super) choices: &'a [(Field, Choices)],
    /// How many records match in all, if that was counted.
    pub(super) count: Option<Count>,
    /// The last arrival before the table was read; live mode goes on from there: `/live?…&since=`.
    pub(super) arrival: u64,
}

/// One record.
#[derive(Debug)]
pub(super) struct Detail<'a> {
    pub(super) entry: &'a Entry,
    /// Other records of the same request, newest first, bounded.
    pub(super) same_request: &'a [Entry],
    /// Whether `same_request` has them all.
    pub(super) same_request_is_complete: bool,
}

/// The page of one actor: its table. `actor` is among the filters of its search; the counts by
/// outcome come with the histogram.
#[derive(Debug)]
pub(super) struct ActorPage<'a> {
    /// The actor's id, decoded.
    pub(super) id: &'a str,
    pub(super) table: Table<'a>,
}

/// The page of destinations.
#[derive(Debug)]
pub(super) struct Destinations<'a> {
    pub(super) destinations: &'a [Destination],
}

/// The page of exports: those of this reader, newest first.
#[derive(Debug)]
pub(super) struct Exports<'a> {
    pub(super) exports: &'a [PastExport],
}

/// An export that was begun.
#[derive(Debug, Clone)]
pub(super) struct PastExport {
    /// When it was begun.
    pub(super) at: Timestamp,
    /// `csv`, `json` or `jsonl`.
    pub(super) format: &'static str,
    /// The parameters it was asked for with, without `format`.
    pub(super) params: Vec<(String, String)>,
    /// How it stands.
    pub(super) state: ExportState,
    /// The manifest as JSON, once it has ended.
    pub(super) manifest: Option<String>,
}

/// How an export stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ExportState {
    /// So many records were sent until now.
    Running(u64),
    /// All of them, so many, were sent.
    Complete(u64),
    /// It broke off after so many: the reader left, or the store failed.
    Incomplete(u64),
}

/// Why there is no page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure<'a> {
    /// 400: what is wrong with which parameter of the address.
    Parameter { parameter: &'a str, reason: &'a str },
    /// 403: the authoriser says no.
    Denied,
    /// 403: an export that another site asked for.
    CrossSite,
    /// 404: absent, or out of reach.
    NotFound,
    /// 405: only GET and HEAD.
    Method,
    /// 429: as many exports or live views as there may be.
    TooMany,
    /// 500: something of ours, or of the host's, is wrong.
    Internal,
    /// 503: the store does not answer, or fails.
    Store,
    /// 503: the question takes too long; a narrower one may not.
    Timeout,
}

impl Failure<'_> {
    /// The status of the answer.
    pub(super) const fn status(self) -> u16 {
        match self {
            Self::Parameter { .. } => 400,
            Self::Denied | Self::CrossSite => 403,
            Self::NotFound => 404,
            Self::Method => 405,
            Self::TooMany => 429,
            Self::Internal => 500,
            Self::Store | Self::Timeout => 503,
        }
    }
}
