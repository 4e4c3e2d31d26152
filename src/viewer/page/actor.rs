//! The page of one actor: who it is, and its table.

use maud::{Markup, html};

use super::{
    cells,
    layout::{self, Section},
    link::{Link, Listing},
    table, text,
};
use crate::{
    record::{Actor, ActorType},
    viewer::model::{ActorPage, View},
};

/// The first chunk of the page of one actor.
pub(in crate::viewer) fn actor(view: &View<'_>, page: &ActorPage<'_>) -> Markup {
    let kinds = kinds(page);
    // Of several actors none is the one that the page is about.
    let known = known(page).filter(|_| kinds.len() < 2);
    let name = known.and_then(|actor| actor.name.as_deref().or(actor.email.as_deref()));
    let name = name.unwrap_or(page.id);
    let heading = html! {
        p.back { a href=(Link::to(view, "/").address()) { "← " (view.words.detail.back) } }
        h1 { (text::full(name)) }
        p.summary { (who(view, page.id, known)) }
    };
    html! {
        (layout::open(view, Section::Records, name, &table::refreshing(&page.table)))
        (table::title(view, &page.table, &heading))
        @if kinds.len() > 1 { (several(view, page, &kinds)) }
        (table::listing(view, &page.table))
        (layout::script(view))
    }
}

/// The actor as the newest record of the table has it.
fn known<'a>(page: &'a ActorPage<'_>) -> Option<&'a Actor> {
    let records = page
        .table
        .entries
        .iter()
        .filter_map(|entry| entry.record.as_ref());
    records
        .filter_map(|record| record.actor.as_ref())
        .find(|actor| actor.id.as_deref() == Some(page.id))
}

/// The kinds of actors that the records of the page have with this id.
fn kinds(page: &ActorPage<'_>) -> Vec<ActorType> {
    let records = page.table.entries.iter();
    let actors = records.filter_map(|entry| entry.record.as_ref()?.actor.as_ref());
    let mut kinds = Vec::new();
    for actor in actors.filter(|actor| actor.id.as_deref() == Some(page.id)) {
        if !kinds.contains(&actor.kind) {
            kinds.push(actor.kind);
        }
    }
    kinds
}

/// Says that user 7 and service 7 stand here together, and leads to each alone.
fn several(view: &View<'_>, page: &ActorPage<'_>, kinds: &[ActorType]) -> Markup {
    let listing = Listing::new(view, page.table.search);
    html! {
        div.notice role="note" {
            p { (view.words.detail.several_kinds) }
            div.group {
                @for kind in kinds {
                    a.button href=(listing.link().with("actor_type", kind.as_str()).address()) {
                        (cells::actor_word(view.words, *kind))
                    }
                }
            }
        }
    }
}

fn who(view: &View<'_>, id: &str, known: Option<&Actor>) -> Markup {
    html! {
        span.kind {
            @match known {
                Some(actor) => (cells::actor_word(view.words, actor.kind)),
                None => (view.words.detail.actor_page),
            }
        }
        span.code { (text::full(id)) }
        @if let Some(email) = known.and_then(|actor| actor.email.as_deref()) {
            span { (text::full(email)) }
        }
    }
}
