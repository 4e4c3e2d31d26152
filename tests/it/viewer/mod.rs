//! The viewer, asked as a browser or a program would.

mod access;
mod altered;
mod api;
mod bad_input;
mod exports;
mod given;
mod headers;
mod hostile;
mod live;
mod pace;
mod reads;
mod served;
#[cfg(all(feature = "postgres", feature = "mysql"))]
mod servers;
mod shares;

use std::sync::{Arc, Mutex};

use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, request::Parts};
use http_body_util::BodyExt;
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt;
use tower_audit::{
    Actor, Record,
    clock::Timestamp,
    sink::{Delivery, Sink, SqliteSink},
    store::{Reach, Store},
    testing::FixedClock,
    viewer::{Access, Viewer, ViewerBody, ViewerBuilder},
};

use crate::support::batches::{START, batch, origin, plain};

/// A store in a folder, which records can be put into while a viewer reads it.
pub(super) struct Place {
    pub(super) dir: TempDir,
    sink: SqliteSink,
}

impl Place {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sink = SqliteSink::new(dir.path().join("audit.db"));
        Self { dir, sink }
    }

    /// With records 0 to 9 of trail 1.
    pub(super) async fn plain() -> Self {
        let mut place = Self::new();
        place.put(1, plain(&origin(1), 0..10).records).await;
        place
    }

    pub(super) async fn put(&mut self, trail: u128, records: Vec<Delivery>) {
        let batch = batch(&origin(trail), records);
        self.sink.deliver(&batch).await.unwrap();
    }

    pub(super) async fn store(&self) -> Store {
        let path = self.dir.path().join("audit.db");
        Store::open(&format!("sqlite://{}", path.display()))
            .await
            .unwrap()
    }

    /// A viewer whose readers say who they are: see [`who`].
    pub(super) async fn viewer(&self) -> Viewer {
        self.built(|builder| builder).await
    }

    pub(super) async fn built(
        &self,
        configure: impl FnOnce(ViewerBuilder) -> ViewerBuilder,
    ) -> Viewer {
        let builder = Viewer::builder(self.store().await, |parts| async move { who(&parts) });
        let builder = builder.path("/audit").clock(FixedClock::at(now()));
        configure(builder).build().unwrap()
    }

    /// As [`viewer`](Self::viewer), and what it recorded.
    pub(super) async fn noted(&self) -> (Viewer, Noted) {
        let noted = Noted::default();
        let kept = noted.clone();
        let viewer = self
            .built(|builder| builder.on_read(move |record| kept.0.lock().unwrap().push(record)))
            .await;
        (viewer, noted)
    }
}

/// As long as it is there, a paused clock stands still: it would go on by itself whenever everybody
/// waits for the store.
pub(super) struct Still(tokio::task::JoinHandle<()>);

impl Still {
    pub(super) fn stand() -> Self {
        Self(tokio::spawn(async {
            loop {
                tokio::task::yield_now().await;
            }
        }))
    }
}

impl Drop for Still {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// An hour after the records of a [`Place`].
pub(super) fn now() -> Timestamp {
    Timestamp::from_micros(START + 3_600_000_000)
}

/// What a viewer recorded.
#[derive(Debug, Clone, Default)]
pub(super) struct Noted(Arc<Mutex<Vec<Record>>>);

impl Noted {
    pub(super) fn take(&self) -> Vec<Record> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// Without what says only that an export has begun.
    pub(super) fn ended(&self) -> Vec<Record> {
        let mut records = self.take();
        records.retain(|record| !record.details.contains_key("state"));
        records
    }
}

/// `x-reader: all`, `x-reader: tenant A`, `actor 7`, `application x`; `as 7` is another one who may
/// read everything; whoever says nothing may not read.
pub(super) fn who(parts: &Parts) -> Access {
    let header = parts.headers.get("x-reader");
    let said = header.map(|value| value.to_str().unwrap());
    match said.map(|said| said.split_once(' ').unwrap_or((said, ""))) {
        None => Access::Denied,
        Some(("tenant", id)) => Access::Within(reader(), Reach::tenant(id)),
        Some(("actor", id)) => Access::Within(reader(), Reach::actor(id)),
        Some(("application", id)) => Access::Within(reader(), Reach::application(id)),
        Some(("as", id)) => Access::All(Actor::user(id)),
        Some(("panic", _)) => panic!("the authoriser panics on purpose"),
        Some(_) => Access::All(reader()),
    }
}

pub(super) fn reader() -> Actor {
    Actor::user("reader-1").name("Reader One")
}

/// An answer, read to its end.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Told {
    pub(super) status: StatusCode,
    pub(super) headers: http::HeaderMap,
    pub(super) body: Bytes,
}

impl Told {
    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(super) fn json(&self) -> Value {
        let json = serde_json::from_slice(&self.body);
        json.unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(super) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }
}

pub(super) fn asking(path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::builder().method(Method::GET).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}

/// The answer's head; its body is still to be read.
pub(super) async fn head(viewer: &Viewer, request: Request<Body>) -> Response<ViewerBody> {
    viewer.clone().oneshot(request).await.unwrap()
}

pub(super) async fn told(viewer: &Viewer, request: Request<Body>) -> Told {
    let (parts, body) = head(viewer, request).await.into_parts();
    Told {
        status: parts.status,
        headers: parts.headers,
        body: body.collect().await.unwrap().to_bytes(),
    }
}

/// Asks as a reader who may read everything.
pub(super) async fn get(viewer: &Viewer, path: &str) -> Told {
    get_as(viewer, "all", path).await
}

pub(super) async fn get_as(viewer: &Viewer, reader: &str, path: &str) -> Told {
    told(viewer, asking(path, &[("x-reader", reader)])).await
}

/// Every address of the viewer, with an id for what needs one.
pub(super) fn addresses(id: &str) -> Vec<String> {
    [
        "/",
        "/actors/146",
        "/destinations",
        "/exports",
        "/export?format=csv",
        "/export?format=json",
        "/export?format=jsonl",
        "/live",
        "/api/records",
        "/api/records?following=0",
        "/api/facets",
        "/api/histogram",
        "/api/count",
        "/api/export?format=json",
        "/api/openapi.json",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain([format!("/records/{id}"), format!("/api/records/{id}")])
    .map(|path| format!("/audit{path}"))
    .collect()
}
