//! The facts of a record, in groups.

use maud::{Markup, html};

use super::{cells, link::Link, text, time};
use crate::{
    record::{Actor, Record, Text},
    viewer::model::{Entry, View},
};

/// A list of names and values; nothing when there are none.
pub(super) struct Group(Vec<(&'static str, Markup)>);

impl Group {
    fn new() -> Self {
        Self(Vec::new())
    }

    fn text(self, name: &'static str, value: Option<&Text>) -> Self {
        self.fact(name, value.map(|value| text::full(value)))
    }

    fn code(self, name: &'static str, value: Option<&Text>) -> Self {
        self.fact(
            name,
            value.map(|value| html! { span.code { (text::full(value)) } }),
        )
    }

    fn fact(mut self, name: &'static str, value: Option<Markup>) -> Self {
        self.0.extend(value.map(|value| (name, value)));
        self
    }

    /// The list below a heading.
    pub(super) fn below(self, heading: &str) -> Markup {
        html! { @if !self.0.is_empty() { section.card { h2 { (heading) } (self.list()) } } }
    }

    pub(super) fn list(self) -> Markup {
        html! {
            dl.facts { @for (name, value) in self.0 { div { dt { (name) } dd { (value) } } } }
        }
    }
}

/// What happened.
pub(super) fn what(view: &View<'_>, record: &Record) -> Group {
    let words = &view.words.fields;
    let fault = record.error.as_ref();
    let error = fault.map(|fault| {
        let group = Group::new()
            .code(words.kind, fault.kind.as_ref())
            .code(words.code, fault.code.as_ref())
            .text(words.message, fault.message.as_ref());
        group.list()
    });
    let count = record
        .count
        .map(|count| html! { (view.words.locale.number(count)) });
    Group::new()
        .text(words.category, record.category.as_ref())
        .text(words.reason, record.reason.as_ref())
        .fact(words.error, error)
        .fact(words.count, count)
        .fact(words.first, record.first.map(|at| time::precise(view, at)))
        .fact(words.last, record.last.map(|at| time::precise(view, at)))
        .fact(
            words.duration,
            record.context.duration.map(|took| {
                html! { (view.words.locale.span(took)) }
            }),
        )
        .fact(words.http, http(record))
}

fn http(record: &Record) -> Option<Markup> {
    let http = record.context.http.as_ref()?;
    Some(html! {
        span.code {
            @if let Some(method) = &http.method { (text::short(method)) " " }
            @if let Some(route) = &http.route { (text::full(route)) }
            @if let Some(status) = http.status { " → " (status) }
        }
    })
}

/// Who acted.
pub(super) fn actor(view: &View<'_>, actor: &Actor) -> Group {
    let words = &view.words.fields;
    let id = actor.id.as_ref().map(|id| {
        html! { a.code href=(Link::actor(view, id).address()) { (text::full(id)) } }
    });
    let credential = actor.credential.as_ref().map(|credential| {
        html! {
            (text::short(&credential.kind))
            @if let Some(id) = &credential.id { " " span.code { (text::full(id)) } }
        }
    });
    let other = actor
        .on_behalf_of
        .as_ref()
        .map(|other| self::actor(view, other).list());
    Group::new()
        .text(words.name, actor.name.as_ref())
        .fact(
            words.kind,
            Some(html! { (cells::actor_word(view.words, actor.kind)) }),
        )
        .fact("ID", id)
        .text(words.email, actor.email.as_ref())
        .text(words.claimed, actor.claimed.as_ref())
        .text(words.auth_method, actor.auth_method.as_ref())
        .fact(words.credential, credential)
        .fact(words.on_behalf_of, other)
}

/// What was acted on.
pub(super) fn targets(view: &View<'_>, record: &Record) -> Markup {
    let words = &view.words.fields;
    let heading = if record.targets.len() > 1 {
        words.targets
    } else {
        words.target
    };
    html! {
        @if !record.targets.is_empty() {
            section.card {
                h2 { (heading) }
                ul.things {
                    @for target in &record.targets {
                        li {
                            (cells::target(target))
                            @if let Some(id) = &target.id {
                                a.all href=(Link::of_target(view, &target.kind, id).address())
                                    { (view.words.detail.by_target) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Where it came from.
pub(super) fn from_where(view: &View<'_>, record: &Record) -> Group {
    let words = &view.words.fields;
    let context = &record.context;
    let tenant = record.tenant.as_ref();
    let named = |name: Option<&Text>, id: Option<&Text>| {
        let shown = name.or(id)?;
        let id = id.filter(|_| name.is_some());
        Some(
            html! { (text::full(shown)) @if let Some(id) = id { span.sub.code { (text::full(id)) } } },
        )
    };
    let application = record.application.as_ref();
    let forwarded = (!context.forwarded.is_empty()).then(|| {
        html! { ol.plain.code { @for address in &context.forwarded { li { (text::full(address)) } } } }
    });
    Group::new()
        .code(words.ip, context.ip_address.as_ref())
        .code(words.peer, context.peer_address.as_ref())
        .fact(words.forwarded, forwarded)
        .text(words.user_agent, context.user_agent.as_ref())
        .fact(
            words.application,
            application.and_then(|one| named(one.name.as_ref(), one.id.as_ref())),
        )
        .fact(
            words.tenant,
            tenant.and_then(|one| named(one.name.as_ref(), one.id.as_ref())),
        )
        .text(
            words.domain,
            tenant.and_then(|tenant| tenant.domain.as_ref()),
        )
        .code(words.session, context.session_id.as_ref())
        .code(words.previous_session, context.previous_session_id.as_ref())
        .code(words.request, context.request_id.as_ref())
        .code(words.trace, context.trace_id.as_ref())
        .code(words.span, context.span_id.as_ref())
}

/// What proves it.
pub(super) fn evidence(view: &View<'_>, entry: &Entry) -> Group {
    let words = &view.words.fields;
    let locale = &view.words.locale;
    let stored = &entry.stored;
    let service = entry.record.as_ref().and_then(Record::service);
    let code = |text: String| Some(html! { span.code { (text) } });
    let service_said = service.map(|service| {
        html! {
            (text::full(&service.name))
            @if let Some(version) = &service.version { " " (text::full(version)) }
        }
    });
    Group::new()
        .fact(words.id, code(stored.id.to_string()))
        .fact(words.service, service_said)
        .text(
            words.instance,
            service.and_then(|service| service.instance.as_ref()),
        )
        .fact(words.trail, code(stored.trail.to_string()))
        .fact(words.number, Some(html! { (locale.number(stored.number)) }))
        .fact(words.leaf, code(stored.leaf.to_string()))
        .fact(
            words.arrival,
            Some(html! { (locale.number(stored.arrival)) }),
        )
        .fact(words.received, Some(time::precise(view, stored.received)))
}
