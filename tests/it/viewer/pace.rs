//! What streams does so with little: one poller for all, one piece at a time, and a word now and then.

use std::time::Duration;

use http_body_util::BodyExt;
use tokio::runtime::Handle;
use tower_audit::{Outcome, export::Export, sink::Delivery};

use super::{
    Place, asking, head,
    live::{ALL, Live, arrival},
    reader,
};
use crate::support::batches::{origin, plain, record};

// Every stream has a watch of its own, and the poller is everybody's.
#[tokio::test(start_paused = true)]
async fn all_live_views_share_one_poller() {
    let place = Place::plain().await;
    let viewer = place.viewer().await;
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let mut streams = Vec::new();
    for of in 0..9 {
        let own = [("x-reader", &*format!("as {of}"))];
        streams.push(Live::open(&viewer, "/audit/live", &own).await);
        assert_eq!(tasks() - before, streams.len() + 1);
    }
    drop(streams);
    // The watches end by themselves, once they have their turn.
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
    assert_eq!(tasks(), before);
}

/// What reading left: the stream of the one who read passes over it.
fn own_reads(numbers: std::ops::Range<u64>) -> Vec<Delivery> {
    let actor = serde_json::to_value(reader()).unwrap();
    let more = format!(r#","outcome":"success","actor":{actor}"#);
    let reads = numbers.map(|number| record(number, "audit.read", &more));
    reads.collect()
}

// A proxy on the way cuts what is silent, and a browser that comes back must not begin anew.
#[tokio::test(start_paused = true)]
async fn a_live_view_that_catches_up_says_how_far_it_has_come() {
    let mut place = Place::plain().await;
    place.put(1, own_reads(10..3010)).await;
    place.put(1, plain(&origin(1), 3010..3011).records).await;
    let viewer = place.viewer().await;
    let path = "/audit/live?range=all&reads=1&since=10";
    let hurry = tokio::spawn(async {
        loop {
            tokio::time::advance(Duration::from_secs(16)).await;
        }
    });
    let mut live = Live::open(&viewer, path, &ALL).await;
    let mut said = Vec::new();
    let last = loop {
        let event = live.next().await.unwrap();
        let Some(comment) = event.strip_prefix(": \nid: ") else {
            break event;
        };
        said.push(comment.parse::<u64>().unwrap());
    };
    hurry.abort();
    assert_eq!(arrival(&last), 3011);
    let between = |at: &u64| (11..3010).contains(at);
    assert!(said.iter().filter(|at| between(at)).count() > 2, "{said:?}");
    assert!(said.is_sorted(), "{said:?}");
}

#[tokio::test]
async fn an_export_is_made_piece_by_piece_as_its_client_takes_it() {
    let mut place = Place::plain().await;
    for from in [1000, 5000, 9000] {
        let records = plain(&origin(2), from..from + 4000).records;
        place.put(2, records).await;
    }
    for format in ["jsonl", "json", "csv"] {
        let (viewer, noted) = place.noted().await;
        let path = format!("/audit/api/export?format={format}&range=all");
        let mut body = head(&viewer, asking(&path, &ALL)).await.into_body();
        let mut taken = 0;
        for _ in 0..4 {
            let piece = body.frame().await.unwrap().unwrap().into_data().unwrap();
            // A piece is full with the record that fills it.
            assert!(
                piece.len() < Export::PIECE + 4096,
                "{format}: {}",
                piece.len()
            );
            taken += piece.iter().filter(|byte| **byte == b'\n').count();
        }
        drop(body);
        let ended = noted.ended();
        assert_eq!(ended[0].outcome, Some(Outcome::Cancelled));
        // What was not taken was not made, beside what the last piece left over.
        let made = usize::try_from(ended[0].details["records"].as_u64().unwrap()).unwrap();
        assert!(
            made <= taken + taken / 2 && made < 6000,
            "{format}: {made} of {taken}"
        );
    }
}
