//! Logging in with a browser.

use axum::{
    Form,
    extract::State,
    http::{StatusCode, header::SET_COOKIE},
    response::{Html, IntoResponse, Redirect, Response},
};
use tower_audit::AuditScope;

use crate::{
    app::Shared,
    login::{self, Credentials},
    reading, sign_in_page,
};

/// `GET /sign-in`.
pub(crate) async fn form() -> Html<&'static str> {
    Html(sign_in_page::EMPTY)
}

/// `POST /sign-in`: `user.login`, as the catalogue says. Whoever is in is led to the audit trail.
pub(crate) async fn sign_in(
    State(app): Shared,
    scope: AuditScope,
    Form(given): Form<Credentials>,
) -> Response {
    let Some(cookie) = login::begin(&app, &scope, given).await else {
        return (StatusCode::UNAUTHORIZED, Html(sign_in_page::refused())).into_response();
    };
    ([(SET_COOKIE, cookie)], Redirect::to(reading::PATH)).into_response()
}
