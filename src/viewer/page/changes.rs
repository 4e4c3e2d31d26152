//! What was changed: before and after.

use maud::{Markup, html};
use serde_json::Value;

use super::{text, tree};
use crate::{record::Change, viewer::model::View};

/// The table of changes; nothing when there are none.
pub(super) fn changes(view: &View<'_>, changes: &[Change]) -> Markup {
    let words = &view.words.detail;
    html! {
        @if !changes.is_empty() {
            section.card {
                h2 #changes { (words.changes) }
                div.scroll {
                    table.changes aria-labelledby="changes" {
                        thead {
                            tr {
                                th scope="col" { (view.words.fields.field) }
                                th scope="col" { (words.before) }
                                th scope="col" { (words.after) }
                            }
                        }
                        tbody {
                            @for change in changes {
                                tr {
                                    th scope="row" { (text::full(&change.field)) }
                                    td.before { (side(view, change.previous.as_ref(), Side::Before)) }
                                    td.after { (side(view, change.current.as_ref(), Side::After)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Before,
    After,
}

fn side(view: &View<'_>, value: Option<&Value>, side: Side) -> Markup {
    let Some(value) = value else {
        return html! { span.null { (view.words.detail.not_set) } };
    };
    let value = tree::value(view, value);
    match side {
        Side::Before => html! { del { (value) } },
        Side::After => html! { ins { (value) } },
    }
}
