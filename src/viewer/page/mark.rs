//! Marks: a shape, a colour and a word for every outcome and every state; never a colour alone.

use maud::{Markup, html};

use crate::{
    record::Outcome,
    viewer::{DestinationState, words::Words},
};

/// The shapes, once for each document; marks refer to them.
pub(super) fn sprite() -> Markup {
    let shape = |id: &str, path: &str| {
        html! { symbol id=(id) viewBox="0 0 16 16" { path d=(path) {} } }
    };
    html! {
        svg.sprite aria-hidden="true" width="0" height="0" {
            (shape("m-success", "M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1Zm3.3 4.2L7 9.5 4.9 7.4 3.8 8.5 7 11.7l5.4-5.4Z"))
            (shape("m-failure", "M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1ZM5.6 4.5 4.5 5.6 6.9 8l-2.4 2.4 1.1 1.1L8 9.1l2.4 2.4 1.1-1.1L9.1 8l2.4-2.4-1.1-1.1L8 6.9Z"))
            (shape("m-denied", "M5.1 1h5.8L15 5.1v5.8L10.9 15H5.1L1 10.9V5.1ZM4 7v2h8V7Z"))
            (shape("m-error", "M8 1.2 15.4 14.5H.6ZM7.2 6v4h1.6V6Zm0 5.2v1.6h1.6v-1.6Z"))
            (shape("m-cancelled", "M2.5 2h11a.5.5 0 0 1 .5.5v11a.5.5 0 0 1-.5.5h-11a.5.5 0 0 1-.5-.5v-11A.5.5 0 0 1 2.5 2Zm1 1.5v9h9v-9ZM5.5 7.2h5v1.6h-5Z"))
            (shape("m-unknown", "M8 .8 15.2 8 8 15.2.8 8Zm0 2.1L2.9 8 8 13.1 13.1 8ZM7.2 10h1.6v1.6H7.2Zm0-5.4h1.6V9H7.2Z"))
            (shape("m-altered", "M1 1h14v14H1Zm6.1 2.4v5.4h1.8V3.4Zm0 6.9v1.9h1.8v-1.9Z"))
            (shape("m-paused", "M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1ZM5.5 5v6h1.8V5Zm3.2 0v6h1.8V5Z"))
        }
    }
}

/// The sign beside the name of the service.
pub(super) fn logo() -> Markup {
    html! {
        svg.logo viewBox="0 0 20 20" width="20" height="20" aria-hidden="true" {
            rect.back x="0" y="0" width="20" height="20" rx="5" {}
            path.front d="M5 6h10v1.6H5zm0 3.2h10v1.6H5zm0 3.2h6v1.6H5z" {}
        }
    }
}

/// An outcome in the reader's words.
pub(super) const fn outcome_word(words: &Words, outcome: Outcome) -> &'static str {
    let words = &words.outcomes;
    match outcome {
        Outcome::Success => words.success,
        Outcome::Failure => words.failure,
        Outcome::Denied => words.denied,
        Outcome::Error => words.error,
        Outcome::Cancelled => words.cancelled,
        Outcome::Unknown => words.unknown,
    }
}

/// The mark of an outcome.
pub(super) fn outcome(words: &Words, outcome: Outcome) -> Markup {
    marked(outcome.as_str(), outcome_word(words, outcome))
}

/// The mark of a record whose text is not the one that was delivered.
pub(super) fn altered(words: &Words) -> Markup {
    marked("altered", words.altered)
}

/// The mark of a state.
pub(super) fn state(words: &Words, state: DestinationState) -> Markup {
    let words = &words.sinks;
    match state {
        DestinationState::Ok => marked("success", words.ok),
        DestinationState::Retrying => marked("error", words.retrying),
        DestinationState::Blocked => marked("denied", words.blocked),
        DestinationState::Paused => marked("paused", words.paused),
        DestinationState::Stopped => marked("cancelled", words.stopped),
    }
}

/// The shape and colour of this name, with a word.
pub(super) fn marked(name: &'static str, word: &str) -> Markup {
    html! {
        span class=(format!("mark o-{name}")) {
            svg width="14" height="14" aria-hidden="true" { use href=(format!("#m-{name}")) {} }
            span { (word) }
        }
    }
}
