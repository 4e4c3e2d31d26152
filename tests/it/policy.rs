//! What a policy does to requests, and what its document says of it.

use axum::{
    Router,
    body::Body,
    http::{Method, Request, StatusCode},
    routing::{get, post},
};
use tower::ServiceExt;
use tower_audit::{
    Audit, AuditScope, Outcome, Policy, assert_recorded,
    policy::Rule,
    record::{Assurance, Catalogue, Declaration, OnFailure},
    testing::TestTrail,
};

use crate::support::project::{read, table};

async fn answer(trail: &TestTrail, method: Method, path: &str) -> StatusCode {
    let app = Router::new()
        .route(
            "/health",
            get(|| async { StatusCode::INTERNAL_SERVER_ERROR }),
        )
        .route("/documents/{id}", get(|| async {}).post(|| async {}))
        .route("/login", post(|| async { StatusCode::UNAUTHORIZED }))
        .route(
            "/named",
            get(|scope: AuditScope| async move { _ = scope.action("report.read") }),
        )
        .layer(trail.audit().layer());
    let request = Request::builder().method(method).uri(path);
    let response = app.oneshot(request.body(Body::empty()).unwrap()).await;
    response.unwrap().status()
}

fn under(policy: Policy) -> TestTrail {
    TestTrail::with(|builder| builder.policy(policy))
}

#[tokio::test]
async fn the_default_records_what_its_document_says() {
    let trail = under(Policy::default());
    for (method, path) in [
        (Method::GET, "/documents/1"),
        (Method::POST, "/documents/1"),
        (Method::POST, "/nowhere"),
        (Method::POST, "/login"),
        (Method::GET, "/health"),
        (Method::GET, "/named"),
    ] {
        answer(&trail, method, path).await;
    }
    let actions: Vec<_> = trail
        .records()
        .iter()
        .map(|it| it.action.to_string())
        .collect();
    let expected = [
        "POST /documents/{id}",
        "POST /login",
        "GET /health",
        "report.read",
    ];
    assert_eq!(actions, expected);
}

#[tokio::test]
async fn a_rule_that_skips_on_arrival_skips_whatever_happens() {
    let trail = under(Policy::new().rule(Rule::new("health").route("/health").skip()));
    let status = answer(&trail, Method::GET, "/health").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(trail.records(), []);
}

#[tokio::test]
async fn a_rule_on_the_end_that_comes_first_is_asked_first() {
    let errors = Rule::new("errors").status(500);
    let health = Rule::new("health").route("/health").skip();
    let trail = under(Policy::new().rule(errors).rule(health));
    answer(&trail, Method::GET, "/health").await;
    assert_recorded!(trail, {"outcome": "error", "context": {"http": {"route": "/health"}}});
}

#[tokio::test]
async fn an_action_that_a_handler_gives_is_matched_at_the_end() {
    let reads = Rule::new("reads")
        .action("report.*")
        .outcome(Outcome::Success)
        .skip();
    let trail = under(Policy::new().rule(reads));
    answer(&trail, Method::GET, "/named").await;
    assert_eq!(trail.records(), []);
}

fn refused(policy: Policy, catalogue: Catalogue) -> String {
    let dir = tempfile::tempdir().unwrap();
    let builder = Audit::builder("test").dir(dir.path()).policy(policy);
    let started = builder.catalogue(catalogue).start_blocking();
    started.expect_err("an impossible policy").to_string()
}

#[test]
fn a_policy_that_cannot_do_what_it_says_does_not_start() {
    let late = Rule::new("late")
        .outcome(Outcome::Denied)
        .on_failure(OnFailure::Refuse);
    let error = refused(Policy::new().rule(late), Catalogue::default());
    assert!(error.contains("policy"), "{error}");
    assert!(
        error.contains("rule 1 (\"late\"): on_failure: refuse must be known"),
        "{error}"
    );
}

#[test]
fn strict_by_an_action_needs_its_route_in_the_catalogue() {
    let delete = || {
        Rule::new("deletions")
            .action("user.delete")
            .assurance(Assurance::Strict)
    };
    let without = Catalogue::new([Declaration::new("user.delete")]).unwrap();
    let error = refused(Policy::new().rule(delete()), without);
    assert!(
        error.contains("declare the action with its route"),
        "{error}"
    );
    let declared = Declaration::new("user.delete").route("DELETE", "/users/{id}");
    let catalogue = Catalogue::new([declared]).unwrap();
    let policy = Policy::new().rule(delete());
    let _ = TestTrail::with(|builder| builder.policy(policy).catalogue(catalogue));
}

#[test]
fn the_document_lists_the_default_rules() {
    let rows = table(&read("docs/policy.md"), "## The default");
    let documented: Vec<_> = rows.iter().map(|row| row[0].trim_matches('`')).collect();
    let policy = Policy::default();
    let rules: Vec<_> = policy.rules().map(Rule::name).collect();
    assert_eq!(documented, rules);
    for (row, rule) in rows.iter().zip(policy.rules()) {
        assert_eq!(row[2].starts_with("yes"), !rule.skips(), "{row:?}");
    }
}

#[cfg(feature = "toml")]
#[test]
fn the_document_s_file_is_read() {
    let document = read("docs/policy.md");
    let (_, rest) = document
        .split_once("```toml\n")
        .expect("a file as an example");
    let (file, _) = rest.split_once("```").expect("its end");
    let policy = Policy::from_toml(file).unwrap();
    assert_eq!(
        policy.rules().count(),
        7 + Policy::default().rules().count()
    );
    for key in ["defaults", "flood", "redaction"] {
        assert!(file.contains(key), "the example shows {key}");
    }
    let _ = TestTrail::with(|builder| builder.policy(policy));
}

#[cfg(feature = "toml")]
#[test]
fn every_key_of_a_rule_is_in_the_document() {
    let error = Policy::from_toml("[[rule]]\nname = \"a\"\nno_such_key = 1").unwrap_err();
    let (_, keys) = error.reason.split_once("expected one of: ").unwrap();
    let document = read("docs/policy.md");
    let (_, section) = document.split_once("\n## A rule\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    // Conditions, then effects: each in the first cell of a row.
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let documented: Vec<_> = rows.filter_map(|row| row.split('`').next()).collect();
    let keys: Vec<_> = keys.split(", ").filter(|key| *key != "name").collect();
    assert_eq!(documented, keys);
}
