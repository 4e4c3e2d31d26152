//! Text from records and addresses, made safe to show: whatever is in it.
//!
//! Markup is escaped by `maud`. Control characters and marks that change the direction are written
//! as escapes, each text is isolated from the direction of its neighbours, and its length is bounded:
//! what this crate writes is like that already, but a database may hold other things.

use std::borrow::Cow;

use maud::{Markup, html};

use crate::text::{Extent, clean};

/// The bytes of a text in a table.
pub(super) const IN_TABLE: usize = 200;
/// The bytes of a text on a page of its own.
pub(super) const IN_FULL: usize = 8192;

/// A text of a table.
pub(super) fn short(text: &str) -> Markup {
    bounded(text, IN_TABLE)
}

/// A text in full.
pub(super) fn full(text: &str) -> Markup {
    bounded(text, IN_FULL)
}

/// A text for an attribute, or among our own words.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    match clean(text, IN_TABLE) {
        (text, Extent::Whole) => text,
        (text, Extent::Cut) => Cow::Owned(format!("{text}…")),
    }
}

/// A text as the value of a field. Records hold escapes in place of what is escaped here, so this is
/// what a search for it must say.
pub(super) fn value(text: &str) -> Cow<'_, str> {
    clean(text, IN_FULL).0
}

fn bounded(text: &str, max_bytes: usize) -> Markup {
    let (text, extent) = clean(text, max_bytes);
    html! { bdi { (text) @if extent == Extent::Cut { "…" } } }
}
