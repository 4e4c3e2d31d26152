//! A store on PostgreSQL with a month of which little stays, and ways to stop a prune in it.

use sqlx::{AssertSqlSafe, PgConnection};
use tower_audit::{
    retention::{Report, Retention},
    sink::{Batch, Delivery, tables},
};

use super::{
    place::{NOW, Place, ago, batch, plain, record, root_of},
    pruned::DAY,
};
use crate::support::{batches::origin, postgres};

/// How many records the month has, and of which ones stay, by a policy for everything.
pub(super) const MONTH: u64 = 3000;
const STAYS: [u64; 5] = [7, 700, 1500, 1501, 2999];

/// In the month of the records that are to go.
const DAYS: i64 = 160;

fn month() -> Vec<Delivery> {
    (0..MONTH)
        .map(|number| {
            let at = ago(DAYS, MONTH.cast_signed() - number.cast_signed());
            let target = format!(r#","targets":[{{"type":"document","id":"{number}"}}]"#);
            if STAYS.contains(&number) {
                // Longer than a page, with whatever a text can hold.
                let note = "\\u0000 \\\"\\u00e9\\\" \u{2028} ü\t".replace('\t', "\\t");
                let long: String = (0..number * 3).map(|n| format!("{n} ")).collect();
                let more = format!(r#"{target},"details":{{"note":"{note}{long}", "n" : 1e2}}"#);
                record(number, at, "audit.verify", more)
            } else {
                record(number, at, "document.create", target)
            }
        })
        .collect()
}

/// A store with such a month, and what is in it.
pub(super) struct Month {
    pub(super) place: Place,
    pub(super) records: Vec<Delivery>,
}

impl Month {
    pub(super) async fn new() -> Option<Self> {
        Some(Self::on(postgres::place()?).await)
    }

    pub(super) async fn on(server: postgres::Place) -> Self {
        let place = Place::Postgres(server);
        let mut records = month();
        place.put(batch(&origin(1), records.clone())).await;
        let young = plain(MONTH..MONTH + 10, 2);
        records.extend(young.records.clone());
        place.put(young).await;
        tables::migrate(&place.address(), None).await.unwrap();
        Self { place, records }
    }

    pub(super) async fn connect(&self) -> PgConnection {
        match &self.place {
            Place::Postgres(server) => server.connect().await,
            place => panic!("{place:?}"),
        }
    }

    pub(super) async fn prune(&self) -> Report {
        let report = self.place.pruner().await.prune(&retention(), NOW).await;
        report.unwrap()
    }

    /// The number of the file that the month is in.
    pub(super) async fn file(&self) -> i64 {
        let file = "SELECT pg_relation_filenode('audit_records_y2026m06')::bigint";
        self.place.number(file).await
    }

    /// What all columns of the records that stay come to.
    pub(super) async fn bytes(&self) -> i64 {
        let numbers = STAYS.map(|number| number.to_string()).join(", ");
        let all = format!(
            "SELECT hashtextextended(string_agg(kept::text, '|' ORDER BY number), 0) \
             FROM audit_records AS kept WHERE number IN ({numbers})"
        );
        self.place.number(&all).await
    }

    /// Waits until somebody waits for a lock that is like this.
    pub(super) async fn waits(&self, what: &str) {
        let Place::Postgres(server) = &self.place else {
            panic!("{:?}", self.place)
        };
        let waits = format!(
            "SELECT count(*) FROM pg_locks LEFT JOIN pg_class AS class ON class.oid = relation \
             WHERE NOT granted AND {what} \
             AND (relnamespace IS NULL OR relnamespace = '{}'::regnamespace)",
            server.schema
        );
        while self.place.number(&waits).await == 0 {
            tokio::task::yield_now().await;
        }
    }

    /// From here on whoever puts something into the month waits for who has the lock `number`.
    pub(super) async fn stop(&self, number: u32) -> PgConnection {
        let stop = format!(
            "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             PERFORM pg_advisory_xact_lock({number}); RETURN NEW; END $$; \
             CREATE TRIGGER wait BEFORE INSERT ON audit_records_y2026m06 \
             FOR EACH ROW EXECUTE FUNCTION wait()"
        );
        self.place.run(&stop).await;
        let mut holder = self.connect().await;
        run(&mut holder, &format!("SELECT pg_advisory_lock({number})")).await;
        holder
    }

    /// Nothing was lost, and nothing is there that should not be.
    pub(super) async fn is_pruned(&self) {
        let mut left = STAYS.to_vec();
        left.extend(MONTH..self.records.len() as u64);
        assert_eq!(self.place.numbers().await, left);
        assert_eq!(self.place.root().await, root_of(&self.records));
        let gone = MONTH.cast_signed() - 5;
        let emptied = "SELECT count(*) FROM audit_emptied";
        assert_eq!(self.place.number(emptied).await, gone);
        let removed = "SELECT sum(removed)::bigint FROM audit_prunes";
        assert_eq!(self.place.number(removed).await, gone);
    }

    /// All is as it was before the prune.
    pub(super) async fn is_untouched(&self, file: i64, bytes: i64) {
        assert_eq!(self.place.numbers().await.len(), self.records.len());
        assert_eq!((self.file().await, self.bytes().await), (file, bytes));
        for table in ["audit_emptied", "audit_prunes"] {
            let rows = format!("SELECT count(*) FROM {table}");
            assert_eq!(self.place.number(&rows).await, 0, "{table}");
        }
        let targets = "SELECT count(*) FROM audit_targets";
        assert_eq!(self.place.number(targets).await, MONTH.cast_signed() + 10);
    }
}

pub(super) fn retention() -> Retention {
    Retention::new().keep(90 * DAY)
}

pub(super) async fn run(connection: &mut PgConnection, sql: &str) {
    let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await;
    done.unwrap();
}

/// A record that came late into the month, and that stays.
pub(super) fn late(number: u64) -> Batch {
    let late = record(number, ago(DAYS, 5), "audit.verify", "");
    batch(&origin(1), vec![late])
}
