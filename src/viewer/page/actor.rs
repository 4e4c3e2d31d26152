//! The page of one actor: who it is, and its table.

use maud::{Markup, html};

use super::{
    cells,
    layout::{self, Section},
    link::Link,
    table, text,
};
use crate::{
    record::Actor,
    viewer::model::{ActorPage, View},
};

/// The first chunk of the page of one actor.
pub(in crate::viewer) fn actor(view: &View<'_>, page: &ActorPage<'_>) -> Markup {
    let known = known(page);
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
        (table::listing(view, &page.table))
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
