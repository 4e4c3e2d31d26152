//! No record of a request shows more of the client's address than its rule allows.

use axum::{Router, http::StatusCode, routing::post};
use tower::ServiceExt;
use tower_audit::{
    AuditScope, Policy, Record,
    policy::{AddressForm, Rule},
    record::Assurance,
    testing::TestTrail,
};

use crate::support::web::post as posted;

/// What the trail holds after one request to `/guests` or `/missing`.
async fn records(policy: Policy, path: &str) -> Vec<Record> {
    let trail = TestTrail::with(|builder| builder.policy(policy));
    let further = |status: StatusCode| {
        move |scope: AuditScope| async move {
            scope.record(Record::new("mail.send")).unwrap();
            status
        }
    };
    let peer = "192.0.2.146".parse().unwrap();
    let app = Router::new()
        .route("/guests", post(further(StatusCode::UNAUTHORIZED)))
        .route("/missing", post(further(StatusCode::NOT_FOUND)))
        .layer(trail.audit().layer().peer(move |_| Some(peer)));
    app.oneshot(posted(path)).await.unwrap();
    trail.records()
}

fn shown(records: &[Record]) -> Vec<(&str, Option<&str>)> {
    records
        .iter()
        .map(|record| (record.action.as_str(), record.context.ip_address.as_deref()))
        .collect()
}

#[tokio::test]
async fn a_further_record_shows_no_more_than_the_request_s_own_may() {
    let guests = Rule::new("guests").status(401).address(AddressForm::Off);
    let records = records(Policy::new().rule(guests), "/guests").await;
    let expected = [("mail.send", None), ("POST /guests", None)];
    assert_eq!(shown(&records), expected);
}

#[tokio::test]
async fn a_further_record_of_a_skipped_request_shows_what_the_policy_allows() {
    let policy = Policy::new()
        .rule(Rule::new("missing").status(404).skip())
        .rule(
            Rule::new("changes")
                .method("unsafe")
                .address(AddressForm::Shortened),
        );
    let records = records(policy, "/missing").await;
    assert_eq!(shown(&records), [("mail.send", Some("192.0.2.0/24"))]);
}

#[tokio::test]
async fn a_record_that_must_be_shows_what_its_rule_allows_although_another_skips() {
    let strict = Rule::new("strict")
        .route("/missing")
        .assurance(Assurance::Strict)
        .address(AddressForm::Off);
    let policy = Policy::new()
        .rule(Rule::new("missing").status(404).skip())
        .rule(strict);
    let records = records(policy, "/missing").await;
    let expected = [("mail.send", None), ("POST /missing", None)];
    assert_eq!(shown(&records), expected);
}
