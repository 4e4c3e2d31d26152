//! What a page is made of: filled by the service, drawn by `page`.

use crate::{
    clock::{RecordId, Timestamp},
    record::{Actor, Record},
    store::{Choices, Field, Histogram, Query, Stored},
    viewer::words::Words,
};

/// What is the same for every page of one answer.
#[derive(Debug)]
pub(super) struct View<'a> {
    /// What all addresses begin with, as the browser sees it; without a slash at its end.
    pub(super) base: &'a str,
    /// The name of the service.
    pub(super) title: &'a str,
    /// The language's texts.
    pub(super) words: &'static Words,
    /// The zone that times are shown in.
    pub(super) zone: &'a jiff::tz::TimeZone,
    /// The time of the request.
    pub(super) now: Timestamp,
    /// Who reads.
    pub(super) reader: &'a Actor,
    /// Where to sign in, if the host said so.
    pub(super) sign_in: Option<&'a str>,
    /// Whether there are destinations to show.
    pub(super) has_destinations: bool,
}

/// What was asked for, as it stands in the address.
#[derive(Debug, Clone, Default)]
pub(super) struct Search {
    /// The parameters of the address that are filters, in the order of the form; never empty values.
    pub(super) filters: Vec<(&'static str, String)>,
    /// `1h`, `24h`, `7d`, `30d`, `all`, or `custom` with `from` and `to` among the filters.
    pub(super) range: String,
    /// Whether reads and exports are shown too.
    pub(super) reads: bool,
    /// Whether the page follows what arrives.
    pub(super) live: bool,
    /// The same as a query.
    pub(super) query: Query,
}

/// A record, and what it was read from.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) stored: Stored,
    pub(super) record: Record,
}

/// The table of records.
#[derive(Debug)]
pub(super) struct Table<'a> {
    pub(super) search: &'a Search,
    pub(super) entries: &'a [Entry],
    pub(super) older: Option<RecordId>,
    pub(super) newer: Option<RecordId>,
    /// The search gave up here, before the page was full.
    pub(super) searched_until: Option<Timestamp>,
    pub(super) choices: &'a [(Field, Choices)],
}

/// One record.
#[derive(Debug)]
pub(super) struct Detail<'a> {
    pub(super) entry: &'a Entry,
    /// Other records of the same request, newest first, bounded.
    pub(super) same_request: &'a [Entry],
}

/// The page of one actor: its table, and what is known of it.
#[derive(Debug)]
pub(super) struct ActorPage<'a> {
    pub(super) id: &'a str,
    pub(super) table: Table<'a>,
    pub(super) outcomes: &'a Histogram,
}

/// A sink, as the destinations page shows it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Destination {
    /// Its name.
    pub name: String,
}
