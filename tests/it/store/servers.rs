//! What only servers do: they go away, they make wait, they let somebody only read.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, Executor, MySqlConnection};
use tower_audit::{
    sink::{self, Batch},
    store::{Query, Reach, Store, StoreError},
    verify::{self, Options},
};

use super::{numbers, places::Place};
use crate::support::{
    batches::{batch, origin, plain, record},
    mariadb::Scratch,
    postgres, services,
};

async fn deliver(address: &str, batch: &Batch) {
    let mut sink = sink::url::parse(address).unwrap();
    sink.deliver(batch).await.unwrap();
    sink.close().await.unwrap();
}

// Trap Q7: a store that is away is an error, and one that is back answers.
#[tokio::test]
async fn a_server_that_was_away_is_an_error_meanwhile_and_then_asked_again() {
    for (name, key) in [("postgres", "POSTGRES_URL"), ("mariadb", "MARIADB_URL")] {
        let Some(instance) = services::private(name) else {
            continue;
        };
        let address = instance.get(key);
        deliver(&address, &plain(&origin(1), 0..3)).await;
        let store = Store::open(&address).await.unwrap();
        // Several connections, so that every one of them must be replaced.
        let page = async || store.browse(&Query::new()).await;
        let (one, two) = tokio::join!(page(), page());
        assert_eq!(
            numbers(&one.unwrap().records),
            numbers(&two.unwrap().records)
        );
        instance.kill();
        let error = page().await.unwrap_err();
        assert!(
            matches!(error, StoreError::Failed { .. }),
            "{name}: {error:?}"
        );
        instance.start();
        let back = page().await.unwrap();
        assert_eq!(numbers(&back.records), [2, 1, 0], "{name}");
        instance.kill();
    }
}

#[tokio::test]
async fn what_takes_too_long_on_a_server_is_stopped_and_said() {
    let late = async |name: &str, store: &Store| {
        let hurried = store.clone().timeout(Duration::from_millis(200));
        let error = hurried.browse(&Query::new()).await.unwrap_err();
        assert!(
            matches!(error, StoreError::Timeout { .. }),
            "{name}: {error:?}"
        );
    };
    if let Some(place) = postgres::place() {
        deliver(&place.address(), &plain(&origin(1), 0..3)).await;
        let store = Store::open(&place.address()).await.unwrap();
        let mut blocker = place.connect().await;
        let mut transaction = blocker.begin().await.unwrap();
        let lock = "LOCK TABLE audit_records IN ACCESS EXCLUSIVE MODE";
        transaction.execute(lock).await.unwrap();
        late("PostgreSQL", &store).await;
        transaction.rollback().await.unwrap();
        let patient = store.timeout(Store::TIMEOUT);
        assert_eq!(
            patient.browse(&Query::new()).await.unwrap().records.len(),
            3
        );
    }
    if let Some(scratch) = Scratch::new() {
        deliver(&scratch.url(""), &plain(&origin(1), 0..3)).await;
        let store = Store::open(&scratch.url("")).await.unwrap();
        let mut blocker = MySqlConnection::connect(&scratch.url("")).await.unwrap();
        let lock = sqlx::raw_sql("LOCK TABLES audit_records WRITE");
        lock.execute(&mut blocker).await.unwrap();
        late("MariaDB", &store).await;
        blocker.close().await.unwrap();
        let patient = store.timeout(Store::TIMEOUT);
        assert_eq!(
            patient.browse(&Query::new()).await.unwrap().records.len(),
            3
        );
    }
}

#[tokio::test]
async fn a_question_that_nobody_waits_for_ends_on_the_server() {
    let Some(place) = postgres::place() else {
        return;
    };
    deliver(&place.address(), &plain(&origin(1), 0..3)).await;
    let store = Store::open(&place.address()).await.unwrap();
    let store = store.timeout(Duration::from_secs(600));
    let mut blocker = place.connect().await;
    let mut transaction = blocker.begin().await.unwrap();
    let lock = "LOCK TABLE audit_records IN ACCESS EXCLUSIVE MODE";
    transaction.execute(lock).await.unwrap();
    let question = tokio::spawn(async move { store.browse(&Query::new()).await });
    let waiting = format!(
        "SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND relation = '{}.audit_records'::regclass",
        place.schema
    );
    let mut watcher = place.connect().await;
    for expected in [1_i64, 0] {
        let until = tokio::time::timeout(Duration::from_secs(60), async {
            loop {
                let count = sqlx::query_scalar(AssertSqlSafe(waiting.clone()));
                let count: i64 = count.fetch_one(&mut watcher).await.unwrap();
                if count == expected {
                    return;
                }
            }
        });
        until.await.unwrap();
        question.abort();
    }
    transaction.rollback().await.unwrap();
}

#[tokio::test]
async fn a_login_that_may_only_read_is_enough() {
    let Some(place) = postgres::place() else {
        return;
    };
    deliver(&place.address(), &plain(&origin(1), 0..3)).await;
    let role = format!("reader_{}", place.schema);
    place
        .run(&format!(
            "CREATE ROLE {role} LOGIN PASSWORD 'x'; GRANT USAGE ON SCHEMA {0} TO {role}; \
             GRANT SELECT ON ALL TABLES IN SCHEMA {0} TO {role}",
            place.schema
        ))
        .await;
    let store = Store::open(&place.address_of(&role, "x")).await.unwrap();
    let page = store.browse(&Query::new()).await;
    let trails = store.trails().await;
    place
        .run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .await;
    assert_eq!(numbers(&page.unwrap().records), [2, 1, 0]);
    assert_eq!(trails.unwrap().len(), 1);
}

#[tokio::test]
async fn every_database_is_proved_as_it_was_delivered_and_a_change_is_found() {
    let mut heads = std::collections::BTreeSet::new();
    for mut place in Place::all() {
        let odd = r#","outcome":"success","actor":{"type":"user","id":"é\u0000"},"targets":[{"type":"x","id":"\u0000"}]"#;
        let mut records = plain(&origin(1), 0..2499).records;
        records.push(record(2499, "document.create", odd));
        place.put(&batch(&origin(1), records)).await;
        let store = place.store().await;
        let report = verify::store(&store, Options::default()).await.unwrap();
        assert!(report.holds(), "{}: {report:?}", place.name);
        let trail = &report.trails[0];
        assert_eq!(trail.records, 2500, "{}", place.name);
        heads.insert(trail.head.map(|head| head.root.to_string()));
        assert_eq!(heads.len(), 1, "the same tree everywhere: {heads:?}");
        place
            .tamper("UPDATE audit_records SET outcome = 'denied' WHERE number = 7")
            .await;
        let report = verify::store(&store, Options::default()).await.unwrap();
        assert!(!report.holds(), "{}: {report:?}", place.name);
    }
}

#[tokio::test]
async fn what_a_column_cannot_hold_is_found_as_it_was_stored() {
    let long = "é".repeat(700);
    for mut place in Place::all() {
        let more = format!(
            r#","tenant":{{"id":"{long}"}},"actor":{{"id":"a\u0000b"}},"targets":[{{"type":"t","id":"{long}"}}]"#
        );
        place
            .put(&batch(&origin(1), vec![record(1, "user.login", more)]))
            .await;
        let store = place.store().await;
        for query in [
            Query::new().tenant(&long),
            Query::new().actor("a\0b"),
            Query::new().actor("a\0b").tenant(&long),
            Query::new().target(&long),
            Query::new().target_type("t").target(&long),
            Query::new().within(Reach::tenant(&long)),
        ] {
            let page = store.browse(&query).await.unwrap();
            assert_eq!(numbers(&page.records), [1], "{}: {query:?}", place.name);
            let count = store.count(&query, 10).await.unwrap();
            assert_eq!(count.records, 1, "{}: {query:?}", place.name);
        }
        let other = Query::new().tenant("é");
        assert_eq!(store.count(&other, 10).await.unwrap().records, 0);
    }
}

/// Changes what is stored, as nobody should.
impl Place {
    async fn tamper(&self, sql: &'static str) {
        let sql = AssertSqlSafe(sql);
        match self.name {
            "SQLite" => {
                let path = self.address.trim_start_matches("sqlite://");
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
                let mut connection = sqlx::SqliteConnection::connect_with(&options)
                    .await
                    .unwrap();
                sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
            }
            "PostgreSQL" => {
                let place = self.schema().unwrap();
                place
                    .run("ALTER TABLE audit_records DISABLE TRIGGER USER")
                    .await;
                place.run(sql.0).await;
            }
            _ => {
                let mut connection = MySqlConnection::connect(&self.address).await.unwrap();
                sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
            }
        }
    }
}
