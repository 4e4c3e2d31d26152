//! The viewer on a real connection: within axum, and without any framework.

use axum::{Router, routing::get};
use tower_audit::{
    clock::{RecordId, Timestamp},
    evidence::leaf_hash,
    sink::Delivery,
    testing::TestTrail,
    viewer::{Viewer, ViewerBuilder},
};
use uuid::Uuid;

use super::{Place, who};
use crate::support::{
    batches::{id, origin, plain},
    web::{exchange, serve},
};

fn is_shared<T: Send + Sync + Clone + 'static>() {}

#[test]
fn a_viewer_is_shared_between_threads() {
    is_shared::<Viewer>();
    fn is_sent<T: Send>() {}
    is_sent::<ViewerBuilder>();
    is_sent::<tower_audit::viewer::ViewerBody>();
}

/// What a server answers, as text.
async fn ask(address: std::net::SocketAddr, request: &str) -> String {
    String::from_utf8(exchange(address, request.as_bytes()).await).unwrap()
}

fn request(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nhost: docs.example\r\nx-reader: all\r\nconnection: close\r\n\r\n"
    )
}

#[tokio::test]
async fn it_is_nested_in_axum_behind_the_layer() {
    let mut place = Place::plain().await;
    place.put(2, plain(&origin(2), 1000..3000).records).await;
    let trail = TestTrail::start();
    let builder = trail
        .audit()
        .viewer(place.store().await, |parts| async move { who(&parts) });
    let viewer = builder.path("/audit").build().unwrap();
    let router = Router::new()
        .route("/", get(|| async { "home" }))
        .nest_service("/audit", viewer)
        .layer(trail.audit().layer());
    let address = serve(router).await;
    for path in ["/audit", "/audit/", "/audit/?range=all", "/audit/exports"] {
        let answer = ask(address, &request(path)).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer:.200}");
        assert!(answer.contains("</html>"), "{path}: to its end");
    }
    let answer = ask(address, &request("/audit/export?format=jsonl&range=all")).await;
    assert_eq!(answer.matches("\"document.create\"").count(), 2010);
    assert!(answer.contains("\"complete\":true"));
    let answer = ask(address, &request("/audit/api/records?limit=x")).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer:.200}");
}

#[tokio::test]
async fn it_is_served_by_hyper_alone() {
    let place = Place::plain().await;
    let viewer = place.built(|builder| builder.path("")).await;
    let address = serve(viewer).await;
    let answer = ask(address, &request("/")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer:.200}");
    assert!(answer.contains("</html>"));
    let answer = ask(address, &request("/api/count")).await;
    assert!(
        answer.contains("{\"records\":10,\"is_exact\":true}"),
        "{answer}"
    );
}

/// What a field of the form holds.
fn field(page: &str, name: &str) -> String {
    let (_, rest) = page.split_once(&format!("name=\"{name}\"")).unwrap();
    let (_, rest) = rest.split_once("value=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

/// A record of a moment, `microseconds` since 1970.
fn of(number: u64, microseconds: i64) -> Delivery {
    let at = Timestamp::from_micros(microseconds);
    let lowest = u128::from_be_bytes(*RecordId::lowest_at(at).as_bytes());
    let id = Uuid::from_u128(lowest | u128::from(number));
    let json = format!(
        r#"{{"id":"{id}","timestamp":"{at}","schema":"1.0","action":"a.b","reason":"n{number}."}}"#
    );
    Delivery::new(number, leaf_hash(json.as_bytes()), json)
}

// In the one night 02:00 to 03:00 comes twice, in the other one never.
#[tokio::test]
async fn a_form_that_is_sent_again_loses_no_record_when_the_clocks_change() {
    for (night, day) in [
        ("2026-10-24T22:00:00Z", "2026-10-25"),
        ("2026-03-28T22:00:00Z", "2026-03-29"),
    ] {
        let mut place = Place::new();
        let begin = night.parse::<Timestamp>().unwrap().as_micros();
        let at = |quarter: u64| begin + i64::try_from(quarter).unwrap() * 900_000_000;
        let records = (0..32).map(|quarter| of(quarter, at(quarter))).collect();
        place.put(1, records).await;
        let viewer = place.viewer().await;
        for first in 0..24 {
            let (from, to) = (at(first), at(first + 6));
            let [from, to] = [from, to].map(Timestamp::from_micros);
            let zone = "tz=Europe/Berlin&range=custom";
            let page = super::get(&viewer, &format!("/audit/?{zone}&from={from}&to={to}")).await;
            let (from, to) = (field(page.text(), "from"), field(page.text(), "to"));
            let again = format!("/audit/?{zone}&from={from}&to={to}");
            let again = super::get(&viewer, &again).await;
            for number in first..first + 6 {
                let reason = format!(">n{number}.<");
                assert!(page.text().contains(&reason), "{day} {number}");
                assert!(
                    again.text().contains(&reason),
                    "{day} {number}: {from} {to}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_form_that_is_sent_again_loses_no_record() {
    let place = Place::plain().await;
    let viewer = place.viewer().await;
    let asked = "from=2026-11-20T13:34:01.000003Z&to=2026-11-20T13:34:01.000007Z";
    let first = super::get(&viewer, &format!("/audit/?{asked}")).await;
    let again = format!(
        "/audit/?range=custom&from={}&to={}",
        field(first.text(), "from"),
        field(first.text(), "to")
    );
    let again = super::get(&viewer, &again).await;
    for number in 3..7 {
        let link = format!("/audit/records/{}", id(number));
        assert!(first.text().contains(&link), "{number}");
        assert!(again.text().contains(&link), "{number}");
    }
}
