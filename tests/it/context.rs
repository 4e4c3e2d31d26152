//! Where the scope is found, what of the route is known, and what layers say to each other.

use std::convert::Infallible;

use axum::{
    Router,
    body::Body,
    http::{HeaderValue, Request, Response, StatusCode},
    routing::{any, get, post as on_post},
};
use http_body_util::BodyExt;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_audit::{
    Actor, Audit, AuditLayer, AuditScope, Record, assert_recorded,
    capture::ActorLayer,
    policy::{Policy, Rule},
    testing::{Canary, TestTrail},
};

use crate::support::web::{get as get_of, pause, post, step};

fn only(trail: &TestTrail) -> Record {
    let mut records = trail.records();
    assert_eq!(records.len(), 1, "{records:?}");
    records.remove(0)
}

async fn plain() {}

async fn with_scope(_: AuditScope) {}

async fn with_optional_scope(_: Option<AuditScope>) {}

fn nested() -> Router {
    let api = Router::new()
        .route("/documents/{id}", on_post(plain))
        .fallback(plain);
    Router::new()
        .nest("/api/{version}", api)
        .nest_service("/service", Router::new().route("/x/{y}", on_post(plain)))
        .route("/with", on_post(with_scope))
        .route("/optional", on_post(with_optional_scope))
        .route("/plain", on_post(plain))
        .route("/any/{*rest}", any(plain))
}

/// Everything is recorded, also what has no route.
fn all() -> TestTrail {
    TestTrail::with(|builder| builder.policy(Policy::new().rule(Rule::new("all"))))
}

/// How the layer gets around the routes.
type Around = fn(AuditLayer, Router) -> Router;

fn by_router(audit: AuditLayer, routes: Router) -> Router {
    routes.layer(audit)
}

/// As one who wraps the finished app: axum tells such a layer nothing.
fn around(audit: AuditLayer, routes: Router) -> Router {
    Router::new().fallback_service(audit.layer(routes))
}

fn with_actor(audit: AuditLayer, routes: Router) -> Router {
    let actor = ActorLayer::new(|_| Some(Actor::user("146")));
    around(audit, routes.layer(actor))
}

fn twice(audit: AuditLayer, routes: Router) -> Router {
    around(audit.clone(), routes.layer(audit))
}

/// What is asked for, how the layer stands to it, and the route that is known.
const ROUTES: [(Around, &str, Option<&str>); 9] = [
    (
        by_router,
        "/api/1/documents/7",
        Some("/api/{version}/documents/{id}"),
    ),
    (by_router, "/api/1/none", None),
    (by_router, "/none", None),
    (by_router, "/any/a/b", Some("/any/{*rest}")),
    (around, "/plain", None),
    (around, "/with", Some("/with")),
    (around, "/optional", Some("/optional")),
    (with_actor, "/plain", Some("/plain")),
    (twice, "/plain", Some("/plain")),
];

// Trap C7: the template, the whole template, and never the path instead.
#[tokio::test]
async fn the_route_is_known_where_axum_tells_it() {
    for (row, (around, path, expected)) in ROUTES.into_iter().enumerate() {
        let trail = all();
        let app = around(trail.audit().layer(), nested());
        app.oneshot(post(path)).await.unwrap();
        let record = only(&trail);
        let route = record.context.http.unwrap().route;
        assert_eq!(route.as_deref(), expected, "row {row}: {path}");
        let action = expected.map_or_else(|| "POST".to_owned(), |route| format!("POST {route}"));
        assert_eq!(record.action.as_str(), action, "row {row}: {path}");
    }
}

// Trap C7: of a nested service axum knows the prefix only; it must not be the path at least.
#[tokio::test]
async fn a_nested_service_leaves_no_path() {
    let trail = all();
    let app = nested().layer(trail.audit().layer());
    app.oneshot(post("/service/x/secret")).await.unwrap();
    let lines = trail.lines();
    assert!(
        !lines.iter().any(|line| line.contains("secret")),
        "{lines:?}"
    );
    only(&trail);
}

// Trap C7: a layer for routes only does not see what matches none.
#[tokio::test]
async fn a_route_layer_records_routes_and_nothing_else() {
    let trail = all();
    let app = nested().route_layer(trail.audit().layer());
    let response = app.clone().oneshot(post("/none")).await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(trail.records(), []);
    app.oneshot(post("/plain")).await.unwrap();
    assert_eq!(only(&trail).action, "POST /plain");
}

// Bad input: an extractor without the layer fails loudly, an optional one does without.
#[tokio::test]
async fn an_extractor_without_the_layer_says_what_is_missing() {
    let response = nested().oneshot(post("/with")).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(body.to_vec()).unwrap();
    assert!(
        text.contains("no AuditLayer is around this route"),
        "{text}"
    );
    let response = nested().oneshot(post("/optional")).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

// Trap C10: a clone goes with the task.
#[tokio::test]
async fn a_cloned_scope_works_in_tasks_and_on_blocking_threads() {
    let trail = TestTrail::start();
    let app = Router::new()
        .route(
            "/",
            get(|scope: AuditScope| async move {
                let (in_task, on_thread) = (scope.clone(), scope.clone());
                tokio::spawn(async move {
                    assert!(
                        AuditScope::current().is_none(),
                        "a task does not inherit it"
                    );
                    in_task.action("work.do").detail("task", true);
                })
                .await
                .unwrap();
                let done = tokio::task::spawn_blocking(move || {
                    on_thread.detail("thread", true);
                    on_thread.record(Record::new("work.part")).unwrap();
                });
                done.await.unwrap();
                let late = scope.clone();
                tokio::spawn(async move {
                    while !late.is_finished() {
                        tokio::task::yield_now().await;
                    }
                    late.detail("late", true);
                });
            }),
        )
        .layer(trail.audit().layer());
    app.oneshot(get_of("/")).await.unwrap();
    let record =
        assert_recorded!(trail, {"action": "work.do", "details": {"task": true, "thread": true}});
    assert!(!record.details.contains_key("late"));
    assert_recorded!(trail, {"action": "work.part", "context": {"http": {"route": "/"}}});
    crate::support::web::until("the late setter is counted", || {
        trail.audit().stats().late_setters == 1
    })
    .await;
}

/// Answers with the id of the scope that is current, at the start and after a pause.
fn which()
-> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
+ Clone
+ Send {
    service_fn(async |_: Request<Body>| {
        let scope = AuditScope::current().unwrap();
        scope.action("work.do");
        pause().await;
        assert_eq!(AuditScope::current().unwrap().id(), scope.id());
        let id = scope.id().to_string();
        Ok::<_, Infallible>(Response::new(Body::from(id)))
    })
}

#[tokio::test]
async fn two_layers_of_one_trail_leave_one_record() {
    let trail = TestTrail::start();
    let layer = trail.audit().layer();
    let service = layer.layer(layer.clone().layer(trail.audit().layer().layer(which())));
    service.oneshot(post("/")).await.unwrap();
    assert_eq!(only(&trail).action, "work.do");
}

// Who passes a request on when it was answered, with all that it carried, begins another one.
#[tokio::test]
async fn a_request_that_carries_a_finished_scope_is_recorded_again() {
    let trail = TestTrail::start();
    let carried = std::sync::Arc::new(std::sync::Mutex::new(None));
    let carries = std::sync::Arc::clone(&carried);
    let first = trail
        .audit()
        .layer()
        .layer(service_fn(move |request: Request<Body>| {
            let scope: Option<&AuditScope> = request.extensions().get();
            scope.unwrap().action("work.accept");
            *carries.lock().unwrap() = Some(request);
            std::future::ready(Ok::<_, Infallible>(Response::new(Body::empty())))
        }));
    first.oneshot(post("/")).await.unwrap();
    let again = carried.lock().unwrap().take().unwrap();
    trail
        .audit()
        .layer()
        .layer(which())
        .oneshot(again)
        .await
        .unwrap();
    let actions: Vec<_> = trail
        .records()
        .into_iter()
        .map(|record| record.action)
        .collect();
    assert_eq!(actions, ["work.accept", "work.do"]);
}

#[tokio::test]
async fn two_layers_of_two_trails_leave_one_record_each() {
    let (outer, inner) = (TestTrail::start(), TestTrail::start());
    let service = outer
        .audit()
        .layer()
        .layer(inner.audit().layer().layer(which()));
    let response = service.oneshot(post("/")).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let inner = only(&inner);
    assert_eq!(inner.action, "work.do", "the nearest is the current one");
    assert_eq!(inner.id().unwrap().to_string(), body);
    assert_eq!(only(&outer).action, "POST", "nobody named it there");
}

fn scope_of(audit: &Audit, name: &'static str) -> impl Future<Output = ()> + use<> {
    audit.scope(Record::new(name)).run(async {
        let own = AuditScope::current().unwrap();
        pause().await;
        assert_eq!(AuditScope::current().unwrap().id(), own.id());
    })
}

#[test]
fn the_current_scope_is_restored_after_each_poll_whatever_is_polled_within() {
    let trail = TestTrail::start();
    let mut service = trail.audit().layer().layer(service_fn({
        let audit = trail.audit().clone();
        move |_: Request<Body>| {
            let job = scope_of(&audit, "job.run");
            async move {
                let own = AuditScope::current().unwrap();
                own.action("work.do");
                let mut job = Box::pin(job);
                assert!(step(job.as_mut()).is_pending());
                assert_eq!(AuditScope::current().unwrap().id(), own.id());
                pause().await;
                job.await;
                assert_eq!(AuditScope::current().unwrap().id(), own.id());
                Ok::<_, Infallible>(Response::new(Body::empty()))
            }
        }
    }));
    let other = trail.audit().scope(Record::new("outer.job"));
    let mut outer = Box::pin(other.run(async move {
        let outer = AuditScope::current().unwrap();
        let mut response = Box::pin(service.call(post("/")));
        while step(response.as_mut()).is_pending() {
            assert_eq!(AuditScope::current().unwrap().id(), outer.id());
        }
        assert_eq!(AuditScope::current().unwrap().id(), outer.id());
    }));
    while step(outer.as_mut()).is_pending() {
        assert!(AuditScope::current().is_none());
    }
    assert!(AuditScope::current().is_none());
    assert_eq!(trail.records().len(), 3);
}

// A handler finds a scope where the policy wants no record: its code and its answer are the same.
#[tokio::test]
async fn a_skipped_request_finds_a_scope_that_writes_nothing_and_counts_nothing() {
    let policy = Policy::new().rule(Rule::new("health").route("/with").skip());
    let trail = TestTrail::with(|builder| builder.policy(policy));
    let said = |scope: AuditScope| async move {
        assert!(scope.is_finished());
        scope.action("health.check").detail("a", 1).success();
    };
    let app = Router::new()
        .route("/with", on_post(said))
        .layer(ActorLayer::new(|_| Some(Actor::user("146"))))
        .layer(trail.audit().layer());
    let response = app.oneshot(post("/with")).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(trail.records(), []);
    let stats = trail.audit().stats();
    assert_eq!((stats.skipped, stats.late_setters), (1, 0));
}

// Trap C2: who brings no credential did not try to log in.
#[tokio::test]
async fn no_credential_is_not_a_wrong_one() {
    let authenticate = |request: Request<Body>| async move {
        let scope = AuditScope::current().unwrap();
        match request.headers().get("authorization") {
            Some(_) => scope.action("user.login").denied("wrong password"),
            None => &scope,
        };
        StatusCode::UNAUTHORIZED
    };
    let trail = TestTrail::start();
    let app = Router::new()
        .route("/documents/{id}", on_post(authenticate))
        .layer(trail.audit().layer());
    for credential in [None, Some("Basic d3Jvbmc6b25l")] {
        let mut request = post("/documents/7");
        if let Some(credential) = credential {
            let credential = HeaderValue::from_static(credential);
            request.headers_mut().insert("authorization", credential);
        }
        app.clone().oneshot(request).await.unwrap();
    }
    tower_audit::assert_recorded!(trail, {"action": "POST /documents/{id}", "outcome": "denied"});
    tower_audit::assert_recorded!(trail, {"action": "user.login", "outcome": "denied", "reason": "wrong password"});
    assert_eq!(trail.records().len(), 2);
}

async fn gives_up(axum::extract::Path(token): axum::extract::Path<String>) -> StatusCode {
    match token.as_str().split('-').next() {
        Some("panic") => panic!("on purpose"),
        Some("hang") => std::future::pending().await,
        Some("wrong") => StatusCode::FORBIDDEN,
        _ => StatusCode::OK,
    }
}

// Trap R8: a path can carry the token of a reset.
#[tokio::test]
async fn no_path_is_written_unless_a_rule_asks_for_it_whatever_the_end() {
    for ending in ["well", "wrong", "panic", "hang"] {
        for path in ["reset", "none"] {
            let canary = Canary::of(format!("{ending}-token-in-the-path"));
            let trail = all();
            let app = Router::new()
                .route("/reset/{token}", any(gives_up))
                .layer(trail.audit().layer());
            let mut app = app.into_service();
            let request = post(&format!("/{path}/{}?{0}={0}", canary.text()));
            let mut response = Box::pin(app.call(request));
            let panicked = std::panic::AssertUnwindSafe(|| step(response.as_mut()).is_ready());
            let _ = std::panic::catch_unwind(panicked);
            drop(response);
            only(&trail);
            let lines = trail.lines().concat();
            assert_eq!(
                canary.find_in(lines.as_bytes()),
                None,
                "{ending} {path}: {lines}"
            );
        }
    }
}
