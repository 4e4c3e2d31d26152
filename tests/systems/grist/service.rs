//! A document service that says what Grist says.

use axum::{
    Json, Router,
    extract::Path,
    http::{HeaderMap, StatusCode},
    routing::{patch, post, put},
};
use serde_json::{Value, json};
use tower_audit::{
    Actor, Audit, AuditLayer, AuditScope, Target,
    capture::{ActorLayer, ClientAddress, Session, TrustedProxies},
    record::{Catalogue, Declaration, Tenant},
};

/// What an auditor is told there is. The names are Grist's.
pub(super) fn catalogue() -> Catalogue {
    let declared = [
        ("document.create", "A document was made.", "POST", "/docs"),
        (
            "document.rename",
            "A document got another name.",
            "PATCH",
            "/docs/{id}",
        ),
        (
            "workspace.change_access",
            "Who may see a workspace was changed.",
            "PUT",
            "/workspaces/{id}/access",
        ),
        (
            "user.create_api_key",
            "A user was given a key.",
            "POST",
            "/api-key",
        ),
        (
            "config.update",
            "An administrator changed a setting.",
            "PUT",
            "/config/{key}",
        ),
        ("user.login", "Somebody tried to sign in.", "POST", "/login"),
    ];
    let mut all: Vec<_> = declared
        .iter()
        .map(|(action, description, method, route)| {
            Declaration::new(*action)
                .description(*description)
                .route(*method, *route)
        })
        .collect();
    all.push(Declaration::new("document.delete").description("A document was removed for good."));
    Catalogue::new(all).unwrap()
}

/// The user of a request, by a header; a service has sessions.
fn actor(headers: &HeaderMap) -> Option<Actor> {
    let name = headers.get("x-user")?.to_str().ok()?;
    let (id, full) = match name {
        "flapjack" => ("146", "Flapjack Toasty"),
        "owner" => ("1", "Olive Owner"),
        _ => return None,
    };
    Some(
        Actor::user(id)
            .name(full)
            .email(format!("{name}@example.com")),
    )
}

pub(super) fn router(audit: &Audit) -> Router {
    let routes = Router::new()
        .route("/docs", post(create))
        .route("/docs/{id}", patch(rename))
        .route("/workspaces/{id}/access", put(change_access))
        .route("/api-key", post(api_key))
        .route("/config/{key}", put(configure))
        .route("/login", post(login));
    audited(routes, audit)
}

/// With the layers that such a service has.
pub(super) fn audited(routes: Router, audit: &Audit) -> Router {
    routes
        .layer(ActorLayer::new(|request| actor(&request.headers)))
        .layer(layer(audit))
}

fn layer(audit: &Audit) -> AuditLayer {
    audit
        .layer()
        .client_address(ClientAddress::behind(TrustedProxies::loopback()))
        .session(Session::cookie("grist_sid"))
        .tenant(|_| Some(Tenant::new("42").name("Grist Labs").domain("gristlabs")))
}

async fn create(scope: AuditScope, Json(given): Json<Value>) -> Json<Value> {
    let id = "4cq1mNTkQmEF5KsUVGiy6H";
    scope.target(Target::new("document", id).name(given["name"].as_str().unwrap()));
    scope.detail("workspace", json!({"id": 97, "name": "Secret Plans"}));
    Json(json!(id))
}

async fn rename(scope: AuditScope, Path(id): Path<String>, Json(given): Json<Value>) {
    scope.target(Target::new("document", id).name(given["name"].as_str().unwrap()));
    scope.change("name", "Untitled document", &given["name"]);
}

async fn change_access(
    scope: AuditScope,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> StatusCode {
    scope.target(Target::new("workspace", id));
    if actor(&headers).is_some_and(|actor| actor.id.is_some_and(|id| id.as_str() == "1")) {
        return StatusCode::NO_CONTENT;
    }
    scope.denied("not an owner of the workspace");
    StatusCode::FORBIDDEN
}

async fn api_key(scope: AuditScope) {
    scope.target(Target::new("user", "146"));
    scope.detail("api_key", "a key that nobody may read");
}

/// Destinations are a setting in Grist, with their tokens.
async fn configure(scope: AuditScope, Path(key): Path<String>, Json(given): Json<Value>) {
    scope.target(Target::new("config", key));
    scope.change("value", Value::Null, given);
}

async fn login(scope: AuditScope, Json(given): Json<Value>) -> StatusCode {
    if given["password"] == "syrup" {
        scope.actor(Actor::user("146").name("Flapjack Toasty"));
        return StatusCode::NO_CONTENT;
    }
    scope.actor(Actor::anonymous().claimed(given["user"].as_str().unwrap()));
    scope.denied("wrong user or password");
    StatusCode::UNAUTHORIZED
}
