//! One request, one record, whatever its end.

use std::convert::Infallible;

use axum::{
    Router,
    body::Body,
    http::{Method, Request, Response, StatusCode},
    routing::{get, post},
};
use http_body_util::BodyExt;
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_audit::{
    AuditScope, Receipt, Target, assert_recorded,
    record::{Actor, Outcome},
    testing::TestTrail,
};

fn request(method: Method, path: &str) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(path)
        .body(Body::empty())
        .unwrap()
}

async fn on_purpose() -> StatusCode {
    panic!("on purpose")
}

fn router() -> Router {
    Router::new()
        .route(
            "/documents/{id}",
            post(|| async { "made" }).get(|| async { "read" }),
        )
        .route(
            "/annotated",
            get(|scope: AuditScope| async move {
                scope
                    .action("document.view")
                    .actor(Actor::user("146"))
                    .target(Target::new("document", "7"));
            }),
        )
        .route("/panic", post(on_purpose))
}

#[tokio::test]
async fn an_unsafe_request_on_a_route_is_recorded_and_a_read_is_not() {
    let trail = TestTrail::start();
    let app = router().layer(trail.audit().layer());
    for method in [Method::GET, Method::POST] {
        let response = app
            .clone()
            .oneshot(request(method.clone(), "/documents/7"))
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(
            response.extensions().get::<Receipt>().is_some(),
            method == Method::POST
        );
    }
    assert_recorded!(trail, {
        "action": "POST /documents/{id}", "category": "request", "outcome": "success",
        "context": {"http": {"method": "POST", "route": "/documents/{id}", "status": 200}}
    });
    assert_eq!(trail.records().len(), 1);
}

#[tokio::test]
async fn what_the_handler_says_is_recorded() {
    let trail = TestTrail::start();
    let app = router().layer(trail.audit().layer());
    app.oneshot(request(Method::GET, "/annotated"))
        .await
        .unwrap();
    assert_recorded!(trail, {
        "action": "document.view", "actor": {"id": "146"}, "targets": [{"id": "7"}]
    });
}

// Trap C4.
#[tokio::test]
async fn a_panic_is_recorded_and_goes_on() {
    let trail = TestTrail::start();
    let app = router().layer(trail.audit().layer());
    let task = tokio::spawn(app.oneshot(request(Method::POST, "/panic")));
    assert!(task.await.unwrap_err().is_panic());
    assert_recorded!(trail, {"outcome": "error", "error": {"type": "panic", "message": "on purpose"}});
    assert_eq!(trail.records().len(), 1);
}

// Trap C11: no parameter of the layer has to be cloneable, and it can be named.
#[tokio::test]
async fn it_sits_in_a_service_builder_around_any_service() {
    let trail = TestTrail::start();
    let service = ServiceBuilder::new()
        .layer(trail.audit().layer())
        .service(service_fn(|request: Request<Body>| async move {
            let scope = request.extensions().get::<AuditScope>().unwrap();
            scope.action("x.y").outcome(Outcome::Failure);
            Ok::<_, Infallible>(Response::new(Body::from("x")))
        }));
    let response = service.oneshot(request(Method::GET, "/")).await.unwrap();
    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes(),
        "x"
    );
    assert_recorded!(trail, {"action": "x.y", "outcome": "failure"});
}
