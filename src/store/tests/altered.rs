//! Rows that no sink wrote: they are told, and hide nothing.

use std::collections::BTreeMap;

use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

use super::place::{Filled, RECORDS, sqlite};
use crate::{
    clock::{RecordId, Timestamp},
    export::{Columns, Export, ExportFormat},
    store::{Query, Store},
};

/// What somebody does to the row with this number; arrivals begin with 1.
const DONE: [(i64, &str); 8] = [
    (10, "leaf = X'00'"),
    (20, "number = -5"),
    (
        30,
        "id = CAST(SUBSTR(id, 1, 6) || X'4000' || SUBSTR(id, 9) AS BLOB)",
    ),
    (
        31,
        "id = CAST(SUBSTR(id, 1, 6) || X'F000' || SUBSTR(id, 9) AS BLOB)",
    ),
    (40, "id = SUBSTR(id, 1, 9)"),
    (50, "id = CAST(id || X'00' AS BLOB)"),
    (60, "json = CAST(X'7BFF' AS TEXT)"),
    (70, "trail = X'0102'"),
];

async fn altered() -> (Filled, Store) {
    let filled = sqlite(false).await;
    let options = SqliteConnectOptions::new().filename(filled.file());
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    for (number, set) in DONE {
        let sql = format!("UPDATE audit_records SET {set} WHERE number = {number}");
        let done = sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut connection);
        assert_eq!(done.await.unwrap().rows_affected(), 1, "{set}");
    }
    connection.close().await.unwrap();
    let address = format!("sqlite://{}", filled.file().display());
    let store = Store::open(&address).await.unwrap();
    (filled, store)
}

/// All records of a query, by arrival: whether they are altered.
async fn chained(store: &Store, query: &Query, is_up: bool) -> BTreeMap<u64, bool> {
    let mut seen = BTreeMap::new();
    let mut next = Some(query.clone());
    if is_up {
        next = Some(query.clone().after(RecordId::lowest_at(Timestamp::MIN)));
    }
    while let Some(asked) = next {
        let page = store.browse(&asked).await.unwrap();
        for stored in page.records {
            let twice = seen.insert(stored.arrival, stored.is_altered());
            assert_eq!(twice, None, "{query:?} {is_up}: {}", stored.arrival);
        }
        next = if is_up {
            page.newer.map(|id| query.clone().after(id))
        } else {
            page.older.map(|id| query.clone().before(id))
        };
    }
    seen
}

#[tokio::test]
async fn a_row_that_no_sink_wrote_is_told_as_altered_and_hides_no_other() {
    let (_filled, store) = altered().await;
    let expected = DONE.map(|(number, _)| number.cast_unsigned() + 1);
    for limit in [1, 7] {
        for is_up in [false, true] {
            let seen = chained(&store, &Query::new().limit(limit), is_up).await;
            assert_eq!(
                seen.len(),
                usize::try_from(RECORDS).unwrap(),
                "{limit} {is_up}"
            );
            let altered = seen.iter().filter(|(_, altered)| **altered);
            let altered: Vec<u64> = altered.map(|(arrival, _)| *arrival).collect();
            assert_eq!(altered, expected, "{limit} {is_up}");
        }
    }
    // Every record has a session, whose name begins so; the one whose text cannot be read has none.
    let by_text = chained(&store, &Query::new().text("s").limit(900), false).await;
    assert_eq!(by_text.len(), usize::try_from(RECORDS).unwrap() - 1);
}

#[tokio::test]
async fn an_export_gets_past_rows_that_no_sink_wrote_and_counts_them() {
    let (_filled, store) = altered().await;
    for format in [ExportFormat::JsonLines, ExportFormat::Csv] {
        let columns = Columns::default();
        let export = Export::begin(store.clone(), Query::new(), format, columns).await;
        let mut export = export.unwrap();
        while export.next().await.unwrap().is_some() {}
        let manifest = export.manifest();
        assert!(manifest.complete);
        assert_eq!(manifest.records, RECORDS.cast_unsigned());
        assert_eq!(manifest.altered, DONE.len() as u64);
        assert_eq!(manifest.unreadable, 1);
    }
}
