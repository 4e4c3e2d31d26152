//! A service that watches backups.

use std::time::Duration;

use axum::{
    Json, Router,
    extract::Path,
    http::StatusCode,
    routing::{delete, post, put},
};
use http::Method;
use serde_json::{Value, json};
use tower_audit::{
    Actor, AuditScope, Record, Target,
    record::{Catalogue, Declaration, Fault},
    retention::{Retention, Schedule},
    store::Query,
    viewer::Access,
};

use crate::support::{
    desk::cookie,
    stage::{Database, Stage},
};

pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);
/// What a client writes in front of its address, to hide.
const SPOOFED: &str = "6.6.6.6";
/// Where the requests come from, as the proxy says that is trusted.
pub(super) const ADDRESS: &str = "203.0.113.9";
pub(super) const AGENT: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)";

/// What nobody may read: nested, in camelCase, and in a text.
pub(super) const SECRETS: [&str; 4] = ["hunter2", "tok-51aa", "smtp-pass-77", "old-hunter1"];

/// duplistatus: any user who is signed in reads everything. Here an auditor does.
fn access(user: &str) -> Access {
    match user {
        "auditor" => Access::All(Actor::user("7").name("auditor")),
        _ => Access::Denied,
    }
}

/// The categories of duplistatus.
fn catalogue() -> Catalogue {
    let declared = [
        ("login", "authentication", "POST", "/api/login"),
        ("user_updated", "user management", "PUT", "/api/users/{id}"),
        (
            "config_updated",
            "configuration",
            "PUT",
            "/api/configuration/{key}",
        ),
        (
            "backup_collected",
            "backup operations",
            "POST",
            "/api/backups/{server}",
        ),
        (
            "server_deleted",
            "server management",
            "DELETE",
            "/api/servers/{id}",
        ),
    ];
    let declared = declared.map(|(action, category, method, route)| {
        Declaration::new(action)
            .category(category)
            .route(method, route)
    });
    let system = Declaration::new("audit_cleanup").category("system operations");
    Catalogue::new(declared.into_iter().chain([system])).unwrap()
}

/// What is kept how long.
pub(super) const fn retention() -> Retention {
    Retention::new().keep(DAY.saturating_mul(90))
}

pub(super) async fn start() -> Stage {
    start_on(|_address| {}).await
}

/// The same on a database that something was done with before, which is given its address.
pub(super) async fn start_on(history: impl FnOnce(&str)) -> Stage {
    let routes = Router::new()
        .route("/api/login", post(login))
        .route("/api/users/{id}", put(update_user))
        .route("/api/configuration/{key}", put(configure))
        .route("/api/backups/{server}", post(collect))
        .route("/api/servers/{id}", delete(delete_server));
    Stage::start(Database::Sqlite, routes, access, |builder, address| {
        // duplistatus: kept for 30 to 365 days, 90 unless set; cleaned up daily, here each hour.
        // No record of a test is from the months before.
        let schedule = Schedule::daily(address).every(Duration::from_secs(3600));
        let schedule = schedule.idle(Duration::from_secs(365 * 86_400));
        history(address);
        builder
            .catalogue(catalogue())
            .retention(retention(), schedule)
    })
    .await
}

/// A day of it: seven entries, of each category and status.
pub(super) async fn a_day(stage: &Stage) -> Vec<Value> {
    let user = json!({"email": "ada@example.com", "profile": {"newPassword": SECRETS[0], "apiTokens": [SECRETS[1]]}});
    let settings = json!({"smtp": {"host": "mail.example", "smtpPassword": SECRETS[2]}});
    let requests = [
        (
            Method::POST,
            "/api/login",
            "",
            json!({"user": "ada", "password": "wrong"}),
        ),
        (
            Method::POST,
            "/api/login",
            "",
            json!({"user": "ada", "password": "right"}),
        ),
        (Method::PUT, "/api/users/12", "ada", user),
        (
            Method::PUT,
            "/api/configuration/notifications",
            "ada",
            settings,
        ),
        (Method::POST, "/api/backups/nas", "grace", Value::Null),
        (Method::DELETE, "/api/servers/nas", "grace", Value::Null),
    ];
    let chain = format!("{SPOOFED}, {ADDRESS}");
    for (minutes, (method, path, user, body)) in (1..).zip(requests) {
        stage.ago(Duration::from_secs(60 * (60 - minutes)));
        let (cookie, session) = cookie(user);
        let mut headers = vec![("user-agent", AGENT), ("x-forwarded-for", chain.as_str())];
        if !user.is_empty() {
            headers.push((cookie, &session));
        }
        stage.service.send(method, path, &headers, body).await;
    }
    stage.ago(Duration::from_secs(60));
    let cleanup = Record::system("audit_cleanup").detail("deleted", 42);
    stage.audit.record(cleanup).unwrap();
    stage.now();
    stage.has(&Query::new(), 7).await
}

async fn login(scope: AuditScope, Json(given): Json<Value>) -> StatusCode {
    let name = given["user"].as_str().unwrap().to_owned();
    if given["password"] == "right" {
        scope.actor(Actor::user("12").name(name));
        return StatusCode::OK;
    }
    scope.actor(Actor::anonymous().claimed(name));
    scope.failure("invalid credentials");
    StatusCode::BAD_REQUEST
}

async fn update_user(scope: AuditScope, Path(id): Path<String>, Json(given): Json<Value>) {
    scope.target(Target::new("user", id).name("ada"));
    scope.change("passwordHash", SECRETS[3], "changed");
    scope.change("email", Value::Null, &given["email"]);
    scope.detail("request", given);
}

async fn configure(scope: AuditScope, Path(key): Path<String>, Json(given): Json<Value>) {
    scope.target(Target::new("setting", key));
    scope.detail("new", given);
}

async fn collect(scope: AuditScope, Path(server): Path<String>) {
    scope.target(Target::new("server", server).name("=NAS, \"cellar\""));
    scope.detail(
        "statistics",
        json!({"backups": 14, "bytes": 73_014_444_032_u64}),
    );
}

async fn delete_server(scope: AuditScope, Path(id): Path<String>) -> StatusCode {
    scope.target(Target::new("server", id));
    scope.error(Fault::new("FOREIGN KEY constraint failed").code("SQLITE_CONSTRAINT"));
    StatusCode::INTERNAL_SERVER_ERROR
}
