//! Sessions: who is behind a cookie, and the job that ends old ones.

use std::{collections::HashMap, sync::Arc, time};

use axum::{
    extract::{Request, State},
    http::HeaderMap,
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
    user: String,
    begun: time::Instant,
}

impl Sessions {
    /// Begins a session; its id is for the user's cookie only.
    pub(crate) fn begin(&mut self, user: String) -> String {
        let id = Uuid::new_v4().simple().to_string();
        let begun = time::Instant::now();
        self.0.insert(id.clone(), Session { user, begun });
        id
    }

    pub(crate) fn end(&mut self, id: &str) {
        self.0.remove(id);
    }
}

/// The user of the cookie's session, as long as it lives, with the role of now.
pub(crate) async fn user(app: &App, headers: &HeaderMap) -> Option<User> {
    let id = login::presented(headers)?;
    let name = app.sessions.lock().await.0.get(id)?.user.clone();
    app.users.lock().await.0.get(&name).cloned()
}

/// Puts the user of the session's cookie into the request.
pub(crate) async fn authenticate(State(app): Shared, mut request: Request, next: Next) -> Response {
    if let Some(user) = user(&app, request.headers()).await {
        request.extensions_mut().insert(user);
    }
    next.run(request).await
}

/// Ends sessions that are older than `lasts`, and records that the system did it.
pub(crate) async fn expire(app: Arc<App>, audit: Audit, lasts: time::Duration) {
    let mut ticks = tokio::time::interval(time::Duration::from_secs(1));
    loop {
        ticks.tick().await;
        let is_old = |_: &String, session: &mut Session| session.begun.elapsed() >= lasts;
        for (_, session) in app.sessions.lock().await.0.extract_if(is_old) {
            let user = Target::new("user", session.user);
            let record = Record::system("session.expire").target(user);
            if let Err(rejected) = audit.record(record) {
                tracing::warn!(%rejected, "a session ended without a record");
            }
        }
    }
}
