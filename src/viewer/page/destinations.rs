//! The page of destinations: where records go, and how that stands.

use maud::{Markup, html};

use super::{
    layout::{self, Section},
    mark, text, time,
};
use crate::viewer::{
    Destination, DestinationState,
    model::{Destinations, View},
};

/// The page of destinations.
pub(in crate::viewer) fn destinations(view: &View<'_>, page: &Destinations<'_>) -> Markup {
    let words = &view.words.sinks;
    let main = html! {
        div.title {
            div.heading { h1 { (view.words.destinations) } p.intro { (words.intro) } }
            div.tools {
                a.button href=(super::link::Link::to(view, "/destinations").address()) {
                    (view.words.refresh)
                }
            }
        }
        @if page.destinations.is_empty() { div.empty { h2 { (words.none) } } }
        @else { (table(view, page.destinations)) }
    };
    layout::page(view, Section::Destinations, view.words.destinations, &main)
}

fn table(view: &View<'_>, destinations: &[Destination]) -> Markup {
    let words = &view.words.sinks;
    html! {
        div.scroll {
            table.log.sinks role="table" {
                caption.hidden { (view.words.destinations) }
                thead role="rowgroup" {
                    tr role="row" {
                        th scope="col" role="columnheader" { (words.name) }
                        th scope="col" role="columnheader" { (words.state) }
                        @for name in [words.waiting, words.oldest, words.delivered, words.dead, words.missed] {
                            th.figure scope="col" role="columnheader" { (name) }
                        }
                        th scope="col" role="columnheader" { (words.last_success) }
                    }
                }
                tbody role="rowgroup" { @for one in destinations { (row(view, one)) } }
            }
        }
    }
}

fn row(view: &View<'_>, one: &Destination) -> Markup {
    let (words, locale) = (&view.words.sinks, &view.words.locale);
    let figure = |name: &str, number: u64| {
        html! { td.figure.nought[number == 0] role="cell" data-label=(name) { (locale.number(number)) } }
    };
    html! {
        tr role="row" {
            td.c-name role="cell" {
                strong { (text::short(&one.name)) }
                span.sub { (text::short(&one.kind)) }
                @if !one.address.is_empty() { span.sub.code { (text::full(&one.address)) } }
                (troubles(view, one))
            }
            td role="cell" data-label=(words.state) { (mark::state(view.words, one.state)) }
            (figure(words.waiting, one.pending))
            td.figure.nought[one.lag.is_none()] role="cell" data-label=(words.oldest) {
                @match one.lag { Some(lag) => (locale.span(lag)), None => "–" }
            }
            (figure(words.delivered, one.delivered))
            (figure(words.dead, one.dead))
            (figure(words.missed, one.missed))
            td.c-time role="cell" data-label=(words.last_success) {
                @match one.last_success {
                    Some(at) => (time::with_age(view, at)),
                    None => span.null { (words.never) },
                }
            }
        }
    }
}

/// What somebody should read: the last error, the last refusal, what needs attention.
fn troubles(view: &View<'_>, one: &Destination) -> Markup {
    let words = &view.words.sinks;
    let is_over = matches!(one.state, DestinationState::Ok);
    let facts: Vec<_> = [
        (words.last_error, one.last_error.as_deref()),
        (words.last_refusal, one.last_refusal.as_deref()),
    ]
    .into_iter()
    .filter_map(|(name, said)| Some((name, said?)))
    .chain(
        one.concerns
            .iter()
            .map(|said| (words.concern, said.as_str())),
    )
    .collect();
    html! {
        @if !facts.is_empty() {
            dl.troubles.over[is_over] {
                @for (name, said) in facts { div { dt { (name) } dd { (text::full(said)) } } }
            }
        }
    }
}
