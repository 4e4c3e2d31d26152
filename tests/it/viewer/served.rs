//! The viewer on a real connection: within axum, and without any framework.

use axum::{Router, routing::get};
use tower_audit::{
    testing::TestTrail,
    viewer::{Viewer, ViewerBuilder},
};

use super::{Place, who};
use crate::support::{
    batches::{origin, plain},
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
