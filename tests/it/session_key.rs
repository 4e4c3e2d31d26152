//! The session of a request, as a hash that joins its records and that nobody can use.

use axum::{
    Router,
    body::Body,
    http::{HeaderName, Request, header},
    response::AppendHeaders,
    routing::post,
};
use tower::ServiceExt;
use tower_audit::{
    HashKey, Purpose, assert_recorded,
    capture::Session,
    testing::{Canary, TestTrail},
};

fn key() -> HashKey {
    HashKey::parse("k7:0123456789abcdef").unwrap()
}

fn hash(id: &str) -> String {
    key().hash(Purpose::Session, id.as_bytes()).to_string()
}

/// A service with this rule, after one `POST` with these headers to `/` or `/login`.
async fn after(session: Session, path: &str, headers: &[(HeaderName, &str)]) -> TestTrail {
    let trail = TestTrail::with(|builder| builder.hash_key(key()));
    let login =
        || async { AppendHeaders([(header::SET_COOKIE, "sid=the-new-session; Path=/; HttpOnly")]) };
    let logout = || async { AppendHeaders([(header::SET_COOKIE, "sid=; Max-Age=0")]) };
    let app = Router::new()
        .route("/", post(|| async {}))
        .route("/login", post(login))
        .route("/logout", post(logout))
        .layer(trail.audit().layer().session(session));
    let request = headers
        .iter()
        .fold(Request::post(path), |request, (name, value)| {
            request.header(name, *value)
        });
    app.oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    trail
}

// Trap C14.
#[tokio::test]
async fn a_session_stands_in_the_record_as_its_hash_only() {
    let by_closure = Session::with(|parts| {
        let value = parts.headers.get("x-session")?.to_str().ok()?;
        Some(value.split('.').next()?.to_owned())
    });
    let x_session = HeaderName::from_static("x-session");
    for (session, name, value) in [
        (
            Session::cookie("sid"),
            header::COOKIE,
            "theme=dark; sid=the-old-session",
        ),
        (
            Session::cookie("sid"),
            header::COOKIE,
            "sid=\"the-old-session\"",
        ),
        (
            Session::header(header::AUTHORIZATION),
            header::AUTHORIZATION,
            "Bearer the-old-session",
        ),
        (
            Session::header(x_session.clone()),
            x_session.clone(),
            "the-old-session",
        ),
        (by_closure, x_session, "the-old-session.signature"),
    ] {
        let trail = after(session, "/", &[(name, value)]).await;
        assert_recorded!(trail, {"context": {"session_id": hash("the-old-session")}});
        for line in trail.lines() {
            assert_eq!(
                Canary::of("the-old-session").find_in(line.as_bytes()),
                None,
                "{line}"
            );
        }
    }
}

#[tokio::test]
async fn a_login_joins_what_was_before_and_what_follows() {
    let cookie = [(header::COOKIE, "sid=the-old-session")];
    let trail = after(Session::cookie("sid"), "/login", &cookie).await;
    assert_recorded!(trail, {"context": {
        "session_id": hash("the-new-session"), "previous_session_id": hash("the-old-session")
    }});
    for line in trail.lines() {
        assert_eq!(
            Canary::of("the-new-session").find_in(line.as_bytes()),
            None,
            "{line}"
        );
    }
}

#[tokio::test]
async fn a_logout_keeps_the_session_that_it_ends() {
    let cookie = [(header::COOKIE, "sid=the-old-session")];
    let trail = after(Session::cookie("sid"), "/logout", &cookie).await;
    assert_recorded!(trail, {"context": {"session_id": hash("the-old-session")}});
    assert_eq!(trail.records()[0].context.previous_session_id, None);
}

#[tokio::test]
async fn a_session_that_is_none_is_absent() {
    let long = format!("sid={}", "x".repeat(Session::MAX_BYTES + 1));
    for cookie in ["", "theme=dark", "sid=", &long] {
        let trail = after(Session::cookie("sid"), "/", &[(header::COOKIE, cookie)]).await;
        assert_eq!(trail.records()[0].context.session_id, None);
    }
}

#[test]
fn a_start_tells_which_key_it_hashes_with_and_not_more() {
    let trail = TestTrail::with(|builder| builder.hash_key(key()));
    let start = trail.everything().remove(0);
    assert_eq!(
        start.details["hash_key"],
        serde_json::json!({"id": "k7", "source": "builder"})
    );
    assert!(
        trail
            .lines()
            .iter()
            .all(|line| !line.contains("0123456789abcdef"))
    );
}
