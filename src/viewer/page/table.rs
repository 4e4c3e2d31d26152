//! The table of records, and what is around it.

use maud::{Markup, html};

use super::{
    cells, filters,
    layout::{self, Section},
    link::{Link, Listing},
    text, time,
};
use crate::{
    record::Outcome,
    viewer::{
        model::{Entry, Table, View},
        page::mark,
    },
};

/// The formats of an export, as the buttons name them.
const FORMATS: [(&str, &str); 3] = [("csv", "CSV"), ("json", "JSON"), ("jsonl", "JSON Lines")];

/// The first chunk of the page of all records.
pub(in crate::viewer) fn head_and_table(view: &View<'_>, table: &Table<'_>) -> Markup {
    let words = view.words;
    html! {
        (layout::open(view, Section::Records, words.records, &refreshing(table)))
        (title(view, table, &html! { h1 { (words.records) } }))
        (listing(view, table))
        (layout::script(view))
    }
}

/// Without a script a live page loads itself again.
pub(super) fn refreshing(table: &Table<'_>) -> Markup {
    html! {
        @if table.search.live {
            (layout::without_script(&html! { meta http-equiv="refresh" content="5"; }))
        }
    }
}

/// The line above everything: what this is, how much of it, and what can be done with it.
pub(super) fn title(view: &View<'_>, table: &Table<'_>, heading: &Markup) -> Markup {
    let listing = Listing::new(view, table.search);
    let words = view.words;
    html! {
        div.title {
            div.heading { (heading) (count(view, table)) }
            div.tools {
                (live(&listing, table))
                a.button.refresh href=(with_live(&listing).address()) { (words.refresh) }
                div.group role="group" aria-label=(words.export) {
                    span.label aria-hidden="true" { (words.export) }
                    @for (format, name) in FORMATS {
                        @let address = listing.of_same("/export").with("format", format).address();
                        a.button href=(address) download rel="nofollow"
                            aria-label=(words.export_as.replace("{}", name)) { (name) }
                    }
                }
            }
        }
    }
}

/// Filters, table and pager.
pub(super) fn listing(view: &View<'_>, table: &Table<'_>) -> Markup {
    let words = view.words;
    html! {
        (filters::form(view, table))
        section.listing aria-label=(words.records) {
            @if table.entries.is_empty() && table.searched_until.is_none() { (empty(view, table)) }
            @else { (rows(view, table.entries, words.table)) }
            (searched(view, table))
            (hidden_reads(view, table))
            (pager(view, table))
        }
    }
}

/// The table itself. The roles say what a table is to browsers that forget it when it is not laid
/// out as one, on narrow screens.
pub(super) fn rows(view: &View<'_>, entries: &[Entry], caption: &str) -> Markup {
    let fields = &view.words.fields;
    html! {
        div.scroll {
            table.log role="table" {
                caption.hidden { (caption) }
                thead role="rowgroup" {
                    tr role="row" {
                        @for (class, name) in [
                            ("w-time", fields.time), ("w-action", fields.action),
                            ("w-category", fields.category), ("w-outcome", fields.outcome),
                            ("w-actor", fields.actor), ("w-target", fields.target),
                            ("w-application", fields.application), ("w-ip", fields.ip),
                        ] {
                            th class=(class) scope="col" role="columnheader" { (name) }
                        }
                    }
                }
                tbody role="rowgroup" { @for entry in entries { (row(view, entry)) } }
            }
        }
    }
}

/// One row. Live mode sends it alone.
pub(in crate::viewer) fn row(view: &View<'_>, entry: &Entry) -> Markup {
    let stored = &entry.stored;
    let address = Link::record(view, stored.id).address();
    let fields = &view.words.fields;
    let Some(record) = &entry.record else {
        return html! {
            tr class=[entry.is_altered.then_some("is-altered")] role="row" data-id=(stored.id) {
                td.c-time role="cell" { (time::with_age(view, stored.id.timestamp())) }
                td.c-action role="cell" colspan="7" {
                    a.row href=(address) { (view.words.unreadable) }
                    @if entry.is_altered { (mark::altered(view.words)) }
                }
            }
        };
    };
    let outcome = record.outcome.unwrap_or_default();
    let at = record.timestamp().unwrap_or_else(|| stored.id.timestamp());
    let class = match outcome {
        _ if entry.is_altered => Some("is-altered".to_owned()),
        Outcome::Success => None,
        outcome => Some(format!("is-{outcome}")),
    };
    html! {
        tr class=[class]
            role="row" data-id=(stored.id) {
            td.c-time role="cell" { (time::with_age(view, at)) }
            td.c-action role="cell" {
                a.row href=(address) { (text::short(record.action.as_str())) }
                @if entry.is_altered { (mark::altered(view.words)) }
                (cells::below_action(view, record))
            }
            td.c-category role="cell" data-label=(fields.category) {
                @if let Some(category) = &record.category { (text::short(category)) }
            }
            td.c-outcome role="cell" data-label=(fields.outcome) { (mark::outcome(view.words, outcome)) }
            td.c-actor role="cell" data-label=(fields.actor) {
                @if let Some(actor) = &record.actor { (cells::actor(view, actor)) }
            }
            td.c-target role="cell" data-label=(fields.target) { (cells::targets(view, record)) }
            td.c-application role="cell" data-label=(fields.application) {
                @if let Some(application) = &record.application { (cells::application(application)) }
            }
            td.c-ip role="cell" data-label=(fields.ip) {
                @if let Some(ip) = &record.context.ip_address { (text::short(ip)) }
            }
        }
    }
}

fn count(view: &View<'_>, table: &Table<'_>) -> Markup {
    let words = view.words;
    let on_page = u64::try_from(table.entries.len()).unwrap_or(u64::MAX);
    let said = match table.count {
        Some(count) if count.is_exact => words.locale.plural(count.records, words.count),
        Some(count) => words.locale.plural(count.records, words.count_more_than),
        None => words.locale.plural(on_page, words.count_page),
    };
    html! { p.count { (said) } }
}

/// This page, live if it is.
fn with_live<'a>(listing: &Listing<'a>) -> Link<'a> {
    let link = listing.link();
    if listing.search.live {
        link.with("live", "1")
    } else {
        link
    }
}

/// The switch of live mode; what follows the records is in its attributes, for the script.
fn live(listing: &Listing<'_>, table: &Table<'_>) -> Markup {
    let words = &listing.view.words.live;
    if !listing.search.live {
        let address = listing.link().with("live", "1").address();
        return html! { a.button.live-start href=(address) { span.dot {} (words.start) } };
    }
    let (one, other) = words.arrived.forms();
    html! {
        div.live.group role="group" aria-label=(words.start)
            data-live=(listing.of_same("/live").address()) data-since=(table.arrival)
            data-on=(words.on) data-paused=(words.paused) data-lost=(words.lost) data-back=(words.back)
            data-ended=(words.ended) data-one=(one) data-other=(other) {
            p.live-state role="status" { span.dot {} span.said { (words.on) } }
            button.button.live-pause type="button" hidden data-resume=(words.resume) { (words.pause) }
            a.button href=(listing.link().address()) { (words.stop) }
        }
    }
}

/// Says that the search has not looked at everything.
fn searched(view: &View<'_>, table: &Table<'_>) -> Markup {
    let words = view.words;
    let listing = Listing::new(view, table.search);
    html! {
        @if let Some(until) = table.searched_until {
            // It goes on in the direction that was asked for.
            @let (said, name, next) = if table.search.is_upwards {
                (words.searched_up_to, "after", table.newer)
            } else {
                (words.searched_until, "before", table.older)
            };
            @let (before, after) = said.split_once("{}").unwrap_or_default();
            div.notice role="status" {
                p { (before) (time::at(view, until)) (after) }
                @if let Some(next) = next {
                    a.button href=(listing.link().with(name, next.to_string()).address()) {
                        (words.search_on)
                    }
                }
            }
        }
    }
}

/// Says that what reading left is not shown, where it may be what somebody looks for: silence would
/// answer the question who opened a record.
fn hidden_reads(view: &View<'_>, table: &Table<'_>) -> Markup {
    let search = table.search;
    let is_empty = table.entries.is_empty() && table.searched_until.is_none();
    let asks = |(name, value): &(&str, String)| match *name {
        "category" => value == "audit",
        "target" => value.split(':').next() == Some("audit_record"),
        _ => false,
    };
    let is_said = !search.reads && (is_empty || search.filters.iter().any(asks));
    let link = Listing::new(view, search).link().with("reads", "1");
    html! {
        @if is_said {
            div.notice role="note" {
                p { (view.words.reads_hidden) }
                a.button href=(link.address()) { (view.words.filters.reads) }
            }
        }
    }
}

/// What was searched without a find, and the way out.
fn empty(view: &View<'_>, table: &Table<'_>) -> Markup {
    let words = view.words;
    let search = table.search;
    let listing = Listing::new(view, search);
    html! {
        div.empty {
            h2 { (words.empty) }
            dl {
                div {
                    dt { (words.empty_period) }
                    dd {
                        @match search.from { Some(from) => (time::at(view, from)), None => (words.beginning) }
                        " – "
                        @match search.to { Some(to) => (time::at(view, to)), None => (words.now) }
                    }
                }
                @let filters = filters::named(view, search);
                @if !filters.is_empty() {
                    div {
                        dt { (words.empty_filters) }
                        dd {
                            ul.plain {
                                @for (name, value) in filters { li { (name) ": " (text::short(&value)) } }
                            }
                        }
                    }
                }
            }
            p { (words.empty_hint) }
            @if search.range != "all" {
                @let all = listing.link().without("from").without("to").with("range", "all");
                p.ways { a.button href=(all.address()) { (words.search_all) } }
            }
        }
    }
}

fn pager(view: &View<'_>, table: &Table<'_>) -> Markup {
    let words = view.words;
    let listing = Listing::new(view, table.search);
    let entry = |name: &'static str, id: Option<String>, rel: &str, label: &str| {
        id.map(|id| {
            let address = listing.link().with(name, id).address();
            html! { a.button rel=(rel) href=(address) { (label) } }
        })
    };
    let newer = entry(
        "after",
        table.newer.map(|id| id.to_string()),
        "prev",
        words.newer,
    );
    let older = entry(
        "before",
        table.older.map(|id| id.to_string()),
        "next",
        words.older,
    );
    html! {
        @if newer.is_some() || older.is_some() {
            nav.pager aria-label=(words.pages) {
                @if table.newer.is_some() {
                    a.button href=(listing.link().address()) { (words.newest) }
                }
                @if let Some(newer) = newer { (newer) }
                @if let Some(older) = older { (older) }
            }
        }
    }
}
