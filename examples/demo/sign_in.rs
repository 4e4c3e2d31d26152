//! Logging in with a browser.

use axum::{
    Form,
    extract::State,
    http::{
        HeaderMap, StatusCode,
        header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, ORIGIN, SET_COOKIE},
    },
    response::{Html, IntoResponse, Redirect, Response},
};
use tower_audit::AuditScope;

use crate::{
    app::Shared,
    login::{self, Credentials},
    reading, sign_in_page,
};

/// The page's own rules: its style, its form, and no frame around it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";

/// `GET /sign-in`.
pub(crate) async fn form() -> impl IntoResponse {
    page(StatusCode::OK, sign_in_page::EMPTY.to_owned())
}

fn page(status: StatusCode, html: String) -> impl IntoResponse {
    let headers = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (CACHE_CONTROL, "no-store"),
    ];
    (status, headers, Html(html))
}

/// `POST /sign-in`: `user.login`, as the catalogue says. Whoever is in is led to the audit trail.
pub(crate) async fn sign_in(
    State(app): Shared,
    scope: AuditScope,
    headers: HeaderMap,
    Form(given): Form<Credentials>,
) -> Response {
    if is_of_another_site(&headers) {
        scope.denied("another site sent the form");
        return StatusCode::FORBIDDEN.into_response();
    }
    let Some(cookie) = login::begin(&app, &scope, given).await else {
        return page(StatusCode::UNAUTHORIZED, sign_in_page::refused()).into_response();
    };
    ([(SET_COOKIE, cookie)], Redirect::to(reading::PATH)).into_response()
}

/// Whoever is signed in by another site does what follows in a name that is not theirs. A browser says
/// with each form where it comes from.
fn is_of_another_site(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else {
        return false;
    };
    let origin = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.split_once("://"));
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    origin.is_none() || origin.map(|(_, host)| host) != host
}
