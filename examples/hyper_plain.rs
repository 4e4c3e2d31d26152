//! Run with `cargo run --example hyper_plain`.
//!
//! Without a framework nobody tells the layer of peers and templates of routes: two closures do. It
//! sends itself two requests and shows their records, with address and template. The first and the
//! last record are the trail's own.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{convert::Infallible, error::Error, time::Duration};

use http_body_util::{Empty, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    http::request::Parts,
    server::conn::http1,
};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use tower_audit::{Audit, AuditLayer, AuditScope, Target, sink::FileSink};

/// The service. It finds its scope in the request, or anywhere below with `AuditScope::current()`.
async fn handle(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::default();
    let path = request.uri().path();
    match (request.method(), path.strip_prefix("/documents/")) {
        (&Method::DELETE, Some(id)) => {
            if let Some(scope) = request.extensions().get::<AuditScope>() {
                scope.action("document.delete");
                scope.target(Target::new("document", id));
            }
        }
        _ => *response.status_mut() = StatusCode::FORBIDDEN,
    }
    Ok(response)
}

/// The template, never the path itself: that may carry secrets, and has no end of values.
fn template(request: &Parts) -> Option<String> {
    let path = request.uri.path();
    path.starts_with("/documents/")
        .then(|| "/documents/{id}".into())
}

async fn serve(listener: TcpListener, layer: AuditLayer) -> std::io::Result<()> {
    loop {
        let (stream, peer) = listener.accept().await?;
        let layer = layer.clone().peer(move |_| Some(peer.ip()));
        let service = ServiceBuilder::new().layer(layer).service_fn(handle);
        let service = TowerToHyperService::new(service);
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let (journal, file) = (dir.path().join("journal"), dir.path().join("audit.jsonl"));
    let sink = FileSink::builder(&file).build()?;
    let audit = Audit::builder("hyper")
        .dir(journal)
        .sink("file", sink)
        .start()
        .await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(serve(listener, audit.layer().route(template)));
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    for path in ["/documents/4cq1", "/users/146"] {
        let request = Request::delete(format!("http://{address}{path}")).body(Empty::new())?;
        println!("DELETE {path}: {}", client.request(request).await?.status());
    }
    println!("{}", audit.shutdown(Duration::from_secs(5)).await);
    print!("{}", std::fs::read_to_string(&file)?);
    Ok(())
}
