//! The plans that SQLite makes for the statements: which index, and no sorting.

use std::path::Path;

use super::*;
use crate::sql::{
    TablePrefix,
    database::Database,
    group::Group,
    migrate::migrate,
    rows::Row as RecordRow,
    sqlite::SqliteDatabase,
    write::{End, write},
};

const ACTIONS: [&str; 4] = ["user.login", "user.logout", "userx.y", "document.create"];

/// A database with some of everything, and the statistics that `ANALYZE` would leave: a plan must
/// not depend on whether an operator ran it.
async fn filled(path: &Path, analyzed: bool) -> SqliteConnection {
    let database = SqliteDatabase::new(path);
    let mut connection = database.connect().await.unwrap();
    migrate(&database, &mut connection).await.unwrap();
    let origin = Origin::new(Uuid::from_u128(1), "docs", None);
    let jsons: Vec<String> = (0..400)
        .map(|number| {
            let at = Timestamp::from_micros(1_000_000 + number);
            let id = RecordId::lowest_at(at);
            let action = ACTIONS[usize::try_from(number).unwrap() % ACTIONS.len()];
            let outcome = if number % 50 == 0 { "denied" } else { "success" };
            format!(
                r#"{{"id":"{id}","timestamp":"{at}","action":"{action}","outcome":"{outcome}","actor":{{"id":"{}"}},"context":{{"session_id":"s{}"}}}}"#,
                number % 7,
                number % 9
            )
        })
        .collect();
    let rows = (0..)
        .zip(&jsons)
        .map(|(number, json)| RecordRow::new(number, &[0; 32], json).unwrap())
        .collect();
    let group = Group {
        origin: &origin,
        received: Timestamp::from_micros(0),
        next: 400,
        head: None,
        rows,
        chosen: false,
    };
    write(&database, &mut connection, &group, 0, End::Commit)
        .await
        .unwrap();
    if analyzed {
        sqlx::query("ANALYZE")
            .execute(&mut connection)
            .await
            .unwrap();
    }
    connection
}

async fn plan(connection: &mut SqliteConnection, mut statement: Statement) -> String {
    statement.sql.insert_str(0, "EXPLAIN QUERY PLAN ");
    let steps = rows(connection, statement).await.unwrap();
    let steps: Vec<String> = steps.iter().map(|row| row.get(3)).collect();
    steps.join("; ")
}

fn text() -> Text {
    Text::new(&TablePrefix::default())
}

fn pattern(text: &str) -> Query {
    Query::new().action(text.parse().unwrap())
}

// Trap Q2: one index with the order of time in it, and no sorting.
#[tokio::test]
async fn every_page_is_read_along_one_index_without_sorting() {
    let range = |query: Query| {
        query
            .from(Timestamp::from_micros(5))
            .to(Timestamp::from_micros(2_000_000))
    };
    let index_on = |column: &str, equals: &str| format!("audit_records_{column} ({equals}=?");
    let (by_actor, by_action) = (index_on("actor", "actor_id"), index_on("action", "action"));
    let (by_outcome, by_session) = (
        index_on("outcome", "outcome"),
        index_on("session", "session"),
    );
    let primary = "sqlite_autoindex_audit_records_1".to_owned();
    let denied = Query::new().outcome("denied");
    let cases = [
        ("all", Query::new(), &primary),
        ("actor", Query::new().actor("3"), &by_actor),
        ("action", pattern("user.login"), &by_action),
        ("outcome", denied, &by_outcome),
        ("session", Query::new().session("s3"), &by_session),
        (
            "session and action",
            pattern("user.login").session("s3"),
            &by_session,
        ),
        (
            "session, actor, prefix",
            pattern("user.*").actor("3").session("s3"),
            &by_session,
        ),
        (
            "actor and action",
            pattern("user.login").actor("3"),
            &by_actor,
        ),
        ("actor and prefix", pattern("user.*").actor("3"), &by_actor),
        (
            "action and outcome",
            pattern("user.login").outcome("denied"),
            &by_action,
        ),
    ];
    for analyzed in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let mut connection = filled(&dir.path().join("audit.db"), analyzed).await;
        for (name, query, index) in &cases {
            let statements = [text().browse(query), text().browse(&range(query.clone()))];
            for statement in statements {
                let sql = statement.sql.clone();
                let plan = plan(&mut connection, statement).await;
                assert!(
                    plan.contains(index.as_str()),
                    "{name}, analyzed {analyzed}: {plan}\n{sql}"
                );
                assert!(!plan.contains("TEMP B-TREE"), "{name}: {plan}\n{sql}");
            }
            let bounded = plan(&mut connection, text().browse(&range(query.clone()))).await;
            assert!(bounded.contains("id>? AND id<?"), "{name}: {bounded}");
        }
    }
}

#[tokio::test]
async fn the_actions_below_a_prefix_are_merged_from_their_parts_of_the_index() {
    let dir = tempfile::tempdir().unwrap();
    let mut connection = filled(&dir.path().join("audit.db"), true).await;
    let names = vec!["user.login".to_owned(), "user.logout".to_owned()];
    let query = pattern("user.*")
        .outcome("denied")
        .to(Timestamp::from_micros(2_000_000));
    let statement = text().browse_actions(&query, names).unwrap();
    let plan_of_page = plan(&mut connection, statement).await;
    assert_eq!(
        plan_of_page
            .matches("audit_records_action (action=? AND id<?)")
            .count(),
        2,
        "{plan_of_page}"
    );
    assert!(plan_of_page.contains("MERGE (UNION ALL)"), "{plan_of_page}");
    assert!(!plan_of_page.contains("TEMP B-TREE"), "{plan_of_page}");

    let names = text().actions("user.".to_owned(), "user/".to_owned());
    let plan_of_names = plan(&mut connection, names.clone()).await;
    assert_eq!(
        plan_of_names
            .matches("SEARCH audit_records USING COVERING INDEX")
            .count(),
        2,
        "{plan_of_names}"
    );
    let names = rows(&mut connection, names).await.unwrap();
    let names: Vec<String> = names.iter().map(|row| row.get(0)).collect();
    assert_eq!(names, ["user.login", "user.logout"]);
}

#[tokio::test]
async fn following_and_whole_trails_read_in_their_own_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut connection = filled(&dir.path().join("audit.db"), true).await;
    let query = pattern("user.login")
        .actor("3")
        .outcome("denied")
        .from(Timestamp::from_micros(5));
    let followed = plan(&mut connection, text().follow(&query, 7)).await;
    assert_eq!(
        followed,
        "SEARCH audit_records USING INTEGER PRIMARY KEY (rowid>?)"
    );
    let leaves = plan(&mut connection, text().leaves(Uuid::nil(), 7, 10)).await;
    assert!(
        leaves.contains("(trail=? AND number>?)") && !leaves.contains("TEMP"),
        "{leaves}"
    );
}
