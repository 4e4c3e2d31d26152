//! A service with two days of history, of which administrators read everything.

use std::{ops::Deref, time::Duration};

use axum::{Router, extract::Path, http::StatusCode, routing::post};
use serde_json::{Value, json};
use tower_audit::{
    Actor, AuditScope, Record, Target,
    record::{Application, Context, Http, Tenant},
    store::Query,
    viewer::Access,
};

use crate::support::{
    desk::cookie,
    stage::{Database, Stage},
};

/// Records of the history, one each 40 minutes.
pub(super) const HISTORY: usize = 72;

pub(super) struct App(Stage);

impl Deref for App {
    type Target = Stage;

    fn deref(&self) -> &Stage {
        &self.0
    }
}

fn access(user: &str) -> Access {
    match user {
        "admin" => Access::All(Actor::user("1").name("admin")),
        _ => Access::Denied,
    }
}

/// What is made while somebody looks.
async fn create(scope: AuditScope, Path(name): Path<String>) -> StatusCode {
    scope
        .action("document.create")
        .target(Target::new("document", "d-new").name(name));
    StatusCode::CREATED
}

impl App {
    pub(super) async fn start() -> Self {
        let routes = Router::new().route("/documents/{name}", post(create));
        Self(Stage::start(Database::Sqlite, routes, access, |builder, _| builder).await)
    }

    /// With its history.
    pub(super) async fn with_history() -> Self {
        let app = Self::start().await;
        for index in (0..HISTORY).rev() {
            let minutes = 40 * u64::try_from(index).unwrap() + 1;
            app.ago(Duration::from_secs(60 * minutes));
            app.audit.record(record(index)).unwrap();
        }
        app.now();
        app.has(&Query::new().limit(1000), HISTORY).await;
        app
    }

    /// Somebody makes a document, by the service's own address.
    pub(super) async fn create(&self, name: &str) {
        // Of two records of one microsecond neither is the newer one.
        self.clock.advance(Duration::from_secs(1));
        let (header, value) = cookie("146");
        let path = format!("/documents/{name}");
        let answer = self
            .service
            .post(&path, &[(header, &value)], Value::Null)
            .await;
        assert_eq!(answer.status, StatusCode::CREATED);
    }
}

/// One of the history: three of four go well.
fn record(index: usize) -> Record {
    let (id, name) = [
        ("146", "Flapjack Toasty"),
        ("147", "Zoë O'Brien, Jr."),
        ("148", "Noor"),
    ][index % 3];
    let document =
        Target::new("document", format!("d-{}", index % 7)).name(format!("Plan \"{index}\""));
    let record = match index % 4 {
        0 => Record::new("user.login").denied("wrong user or password"),
        1 => Record::new("document.create").target(document),
        2 => Record::new("document.rename").target(document).change(
            "name",
            "Untitled",
            format!("Plan {index}"),
        ),
        _ => Record::new("document.delete")
            .target(document)
            .detail("versions", json!([index, {"kept": true}])),
    };
    let context = Context::new()
        .ip_address(format!("203.0.113.{}", index % 5 + 1))
        .user_agent("Mozilla/5.0 (X11; Linux x86_64)")
        .request_id(format!("request-{}", index / 2))
        .http(Http::new().method("POST").route("/documents").status(200));
    record
        .actor(Actor::user(id).name(name))
        .application(Application::new("web"))
        .tenant(Tenant::new("t-1").name("Bakery"))
        .context(context)
}
