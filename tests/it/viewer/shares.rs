//! What one reader may take from the others: places, turns and time, also by reading nothing.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use http::StatusCode;
use http_body_util::BodyExt;
use tokio::time::Instant;
use tower_audit::{
    Outcome,
    viewer::{Access, Viewer},
};

use super::{
    Place, Still, asking,
    exports::{LONG, begun, pass, switched},
    get_as, head,
    live::{ALL, Live, arrival},
    reader, told,
};
use crate::support::batches::{origin, plain};

/// A viewer with one place for a live view, and when its authoriser was asked.
async fn asked(place: &Place, access: &Arc<Mutex<Access>>) -> (Viewer, Arc<Mutex<Vec<Instant>>>) {
    let times = Arc::new(Mutex::new(Vec::new()));
    let (access, kept) = (Arc::clone(access), Arc::clone(&times));
    let authorise = move |_| {
        kept.lock().unwrap().push(Instant::now());
        let access = access.lock().unwrap().clone();
        async move { access }
    };
    let builder = Viewer::builder(place.store().await, authorise).max_live(1);
    (builder.build().unwrap(), times)
}

fn all() -> Arc<Mutex<Access>> {
    Arc::new(Mutex::new(Access::All(reader())))
}

async fn status(viewer: &Viewer) -> StatusCode {
    head(viewer, asking("/live", &[])).await.status()
}

// Trap Q8: by the clock, not by what the client does.
#[tokio::test(start_paused = true)]
async fn a_live_view_is_authorised_every_60_seconds() {
    let place = Place::plain().await;
    let (viewer, times) = asked(&place, &all()).await;
    let mut live = Live::open(&viewer, "/live", &[]).await;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(600) {
        live.next().await.unwrap();
    }
    let times = times.lock().unwrap().clone();
    assert!(times.len() >= 10, "{}", times.len());
    for pair in times.windows(2) {
        let between = pair[1] - pair[0];
        assert!(between <= Duration::from_secs(61), "{between:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_live_view_that_nobody_reads_loses_its_place_when_access_is_withdrawn() {
    let _clock = Still::stand();
    let place = Place::plain().await;
    let access = all();
    let (viewer, times) = asked(&place, &access).await;
    // Its client takes nothing, not even the first line.
    let unread = head(&viewer, asking("/live", &[])).await;
    pass(59).await;
    *access.lock().unwrap() = Access::Denied;
    assert_eq!(times.lock().unwrap().len(), 1);
    pass(2).await;
    assert_eq!(times.lock().unwrap().len(), 2);
    *access.lock().unwrap() = Access::All(reader());
    assert_eq!(status(&viewer).await, StatusCode::OK);
    let read = unread.into_body().collect().await.unwrap().to_bytes();
    assert!(read.ends_with(b"event: denied\ndata:\n\n"), "{read:?}");
}

#[tokio::test(start_paused = true)]
async fn a_live_view_that_nobody_reads_gives_its_place_to_others() {
    let clock = Still::stand();
    let mut place = Place::plain().await;
    let (viewer, _) = asked(&place, &all()).await;
    let unread = head(&viewer, asking("/live?range=all", &[])).await;
    assert_eq!(status(&viewer).await, StatusCode::TOO_MANY_REQUESTS);
    pass(61).await;
    pass(61).await;
    // From here on streams wait for the time to pass.
    drop(clock);
    let mut live = Live::open(&viewer, "/live?range=all", &[]).await;
    place.put(1, plain(&origin(1), 10..11).records).await;
    assert_eq!(arrival(&live.event().await.unwrap()), 11);
    // Whoever reads on gets nothing more; a browser comes back by itself.
    let read = unread.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(&*read, b"retry: 3000\n\n");
}

#[tokio::test(start_paused = true)]
async fn a_live_view_that_is_read_slowly_keeps_its_place() {
    let place = Place::plain().await;
    let (viewer, times) = asked(&place, &all()).await;
    let answer = head(&viewer, asking("/live?range=all&since=0", &[])).await;
    let mut body = answer.into_body();
    let mut rows = 0;
    while rows < 10 {
        let frame = body.frame().await.unwrap().unwrap();
        rows += usize::from(frame.data_ref().unwrap().starts_with(b"event: record"));
        // Longer than a word of the authoriser is good, with its client at work all the time.
        pass(100).await;
    }
    assert!(times.lock().unwrap().len() >= 10);
}

#[tokio::test(start_paused = true)]
async fn an_authoriser_that_does_not_answer_has_not_said_yes() {
    let place = Place::plain().await;
    let is_first = Mutex::new(true);
    let authorise = move |_| {
        let is_first = std::mem::take(&mut *is_first.lock().unwrap());
        async move {
            if !is_first {
                std::future::pending::<()>().await;
            }
            Access::All(reader())
        }
    };
    let viewer = Viewer::builder(place.store().await, authorise);
    let viewer = viewer.build().unwrap();
    let mut live = Live::open(&viewer, "/live", &[]).await;
    assert_eq!(live.event().await.as_deref(), Some("event: denied\ndata:"));
    assert_eq!(live.event().await, None);
}

#[tokio::test]
async fn one_reader_has_two_exports_at_once_and_leaves_the_others_theirs() {
    let mut place = Place::plain().await;
    place.put(2, plain(&origin(2), 1000..4000).records).await;
    let viewer = place.viewer().await;
    let path = "/audit/api/export?format=jsonl&range=all";
    let mut running = Vec::new();
    for _ in 0..2 {
        let mut answer = head(&viewer, asking(path, &ALL)).await;
        answer.body_mut().frame().await.unwrap().unwrap();
        running.push(answer);
    }
    let third = get_as(&viewer, "all", path).await;
    assert_eq!(third.status, StatusCode::TOO_MANY_REQUESTS);
    let other = get_as(&viewer, "as other", path).await;
    assert_eq!(other.status, StatusCode::OK);
    drop(running);
    let again = get_as(&viewer, "all", path).await;
    assert_eq!(again.status, StatusCode::OK);
}

// A piece of 64 KiB in four seconds is slow, one in ten is somebody who keeps a turn.
#[tokio::test(start_paused = true)]
async fn an_export_that_is_drawn_out_ends_and_one_that_is_slow_does_not() {
    let _clock = Still::stand();
    for (seconds, is_whole) in [(4, true), (10, false)] {
        let mut place = Place::plain().await;
        place.put(3, plain(&origin(3), 4000..10_000).records).await;
        let (viewer, noted, _access) = switched(&mut place).await;
        let mut body = begun(&viewer).await;
        let mut pieces = 1;
        let ended = loop {
            pass(seconds).await;
            match body.frame().await {
                None => break true,
                Some(Ok(_)) => pieces += 1,
                Some(Err(_)) => break false,
            }
        };
        assert_eq!(ended, is_whole, "{seconds} after {pieces}");
        if is_whole {
            assert!(pieces > 25, "{pieces} are too few to see anything");
        } else {
            assert_eq!(noted.ended()[0].outcome, Some(Outcome::Cancelled));
            let other = told(&viewer, asking(LONG, &[])).await;
            assert_eq!(other.status, StatusCode::OK);
        }
    }
}
