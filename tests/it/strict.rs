//! What a request waits for, and what is refused, when the trail cannot be written.

use std::{
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use axum::{
    body::Body,
    http::{Request, Response, StatusCode},
};
use http_body_util::BodyExt;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_audit::{
    Audit, AuditScope, Receipt, Record, assert_recorded,
    policy::{Policy, Rule},
    record::{Assurance, OnFailure, Outcome},
    testing::{
        TestTrail,
        disk::{Call, Crash, Fault, TestDisk},
    },
};

use crate::support::web::{post, step};

/// Long enough for the first commit of a trail, also on a machine that is busy with other tests.
const TIME_OUT: Duration = Duration::from_secs(1);

fn only(trail: &TestTrail) -> Record {
    let mut records = trail.records();
    assert_eq!(records.len(), 1, "{records:?}");
    records.remove(0)
}

fn all(assurance: Assurance, on_failure: OnFailure) -> Policy {
    let rule = Rule::new("all").assurance(assurance).on_failure(on_failure);
    Policy::new().rule(rule)
}

fn trail(assurance: Assurance, on_failure: OnFailure) -> TestTrail {
    TestTrail::with(|builder| builder.policy(all(assurance, on_failure)))
}

/// How often the handler ran.
type Runs = Arc<AtomicUsize>;

fn handler(
    audit: &Audit,
) -> (
    impl Service<
        Request<Body>,
        Response = Response<impl http_body::Body<Data = bytes::Bytes, Error: std::fmt::Debug>>,
        Error = Infallible,
    > + Clone,
    Runs,
) {
    let runs = Runs::default();
    let counted = Arc::clone(&runs);
    let service = service_fn(move |request: Request<Body>| {
        counted.fetch_add(1, Ordering::SeqCst);
        let scope = request.extensions().get::<AuditScope>().unwrap();
        scope.action("role.change");
        std::future::ready(Ok::<_, Infallible>(Response::new(Body::from("done"))))
    });
    (audit.layer().layer(service), runs)
}

fn break_disk(trail: &TestTrail) {
    let fault = Fault::eio([Call::Sync]).until_cleared();
    trail.disk().inject(fault);
}

/// Breaks the disk, and lets the trail notice.
async fn fail(trail: &TestTrail) {
    break_disk(trail);
    let noticed = trail.audit().commit(Record::new("disk.notice")).await;
    assert!(noticed.is_err(), "{noticed:?}");
    assert!(trail.audit().stats().failing);
}

// Trap J13: whatever happens to the process, it is known what was begun.
#[tokio::test]
async fn a_strict_request_is_on_disk_before_its_handler_runs() {
    let trail = trail(Assurance::Strict, OnFailure::Refuse);
    let (disk, crashed) = (trail.disk().clone(), Arc::new(std::sync::Mutex::new(None)));
    let taken = Arc::clone(&crashed);
    let service = trail
        .audit()
        .layer()
        .layer(service_fn(move |_: Request<Body>| {
            let crash = disk.after_crash(Crash::losing_all());
            *taken.lock().unwrap() = Some(crash);
            std::future::ready(Ok::<_, Infallible>(Response::new(Body::empty())))
        }));
    let response = service.oneshot(post("/roles")).await.unwrap();
    assert!(response.extensions().get::<Receipt>().is_some());
    assert_recorded!(trail, {"action": "POST", "outcome": "success"});
    assert_eq!(trail.audit().stats().open_intents, 0);
    let crashed: TestDisk = crashed.lock().unwrap().take().unwrap();
    let again = TestTrail::on(&crashed, |builder| builder);
    assert_recorded!(again, {"action": "POST", "outcome": "unknown", "context": {"http": {"method": "POST"}}});
}

#[tokio::test]
async fn a_strict_request_is_refused_before_its_handler_runs_when_the_trail_cannot_be_written() {
    let trail = trail(Assurance::Strict, OnFailure::Refuse);
    let (service, runs) = handler(trail.audit());
    break_disk(&trail);
    let response = service.oneshot(post("/roles")).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["retry-after"], "5");
    assert_eq!(response.headers()["content-type"], "application/json");
    let body = response.into_body().collect().await.unwrap();
    let body: serde_json::Value = serde_json::from_slice(&body.to_bytes()).unwrap();
    assert_eq!(body["error"], "audit_unavailable");
    assert_eq!(runs.load(Ordering::SeqCst), 0);
    trail.disk().clear_faults();
    assert_eq!(trail.shutdown().unstored, 0);
    assert_recorded!(trail, {"outcome": "error", "context": {"http": {"status": 503}}});
    let stats = trail.audit().stats();
    assert_eq!((stats.refused, stats.open_intents), (1, 0));
}

#[tokio::test]
async fn while_the_trail_fails_refuse_answers_at_once_and_continue_does_not_wait() {
    for (assurance, on_failure, expected, ran) in [
        (Assurance::Strict, OnFailure::Refuse, 503, 0),
        (Assurance::Durable, OnFailure::Refuse, 503, 0),
        (Assurance::Buffered, OnFailure::Refuse, 503, 0),
        (Assurance::Durable, OnFailure::Continue, 200, 1),
        (Assurance::Buffered, OnFailure::Continue, 200, 1),
        (Assurance::Strict, OnFailure::Continue, 200, 1),
    ] {
        let case = format!("{assurance:?} {on_failure:?}");
        let trail = trail(assurance, on_failure);
        fail(&trail).await;
        let (mut service, runs) = handler(trail.audit());
        let mut response = Box::pin(service.call(post("/roles")));
        let Poll::Ready(Ok(response)) = step(response.as_mut()) else {
            panic!("{case}: it waited");
        };
        assert_eq!(response.status().as_u16(), expected, "{case}");
        assert_eq!(runs.load(Ordering::SeqCst), ran, "{case}");
        assert!(response.extensions().get::<Receipt>().is_none(), "{case}");
        trail.disk().clear_faults();
        assert_eq!(trail.shutdown().unstored, 0, "{case}");
        let records = trail.records();
        assert_eq!(records.len(), 2, "{case}: {records:?}");
    }
}

#[tokio::test]
async fn when_the_trail_works_again_nobody_is_refused() {
    let trail = trail(Assurance::Strict, OnFailure::Refuse);
    fail(&trail).await;
    let (service, runs) = handler(trail.audit());
    let refused = service.clone().oneshot(post("/roles")).await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    trail.disk().clear_faults();
    crate::support::web::until("the trail recovers", || !trail.audit().stats().failing).await;
    let served = service.oneshot(post("/roles")).await.unwrap();
    assert_eq!(served.status(), StatusCode::OK);
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn with_continue_an_answer_is_given_although_its_intent_could_not_be_kept() {
    let trail = trail(Assurance::Strict, OnFailure::Continue);
    let (service, runs) = handler(trail.audit());
    break_disk(&trail);
    let response = service.oneshot(post("/roles")).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes(),
        "done"
    );
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    assert_eq!(trail.audit().stats().served_unsynced, 1);
    trail.disk().clear_faults();
    assert_eq!(trail.shutdown().unstored, 0);
    assert_eq!(only(&trail).outcome, Some(Outcome::Success));
}

#[test]
fn a_durable_head_is_held_until_the_record_is_on_disk_and_carries_the_receipt() {
    let trail = trail(Assurance::Durable, OnFailure::Continue);
    let (mut service, _) = handler(trail.audit());
    trail.disk().stall(Call::Sync);
    let mut response = Box::pin(service.call(post("/roles")));
    assert!(step(response.as_mut()).is_pending());
    assert!(trail.disk().wait_stalled(Call::Sync, 1));
    assert!(step(response.as_mut()).is_pending());
    trail.disk().release(Call::Sync);
    let response = block_on(response).unwrap();
    let receipt = response.extensions().get::<Receipt>().unwrap().clone();
    let record = only(&trail);
    assert_eq!(Some(receipt.id), record.id());
    assert!(receipt.tree_size > receipt.number);
}

#[test]
fn a_buffered_head_is_not_held() {
    let trail = trail(Assurance::Buffered, OnFailure::Continue);
    let (mut service, _) = handler(trail.audit());
    trail.disk().stall(Call::Sync);
    let mut response = Box::pin(service.call(post("/roles")));
    assert!(step(response.as_mut()).is_ready());
    trail.disk().release(Call::Sync);
    only(&trail);
}

#[tokio::test]
async fn a_sync_that_hangs_holds_an_answer_no_longer_than_the_time_out() {
    let policy = all(Assurance::Durable, OnFailure::Continue);
    let trail = TestTrail::with(|builder| builder.policy(policy).commit_timeout(TIME_OUT));
    let (service, _) = handler(trail.audit());
    trail.disk().stall(Call::Sync);
    let response = service.oneshot(post("/roles")).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.extensions().get::<Receipt>().is_none());
    let stats = trail.audit().stats();
    assert!(stats.served_unsynced == 1 && stats.failing, "{stats:?}");
    trail.disk().release(Call::Sync);
    assert_eq!(trail.shutdown().unstored, 0);
    assert_eq!(only(&trail).outcome, Some(Outcome::Success));
}

#[tokio::test]
async fn a_sync_that_hangs_refuses_a_strict_request_at_the_time_out() {
    let policy = all(Assurance::Strict, OnFailure::Refuse);
    let trail = TestTrail::with(|builder| builder.policy(policy).commit_timeout(TIME_OUT));
    let (service, runs) = handler(trail.audit());
    trail.disk().stall(Call::Sync);
    let response = service.oneshot(post("/roles")).await.unwrap();
    assert_eq!(response.headers()["retry-after"], "1");
    assert_eq!(runs.load(Ordering::SeqCst), 0);
    trail.disk().release(Call::Sync);
    assert_eq!(trail.shutdown().unstored, 0);
    assert_eq!(only(&trail).outcome, Some(Outcome::Error));
}

/// A trail whose queue is full for as long as its disk hangs.
fn full(on_failure: OnFailure) -> TestTrail {
    let policy = all(Assurance::Durable, on_failure);
    let trail = TestTrail::with(|builder| builder.policy(policy).queue_limit(4096));
    trail.disk().stall(Call::Sync);
    while trail.audit().record(Record::new("queue.fill")).is_ok() {}
    assert!(trail.disk().wait_stalled(Call::Sync, 1));
    trail
}

#[test]
fn with_continue_a_full_queue_is_counted_and_changes_no_answer() {
    let trail = full(OnFailure::Continue);
    let (mut service, runs) = handler(trail.audit());
    let mut response = Box::pin(service.call(post("/roles")));
    let Poll::Ready(Ok(response)) = step(response.as_mut()) else {
        panic!("a request that cannot be recorded waited");
    };
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    let stats = trail.audit().stats();
    assert_eq!((stats.not_admitted, stats.refused), (1, 0));
    assert!(
        stats.rejected_full >= 2,
        "at the door, and at the end: {stats:?}"
    );
    trail.disk().release(Call::Sync);
}

#[test]
fn with_refuse_a_full_queue_is_waited_for() {
    let trail = full(OnFailure::Refuse);
    let (mut service, runs) = handler(trail.audit());
    let mut response = Box::pin(service.call(post("/roles")));
    assert!(step(response.as_mut()).is_pending());
    assert_eq!(runs.load(Ordering::SeqCst), 0);
    trail.disk().release(Call::Sync);
    let response = block_on(response).unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_recorded!(trail, {"action": "role.change", "outcome": "success"});
    assert_eq!(trail.audit().stats().refused, 0);
}

#[test]
fn with_refuse_a_full_queue_that_stays_full_is_a_503() {
    let trail = full(OnFailure::Refuse);
    let (mut service, runs) = handler(trail.audit());
    let mut response = Box::pin(service.call(post("/roles")));
    assert!(step(response.as_mut()).is_pending());
    break_disk(&trail);
    trail.disk().release(Call::Sync);
    let response = block_on(response).unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(runs.load(Ordering::SeqCst), 0);
    assert_eq!(trail.audit().stats().refused, 1);
    trail.disk().clear_faults();
    assert_eq!(trail.shutdown().unstored, 0);
}

// Trap C3: the client is gone before the handler began.
#[test]
fn a_client_gone_while_the_intent_is_synced_leaves_no_open_intent() {
    let trail = trail(Assurance::Strict, OnFailure::Refuse);
    let (mut service, runs) = handler(trail.audit());
    trail.disk().stall(Call::Sync);
    let mut response = Box::pin(service.call(post("/roles")));
    assert!(step(response.as_mut()).is_pending());
    drop(response);
    trail.disk().release(Call::Sync);
    assert_eq!(only(&trail).outcome, Some(Outcome::Cancelled));
    assert_eq!(runs.load(Ordering::SeqCst), 0);
    assert_eq!(trail.audit().stats().open_intents, 0);
}

#[test]
fn a_strict_handler_that_panics_or_is_dropped_settles_its_intent() {
    for panics in [true, false] {
        let trail = trail(Assurance::Strict, OnFailure::Refuse);
        let begun = Arc::new(AtomicBool::new(false));
        let begins = Arc::clone(&begun);
        let handle = move |_: Request<Body>| {
            let begins = Arc::clone(&begins);
            async move {
                begins.store(true, Ordering::SeqCst);
                assert!(!panics, "on purpose");
                std::future::pending::<Result<Response<Body>, Infallible>>().await
            }
        };
        let mut service = trail.audit().layer().layer(service_fn(handle));
        let mut response = Box::pin(service.call(post("/roles")));
        let mut panicked = false;
        while !begun.load(Ordering::SeqCst) {
            let poll = || step(response.as_mut()).is_ready();
            panicked = catch_unwind(AssertUnwindSafe(poll)).is_err();
        }
        assert_eq!(panicked, panics);
        assert_eq!(trail.audit().stats().open_intents, u64::from(!panics));
        drop(response);
        let expected = if panics {
            Outcome::Error
        } else {
            Outcome::Cancelled
        };
        assert_eq!(only(&trail).outcome, Some(expected));
        assert_eq!(trail.audit().stats().open_intents, 0);
    }
}

// `scope.commit()`: `Strict` from here on, whatever the policy says of the request.
#[test]
fn after_an_intent_of_the_handler_its_answer_waits_for_the_record() {
    let skip = Policy::new().rule(Rule::new("none").outcome(Outcome::Success).skip());
    for policy in [all(Assurance::Buffered, OnFailure::Continue), skip] {
        let trail = TestTrail::with(|builder| builder.policy(policy));
        let disk = trail.disk().clone();
        let done = Arc::new(AtomicBool::new(false));
        let does = Arc::clone(&done);
        let handle = move |request: Request<Body>| {
            let scope = request.extensions().get::<AuditScope>().unwrap().clone();
            let (disk, does) = (disk.clone(), Arc::clone(&does));
            async move {
                scope.action("role.change").commit().await.unwrap();
                disk.stall(Call::Sync);
                does.store(true, Ordering::SeqCst);
                Ok::<_, Infallible>(Response::new(Body::empty()))
            }
        };
        let mut service = trail.audit().layer().layer(service_fn(handle));
        let mut response = Box::pin(service.call(post("/roles")));
        while !done.load(Ordering::SeqCst) {
            assert!(step(response.as_mut()).is_pending(), "it did not wait");
        }
        assert!(trail.disk().wait_stalled(Call::Sync, 1));
        assert!(step(response.as_mut()).is_pending());
        trail.disk().release(Call::Sync);
        let response = block_on(response).unwrap();
        assert!(response.extensions().get::<Receipt>().is_some());
        assert_eq!(only(&trail).outcome, Some(Outcome::Success));
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(future)
}
