//! Reading a store: what matches, in which order, and what is told when there is no answer.

mod filters;
mod follow;
mod model;
mod pages;
pub(crate) mod places;
mod servers;

use std::{fs, ops::Range, path::Path, time::Duration};

use tempfile::TempDir;
use tower_audit::{
    clock::Timestamp,
    evidence::{Hash, TreeHead},
    sink::{Sink, SqliteSink},
    store::{Query, Store, StoreError, Stored},
};
use uuid::Uuid;

use crate::support::batches::{START, batch, origin, plain, record};

struct Place {
    dir: TempDir,
    sink: SqliteSink,
}

fn place() -> Place {
    let dir = tempfile::tempdir().unwrap();
    let sink = SqliteSink::new(dir.path().join("audit.db"));
    Place { dir, sink }
}

fn address(path: &Path) -> String {
    format!("sqlite://{}", path.display())
}

impl Place {
    async fn put(&mut self, trail: u128, records: impl IntoIterator<Item = (u64, &str, &str)>) {
        let records = records
            .into_iter()
            .map(|(number, action, more)| record(number, action, more))
            .collect();
        self.sink
            .deliver(&batch(&origin(trail), records))
            .await
            .unwrap();
    }

    async fn store(&self) -> Store {
        Store::open(&address(&self.dir.path().join("audit.db")))
            .await
            .unwrap()
    }
}

fn numbers(records: &[Stored]) -> Vec<u64> {
    records.iter().map(|stored| stored.number).collect()
}

fn down(numbers: Range<u64>) -> Vec<u64> {
    numbers.rev().collect()
}

async fn found(store: &Store, query: Query) -> Vec<u64> {
    numbers(&store.browse(&query).await.unwrap().records)
}

fn pattern(text: &str) -> Query {
    Query::new().action(text.parse().unwrap())
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(START + micros)
}

#[tokio::test]
async fn a_record_comes_out_as_it_went_in() {
    let mut place = place();
    let record = record(7, "document.create", r#","details":{"x":"é\u0000\ud800"}"#);
    let batch = batch(&origin(1), vec![record.clone()]);
    place.sink.deliver(&batch).await.unwrap();
    let page = place.store().await.browse(&Query::new()).await.unwrap();
    let [stored] = page.records.as_slice() else {
        panic!("one expected: {page:?}");
    };
    assert_eq!((&stored.json, stored.leaf), (&record.json, record.leaf));
    assert_eq!(
        (stored.arrival, stored.number, stored.trail),
        (1, 7, origin(1).trail)
    );
    assert_eq!(
        (stored.received, stored.id.timestamp()),
        (batch.received, at(7))
    );
}

#[tokio::test]
async fn each_filter_keeps_what_matches_and_they_go_together() {
    let mut place = place();
    let who = |id: &str| format!(r#","outcome":"success","actor":{{"type":"user","id":"{id}"}}"#);
    let claimed = r#","outcome":"denied","actor":{"type":"anonymous","claimed":"146"}"#;
    let (toast, other) = (who("146"), who("7"));
    let records = [
        (0, "user.login", toast.as_str()),
        (1, "user.login", claimed),
        (2, "user.logout", &toast),
        (3, "userx.login", &other),
        (4, "document.create", &other),
        (5, "user", &other),
    ];
    place.put(1, records).await;
    let store = place.store().await;
    let cases: [(&str, Query, &[u64]); 10] = [
        ("all", Query::new(), &[5, 4, 3, 2, 1, 0]),
        ("an action", pattern("user.login"), &[1, 0]),
        ("a prefix", pattern("user.*"), &[2, 1, 0]),
        ("a prefix of nothing", pattern("use.*"), &[]),
        (
            "an actor, never a claimed one",
            Query::new().actor("146"),
            &[2, 0],
        ),
        ("an outcome", Query::new().outcome("denied"), &[1]),
        (
            "a prefix and an actor",
            pattern("user.*").actor("146"),
            &[2, 0],
        ),
        (
            "a prefix and an outcome",
            pattern("user.*").outcome("success"),
            &[2, 0],
        ),
        (
            "an action and an outcome",
            pattern("user.login").outcome("success"),
            &[0],
        ),
        (
            "quotes are only text",
            Query::new().actor("' OR 1=1 --"),
            &[],
        ),
    ];
    for (name, query, expected) in cases {
        let mut followed = numbers(&store.follow(&query, 0).await.unwrap().records);
        followed.reverse();
        assert_eq!(followed, expected, "{name}, followed");
        assert_eq!(found(&store, query).await, expected, "{name}");
    }
}

// Traps Q3, Q4: the ends of a time range, to the microsecond.
#[tokio::test]
async fn a_range_of_time_includes_its_start_and_not_its_end() {
    let mut place = place();
    place
        .sink
        .deliver(&plain(&origin(1), 990..1010))
        .await
        .unwrap();
    let store = place.store().await;
    for (from, to, expected) in [
        (995, 1005, 995..1005),
        (995, 996, 995..996),
        (995, 995, 0..0),
        (1005, 995, 0..0),
        (0, 991, 990..991),
        (1009, 5000, 1009..1010),
    ] {
        let expected = down(expected);
        let query = Query::new().from(at(from)).to(at(to));
        assert_eq!(found(&store, query).await, expected, "{from}..{to}");
        let query = pattern("document.*").from(at(from)).to(at(to));
        assert_eq!(found(&store, query).await, expected, "{from}..{to}");
    }
}

// Traps D15, Q10: what is delivered late is seen by whoever follows.
#[tokio::test]
async fn following_by_arrival_misses_nothing_that_comes_late() {
    let mut place = place();
    place
        .sink
        .deliver(&plain(&origin(1), 100..110))
        .await
        .unwrap();
    let store = place.store().await;
    let first = store.follow(&Query::new().limit(4), 0).await.unwrap();
    assert_eq!(
        (numbers(&first.records), first.next),
        ((100..104).collect(), 4)
    );
    // Older records, of a trail whose process had died.
    place.sink.deliver(&plain(&origin(2), 0..3)).await.unwrap();
    let rest = store.follow(&Query::new(), first.next).await.unwrap();
    let expected: Vec<u64> = (104..110).chain(0..3).collect();
    assert_eq!((numbers(&rest.records), rest.next), (expected, 13));

    let nothing = store.follow(&pattern("no.such"), 0).await.unwrap();
    assert_eq!(
        (nothing.records.len(), nothing.next),
        (0, 13),
        "looked at all of them"
    );
    let end = store.follow(&Query::new(), 13).await.unwrap();
    assert_eq!((end.records.len(), end.next), (0, 13));
}

#[tokio::test]
async fn trails_tell_how_far_they_came_and_their_records_come_in_order() {
    let mut place = place();
    let head = TreeHead::new(40, Hash::from_bytes([7; 32]));
    place
        .sink
        .deliver(&plain(&origin(1), 0..40).head(Some(head)))
        .await
        .unwrap();
    place
        .sink
        .deliver(&plain(&origin(2), 90..95))
        .await
        .unwrap();
    let store = place.store().await;
    let trails = store.trails().await.unwrap();
    let seen: Vec<_> = trails
        .iter()
        .map(|trail| (trail.origin.clone(), trail.next, trail.head))
        .collect();
    assert_eq!(seen, [(origin(1), 40, Some(head)), (origin(2), 95, None)]);

    let mut from = 0;
    let mut read = Vec::new();
    loop {
        let leaves = store.leaves(origin(1).trail, from, 7).await.unwrap();
        let Some(last) = leaves.last() else { break };
        from = last.number + 1;
        read.extend(leaves);
    }
    let expected = plain(&origin(1), 0..40).records;
    let same = |(read, expected): (&tower_audit::store::Leaf, &tower_audit::sink::Delivery)| {
        (read.number, read.leaf, &read.json) == (expected.number, expected.leaf, &expected.json)
    };
    assert_eq!(read.len(), 40);
    assert!(read.iter().zip(&expected).all(same), "{read:?}");
    assert_eq!(store.leaves(Uuid::nil(), 0, 7).await.unwrap(), []);
}

// Trap Q7: an error is an error.
#[tokio::test]
async fn a_store_that_cannot_answer_says_why_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.db");
    for (name, make, expected) in [
        ("missing", None, "cannot be opened"),
        ("empty", Some(""), "no audit tables"),
        (
            "not a database",
            Some(
                "this is only a text that is longer than a header of SQLite, which has 100 bytes; it goes on for a while",
            ),
            "not a SQLite database",
        ),
    ] {
        if let Some(text) = make {
            fs::write(&path, text).unwrap();
        }
        let error = Store::open(&address(&path)).await.unwrap_err();
        assert!(
            matches!(error, StoreError::Unusable { .. }),
            "{name}: {error:?}"
        );
        assert!(error.to_string().contains(expected), "{name}: {error}");
    }
    let error = Store::open("sqlite://a.db?prefx=a_").await.unwrap_err();
    assert!(
        error.to_string().contains("did you mean prefix?"),
        "{error}"
    );
    assert!(!dir.path().join("a.db").exists());
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_an_error_and_the_store_goes_on() {
    let mut place = place();
    for first in (0..20_000).step_by(2000) {
        place
            .sink
            .deliver(&plain(&origin(1), first..first + 2000))
            .await
            .unwrap();
    }
    let hurried = place.store().await.timeout(Duration::ZERO);
    let error = hurried.count(&Query::new(), 100_000).await.unwrap_err();
    assert!(matches!(error, StoreError::Timeout { .. }), "{error:?}");
    let store = hurried.timeout(Duration::MAX);
    let count = store.count(&Query::new(), 100_000).await.unwrap();
    assert_eq!((count.records, count.is_exact), (20_000, true));
    let nothing = store.follow(&pattern("no.such"), 0).await.unwrap();
    assert_eq!((nothing.records.len(), nothing.next), (0, 20_000));
}

#[tokio::test]
async fn a_question_that_was_dropped_does_not_disturb_the_next() {
    let mut place = place();
    place
        .sink
        .deliver(&plain(&origin(1), 0..2000))
        .await
        .unwrap();
    let store = place.store().await;
    for polls in 1..30 {
        let query = Query::new().limit(1000);
        let mut question = Box::pin(store.browse(&query));
        for _ in 0..polls {
            let done = std::future::poll_fn(|context| {
                std::task::Poll::Ready(question.as_mut().poll(context).is_ready())
            });
            if done.await {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(
        found(&store, Query::new().limit(3)).await,
        [1999, 1998, 1997]
    );
}

#[tokio::test]
async fn reading_changes_nothing_and_sees_what_is_written_meanwhile() {
    let mut place = place();
    place.sink.deliver(&plain(&origin(1), 0..3)).await.unwrap();
    place.sink.close().await.unwrap();
    let path = place.dir.path().join("audit.db");
    let before = fs::read(&path).unwrap();
    let store = place.store().await;
    assert_eq!(found(&store, Query::new()).await, [2, 1, 0]);
    assert_eq!(fs::read(&path).unwrap(), before);
    place.sink.deliver(&plain(&origin(1), 3..4)).await.unwrap();
    assert_eq!(found(&store, Query::new()).await, [3, 2, 1, 0]);
}

#[tokio::test]
async fn a_store_whose_file_was_replaced_answers_from_the_new_one() {
    let (mut old, mut new) = (place(), place());
    old.sink.deliver(&plain(&origin(1), 0..3)).await.unwrap();
    new.sink.deliver(&plain(&origin(1), 7..8)).await.unwrap();
    old.sink.close().await.unwrap();
    new.sink.close().await.unwrap();
    let store = old.store().await;
    assert_eq!(found(&store, Query::new()).await, [2, 1, 0]);
    fs::rename(
        new.dir.path().join("audit.db"),
        old.dir.path().join("audit.db"),
    )
    .unwrap();
    assert_eq!(found(&store, Query::new()).await, [7]);
}

#[test]
fn what_a_store_gives_can_be_held_across_threads() {
    fn sendable<T: Send + Sync>() {}
    fn is_send<T: Send>(_: T) {}
    sendable::<Store>();
    sendable::<StoreError>();
    let open = async {
        let store = Store::open("sqlite://a.db").await?;
        let page = store.browse(&Query::new()).await?;
        store.follow(&Query::new(), 0).await?;
        store.leaves(Uuid::nil(), 0, 1).await?;
        store.trails().await?;
        Ok::<_, StoreError>(page)
    };
    is_send(open);
}
