//! The page of one record.

use maud::{Markup, html};

use super::{
    changes, fields,
    layout::{self, Section},
    link::Link,
    mark, raw, table, text, time, tree,
};
use crate::{
    record::Record,
    viewer::model::{Detail, Entry, View},
};

/// The page of one record.
pub(in crate::viewer) fn detail(view: &View<'_>, detail: &Detail<'_>) -> Markup {
    let entry = detail.entry;
    let heading = match &entry.record {
        Some(record) => record.action.as_str(),
        None => view.words.unreadable,
    };
    let main = html! {
        (title(view, entry, heading))
        div.columns {
            div.main {
                @if let Some(record) = &entry.record { (told(view, record)) }
                section.card {
                    div.with-tool {
                        h2 { (view.words.detail.raw) }
                        (copy(view, "raw", view.words.detail.copy_json))
                    }
                    div #raw { (raw::raw(&entry.stored.json)) }
                }
            }
            div.aside {
                @if let Some(record) = &entry.record { (beside(view, record)) }
                (evidence(view, entry))
            }
        }
        (same_request(view, detail))
    };
    layout::page(
        view,
        Section::Records,
        heading,
        &html! { div.detail { (main) } },
    )
}

fn title(view: &View<'_>, entry: &Entry, heading: &str) -> Markup {
    let words = &view.words.detail;
    let link = Link::record(view, entry.stored.id).bare_address();
    let record = entry.record.as_ref();
    let at = record
        .and_then(Record::timestamp)
        .unwrap_or_else(|| entry.stored.id.timestamp());
    html! {
        div.title {
            div.heading {
                p.back { a href=(Link::to(view, "/").address()) { "← " (words.back) } }
                h1 { (text::full(heading)) }
                p.summary {
                    @if let Some(record) = record {
                        (mark::outcome(view.words, record.outcome.unwrap_or_default()))
                    }
                    @if entry.is_altered { (mark::altered(view.words)) }
                    (time::precise(view, at))
                }
            }
            div.tools {
                a.button href=(link) { (words.link) }
                button.button type="button" hidden data-copy-link=(link) data-copied=(words.copied)
                    { (words.copy_link) }
            }
        }
    }
}

/// A button that the script makes work, and shows.
fn copy(view: &View<'_>, id: &str, word: &str) -> Markup {
    html! {
        button.button.small type="button" hidden data-copy=(id) data-copied=(view.words.detail.copied)
            { (word) }
    }
}

/// What happened: facts, changes, details, what was cut.
fn told(view: &View<'_>, record: &Record) -> Markup {
    let words = &view.words.detail;
    html! {
        (fields::what(view, record).below(words.what))
        (changes::changes(view, &record.changes))
        @if !record.details.is_empty() {
            section.card { h2 { (words.details) } (tree::tree(view, &record.details)) }
        }
        @if !record.truncated.is_empty() {
            section.card.truncated {
                h2 { (words.truncated) }
                p { (words.truncated_hint) }
                dl.facts {
                    @for (path, bytes) in &record.truncated {
                        div {
                            dt.code { (text::short(path)) }
                            dd { (view.words.locale.plural(*bytes, words.bytes)) }
                        }
                    }
                }
            }
        }
    }
}

/// Who, on what, from where, and where else to look.
fn beside(view: &View<'_>, record: &Record) -> Markup {
    html! {
        @if let Some(actor) = &record.actor {
            (fields::actor(view, actor).below(view.words.fields.actor))
        }
        (fields::targets(view, record))
        (related(view, record))
        (fields::from_where(view, record).below(view.words.detail.from_where))
    }
}

/// What proves it; or that it proves the opposite.
fn evidence(view: &View<'_>, entry: &Entry) -> Markup {
    html! {
        section.card {
            h2 { (view.words.detail.evidence) }
            @if entry.is_altered {
                div.notice.altered role="alert" { p { (view.words.altered_hint) } }
            }
            (fields::evidence(view, entry).list())
        }
    }
}

fn related(view: &View<'_>, record: &Record) -> Markup {
    let words = &view.words.detail;
    let context = &record.context;
    let actor = record.actor.as_ref().and_then(|actor| actor.id.as_deref());
    let links: Vec<_> = [
        (words.by_actor, "actor", actor),
        (words.by_session, "session", context.session_id.as_deref()),
        (words.by_ip, "ip", context.ip_address.as_deref()),
        (words.by_request, "request", context.request_id.as_deref()),
    ]
    .into_iter()
    .filter_map(|(word, name, value)| {
        let link = match (name, value?) {
            ("actor", id) => Link::actor(view, id),
            (name, value) => Link::records_with(view, name, value),
        };
        Some((word, link.address()))
    })
    .collect();
    html! {
        @if !links.is_empty() {
            section.card {
                h2 { (words.related) }
                ul.links { @for (word, address) in links { li { a href=(address) { (word) } } } }
            }
        }
    }
}

fn same_request(view: &View<'_>, detail: &Detail<'_>) -> Markup {
    let words = &view.words.detail;
    let record = detail.entry.record.as_ref();
    let request = record.and_then(|record| record.context.request_id.as_deref());
    html! {
        @if !detail.same_request.is_empty() {
            section.card.same {
                h2 { (words.same_request) }
                p.sub { (words.same_request_hint) }
                (table::rows(view, detail.same_request, words.same_request))
                @if let (Some(request), false) = (request, detail.same_request_is_complete) {
                    a href=(Link::records_with(view, "request", request).address()) {
                        (words.same_request_more)
                    }
                }
            }
        }
    }
}
