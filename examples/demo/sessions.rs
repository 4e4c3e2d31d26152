//! Sessions: who is behind a cookie, and the job that ends old ones.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, header::COOKIE},
    middleware::Next,
    response::Response,
};
use tower_audit::{Audit, Record, Target};
use uuid::Uuid;

use crate::{
    app::{App, Shared},
    login,
    users::User,
};

/// The sessions that live, by the value of their cookie.
#[derive(Debug, Default)]
pub(crate) struct Sessions(HashMap<String, Session>);

#[derive(Debug)]
struct Session {
    user: User,
    begun: Instant,
}

impl Sessions {
    /// Begins a session; its id is for the user's cookie only.
    pub(crate) fn begin(&mut self, user: User) -> String {
        let id = Uuid::new_v4().simple().to_string();
        let begun = Instant::now();
        self.0.insert(id.clone(), Session { user, begun });
        id
    }

    pub(crate) fn end(&mut self, id: &str) {
        self.0.remove(id);
    }
}

/// Puts the user of the session's cookie into the request.
pub(crate) async fn authenticate(State(app): Shared, mut request: Request, next: Next) -> Response {
    if let Some(id) = presented(request.headers())
        && let Some(session) = app.sessions.lock().await.0.get(id)
    {
        let user = session.user.clone();
        request.extensions_mut().insert(user);
    }
    next.run(request).await
}

/// The session's id that a request presents.
pub(crate) fn presented(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get(COOKIE)?.to_str().ok()?;
    let mut pairs = cookies.split("; ").filter_map(|pair| pair.split_once('='));
    pairs.find_map(|(name, value)| (name == login::COOKIE).then_some(value))
}

/// Ends sessions that are older than `lasts`, and records that the system did it.
pub(crate) async fn expire(app: Arc<App>, audit: Audit, lasts: Duration) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    loop {
        ticks.tick().await;
        let is_old = |_: &String, session: &mut Session| session.begun.elapsed() >= lasts;
        for (_, session) in app.sessions.lock().await.0.extract_if(is_old) {
            let user = Target::new("user", session.user.name);
            let record = Record::system("session.expire").target(user);
            if let Err(rejected) = audit.record(record) {
                tracing::warn!(%rejected, "a session ended without a record");
            }
        }
    }
}
