//! What reading leaves in the trail.

use std::net::SocketAddr;

use axum::{Router, extract::ConnectInfo};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt;
use tower_audit::{Actor, Outcome, Record, testing::TestTrail, viewer::Viewer};

use super::{Place, Still, asking, get, get_as, reader, told, who};
use crate::support::batches::{id, origin, plain, record};

fn pages(records: &[Record]) -> Vec<String> {
    let page = |record: &Record| record.details["page"].as_str().unwrap().to_owned();
    records.iter().map(page).collect()
}

// Trap Q8: who read what is recorded.
#[tokio::test(start_paused = true)]
async fn a_read_is_recorded_once_for_each_filter_with_what_was_asked_and_shown() {
    let _clock = Still::stand();
    let place = Place::plain().await;
    let (viewer, noted) = place.noted().await;
    let path = "/audit/?action=document.create&range=24h";
    for path in [
        path,
        path,
        "/audit/?range=24h&action=document.create&limit=2&lang=fr",
    ] {
        assert_eq!(get(&viewer, path).await.status, StatusCode::OK);
    }
    let records = noted.take();
    let [read] = records.as_slice() else {
        panic!("{records:?}")
    };
    assert_eq!(
        (read.action.as_str(), read.outcome),
        ("audit.read", Some(Outcome::Success))
    );
    assert_eq!(read.actor, Some(reader()));
    assert_eq!(
        (&read.details["page"], &read.details["records"]),
        (&"table".into(), &10.into())
    );
    let filter = serde_json::json!({"action": "document.create", "range": "24h"});
    assert_eq!(read.details["filter"], filter);
    // The same question of a program is the same reading; another one is not.
    get(
        &viewer,
        "/audit/api/records?action=document.create&range=24h",
    )
    .await;
    assert_eq!(noted.take(), []);
    get(&viewer, "/audit/api/records?action=document.*&range=24h").await;
    get(&viewer, "/audit/actors/146").await;
    assert_eq!(pages(&noted.take()), ["api/records", "actor"]);
    tokio::time::advance(std::time::Duration::from_secs(300)).await;
    get(&viewer, path).await;
    let records = noted.take();
    let numbers: Vec<_> = records
        .iter()
        .map(|read| &read.details["records"])
        .collect();
    // In all of the five minutes, and the first of the next ones.
    assert_eq!(numbers, [32, 10]);
}

#[tokio::test]
async fn an_opened_record_is_named_and_what_was_not_shown_is_not_recorded() {
    let place = Place::plain().await;
    let (viewer, noted) = place.noted().await;
    get(&viewer, &format!("/audit/records/{}", id(3))).await;
    let records = noted.take();
    let [read] = records.as_slice() else {
        panic!("{records:?}")
    };
    let target = &read.targets[0];
    assert_eq!(
        (&*target.kind, target.id.as_deref()),
        ("audit_record", Some(&*id(3).to_string()))
    );
    for path in [
        "/audit/records/x",
        "/audit/?limit=x",
        "/audit/nothing",
        "/audit/destinations",
        "/audit/exports",
    ] {
        get(&viewer, path).await;
    }
    get(&viewer, &format!("/audit/api/records/{}", id(99))).await;
    get_as(
        &viewer,
        "tenant A",
        &format!("/audit/api/records/{}", id(3)),
    )
    .await;
    std::fs::rename(
        place.dir.path().join("audit.db"),
        place.dir.path().join("x"),
    )
    .unwrap();
    get(&viewer, "/audit/").await;
    assert_eq!(noted.take(), []);
}

#[tokio::test]
async fn a_refusal_is_recorded_once_in_a_while() {
    let place = Place::plain().await;
    let (viewer, noted) = place.noted().await;
    for path in [
        "/audit/",
        "/audit/?x=1",
        "/audit/api/records",
        "/audit/no/such",
        "/audit/",
    ] {
        assert_eq!(
            told(&viewer, asking(path, &[])).await.status,
            StatusCode::FORBIDDEN
        );
    }
    let records = noted.take();
    assert_eq!(pages(&records), ["table", "api/records", "unknown"]);
    assert!(
        records
            .iter()
            .all(|read| read.outcome == Some(Outcome::Denied)),
        "{records:?}"
    );
}

#[tokio::test]
async fn what_reading_left_is_hidden_from_the_table_unless_it_is_asked_for() {
    let mut place = Place::plain().await;
    let records = [(20, "audit.read"), (21, "audit.export"), (22, "a.b")];
    let more = r#","outcome":"success""#;
    let records = records.map(|(number, action)| record(number, action, more));
    place.put(1, records.into()).await;
    let viewer = place.viewer().await;
    for (query, expected) in [
        ("range=all", 11),
        ("range=all&reads=1", 13),
        ("action=audit.read", 1),
        ("action=audit.*", 2),
    ] {
        let found = get(&viewer, &format!("/audit/api/records?{query}"))
            .await
            .json();
        assert_eq!(
            found["records"].as_array().unwrap().len(),
            expected,
            "{query}"
        );
        let counted = get(&viewer, &format!("/audit/api/count?{query}"))
            .await
            .json();
        assert_eq!(counted["records"], expected, "{query}");
    }
}

/// A host: a trail, a layer around everything, and the viewer of that trail.
pub(super) async fn host(place: &Place, trail: &TestTrail) -> (Router, Viewer) {
    let audit = trail.audit();
    let builder = audit.viewer(place.store().await, |parts| async move { who(&parts) });
    let viewer = builder.path("/audit").build().unwrap();
    let router = Router::new().nest_service("/audit", viewer.clone());
    (router.layer(audit.layer()), viewer)
}

pub(super) fn from_peer(path: &str, reader: Option<&str>) -> Request<axum::body::Body> {
    let mut request = asking(
        path,
        &[("user-agent", "Browser/1"), ("x-request-id", "r-1")],
    );
    if let Some(reader) = reader {
        request
            .headers_mut()
            .insert("x-reader", reader.parse().unwrap());
    }
    let peer = SocketAddr::from(([192, 0, 2, 7], 4711));
    request.extensions_mut().insert(ConnectInfo(peer));
    request
}

/// The records of the trail about reading, and those of requests.
pub(super) fn left(trail: &TestTrail) -> (Vec<Record>, Vec<Record>) {
    let everything = trail.everything().into_iter();
    let mut about_requests = Vec::new();
    let mut about_reading = Vec::new();
    for record in everything {
        match record.action.as_str() {
            "audit.read" | "audit.export" => about_reading.push(record),
            action if action.starts_with("audit.") => {}
            _ => about_requests.push(record),
        }
    }
    (about_reading, about_requests)
}

#[tokio::test]
async fn a_trails_own_viewer_records_with_address_and_program_and_nothing_twice() {
    let place = Place::plain().await;
    let trail = TestTrail::start();
    let (router, _viewer) = host(&place, &trail).await;
    let ask = |path: &'static str, reader: Option<&'static str>| {
        let answer = router.clone().oneshot(from_peer(path, reader));
        async move {
            let (head, body) = answer.await.unwrap().into_parts();
            body.collect().await.unwrap();
            head.status
        }
    };
    assert_eq!(ask("/audit", Some("all")).await, StatusCode::OK);
    assert_eq!(
        ask("/audit/export?format=csv", Some("all")).await,
        StatusCode::OK
    );
    assert_eq!(ask("/audit/api/records", None).await, StatusCode::FORBIDDEN);
    let (reads, requests) = left(&trail);
    assert_eq!(requests, [], "the layer has nothing to add");
    let [read, begun, export, denied] = reads.as_slice() else {
        panic!("{reads:?}")
    };
    assert_eq!(
        (read.action.as_str(), export.action.as_str()),
        ("audit.read", "audit.export")
    );
    assert_eq!(begun.details["state"], "begun");
    assert_eq!(
        (denied.action.as_str(), denied.outcome),
        ("audit.read", Some(Outcome::Denied))
    );
    for record in &reads {
        let context = &record.context;
        assert_eq!(
            context.ip_address.as_deref(),
            Some("192.0.2.7"),
            "{record:?}"
        );
        assert_eq!(
            context.user_agent.as_deref(),
            Some("Browser/1"),
            "{record:?}"
        );
        assert_eq!(context.request_id.as_deref(), Some("r-1"), "{record:?}");
    }
    assert_eq!((&read.actor, &denied.actor), (&Some(reader()), &None));
    // Within five minutes the refusal is the request's own record again, not nothing.
    assert_eq!(ask("/audit/api/records", None).await, StatusCode::FORBIDDEN);
    let (reads, requests) = left(&trail);
    assert_eq!((reads.len(), requests.len()), (4, 1));
}

#[tokio::test]
async fn without_a_layer_the_peer_and_the_program_are_recorded_all_the_same() {
    let place = Place::plain().await;
    let trail = TestTrail::start();
    let audit = trail.audit();
    let builder = audit.viewer(place.store().await, |parts| async move { who(&parts) });
    let viewer = builder.build().unwrap();
    let answer = viewer
        .oneshot(from_peer("/api/count", Some("actor 7")))
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let (reads, _) = left(&trail);
    let [read] = reads.as_slice() else {
        panic!("{reads:?}")
    };
    assert_eq!(read.context.ip_address.as_deref(), Some("192.0.2.7"));
    assert_eq!(read.context.user_agent.as_deref(), Some("Browser/1"));
}

#[tokio::test]
async fn a_service_cannot_write_the_trails_own_words_but_its_viewer_can() {
    let trail = TestTrail::start();
    let forged = Record::new("audit.read").actor(Actor::user("7"));
    trail.audit().record(forged).unwrap();
    let (reads, others) = left(&trail);
    assert_eq!(
        (reads.len(), others[0].action.as_str()),
        (0, "service.audit.read")
    );
}

#[tokio::test]
async fn the_shutdown_of_a_trail_ends_the_streams_of_its_viewers() {
    let mut place = Place::plain().await;
    place.put(2, plain(&origin(2), 1000..4000).records).await;
    let trail = TestTrail::start();
    let (router, _viewer) = host(&place, &trail).await;
    let request = from_peer("/audit/live", Some("all"));
    let live = router.clone().oneshot(request).await.unwrap();
    let reading = tokio::spawn(live.into_body().collect());
    let report = trail
        .audit()
        .shutdown(std::time::Duration::from_secs(5))
        .await;
    assert!(report.in_order, "{report}");
    let read = reading.await.unwrap().unwrap().to_bytes();
    assert!(read.ends_with(b"event: closed\ndata:\n\n"), "{read:?}");
    let again = router
        .oneshot(from_peer("/audit/live", Some("all")))
        .await
        .unwrap();
    assert_eq!(again.status(), StatusCode::SERVICE_UNAVAILABLE);
}

// Trap Q8: who read what is recorded, and within what.
#[tokio::test]
async fn a_read_says_its_reach_and_one_of_another_reach_is_another() {
    let place = Place::plain().await;
    let (viewer, noted) = place.noted().await;
    for reader in ["tenant A", "tenant B", "tenant A", "actor A", "all"] {
        let answer = get_as(&viewer, reader, "/audit/?range=all").await;
        assert_eq!(answer.status, StatusCode::OK);
    }
    let records = noted.take();
    let within: Vec<_> = records
        .iter()
        .map(|read| read.details.get("within").map(ToString::to_string))
        .collect();
    let expected = [r#"{"tenant":"A"}"#, r#"{"tenant":"B"}"#, r#"{"actor":"A"}"#];
    let expected = expected.map(|text| Some(text.to_owned()));
    assert_eq!(within, [&expected[..], &[None]].concat());
}

#[tokio::test]
async fn choices_and_counts_that_were_asked_for_first_do_not_hide_the_reading() {
    let place = Place::plain().await;
    let (viewer, noted) = place.noted().await;
    for path in [
        "/audit/api/facets",
        "/audit/api/count?range=all",
        "/audit/?range=all",
        "/audit/api/records?range=all",
    ] {
        get(&viewer, path).await;
    }
    assert_eq!(pages(&noted.take()), ["api/facets", "table"]);
}
