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
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap()
    };
    scope.tenant(Tenant::new(header("x-tenant")));
    scope.application(Application::new(header("x-application")));
}

/// The entries of one request, which are written at its end: an exception turns those that are not
/// independent into errors.
#[derive(Default)]
struct Entries(Vec<(Record, Standing)>);

#[derive(PartialEq, Eq)]
enum Standing {
    Dependent,
    Independent,
}

impl Entries {
    fn add(&mut self, record: Record, standing: Standing) {
        self.0.push((record, standing));
    }

    fn write(self, scope: &AuditScope, exception: Option<&Fault>) {
        for (record, standing) in self.0 {
            let record = match exception {
                Some(fault) if standing == Standing::Dependent => record.error(fault.clone()),
                _ => record,
            };
            scope.record(record).unwrap();
        }
    }
}

/// A sign-in: several steps in one request, each with its own entry.
async fn submit(scope: AuditScope, headers: HeaderMap, Json(given): Json<Value>) -> StatusCode {
    about(&scope, &headers);
    let text = |name: &str| given[name].as_str().unwrap().to_owned();
    scope.actor(Actor::user(text("user")).name(text("name")));
    scope.action("Interaction.SignIn.Submit");
    let mut entries = Entries::default();
    let hook = Record::new("TriggerHook.PostSignIn").detail("hook", "https://hooks.example");
    entries.add(hook, Standing::Independent);
    let step =
        Record::new("Interaction.SignIn.Identifier.Password.Submit").detail("params", &given);
    entries.add(step, Standing::Dependent);
    let password = Record::new("Interaction.SignIn.Verification.Password.Submit");
    entries.add(password, Standing::Dependent);
    if given["password"] == "correct horse" {
        entries.write(&scope, None);
        return StatusCode::OK;
    }
    let fault = Fault::new("The password is wrong.")
        .code("session.invalid_credentials")
        .kind("RequestError");
    entries.write(&scope, Some(&fault));
    scope.error(fault);
    StatusCode::UNPROCESSABLE_ENTITY
}

async fn token(scope: AuditScope, headers: HeaderMap, Json(given): Json<Value>) -> Json<Value> {
    about(&scope, &headers);
    scope.action("ExchangeTokenBy.AuthorizationCode");
    scope.actor(Actor::user(given["user"].as_str().unwrap()));
    scope.detail("scope", &given["scope"]);
    Json(json!({"access_token": "a secret of its own"}))
}

/// The management interface: no line of this handler is about auditing but the last.
async fn delete_user(scope: AuditScope, headers: HeaderMap, Path(id): Path<String>) -> StatusCode {
    about(&scope, &headers);
    scope.target(Target::new("user", id));
    StatusCode::NO_CONTENT
}
