//! Questions that nobody waits for any more, and those that wait for their turn.

use std::{sync::Arc, time::Duration};

use super::place::{Filled, mariadb, sqlite};
use crate::store::{
    StoreError,
    link::Link,
    statement::{Kind, Statement},
};

/// Longer than any test waits.
const FOREVER: Duration = Duration::from_secs(3600);

const TURNS: usize = 4;

fn statement(sql: String) -> Statement {
    Statement {
        sql,
        values: Vec::new(),
        kinds: vec![Kind::Number],
    }
}

/// Looks again and again until it is so.
async fn until(mut is_so: impl AsyncFnMut() -> bool) {
    let looking = async {
        while !is_so().await {
            // Sleep: between two looks at what ends in its own time.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), looking)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_count_that_nobody_waits_for_ends_in_sqlite() {
    let filled = sqlite(false).await;
    filled.pool.limit(FOREVER);
    let mut reader = filled.pool.take().await.unwrap();
    let Link::Sqlite(link) = &reader.link else {
        unreachable!()
    };
    let held = Arc::downgrade(&link.is_abandoned);
    let endless = "WITH RECURSIVE n (v) AS (SELECT 1 UNION ALL SELECT v + 1 FROM n) \
                   SELECT COUNT(*) FROM n";
    let asked = reader.link.rows(statement(endless.to_owned()));
    let waited = tokio::time::timeout(Duration::from_millis(50), asked).await;
    waited.unwrap_err();
    assert!(held.strong_count() > 0);
    drop(reader);
    // The thread of a connection lets go of everything when its statement has ended.
    until(async || held.strong_count() == 0).await;
}

async fn running(filled: &Filled) -> u64 {
    let mut reader = filled.pool.take().await.unwrap();
    let mark = &filled.pool.tables.base;
    let statement = statement(format!(
        "SELECT COUNT(*) FROM information_schema.processlist \
         WHERE command IN ('Query', 'Execute') AND info LIKE '%{mark}records AS a%' \
         AND id <> CONNECTION_ID()"
    ));
    let mut rows = reader.link.rows(statement).await.unwrap();
    let count = rows.pop().unwrap().number().unwrap();
    filled.pool.give(reader, Ok(count)).unwrap()
}

#[tokio::test]
async fn a_count_that_nobody_waits_for_is_stopped_in_mariadb_and_keeps_its_turn_until_then() {
    let Some(filled) = mariadb().await else {
        return;
    };
    filled.pool.limit(FOREVER);
    let mut reader = filled.pool.take().await.unwrap();
    let records = filled.pool.tables.name("records");
    let endless = statement(format!(
        "SELECT COUNT(*) FROM {records} AS a JOIN {records} AS b JOIN {records} AS c \
         WHERE a.arrival + b.arrival + c.arrival = 0"
    ));
    let asked = async {
        let _ = reader.link.rows(endless).await;
    };
    tokio::select! {
        () = asked => panic!("it ended"),
        () = until(async || running(&filled).await == 1) => {}
    }
    drop(reader);
    assert_eq!(filled.pool.turns.available_permits(), TURNS - 1);
    until(async || running(&filled).await == 0).await;
    until(async || filled.pool.turns.available_permits() == TURNS).await;
    filled.remove().await;
}

#[tokio::test]
async fn a_question_whose_turn_does_not_come_is_told_that_the_store_is_busy() {
    let mut filled = sqlite(false).await;
    filled.pool.wait = Duration::ZERO;
    let mut readers = Vec::new();
    for _ in 0..TURNS {
        readers.push(filled.pool.take().await.unwrap());
    }
    let busy = filled.pool.take().await.unwrap_err();
    assert!(matches!(busy, StoreError::Busy { .. }), "{busy:?}");
    drop(readers.pop());
    let reader = filled.pool.take().await.unwrap();
    drop((reader, readers));
}
