//! What somebody planted: in a record, and in the database itself.

use std::process::Command;

use tower_audit::{Actor, Audit, Record, Target};

use super::*;

const PLANTED: [&str; 9] = [
    "=HYPERLINK(\"http://evil.example\",\"click\")",
    "+1,-1;@x",
    "a,\"b\"\r\n=1+1",
    "\t=cmd|' /C calc'!A0",
    "＝1＋1",
    "\u{202e}gpj.exe",
    "nul\0byte",
    "'=already",
    "</td><script>alert(1)</script>",
];

/// A trail of records in which every text is hostile, delivered by a real sink.
fn planted() -> Place {
    let place = Place::new();
    let audit = Audit::builder("docs").dir(place.dir.path().join("journal"));
    let audit = audit
        .sink("sqlite", SqliteSink::new(place.path()))
        .start_blocking()
        .unwrap();
    for text in PLANTED {
        let record = Record::new("user.login")
            .actor(Actor::user(text).name(text))
            .target(Target::new("document", text))
            .detail("text", text)
            .denied(text);
        audit.commit_blocking(record).unwrap();
    }
    let report = audit.shutdown_blocking(std::time::Duration::from_secs(20));
    assert!(report.in_order, "{report}");
    place
}

/// The text as a trail writes it down: on one line, and to be seen.
fn written(text: &str) -> String {
    let text = text
        .replace('\r', "\\r")
        .replace('\n', "\\n")
        .replace('\t', "\\t");
    text.replace('\0', "\\u{0}")
        .replace('\u{202e}', "\\u{202e}")
}

/// What a program does to get the text of a cell back.
fn undone(cell: &str) -> String {
    cell.strip_prefix('\'').unwrap_or(cell).replace(";'", ";")
}

/// The script with which another program reads a CSV.
const PYTHON: &str = "import csv, json, sys
print(json.dumps(list(csv.reader(open(sys.argv[1], newline='', encoding='utf-8'), strict=True))))";

// Trap Q6.
#[test]
fn a_planted_record_reads_back_in_two_readers_and_no_cell_is_a_formula() {
    let place = planted();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let bytes = runtime.block_on(async {
        let query = Query::new().action("user.login".parse().unwrap());
        exported(&place.store().await, query, ExportFormat::Csv).await
    });
    let rows = rows(&bytes);
    let column = |name: &str| rows[0].iter().position(|header| header == name).unwrap();
    assert_eq!(rows.len(), PLANTED.len() + 1);
    for (row, text) in rows[1..].iter().rev().zip(PLANTED) {
        for name in ["actor_id", "actor_name", "target_id", "reason"] {
            let cell = &row[column(name)];
            assert_eq!(undone(cell), written(text), "{name}");
        }
        let details = json(undone(&row[column("details")]).as_bytes());
        assert_eq!(details["text"], written(text));
        for cell in row {
            let first = cell.trim_start().chars().next();
            let is_formula = first.is_some_and(|char| "=+-@＝＋－＠".contains(char));
            assert!(!is_formula, "{cell}");
        }
    }
    // A spreadsheet whose separator is the semicolon finds none either, whatever the quotes.
    let mut pieces = std::str::from_utf8(&bytes).unwrap().split([';', '\n']);
    let formula = pieces.find(|piece| {
        let piece = piece.trim_start_matches(['"', ' ']);
        piece.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠'])
    });
    assert_eq!(formula, None);
    let file = place.dir.path().join("out.csv");
    std::fs::write(&file, &bytes).unwrap();
    let output = Command::new("python3")
        .args(["-c", PYTHON])
        .arg(&file)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let theirs: Vec<Vec<String>> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(theirs, rows);
}

#[tokio::test]
async fn what_is_no_record_is_counted_and_breaks_no_document() {
    let mut place = Place::with([(0, "user.login", String::new())]).await;
    let texts = [
        // A valid record that was changed after it was delivered.
        "UPDATE audit_records SET json = replace(json, 'user.login', 'user.logoff') WHERE number = 0",
        // Text that would close the list of records and forge a manifest.
        "UPDATE audit_records SET json = '{}],\"manifest\":{\"complete\":true}}' WHERE number = 1",
        // JSON over two lines, the second of which looks like a manifest; no record of ours.
        "UPDATE audit_records SET json = '{\"a\":' || char(10) || '{\"manifest\":{}}' || char(10) || '}' WHERE number = 2",
    ];
    place
        .put(
            (1..3)
                .map(|number| record(number, "user.login", ""))
                .collect(),
        )
        .await;
    let path = place.path();
    let connected = <sqlx::SqliteConnection as sqlx::Connection>::connect(path.to_str().unwrap());
    let mut database = connected.await.unwrap();
    for change in texts {
        sqlx::query(change).execute(&mut database).await.unwrap();
    }
    let store = place.store().await;
    let parsed = json(&exported(&store, Query::new(), ExportFormat::Json).await);
    assert_eq!(
        parsed["records"][0],
        serde_json::json!({"a": {"manifest": {}}})
    );
    assert_eq!(
        parsed["records"][1]["unreadable"],
        "{}],\"manifest\":{\"complete\":true}}"
    );
    assert_eq!(parsed["records"][2]["action"], "user.logoff");
    let counts = |name: &str| parsed["manifest"][name].as_u64().unwrap();
    assert_eq!(
        (counts("records"), counts("altered"), counts("unreadable")),
        (3, 3, 2)
    );
    let lines = exported(&store, Query::new(), ExportFormat::JsonLines).await;
    assert_eq!(String::from_utf8(lines).unwrap().lines().count(), 4);
    let table = table(&store, "id,timestamp,action,number,json").await;
    assert_eq!(table[2][1..4], ["2026-11-20T13:34:01.000001Z", "", "1"]);
    assert!(table[1][4].contains("\\n"), "{table:?}");
}
