//! Spans and events of the target `audit` become records.

use std::{future::pending, time::Duration};

use serde_json::json;
use tower_audit::{
    Actor, AuditTracing, Record, assert_recorded,
    record::{ActorType, Outcome},
    testing::TestTrail,
};
use tracing::{Instrument, Span, field::Empty, instrument, subscriber::DefaultGuard};
use tracing_subscriber::layer::SubscriberExt;

/// A trail that listens to this thread, until the guard is dropped.
fn listening() -> (TestTrail, AuditTracing, DefaultGuard) {
    let tracing = AuditTracing::new();
    let subscriber = tracing_subscriber::registry().with(tracing.clone());
    let guard = tracing::subscriber::set_default(subscriber);
    let trail = TestTrail::with(|builder| builder.tracing(tracing.clone()));
    (trail, tracing, guard)
}

/// Runs the work as a request does: in a scope without an action.
async fn request<T>(trail: &TestTrail, work: impl Future<Output = T>) -> T {
    let mut draft = Record::default().actor(Actor::user("146"));
    draft.context.request_id = Some("r-1".into());
    trail.audit().scope(draft).run(work).await
}

fn actions(trail: &TestTrail) -> Vec<String> {
    let records = trail.records().into_iter();
    records
        .map(|record| record.action.as_str().to_owned())
        .collect()
}

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

// Trap R7: without `skip_all` every argument is a field.
#[tokio::test]
async fn an_argument_without_a_documented_name_never_reaches_the_trail() {
    struct Password(&'static str);
    impl std::fmt::Debug for Password {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("{} was formatted", self.0)
        }
    }
    #[instrument(target = "audit", name = "user.login")]
    async fn login(user: &str, password: Password, token: &str) -> usize {
        user.len() + password.0.len() + token.len()
    }
    let (trail, tracing, _guard) = listening();
    request(&trail, login("alice", Password("CANARY-1"), "CANARY-2")).await;
    login("alice", Password("CANARY-1"), "CANARY-2").await;
    let text = trail.lines().concat();
    assert_eq!(actions(&trail), ["user.login", "user.login"]);
    assert!(
        !text.contains("CANARY") && !text.contains("alice"),
        "{text}"
    );
    assert_eq!(tracing.counts().ignored_fields, 6);
}

#[test]
fn what_comes_before_the_start_is_kept_up_to_a_bound_and_written_by_it() {
    let tracing = AuditTracing::new();
    let _guard =
        tracing::subscriber::set_default(tracing_subscriber::registry().with(tracing.clone()));
    for n in 0..AuditTracing::MAX_EARLY + 3 {
        tracing::info!(target: "audit", action = "config.read", detail.n = n);
    }
    assert_eq!(tracing.counts().early_dropped, 3);
    let trail = TestTrail::with(|builder| builder.tracing(tracing.clone()));
    let numbers: Vec<_> = trail
        .records()
        .iter()
        .map(|record| record.details["n"].clone())
        .collect();
    let kept: Vec<_> = (0..AuditTracing::MAX_EARLY).map(|n| json!(n)).collect();
    assert_eq!(numbers, kept);
}

#[test]
fn after_the_shutdown_records_are_counted_until_another_trail_is_attached() {
    let (trail, tracing, _guard) = listening();
    let _ = trail.shutdown();
    tracing::info!(target: "audit", action = "config.read");
    assert_eq!(tracing.counts().refused, 1);
    let next = TestTrail::with(|builder| builder.tracing(tracing.clone()));
    tracing::info!(target: "audit", action = "config.write");
    assert_eq!(actions(&next), ["config.write"]);
}

#[test]
fn the_layer_keeps_no_trail_alive() {
    let (trail, tracing, _guard) = listening();
    let disk = trail.disk().clone();
    drop(trail);
    tracing::info!(target: "audit", action = "config.read");
    assert_eq!(tracing.counts().refused, 1);
    let next = TestTrail::on(&disk, |builder| builder);
    assert_recorded!(next, {"action": "audit.start", "details": {"last_run": "in order"}});
}

#[test]
fn an_event_that_nobody_can_place_is_counted() {
    let (trail, tracing, _guard) = listening();
    tracing::info!(target: "audit", "somebody logged in");
    tracing::info!(target: "auditor", action = "not.ours");
    tracing::info!(action = "not.ours");
    assert_eq!(actions(&trail), [""; 0]);
    assert_eq!(tracing.counts().ignored_events, 1);
}

#[test]
fn every_documented_field_has_its_place_in_the_record() {
    let (trail, tracing, _guard) = listening();
    tracing::info!(
        target: "audit",
        action = "member.add", category = "team", outcome = "failure", reason = "full",
        error = "limit", error.type = "QuotaError", error.code = 409,
        actor.type = "service", actor.id = 7, actor.name = "sync", actor.email = "s@example.org",
        actor.claimed = "root", actor.auth_method = "mtls",
        target.type = "user", target.id = "u1", target.name = "Alice",
    );
    tracing::info!(
        target: "audit",
        action = "member.add",
        tenant.id = "t1", tenant.name = "T", tenant.domain = "t.example.org",
        application.id = "web", application.name = "Console",
        change.role.previous = "guest", change.role.current = "admin", change.limit.current = 5,
        detail.a.b = true, detail.a.c = 1.5, detail.list = ?[1, 2],
    );
    assert_recorded!(trail, {
        "action": "member.add", "category": "team", "outcome": "failure", "reason": "full",
        "error": {"message": "limit", "type": "QuotaError", "code": "409"},
        "actor": {"type": "service", "id": "7", "name": "sync", "email": "s@example.org",
                  "claimed": "root", "auth_method": "mtls"},
        "targets": [{"type": "user", "id": "u1", "name": "Alice"}]
    });
    assert_recorded!(trail, {
        "tenant": {"id": "t1", "name": "T", "domain": "t.example.org"},
        "application": {"id": "web", "name": "Console"},
        "changes": [{"field": "role", "previous": "guest", "current": "admin"}, {"field": "limit", "current": 5}],
        "details": {"a": {"b": true, "c": 1.5}, "list": "[1, 2]"}
    });
    assert_eq!(tracing.counts().ignored_fields, 0);
}

#[test]
fn an_actor_is_completed_or_replaced_as_its_id_says() {
    let (trail, _tracing, _guard) = listening();
    let kind = |n: usize| trail.records()[n].actor.clone().map(|actor| actor.kind);
    tracing::info!(target: "audit", action = "user.login", actor.claimed = "alice");
    tracing::info!(target: "audit", action = "user.login", actor.id = 146);
    assert_eq!(kind(0), Some(ActorType::Anonymous));
    assert_eq!(kind(1), Some(ActorType::User));
    let span = tracing::info_span!(target: "audit", "user.switch", actor.id = 1, actor.name = "Alice", actor.email = Empty);
    span.record("actor.email", "a@example.org");
    span.in_scope(|| tracing::info!(target: "audit", { actor.id = 2 }, "switched"));
    drop(span);
    assert_eq!(trail.records()[2].actor, Some(Actor::user("2")));
    assert_eq!(trail.records()[2].outcome, Some(Outcome::Unknown));
}
