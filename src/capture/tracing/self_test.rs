//! Whether audit spans and events arrive: tried at the start, because a filter says nothing.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use tracing::{
    Level, dispatcher,
    field::{Field, FieldSet, Visit},
    level_filters::{LevelFilter, STATIC_MAX_LEVEL},
};

use super::AuditTracing;

/// The field by which the layer knows a probe.
const MARK: &str = "audit_probe";

/// What came of the test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SelfTest {
    /// Spans and events arrive.
    Passed,
    /// They do not, for this reason; it also says what to do.
    Failed(String),
}

/// The last probes that arrived.
#[derive(Debug, Default)]
pub(super) struct Seen {
    installed: AtomicBool,
    span: AtomicU64,
    event: AtomicU64,
}

impl Seen {
    /// Some subscriber holds the layer.
    pub(super) fn installed(&self) {
        self.installed.store(true, Ordering::Release);
    }

    pub(super) fn span(&self, probe: u64) {
        self.span.fetch_max(probe, Ordering::AcqRel);
    }

    pub(super) fn event(&self, probe: u64) {
        self.event.fetch_max(probe, Ordering::AcqRel);
    }

    /// Or a later one: another trail was started at the same time.
    fn has_span(&self, probe: u64) -> bool {
        self.span.load(Ordering::Acquire) >= probe
    }

    fn has_event(&self, probe: u64) -> bool {
        self.event.load(Ordering::Acquire) >= probe
    }
}

/// The number of the probe, if the fields are those of one.
pub(super) fn probe(fields: &FieldSet, record: impl FnOnce(&mut dyn Visit)) -> Option<u64> {
    struct Number(Option<u64>);
    impl Visit for Number {
        fn record_u64(&mut self, field: &Field, value: u64) {
            if field.name() == MARK {
                self.0 = Some(value);
            }
        }
        fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
    }
    fields.field(MARK)?;
    let mut number = Number(None);
    record(&mut number);
    number.0
}

fn next() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Sends a span and an event, and looks whether they arrive.
pub(super) fn run(tracing: &AuditTracing) -> SelfTest {
    let seen = &tracing.shared.seen;
    let probe = next();
    drop(tracing::info_span!(target: "audit", "audit.probe", audit_probe = probe));
    tracing::info!(target: "audit", audit_probe = probe, "the audit trail tests whether its events pass the filters");
    let (span, event) = (seen.has_span(probe), seen.has_event(probe));
    if span && event {
        return SelfTest::Passed;
    }
    SelfTest::Failed(cause(tracing, span, event))
}

fn cause(tracing: &AuditTracing, span: bool, event: bool) -> String {
    if STATIC_MAX_LEVEL < Level::INFO {
        return format!(
            "`tracing` is compiled with a feature (max_level_… or release_max_level_…) that leaves out all beyond {STATIC_MAX_LEVEL}; audit spans and events need INFO"
        );
    }
    let Some(hint) = installed_hint(tracing) else {
        let installed = tracing.shared.seen.installed.load(Ordering::Acquire);
        return if installed {
            "the subscriber that holds AuditTracing is not the one that is the default where the trail was started; make it the global default".into()
        } else {
            "AuditTracing is in no subscriber; add it to the registry with `.with(audit_tracing.clone())` before the trail is started".into()
        };
    };
    if let Some(hint) = hint.filter(|hint| *hint < Level::INFO) {
        return format!("AuditTracing::level_hint({hint}) leaves out INFO");
    }
    let what = match (span, event) {
        (false, true) => "spans of the target `audit`",
        (true, false) => "events of the target `audit`",
        _ => "spans and events of the target `audit`",
    };
    format!(
        "a filter of the whole subscriber removes {what} at INFO{}; give filters to the layers that need them (`.with_filter(…)`), or let it pass `audit=info`",
        passing(tracing)
    )
}

/// The level hint of our layer in this thread's subscriber; `None` if it is not there.
fn installed_hint(tracing: &AuditTracing) -> Option<Option<LevelFilter>> {
    dispatcher::get_default(|dispatch| {
        let installed = dispatch.downcast_ref::<AuditTracing>()?;
        Arc::ptr_eq(&installed.shared, &tracing.shared).then_some(installed.level_hint)
    })
}

/// What does pass. Only spans are tried: most hosts print none.
fn passing(tracing: &AuditTracing) -> String {
    let seen = &tracing.shared.seen;
    let (warn, error) = (next(), next());
    drop(tracing::warn_span!(target: "audit", "audit.probe", audit_probe = warn));
    let warn = seen.has_span(warn);
    drop(tracing::error_span!(target: "audit", "audit.probe", audit_probe = error));
    let error = seen.has_span(error);
    match (warn, error) {
        (true, _) => " (WARN passes)".into(),
        (false, true) => " (ERROR passes)".into(),
        (false, false) => format!(
            " (nothing passes; the most verbose level of any subscriber is {})",
            LevelFilter::current()
        ),
    }
}
