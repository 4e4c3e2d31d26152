//! Who owns the tables and who only fills them; the parts by month; many writers at once.

use std::{ops::Range, time::Duration};

use sqlx::{Connection, Row};
use tower_audit::{
    clock::{Clock as _, RecordId, SystemClock, Timestamp},
    evidence::leaf_hash,
    sink::{Batch, Delivery, PostgresSink, Sink, tables},
};

use super::postgres_faults::blocked;
use crate::support::{
    batches::{batch, origin, plain},
    postgres::{Place, place},
};

/// A role without any rights, dropped with what it was given.
pub(super) struct Role {
    pub(super) place: Place,
    pub(super) name: String,
}

impl Role {
    pub(super) async fn new(place: Place) -> Self {
        let name = format!("role_{}", place.schema);
        place
            .run(&format!("CREATE ROLE {name} LOGIN PASSWORD 'secret'"))
            .await;
        Self { place, name }
    }

    fn sink(&self) -> PostgresSink {
        PostgresSink::new(&self.place.address_of(&self.name, "secret")).unwrap()
    }

    /// What the role is told when it runs a statement.
    async fn told(&self, sql: &str) -> String {
        let as_role = format!("SET ROLE {}; {sql}", self.name);
        match self.place.try_run(&as_role).await {
            Ok(()) => "done".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    pub(super) async fn drop(self) {
        let drop = format!("DROP OWNED BY {0}; DROP ROLE {0}", self.name);
        self.place.run(&drop).await;
    }
}

#[tokio::test]
async fn a_service_without_rights_asks_for_migrate_and_then_only_inserts_and_selects() {
    let Some(place) = place() else { return };
    let service = Role::new(place).await;
    let place = &service.place;
    let mut sink = service.sink();
    let reason = blocked(sink.deliver(&plain(&origin(1), 0..3)).await);
    assert!(reason.contains("tower-audit migrate"), "{reason}");

    let error = tables::migrate(&place.address(), Some("nobody at all")).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("no role \"nobody at all\""), "{error}");
    let made = tables::migrate(&place.address(), Some(&service.name))
        .await
        .unwrap();
    assert_eq!(
        (made.before.as_deref(), made.now.as_str()),
        (Some("1.1"), "1.1")
    );

    // Of this month, which has a part of its own whatever day it is.
    let now = SystemClock::new().now();
    let today = |numbers: Range<u64>| {
        let time = |number| {
            now.saturating_add(Duration::from_micros(number))
                .to_string()
        };
        let records = numbers.flat_map(|number| at(number, &time(number)).records);
        batch(&origin(1), records.collect())
    };
    sink.deliver(&today(0..3)).await.unwrap();
    sink.deliver(&today(0..5)).await.unwrap();
    assert_eq!(sink.concerns().await, Ok(vec![]));
    for sql in [
        "UPDATE audit_records SET action = 'x'",
        "DELETE FROM audit_records",
        "TRUNCATE audit_records",
        "DELETE FROM audit_trails",
        "UPDATE audit_trails SET trail = trail",
        "UPDATE audit_arrival SET \"only\" = 1",
        "INSERT INTO audit_schema VALUES (9, 'x', 9, 9, 9)",
        "DELETE FROM audit_targets",
        "CREATE TABLE audit_own (id int)",
        "ALTER TABLE audit_records DISABLE TRIGGER ALL",
        "SELECT set_config('audit.prune', pg_current_xact_id()::text, true); DELETE FROM audit_records",
    ] {
        let told = service.told(sql).await;
        assert!(
            told.contains("permission denied") || told.contains("must be owner"),
            "{sql}: {told}"
        );
    }
    let reason = tables::migrate(&place.address_of(&service.name, "secret"), None).await;
    let reason = reason.unwrap_err().to_string();
    assert!(reason.contains("give the login of their owner"), "{reason}");
    service.drop().await;
}

#[tokio::test]
async fn nothing_is_changed_or_removed_except_by_a_prune_of_the_owner() {
    let Some(place) = place() else { return };
    let mut sink = place.sink();
    sink.deliver(&plain(&origin(1), 0..3)).await.unwrap();
    // The parts by month are made for today; the records of these tests are of November 2026.
    let part = "SELECT tableoid::regclass::text FROM audit_records LIMIT 1";
    let mut connection = place.connect().await;
    let part: String = sqlx::query(part)
        .fetch_one(&mut connection)
        .await
        .unwrap()
        .get(0);
    let prune = "SELECT set_config('audit.prune', pg_current_xact_id()::text, true)";
    for sql in [
        "UPDATE audit_records SET action = 'x'".to_owned(),
        format!("UPDATE {part} SET action = 'x'"),
        "DELETE FROM audit_records".to_owned(),
        format!("DELETE FROM {part}"),
        "TRUNCATE audit_records".to_owned(),
        format!("TRUNCATE {part}"),
        format!("BEGIN; {prune}; UPDATE audit_records SET action = 'x'; COMMIT"),
        format!(
            "BEGIN; {}; COMMIT; DELETE FROM audit_records",
            prune.replace("true", "false")
        ),
        "SET audit.prune = 'on'; DELETE FROM audit_records".to_owned(),
    ] {
        let error = place.try_run(&sql).await.unwrap_err().to_string();
        assert!(error.contains("never changed"), "{sql}: {error}");
    }
    assert_eq!(place.number("SELECT count(*) FROM audit_records").await, 3);
    place
        .run(&format!(
            "INSERT INTO audit_targets SELECT id, 0, 'document', '1' FROM audit_records; \
             BEGIN; {prune}; \
             DELETE FROM audit_targets WHERE record <= (SELECT min(id::text)::uuid FROM audit_records); \
             DELETE FROM audit_records WHERE number = 0; COMMIT"
        ))
        .await;
    for left in ["audit_records", "audit_targets"] {
        let sql = format!("SELECT count(*) FROM {left}");
        assert_eq!(place.number(&sql).await, 2, "{left}");
    }
    connection.close().await.unwrap();
}

/// A batch of one record of this time.
pub(super) fn at(number: u64, time: &str) -> Batch {
    let at: Timestamp = time.parse().unwrap();
    let id = RecordId::lowest_at(at);
    let json = format!(r#"{{"id":"{id}","timestamp":"{at}","action":"a.b"}}"#);
    let record = Delivery::new(number, leaf_hash(json.as_bytes()), json);
    batch(&origin(1), vec![record])
}

#[tokio::test]
async fn records_outside_of_every_month_are_kept_told_and_moved_by_the_owner() {
    let Some(place) = place() else { return };
    let mut sink = place.sink();
    let times = [
        "1999-12-31T23:59:59.999999Z",
        "2000-01-01T00:00:00Z",
        "2000-01-31T12:00:00Z",
        "2199-06-15T00:00:00Z",
    ];
    for (number, time) in (0..).zip(times) {
        sink.deliver(&at(number, time)).await.unwrap();
    }
    let concerns = sink.concerns().await.unwrap();
    assert!(
        matches!(concerns.as_slice(), [one] if one.starts_with("4 records are in the default part") && one.contains("tower-audit migrate")),
        "{concerns:?}"
    );
    let migrated = tables::migrate(&place.address(), None).await.unwrap();
    assert_eq!(
        migrated.done,
        [
            "monthly parts are there, 12 months ahead",
            "records moved from the default part into 3 of their own: 4"
        ]
    );
    assert_eq!(sink.concerns().await, Ok(vec![]));
    for (part, count) in [
        ("y1999m12", 1),
        ("y2000m01", 2),
        ("y2199m06", 1),
        ("default", 0),
    ] {
        let sql = format!("SELECT count(*) FROM audit_records_{part}");
        assert_eq!(place.number(&sql).await, count, "{part}");
    }
    // What was moved is found again, and still guarded.
    sink.deliver(&at(0, times[0])).await.unwrap();
    assert_eq!(place.number("SELECT count(*) FROM audit_records").await, 4);
    for sql in [
        "DELETE FROM audit_records_y2000m01",
        "TRUNCATE audit_records_y2000m01",
    ] {
        let error = place.try_run(sql).await.unwrap_err().to_string();
        assert!(error.contains("never changed"), "{sql}: {error}");
    }
}

#[tokio::test]
async fn months_that_run_out_are_told_and_the_owner_makes_them_in_passing() {
    let Some(place) = place() else { return };
    let service = Role::new(place).await;
    let place = &service.place;
    tables::migrate(&place.address(), Some(&service.name))
        .await
        .unwrap();
    let parts = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'audit_records'::regclass";
    assert_eq!(
        place.number(parts).await,
        15,
        "14 months and the default part"
    );
    let ahead = "DO $$ DECLARE part text; BEGIN \
        FOR part IN SELECT inhrelid::regclass::text FROM pg_inherits \
            WHERE inhparent = 'audit_records'::regclass AND inhrelid::regclass::text \
            > 'audit_records_y' || to_char(now() AT TIME ZONE 'UTC' + interval '1 month', 'YYYY\"m\"MM') \
        LOOP EXECUTE 'DROP TABLE ' || part; END LOOP; END $$";
    place.run(ahead).await;
    let mut sink = service.sink();
    let concerns = sink.concerns().await.unwrap();
    assert!(
        matches!(concerns.as_slice(), [one] if one.contains("for 1 of the months to come")),
        "{concerns:?}"
    );
    assert_eq!(place.sink().concerns().await, Ok(vec![]));
    assert_eq!(place.number(parts).await, 15);
    assert_eq!(sink.concerns().await, Ok(vec![]));
    service.drop().await;
}

// trap D15: plain serial numbers become visible out of order.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn followers_of_arrival_miss_nothing_under_concurrent_writers() {
    const WRITERS: u128 = 3;
    const BATCHES: u64 = 20;
    let Some(place) = place() else { return };
    let mut writers = Vec::new();
    for writer in 1..=WRITERS {
        // All of them make the tables at once.
        let mut sink = place.sink();
        writers.push(tokio::spawn(async move {
            for number in (0..BATCHES * 10).step_by(10) {
                let mut batch = plain(&origin(writer), number..number + 10);
                for record in &mut batch.records {
                    // An id of its own for each trail.
                    let id = format!("-8000-{writer:012x}");
                    let at = record.json.find("-8000-").unwrap();
                    let json = format!(
                        "{}{id}{}",
                        &record.json[..at],
                        &record.json[at + id.len()..]
                    );
                    *record = Delivery::new(record.number, leaf_hash(json.as_bytes()), json);
                }
                sink.deliver(&batch).await.unwrap();
            }
        }));
    }
    place.sink().probe().await.unwrap();
    let mut connection = place.connect().await;
    let (mut last, mut seen) = (0_i64, Vec::new());
    let all = usize::try_from(u64::try_from(WRITERS).unwrap() * BATCHES * 10).unwrap();
    while seen.len() < all {
        let sql = "SELECT arrival FROM audit_records WHERE arrival > $1 ORDER BY arrival";
        let rows = sqlx::query(sql)
            .bind(last)
            .fetch_all(&mut connection)
            .await
            .unwrap();
        seen.extend(rows.iter().map(|row| row.get::<i64, _>(0)));
        last = seen.last().copied().unwrap_or(0);
        assert!(
            seen.len() >= usize::try_from(last).unwrap(),
            "one was passed over before {last}"
        );
        tokio::task::yield_now().await;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(seen, (1..=i64::try_from(all).unwrap()).collect::<Vec<_>>());
    connection.close().await.unwrap();
}
