//! The inventory knows what routes there are, and what follows for each.

use axum::{Router, body::Body, http::Request, routing::get};
use tower::ServiceExt;
use tower_audit::{
    AuditScope, Policy,
    capture::InventoryRoute,
    policy::{Recorded, Rule},
    record::{Assurance, Catalogue, Declaration},
    testing::{TestTrail, expect_named_routes},
};

async fn request(trail: &TestTrail, method: &str, path: &str) {
    let made = |scope: AuditScope| async move { _ = scope.action("document.create") };
    let app = Router::new()
        .route("/documents", get(|| async {}).post(made))
        .route("/documents/{id}", get(|| async {}).delete(|| async {}))
        .route("/health", get(|| async {}))
        .layer(trail.audit().layer());
    let request = Request::builder().method(method).uri(path);
    app.oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
}

fn trail() -> TestTrail {
    let delete = Declaration::new("document.delete")
        .route("DELETE", "/documents/{id}")
        .assurance(Assurance::Strict);
    let catalogue = Catalogue::new([delete]).unwrap();
    let policy = Policy::new().rule(Rule::new("health").route("/health").skip());
    let routes = [("POST", "/documents"), ("PUT", "/documents/{id}")];
    TestTrail::with(|builder| builder.catalogue(catalogue).policy(policy).routes(routes))
}

fn row(trail: &TestTrail, method: &str, route: &str) -> InventoryRoute {
    let rows = trail.audit().inventory().routes.into_iter();
    let mut rows = rows.filter(|row| row.method == method && row.route == route);
    rows.next().unwrap_or_else(|| panic!("{method} {route}"))
}

#[tokio::test]
async fn routes_are_known_when_they_are_told_declared_or_seen() {
    let trail = trail();
    let listed = |trail: &TestTrail| -> Vec<String> {
        let routes = trail.audit().inventory().routes.into_iter();
        routes
            .map(|row| format!("{} {} {}", row.method, row.route, row.seen))
            .collect()
    };
    let before = [
        "POST /documents false",
        "DELETE /documents/{id} false",
        "PUT /documents/{id} false",
    ];
    assert_eq!(listed(&trail), before);
    request(&trail, "GET", "/health").await;
    request(&trail, "GET", "/documents/7").await;
    request(&trail, "DELETE", "/documents/8").await;
    request(&trail, "GET", "/nowhere").await;
    let after = [
        "POST /documents false",
        "DELETE /documents/{id} true",
        "GET /documents/{id} true",
        "PUT /documents/{id} false",
        "GET /health true",
    ];
    assert_eq!(listed(&trail), after);
}

#[tokio::test]
async fn a_route_shows_what_policy_and_catalogue_say() {
    let trail = trail();
    request(&trail, "GET", "/health").await;
    assert_eq!(row(&trail, "GET", "/health").recorded, Recorded::Never);
    let delete = row(&trail, "DELETE", "/documents/{id}");
    assert_eq!(
        (delete.recorded, delete.assurance),
        (Recorded::Always, Assurance::Strict)
    );
    assert_eq!(
        (delete.actions, delete.rules),
        (
            vec!["document.delete".into()],
            vec!["unsafe methods".into()]
        )
    );
}

#[tokio::test]
async fn an_action_that_a_handler_names_is_known_after_a_request() {
    let trail = trail();
    let before = row(&trail, "POST", "/documents");
    assert_eq!(
        (before.named, before.actions),
        (false, vec!["POST /documents".into()])
    );
    request(&trail, "POST", "/documents").await;
    let after = row(&trail, "POST", "/documents");
    assert_eq!(
        (after.named, after.actions),
        (true, vec!["document.create".into()])
    );
}

#[tokio::test]
#[should_panic(expected = "no name:\n  PUT /documents/{id}\ndeclare them")]
async fn a_service_s_test_finds_the_unsafe_route_that_nobody_named() {
    let trail = trail();
    request(&trail, "POST", "/documents").await;
    expect_named_routes(&trail.audit().inventory());
}
