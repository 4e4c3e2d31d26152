//! The service with its two kinds of destination, and what they got.

use std::{fs, path::Path, sync::Arc};

use axum::Router;
use serde_json::Value;
use tempfile::TempDir;
use tower_audit::{Audit, record::Catalogue, sink::SqliteSink, testing::FixedClock};

use super::service;
use crate::support::{
    hec::{Hec, TOKEN},
    receiver::{Receiver, Reply},
    service::{Service, until},
};

/// The secret of the other destination.
pub(super) const BEARER: &str = "hunter2-of-the-endpoint";
pub(super) const AGENT: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)";
pub(super) const USER: [(&str, &str); 4] = [
    ("x-user", "flapjack"),
    ("user-agent", AGENT),
    ("x-forwarded-for", "39.139.42.243"),
    ("cookie", "grist_sid=ixVo6maPbcgd1vvoj93teT"),
];

pub(super) struct Stage {
    pub(super) hec: Arc<Hec>,
    pub(super) splunk: Receiver,
    pub(super) endpoint: Receiver,
    pub(super) folder: TempDir,
    pub(super) audit: Audit,
    pub(super) service: Service,
    _secrets: TempDir,
}

/// Grist: an administrator configures the destinations, as many as there are. Here in a file that the
/// service need not know, with the secrets beside it.
fn configured(splunk: &Receiver, endpoint: &Receiver, secrets: &Path) -> String {
    let (token, headers) = (secrets.join("token"), secrets.join("headers"));
    fs::write(&token, TOKEN).unwrap();
    fs::write(&headers, format!("authorization: Bearer {BEARER}")).unwrap();
    let collector = format!(
        "splunk+http://{}?token_file={}&format=grist",
        splunk.address(),
        token.display()
    );
    let plain = format!(
        "http://{}/events?headers_file={}&format=grist",
        endpoint.address(),
        headers.display()
    );
    let sink = |name, url| format!("[[sink]]\nname = \"{name}\"\nurl = \"{url}\"\n");
    sink("splunk", collector) + &sink("endpoint", plain)
}

impl Stage {
    pub(super) async fn new() -> Self {
        Self::of(service::catalogue(), service::router).await
    }

    pub(super) async fn of(catalogue: Catalogue, router: fn(&Audit) -> Router) -> Self {
        let (hec, splunk) = Hec::start();
        let endpoint = Receiver::start(|_| Reply::plain(200, ""));
        let (folder, secrets) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let destinations = secrets.path().join("destinations.toml");
        fs::write(
            &destinations,
            configured(&splunk, &endpoint, secrets.path()),
        )
        .unwrap();
        let audit = Audit::builder("grist")
            .dir(folder.path().join("journal"))
            .clock(FixedClock::at("2024-11-13T06:00:51.518Z".parse().unwrap()))
            .catalogue(catalogue)
            .sink("sqlite", SqliteSink::new(folder.path().join("audit.db")))
            .config_file(destinations)
            .start()
            .await
            .unwrap();
        let service = Service::start(router(&audit)).await;
        Self {
            hec,
            splunk,
            endpoint,
            folder,
            audit,
            service,
            _secrets: secrets,
        }
    }

    /// The events that the collector has, without the trail's own.
    pub(super) fn events(&self) -> Vec<Value> {
        let events = self
            .hec
            .events()
            .into_iter()
            .map(|event| event["event"].clone());
        events.filter(is_of_the_service).collect()
    }

    /// What the endpoint has, without the trail's own.
    pub(super) fn posted(&self) -> Vec<Value> {
        let posts = self.endpoint.posts("/events");
        let batches = posts
            .iter()
            .map(|post| serde_json::from_str::<Vec<Value>>(&post.body).unwrap());
        batches.flatten().filter(is_of_the_service).collect()
    }

    pub(super) async fn both_have(&self, count: usize) {
        until("both destinations have the events", async || {
            self.events().len() == count && self.posted().len() == count
        })
        .await;
        assert_eq!(self.events(), self.posted());
    }
}

pub(super) fn is_of_the_service(event: &Value) -> bool {
    !event["action"].as_str().unwrap().starts_with("audit.")
}
