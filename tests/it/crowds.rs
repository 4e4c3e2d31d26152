//! Many requests at once, and requests at the end of a trail.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{Request, Response, StatusCode},
};
use http_body_util::BodyExt;
use tokio::sync::Semaphore;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_audit::{
    AuditScope,
    policy::{Policy, Rule, Until},
    record::{Assurance, OnFailure},
    testing::TestTrail,
};

use crate::support::web::{Line, Script, pause, post, step};

fn under(rule: Rule) -> TestTrail {
    TestTrail::with(|builder| builder.policy(Policy::new().rule(rule)))
}

/// Ends as its path says.
async fn ends(request: Request<Body>) -> Result<Response<Script>, &'static str> {
    let scope = request.extensions().get::<AuditScope>().unwrap();
    scope
        .action("work.do")
        .actor(tower_audit::Actor::user("146"));
    for _ in 0..3 {
        pause().await;
    }
    match request.uri().path() {
        "/error" => Err("on purpose"),
        "/panic" => panic!("on purpose"),
        "/break" => Ok(Script::respond([Line::Data("a"), Line::Break])),
        _ => Ok(Script::respond([Line::Data("a"), Line::Pause])),
    }
}

const KINDS: [(&str, &str); 6] = [
    ("/well", "success"),
    ("/error", "error"),
    ("/panic", "error"),
    ("/break", "error"),
    ("/left", "cancelled"),
    ("/half", "cancelled"),
];

/// Sends one request, and does with its answer what its path says.
async fn play<S, B>(mut service: S, path: &'static str, polls: usize)
where
    S: Service<Request<Body>, Response = Response<B>, Error = &'static str>,
    B: http_body::Body,
{
    let mut response = Box::pin(service.call(post(path)));
    if path == "/left" {
        for _ in 0..=polls {
            let _ = step(response.as_mut());
        }
        return;
    }
    if let Ok(response) = response.await {
        let mut body = Box::pin(response.into_body());
        let _ = body.frame().await;
        if path != "/half" {
            while let Some(Ok(_)) = body.frame().await {}
        }
    }
}

// Trap C3, C4: each exactly once, whoever comes first in which thread.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_request_of_many_at_once_leaves_exactly_one_record() {
    const EACH: usize = 60;
    for assurance in [Assurance::Buffered, Assurance::Strict] {
        let trail = under(Rule::new("all").assurance(assurance).until(Until::Body));
        let service = trail.audit().layer().layer(service_fn(ends));
        let mut tasks = Vec::new();
        for turn in 0..EACH {
            for (path, _) in KINDS {
                tasks.push(tokio::spawn(play(service.clone(), path, turn % 3)));
            }
        }
        for task in tasks {
            let _ = task.await;
        }
        let mut expected = BTreeMap::new();
        for (_, outcome) in KINDS {
            *expected.entry(outcome).or_insert(0) += EACH;
        }
        let mut found = BTreeMap::new();
        for record in trail.records() {
            *found.entry(record.outcome.unwrap().as_str()).or_insert(0) += 1;
        }
        assert_eq!(found, expected, "{assurance:?}");
        let stats = trail.audit().stats();
        assert_eq!(stats.emitted, stats.stored + stats.queued + stats.lost);
        assert_eq!(
            (stats.open_scopes, stats.open_intents),
            (0, 0),
            "{assurance:?}"
        );
    }
}

/// A service that answers when it is let.
fn gated(
    trail: &TestTrail,
    gate: Arc<Semaphore>,
) -> impl Service<
    Request<Body>,
    Response = Response<tower_audit::capture::AuditBody<Body>>,
    Error = Infallible,
    Future: Send + 'static,
> + Clone {
    trail
        .audit()
        .layer()
        .layer(service_fn(move |request: Request<Body>| {
            let gate = Arc::clone(&gate);
            async move {
                let scope = request.extensions().get::<AuditScope>().unwrap();
                scope.action("work.do");
                gate.acquire().await.unwrap().forget();
                Ok::<_, Infallible>(Response::new(Body::empty()))
            }
        }))
}

#[tokio::test]
async fn a_shutdown_waits_for_requests_that_run_and_has_their_records() {
    let trail = under(Rule::new("all"));
    let gate = Arc::new(Semaphore::new(0));
    let mut service = gated(&trail, Arc::clone(&gate));
    let mut response = Box::pin(service.call(post("/")));
    assert!(step(response.as_mut()).is_pending());
    let audit = trail.audit().clone();
    let shutdown = tokio::spawn(async move { audit.shutdown(Duration::from_secs(30)).await });
    gate.add_permits(1);
    let response = response.await.unwrap();
    assert!(
        response
            .extensions()
            .get::<tower_audit::Receipt>()
            .is_some()
    );
    let report = shutdown.await.unwrap();
    assert!(report.in_order && report.unfinished == 0, "{report}");
    assert_eq!(trail.records().len(), 1);
}

#[tokio::test]
async fn after_a_shutdown_refuse_refuses_and_continue_serves_and_counts() {
    for (on_failure, expected) in [
        (OnFailure::Refuse, StatusCode::SERVICE_UNAVAILABLE),
        (OnFailure::Continue, StatusCode::OK),
    ] {
        for assurance in [Assurance::Buffered, Assurance::Durable, Assurance::Strict] {
            let trail = under(Rule::new("all").assurance(assurance).on_failure(on_failure));
            assert!(trail.shutdown().in_order);
            let gate = Arc::new(Semaphore::new(1));
            let service = gated(&trail, Arc::clone(&gate));
            let response = service.oneshot(post("/")).await.unwrap();
            assert_eq!(response.status(), expected, "{assurance:?}");
            let ran = gate.available_permits() == 0;
            assert_eq!(ran, on_failure == OnFailure::Continue, "{assurance:?}");
            assert!(trail.audit().stats().rejected_closed >= 1);
        }
    }
}

#[tokio::test]
async fn requests_of_which_nobody_knows_the_peer_are_counted_when_they_are_recorded() {
    let trail = under(Rule::new("all").route("/"));
    let layer = trail
        .audit()
        .layer()
        .route(|parts| Some(parts.uri.path().to_owned()));
    let app = layer.layer(service_fn(async |_: Request<Body>| {
        Ok::<_, Infallible>(Response::new(Body::empty()))
    }));
    let mut read = post("/skipped");
    *read.method_mut() = http::Method::GET;
    app.clone().oneshot(read).await.unwrap();
    app.oneshot(post("/")).await.unwrap();
    let text = trail.audit().prometheus();
    for line in [
        "audit_requests_without_peer_total 1",
        "audit_requests_skipped_total 1",
    ] {
        assert!(text.lines().any(|it| it == line), "{line}: {text}");
    }
}
