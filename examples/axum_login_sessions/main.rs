//! Run with `cargo run --example axum_login_sessions`.
//!
//! With axum-login and tower-sessions: the layer stands outside, so what they refuse is recorded; an
//! `ActorLayer` inside says who it is. It sends itself four requests, then shows the records.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

mod users;

use std::{error::Error, future::IntoFuture, net::SocketAddr, time::Duration};

use axum::http::{Request, StatusCode, header};
use axum::{Router, routing::post};
use axum_login::{AuthManagerLayerBuilder, login_required};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tower_audit::capture::{ActorLayer, Session};
use tower_audit::{Audit, AuditScope, Target, sink::FileSink};
use tower_sessions::{MemoryStore, SessionManagerLayer};
use users::{AuthSession, Backend};

async fn login(mut session: AuthSession, scope: AuditScope, password: String) -> StatusCode {
    scope.action("user.login");
    match session.authenticate(password).await {
        Ok(Some(user)) if session.login(&user).await.is_ok() => {
            scope.actor(user.actor());
            StatusCode::OK
        }
        _ => StatusCode::UNAUTHORIZED,
    }
}

async fn create(scope: AuditScope) -> StatusCode {
    scope.action("document.create");
    scope.target(Target::new("document", "4cq1"));
    StatusCode::CREATED
}

fn router() -> Router {
    let sessions = SessionManagerLayer::new(MemoryStore::default()).with_secure(false);
    Router::new()
        .route("/documents", post(create))
        .route_layer(login_required!(Backend))
        .route("/login", post(login))
        .layer(ActorLayer::new(users::actor))
        .layer(AuthManagerLayerBuilder::new(Backend, sessions).build())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let (journal, file) = (dir.path().join("journal"), dir.path().join("audit.jsonl"));
    let sink = FileSink::builder(&file).build()?;
    let audit = Audit::builder("login")
        .dir(journal)
        .sink("file", sink)
        .start()
        .await?;
    // The layer that is added last is outermost. `id` is the cookie of tower-sessions.
    let app = router().layer(audit.layer().session(Session::cookie("id")));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(axum::serve(listener, service).into_future());

    let client = Client::builder(TokioExecutor::new()).build_http::<String>();
    let mut cookie = String::new();
    for password in [None, Some("waffle"), Some("syrup"), None] {
        let path = password.map_or("documents", |_| "login");
        let body = password.unwrap_or_default().to_owned();
        let request = Request::post(format!("http://{address}/{path}"));
        let request = request.header(header::COOKIE, &cookie).body(body)?;
        let response = client.request(request).await?;
        println!("POST /{path}: {}", response.status());
        if let Some(set) = response.headers().get(header::SET_COOKIE) {
            cookie = set.to_str()?.split(';').take(1).collect();
        }
    }
    println!("{}", audit.shutdown(Duration::from_secs(5)).await);
    print!("{}", std::fs::read_to_string(&file)?);
    Ok(())
}
