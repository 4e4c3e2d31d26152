//! How far a walk goes before it says how far it came.

use std::time::Duration;

use super::place::{RECORDS, sqlite};
use crate::store::{
    Query,
    ask::plan,
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
                let mut budget = Budget::new(1, Duration::MAX);
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
