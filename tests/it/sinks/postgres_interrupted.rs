//! A batch that is interrupted on the PostgreSQL server: in its `COPY`, before and in its `COMMIT`.

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tower_audit::sink::Sink;

use crate::support::{
    batches::{origin, plain},
    postgres::{Place, place},
    services,
};

/// What keeps a batch waiting where.
const GATES: [(&str, &str); 3] = [
    (
        "in COPY",
        "LOCK TABLE audit_records IN ACCESS EXCLUSIVE MODE",
    ),
    ("behind COPY", "LOCK TABLE audit_trails IN SHARE MODE"),
    ("in COMMIT", "LOCK TABLE gate IN ACCESS EXCLUSIVE MODE"),
];

/// Lets every `COMMIT` of a batch pass by the table `gate`.
async fn make_gate(place: &Place) {
    place
        .run(&format!(
            "CREATE TABLE gate (); \
             CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                 LOCK TABLE {}.gate IN ACCESS SHARE MODE; RETURN NULL; \
             END $$; \
             CREATE CONSTRAINT TRIGGER pass AFTER INSERT OR UPDATE ON audit_trails \
             DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pass()",
            place.schema
        ))
        .await;
}

/// Closes a gate; it opens when the connection is closed.
async fn close(place: &Place, gate: &'static str) -> PgConnection {
    let mut connection = place.connect().await;
    let locked = sqlx::raw_sql(AssertSqlSafe(format!("BEGIN; {gate}")));
    locked.execute(&mut connection).await.unwrap();
    connection
}

/// Returns when somebody waits for a lock here.
async fn somebody_waits(place: &Place) {
    let sql = format!(
        "SELECT count(*) FROM pg_locks JOIN pg_class AS class ON class.oid = relation \
         WHERE NOT granted AND relnamespace = '{}'::regnamespace",
        place.schema
    );
    while place.number(&sql).await == 0 {
        tokio::task::yield_now().await;
    }
}

/// Each number is there once, and each arrival.
async fn assert_complete(place: &Place, records: i64) {
    for what in ["*", "DISTINCT number", "DISTINCT arrival"] {
        let sql = format!("SELECT count({what}) FROM audit_records");
        assert_eq!(place.number(&sql).await, records, "{what}");
    }
}

#[tokio::test]
async fn a_cancelled_delivery_leaves_nothing_half_done() {
    let Some(place) = place() else { return };
    let mut sink = place.sink();
    sink.deliver(&plain(&origin(1), 0..3)).await.unwrap();
    make_gate(&place).await;
    for ((name, gate), first) in GATES.into_iter().zip((3..).step_by(300)) {
        let batch = plain(&origin(1), first..first + 300);
        let gate = close(&place, gate).await;
        let mut delivery = sink.deliver(&batch);
        tokio::select! {
            done = &mut delivery => panic!("{name}: {done:?}"),
            () = somebody_waits(&place) => {}
        }
        drop(delivery);
        gate.close().await.unwrap();
        assert_eq!(sink.deliver(&batch).await, Ok(()), "{name}");
        let next = first + 300;
        assert_eq!(sink.position(&origin(1)).await, Ok(Some(next)), "{name}");
    }
    assert_complete(&place, 903).await;
}

#[tokio::test]
async fn a_server_that_is_killed_during_bulk_writes_loses_and_doubles_nothing() {
    let Some(server) = services::private("postgres") else {
        return;
    };
    let place = Place::on(server.get("POSTGRES_URL"));
    let mut sink = place.sink();
    sink.deliver(&plain(&origin(1), 0..2000)).await.unwrap();
    make_gate(&place).await;
    for ((name, gate), next) in GATES.into_iter().zip((2000..).step_by(2000)) {
        let batch = plain(&origin(1), next..next + 2000);
        let _gate = close(&place, gate).await;
        let (delivered, ()) = tokio::join!(sink.deliver(&batch), async {
            somebody_waits(&place).await;
            server.kill();
        });
        assert!(delivered.is_err(), "{name}");
        let while_down = sink.position(&origin(1)).await;
        assert!(while_down.is_err(), "{name}: {while_down:?}");
        server.start();
        assert_eq!(sink.position(&origin(1)).await, Ok(Some(next)), "{name}");
        sink.deliver(&batch).await.unwrap();
    }
    assert_complete(&place, 8000).await;
}
