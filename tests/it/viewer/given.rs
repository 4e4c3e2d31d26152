//! What left the house is what is on record.

use http::StatusCode;
use http_body_util::BodyExt;
use tower::ServiceExt;
use tower_audit::{Outcome, Record, testing::TestTrail};

use super::{
    Noted, Place, Still, asking,
    exports::pass,
    get, head,
    live::{ALL, Live},
    reads::{from_peer, host, left},
};
use crate::support::batches::{id, origin, plain};

/// Page, filter, number, and whether it is the number of all.
fn said(records: &[Record]) -> Vec<(String, serde_json::Value, Option<u64>, bool)> {
    let said = |record: &Record| {
        let details = &record.details;
        (
            details["page"].as_str().unwrap().to_owned(),
            details["filter"].clone(),
            details.get("records").and_then(serde_json::Value::as_u64),
            details.get("sum") == Some(&true.into()),
        )
    };
    records.iter().map(said).collect()
}

fn all(more: &[(&str, &str)]) -> serde_json::Value {
    let pairs = more.iter().chain(&[("range", "all")]);
    let pairs = pairs.map(|(name, value)| ((*name).to_owned(), (*value).into()));
    serde_json::Value::Object(pairs.collect())
}

#[tokio::test(start_paused = true)]
async fn the_pages_of_one_filter_are_summed_up_when_five_minutes_are_over() {
    let _clock = Still::stand();
    let place = Place::plain().await;
    let (viewer, noted) = place.noted().await;
    let path = "/audit/api/records?range=all&limit=4";
    let first = get(&viewer, path).await.json();
    let older = first["older"].as_str().unwrap();
    let second = get(&viewer, &format!("{path}&before={older}")).await;
    assert_eq!(second.json()["records"].as_array().unwrap().len(), 4);
    let read = |records, is_sum| ("api/records".to_owned(), all(&[]), Some(records), is_sum);
    assert_eq!(said(&noted.take()), [read(4, false)]);
    pass(301).await;
    assert_eq!(said(&noted.take()), [read(8, true)]);
    pass(301).await;
    assert_eq!(noted.take(), []);
}

#[tokio::test(start_paused = true)]
async fn following_says_from_where_and_how_many_in_all() {
    let _clock = Still::stand();
    let place = Place::plain().await;
    let (viewer, noted) = place.noted().await;
    let mut next = 0;
    for _ in 0..3 {
        let path = format!("/audit/api/records?range=all&limit=3&following={next}");
        next = get(&viewer, &path).await.json()["next"].as_u64().unwrap();
    }
    pass(301).await;
    let read = |after, records, is_sum| {
        let filter = all(&[("following", after)]);
        ("api/records".to_owned(), filter, Some(records), is_sum)
    };
    assert_eq!(
        said(&noted.take()),
        [read("0", 3, false), read("3", 9, true)]
    );
}

#[tokio::test(start_paused = true)]
async fn a_live_view_says_from_where_and_in_the_end_how_many() {
    let _clock = Still::stand();
    let place = Place::plain().await;
    let begun = ("live".to_owned(), all(&[("since", "2")]), None, false);
    let ended = ("live".to_owned(), all(&[("since", "2")]), Some(8), true);
    for is_closed in [false, true] {
        let (viewer, noted) = place.noted().await;
        let mut live = Live::open(&viewer, "/audit/live?range=all&since=2", &ALL).await;
        for _ in 0..8 {
            assert!(live.event().await.unwrap().starts_with("event: record"));
        }
        assert_eq!(said(&noted.take()), std::slice::from_ref(&begun));
        if is_closed {
            // What is open is written here and now.
            viewer.close();
            assert_eq!(said(&noted.take()), std::slice::from_ref(&ended));
        } else {
            drop(live);
            pass(301).await;
            assert_eq!(said(&noted.take()), std::slice::from_ref(&ended));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_live_view_that_goes_on_says_every_five_minutes_how_many() {
    let mut place = Place::plain().await;
    let (viewer, noted) = place.noted().await;
    let mut live = Live::open(&viewer, "/audit/live?range=all", &ALL).await;
    for from in [10, 20, 30] {
        place
            .put(1, plain(&origin(1), from..from + 5).records)
            .await;
        for _ in 0..5 {
            assert!(live.event().await.unwrap().starts_with("event: record"));
        }
        // Each heartbeat is 15 seconds.
        for _ in 0..25 {
            live.next().await.unwrap();
        }
    }
    let read = noted.take();
    assert!(read.len() >= 3, "{read:?}");
    let numbers = |record: &Record| record.details.get("records")?.as_u64();
    let in_all: u64 = read.iter().filter_map(numbers).sum();
    assert_eq!(in_all, 15, "{read:?}");
}

#[tokio::test]
async fn a_record_that_is_opened_says_how_many_others_came_with_it() {
    let mut place = Place::plain().await;
    let more = r#","outcome":"success","context":{"request_id":"r-1"}"#;
    let of_one = [20, 21, 22].map(|n| crate::support::batches::record(n, "a.b", more));
    place.put(1, of_one.into()).await;
    let (viewer, noted) = place.noted().await;
    for (path, number, others) in [
        ("records", 21, 2),
        ("api/records", 20, 2),
        ("records", 3, 0),
    ] {
        let answer = get(&viewer, &format!("/audit/{path}/{}", id(number))).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(noted.take()[0].details["others"], others, "{path} {number}");
    }
}

fn joined(noted: &Noted) -> (Record, Record) {
    let records = noted.take();
    let [begun, ended] = <[Record; 2]>::try_from(records).unwrap();
    assert_eq!(begun.details["export"], ended.details["export"]);
    assert_eq!(begun.details["filter"], ended.details["filter"]);
    assert_eq!(
        (&begun.details["state"], begun.outcome),
        (&"begun".into(), Some(Outcome::Unknown))
    );
    (begun, ended)
}

#[tokio::test]
async fn an_export_is_on_record_before_its_first_byte_and_when_the_connection_drops() {
    let mut place = Place::plain().await;
    place.put(2, plain(&origin(2), 1000..4000).records).await;
    let (viewer, noted) = place.noted().await;
    let path = "/audit/api/export?format=jsonl&range=all";
    let mut answer = head(&viewer, asking(path, &ALL)).await;
    // Whoever kills the process now cannot hide that it was begun.
    let begun = noted.take();
    assert_eq!(
        (begun.len(), &begun[0].details["state"]),
        (1, &"begun".into())
    );
    answer.body_mut().frame().await.unwrap().unwrap();
    drop(answer);
    let ended = noted.take();
    assert_eq!(ended[0].details["export"], begun[0].details["export"]);
    assert_eq!(ended[0].outcome, Some(Outcome::Cancelled));
    get(&viewer, path).await;
    let (_, whole) = joined(&noted);
    assert_eq!(whole.outcome, Some(Outcome::Success));
    // Nobody took a byte.
    drop(head(&viewer, asking(path, &ALL)).await);
    let (_, nothing) = joined(&noted);
    assert_eq!(
        (nothing.outcome, &nothing.details["records"]),
        (Some(Outcome::Cancelled), &0.into())
    );
}

#[tokio::test]
async fn the_shutdown_of_a_trail_writes_what_is_open() {
    let mut place = Place::plain().await;
    place.put(2, plain(&origin(2), 1000..4000).records).await;
    let trail = TestTrail::start();
    let (router, _viewer) = host(&place, &trail).await;
    let ask = async |path: &str| {
        let answer = router.clone().oneshot(from_peer(path, Some("all")));
        answer.await.unwrap().into_body()
    };
    for _ in 0..2 {
        ask("/audit/api/records?range=all&limit=7")
            .await
            .collect()
            .await
            .unwrap();
    }
    // Clients that read nothing more.
    let mut live = ask("/audit/live?since=0&outcome=success&range=all").await;
    for _ in 0..4 {
        live.frame().await.unwrap().unwrap();
    }
    let mut export = ask("/audit/export?format=csv&range=all").await;
    export.frame().await.unwrap().unwrap();
    let report = trail
        .audit()
        .shutdown(std::time::Duration::from_secs(20))
        .await;
    assert!(report.stored > 0);
    let (reads, _) = left(&trail);
    let numbers: Vec<_> = reads
        .iter()
        .map(|read| read.details.get("records").map(ToString::to_string))
        .collect();
    let of = |number: &str| Some(number.to_owned());
    assert_eq!(numbers[..2], [of("7"), None], "{reads:?}");
    assert!(numbers.contains(&of("14")), "the pages in all: {numbers:?}");
    assert!(
        numbers.contains(&of("3")),
        "the rows of the live view: {numbers:?}"
    );
    let mut ends = reads
        .iter()
        .filter(|read| read.action.as_str() == "audit.export");
    let ended = ends.next_back().unwrap();
    assert_eq!(ended.outcome, Some(Outcome::Cancelled));
    drop((live, export));
}
