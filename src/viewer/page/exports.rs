//! The page of exports: what this reader took out, and the manifests.

use maud::{Markup, html};

use super::{
    layout::{self, Section},
    mark, raw, text, time,
};
use crate::viewer::model::{ExportState, Exports, PastExport, View};

/// The page of exports.
pub(in crate::viewer) fn exports(view: &View<'_>, page: &Exports<'_>) -> Markup {
    let words = &view.words.past;
    let main = html! {
        div.title { div.heading { h1 { (view.words.exports) } p.intro { (words.intro) } } }
        @if page.exports.is_empty() { div.empty { h2 { (words.none) } } }
        @else {
            div.scroll {
                table.log.past role="table" {
                    caption.hidden { (view.words.exports) }
                    thead role="rowgroup" {
                        tr role="row" {
                            @for name in [words.begun, words.format, words.asked, words.state, words.manifest] {
                                th scope="col" role="columnheader" { (name) }
                            }
                        }
                    }
                    tbody role="rowgroup" { @for one in page.exports { (row(view, one)) } }
                }
            }
        }
    };
    layout::page(view, Section::Exports, view.words.exports, &main)
}

fn row(view: &View<'_>, one: &PastExport) -> Markup {
    let words = &view.words.past;
    html! {
        tr role="row" {
            td.c-time role="cell" { (time::with_age(view, one.at)) }
            td role="cell" data-label=(words.format) { (one.format) }
            td role="cell" data-label=(words.asked) {
                ul.plain { @for (name, value) in &one.params {
                    li { span.code { (text::short(name)) " = " (text::short(value)) } }
                } }
            }
            td role="cell" data-label=(words.state) { (state(view, one.state)) }
            td role="cell" data-label=(words.manifest) {
                @if let Some(manifest) = &one.manifest {
                    details { summary { (words.manifest) } (raw::raw(manifest)) }
                }
            }
        }
    }
}

fn state(view: &View<'_>, state: ExportState) -> Markup {
    let words = &view.words.past;
    let (mark, records) = match state {
        ExportState::Running(records) => (mark::marked("unknown", words.running), records),
        ExportState::Complete(records) => (mark::marked("success", words.complete), records),
        ExportState::Incomplete(records) => (mark::marked("error", words.incomplete), records),
    };
    html! { (mark) span.sub { (view.words.locale.plural(records, view.words.count)) } }
}
