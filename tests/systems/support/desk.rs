//! What a service puts around a viewer: a sign-in page and sessions.

use axum::{
    Form, Router,
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse as _, Redirect, Response},
    routing::get,
};
use serde::{Deserialize, Serialize};
use tower_audit::{
    Actor, Audit, AuditLayer,
    capture::{ActorLayer, ClientAddress, Session, TrustedProxies},
    store::Store,
    viewer::Access,
};
use tower_http::catch_panic::CatchPanicLayer;

use super::browser::{Browser, Scripts};

/// What a session's id begins with; the rest is who it is of. A service takes random ones.
const SESSION: &str = "session-of-";

const PAGE: &str = r#"<!DOCTYPE html><html lang="en"><title>Sign in</title><main><h1>Sign in</h1>
<form method="post"><label>User <input name="user" required></label> <button>Sign in</button></form></main>"#;

#[derive(Deserialize)]
struct Given {
    user: String,
}

/// The viewer at `/audit` and what leads to it. `access` says what a user may read.
pub(crate) fn desk(audit: &Audit, store: Store, access: fn(&str) -> Access) -> Router {
    let viewer = audit
        .viewer(store, move |parts| {
            let access = user(&parts.headers).map_or(Access::Denied, |user| access(&user));
            async move { access }
        })
        .path("/audit")
        .title("Test")
        .sign_in("/sign-in");
    let sign_in = get(|| async { Html(PAGE) }).post(signed_in);
    Router::new()
        .route("/sign-in", sign_in)
        .nest_service("/audit", viewer.build().unwrap())
}

async fn signed_in(Form(given): Form<Given>) -> Response {
    let cookie = format!(
        "sid={SESSION}{}; HttpOnly; SameSite=Lax; Path=/",
        given.user
    );
    ([(header::SET_COOKIE, cookie)], Redirect::to("/audit")).into_response()
}

/// Who a request is of.
pub(crate) fn user(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get(header::COOKIE)?.to_str().ok()?;
    let mut cookies = cookies.split("; ");
    let session = cookies.find_map(|cookie| cookie.strip_prefix("sid="))?;
    session.strip_prefix(SESSION).map(str::to_owned)
}

/// The header of a program that is signed in.
pub(crate) fn cookie(user: &str) -> (&'static str, String) {
    ("cookie", format!("sid={SESSION}{user}"))
}

/// The layer as these services have it.
pub(crate) fn layered(router: Router, audit: &Audit) -> Router {
    let layer: AuditLayer = audit
        .layer()
        .client_address(ClientAddress::behind(TrustedProxies::loopback()))
        .session(Session::cookie("sid"));
    router
        .layer(ActorLayer::new(|request| {
            Some(Actor::user(user(&request.headers)?))
        }))
        .layer(layer)
        // Whoever panics, the client gets an answer.
        .layer(CatchPanicLayer::new())
}

/// A row of the viewer's table, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Row {
    pub(crate) id: String,
    /// RFC 3339, whatever zone is shown.
    pub(crate) time: String,
    pub(crate) action: String,
    pub(crate) category: String,
    pub(crate) outcome: String,
    /// The name, and below it the id; of one without a name its id, and below it what it is.
    pub(crate) actor: Vec<String>,
    /// The name, and below it type and id.
    pub(crate) target: Vec<String>,
    pub(crate) application: String,
    pub(crate) ip: String,
}

const ROWS: &str = r"
    const text = node => node ? node.textContent.trim() : '';
    const lines = cell => [...cell.children].map(text);
    return [...document.querySelectorAll('table.log tbody tr')].map(row => {
        const cell = name => row.querySelector('.c-' + name);
        return {
            id: row.dataset.id, time: cell('time').querySelector('time').dateTime,
            action: text(cell('action').querySelector('a')), category: text(cell('category')),
            outcome: text(cell('outcome')), actor: lines(cell('actor')), target: lines(cell('target')),
            application: text(cell('application')), ip: text(cell('ip')),
        };
    });";

impl Browser {
    /// Opens the viewer as somebody who is not signed in, and signs in as its page says.
    pub(crate) async fn sign_in(&self, url: &str, user: &str) {
        self.open(&format!("{url}/audit/")).await;
        assert_eq!(
            self.texts("p.status").await,
            [StatusCode::FORBIDDEN.as_str()]
        );
        self.find("a[href='/sign-in']").await.click().await.unwrap();
        self.find("input[name=user]")
            .await
            .send_keys(user)
            .await
            .unwrap();
        self.find("button").await.click().await.unwrap();
        self.find("table.log tbody tr").await;
    }

    /// The rows of the table that is shown.
    pub(crate) async fn rows(&self) -> Vec<Row> {
        serde_json::from_value(self.script(ROWS).await).expect("rows")
    }

    /// Clicks on what leads to another page, and waits for it.
    pub(crate) async fn follow(&self, css: &str) {
        let before = self.address().await;
        self.find(css)
            .await
            .click()
            .await
            .unwrap_or_else(|error| panic!("{css}: {error}"));
        self.until(&format!("{css} leads on"), async || {
            self.address().await != before
        })
        .await;
        self.find("footer.foot").await;
    }

    /// Writes into a field of the filters, and applies them.
    pub(crate) async fn filter(&self, field: &str, value: &str) {
        let before = self.address().await;
        let input = self.find(&format!(".filters [name={field}]")).await;
        let is_list = input.tag_name().await.unwrap() == "select";
        if is_list {
            input.select_by_value(value).await.unwrap();
        } else {
            input.clear().await.unwrap();
            input.send_keys(value).await.unwrap();
        }
        // A list applies itself where there is a script.
        if !is_list || self.scripts == Scripts::Off {
            self.find(".filters button[type=submit]")
                .await
                .click()
                .await
                .unwrap();
        }
        self.until("the filters are applied", async || {
            self.address().await != before
        })
        .await;
        self.find("footer.foot").await;
    }
}
