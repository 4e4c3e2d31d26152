//! A binary of its own: levels, interest in call sites and the logger are global to a process.
//!
//! Filters beside the audit layer, above it, and what the start says of them.

#![cfg(test)]

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tower_audit::{AuditTracing, Health, record::Record, testing::TestTrail};
use tracing::{
    Dispatch, Event, Level, Metadata, Subscriber, callsite, dispatcher,
    field::FieldSet,
    level_filters::LevelFilter,
    metadata::Kind,
    subscriber::{Interest, set_default},
};
use tracing_subscriber::{
    EnvFilter, Layer, filter::filter_fn, fmt, layer, layer::SubscriberExt, registry,
    registry::LookupSpan,
};

/// One test at a time: the most verbose level is that of all subscribers together.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a `fmt` layer wrote.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> impl Layer<S> + use<S> {
        let lines = self.clone();
        fmt::layer()
            .without_time()
            .with_ansi(false)
            .with_writer(move || lines.clone())
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Counts the events that reach a layer, and passes them on.
struct Counting<L>(L, Arc<AtomicUsize>);

impl<S, L> Layer<S> for Counting<L>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    L: Layer<S>,
{
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        self.0.register_callsite(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        self.0.max_level_hint()
    }

    fn on_event(&self, event: &Event<'_>, context: layer::Context<'_, S>) {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.on_event(event, context);
    }
}

/// What `tracing_log::LogTracer` makes of `log::log_enabled!`, which sqlx asks at every statement.
struct LogQuery;

static LOG_QUERY: Metadata<'static> = Metadata::new(
    "log query",
    "sqlx::query",
    Level::DEBUG,
    None,
    None,
    None,
    FieldSet::new(&[], callsite::Identifier(&LogQuery)),
    Kind::EVENT,
);

impl callsite::Callsite for LogQuery {
    fn set_interest(&self, _: Interest) {}

    fn metadata(&self) -> &Metadata<'_> {
        &LOG_QUERY
    }
}

impl log::Log for LogQuery {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        dispatcher::get_default(|dispatch| dispatch.enabled(&LOG_QUERY))
    }

    fn log(&self, _: &log::Record<'_>) {}

    fn flush(&self) {}
}

/// Four events, two of which come after a question whether another is enabled.
fn four_events() {
    let event = |n: u8| tracing::info!(target: "audit", action = "document.view", detail.n = n);
    let question = || log::log_enabled!(target: "sqlx::query", log::Level::Debug);
    event(1);
    let _ = question();
    event(2);
    event(3);
    let _ = question();
    event(4);
}

fn listening(tracing: &AuditTracing) -> TestTrail {
    TestTrail::with(|builder| builder.tracing(tracing.clone()))
}

/// Which of the four events a trail that listens below this subscriber records.
fn recorded(tracing: &AuditTracing, stack: impl Into<Dispatch>) -> Vec<u64> {
    let guard = dispatcher::set_default(&stack.into());
    let trail = listening(tracing);
    four_events();
    drop(guard);
    let number = |record: Record| record.details["n"].as_u64().unwrap();
    trail.records().into_iter().map(number).collect()
}

// Trap C8: the sequence of tracing#2519, in both orders of the layers.
#[test]
fn a_question_between_two_events_loses_none_of_ours_and_does_of_a_filtered_layer() {
    let _alone = alone();
    let _ = log::set_logger(&LogQuery);
    log::set_max_level(log::LevelFilter::Debug);
    let seen = Arc::new(AtomicUsize::new(0));
    let filter = || EnvFilter::new("info,other=debug");
    let beside = || Counting(layer::Identity::new(), Arc::clone(&seen));
    let lost = |seen: usize| 5 - seen;

    let tracing = AuditTracing::new();
    let stack = registry()
        .with(tracing.clone())
        .with(beside().with_filter(filter()));
    assert_eq!(recorded(&tracing, stack), [1, 2, 3, 4]);
    assert_eq!(
        lost(seen.swap(0, Ordering::Relaxed)),
        2,
        "of the start's probe and the four"
    );

    let tracing = AuditTracing::new();
    let stack = registry()
        .with(beside().with_filter(filter()))
        .with(tracing.clone());
    assert_eq!(recorded(&tracing, stack), [1, 2, 3, 4]);
    assert_eq!(
        lost(seen.swap(0, Ordering::Relaxed)),
        2,
        "of the start's probe and the four"
    );
}

#[test]
fn a_filter_of_another_layer_that_wants_none_of_it_loses_none_in_either_order() {
    let _alone = alone();
    let tracing = AuditTracing::new();
    let silent = fmt::layer().with_filter(LevelFilter::ERROR);
    let stack = registry().with(tracing.clone()).with(silent);
    assert_eq!(recorded(&tracing, stack), [1, 2, 3, 4]);

    let tracing = AuditTracing::new();
    let silent = fmt::layer().with_filter(LevelFilter::ERROR);
    let stack = registry().with(silent).with(tracing.clone());
    assert_eq!(recorded(&tracing, stack), [1, 2, 3, 4]);
}

/// What a start says under the current subscriber: the health's reason, and the record's.
fn said_at_start(tracing: &AuditTracing) -> Option<(String, String)> {
    let trail = listening(tracing);
    let told = trail.everything().into_iter();
    let told = told.filter(|record| record.action == "audit.tracing_filtered");
    let told: Vec<_> = told
        .map(|record| record.reason.unwrap().to_string())
        .collect();
    match (trail.audit().health(), told.as_slice()) {
        (Health::Ok, []) => None,
        (Health::Degraded(reasons), [reason]) => Some((reasons.join("; "), reason.clone())),
        other => panic!("{other:?}"),
    }
}

// Trap C8: a filter of the whole subscriber loses all of them, and the start says so.
#[test]
fn a_filter_of_the_whole_subscriber_is_reported_at_start_with_its_cause() {
    let _alone = alone();
    let tracing = AuditTracing::new();
    let lines = Lines::default();
    let stack = registry().with(lines.layer()).with(tracing.clone());
    let guard = set_default(stack.with(EnvFilter::new("warn")));
    let (health, record) = said_at_start(&tracing).unwrap();
    tracing::info!(target: "audit", action = "document.view");
    drop(guard);
    assert_eq!(health, record);
    assert!(record.contains("a filter of the whole subscriber removes spans and events of the target `audit` at INFO (WARN passes)"), "{record}");
    let log = lines.text();
    assert!(
        log.starts_with("ERROR tower_audit: audit spans and events do not reach the audit trail"),
        "{log}"
    );
    assert_eq!(
        tracing.counts(),
        tower_audit::TracingCounts::default(),
        "there was nothing to count"
    );
}

#[test]
fn each_cause_has_its_name() {
    let _alone = alone();
    let cause =
        |tracing: &AuditTracing| said_at_start(tracing).map_or_else(String::new, |said| said.1);

    let tracing = AuditTracing::new();
    assert!(
        cause(&tracing).contains("is in no subscriber"),
        "{}",
        cause(&tracing)
    );

    let elsewhere = Dispatch::new(registry().with(tracing.clone()));
    assert!(
        cause(&tracing).contains("is not the one that is the default"),
        "{}",
        cause(&tracing)
    );
    drop(elsewhere);

    let guard = set_default(registry().with(tracing.clone()).with(LevelFilter::OFF));
    assert!(
        cause(&tracing)
            .contains("(nothing passes; the most verbose level of any subscriber is off)"),
        "{}",
        cause(&tracing)
    );
    drop(guard);

    let hinted = tracing.clone().level_hint(LevelFilter::WARN);
    let guard = set_default(registry().with(hinted));
    assert!(
        cause(&tracing).contains("level_hint(warn)"),
        "{}",
        cause(&tracing)
    );
    drop(guard);

    let only_spans = filter_fn(|metadata| metadata.is_span() || metadata.target() != "audit");
    let guard = set_default(registry().with(tracing.clone()).with(only_spans));
    assert!(
        cause(&tracing).contains("removes events of the target `audit`"),
        "{}",
        cause(&tracing)
    );
    drop(guard);
}

#[test]
fn a_stack_that_passes_audit_events_is_not_complained_about() {
    let _alone = alone();
    let tracing = AuditTracing::new();
    let quiet = || Lines::default().layer();
    let passing: [(&str, Dispatch); 4] = [
        ("alone", registry().with(tracing.clone()).into()),
        ("boxed", registry().with(tracing.clone().boxed()).into()),
        (
            "allowed",
            registry()
                .with(quiet())
                .with(tracing.clone())
                .with(EnvFilter::new("warn,audit=info"))
                .into(),
        ),
        (
            "hinted",
            registry()
                .with(quiet())
                .with(tracing.clone().level_hint(LevelFilter::INFO))
                .into(),
        ),
    ];
    for (name, subscriber) in passing {
        let guard = dispatcher::set_default(&subscriber);
        assert_eq!(said_at_start(&tracing), None, "{name}");
        drop(guard);
    }
}

fn host_speaks() {
    tracing::error!("e");
    tracing::info!(target: "host", "i");
    tracing::debug!("d");
    let span = tracing::debug_span!("work", n = 1).entered();
    tracing::trace!(n = 7, "t");
    drop(span);
}

/// What a plain `fmt` layer writes beside these layers.
fn written(stack: impl Subscriber + Send + Sync, lines: &Lines) -> String {
    let guard = set_default(stack);
    host_speaks();
    drop(guard);
    lines.text()
}

// Trap C9: with a hint of ours, a plain `fmt` layer beside would lose its debug lines.
#[test]
fn by_default_the_lines_of_the_host_are_unchanged_in_either_order() {
    let _alone = alone();
    let lines = Lines::default();
    let without = written(registry().with(lines.layer()), &lines);
    assert_eq!(without.lines().count(), 4, "{without}");
    for filter in ["trace", "debug", "warn,host=info"] {
        let filter = || EnvFilter::new(filter);
        let lines = Lines::default();
        let expected = written(registry().with(lines.layer().with_filter(filter())), &lines);
        let lines = Lines::default();
        let stack = registry()
            .with(AuditTracing::new())
            .with(lines.layer().with_filter(filter()));
        assert_eq!(written(stack, &lines), expected);
        let lines = Lines::default();
        let stack = registry()
            .with(lines.layer())
            .with(filter())
            .with(AuditTracing::new());
        assert_eq!(
            written(stack, &lines),
            expected,
            "below a filter of the whole subscriber"
        );
    }
    let lines = Lines::default();
    assert_eq!(
        written(
            registry().with(AuditTracing::new()).with(lines.layer()),
            &lines
        ),
        without
    );
    let lines = Lines::default();
    assert_eq!(
        written(
            registry().with(lines.layer()).with(AuditTracing::new()),
            &lines
        ),
        without
    );
}

// Trap C9: what the hint spares, and what it costs.
#[test]
fn with_a_level_hint_few_events_come_and_a_plain_layer_loses_lines_but_a_filtered_one_does_not() {
    let _alone = alone();
    let seen = Arc::new(AtomicUsize::new(0));
    let hinted = |seen: &Arc<AtomicUsize>| {
        Counting(
            AuditTracing::new().level_hint(LevelFilter::INFO),
            Arc::clone(seen),
        )
    };
    let chatter = || (0..1000).for_each(|n| tracing::trace!(n, "t"));
    let guard = set_default(registry().with(hinted(&seen)));
    chatter();
    drop(guard);
    assert_eq!(seen.load(Ordering::Relaxed), 0);
    let guard = set_default(registry().with(Counting(AuditTracing::new(), Arc::clone(&seen))));
    chatter();
    drop(guard);
    assert_eq!(seen.load(Ordering::Relaxed), 1000, "without it, all come");

    let lines = Lines::default();
    let plain = written(registry().with(lines.layer()).with(hinted(&seen)), &lines);
    assert_eq!(plain.lines().count(), 2, "{plain}");
    let lines = Lines::default();
    let filtered = lines.layer().with_filter(LevelFilter::TRACE);
    let filtered = written(registry().with(filtered).with(hinted(&seen)), &lines);
    assert_eq!(filtered.lines().count(), 4, "{filtered}");
}
