//! The counters in Prometheus' text format, without a dependency.

use std::fmt::Write;

use crate::{
    clock::Timestamp,
    stats::{SinkState, SinkStats, Stats},
};

/// One metric of the trail: name, type, help, value.
type TrailMetric = (&'static str, &'static str, &'static str, fn(&Stats) -> u64);
/// One metric of each sink.
type SinkMetric = (
    &'static str,
    &'static str,
    &'static str,
    fn(&SinkStats) -> u64,
);

pub(super) const TRAIL: &[TrailMetric] = &[
    (
        "audit_records_emitted_total",
        "counter",
        "Records handed over and not refused.",
        |s| s.emitted,
    ),
    (
        "audit_records_stored_total",
        "counter",
        "Records made durable.",
        |s| s.stored,
    ),
    (
        "audit_records_queued",
        "gauge",
        "Records that wait for the disk.",
        |s| s.queued,
    ),
    (
        "audit_records_lost_total",
        "counter",
        "Records that did not fit into memory.",
        |s| s.lost,
    ),
    (
        "audit_rejected_full_total",
        "counter",
        "Records and work refused: queue full.",
        |s| s.rejected_full,
    ),
    (
        "audit_rejected_closed_total",
        "counter",
        "Records and work refused: shut down.",
        |s| s.rejected_closed,
    ),
    (
        "audit_records_truncated_total",
        "counter",
        "Records of which something was cut.",
        |s| s.truncated,
    ),
    (
        "audit_served_unsynced_total",
        "counter",
        "Answers given before their record was durable.",
        |s| s.served_unsynced,
    ),
    (
        "audit_late_setters_total",
        "counter",
        "Setters after the record was written.",
        |s| s.late_setters,
    ),
    (
        "audit_outbox_kept_total",
        "counter",
        "Rows left in the outbox for the next start.",
        |s| s.outbox_kept,
    ),
    (
        "audit_folded_total",
        "counter",
        "Refused requests counted in a folded record.",
        |s| s.folded,
    ),
    (
        "audit_requests_skipped_total",
        "counter",
        "Requests without a record, as the policy says.",
        |s| s.skipped,
    ),
    (
        "audit_further_skipped_total",
        "counter",
        "Further records of requests that a rule skips.",
        |s| s.skipped_further,
    ),
    (
        "audit_requests_refused_total",
        "counter",
        "Requests refused: their record could not be kept.",
        |s| s.refused,
    ),
    (
        "audit_requests_turned_away_total",
        "counter",
        "Those refused for too much strict work of a client.",
        |s| s.turned_away,
    ),
    (
        "audit_requests_not_admitted_total",
        "counter",
        "Requests that ran without room for their record.",
        |s| s.not_admitted,
    ),
    (
        "audit_broken_bodies_total",
        "counter",
        "Bodies that broke when their record was decided.",
        |s| s.broken_bodies,
    ),
    (
        "audit_hook_panics_total",
        "counter",
        "Panics kept from a request.",
        |s| s.hook_panics,
    ),
    (
        "audit_late_rules_total",
        "counter",
        "Requests whose rule asked too late for strict or refuse.",
        |s| s.late_rules,
    ),
    (
        "audit_requests_without_peer_total",
        "counter",
        "Recorded requests without a peer address.",
        |s| s.no_peer,
    ),
    (
        "audit_failing",
        "gauge",
        "1 when nothing can be made durable.",
        |s| u64::from(s.failing),
    ),
    (
        "audit_open_scopes",
        "gauge",
        "Admitted work that has not ended.",
        |s| s.open_scopes,
    ),
    (
        "audit_open_intents",
        "gauge",
        "Intents without a verdict.",
        |s| s.open_intents,
    ),
    (
        "audit_waiting_bytes",
        "gauge",
        "Bytes that wait for the disk.",
        |s| s.waiting_bytes,
    ),
    (
        "audit_commits_total",
        "counter",
        "Groups made durable.",
        |s| s.commits,
    ),
    (
        "audit_write_failures_total",
        "counter",
        "Writes and syncs that failed.",
        |s| s.write_failures,
    ),
    (
        "audit_commit_timeouts_total",
        "counter",
        "Times that a sync was overdue.",
        |s| s.commit_timeouts,
    ),
    (
        "audit_writer_panics_total",
        "counter",
        "Panics that the writer survived.",
        |s| s.writer_panics,
    ),
    (
        "audit_events_dropped_total",
        "counter",
        "The trail's own events not written down.",
        |s| s.events_dropped,
    ),
    (
        "audit_pruned_records_total",
        "counter",
        "Old records removed from the store.",
        |s| s.prunes.removed,
    ),
    (
        "audit_prune_failures_total",
        "counter",
        "Prunes of the store that failed.",
        |s| s.prunes.failures,
    ),
    (
        "audit_prune_failing",
        "gauge",
        "1 when old records are not removed; health says why.",
        |s| u64::from(s.prunes.failing),
    ),
    (
        "audit_last_prune_seconds",
        "gauge",
        "When the last whole prune began, in seconds since 1970; 0 is never.",
        |s| seconds(s.prunes.last),
    ),
];

pub(super) const SINK: &[SinkMetric] = &[
    (
        "audit_sink_committed_total",
        "counter",
        "Durable records the sink was to get.",
        |s| s.committed,
    ),
    (
        "audit_sink_delivered_total",
        "counter",
        "Records the sink confirmed.",
        |s| s.delivered,
    ),
    (
        "audit_sink_pending",
        "gauge",
        "Durable records that wait for the sink.",
        |s| s.pending,
    ),
    (
        "audit_sink_dead_total",
        "counter",
        "Records the sink refused.",
        |s| s.dead,
    ),
    (
        "audit_sink_missed_total",
        "counter",
        "Records pruned or damaged before delivery.",
        |s| s.missed,
    ),
    (
        "audit_sink_damaged_total",
        "counter",
        "Records damaged before delivery.",
        |s| s.damaged,
    ),
    (
        "audit_sink_resent_total",
        "counter",
        "Records offered again after an unclear answer; may be there twice.",
        |s| s.resent,
    ),
    (
        "audit_sink_retries_total",
        "counter",
        "Calls that failed.",
        |s| s.retries,
    ),
    (
        "audit_sink_panics_total",
        "counter",
        "Panics in the sink.",
        |s| s.panics,
    ),
    (
        "audit_sink_cursor_failures_total",
        "counter",
        "Cursor files not written.",
        |s| s.cursor_failures,
    ),
    (
        "audit_sink_blocked",
        "gauge",
        "1 when somebody must repair something.",
        |s| u64::from(s.state == SinkState::Blocked),
    ),
    (
        "audit_sink_failing",
        "gauge",
        "1 when the last call failed or somebody must act.",
        |s| u64::from(matches!(s.state, SinkState::Retrying | SinkState::Blocked)),
    ),
    (
        "audit_sink_concerns",
        "gauge",
        "Things that somebody should see to at the sink; health names them.",
        |s| u64::try_from(s.concerns.len()).unwrap_or(u64::MAX),
    ),
    (
        "audit_sink_paused",
        "gauge",
        "1 when somebody paused delivery.",
        |s| u64::from(s.state == SinkState::Paused),
    ),
    (
        "audit_sink_stopped",
        "gauge",
        "1 when delivery has ended.",
        |s| u64::from(s.state == SinkState::Stopped),
    ),
    (
        "audit_sink_lag_seconds",
        "gauge",
        "Age of the oldest undelivered record.",
        |s| s.lag.map_or(0, |lag| lag.as_secs()),
    ),
    (
        "audit_sink_last_attempt_seconds",
        "gauge",
        "When the sink was last called, in seconds since 1970; 0 is never.",
        |s| seconds(s.last_attempt),
    ),
    (
        "audit_sink_last_success_seconds",
        "gauge",
        "When the sink last confirmed a batch, in seconds since 1970; 0 is never.",
        |s| seconds(s.last_success),
    ),
];

fn seconds(at: Option<Timestamp>) -> u64 {
    let micros = at.map_or(0, Timestamp::as_micros);
    u64::try_from(micros / 1_000_000).unwrap_or_default()
}

pub(super) fn text(stats: &Stats) -> String {
    let mut out = String::with_capacity(8192);
    for (name, kind, help, value) in TRAIL {
        head(&mut out, name, kind, help);
        let _ = writeln!(out, "{name} {}", value(stats));
    }
    for (name, kind, help, value) in SINK.iter().filter(|_| !stats.sinks.is_empty()) {
        head(&mut out, name, kind, help);
        for sink in &stats.sinks {
            // A sink's name has no character that needs escaping here.
            let _ = writeln!(out, "{name}{{sink=\"{}\"}} {}", sink.name, value(sink));
        }
    }
    out
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}
