//! One layer around the stacks that services have: what the default policy records of each.

use std::time::Duration;

use axum::body::Body;
use axum::{
    Router,
    error_handling::HandleErrorLayer,
    extract::Extension,
    http::{Method, Request, Response, StatusCode},
    routing::{get, post},
};
use tower::{BoxError, ServiceBuilder, ServiceExt, timeout::TimeoutLayer};
use tower_audit::{
    Actor, AuditLayer, AuditScope,
    capture::ActorLayer,
    testing::{TestTrail, json},
};
use tower_http::{
    catch_panic::CatchPanicLayer, limit::RequestBodyLimitLayer, timeout as http_timeout,
    validate_request::ValidateRequestHeaderLayer,
};

use crate::support::web::request;

/// A stack around which, or in the middle of which, the layer sits.
struct Row {
    name: &'static str,
    stack: fn(AuditLayer) -> Router,
    method: Method,
    path: &'static str,
    /// What the client sees; `None`: the panic.
    status: Option<u16>,
    /// What is recorded; `None`: nothing.
    record: Option<serde_json::Value>,
}

#[derive(Clone)]
struct User(&'static str);

async fn panics() -> &'static str {
    panic!("on purpose")
}

fn routes() -> Router {
    Router::new()
        .route(
            "/documents/{id}",
            get(|| async { "read" }).post(|| async {}),
        )
        .route("/read-only", get(|| async {}))
        .route("/write-only", post(|| async {}))
        .route("/empty", get(|| async { StatusCode::NO_CONTENT }))
        .route("/unchanged", get(|| async { StatusCode::NOT_MODIFIED }))
        .route(
            "/annotated",
            get(|scope: AuditScope| async move {
                scope.action("document.view");
                StatusCode::NOT_MODIFIED
            }),
        )
        .route("/hangs", post(std::future::pending::<()>))
        .route("/panic", post(panics))
        .route("/fails", get(|| async { StatusCode::BAD_GATEWAY }))
}

#[expect(clippy::result_large_err, reason = "the form that tower-http asks for")]
fn refuse(status: StatusCode) -> impl Fn(&mut Request<Body>) -> Result<(), Response<Body>> + Clone {
    move |_: &mut Request<Body>| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        Err(response)
    }
}

/// Who it is, then whether they may: both inside of the layer.
fn authorised(status: Option<StatusCode>) -> Router {
    let actor = ActorLayer::new(|parts| {
        let user = parts.extensions.get::<User>()?;
        Some(Actor::user(user.0))
    });
    let routes = match status {
        Some(status) => routes().layer(ValidateRequestHeaderLayer::custom(refuse(status))),
        None => routes(),
    };
    routes.layer(actor).layer(Extension(User("146")))
}

async fn timed_out(_: BoxError) -> StatusCode {
    StatusCode::REQUEST_TIMEOUT
}

fn http_408() -> http_timeout::TimeoutLayer {
    http_timeout::TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, Duration::ZERO)
}

fn rows() -> Vec<Row> {
    let row = |name, stack, method, path, status: u16, record| Row {
        name,
        stack,
        method,
        path,
        status: (status != 0).then_some(status),
        record,
    };
    let http = |outcome: &str, status: u16| {
        Some(json!({"outcome": outcome, "context": {"http": {"status": status}}}))
    };
    let mut rows = refusals(&row, &http);
    rows.extend(plain(&row, &http));
    rows.extend(named(&row, &http));
    rows.extend(time_outs(&row, &http));
    rows.extend(panics_of(&row, &http));
    rows
}

type MakeRow<'a> = &'a dyn Fn(
    &'static str,
    fn(AuditLayer) -> Router,
    Method,
    &'static str,
    u16,
    Option<serde_json::Value>,
) -> Row;
type MakeRecord<'a> = &'a dyn Fn(&str, u16) -> Option<serde_json::Value>;

fn refusals(row: MakeRow<'_>, http: MakeRecord<'_>) -> Vec<Row> {
    vec![
        row(
            "refused by authentication",
            |audit| {
                let refuse = ValidateRequestHeaderLayer::custom(refuse(StatusCode::UNAUTHORIZED));
                routes().layer(refuse).layer(audit)
            },
            Method::GET,
            "/documents/7",
            401,
            Some(json!({"action": "GET /documents/{id}", "outcome": "denied",
                "context": {"http": {"method": "GET", "route": "/documents/{id}", "status": 401}}})),
        ),
        row(
            "refused by authorisation, when it is known who it was",
            |audit| authorised(Some(StatusCode::FORBIDDEN)).layer(audit),
            Method::POST,
            "/documents/7",
            403,
            Some(json!({"outcome": "denied", "actor": {"type": "user", "id": "146"}})),
        ),
        row(
            "let in, and it is known who it is",
            |audit| authorised(None).layer(audit),
            Method::POST,
            "/documents/7",
            200,
            Some(json!({"outcome": "success", "actor": {"type": "user", "id": "146"}})),
        ),
        row(
            "over the rate",
            |audit| {
                let limit = ServiceBuilder::new()
                    .layer(HandleErrorLayer::new(|_: BoxError| async {
                        StatusCode::TOO_MANY_REQUESTS
                    }))
                    .load_shed()
                    .concurrency_limit(0);
                routes().layer(limit).layer(audit)
            },
            Method::GET,
            "/documents/7",
            429,
            http("failure", 429),
        ),
        row(
            "a body over the limit",
            |audit| routes().layer(RequestBodyLimitLayer::new(4)).layer(audit),
            Method::POST,
            "/documents/7",
            413,
            http("failure", 413),
        ),
    ]
}

fn plain(row: MakeRow<'_>, http: MakeRecord<'_>) -> Vec<Row> {
    let around = |audit| routes().layer(audit);
    vec![
        row("a read", around, Method::GET, "/documents/7", 200, None),
        row(
            "a write",
            around,
            Method::POST,
            "/documents/7",
            200,
            http("success", 200),
        ),
        row("no route, read", around, Method::GET, "/none", 404, None),
        row("no route, write", around, Method::POST, "/none", 404, None),
        row(
            "a write on a route for reads",
            around,
            Method::POST,
            "/read-only",
            405,
            http("failure", 405),
        ),
        row(
            "a read on a route for writes",
            around,
            Method::GET,
            "/write-only",
            405,
            None,
        ),
        row("HEAD", around, Method::HEAD, "/documents/7", 200, None),
        row("204", around, Method::GET, "/empty", 204, None),
        row("304", around, Method::GET, "/unchanged", 304, None),
    ]
}

fn named(row: MakeRow<'_>, http: MakeRecord<'_>) -> Vec<Row> {
    let around = |audit| routes().layer(audit);
    vec![
        row(
            "304 of what the handler names",
            around,
            Method::GET,
            "/annotated",
            304,
            Some(json!({"action": "document.view", "outcome": "success"})),
        ),
        row(
            "HEAD of what the handler names",
            around,
            Method::HEAD,
            "/annotated",
            304,
            Some(json!({"action": "document.view", "context": {"http": {"method": "HEAD"}}})),
        ),
        row(
            "a read that fails",
            around,
            Method::GET,
            "/fails",
            502,
            http("error", 502),
        ),
        row(
            "an unknown method",
            around,
            Method::from_bytes(b"PURGE").unwrap(),
            "/documents/7",
            405,
            Some(json!({"action": "PURGE /documents/{id}", "outcome": "failure"})),
        ),
    ]
}

fn time_outs(row: MakeRow<'_>, http: MakeRecord<'_>) -> Vec<Row> {
    let cancelled = Some(json!({"outcome": "cancelled"}));
    vec![
        row(
            "a time-out that answers, inside",
            |audit| routes().layer(http_408()).layer(audit),
            Method::POST,
            "/hangs",
            408,
            http("failure", 408),
        ),
        row(
            "a time-out that answers, outside",
            |audit| routes().layer(audit).layer(http_408()),
            Method::POST,
            "/hangs",
            408,
            cancelled.clone(),
        ),
        row(
            "a time-out that is an error, inside",
            |audit| {
                let stack = ServiceBuilder::new()
                    .layer(HandleErrorLayer::new(timed_out))
                    .layer(audit)
                    .layer(TimeoutLayer::new(Duration::ZERO));
                routes().layer(stack)
            },
            Method::POST,
            "/hangs",
            408,
            Some(json!({"outcome": "error",
                "reason": "the service gave an error instead of a response"})),
        ),
        row(
            "a time-out that is an error, outside",
            |audit| {
                let stack = ServiceBuilder::new()
                    .layer(HandleErrorLayer::new(timed_out))
                    .layer(TimeoutLayer::new(Duration::ZERO))
                    .layer(audit);
                routes().layer(stack)
            },
            Method::POST,
            "/hangs",
            408,
            cancelled,
        ),
    ]
}

fn panics_of(row: MakeRow<'_>, http: MakeRecord<'_>) -> Vec<Row> {
    let panicked = Some(json!({"outcome": "error",
        "error": {"type": "panic", "message": "on purpose"}}));
    vec![
        row(
            "a panic, caught inside",
            |audit| routes().layer(CatchPanicLayer::new()).layer(audit),
            Method::POST,
            "/panic",
            500,
            http("error", 500),
        ),
        row(
            "a panic, caught outside",
            |audit| routes().layer(audit).layer(CatchPanicLayer::new()),
            Method::POST,
            "/panic",
            500,
            panicked.clone(),
        ),
        row(
            "a panic, not caught",
            |audit| routes().layer(audit),
            Method::POST,
            "/panic",
            0,
            panicked,
        ),
    ]
}

// Traps C1, C3, C4, C5, C7: whatever the stack, each request is recorded once or skipped once.
#[tokio::test]
async fn every_stack_is_recorded_as_the_policy_says_and_once() {
    for row in rows() {
        let name = row.name;
        let trail = TestTrail::start();
        let app = (row.stack)(trail.audit().layer());
        let mut request = request(row.method, row.path);
        request.headers_mut().insert("content-length", 10.into());
        let status = match tokio::spawn(app.oneshot(request)).await {
            Ok(Ok(response)) => Some(response.status().as_u16()),
            Err(error) if error.is_panic() => None,
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(status, row.status, "{name}");
        let records = trail.records();
        let skipped = trail.audit().stats().skipped;
        let expected = usize::from(row.record.is_some());
        assert_eq!(records.len(), expected, "{name}: {records:?}");
        assert_eq!(skipped, u64::from(row.record.is_none()), "{name}");
        if let Some(expected) = row.record {
            tower_audit::testing::expect_recorded(&trail, &expected);
        }
        assert_eq!(trail.audit().stats().open_scopes, 0, "{name}");
    }
}
