//! A service with a trail, a database that it fills, and the viewer on that.

use std::time::Duration;

use axum::Router;
use serde_json::Value;
use tempfile::TempDir;
use tower_audit::{
    Audit, AuditBuilder,
    clock::Timestamp,
    sink::{SqliteSink, tables},
    store::{Query, Store},
    testing::FixedClock,
    viewer::Access,
};

use super::{
    desk::{desk, layered},
    postgres,
    service::{Service, until},
};

/// The time that it is.
pub(crate) const NOW: &str = "2026-11-20T15:00:00Z";

/// Where the records are.
pub(crate) enum Database {
    Sqlite,
    Postgres(postgres::Place),
}

pub(crate) struct Stage {
    pub(crate) service: Service,
    pub(crate) audit: Audit,
    pub(crate) store: Store,
    pub(crate) address: String,
    pub(crate) clock: FixedClock,
    pub(crate) folder: TempDir,
    _database: Database,
}

impl Stage {
    /// Starts a service with these routes; `access` says which user may read what;
    /// `configure` is given the address of the database.
    pub(crate) async fn start(
        database: Database,
        routes: Router,
        access: fn(&str) -> Access,
        configure: impl FnOnce(AuditBuilder, &str) -> AuditBuilder,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("audit.db");
        let clock = FixedClock::at(now());
        let builder = Audit::builder("test")
            .dir(folder.path().join("journal"))
            .clock(clock.clone());
        let (builder, address) = match &database {
            Database::Sqlite => {
                let address = format!("sqlite://{}", file.display());
                (builder.sink("database", SqliteSink::new(file)), address)
            }
            Database::Postgres(place) => (builder.sink("database", place.sink()), place.address()),
        };
        tables::migrate(&address, None).await.unwrap();
        let audit = configure(builder, &address).start().await.unwrap();
        let store = Store::open(&address).await.unwrap();
        let router = routes.merge(desk(&audit, store.clone(), access));
        let service = Service::start(layered(router, &audit)).await;
        Self {
            service,
            audit,
            store,
            address,
            clock,
            folder,
            _database: database,
        }
    }

    /// Puts the clock to so long before now.
    pub(crate) fn ago(&self, by: Duration) {
        self.clock.set(now().saturating_sub(by));
    }

    /// Puts the clock to now.
    pub(crate) fn now(&self) {
        self.clock.set(now());
    }

    /// The records that match, newest first, without those of the trail itself.
    pub(crate) async fn jsons(&self, query: &Query) -> Vec<Value> {
        let page = self.store.browse(query).await.unwrap();
        let records = page
            .records
            .iter()
            .map(|stored| serde_json::from_str(&stored.json).unwrap());
        let is_own = |record: &Value| record["action"].as_str().unwrap().starts_with("audit.");
        records.filter(|record| !is_own(record)).collect()
    }

    /// Waits until so many records match, without those of the trail itself; gives them.
    pub(crate) async fn has(&self, query: &Query, count: usize) -> Vec<Value> {
        until("the records are in the store", async || {
            self.jsons(query).await.len() == count
        })
        .await;
        self.jsons(query).await
    }
}

fn now() -> Timestamp {
    NOW.parse().unwrap()
}
