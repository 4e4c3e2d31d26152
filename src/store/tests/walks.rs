//! How far a walk goes before it says how far it came.

use std::time::{Duration, Instant};

use super::place::{Filled, RECORDS, mariadb, postgres, sqlite};
use crate::store::{
    Query,
    ask::{browse, count, plan, step},
    select::Order,
    span::Span,
    walk::{Budget, Ended, Walk},
};

#[tokio::test]
async fn a_walk_stops_at_its_budget_and_goes_on_from_there() {
    let filled = sqlite(false).await;
    // One in fifty is denied, and they are all looked at for their type of actor.
    for (query, expected) in [
        (Query::new().actor_type("nobody"), 0),
        (Query::new().target_type("folder").actor_type("nobody"), 0),
        (
            Query::new().without_reads(),
            usize::try_from(RECORDS).unwrap(),
        ),
        (Query::new().text("\"nowhere\""), 0),
        (Query::new().text("s77"), 26),
    ] {
        for order in [Order::Down, Order::Up] {
            let mut reader = filled.pool.take().await.unwrap();
            let tables = &filled.pool.tables;
            let plan = plan(&mut reader, tables, &query).await.unwrap().unwrap();
            let (mut found, mut rests, mut span) = (0, Vec::new(), Span::of(&query));
            loop {
                let mut walk = Walk::new(&plan, order, span);
                let mut budget = Budget::new(1000, Duration::MAX);
                let walked = walk.find(&mut reader, 10_000, &mut budget).await.unwrap();
                found += walked.records.len();
                span = walked.rest;
                if walked.ended == Ended::Everything {
                    break;
                }
                assert_eq!(walked.ended, Ended::Budget);
                rests.push(span);
            }
            assert_eq!(found, expected, "{order:?} {query:?}");
            // Windows of a thousand each, and what is left over.
            assert_eq!(rests.len(), 2, "{order:?} {query:?}: {rests:?}");
            filled.pool.give(reader, Ok(())).unwrap();
        }
    }
}

#[tokio::test]
async fn a_page_that_looked_far_enough_says_until_when_and_goes_on_there() {
    let filled = sqlite(false).await;
    let tables = &filled.pool.tables;
    // Of every ninety one matches: 26 in all, eleven or so in a thousand.
    let query = Query::new().text("s77").limit(20);
    let mut reader = filled.pool.take().await.unwrap();
    let (mut found, mut sizes, mut next) = (Vec::new(), Vec::new(), Some(query.clone()));
    while let Some(asked) = next {
        let budget = Budget::new(1000, Duration::MAX);
        let page = browse(&mut reader, tables, &asked, budget).await.unwrap();
        // It goes on from where it stopped, whether or not anything was found there.
        let stopped = page.older.filter(|_| page.searched_until.is_some());
        assert_eq!(page.searched_until, stopped.map(|id| id.timestamp()));
        sizes.push((page.records.len(), page.searched_until.is_some()));
        found.extend(page.records.iter().map(|stored| stored.number));
        next = page.older.map(|id| query.clone().before(id));
    }
    let expected: Vec<u64> = (0..RECORDS.cast_unsigned())
        .filter(|number| number % 90 == 77)
        .rev()
        .collect();
    assert_eq!(found, expected);
    assert_eq!(sizes, [(11, true), (11, true), (4, false)]);

    // The same upwards, and nothing is lost behind an empty page.
    let nowhere = Query::new().text("nowhere");
    let budget = Budget::new(1000, Duration::MAX);
    let page = browse(&mut reader, tables, &nowhere, budget).await.unwrap();
    assert!(page.records.is_empty() && page.searched_until.is_some());
    let up = nowhere.after(page.older.unwrap());
    let budget = Budget::new(1000, Duration::MAX);
    let page = browse(&mut reader, tables, &up, budget).await.unwrap();
    assert!(page.records.is_empty() && page.newer.is_none());
    filled.pool.give(reader, Ok(())).unwrap();
}

async fn counting_by_text_is_bounded(filled: &Filled) {
    let tables = &filled.pool.tables;
    let mut reader = filled.pool.take().await.unwrap();
    // Every record has a session, whose name begins so.
    let query = Query::new().text("s");
    let budget = Budget::new(1000, Duration::MAX);
    let counted = count(&mut reader, tables, &query, 1_000_000, budget).await;
    let counted = counted.unwrap();
    assert_eq!(
        (counted.records, counted.is_exact),
        (1000, false),
        "{}",
        filled.name
    );
    let budget = Budget::new(1_000_000, Duration::ZERO);
    let late = count(&mut reader, tables, &query, 1_000_000, budget)
        .await
        .unwrap();
    assert!(
        !late.is_exact && late.records <= 1000,
        "{}: {late:?}",
        filled.name
    );

    let plan = plan(&mut reader, tables, &query).await.unwrap().unwrap();
    let span = Span::of(&query);
    let late = step(&mut reader, &plan, span, Instant::now())
        .await
        .unwrap();
    assert_eq!(late, None, "{}", filled.name);
    let in_time = Instant::now() + Duration::from_secs(3600);
    let counts = step(&mut reader, &plan, span, in_time).await.unwrap();
    let counted: u64 = counts.unwrap().values().sum();
    assert_eq!(counted, RECORDS.cast_unsigned(), "{}", filled.name);
    filled.pool.give(reader, Ok(())).unwrap();
}

#[tokio::test]
async fn what_is_counted_by_a_text_that_everything_has_is_bounded_too() {
    counting_by_text_is_bounded(&sqlite(false).await).await;
    if let Some(filled) = postgres(false).await {
        counting_by_text_is_bounded(&filled).await;
        filled.remove().await;
    }
    if let Some(filled) = mariadb().await {
        counting_by_text_is_bounded(&filled).await;
        filled.remove().await;
    }
}
