//! The commands that read, on every database there is here.

use tower_audit::{
    export::{Columns, Export, ExportFormat},
    store::Query,
};

use super::*;
use crate::{
    store::places::Place,
    support::batches::{batch, id, origin, record},
};

const SUCCESS: &str = r#","outcome":"success","actor":{"type":"user","id":"=146"}"#;
const NEEDLE: &str = r#","outcome":"denied","reason":"a needle""#;

async fn filled(place: &mut Place, count: u64) {
    for start in (0..count).step_by(500) {
        let numbers = start..count.min(start + 500);
        let more = |number: u64| if number == 7 { NEEDLE } else { SUCCESS };
        let records = numbers.map(|number| record(number, "document.create", more(number)));
        place.put(&batch(&origin(1), records.collect())).await;
    }
}

// Trap Q5.
#[tokio::test]
async fn an_export_is_everything_that_had_arrived_on_every_database() {
    for mut place in Place::all() {
        filled(&mut place, 2500).await;
        let store = place.store().await;
        let all = Export::begin(
            store,
            Query::new(),
            ExportFormat::JsonLines,
            Columns::default(),
        );
        let mut export = all.await.unwrap();
        let mut bytes = export.next().await.unwrap().unwrap();
        // Late ones, among those that are still to come, and one that is newer than all.
        let late = |number: u64, of: u64| {
            let (old, new) = (
                id(of).to_string(),
                id(of).as_u128() + 0xf000 + u128::from(number),
            );
            let json = record(of, "late", "")
                .json
                .replace(&old, &uuid::Uuid::from_u128(new).to_string());
            tower_audit::sink::Delivery::new(
                number,
                tower_audit::evidence::leaf_hash(json.as_bytes()),
                json,
            )
        };
        place
            .put(&batch(
                &origin(1),
                vec![late(2500, 3), late(2501, 1000), late(2502, 5000)],
            ))
            .await;
        while let Some(piece) = export.next().await.unwrap() {
            bytes.extend(piece);
        }
        let lines = text(&bytes);
        let lines: Vec<&str> = lines.lines().collect();
        assert_eq!(lines.len(), 2501, "{}", place.name);
        assert!(
            !lines.iter().any(|line| line.contains("\"late\"")),
            "{}",
            place.name
        );
        let last = record(0, "document.create", SUCCESS).json;
        assert_eq!(lines[2499], &*last, "{}", place.name);
        assert_eq!(
            json(lines[2500])["manifest"]["records"],
            2500,
            "{}",
            place.name
        );
    }
}

#[tokio::test]
async fn every_command_that_reads_reads_every_database() {
    for mut place in Place::all() {
        filled(&mut place, 600).await;
        let (name, store) = (place.name, place.address.as_str());
        let all = ["query", "--all", "--limit", "none", "--store", store];
        let newest = ended(0, &all);
        assert_eq!(newest.lines().count(), 600, "{name}");
        let rare = ended(
            0,
            &[&all[..], &["--text", "NEEDLE", "--outcome", "denied"]].concat(),
        );
        assert_eq!(
            rare.trim_end(),
            &*record(7, "document.create", NEEDLE).json,
            "{name}"
        );
        let tail = ended(0, &["tail", "-n", "600", "--store", store]);
        let tail: Vec<&str> = tail.lines().rev().collect();
        assert_eq!(tail, newest.lines().collect::<Vec<_>>(), "{name}");

        let csv = [
            "export",
            "--all",
            "--format",
            "csv",
            "--columns",
            "number,actor_id",
            "--quiet",
        ];
        let csv = ended(0, &[&csv[..], &["--store", store]].concat());
        assert!(
            csv.starts_with("number,actor_id\r\n599,'=146\r\n"),
            "{name}: {csv}"
        );
        let stats = json(&ended(0, &["stats", "--json", "--store", store]));
        assert_eq!(
            stats["seen"]["outcomes"],
            serde_json::json!({"denied": 1, "success": 599}),
            "{name}"
        );
        assert_eq!(stats["trails"][0]["next"], 600, "{name}");
        let catalog = json(&ended(0, &["catalog", "--json", "--store", store]));
        assert_eq!(catalog["records"], 600, "{name}");
    }
}
