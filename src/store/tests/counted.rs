//! The plans of what is counted and what is offered: along the same index as a page. What is counted
//! may be gathered by outcome, or by id; what is read for it may not grow.

use super::{
    place::{Filled, mariadb, postgres, sqlite},
    plans::{cases, explained, joined, planned, reached},
};
use crate::store::{
    ask::loose_scan,
    lead::{ACTION, ACTOR, Column, TENANT},
    span::Span,
    statement::Dialect,
};

/// Whether this index of the records, or of the targets, is read, and no table as a whole.
fn is_along(dialect: Dialect, text: &str, index: &str) -> bool {
    match dialect {
        Dialect::Sqlite => {
            let along = match index {
                "target" => "audit_targets_target (type=? AND id=?".to_owned(),
                index => format!("audit_records_{index} ("),
            };
            text.contains(&along) && !text.contains("SCAN r") && !text.contains("SCAN t")
        }
        Dialect::Postgres => {
            let along = match index {
                "actor" => "_actor_id_id_idx".to_owned(),
                "request" => "_request_id_id_idx".to_owned(),
                "target" => "targets_target".to_owned(),
                index => format!("_{index}_id_idx"),
            };
            text.contains(&along) && !text.contains("Seq Scan") && !text.contains("Bitmap")
        }
        Dialect::Mysql => {
            let along = match index {
                "target" => "targets_target".to_owned(),
                index => format!("records_{index}"),
            };
            text.contains(&format!("{along}\\\""))
        }
    }
}

async fn everything_is_counted_along_its_index(filled: &Filled) {
    let dialect = filled.pool.tables.dialect;
    let all = cases().into_iter().chain(joined()).chain(reached());
    for (case, query, index, _) in all {
        // Along the ids there is nothing to choose: all records are looked at.
        if index.is_empty() {
            continue;
        }
        let plan = planned(filled, &query).await;
        let span = Span::of(&query);
        for statement in [
            plan.total(span),
            plan.capped_total(span, 100),
            plan.by_outcome(span),
            plan.values(ACTION, span, 100),
        ] {
            let sql = statement.sql.clone();
            let text = explained(filled, statement).await;
            let holds = is_along(dialect, &text, index);
            assert!(holds, "{}: {case}\n{sql}\n{text}", filled.name);
        }
    }
}

async fn every_choice_is_a_step_of_its_index(filled: &Filled) {
    let dialect = filled.pool.tables.dialect;
    let column = |column: Column| ("records", column.name, column.index);
    for place in [column(ACTION), column(ACTOR), column(TENANT)] {
        for range in [None, Some(("user.", "user/"))] {
            let (statement, _) = loose_scan(&filled.pool.tables, place, range, 100);
            let sql = statement.sql.clone();
            let text = explained(filled, statement).await;
            let along = match dialect {
                Dialect::Sqlite => {
                    let along = format!("COVERING INDEX audit_records_{}", place.2);
                    text.matches(&along).count() == 2 && !text.contains("TEMP B-TREE")
                }
                Dialect::Postgres => {
                    !text.contains("Seq Scan on")
                        && !text.contains("->  Sort")
                        && is_along(dialect, &text, place.2)
                }
                Dialect::Mysql => is_along(dialect, &text, place.2) && !text.contains("filesort"),
            };
            assert!(along, "{}: {place:?}\n{sql}\n{text}", filled.name);
        }
    }
}

#[tokio::test]
async fn in_sqlite_counts_and_choices_read_their_index() {
    for analyzed in [false, true] {
        let filled = sqlite(analyzed).await;
        everything_is_counted_along_its_index(&filled).await;
        every_choice_is_a_step_of_its_index(&filled).await;
    }
}

#[tokio::test]
async fn in_postgres_counts_and_choices_read_their_index() {
    for analyzed in [false, true] {
        let Some(filled) = postgres(analyzed).await else {
            return;
        };
        everything_is_counted_along_its_index(&filled).await;
        every_choice_is_a_step_of_its_index(&filled).await;
        filled.remove().await;
    }
}

#[tokio::test]
async fn in_mariadb_counts_and_choices_read_their_index() {
    let Some(filled) = mariadb().await else {
        return;
    };
    everything_is_counted_along_its_index(&filled).await;
    every_choice_is_a_step_of_its_index(&filled).await;
    filled.remove().await;
}
