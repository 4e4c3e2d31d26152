//! A service with two days of history, of which administrators read everything.

use std::time::Duration;

use axum::{Router, extract::Path, http::StatusCode, routing::post};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower_audit::{
    Actor, Audit, AuditScope, Record, Target,
    clock::Timestamp,
    record::{Application, Context, Http, Tenant},
    sink::SqliteSink,
    store::{Query, Store},
    testing::FixedClock,
    viewer::Access,
};

use crate::support::{
    desk::{cookie, desk, layered},
    service::{Service, until},
};

/// The time that it is.
const NOW: &str = "2026-11-20T15:00:00Z";

/// Records of the history, one each 40 minutes.
pub(super) const HISTORY: usize = 72;

pub(super) struct App {
    pub(super) service: Service,
    pub(super) audit: Audit,
    pub(super) store: Store,
    clock: FixedClock,
    _folder: TempDir,
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
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("audit.db");
        let clock = FixedClock::at(NOW.parse().unwrap());
        let audit = Audit::builder("test")
            .dir(folder.path().join("journal"))
            .clock(clock.clone())
            .sink("sqlite", SqliteSink::new(&file))
            .start()
            .await
            .unwrap();
        audit.record(Record::new("service.start")).unwrap();
        until("there is a database", async || file.exists()).await;
        let address = format!("sqlite://{}", file.display());
        let mut store = Store::open(&address).await;
        until("it can be read", async || {
            store = Store::open(&address).await;
            store.is_ok()
        })
        .await;
        let store = store.unwrap();
        let router = Router::new()
            .route("/documents/{name}", post(create))
            .merge(desk(&audit, store.clone(), access));
        let service = Service::start(layered(router, &audit)).await;
        Self {
            service,
            audit,
            store,
            clock,
            _folder: folder,
        }
    }

    /// With its history.
    pub(super) async fn with_history() -> Self {
        let app = Self::start().await;
        let now: Timestamp = NOW.parse().unwrap();
        for index in (0..HISTORY).rev() {
            let minutes = 40 * u64::try_from(index).unwrap() + 1;
            app.clock
                .set(now.saturating_sub(Duration::from_secs(60 * minutes)));
            app.audit.record(record(index)).unwrap();
        }
        app.clock.set(now);
        app.has(&Query::new().limit(1000), HISTORY + 1).await;
        app
    }

    /// Waits until so many records match, without those of the trail itself.
    pub(super) async fn has(&self, query: &Query, count: usize) {
        until("the records are in the store", async || {
            self.jsons(query).await.len() == count
        })
        .await;
    }

    /// The records that match, newest first, without those of the trail itself.
    pub(super) async fn jsons(&self, query: &Query) -> Vec<Value> {
        let page = self.store.browse(query).await.unwrap();
        let records = page
            .records
            .iter()
            .map(|stored| serde_json::from_str(&stored.json).unwrap());
        let is_own = |record: &Value| record["action"].as_str().unwrap().starts_with("audit.");
        records.filter(|record| !is_own(record)).collect()
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
