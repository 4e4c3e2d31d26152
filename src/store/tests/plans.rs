//! The plans that the databases make for the statements: which index, and no sorting.

use super::place::{Filled, mariadb, postgres, sqlite};
use crate::{
    clock::Timestamp,
    store::{
        Query, Reach,
        ask::{leaves_statement, plan},
        lead::{Lead, Plan},
        select::Order,
        span::Span,
        statement::{Dialect, Kind, Statement},
    },
};

/// What a database says it will do, on one line.
pub(super) async fn explained(filled: &Filled, mut statement: Statement) -> String {
    let (explain, kinds) = match filled.pool.tables.dialect {
        Dialect::Sqlite => (
            "EXPLAIN QUERY PLAN ",
            vec![Kind::Number, Kind::Number, Kind::Number, Kind::Text],
        ),
        Dialect::Postgres => ("EXPLAIN (COSTS OFF) ", vec![Kind::Text]),
        Dialect::Mysql => ("EXPLAIN FORMAT=JSON ", vec![Kind::Text]),
    };
    statement.sql.insert_str(0, explain);
    statement.kinds = kinds;
    let mut reader = filled.pool.take().await.unwrap();
    let rows = reader.link.rows(statement).await.unwrap();
    let lines = rows.iter().map(|row| format!("{row:?}"));
    let text = lines.collect::<Vec<_>>().join("\n");
    filled.pool.give(reader, Ok(text)).unwrap()
}

pub(super) async fn planned(filled: &Filled, query: &Query) -> Plan {
    let mut reader = filled.pool.take().await.unwrap();
    let plan = plan(&mut reader, &filled.pool.tables, query).await;
    filled.pool.give(reader, plan).unwrap().unwrap()
}

fn pattern(text: &str) -> Query {
    Query::new().action(text.parse().unwrap())
}

/// A query, the index along which it is answered, and in how many parts.
pub(super) fn cases() -> Vec<(&'static str, Query, &'static str, usize)> {
    let all = Query::new;
    vec![
        ("all", all(), "", 1),
        ("no reads", all().without_reads(), "", 1),
        ("a type of actor", all().actor_type("user"), "", 1),
        ("a text", all().text("x 1"), "", 1),
        ("arrived by", all().arrived_by(7), "", 1),
        ("a target's type", all().target_type("folder"), "", 1),
        ("actor", all().actor("3"), "actor", 1),
        ("action", pattern("user.login"), "action", 1),
        ("outcome", all().outcome("denied"), "outcome", 1),
        ("category", all().category("user"), "category", 1),
        ("tenant", all().tenant("1"), "tenant", 1),
        ("application", all().application("web"), "application", 1),
        ("service", all().service("docs"), "service", 1),
        ("ip", all().ip("::1"), "ip", 1),
        ("request", all().request("r"), "request", 1),
    ]
}

/// The same for several filters at once.
pub(super) fn joined() -> Vec<(&'static str, Query, &'static str, usize)> {
    let all = Query::new;
    vec![
        ("session", all().session("s3"), "session", 1),
        (
            "session and action",
            pattern("user.login").session("s3"),
            "session",
            1,
        ),
        (
            "session, actor, prefix",
            pattern("user.*").actor("3").session("s3"),
            "session",
            1,
        ),
        (
            "actor and action",
            pattern("user.login").actor("3"),
            "actor",
            1,
        ),
        (
            "action and outcome",
            pattern("user.login").outcome("denied"),
            "action",
            1,
        ),
        ("a prefix", pattern("user.*"), "action", 2),
        (
            "a prefix and an outcome",
            pattern("user.*").outcome("denied"),
            "action",
            2,
        ),
        (
            "a target",
            all().target_type("folder").target("4"),
            "target",
            1,
        ),
        ("a target's id", all().target("4"), "target", 2),
        (
            "a target and an actor",
            all().target("4").actor("3"),
            "target",
            2,
        ),
    ]
}

/// The same within a reach: its index leads, whatever else is asked for.
pub(super) fn reached() -> Vec<(&'static str, Query, &'static str, usize)> {
    let tenant = |query: Query| query.within(Reach::tenant("1"));
    let all = Query::new;
    let both = |query: Query, other: Reach| query.within(Reach::tenant("1").and(other));
    vec![
        ("a reach alone", tenant(all()), "tenant", 1),
        (
            "a reach and an outcome",
            tenant(all().outcome("denied")),
            "tenant",
            1,
        ),
        (
            "a reach and an action",
            tenant(pattern("user.login")),
            "tenant",
            1,
        ),
        (
            "a reach and a prefix",
            tenant(pattern("user.*")),
            "tenant",
            1,
        ),
        (
            "a reach and an actor",
            tenant(all().actor("3")),
            "tenant",
            1,
        ),
        (
            "a reach and a target",
            tenant(all().target_type("folder").target("4")),
            "tenant",
            1,
        ),
        (
            "a reach and a session",
            tenant(all().session("s3")),
            "session",
            1,
        ),
        (
            "a reach and a request",
            tenant(all().request("r")),
            "request",
            1,
        ),
        (
            "a tenant and an application",
            both(all().outcome("denied"), Reach::application("web")),
            "tenant",
            1,
        ),
        (
            "a tenant and an actor",
            both(pattern("user.*"), Reach::actor("3")),
            "actor",
            1,
        ),
    ]
}

/// Whether the table is read along this index alone, and nothing is sorted.
fn holds(dialect: Dialect, text: &str, index: &str, parts: usize) -> bool {
    match dialect {
        Dialect::Sqlite => {
            let along = match index {
                "" => "sqlite_autoindex_audit_records_1".to_owned(),
                "target" => "audit_targets_target (type=? AND id=?".to_owned(),
                index => format!("audit_records_{index} ("),
            };
            text.matches(&along).count() == parts
                && !text.contains("TEMP B-TREE")
                && !text.contains("SCAN audit")
        }
        Dialect::Postgres => {
            // Of a part of the table: PostgreSQL names its index after the table and the columns.
            let along = match index {
                "" => "_pkey".to_owned(),
                "actor" => "_actor_id_id_idx".to_owned(),
                "request" => "_request_id_id_idx".to_owned(),
                "target" => "targets_target".to_owned(),
                index => format!("_{index}_id_idx"),
            };
            // A row that differs in its second column ends no walk: all targets of the type would be
            // looked at, in the order of the same index.
            let is_walked = index == "target" && !text.contains("Index Cond: ((type = ");
            // Of several parts each is left to the planner: they are merged by id.
            ((text.contains(&along) && !is_walked) || parts > 1)
                && !text.contains("->  Sort")
                && !text.contains("Seq Scan")
                && !text.contains("Bitmap")
                && !text.contains("Hash")
        }
        Dialect::Mysql => {
            let index = match index {
                "" => "PRIMARY".to_owned(),
                "target" => "targets_target".to_owned(),
                index => format!("records_{index}"),
            };
            // As it stands in what is debug-printed.
            let is_along = text.contains(&format!("{index}\\\""));
            // Parts are put together in a table of at most a page each, which is sorted.
            let is_sorted = text.contains("filesort") && parts == 1;
            is_along && !is_sorted
        }
    }
}

async fn every_page_is_read_along_its_index(filled: &Filled) {
    let range = |query: Query| {
        let from = query.from(Timestamp::from_micros(5));
        from.to(Timestamp::from_micros(2_000_000))
    };
    for (case, query, index, parts) in cases().into_iter().chain(joined()).chain(reached()) {
        for query in [query.clone(), range(query)] {
            let plan = planned(filled, &query).await;
            let span = Span::of(&query);
            for order in [Order::Down, Order::Up] {
                for statement in [
                    plan.page(span, order, 100),
                    plan.boundary(span, order, 1000),
                ] {
                    let sql = statement.sql.clone();
                    let text = explained(filled, statement).await;
                    let holds = holds(filled.pool.tables.dialect, &text, index, parts);
                    assert!(holds, "{}: {case}\n{sql}\n{text}", filled.name);
                }
            }
        }
    }
}

// Trap Q2: one index with the order of time in it, and no sorting.
#[tokio::test]
async fn in_sqlite_every_page_is_read_along_one_index_without_sorting() {
    for analyzed in [false, true] {
        every_page_is_read_along_its_index(&sqlite(analyzed).await).await;
    }
}

#[tokio::test]
async fn in_postgres_every_page_is_read_along_one_index_without_sorting() {
    for analyzed in [false, true] {
        let Some(filled) = postgres(analyzed).await else {
            return;
        };
        every_page_is_read_along_its_index(&filled).await;
        filled.remove().await;
    }
}

#[tokio::test]
async fn in_mariadb_every_page_is_read_along_one_index_without_sorting() {
    let Some(filled) = mariadb().await else {
        return;
    };
    every_page_is_read_along_its_index(&filled).await;
    filled.remove().await;
}

#[tokio::test]
async fn following_and_whole_trails_read_in_their_own_order() {
    let filled = sqlite(true).await;
    let query = pattern("user.login").actor("3").target("4");
    let plan = Plan::new(&filled.pool.tables, &query, Lead::Arrival(7, 1000));
    let from = Timestamp::from_micros(5);
    let span = Span::of(&query.from(from));
    let followed = explained(&filled, plan.page(span, Order::Up, 100)).await;
    assert!(
        followed.contains("SEARCH r USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)")
            && !followed.contains("TEMP"),
        "{followed}"
    );
    let leaves = leaves_statement(&filled.pool.tables, uuid::Uuid::nil(), 7, 10);
    let leaves = explained(&filled, leaves).await;
    assert!(
        leaves.contains("(trail=? AND number>?)") && !leaves.contains("TEMP"),
        "{leaves}"
    );
}
