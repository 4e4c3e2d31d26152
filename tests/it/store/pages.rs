//! Pages, both ways.

use tower_audit::{sink::Sink, store::Query};

use super::{down, numbers, pattern, place, places::Place};
use crate::support::batches::{origin, plain};

#[tokio::test]
async fn pages_go_from_the_newest_to_the_oldest_without_a_gap_or_a_double() {
    let mut place = place();
    place
        .sink
        .deliver(&plain(&origin(1), 0..250))
        .await
        .unwrap();
    let store = place.store().await;
    for query in [
        Query::new(),
        pattern("document.create"),
        pattern("document.*"),
        Query::new().outcome("success"),
    ] {
        let mut seen = Vec::new();
        let mut next = Some(query.clone().limit(30));
        while let Some(query) = next {
            let page = store.browse(&query).await.unwrap();
            assert!(page.records.len() <= 30);
            seen.extend(numbers(&page.records));
            next = page.older.map(|id| query.before(id));
        }
        assert_eq!(seen, down(0..250), "{query:?}");
    }
}

#[tokio::test]
async fn the_page_before_the_newest_is_where_one_came_from() {
    for mut place in Place::all() {
        place.put(&plain(&origin(1), 0..10)).await;
        let store = place.store().await;
        let query = Query::new().limit(4);
        let browse = async |query: Query| store.browse(&query).await.unwrap();
        let first = browse(query.clone()).await;
        assert_eq!(numbers(&first.records), [9, 8, 7, 6], "{}", place.name);
        assert_eq!((first.newer, first.searched_until), (None, None));
        let second = browse(query.clone().before(first.older.unwrap())).await;
        assert_eq!(numbers(&second.records), [5, 4, 3, 2], "{}", place.name);
        let back = browse(query.clone().after(second.newer.unwrap())).await;
        assert_eq!(back.records, first.records, "{}", place.name);
        assert_eq!((back.newer, back.older), (None, first.older));
        // Nothing is older than the oldest, and the way back is known all the same.
        let oldest = second.records[3].id;
        let rest = browse(query.clone().before(oldest)).await;
        assert_eq!(numbers(&rest.records), [1, 0], "{}", place.name);
        assert_eq!(rest.older, None);
        let beyond = browse(query.clone().before(rest.records[1].id)).await;
        assert_eq!((beyond.records.len(), beyond.older), (0, None));
        let back = browse(query.clone().after(beyond.newer.unwrap())).await;
        assert_eq!(numbers(&back.records), [3, 2, 1, 0], "{}", place.name);
    }
}
