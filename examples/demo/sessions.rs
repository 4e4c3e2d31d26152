//! Sessions: who is behind a cookie, and the job that ends old ones.

use std::{collections::HashMap, sync::Arc, time};

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
    begun: time::Instant,
}

impl Sessions {
    /// Begins a session; its id is for the user's cookie only.
    pub(crate) fn begin(&mut self, user: User) -> String {
        let id = Uuid::new_v4().simple().to_string();
        let begun = time::Instant::now();
        self.0.insert(id.clone(), Session { user, begun });
        id
    }

    /// The user of the cookie's session, as long as it lives.
    pub(crate) fn user(&self, headers: &HeaderMap) -> Option<&User> {
        Some(&self.0.get(presented(headers)?)?.user)
    }

    pub(crate) fn end(&mut self, id: &str) {
        self.0.remove(id);
    }
}

/// Puts the user of the session's cookie into the request.
pub(crate) async fn authenticate(State(app): Shared, mut request: Request, next: Next) -> Response {
    if let Some(user) = app.sessions.lock().await.user(request.headers()) {
        request.extensions_mut().insert(user.clone());
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
pub(crate) async fn expire(app: Arc<App>, audit: Audit, lasts: time::Duration) {
    let mut ticks = tokio::time::interval(time::Duration::from_secs(1));
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
