//! The service that requests are measured on, and the trail around it.

use std::path::Path;

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderMap, Method, header},
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

/// The same service as one writes it without us: the handler logs the facts of the audit record.
pub(crate) fn telling() -> Router {
    Router::new().route("/documents/{id}", post(create_and_tell))
}

async fn create_and_tell(headers: HeaderMap) -> &'static str {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    tracing::info!(
        action = "document.create",
        outcome = "success",
        actor.kind = "user",
        actor.id = "146",
        actor.name = "Flapjack Toasty",
        target.kind = "document",
        target.id = "4cq1mN0000000001",
        target.name = "Untitled document",
        user_agent = text(header::USER_AGENT),
        session_id = "hmac-sha256:k1:9f86d081884c7d659a2feaa0c55ad015",
    );
    "made"
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
