//! Logging in and out.

use axum::{
    Json,
    extract::State,
    http::{
        HeaderMap, StatusCode,
        header::{self, SET_COOKIE},
    },
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use tower_audit::{Actor, AuditScope};

use crate::{
    app::{App, Shared},
    users::User,
};

/// The cookie that holds the session's id. The trail only ever has a keyed hash of its value.
pub(crate) const COOKIE: &str = "sid";

#[derive(Deserialize)]
pub(crate) struct Credentials {
    user: String,
    password: String,
}

/// `POST /login`: `user.login`, as the catalogue says.
pub(crate) async fn login(
    State(app): Shared,
    scope: AuditScope,
    Json(given): Json<Credentials>,
) -> Response {
    match begin(&app, &scope, given).await {
        Some(cookie) => [(SET_COOKIE, cookie)].into_response(),
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}

/// Begins a session, if that is the password, and tells who it is; its cookie.
pub(crate) async fn begin(app: &App, scope: &AuditScope, given: Credentials) -> Option<String> {
    let users = app.users.lock().await;
    let Some(user) = users.verify(&given.user, &given.password) else {
        // Whoever this is, it is not known to be that user.
        scope.actor(Actor::anonymous().claimed(given.user));
        scope.denied("wrong user or password");
        return None;
    };
    scope.actor(user.actor());
    let id = app.sessions.lock().await.begin(user.name.clone());
    // The record takes the session that this sets: it is found together with what follows.
    Some(format!("{COOKIE}={id}; HttpOnly; SameSite=Lax; Path=/"))
}

/// The session's id that a request presents.
pub(crate) fn presented(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get(header::COOKIE)?.to_str().ok()?;
    let mut pairs = cookies.split("; ").filter_map(|pair| pair.split_once('='));
    pairs.find_map(|(name, value)| (name == COOKIE).then_some(value))
}

/// `POST /logout`: `user.logout`.
pub(crate) async fn logout(
    State(app): Shared,
    _user: User,
    headers: HeaderMap,
) -> impl IntoResponse {
    if let Some(id) = presented(&headers) {
        app.sessions.lock().await.end(id);
    }
    let removed = format!("{COOKIE}=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0");
    (StatusCode::NO_CONTENT, [(SET_COOKIE, removed)])
}
