//! The viewer on a real connection: within axum, and without any framework.

use axum::{Router, routing::get};
use tower_audit::{
    testing::TestTrail,
    viewer::{Viewer, ViewerBuilder},
};

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
