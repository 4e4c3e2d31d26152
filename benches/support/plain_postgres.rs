//! The reference for PostgreSQL: what is sent by `COPY`, ready in memory down to the last byte.

use serde_json::Value;
use sqlx::{Connection as _, PgConnection};
use tower_audit::sink::Batch;
use uuid::Uuid;

use super::Fallible;

/// Where the values of the text columns stand in a record.
const TEXTS: [&str; 13] = [
    "/action",
    "/category",
    "/outcome",
    "/actor/type",
    "/actor/id",
    "/actor/name",
    "/tenant/id",
    "/application/id",
    "/service/name",
    "/service/instance",
    "/context/ip_address",
    "/context/session_id",
    "/context/request_id",
];

const RECORDS: &str = "COPY audit_records \
    (arrival, id, trail, number, leaf, received, timestamp, action, category, outcome, \
    actor_type, actor_id, actor_name, tenant, application, service, instance, ip, session, \
    request_id, json) FROM STDIN (FORMAT binary)";

const TARGETS: &str =
    "COPY audit_targets (record, position, type, id, name) FROM STDIN (FORMAT binary)";

/// The bytes of all rows, in the transactions in which they are written.
pub(crate) struct PlainCopy {
    records: u64,
    groups: Vec<(Vec<u8>, Vec<u8>)>,
}

impl PlainCopy {
    /// Takes the same rows into the same transactions as these batches.
    pub(crate) fn new(batches: &[Batch]) -> Fallible<Self> {
        let (mut arrival, mut groups, mut records) = (0_i64, Vec::new(), 0);
        for batch in batches {
            let (mut rows, mut targets) = (Copy::new(), Copy::new());
            for record in &batch.records {
                let json: Value = serde_json::from_str(&record.json)?;
                let text = |at: &str| json.pointer(at).and_then(Value::as_str);
                let id: Uuid = text("/id").ok_or("no id")?.parse()?;
                let timestamp: tower_audit::clock::Timestamp =
                    text("/timestamp").ok_or("no timestamp")?.parse()?;
                arrival += 1;
                rows.row(21);
                rows.number(arrival);
                rows.value(Some(id.as_bytes()))?;
                rows.value(Some(batch.origin.trail.as_bytes()))?;
                rows.number(i64::try_from(record.number)?);
                rows.value(Some(record.leaf.as_bytes()))?;
                rows.number(batch.received.as_micros());
                rows.number(timestamp.as_micros());
                for at in TEXTS {
                    rows.value(text(at).map(str::as_bytes))?;
                }
                rows.value(Some(record.json.as_bytes()))?;
                // The records of the benches have one target, those of the trail itself have none.
                if let Some(target) = text("/targets/0/id") {
                    targets.row(5);
                    targets.value(Some(id.as_bytes()))?;
                    targets.number(0);
                    targets.value(text("/targets/0/type").map(str::as_bytes))?;
                    targets.value(Some(target.as_bytes()))?;
                    targets.value(text("/targets/0/name").map(str::as_bytes))?;
                }
            }
            records += batch.records.len() as u64;
            groups.push((rows.end(), targets.end()));
        }
        Ok(Self { records, groups })
    }

    pub(crate) fn records(&self) -> u64 {
        self.records
    }

    /// Writes everything, one transaction a batch.
    pub(crate) async fn write(&self, connection: &mut PgConnection) -> Fallible<()> {
        for (rows, targets) in &self.groups {
            let mut transaction = connection.begin().await?;
            for (statement, bytes) in [(RECORDS, rows), (TARGETS, targets)] {
                let mut sending = transaction.copy_in_raw(statement).await?;
                sending.send(bytes.as_slice()).await?;
                sending.finish().await?;
            }
            transaction.commit().await?;
        }
        Ok(())
    }
}

/// The binary form of `COPY`.
struct Copy(Vec<u8>);

impl Copy {
    fn new() -> Self {
        Self(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec())
    }

    fn row(&mut self, values: i16) {
        self.0.extend(values.to_be_bytes());
    }

    fn number(&mut self, number: i64) {
        self.0.extend(8_i32.to_be_bytes());
        self.0.extend(number.to_be_bytes());
    }

    fn value(&mut self, bytes: Option<&[u8]>) -> Fallible<()> {
        let length = bytes.map_or(Ok(-1), |bytes| i32::try_from(bytes.len()))?;
        self.0.extend(length.to_be_bytes());
        self.0.extend_from_slice(bytes.unwrap_or_default());
        Ok(())
    }

    fn end(mut self) -> Vec<u8> {
        self.0.extend((-1_i16).to_be_bytes());
        self.0
    }
}
