//! Live views: what arrives is shown, to whom it may be shown, for as long as it may be.

use std::{
    collections::HashSet,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use http::{StatusCode, header::COOKIE, request::Parts};
use http_body_util::BodyExt;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use tower_audit::{
    store::Reach,
    viewer::{Access, Viewer, ViewerBody},
};

use super::{Place, asking, get, get_as, head, reader};
use crate::support::batches::{origin, plain, record};

/// A live view, read event by event, by a client that has always taken what there was.
pub(super) struct Live {
    body: ViewerBody,
    read: String,
}

impl Live {
    pub(super) async fn open(viewer: &Viewer, path: &str, headers: &[(&str, &str)]) -> Self {
        let answer = head(viewer, asking(path, headers)).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let mut live = Self {
            body: answer.into_body(),
            read: String::new(),
        };
        assert_eq!(live.next().await.as_deref(), Some("retry: 3000"));
        live
    }

    /// The next event, or comment; none when the stream has ended.
    pub(super) async fn next(&mut self) -> Option<String> {
        loop {
            self.take();
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.read = rest;
                return Some(event);
            }
            let frame = self.body.frame().await?.unwrap();
            self.read += std::str::from_utf8(&frame.into_data().unwrap()).unwrap();
        }
    }

    /// Takes what is there, as a server does whose client reads.
    fn take(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(Ok(frame))) = pin!(self.body.frame()).poll(&mut cx) {
            self.read += std::str::from_utf8(&frame.into_data().unwrap()).unwrap();
        }
    }

    /// The next event that is no heartbeat.
    pub(super) async fn event(&mut self) -> Option<String> {
        loop {
            let event = self.next().await?;
            if !event.starts_with(':') {
                return Some(event);
            }
        }
    }
}

/// The number of arrival of an event with a record.
pub(super) fn arrival(event: &str) -> u64 {
    let mut lines = event.lines();
    assert_eq!(lines.next(), Some("event: record"), "{event}");
    let id = lines.next().unwrap().strip_prefix("id: ").unwrap();
    assert!(lines.next().unwrap().starts_with("data: <tr"), "{event}");
    id.parse().unwrap()
}

pub(super) const ALL: [(&str, &str); 1] = [("x-reader", "all")];

#[tokio::test(start_paused = true)]
async fn what_arrives_is_shown_once_and_what_was_there_is_not() {
    let mut place = Place::plain().await;
    let viewer = place.viewer().await;
    let mut live = Live::open(&viewer, "/audit/live?range=all", &ALL).await;
    place.put(1, plain(&origin(1), 10..13).records).await;
    // Late, and older than all that was seen.
    place.put(2, plain(&origin(2), 500..501).records).await;
    for expected in 11..=14 {
        assert_eq!(arrival(&live.event().await.unwrap()), expected);
    }
    // A browser that comes back says where it was; so does a page that was drawn before.
    let headers = [("x-reader", "all"), ("last-event-id", "12")];
    let mut again = Live::open(&viewer, "/audit/live?range=all&since=3", &headers).await;
    assert_eq!(arrival(&again.event().await.unwrap()), 13);
    let mut since = Live::open(&viewer, "/audit/live?range=all&since=13", &ALL).await;
    assert_eq!(arrival(&since.event().await.unwrap()), 14);
}

/// As after a restore from a backup: what arrived last is no longer there.
async fn go_back(place: &Place, last: u64) {
    let path = place.dir.path().join("audit.db");
    let mut database = SqliteConnection::connect(path.to_str().unwrap())
        .await
        .unwrap();
    for table in [
        "DELETE FROM audit_records WHERE arrival > ",
        "UPDATE audit_arrival SET last = ",
    ] {
        let statement = AssertSqlSafe(format!("{table}{last}"));
        sqlx::query(statement).execute(&mut database).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_live_view_of_a_store_that_went_back_says_so_and_goes_on() {
    let mut place = Place::plain().await;
    let viewer = place.viewer().await;
    let mut live = Live::open(&viewer, "/audit/live?range=all", &ALL).await;
    place.put(1, plain(&origin(1), 10..11).records).await;
    assert_eq!(arrival(&live.event().await.unwrap()), 11);
    go_back(&place, 6).await;
    let reset = Some("event: reset\nid: 6\ndata:");
    assert_eq!(live.event().await.as_deref(), reset);
    // A browser that was elsewhere meanwhile.
    let headers = [("x-reader", "all"), ("last-event-id", "11")];
    let mut again = Live::open(&viewer, "/audit/live?range=all", &headers).await;
    assert_eq!(again.event().await.as_deref(), reset);
    place.put(2, plain(&origin(2), 20..21).records).await;
    for live in [&mut live, &mut again] {
        assert_eq!(arrival(&live.event().await.unwrap()), 7);
    }
}

#[tokio::test(start_paused = true)]
async fn a_live_view_has_its_filter_and_its_readers_reach() {
    let mut place = Place::plain().await;
    let viewer = place.viewer().await;
    let of = |tenant: &str| format!(r#","outcome":"success","tenant":{{"id":"{tenant}"}}"#);
    let headers = [("x-reader", "tenant A")];
    let mut own = Live::open(&viewer, "/audit/live?action=a.b", &headers).await;
    let records = [
        ("a.b", "B"),
        ("a.c", "A"),
        ("a.b", "A"),
        ("a.b", "B"),
        ("a.b", "A"),
    ];
    let records = (20..)
        .zip(records)
        .map(|(n, (action, tenant))| record(n, action, of(tenant)));
    place.put(1, records.collect()).await;
    assert_eq!(arrival(&own.event().await.unwrap()), 13);
    assert_eq!(arrival(&own.event().await.unwrap()), 15);
}

#[tokio::test(start_paused = true)]
async fn ones_own_reading_is_not_fed_back() {
    let mut place = Place::plain().await;
    let viewer = place.viewer().await;
    let mut live = Live::open(&viewer, "/audit/live?reads=1&range=all", &ALL).await;
    let by = |actor: serde_json::Value| format!(r#","outcome":"success","actor":{actor}"#);
    let own = by(serde_json::to_value(reader()).unwrap());
    let other = by(serde_json::json!({"type": "user", "id": "other"}));
    let records = [
        ("audit.read", &own),
        ("audit.export", &own),
        ("audit.read", &other),
        ("a.b", &own),
    ];
    let records = (20..)
        .zip(records)
        .map(|(n, (action, more))| record(n, action, more));
    place.put(1, records.collect()).await;
    assert_eq!(arrival(&live.event().await.unwrap()), 13);
    assert_eq!(arrival(&live.event().await.unwrap()), 14);
}

#[tokio::test(start_paused = true)]
async fn a_quiet_stream_says_every_15_seconds_that_it_is_there() {
    let place = Place::plain().await;
    let viewer = place.viewer().await;
    let mut live = Live::open(&viewer, "/audit/live", &ALL).await;
    let begun = tokio::time::Instant::now();
    for _ in 0..3 {
        assert!(live.next().await.unwrap().starts_with(": "));
    }
    let waited = begun.elapsed();
    assert!(waited >= Duration::from_secs(45), "{waited:?}");
}

// Trap Q8: who may read is asked again while it streams.
#[tokio::test(start_paused = true)]
async fn a_stream_ends_within_a_minute_when_access_is_withdrawn() {
    let mut place = Place::plain().await;
    let allowed = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&allowed);
    let authorise = move |_| {
        let is_allowed = asked.load(Ordering::SeqCst);
        async move {
            if is_allowed {
                Access::All(reader())
            } else {
                Access::Denied
            }
        }
    };
    let viewer = Viewer::builder(place.store().await, authorise)
        .build()
        .unwrap();
    let mut live = Live::open(&viewer, "/live?range=all", &[]).await;
    allowed.store(false, Ordering::SeqCst);
    assert_eq!(live.event().await.as_deref(), Some("event: denied\ndata:"));
    place.put(1, plain(&origin(1), 10..13).records).await;
    assert_eq!(live.event().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_stream_shows_no_more_than_what_is_in_reach_by_now() {
    let mut place = Place::plain().await;
    let narrowed = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&narrowed);
    let authorise = move |_| {
        let reach = if asked.load(Ordering::SeqCst) {
            Reach::tenant("A")
        } else {
            Reach::default()
        };
        async move { Access::Within(reader(), reach) }
    };
    let viewer = Viewer::builder(place.store().await, authorise)
        .build()
        .unwrap();
    let mut live = Live::open(&viewer, "/live?range=all", &[]).await;
    narrowed.store(true, Ordering::SeqCst);
    // Four heartbeats: the authoriser was asked again.
    for _ in 0..4 {
        live.next().await.unwrap();
    }
    let of = |tenant: &str| format!(r#","outcome":"success","tenant":{{"id":"{tenant}"}}"#);
    place
        .put(
            1,
            vec![record(20, "a.b", of("B")), record(21, "a.b", of("A"))],
        )
        .await;
    assert_eq!(arrival(&live.event().await.unwrap()), 12);
}

#[tokio::test(start_paused = true)]
async fn there_are_32_streams_at_most_and_a_place_is_free_when_one_leaves() {
    let place = Place::plain().await;
    let viewer = place.viewer().await;
    let mut streams = Vec::new();
    // Eight readers, with four each: a fifth is refused before the others have theirs.
    for of in 0..8 {
        let reader = format!("as {of}");
        let own = [("x-reader", reader.as_str())];
        for _ in 0..4 {
            streams.push(Live::open(&viewer, "/audit/live", &own).await);
        }
        let refused = get_as(&viewer, &reader, "/audit/live").await;
        assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS, "{of}");
    }
    let refused = get(&viewer, "/audit/live").await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(!refused.header("retry-after").is_empty() && refused.text().contains("429"));
    drop(streams.pop());
    streams.push(Live::open(&viewer, "/audit/live", &ALL).await);
    drop(streams);
    // The poller has ended with the last, and begins again.
    let mut place = place;
    let mut live = Live::open(&viewer, "/audit/live?range=all", &ALL).await;
    place.put(1, plain(&origin(1), 10..11).records).await;
    assert_eq!(arrival(&live.event().await.unwrap()), 11);
}

#[tokio::test(start_paused = true)]
async fn streams_end_when_the_viewer_is_closed_and_no_new_one_begins() {
    let place = Place::plain().await;
    let viewer = place.viewer().await;
    let mut live = Live::open(&viewer, "/audit/live", &ALL).await;
    viewer.close();
    assert_eq!(live.event().await.as_deref(), Some("event: closed\ndata:"));
    assert_eq!(live.event().await, None);
    let answer = get(&viewer, "/audit/live").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
}

// Trap Q7: a store that is gone is said, and what arrived meanwhile is not lost.
#[tokio::test(start_paused = true)]
async fn a_stream_says_that_the_store_is_gone_and_goes_on_when_it_is_back() {
    let mut place = Place::plain().await;
    let viewer = place.viewer().await;
    let mut live = Live::open(&viewer, "/audit/live?range=all", &ALL).await;
    let (file, away) = (
        place.dir.path().join("audit.db"),
        place.dir.path().join("x.db"),
    );
    std::fs::rename(&file, &away).unwrap();
    assert_eq!(
        live.event().await.as_deref(),
        Some("event: unavailable\ndata:")
    );
    std::fs::rename(&away, &file).unwrap();
    assert_eq!(
        live.event().await.as_deref(),
        Some("event: available\ndata:")
    );
    place.put(1, plain(&origin(1), 10..11).records).await;
    assert_eq!(arrival(&live.event().await.unwrap()), 11);
}

/// Sessions as a host has them: who is behind which cookie, now.
type Sessions = Arc<Mutex<HashSet<String>>>;

async fn by_session(sessions: Sessions, parts: Arc<Parts>) -> Access {
    let cookie = parts.headers.get(COOKIE);
    let cookie = cookie.and_then(|value| value.to_str().ok());
    let is_in = cookie.is_some_and(|cookie| sessions.lock().unwrap().contains(cookie));
    if is_in {
        Access::All(reader())
    } else {
        Access::Denied
    }
}

// Trap Q8: the head of a request that streams is as old as the stream; what it presents is asked for.
#[tokio::test(start_paused = true)]
async fn a_logout_ends_a_stream_and_no_other_ones() {
    let place = Place::plain().await;
    let sessions: Sessions = Arc::new(Mutex::new(["s=1", "s=2"].map(str::to_owned).into()));
    let handle = Arc::clone(&sessions);
    let authorise = move |parts| by_session(Arc::clone(&handle), parts);
    let viewer = Viewer::builder(place.store().await, authorise)
        .build()
        .unwrap();
    let mut leaves = Live::open(&viewer, "/live", &[("cookie", "s=1")]).await;
    let mut stays = Live::open(&viewer, "/live", &[("cookie", "s=2")]).await;
    sessions.lock().unwrap().remove("s=1");
    assert_eq!(
        leaves.event().await.as_deref(),
        Some("event: denied\ndata:")
    );
    assert_eq!(leaves.event().await, None);
    for _ in 0..8 {
        assert!(stays.next().await.unwrap().starts_with(": "));
    }
}
