//! Stores of format 1.0, with records in them: read, written to and brought up to date.

use tower_audit::{
    retention::Retention,
    sink::{Sink, tables, url},
    store::{Query, Store},
    verify,
};

use super::{
    place::{NOW, Place, all, plain},
    pruned::DAY,
};

/// The statements of format 1.0, as they were when it was the newest.
fn first(place: &Place) -> String {
    let made = match place {
        Place::Sqlite(_) => include_str!("../../../migrations/sqlite/0001_records.sql"),
        Place::Postgres(_) => include_str!("../../../migrations/postgres/0001_records.sql"),
        Place::Mariadb(_) => include_str!("../../../migrations/mysql/0001_records.sql"),
    };
    let noted = "INSERT INTO audit_schema (number, name, major, minor, applied) \
                 VALUES (1, '0001_records', 1, 0, 0);";
    let schema = match place {
        Place::Postgres(server) => format!("CREATE SCHEMA {};", server.schema),
        _ => String::new(),
    };
    format!("{schema}\n{made}\n{noted}")
}

/// A store of format 1.0 with records that an older program wrote.
async fn old(place: &Place) {
    // What the newest program writes is what the older one did: the statements are the same, and
    // the tables of the newer format are taken away again.
    place.run(&first(place)).await;
    place.put(plain(0..10, 100)).await;
    place.put(plain(10..12, 2)).await;
    let function = match place {
        Place::Postgres(_) => "DROP FUNCTION audit_guard_traces();",
        _ => "",
    };
    place
        .run(&format!(
            "DROP TABLE audit_emptied; DROP TABLE audit_holds; DROP TABLE audit_prunes; {function} \
             DELETE FROM audit_schema WHERE number = 2;"
        ))
        .await;
}

const FORMAT: &str = "SELECT max(minor) FROM audit_schema WHERE major = 1";

#[tokio::test]
async fn an_older_store_with_records_is_brought_up_to_date_once_by_many() {
    for place in all() {
        old(&place).await;
        assert_eq!(place.number(FORMAT).await, 0);
        let leaves = place.leaves("audit_records").await;
        let address = place.address();
        let (one, two, three) = tokio::join!(
            tables::migrate(&address, None),
            tables::migrate(&address, None),
            async {
                let mut sink = place.sink();
                while let Err(error) = sink.deliver(&plain(12..13, 1)).await {
                    assert!(error.to_string().contains("lock"), "{error}");
                }
            }
        );
        let before = [one.unwrap(), two.unwrap()].map(|done| (done.before, done.now));
        assert!(before.iter().all(|(_, now)| now == "1.1"), "{before:?}");
        let () = three;
        let steps = "SELECT count(*) FROM audit_schema";
        assert_eq!(
            (place.number(FORMAT).await, place.number(steps).await),
            (1, 2)
        );
        assert_eq!(place.leaves("audit_records").await[..12], leaves);
        let report = place
            .pruner()
            .await
            .prune(&Retention::new().keep(90 * DAY), NOW)
            .await;
        assert_eq!(report.unwrap().done.removed, 10);
        // What an older program runs, to the letter.
        let id = "(SELECT id FROM audit_records WHERE number = 10)";
        let same =
            format!("SELECT count(*) FROM audit_records AS found WHERE id = {id} AND number = 10");
        assert_eq!(place.number(&same).await, 1);
        place.sink().deliver(&plain(13..14, 1)).await.unwrap();
        assert_eq!(place.numbers().await, [10, 11, 12, 13]);
    }
}

#[tokio::test]
async fn an_older_store_is_read_as_it_is() {
    let place = Place::Sqlite(tempfile::tempdir().unwrap());
    old(&place).await;
    let store = Store::open(&place.address()).await.unwrap();
    assert_eq!(store.browse(&Query::new()).await.unwrap().records.len(), 12);
    let report = verify::store(&store, verify::Options::new()).await.unwrap();
    assert!(report.holds(), "{report}");
    assert_eq!(place.number(FORMAT).await, 0, "reading changes nothing");
}

#[tokio::test]
async fn a_service_that_may_not_upgrade_goes_on_delivering_and_says_so() {
    let Some(server) = crate::support::postgres::place() else {
        return;
    };
    let place = Place::Postgres(server);
    old(&place).await;
    let Place::Postgres(server) = &place else {
        return;
    };
    let (role, schema) = (format!("old_{}", server.schema), &server.schema);
    let tables = "audit_schema, audit_arrival, audit_records, audit_records_default, audit_targets, audit_checkpoints, audit_trails";
    server
        .run(&format!(
            "CREATE ROLE {role} LOGIN PASSWORD 'secret'; GRANT USAGE ON SCHEMA {schema} TO {role}; \
             GRANT SELECT, INSERT ON {tables} TO {role}; \
             GRANT UPDATE ON audit_arrival, audit_trails TO {role}"
        ))
        .await;
    let mut sink: Box<dyn Sink> = url::parse(&server.address_of(&role, "secret")).unwrap();
    sink.deliver(&plain(12..14, 1)).await.unwrap();
    assert_eq!(place.number(FORMAT).await, 0);
    let told = sink.concerns().await.unwrap().join("\n");
    assert!(
        told.contains("format 1.0") && told.contains("tower-audit migrate"),
        "{told}"
    );
    tables::migrate(&place.address(), Some(&role))
        .await
        .unwrap();
    sink.deliver(&plain(14..15, 1)).await.unwrap();
    let told = sink.concerns().await.unwrap().join("\n");
    assert!(!told.contains("format"), "{told}");
    server
        .run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .await;
}
