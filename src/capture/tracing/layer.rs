//! The answers to the subscriber.

use std::sync::atomic::Ordering;

use tracing::{
    Dispatch, Event, Metadata, Subscriber,
    level_filters::LevelFilter,
    span::{Attributes, Id, Record as Values},
    subscriber::Interest,
};
use tracing_subscriber::{
    Layer,
    layer::Context,
    registry::{LookupSpan, Scope},
};

use crate::capture::AuditScope;

use super::{AuditTracing, Shared, fields::Facts, self_test, span::AuditSpan, trail::Ready};

impl<S> Layer<S> for AuditTracing
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_register_dispatch(&self, _: &Dispatch) {
        self.shared.seen.installed();
    }

    /// Always: anything less would disable the callsite for the layers beside this one, and be
    /// asked again each time.
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::always()
    }

    // Trap C9: a hint silences plain layers beside this one, so it is the host's to give.
    fn max_level_hint(&self) -> Option<LevelFilter> {
        self.level_hint
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if !is_audit(attributes.metadata()) {
            return;
        }
        if let Some(probe) = self_test::probe(attributes.metadata().fields(), |visit| {
            attributes.record(visit)
        }) {
            self.shared.seen.span(probe);
            return;
        }
        let Some(span) = context.span(id) else { return };
        let around = span.parent().and_then(|parent| nearest(parent.scope()));
        let within = around.and_then(|span| span.scope);
        let scope = AuditScope::current().or(within);
        let facts = self.shared.read(|visit| attributes.record(visit));
        let name = attributes.metadata().name();
        let opened = AuditSpan::open(name, facts, scope, &self.shared);
        let _ = span.extensions_mut().replace(opened);
    }

    fn on_record(&self, id: &Id, values: &Values<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if !is_audit(span.metadata()) {
            return;
        }
        let opened = span.extensions().get::<AuditSpan>().cloned();
        if let Some(opened) = opened {
            opened.add(self.shared.read(|visit| values.record(visit)));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        // The rest of the process comes this far, and no further.
        if !is_audit(event.metadata()) {
            return;
        }
        if let Some(probe) =
            self_test::probe(event.metadata().fields(), |visit| event.record(visit))
        {
            self.shared.seen.event(probe);
            return;
        }
        let around = context.event_scope(event).and_then(nearest);
        self.shared.event(event, around);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else {
            return;
        };
        if !is_audit(span.metadata()) {
            return;
        }
        let opened = span.extensions_mut().remove::<AuditSpan>();
        if let Some(opened) = opened
            && let Some(ready) = opened.close(&self.shared)
        {
            self.shared.write(opened.scope.as_ref(), ready);
        }
    }
}

/// The target `audit`, or one below it.
fn is_audit(metadata: &Metadata<'_>) -> bool {
    let below = metadata.target().strip_prefix("audit");
    below.is_some_and(|below| below.is_empty() || below.starts_with("::"))
}

/// The audit span that is nearest, going outwards.
fn nearest<'a, S: LookupSpan<'a>>(mut spans: Scope<'a, S>) -> Option<AuditSpan> {
    spans.find_map(|span| span.extensions().get::<AuditSpan>().cloned())
}

/// What kind of event it is, by the names of its fields.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Made by `#[instrument(err)]`.
    OnlyError,
    /// Made by `#[instrument(ret)]`.
    OnlyReturn,
    Other,
}

impl Shape {
    fn of(event: &Event<'_>) -> Self {
        let mut names = event.metadata().fields().iter().map(|field| field.name());
        let mut names = names.by_ref().filter(|name| *name != "message");
        match (names.next(), names.next()) {
            (Some("error"), None) => Self::OnlyError,
            (Some("return"), None) => Self::OnlyReturn,
            _ => Self::Other,
        }
    }
}

/// Whose record an event without an action speaks of.
enum Whose {
    Span(AuditSpan),
    Scope(AuditScope),
    Nobody,
}

impl Whose {
    /// A scope that was entered within the span is nearer than the span.
    fn of(around: Option<AuditSpan>, current: Option<AuditScope>) -> Self {
        match (around, current) {
            (None, None) => Self::Nobody,
            (None, Some(current)) => Self::Scope(current),
            (Some(span), None) => Self::Span(span),
            (Some(span), Some(current)) => match &span.scope {
                Some(scope) if scope.id() == current.id() => Self::Span(span),
                _ => Self::Scope(current),
            },
        }
    }
}

impl Shared {
    fn read(&self, record: impl FnOnce(&mut dyn tracing::field::Visit)) -> Facts {
        let facts = Facts::read(record);
        if facts.ignored > 0 {
            let counter = &self.counters.ignored_fields;
            counter.fetch_add(facts.ignored, Ordering::Relaxed);
        }
        facts
    }

    fn event(&self, event: &Event<'_>, around: Option<AuditSpan>) {
        let shape = Shape::of(event);
        let current = AuditScope::current();
        if shape == Shape::OnlyReturn {
            // Trap C20: the value is not looked at.
            match Whose::of(around, current) {
                Whose::Span(span) => span.returned(),
                Whose::Scope(_) => {}
                Whose::Nobody => self.ignore_event(),
            }
            return;
        }
        let facts = self.read(|visit| event.record(visit));
        if facts.action.is_some() {
            let within = around.and_then(|span| span.scope);
            return self.write_event(facts, current.or(within));
        }
        let facts = match shape {
            Shape::OnlyError => facts.with_reason(),
            _ => facts,
        };
        match Whose::of(around, current) {
            Whose::Span(span) => span.add(facts),
            Whose::Scope(scope) => {
                scope.amend(facts.said(), |record| facts.apply(record, &mut None));
            }
            Whose::Nobody => self.ignore_event(),
        }
    }

    fn write_event(&self, facts: Facts, scope: Option<AuditScope>) {
        let begun = match &scope {
            Some(scope) => scope.recorder().now(),
            None => self.door.now(),
        };
        let ready = Ready {
            record: facts.into_record(),
            begun,
            lasted: None,
        };
        self.write(scope.as_ref(), ready);
    }

    fn ignore_event(&self) {
        self.counters.ignored_events.fetch_add(1, Ordering::Relaxed);
    }
}
