//! Following while others write.

use std::collections::BTreeSet;

use tower_audit::{
    sink::SinkError,
    store::{Query, StoreError},
};

use super::places::Place;
use crate::support::batches::{batch, origin, plain, record};

const WRITERS: u64 = 4;
const BATCHES: u64 = 12;

/// The numbers of one batch: large and small ones at once, so that later ones are done earlier. The
/// records of each writer are older than those it delivered before.
fn numbers(writer: u64, place: u64) -> Vec<u64> {
    let size = if (writer + place).is_multiple_of(3) {
        300
    } else {
        3
    };
    let first = (WRITERS * BATCHES - (place * WRITERS + writer)) * 1000;
    (first..first + size).collect()
}

// Trap Q10: polled while writers finish out of order, each record comes exactly once.
#[tokio::test]
async fn a_client_that_polls_while_many_write_gets_each_record_once() {
    for place in Place::all() {
        // Made before anybody reads.
        let mut first = tower_audit::sink::url::parse(&place.address).unwrap();
        let nothing = batch(&origin(99), vec![record(1, "user.login", "")]);
        first.deliver(&nothing).await.unwrap();
        let store = place.store().await;
        let mut tasks = Vec::new();
        for writer in 0..WRITERS {
            let mut sink = tower_audit::sink::url::parse(&place.address).unwrap();
            tasks.push(tokio::spawn(async move {
                for place in (0..BATCHES).rev() {
                    let records = numbers(writer, place).into_iter();
                    let records = records
                        .map(|number| record(number, "user.login", ""))
                        .collect();
                    let trail = origin(u128::from(writer * BATCHES + place));
                    let batch = batch(&trail, records);
                    // A writer may wait too long for its turn, and comes again, as in a trail.
                    while let Err(error) = sink.deliver(&batch).await {
                        assert!(matches!(error, SinkError::Retry { .. }), "{error:?}");
                    }
                }
            }));
        }
        let mut expected: BTreeSet<u64> = (0..WRITERS)
            .flat_map(|writer| (0..BATCHES).flat_map(move |place| numbers(writer, place)))
            .collect();
        expected.insert(1);
        let (mut after, mut last) = (0, 0);
        let query = Query::new().action("user.*".parse().unwrap()).limit(70);
        while !expected.is_empty() {
            let is_all = tasks.iter().all(tokio::task::JoinHandle::is_finished);
            let page = store.follow(&query, after).await.unwrap();
            assert!(
                !is_all || page.next > after,
                "{}: never came: {expected:?}",
                place.name
            );
            for stored in &page.records {
                assert!(
                    stored.arrival > last,
                    "{}: in the order of arrival",
                    place.name
                );
                last = stored.arrival;
                let is_new = expected.remove(&stored.number);
                assert!(is_new, "{}: twice or never written: {stored:?}", place.name);
            }
            assert!(page.next >= after && page.next >= last);
            after = page.next;
            tokio::task::yield_now().await;
        }
        for task in tasks {
            task.await.unwrap();
        }
        let end = store.follow(&query, after).await.unwrap();
        assert_eq!((end.records.len(), end.next), (0, after), "{}", place.name);
        assert_eq!(store.last_arrival().await.unwrap(), after);
    }
}

#[tokio::test]
async fn a_store_that_has_not_come_so_far_is_an_error_and_never_silence() {
    for mut place in Place::all() {
        place.put(&plain(&origin(1), 100..110)).await;
        let store = place.store().await;
        for query in [Query::new(), Query::new().actor("nobody")] {
            let ahead = store.follow(&query, 11).await;
            assert!(
                matches!(
                    ahead,
                    Err(StoreError::Ahead {
                        after: 11,
                        last: 10,
                        ..
                    })
                ),
                "{}: {ahead:?}",
                place.name
            );
            let end = store.follow(&query, 10).await.unwrap();
            assert_eq!((end.records.len(), end.next), (0, 10), "{}", place.name);
        }
        // An export that ends with what had arrived by then is not ahead of anything.
        let bounded = store.follow(&Query::new().arrived_by(4), 7).await.unwrap();
        assert_eq!((bounded.records.len(), bounded.next), (0, 7));
    }
}
