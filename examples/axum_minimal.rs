//! Run with `cargo run --example axum_minimal`.
//!
//! Three lines audit a service that knows nothing of it. It sends itself four requests, then shows the
//! records: the change and the two refusals are there, the read that went well is not. The first and
//! the last record are the trail's own.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{error::Error, future::IntoFuture, net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
    routing::get,
};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::net::TcpListener;
use tower_audit::{Audit, sink::FileSink};

/// The service as it was before.
fn existing() -> Router {
    Router::new()
        .route(
            "/documents/{id}",
            get(|| async { "a document" }).post(|| async { StatusCode::CREATED }),
        )
        .route("/vault", get(|| async { StatusCode::FORBIDDEN }))
        .route(
            "/broken",
            get(|| async { StatusCode::INTERNAL_SERVER_ERROR }),
        )
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let (journal, file) = (dir.path().join("journal"), dir.path().join("audit.jsonl"));
    let app = existing();

    // The three lines.
    let sink = FileSink::builder(&file).build()?;
    let audit = Audit::builder("minimal")
        .dir(journal)
        .sink("file", sink)
        .start()
        .await?;
    let app = app.layer(audit.layer());

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    // The layer finds the peer's address in what this puts into each request.
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(axum::serve(listener, service).into_future());

    let client = Client::builder(TokioExecutor::new()).build_http();
    for (method, path) in [
        ("GET", "/documents/7"),
        ("POST", "/documents/7"),
        ("GET", "/vault"),
        ("GET", "/broken"),
    ] {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{address}{path}"));
        let response = client.request(request.body(Body::empty())?).await?;
        println!("{method} {path}: {}", response.status());
    }

    println!("{}", audit.shutdown(Duration::from_secs(5)).await);
    print!("{}", std::fs::read_to_string(&file)?);
    Ok(())
}
