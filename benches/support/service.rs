//! The service that requests are measured on, and the trail around it.

use std::path::Path;

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{Method, header},
    routing::{get, post},
};
use tower_audit::{
    Actor, Audit, AuditScope, HashKey, Policy, Target, policy::Rule, record::Assurance,
};

use super::{Fallible, facts::SERVICE};

/// The service that is measured: the same handlers in every run.
pub(crate) fn bare() -> Router {
    Router::new()
        .route("/documents/{id}", post(create).get(read))
        .route("/health", get(read))
}

async fn read() -> &'static str {
    "read"
}

/// Says what it does, to whoever listens.
async fn create(scope: Option<AuditScope>) -> &'static str {
    if let Some(scope) = scope {
        scope
            .action("document.create")
            .actor(Actor::user("146").name("Flapjack Toasty"))
            .target(Target::new("document", "4cq1mN0000000001").name("Untitled document"));
    }
    "made"
}

pub(crate) fn request(method: &Method, path: &str) -> Request {
    let mut request = Request::new(Body::empty());
    request.method_mut().clone_from(method);
    if let Ok(uri) = path.parse() {
        *request.uri_mut() = uri;
    }
    for (name, value) in [
        (
            header::USER_AGENT,
            "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
        ),
        (
            header::COOKIE,
            "theme=dark; sid=0123456789abcdef0123456789abcdef",
        ),
        (header::HOST, "docs.example.com"),
        (header::ACCEPT, "text/html,application/xhtml+xml"),
    ] {
        request
            .headers_mut()
            .insert(name, header::HeaderValue::from_static(value));
    }
    request
}

/// A trail that records what the handlers say, this surely, and never `/health`.
pub(crate) fn start(dir: &Path, assurance: Assurance) -> Fallible<Audit> {
    let policy = Policy::default()
        .rule(Rule::new("health").route("/health").skip())
        .rule(
            Rule::new("documents")
                .method("POST")
                .record()
                .assurance(assurance),
        );
    Ok(Audit::builder(SERVICE)
        .dir(dir)
        .policy(policy)
        .hash_key(HashKey::new("k1", b"a key for a bench, 32 bytes long"))
        .start_blocking()?)
}
