//! Run with `cargo run --features viewer,sqlite --example viewer_behind_login`.
//!
//! The viewer at `/audit`, behind the service's own login: the administrator reads everything, others
//! what they did themselves, strangers nothing. You will see how many records each finds, and that
//! their questions are in the trail, with the documents.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{sync::Arc, time::Duration};

use axum::{Router, body, body::Body, extract::Request, middleware::map_request, routing::post};
use http::{header::COOKIE, request::Parts};
use tower::ServiceExt;
use tower_audit::{Actor, Audit, capture::ActorLayer, sink, store, viewer::Access};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// The service's login: here a cookie says who it is; yours is a session.
async fn login(mut request: Request) -> Request {
    let cookie = request.headers().get(COOKIE);
    match cookie.map(|value| value.as_bytes()) {
        Some(b"session=of-the-admin") => request.extensions_mut().insert(Actor::user("admin")),
        Some(b"session=of-alice") => request.extensions_mut().insert(Actor::user("alice")),
        _ => None,
    };
    request
}

/// Asked for every request, and every minute while something streams.
async fn authorise(parts: Arc<Parts>) -> Access {
    match parts.extensions.get::<Actor>().cloned() {
        Some(actor) if actor.id.as_deref() == Some("admin") => Access::All(actor),
        Some(actor) => Access::Within(actor, store::Reach::actor("alice")),
        None => Access::Denied,
    }
}

async fn ask(app: &Router, method: &str, path: &str, user: &str) -> Result<(), Error> {
    let request = Request::builder().method(method).uri(path);
    let request = request.header(COOKIE, format!("session={user}"));
    let answer = app.clone().oneshot(request.body(Body::empty())?).await?;
    println!("{method} {path} {user}: {}", answer.status());
    let body = body::to_bytes(answer.into_body(), 4096).await?;
    println!("  {}", String::from_utf8(body.into())?);
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let dir = format!("target/viewer/{}", std::process::id());
    std::fs::create_dir_all(&dir)?;
    let address = format!("sqlite://{dir}/audit.db");
    sink::tables::migrate(&address, None).await?;
    let sink = sink::SqliteSink::new(format!("{dir}/audit.db"));
    let builder = Audit::builder("docs").dir(format!("{dir}/journal"));
    let audit = builder.sink("sqlite", sink).start().await?;
    let viewer = audit.viewer(store::Store::open(&address).await?, authorise);
    let viewer = viewer.path("/audit").sign_in("/login").build()?;
    let app = Router::new()
        .route("/documents", post(|| async { "made" }))
        .nest_service("/audit", viewer)
        .layer(ActorLayer::new(|asks| asks.extensions.get().cloned()))
        .layer(map_request(login))
        .layer(audit.layer());
    ask(&app, "POST", "/documents", "of-the-admin").await?;
    ask(&app, "POST", "/documents", "of-alice").await?;
    // What was recorded is in the database a moment later.
    audit.flush().await?;
    while audit.sinks().list().iter().any(|sink| sink.pending > 0) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for user in ["of-the-admin", "of-alice", "of-a-stranger"] {
        ask(&app, "GET", "/audit/api/count?category=request", user).await?;
    }
    println!("{}", audit.shutdown(Duration::from_secs(10)).await);
    println!("  tower-audit query --store {address}");
    Ok(())
}
