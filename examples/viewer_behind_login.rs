//! Run with `cargo run --features viewer,sqlite --example viewer_behind_login`.
//!
//! The viewer at `/audit`, behind the service's own login: the administrator reads everything, others
//! what they did themselves, strangers nothing. You will see how many records each finds, and that
//! their questions are in the trail, with the documents.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{sync::Arc, time::Duration};

use axum::{Router, body, body::Body, extract::Request, routing::post};
use http::{HeaderMap, header::COOKIE, request::Parts};
use tower::ServiceExt;
use tower_audit::{Actor, Audit, capture::ActorLayer, sink, store, viewer::Access};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Whose session it is. Here a cookie says it; yours is looked up in the store of sessions.
fn who(headers: &HeaderMap) -> Option<Actor> {
    match headers.get(COOKIE)?.to_str().ok()? {
        "session=of-the-admin" => Some(Actor::user("admin")),
        "session=of-alice" => Some(Actor::user("alice")),
        "session=of-bob" => Some(Actor::user("bob")),
        _ => None,
    }
}

/// Asked for every request, and every minute while something streams: it looks the session up again,
/// because an extension says for ever what it said when the request came.
async fn authorise(parts: Arc<Parts>) -> Access {
    let actor = who(&parts.headers);
    match actor.and_then(|actor| Some((actor.id.clone()?, actor))) {
        Some((id, actor)) if id.as_str() == "admin" => Access::All(actor),
        Some((id, actor)) => Access::Within(actor, store::Reach::actor(id.as_str())),
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
        .layer(ActorLayer::new(|asks| who(&asks.headers)))
        .layer(audit.layer());
    ask(&app, "POST", "/documents", "of-the-admin").await?;
    ask(&app, "POST", "/documents", "of-alice").await?;
    // What was recorded is in the database a moment later.
    audit.flush().await?;
    while audit.sinks().list().iter().any(|sink| sink.pending > 0) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for user in ["of-the-admin", "of-alice", "of-bob", "of-a-stranger"] {
        ask(&app, "GET", "/audit/api/count?category=request", user).await?;
    }
    println!("{}", audit.shutdown(Duration::from_secs(10)).await);
    println!("  tower-audit query --store {address}");
    Ok(())
}
