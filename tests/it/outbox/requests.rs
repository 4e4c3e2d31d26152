//! Requests whose handler made a draft.

use axum::{
    Router,
    body::Body,
    http::{Method, Request, StatusCode, header},
    routing::any,
};
use tower::ServiceExt;
use tower_audit::{
    AuditScope, assert_recorded,
    testing::{TestTrail, disk::TestDisk},
};

use super::Service;

/// Asks a handler that drafts its record, says no more, and rolls back or commits by the path.
async fn ask(trail: &TestTrail, service: &Service, method: Method, path: &str) -> String {
    let (pool, outbox) = (service.pool.clone(), service.outbox.clone());
    let handler = async move |scope: AuditScope, request: Request<Body>| {
        scope.detail("note", "came with s3cr3t-t0k3n-0f-146");
        scope.detail("password", "hunter2hunter2");
        let mut tx = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
        outbox.record_in(&mut tx, &scope.draft()).await.unwrap();
        if request.uri().path() == "/documents/full" {
            tx.rollback().await.unwrap();
            return (StatusCode::CONFLICT, Vec::new());
        }
        let row = sqlx::query_scalar("SELECT record FROM audit_outbox WHERE id = ?1");
        let row: String = row
            .bind(scope.id().to_string())
            .fetch_one(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        (StatusCode::OK, row.into_bytes())
    };
    let app = Router::new().route("/documents/{id}", any(handler));
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::USER_AGENT, "curl/8.14")
        .header(header::AUTHORIZATION, "Bearer s3cr3t-t0k3n-0f-146")
        .body(Body::empty())
        .unwrap();
    let app = app.layer(trail.audit().layer());
    let response = app.oneshot(request).await.unwrap();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await;
    String::from_utf8(body.unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn a_row_says_what_the_request_says_and_nothing_secret() {
    let service = Service::new().await;
    let trail = service.trail(&TestDisk::new());
    let row = ask(&trail, &service, Method::POST, "/documents/7").await;
    for said in [
        "POST /documents/{id}",
        "curl/8.14",
        "\"outcome\":\"unknown\"",
    ] {
        assert!(row.contains(said), "{said}: {row}");
    }
    // These bytes rest in a database.
    for secret in ["s3cr3t-t0k3n-0f-146", "hunter2"] {
        assert!(!row.contains(secret), "{secret}: {row}");
    }
    let _ = trail.shutdown();
    assert_recorded!(trail, {"action": "POST /documents/{id}", "outcome": "success"});
}

// The policy skips reads; a row that waits for its record must get it.
#[tokio::test]
async fn a_request_with_a_draft_is_recorded_whatever_the_policy_says() {
    let service = Service::new().await;
    let trail = service.trail(&TestDisk::new());
    ask(&trail, &service, Method::GET, "/documents/7").await;
    let _ = trail.shutdown();
    assert_recorded!(trail, {"outcome": "success", "context": {"http": {"method": "GET"}}});
    assert_eq!(service.rows().await, [""; 0]);
}

#[tokio::test]
async fn rolled_back_attempts_of_nobody_are_not_folded() {
    let service = Service::new().await;
    let trail = service.trail(&TestDisk::new());
    for _ in 0..130 {
        ask(&trail, &service, Method::POST, "/documents/full").await;
    }
    let _ = trail.shutdown();
    assert_eq!(trail.records().len(), 130);
    assert_eq!(service.rows().await, [""; 0]);
}
