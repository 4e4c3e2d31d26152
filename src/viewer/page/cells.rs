//! Who and what, in one or two lines.

use maud::{Markup, html};

use super::{link::Link, text};
use crate::{
    record::{Actor, ActorType, Application, Record, Target},
    viewer::{model::View, words::Words},
};

/// A kind of actor in the reader's words.
pub(super) const fn actor_word(words: &Words, kind: ActorType) -> &'static str {
    let words = &words.actors;
    match kind {
        ActorType::User => words.user,
        ActorType::Service => words.service,
        ActorType::System => words.system,
        ActorType::Anonymous => words.anonymous,
        ActorType::Unknown => words.unknown,
    }
}

/// An actor: the name, and below it what tells two of that name apart.
pub(super) fn actor(view: &View<'_>, actor: &Actor) -> Markup {
    let words = view.words;
    let word = actor_word(words, actor.kind);
    let name = actor.name.as_deref().or(actor.email.as_deref());
    html! {
        @if let Some(id) = actor.id.as_deref() {
            a href=(Link::actor(view, id).address()) { (text::short(name.unwrap_or(id))) }
            span.sub { @if name.is_some() { (text::short(id)) } @else { (word) } }
        } @else if let Some(claimed) = actor.claimed.as_deref() {
            span.nobody { (word) }
            span.sub { (words.actors.claims) " " (text::short(claimed)) }
        } @else if let Some(name) = name {
            span { (text::short(name)) }
            span.sub { (word) }
        } @else {
            span.nobody { (word) }
        }
        @if let Some(other) = &actor.on_behalf_of {
            @let name = other.name.as_deref().or(other.email.as_deref()).or(other.id.as_deref());
            span.sub { (words.actors.on_behalf_of) " " (text::short(name.unwrap_or("?"))) }
        }
    }
}

/// The first target, and how many others there are.
pub(super) fn targets(view: &View<'_>, record: &Record) -> Markup {
    let words = view.words;
    let Some(first) = record.targets.first() else {
        return Markup::default();
    };
    let others = u64::try_from(record.targets.len()).unwrap_or(1) - 1;
    html! {
        (target(first))
        @if others > 0 { span.sub { (words.locale.plural(others, words.more)) } }
    }
}

/// One target: its name, and below it what it is.
pub(super) fn target(target: &Target) -> Markup {
    html! {
        @match (target.name.as_deref(), target.id.as_deref()) {
            (Some(name), Some(id)) => {
                span { (text::short(name)) }
                span.sub { (text::short(&target.kind)) " · " (text::short(id)) }
            },
            (Some(one), None) | (None, Some(one)) => {
                span { (text::short(one)) }
                span.sub { (text::short(&target.kind)) }
            },
            (None, None) => span { (text::short(&target.kind)) },
        }
    }
}

/// An application: its name, else its id.
pub(super) fn application(application: &Application) -> Markup {
    let name = application.name.as_deref().or(application.id.as_deref());
    html! { @if let Some(name) = name { (text::short(name)) } }
}

/// What is worth a second line below the action: why it ended so, or what it stands for.
pub(super) fn below_action(view: &View<'_>, record: &Record) -> Markup {
    let words = view.words;
    html! {
        @if let Some(count) = record.count {
            span.sub { (words.locale.plural(count, words.stands_for)) }
        } @else if let Some(reason) = &record.reason {
            span.sub { (text::short(reason)) }
        } @else if let Some(http) = &record.context.http {
            span.sub.http {
                @if let Some(method) = &http.method { (text::short(method)) " " }
                @if let Some(route) = &http.route { (text::short(route)) }
            }
        }
    }
}
