//! What gets in the way of the parts by month, and of whom may do what to them.

use sqlx::Connection;
use tower_audit::sink::{Sink, tables};

use super::{
    postgres_faults::tried_again,
    postgres_owner::{Role, at},
};
use crate::support::{
    batches::{origin, plain},
    postgres::place,
};

#[tokio::test]
async fn a_month_that_cannot_be_made_is_told_and_keeps_nothing_else_waiting() {
    let Some(place) = place() else { return };
    let service = Role::new(place).await;
    let place = &service.place;
    let mut sink = place.sink();
    // The last has the highest time that an id can hold.
    let mut last = at(2, "2031-01-01T00:00:00Z");
    let id = last.records[0].json[7..43].to_owned();
    let json = last.records[0]
        .json
        .replace(&id, "ffffffff-ffff-7fff-bfff-ffffffffffff");
    last.records[0].json = json.into();
    for batch in [
        at(0, "1999-12-31T23:59:59Z"),
        at(1, "2199-06-01T00:00:00Z"),
        last,
    ] {
        sink.deliver(&batch).await.unwrap();
    }
    // The name of an old month is taken, and that of the next is a part that was detached.
    place
        .run(
            "CREATE TABLE audit_records_y1999m12 (mine int); \
             DO $$ DECLARE part text := 'audit_records_y' \
                 || to_char(now() AT TIME ZONE 'UTC' + interval '1 month', 'YYYY\"m\"MM'); \
             BEGIN EXECUTE 'ALTER TABLE audit_records DETACH PARTITION ' || part; END $$",
        )
        .await;
    // Any number of times.
    for rows in [1, 0] {
        let migrated = tables::migrate(&place.address(), Some(&service.name)).await;
        let told = migrated.unwrap().done.join("\n");
        assert!(
            told.contains("no part y1999m12 from 00db") && told.contains("already exists"),
            "{told}"
        );
        assert_eq!(told.matches("could be made").count(), 2, "{told}");
        assert!(told.contains("may insert and select, no more"), "{told}");
        let moved = told.contains("into 2 of their own: 2");
        assert_eq!(moved, rows == 1, "{told}");
    }
    let left = "SELECT count(*) FROM ONLY audit_records_default";
    assert_eq!(place.number(left).await, 1);
    let highest = "SELECT count(*) FROM audit_records_y10889m08";
    assert_eq!(place.number(highest).await, 1);
    assert_eq!(place.number("SELECT count(*) FROM audit_records").await, 3);
    service.drop().await;
}

#[tokio::test]
async fn a_row_whose_month_gets_a_part_meanwhile_is_tried_again() {
    let Some(place) = place() else { return };
    let mut sink = place.sink();
    sink.probe().await.unwrap();
    let mut owner = place.connect().await;
    let mut making = owner.begin().await.unwrap();
    // All of 1999, by its ids.
    sqlx::raw_sql(
        "CREATE TABLE year (LIKE audit_records INCLUDING ALL); \
         ALTER TABLE audit_records ATTACH PARTITION year FOR VALUES \
         FROM ('00d00000-0000-0000-0000-000000000000') TO ('00dcffff-0000-0000-0000-000000000000')",
    )
    .execute(&mut *making)
    .await
    .unwrap();
    let batch = at(0, "1999-12-31T00:00:00Z");
    let schema = place.schema.clone();
    let waits = format!(
        "SELECT count(*) FROM pg_locks JOIN pg_class AS class ON class.oid = relation \
         WHERE NOT granted AND relname = 'audit_records_default' \
         AND relnamespace = '{schema}'::regnamespace"
    );
    let (delivered, ()) = tokio::join!(sink.deliver(&batch), async {
        while place.number(&waits).await == 0 {
            tokio::task::yield_now().await;
        }
        making.commit().await.unwrap();
    });
    tried_again(delivered);
    assert_eq!(sink.deliver(&batch).await, Ok(()));
    assert_eq!(place.number("SELECT count(*) FROM year").await, 1);
}

#[tokio::test]
async fn rights_that_others_gave_are_taken_back_or_told() {
    let Some(place) = place() else { return };
    let service = Role::new(place).await;
    let (place, name) = (&service.place, &service.name);
    let staff = format!("staff_{}", place.schema);
    // What an owner may have set long ago, for every table to come.
    place
        .run(&format!(
            "CREATE SCHEMA {schema}; CREATE ROLE {staff}; \
             ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT ALL ON TABLES TO {name}; \
             ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT ALL ON TABLES TO PUBLIC",
            schema = place.schema
        ))
        .await;
    let migrate = || async {
        let migrated = tables::migrate(&place.address(), Some(name)).await;
        migrated.unwrap().done.join("\n")
    };
    let told = migrate().await;
    assert!(
        told.contains("but still more") && told.contains("through PUBLIC"),
        "{told}"
    );
    let parts = format!(
        "SELECT count(*) FROM pg_inherits WHERE inhparent = 'audit_records'::regclass \
         AND inhrelid <> 'audit_records_default'::regclass AND has_table_privilege('{name}', inhrelid, \
         'INSERT, UPDATE, DELETE, TRUNCATE')"
    );
    assert_eq!(
        place.number(&parts).await,
        0,
        "the parts have no such rights"
    );
    place
        .run(&format!(
            "REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM PUBLIC; \
             GRANT DELETE ON audit_targets TO {staff}; GRANT {staff} TO {name}",
            schema = place.schema
        ))
        .await;
    let told = migrate().await;
    let expected = format!("DELETE on audit_targets through {staff}");
    assert!(told.contains(&expected), "{told}");
    place.run(&format!("REVOKE {staff} FROM {name}")).await;
    let told = migrate().await;
    assert!(told.contains("may insert and select, no more"), "{told}");
    place
        .run(&format!("DROP OWNED BY {staff}; DROP ROLE {staff}"))
        .await;
    service.drop().await;
}

#[tokio::test]
async fn a_session_that_falls_silent_ends_whatever_the_server_says() {
    let Some(place) = place() else { return };
    let mut sink = place.sink();
    sink.probe().await.unwrap();
    // What the sink's own session is set to, noted by a trigger in it.
    place
        .run(&format!(
            "CREATE TABLE noted (name text, value text); \
             CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                 INSERT INTO {}.noted SELECT name, setting FROM pg_settings; RETURN NULL; \
             END $$; \
             CREATE TRIGGER note AFTER INSERT ON audit_trails EXECUTE FUNCTION note()",
            place.schema
        ))
        .await;
    sink.deliver(&plain(&origin(1), 0..1)).await.unwrap();
    for (name, value) in [
        ("statement_timeout", "0"),
        ("lock_timeout", "15000"),
        ("idle_in_transaction_session_timeout", "60000"),
        ("tcp_keepalives_idle", "30"),
        ("tcp_keepalives_interval", "10"),
        ("tcp_keepalives_count", "3"),
    ] {
        let noted =
            format!("SELECT count(*) FROM noted WHERE name = '{name}' AND value = '{value}'");
        assert_eq!(place.number(&noted).await, 1, "{name}");
    }
}
