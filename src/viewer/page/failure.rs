//! What is said when there is no page: what is wrong, and what to do.

use maud::{Markup, html};

use super::{
    layout::{self, Section},
    link::Link,
    text,
};
use crate::viewer::model::{Failure, View};

/// The page of a failure; its status is [`Failure::status`].
pub(in crate::viewer) fn failure(view: &View<'_>, failure: Failure<'_>) -> Markup {
    let words = &view.words.failures;
    let (heading, advice) = match failure {
        Failure::Parameter { .. } => words.parameter,
        Failure::Denied => words.denied,
        Failure::CrossSite => words.cross_site,
        Failure::NotFound => words.not_found,
        Failure::Method => words.method,
        Failure::TooMany => words.too_many,
        Failure::Internal => words.internal,
        Failure::Store => words.store,
        Failure::Timeout => words.timeout,
    };
    let main = html! {
        div.empty {
            p.status { (failure.status()) }
            h1 { (heading) }
            p { (advice) }
            @if let Failure::Parameter { parameter, reason } = failure {
                dl {
                    div { dt { (words.parameter_name) } dd.code { (text::full(parameter)) } }
                    div { dt { (words.reason) } dd { (text::full(reason)) } }
                }
            }
            (ways_out(view, failure))
        }
    };
    layout::page(view, Section::None, heading, &main)
}

fn ways_out(view: &View<'_>, failure: Failure<'_>) -> Markup {
    let words = &view.words.failures;
    let records = html! {
        a.button href=(Link::to(view, "/").address()) { (words.to_records) }
    };
    html! {
        p.ways {
            @match failure {
                Failure::Denied => {
                    @if let Some(sign_in) = view.sign_in {
                        a.button.primary href=(sign_in) { (words.sign_in) }
                    }
                },
                Failure::Store | Failure::TooMany | Failure::Internal => {
                    a.button.primary href=(layout::here(view).address()) { (words.try_again) }
                },
                _ => (records),
            }
        }
    }
}
