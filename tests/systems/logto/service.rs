//! A service that authenticates users, for several tenants.

use axum::{
    Json, Router,
    extract::Path,
    http::{HeaderMap, StatusCode},
    routing::{delete, post},
};
use serde_json::{Value, json};
use tower_audit::{
    Actor, AuditScope, Record, Target,
    record::{Application, Fault, Tenant},
    store::Reach,
    viewer::Access,
};

use crate::support::stage::{Database, Stage};

pub(super) async fn start(database: Database) -> Stage {
    let routes = Router::new()
        .route("/sign-in-experience/submit", post(submit))
        .route("/oidc/token", post(token))
        .route("/oidc/revoke", post(revoke))
        .route("/api/users/{id}", delete(delete_user));
    Stage::start(database, routes, access, |builder, _| builder).await
}

/// Whoever manages a tenant reads what is the tenant's.
fn access(user: &str) -> Access {
    match user.strip_prefix("admin-of-") {
        Some(tenant) => Access::Within(Actor::user(user), Reach::tenant(tenant)),
        None => Access::Denied,
    }
}

/// What a request is about, from its headers.
fn about(scope: &AuditScope, headers: &HeaderMap) {
    scope.tenant(Tenant::new(header(headers, "x-tenant")));
    scope.application(Application::new(header(headers, "x-application")));
    scope.detail("user_agent", parsed(header(headers, "user-agent")));
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).unwrap().to_str().unwrap()
}

/// What a browser calls itself, taken apart as Logto does. The trail keeps the text as it came; what
/// it means changes with the browsers, so that is for a service to say, by the library that it likes.
pub(super) fn parsed(agent: &str) -> Value {
    let (_, rest) = agent.split_once('(').unwrap_or_default();
    let (system, rest) = rest.split_once(')').unwrap_or_default();
    let browser = rest.split_whitespace().last().unwrap_or_default();
    let (name, version) = browser.split_once('/').unwrap_or((browser, ""));
    json!({"os": system, "browser": {"name": name, "version": version}})
}

/// An entry of a request beside its own.
fn entry(action: &str, headers: &HeaderMap) -> Record {
    Record::new(action).detail("user_agent", parsed(header(headers, "user-agent")))
}

/// A sign-in: several steps in one request, each with its own entry. Those that are not independent
/// end as the request does.
async fn submit(scope: AuditScope, headers: HeaderMap, Json(given): Json<Value>) -> StatusCode {
    about(&scope, &headers);
    scope.action("Interaction.SignIn.Submit");
    let identifier = entry("Interaction.SignIn.Identifier.Password.Submit", &headers);
    scope.step(identifier.detail("params", &given)).unwrap();
    let text = |name: &str| given[name].as_str().unwrap().to_owned();
    scope.actor(Actor::user(text("user")).name(text("name")));
    let hook = entry("TriggerHook.PostSignIn", &headers);
    scope
        .record(hook.detail("hook", "https://hooks.example"))
        .unwrap();
    let verification = entry("Interaction.SignIn.Verification.Password.Submit", &headers);
    scope.step(verification).unwrap();
    match given["password"].as_str() {
        Some("correct horse") => StatusCode::OK,
        Some("a bug") => panic!("index out of bounds"),
        _ => {
            let fault = Fault::new("The password is wrong.").kind("RequestError");
            scope.error(fault.code("session.invalid_credentials"));
            StatusCode::UNPROCESSABLE_ENTITY
        }
    }
}

async fn token(scope: AuditScope, headers: HeaderMap, Json(given): Json<Value>) -> Json<Value> {
    about(&scope, &headers);
    scope.action("ExchangeTokenBy.AuthorizationCode");
    scope.actor(Actor::user(given["user"].as_str().unwrap()));
    scope.detail("scope", &given["scope"]);
    if given["customized"] == true {
        let customizer = entry("JwtCustomizer.AccessToken", &headers);
        scope.step(customizer).unwrap();
    }
    Json(json!({"access_token": "a secret of its own"}))
}

async fn revoke(scope: AuditScope, headers: HeaderMap, Json(given): Json<Value>) {
    about(&scope, &headers);
    scope.action("RevokeToken");
    scope.actor(Actor::user(given["user"].as_str().unwrap()));
    scope.detail("params", given);
}

/// The management interface: no line of this handler is about auditing but the last.
async fn delete_user(scope: AuditScope, headers: HeaderMap, Path(id): Path<String>) -> StatusCode {
    about(&scope, &headers);
    scope.target(Target::new("user", id));
    StatusCode::NO_CONTENT
}
