//! What an auditor takes home.

use serde_json::Value;
use tower_audit::{Actor, Record, store::Query};

use super::service::{self, ADDRESS, AGENT};
use crate::support::{
    desk::cookie,
    service::{Answer, end},
    stage::Stage,
};

/// The columns of duplistatus.
const COLUMNS: [&str; 13] = [
    "ID",
    "Timestamp",
    "User ID",
    "Username",
    "Action",
    "Category",
    "Target Type",
    "Target ID",
    "Status",
    "IP Address",
    "User Agent",
    "Details",
    "Error Message",
];

async fn exported(stage: &Stage, query: &str) -> Answer {
    let (header, value) = cookie("auditor");
    let path = format!("/audit/api/export?{query}");
    let answer = stage.service.get(&path, &[(header, &value)]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

fn rows(csv: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let mut reader = csv::Reader::from_reader(csv.trim_start_matches('\u{feff}').as_bytes());
    let owned = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect();
    let head = owned(reader.headers().unwrap());
    (
        head,
        reader
            .records()
            .map(|record| owned(&record.unwrap()))
            .collect(),
    )
}

/// What the row of a record must have in duplistatus' columns.
fn row(record: &Value) -> Vec<String> {
    let text = |pointer: &str| {
        let value = record.pointer(pointer).and_then(Value::as_str);
        value.unwrap_or_default().to_owned()
    };
    // duplistatus: the changed fields and the statistics are one column.
    let mut both = serde_json::Map::new();
    for name in ["changes", "details"] {
        both.extend(
            record
                .get(name)
                .map(|value| (name.to_owned(), value.clone())),
        );
    }
    let details = match both.is_empty() {
        true => String::new(),
        false => Value::Object(both).to_string(),
    };
    let mut cause = text("/error/message");
    if cause.is_empty() {
        cause = text("/reason");
    }
    vec![
        text("/id"),
        text("/timestamp"),
        text("/actor/id"),
        text("/actor/name"),
        text("/action"),
        text("/category"),
        text("/targets/0/type"),
        text("/targets/0/id"),
        text("/outcome"),
        text("/context/ip_address"),
        text("/context/user_agent"),
        details,
        cause,
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_csv_has_the_thirteen_columns_and_a_json_the_same_field_by_field() {
    let stage = service::start().await;
    let records = service::a_day(&stage).await;
    // duplistatus: what the filters show, as CSV and JSON.
    let csv = exported(&stage, "format=csv&columns=duplistatus&range=24h").await;
    assert!(
        csv.headers["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/csv")
    );
    let (head, mut found) = rows(&csv.body);
    assert_eq!(head, COLUMNS);
    // What the trail says of itself is in it too.
    found.retain(|row| !row[4].starts_with("audit."));
    for row in found.iter_mut().filter(|row| !row[11].is_empty()) {
        // The order of names in an object says nothing.
        row[11] = serde_json::from_str::<Value>(&row[11]).unwrap().to_string();
    }
    let expected: Vec<_> = records.iter().map(row).collect();
    assert_eq!(found, expected);
    let failed = &found[6];
    assert_eq!(
        (&*failed[4], &*failed[8], &*failed[12]),
        ("login", "failure", "invalid credentials")
    );
    assert_eq!((&*failed[9], &*failed[10]), (ADDRESS, AGENT));

    let json: Value = exported(&stage, "format=json&range=24h").await.json();
    let mut of_json = json["records"].as_array().unwrap().clone();
    of_json.retain(|record| !record["action"].as_str().unwrap().starts_with("audit."));
    assert_eq!(of_json, records);
    assert_eq!(json["manifest"]["complete"], true);

    let some = exported(
        &stage,
        "format=csv&columns=duplistatus&range=24h&category=authentication",
    )
    .await;
    assert_eq!(rows(&some.body).1, expected[5..]);
    end(&stage.audit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_ten_thousand_rows_are_not_cut() {
    const RECORDS: usize = 12_345;
    let stage = service::start().await;
    for number in 0..RECORDS {
        let record = Record::new("backup_collected")
            .actor(Actor::user("12"))
            .detail("number", number);
        stage.audit.record(record).unwrap();
        if number % 500 == 0 {
            stage.audit.flush().await.unwrap();
        }
    }
    let query = Query::new().action("backup_collected".parse().unwrap());
    crate::support::service::until("all are in the store", async || {
        stage.store.count(&query, 100_000).await.unwrap().records == RECORDS as u64
    })
    .await;
    // duplistatus: an export ends after 10 000 rows, and does not say so.
    let csv = exported(
        &stage,
        "format=csv&columns=duplistatus&action=backup_collected",
    )
    .await;
    assert_eq!(rows(&csv.body).1.len(), RECORDS);
    let lines = exported(&stage, "format=jsonl&action=backup_collected").await;
    let lines: Vec<&str> = lines.body.lines().collect();
    assert_eq!(lines.len(), RECORDS + 1);
    let manifest: Value = serde_json::from_str(lines[RECORDS]).unwrap();
    assert!(
        manifest
            .to_string()
            .contains(&format!("\"records\":{RECORDS}")),
        "{manifest}"
    );
    end(&stage.audit).await;
}
