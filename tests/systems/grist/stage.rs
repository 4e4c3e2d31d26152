//! The service with its two kinds of destination, and what they got.

use std::sync::Arc;

use axum::Router;
use serde_json::Value;
use tempfile::TempDir;
use tower_audit::{
    Audit,
    format::Format,
    record::Catalogue,
    sink::{SplunkSink, SqliteSink, WebhookSink},
    testing::FixedClock,
};

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
}

impl Stage {
    pub(super) async fn new() -> Self {
        Self::of(service::catalogue(), service::router).await
    }

    /// An administrator configured both destinations, by their addresses or here in the code.
    pub(super) async fn of(catalogue: Catalogue, router: fn(&Audit) -> Router) -> Self {
        let (hec, splunk) = Hec::start();
        let endpoint = Receiver::start(|_| Reply::plain(200, ""));
        let folder = tempfile::tempdir().unwrap();
        let collector = SplunkSink::builder(format!("http://{}", splunk.address()))
            .token(TOKEN)
            .format(Format::Grist);
        let plain = WebhookSink::builder(format!("http://{}/events", endpoint.address()))
            .header("authorization", &format!("Bearer {BEARER}"))
            .format(Format::Grist);
        let audit = Audit::builder("grist")
            .dir(folder.path().join("journal"))
            .clock(FixedClock::at("2024-11-13T06:00:51.518Z".parse().unwrap()))
            .catalogue(catalogue)
            .sink("sqlite", SqliteSink::new(folder.path().join("audit.db")))
            .sink("splunk", collector.build().unwrap())
            .sink("endpoint", plain.build().unwrap())
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
