//! Spans and events of the target `audit` become records.

use std::{future::pending, time::Duration};

use tower_audit::{Actor, Record, assert_recorded};
use tracing::{Instrument, Span, field::Empty, instrument};

use super::{actions, listening, request};

#[instrument(target = "audit", name = "document.create", skip_all, fields(target.id = %id, detail.size = id.len()))]
async fn create(id: &str) {
    tokio::task::yield_now().await;
}

#[tokio::test]
async fn the_first_span_in_a_request_names_its_record() {
    let (trail, _tracing, _guard) = listening();
    request(&trail, create("4cq1")).await;
    assert_recorded!(trail, {
        "action": "document.create", "outcome": "success", "actor": {"id": "146"},
        "targets": [{"type": "document", "id": "4cq1"}], "details": {"size": 4}
    });
    assert_eq!(actions(&trail), ["document.create"]);
}

#[tokio::test]
async fn what_is_recorded_in_the_span_later_reaches_the_request() {
    let (trail, _tracing, _guard) = listening();
    let span = tracing::info_span!(target: "audit", "document.share", target.id = "4cq1", target.type = Empty, outcome = Empty);
    request(&trail, async {
        span.record("target.type", "file");
        span.record("outcome", "denied");
        // Without an action it adds to the record around it.
        span.in_scope(|| tracing::info!(target: "audit", reason = "not the owner", "a text"));
    })
    .instrument(Span::none())
    .await;
    assert!(
        trail.records()[0].action.is_unknown(),
        "the span was opened outside"
    );

    request(&trail, async {
        let span = tracing::info_span!(target: "audit", "document.share", target.id = "4cq1", target.type = Empty, outcome = Empty);
        span.record("target.type", "file");
        span.record("outcome", "denied");
        span.in_scope(|| tracing::info!(target: "audit", reason = "not the owner", "a text"));
    })
    .await;
    assert_recorded!(trail, {
        "action": "document.share", "outcome": "denied", "reason": "not the owner",
        "targets": [{"type": "file", "id": "4cq1"}]
    });
}

#[tokio::test]
async fn further_spans_and_events_are_records_of_the_same_request() {
    let (trail, _tracing, _guard) = listening();
    request(&trail, async {
        create("1").await;
        create("2").await;
        tracing::info!(target: "audit::quota", action = "quota.use", detail.bytes = 7);
    })
    .await;
    assert_eq!(
        actions(&trail),
        ["document.create", "quota.use", "document.create"]
    );
    for record in trail.records() {
        assert_eq!(
            record.context.request_id.as_deref(),
            Some("r-1"),
            "{record:?}"
        );
        assert_eq!(record.actor, Some(Actor::user("146")));
    }
    assert_recorded!(trail, {"action": "quota.use", "outcome": "success", "details": {"bytes": 7}});
    assert_recorded!(trail, {"action": "document.create", "outcome": "unknown", "targets": [{"id": "2"}]});
}

#[tokio::test]
async fn a_span_within_the_naming_one_is_a_record_of_its_own() {
    let (trail, _tracing, _guard) = listening();
    request(&trail, async {
        let outer = tracing::info_span!(target: "audit", "order.place");
        let plain = tracing::info_span!(parent: &outer, "plain");
        create("1").instrument(plain).instrument(outer).await;
    })
    .await;
    assert_eq!(actions(&trail), ["document.create", "order.place"]);
}

#[tokio::test]
async fn an_event_without_an_action_is_of_the_nearest_span_or_job() {
    let (trail, _tracing, _guard) = listening();
    let say = |n: u8| tracing::info!(target: "audit", { detail.n = n }, "said");
    request(&trail, async {
        let outer = tracing::info_span!(target: "audit", "order.place").entered();
        tracing::info_span!(target: "audit", "order.pay").in_scope(|| say(2));
        drop(outer);
        say(1);
    })
    .await;
    assert_recorded!(trail, {"action": "order.pay", "details": {"n": 2}});
    assert_recorded!(trail, {"action": "order.place", "details": {"n": 1}});

    let job = trail.audit().scope(Record::system("mail.send"));
    let span = tracing::info_span!(target: "audit", "queue.drain");
    job.run(async { say(3) }).instrument(span).await;
    assert_recorded!(trail, {"action": "mail.send", "details": {"n": 3}});
    assert_recorded!(trail, {"action": "queue.drain", "outcome": "unknown"});
}

#[tokio::test]
async fn a_job_that_has_an_action_keeps_it() {
    let (trail, _tracing, _guard) = listening();
    trail
        .audit()
        .scope(Record::system("backup.prune"))
        .run(create("1"))
        .await;
    assert_eq!(actions(&trail), ["document.create", "backup.prune"]);
}

// Trap C10: a spawned task has no current scope; the span brings it.
#[tokio::test]
async fn a_spawned_task_finds_its_request_through_its_span() {
    let (trail, _tracing, _guard) = listening();
    request(&trail, async {
        let span = tracing::info_span!(target: "audit", "document.import");
        let work = async {
            assert!(tower_audit::AuditScope::current().is_none());
            tracing::info!(target: "audit", { detail.pages = 3 }, "read");
            tracing::info!(target: "audit", action = "page.add");
            create("1").await;
        };
        tokio::spawn(work.instrument(span)).await.unwrap();
    })
    .await;
    assert_recorded!(trail, {"action": "document.import", "details": {"pages": 3}});
    for action in ["page.add", "document.create"] {
        assert_recorded!(trail, {"action": action, "actor": {"id": "146"}, "context": {"request_id": "r-1"}});
    }
    assert_eq!(trail.records().len(), 3);
}

#[tokio::test]
async fn a_task_that_outlives_its_request_changes_its_record_no_more() {
    let (trail, _tracing, _guard) = listening();
    let span = request(&trail, async {
        tracing::info_span!(target: "audit", "document.import", detail.pages = Empty)
    })
    .await;
    span.record("detail.pages", 3);
    span.in_scope(|| tracing::info!(target: "audit", action = "page.add"));
    drop(span);
    assert_eq!(actions(&trail), ["document.import", "page.add"]);
    assert!(trail.records()[0].details.is_empty());
    assert_eq!(trail.audit().stats().late_setters, 1);
}

mod returns {
    use super::*;

    #[instrument(target = "audit", name = "report.make", skip_all, ret, err)]
    async fn make(
        result: Result<&'static str, &'static str>,
    ) -> Result<&'static str, &'static str> {
        tokio::task::yield_now().await;
        result
    }

    // Trap C20: `err` and `ret` make events with the span's target; there is one record, no value.
    #[tokio::test]
    async fn a_result_says_the_outcome_and_its_value_stays_out() {
        let (trail, tracing, _guard) = listening();
        let _ = make(Ok("CANARY")).await;
        assert_recorded!(trail, {"action": "report.make", "outcome": "success"});
        let _ = make(Err("disk on fire")).await;
        assert_recorded!(trail, {"outcome": "error", "error": {"message": "disk on fire"}, "reason": "disk on fire"});
        let lines = trail.lines();
        assert!(
            !lines.iter().any(|line| line.contains("CANARY")),
            "{lines:?}"
        );
        assert_eq!(trail.records().len(), 2);
        assert_eq!(tracing.counts(), tower_audit::TracingCounts::default());
    }

    #[tokio::test]
    async fn in_a_request_an_error_is_kept_and_a_value_leaves_the_outcome_open() {
        let (trail, _tracing, _guard) = listening();
        let _ = request(&trail, make(Err("disk on fire"))).await;
        assert_recorded!(trail, {"action": "report.make", "outcome": "error", "error": {"message": "disk on fire"}});
        let job = trail.audit().scope(Record::default());
        let _ = job
            .try_run(async { make(Ok("7")).await.and(Err::<(), _>("later")) })
            .await;
        assert_recorded!(trail, {"action": "report.make", "outcome": "error", "error": {"message": "later"}});
    }

    // Trap C21: dropped, as by a timeout, it closes like one that succeeded.
    #[tokio::test(start_paused = true)]
    async fn a_dropped_future_is_unknown_or_as_the_request_ended() {
        #[instrument(target = "audit", name = "report.wait", skip_all, ret)]
        async fn wait() -> u8 {
            pending().await
        }
        let (trail, _tracing, _guard) = listening();
        let limit = Duration::from_secs(1);
        tokio::time::timeout(limit, wait()).await.unwrap_err();
        assert_recorded!(trail, {"action": "report.wait", "outcome": "unknown"});
        tokio::time::timeout(limit, request(&trail, wait()))
            .await
            .unwrap_err();
        assert_recorded!(trail, {"action": "report.wait", "outcome": "cancelled"});
        assert_eq!(trail.records().len(), 2);
    }
}

#[tokio::test]
async fn a_span_that_is_opened_after_its_job_ended_is_a_record_of_its_own() {
    let (trail, _tracing, _guard) = listening();
    let span = request(&trail, async {
        tracing::info_span!(target: "audit", "order.place")
    })
    .await;
    create("1").instrument(span).await;
    assert_eq!(actions(&trail), ["order.place", "document.create"]);
    assert_recorded!(trail, {"action": "document.create", "context": {"request_id": "r-1"}});
}
