//! The three forms, their manifests, and where an export begins and ends.

use sha2::{Digest, Sha256};
use tower_audit::{clock::Timestamp, store::Reach};

use super::*;
use crate::support::{
    batches::{START, id},
    project::{read, table as table_of},
};

fn success() -> String {
    r#","outcome":"success""#.to_owned()
}

async fn many(count: u64) -> Place {
    Place::with((0..count).map(|number| (number, "document.create", success()))).await
}

#[tokio::test]
async fn json_lines_are_the_stored_texts_and_end_with_the_manifest() {
    let place = many(2500).await;
    let store = place.store().await;
    let query = Query::new().from(Timestamp::from_micros(START + 10));
    let mut export = begin(&store, query, ExportFormat::JsonLines).await;
    let bytes = all(&mut export).await;
    let text = String::from_utf8(bytes).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    let manifest = json(lines.pop().unwrap().as_bytes());
    let expected: Vec<String> = (10..2500)
        .rev()
        .map(|number| record(number, "document.create", success()).json.into())
        .collect();
    assert_eq!(lines, expected);
    let before = text.len() - text.lines().last().unwrap().len() - 1;
    let digest =
        tower_audit::evidence::Hash::from_bytes(Sha256::digest(&text.as_bytes()[..before]).into());
    let times = export.manifest();
    assert_eq!(
        manifest,
        serde_json::json!({"manifest": {
            "schema": "1.0", "format": "jsonl",
            "filter": {"from": "2026-11-20T13:34:01.000010Z", "reads": "1"},
            "upto": 2500, "records": 2490, "altered": 0, "unreadable": 0,
            "newest": "2026-11-20T13:34:01.002499Z", "oldest": "2026-11-20T13:34:01.000010Z",
            "began": times.began.to_string(), "ended": times.ended.unwrap().to_string(),
            "complete": true, "bytes": before, "sha256": digest.to_string(),
        }})
    );
}

#[tokio::test]
async fn json_is_one_object_with_the_same_records_and_is_cut_when_it_breaks_off() {
    let place = many(1500).await;
    let store = place.store().await;
    let whole = exported(&store, Query::new(), ExportFormat::Json).await;
    let parsed = json(&whole);
    assert_eq!(parsed["records"].as_array().unwrap().len(), 1500);
    assert_eq!(parsed["manifest"]["complete"], true);
    assert_eq!(
        parsed["records"][0]["timestamp"],
        "2026-11-20T13:34:01.001499Z"
    );
    let text = String::from_utf8(whole).unwrap();
    let last = text.lines().last().unwrap().len() + 1;
    assert_eq!(parsed["manifest"]["bytes"], text.len() - last);

    let mut cut = begin(&store, Query::new(), ExportFormat::Json).await;
    let first = cut.next().await.unwrap().unwrap();
    assert!(!cut.manifest().complete && cut.manifest().ended.is_none());
    let broken = serde_json::from_slice::<Value>(&first);
    assert!(broken.is_err(), "{broken:?}");
}

#[tokio::test]
async fn an_export_of_nothing_is_whole_too() {
    let place = many(1).await;
    let store = place.store().await;
    let nothing = || Query::new().actor("nobody");
    let parsed = json(&exported(&store, nothing(), ExportFormat::Json).await);
    assert_eq!(parsed["records"], serde_json::json!([]));
    assert_eq!(parsed["manifest"]["records"], 0);
    let lines = exported(&store, nothing(), ExportFormat::JsonLines).await;
    assert_eq!(json(&lines)["manifest"]["complete"], true);
    let csv = exported(&store, nothing(), ExportFormat::Csv).await;
    assert_eq!(rows(&csv).len(), 1);
}

/// A refused login of which nearly everything is known.
async fn login() -> Place {
    Place::with([(
        3,
        "user.login",
        concat!(
            r#","service":{"name":"docs"},"category":"authentication","outcome":"failure","reason":"bad password","#,
            r#""actor":{"type":"user","id":"146","name":"Flapjack"},"#,
            r#""targets":[{"type":"user","id":"7"},{"type":"site","id":"2"}],"#,
            r#""context":{"ip_address":"2001:db8::1","user_agent":"curl/8","http":{"status":401},"duration_us":1500},"#,
            r#""details":{"rule":"x","n":1}"#
        )
        .to_owned(),
    )])
    .await
}

#[tokio::test]
async fn a_cell_holds_the_fact_of_its_column() {
    let place = login().await;
    let store = place.store().await;
    let columns = "timestamp,service,actor_id,actor_name,target_type,target_id,targets,http_status,duration_us,details,tenant,cause";
    assert_eq!(
        table(&store, columns).await[1],
        [
            "2026-11-20T13:34:01.000003Z",
            "docs",
            "146",
            "Flapjack",
            "user",
            "7",
            r#"[{"type":"user","id":"7"},{"type":"site","id":"2"}]"#,
            "401",
            "1500",
            r#"{"n":1,"rule":"x"}"#,
            "",
            "bad password"
        ]
    );
}

#[tokio::test]
async fn duplistatus_finds_its_own_columns() {
    let place = login().await;
    let store = place.store().await;
    let duplistatus = table(&store, "duplistatus").await;
    assert_eq!(
        duplistatus[0],
        [
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
            "Error Message"
        ]
    );
    assert_eq!(
        duplistatus[1][2..],
        [
            "146",
            "Flapjack",
            "user.login",
            "authentication",
            "user",
            "7",
            "failure",
            "2001:db8::1",
            "curl/8",
            r#"{"details":{"n":1,"rule":"x"}}"#,
            "bad password"
        ]
    );
}

#[tokio::test]
async fn a_csv_has_a_header_and_no_manifest_within() {
    let place = login().await;
    let store = place.store().await;
    let mut export = begin(&store, Query::new(), ExportFormat::Csv).await;
    let bytes = all(&mut export).await;
    let manifest = export.manifest();
    assert_eq!(
        (manifest.records, manifest.complete, manifest.bytes),
        (1, true, bytes.len() as u64)
    );
    let digest: [u8; 32] = Sha256::digest(&bytes).into();
    assert_eq!(manifest.sha256.as_bytes(), &digest);
    assert_eq!(manifest.columns, Some(Columns::default()));
    assert!(bytes.ends_with(b"\r\n"));
}

// Trap Q5: everything there was when it began, and nothing that came later.
#[tokio::test]
async fn what_arrives_during_an_export_is_not_in_it() {
    let mut place = many(3000).await;
    let store = place.store().await;
    let mut export = begin(&store, Query::new(), ExportFormat::JsonLines).await;
    let mut bytes = export.next().await.unwrap().unwrap();
    // Late ones, whose ids are among those that are still to come, and new ones.
    let late = (0..10).map(|number| {
        let (old, id) = (
            id(1).to_string(),
            id(1).as_u128() + 0xf00 + u128::from(number),
        );
        let json = record(1, "late", "")
            .json
            .replace(&old, &uuid::Uuid::from_u128(id).to_string());
        raw(3000 + number, json)
    });
    place.put(late.collect()).await;
    bytes.extend(all(&mut export).await);
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(text.lines().count(), 3001, "3000 records and the manifest");
    assert!(!text.contains("late"));
    assert_eq!(
        (export.manifest().records, export.manifest().upto),
        (3000, 3000)
    );
    let again = exported(&store, Query::new(), ExportFormat::JsonLines).await;
    assert_eq!(String::from_utf8(again).unwrap().lines().count(), 3011);
}

#[tokio::test]
async fn the_page_of_a_query_has_no_part_in_an_export() {
    let place = many(50).await;
    let store = place.store().await;
    let page = store.browse(&Query::new().limit(10)).await.unwrap();
    let query = Query::new()
        .limit(10)
        .before(page.older.unwrap())
        .after(page.records[0].id);
    let parsed = json(&exported(&store, query.arrived_by(7), ExportFormat::Json).await);
    assert_eq!(parsed["manifest"]["records"], 50);
    assert_eq!(
        parsed["manifest"]["filter"],
        serde_json::json!({"range": "all", "reads": "1"})
    );
}

#[tokio::test]
async fn a_manifest_names_the_reach_it_was_made_within() {
    let place = many(5).await;
    let query = Query::new().within(Reach::actor("146"));
    let export = begin(&place.store().await, query, ExportFormat::Csv).await;
    assert_eq!(export.manifest().within, [("actor", "146".to_owned())]);
}

#[tokio::test]
async fn a_piece_is_bounded_and_a_failed_one_can_be_asked_for_again() {
    let place = Place::with((0..300).map(|number| {
        (
            number,
            "document.create",
            format!(r#","details":{{"x":"{}"}}"#, "y".repeat(20_000)),
        )
    }))
    .await;
    let store = place.store().await;
    let mut export = begin(&store, Query::new(), ExportFormat::JsonLines).await;
    let mut bytes = export.next().await.unwrap().unwrap();
    let (path, away) = (place.path(), place.dir.path().join("away.db"));
    std::fs::rename(&path, &away).unwrap();
    let mut failures = 0;
    loop {
        match export.next().await {
            Ok(Some(piece)) => {
                assert!(piece.len() <= Export::PIECE + 64 * 1024, "{}", piece.len());
                bytes.extend(piece);
            }
            Ok(None) => break,
            Err(error) => {
                failures += 1;
                assert!(!export.manifest().complete, "{error}");
                std::fs::rename(&away, &path).unwrap();
            }
        }
    }
    assert_eq!(failures, 1);
    assert_eq!(String::from_utf8(bytes).unwrap().lines().count(), 301);
}

#[test]
fn the_table_of_columns_is_that_of_the_code() {
    let documented: Vec<(String, String)> = table_of(&read("docs/export.md"), "## Columns")
        .into_iter()
        .map(|row| (row[0].trim_matches('`').to_owned(), row[1].clone()))
        .collect();
    let known: Vec<(String, String)> = Columns::known()
        .map(|(name, what)| (name.to_owned(), what.to_owned()))
        .collect();
    assert_eq!(documented, known);
    let set = |heading: &str| {
        let text = read("docs/export.md");
        let (_, rest) = text.split_once(heading).unwrap();
        rest.lines()
            .find(|line| line.starts_with("    "))
            .unwrap()
            .trim()
            .to_owned()
    };
    assert_eq!(set("**`default`**"), Columns::default().to_string());
    assert_eq!(set("**`duplistatus`**"), Columns::duplistatus().to_string());
}
