//! The stream, as the two kinds of destination get it.

use std::collections::BTreeSet;

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tower_audit::{
    Record, Target,
    store::{Query, Store},
};

use super::stage::{AGENT, BEARER, Stage, USER, is_of_the_service};
use crate::support::{
    hec::TOKEN,
    receiver::Receiver,
    service::{end, holds, until},
};

/// The one event of an action.
#[track_caller]
fn one(events: &[Value], action: &str) -> Value {
    let mut found = events.iter().filter(|event| event["action"] == action);
    let event = found
        .next()
        .unwrap_or_else(|| panic!("no {action} in {events:?}"));
    assert_eq!(found.next(), None);
    event.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_sample_arrives_field_by_field_at_both_destinations() {
    let stage = Stage::new().await;
    let answer = stage
        .service
        .post("/docs", &USER, json!({"name": "Untitled document"}))
        .await;
    assert_eq!(answer.status, StatusCode::OK);
    stage.both_have(1).await;

    // Grist: `id`, `action`, `actor` with its user, `context` with address, program, session and site,
    // `timestamp`, `details` of the action.
    let mut event = stage.events().remove(0);
    let own = event
        .as_object_mut()
        .unwrap()
        .remove("tower_audit")
        .unwrap();
    // Two fields are ours: an id that sorts by time, and a session as a keyed hash.
    let id = event["id"].take();
    assert_eq!(id.as_str().unwrap().len(), 36, "{id}");
    let session = event["context"]["session_id"].take();
    assert!(
        session.as_str().unwrap().starts_with("hmac-sha256:"),
        "{session}"
    );
    let expected = json!({
        "id": null, "timestamp": "2024-11-13T06:00:51.518000Z", "action": "document.create",
        "actor": {"type": "user",
            "user": {"id": 146, "email": "flapjack@example.com", "name": "Flapjack Toasty"}},
        "context": {"ip_address": "39.139.42.243", "user_agent": AGENT, "session_id": null,
            "site": {"id": 42, "name": "Grist Labs", "domain": "gristlabs"}},
        "details": {"document": {"id": "4cq1mNTkQmEF5KsUVGiy6H", "name": "Untitled document",
            "workspace": {"id": 97, "name": "Secret Plans"}}},
    });
    assert_eq!(event, expected);
    // What Grist has no place for is beside it, so that nothing is lost.
    assert_eq!(own["record"]["outcome"], "success", "{own}");

    // Grist: Splunk gets `{"time": seconds.millis, "event": …}` with its own authorization; any other
    // endpoint gets the JSON as it is.
    let post = &stage.splunk.posts("/services/collector/event")[0];
    assert_eq!(post.header("authorization"), format!("Splunk {TOKEN}"));
    let envelopes = stage.hec.events();
    let envelope = envelopes
        .iter()
        .find(|envelope| is_of_the_service(&envelope["event"]))
        .unwrap();
    assert_eq!(envelope["time"], json!(1_731_477_651.518));
    let post = &stage.endpoint.posts("/events")[0];
    assert_eq!(post.header("authorization"), format!("Bearer {BEARER}"));
    end(&stage.audit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_logins_refusals_and_the_system_are_told_as_what_they_are() {
    let stage = Stage::new().await;
    let service = &stage.service;
    let workspace = "/workspaces/97/access";
    service
        .send(Method::PATCH, "/docs/4cq", &USER, json!({"name": "Plans"}))
        .await;
    // Grist has no event of a refusal, nor of a login.
    let refused = service
        .send(Method::PUT, workspace, &USER, Value::Null)
        .await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let wrong = json!({"user": "flapjack@example.com", "password": "waffle"});
    let wrong = service.post("/login", &[], wrong).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    // Grist's own system arrives there as `unknown`.
    let deleted =
        Record::system("document.delete").target(Target::new("document", "4cq").name("Plans"));
    stage.audit.commit(deleted).await.unwrap();
    // A link that was shared: nobody asked who it is.
    service.post("/api-key", &[], Value::Null).await;
    stage.both_have(5).await;

    let events = stage.events();
    // Grist: a change is told as `previous` and `current`.
    assert_eq!(
        one(&events, "document.rename")["details"],
        json!({"previous": {"document": {"id": "4cq", "name": "Untitled document"}},
            "current": {"document": {"id": "4cq", "name": "Plans"}}})
    );
    let refused = one(&events, "workspace.change_access");
    assert_eq!(refused["actor"]["user"]["id"], 146);
    assert_eq!(refused["tower_audit"]["record"]["outcome"], "denied");
    assert_eq!(
        refused["tower_audit"]["record"]["reason"],
        "not an owner of the workspace"
    );
    let login = one(&events, "user.login");
    assert_eq!(login["actor"], json!({"type": "guest"}));
    assert_eq!(
        login["tower_audit"]["record"]["actor"]["claimed"],
        "flapjack@example.com"
    );
    let deleted = one(&events, "document.delete");
    assert_eq!(deleted["actor"], json!({"type": "system"}));
    // Grist: `user`, `guest`, `system`, or else `unknown`.
    let key = one(&events, "user.create_api_key");
    assert_eq!(key["actor"], json!({"type": "unknown"}));
    end(&stage.audit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_destination_learns_the_token_of_another() {
    let stage = Stage::new().await;
    // Grist: destinations are a setting, so that an event about it, with the tokens of all, goes to all.
    let destinations = json!([
        {"name": "splunk", "url": "https://splunk.example", "token": TOKEN},
        {"name": "endpoint", "url": "https://siem.example", "authorizationHeader": BEARER},
    ]);
    let owner = [("x-user", "owner")];
    let put = stage.service.send(
        Method::PUT,
        "/config/audit_log_streaming_destinations",
        &owner,
        destinations,
    );
    assert_eq!(put.await.status, StatusCode::OK);
    stage.service.post("/api-key", &USER, Value::Null).await;
    stage.both_have(2).await;

    let events = stage.events();
    let current = &one(&events, "config.update")["details"]["current"];
    let shown = current.to_string();
    assert!(shown.contains("https://splunk.example"), "{shown}");
    for secret in [TOKEN, BEARER, "a key that nobody may read"] {
        let at_splunk = stage
            .splunk
            .seen()
            .iter()
            .any(|seen| seen.body.contains(secret));
        let at_endpoint = stage
            .endpoint
            .seen()
            .iter()
            .any(|seen| seen.body.contains(secret));
        assert!(!at_splunk && !at_endpoint, "{secret}: {events:?}");
    }
    // Each gets its own in a header, and the other's nowhere.
    let headers = |receiver: &Receiver| {
        format!(
            "{:?}",
            receiver
                .seen()
                .iter()
                .map(|seen| seen.headers.clone())
                .collect::<Vec<_>>()
        )
    };
    assert!(headers(&stage.splunk).contains(TOKEN) && !headers(&stage.splunk).contains(BEARER));
    assert!(headers(&stage.endpoint).contains(BEARER) && !headers(&stage.endpoint).contains(TOKEN));
    end(&stage.audit).await;
    // Nor is any on disk, in the journal or in the store.
    for secret in [
        TOKEN,
        BEARER,
        "a key that nobody may read",
        "ixVo6maPbcgd1vvoj93teT",
    ] {
        assert!(!holds(stage.folder.path(), secret), "{secret}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_a_destination_loses_nothing_and_holds_up_nobody() {
    const EVENTS: usize = 300;
    let mut stage = Stage::new().await;
    until("the collector is there", async || {
        !stage.hec.events().is_empty()
    })
    .await;
    let posts_before = stage.splunk.posts("/services/collector/event").len();
    // Grist: one request per event, no second try, at most 100 on the way and the rest refused.
    stage.splunk.stop();
    for number in 0..EVENTS {
        let name = format!("Document {number}");
        let answer = stage
            .service
            .post("/docs", &USER, json!({"name": name}))
            .await;
        assert_eq!(answer.status, StatusCode::OK);
    }
    until("the other destination has all", async || {
        stage.posted().len() == EVENTS
    })
    .await;
    assert!(stage.events().is_empty());
    stage.splunk.start_again();
    stage.both_have(EVENTS).await;
    let ids: BTreeSet<_> = stage
        .events()
        .iter()
        .map(|event| event["id"].to_string())
        .collect();
    assert_eq!(ids.len(), EVENTS);
    let posts = stage.splunk.posts("/services/collector/event").len() - posts_before;
    assert!(posts < EVENTS, "{posts} requests for {EVENTS} events");
    // Grist: no store and no query; here the same events are found.
    let store = Store::open(&format!(
        "sqlite://{}",
        stage.folder.path().join("audit.db").display()
    ))
    .await
    .unwrap();
    let query = Query::new()
        .action("document.*".parse().unwrap())
        .actor("146")
        .limit(1000);
    until("the store has them", async || {
        store.browse(&query).await.unwrap().records.len() == EVENTS
    })
    .await;
    end(&stage.audit).await;
}
