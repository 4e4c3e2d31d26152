//! A trail on its way into a database on a server that dies in the middle, by a program that is
//! started again: at the far end everything once and in order.

use std::time::{Duration, Instant};

use tower_audit::{
    Actor, Audit, Record, Rejected, SinkOptions,
    stats::{SinkState, SinkStats},
};

use crate::support::services::{self, Instance};

/// The records of one run.
const RECORDS: u64 = 100_000;

const LONG: Duration = Duration::from_secs(300);

/// Where the sums stand, once `reached` says so.
fn wait(audit: &Audit, reached: impl Fn(&SinkStats) -> bool) -> SinkStats {
    let deadline = Instant::now() + LONG;
    loop {
        let sink = audit.stats().sinks.remove(0);
        let told = sink.delivered + sink.pending + sink.dead + sink.missed;
        assert_eq!(sink.committed, told, "{sink:#?}");
        if reached(&sink) {
            return sink;
        }
        assert!(Instant::now() < deadline, "waited in vain: {sink:#?}");
        // Sleep: another thread delivers to another process; only its counters tell how far it is.
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn record(audit: &Audit, count: u64) {
    for number in 0..count {
        let record = || {
            Record::new("document.create")
                .success()
                .actor(Actor::user(number.to_string()))
        };
        while let Err(error) = audit.record(record()) {
            assert_eq!(error, Rejected::Full);
            // Sleep: the queue is full, and the disk decides when it is not.
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Has [`RECORDS`] delivered to an address on this server, which is killed and started again, by a
/// program that ends meanwhile and is started again; gives how many the trail has in all.
fn through_an_outage(server: &Instance, address: &str) -> i64 {
    let dir = tempfile::tempdir().unwrap();
    let start = || {
        let sink = tower_audit::sink::url::parse(address).unwrap();
        Audit::builder("outage")
            .dir(dir.path())
            .sink_with("database", sink, SinkOptions::new())
            .start_blocking()
            .unwrap()
    };
    let audit = start();
    record(&audit, RECORDS / 2);
    wait(&audit, |sink| sink.delivered > 5_000);
    server.kill();
    wait(&audit, |sink| sink.state == SinkState::Retrying);
    record(&audit, RECORDS / 4);
    // The program ends while nothing can be delivered.
    let first = audit.shutdown_blocking(Duration::from_secs(5));
    assert!(first.sinks[0].undelivered > 0, "{first}");
    drop(audit);

    let audit = start();
    record(&audit, RECORDS / 4);
    wait(&audit, |sink| sink.state == SinkState::Retrying);
    server.start();
    let sink = wait(&audit, |sink| {
        sink.pending == 0 && sink.state == SinkState::Ok && sink.delivered > 0
    });
    assert_eq!(
        (sink.dead, sink.missed, sink.resent),
        (0, 0, 0),
        "{sink:#?}"
    );
    let second = audit.shutdown_blocking(LONG);
    assert!(second.in_order, "{second}");
    i64::try_from(first.stored + second.stored).unwrap()
}

/// What must hold of the table: as many rows as records, each once, without a gap, in order.
const SUMS: [&str; 5] = [
    "SELECT count(*) FROM audit_records",
    "SELECT count(DISTINCT id) FROM audit_records",
    "SELECT count(DISTINCT number) FROM audit_records",
    "SELECT max(number) + 1 FROM audit_records",
    "SELECT count(*) FROM (SELECT number, lag(number) OVER (ORDER BY arrival) AS before_it \
     FROM audit_records) AS ordered WHERE number = coalesce(before_it, -1) + 1",
];

#[cfg(feature = "postgres")]
#[test]
fn postgres_has_everything_once_and_in_order_after_an_outage_and_a_restart() {
    use crate::support::postgres::Place;

    let Some(server) = services::private("postgres") else {
        return;
    };
    let place = Place::on(server.get("POSTGRES_URL"));
    let all = through_an_outage(&server, &place.address());
    assert!(all >= i64::try_from(RECORDS).unwrap(), "{all}");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for sum in SUMS {
        assert_eq!(runtime.block_on(place.number(sum)), all, "{sum}");
    }
}

#[cfg(feature = "mysql")]
#[test]
fn mariadb_has_everything_once_and_in_order_after_an_outage_and_a_restart() {
    use crate::support::mariadb::Scratch;

    let Some(server) = services::private("mariadb") else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let scratch = Scratch::on(&server.get("MARIADB_URL"));
    let all = through_an_outage(&server, &scratch.url(""));
    assert!(all >= i64::try_from(RECORDS).unwrap(), "{all}");
    for sum in SUMS {
        assert_eq!(runtime.block_on(scratch.number(sum)), all, "{sum}");
    }
}
