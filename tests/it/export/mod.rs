//! Exports: what is in them, in which form, and what they say of themselves.

mod forms;
mod hostile;

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;
use tower_audit::{
    evidence::leaf_hash,
    export::{Columns, Export, ExportFormat},
    sink::{Delivery, Sink, SqliteSink},
    store::{Query, Store},
};

use crate::support::batches::{batch, origin, record};

/// A store with what was put into it.
struct Place {
    dir: TempDir,
    sink: SqliteSink,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sink = SqliteSink::new(dir.path().join("audit.db"));
        Self { dir, sink }
    }

    async fn with(records: impl IntoIterator<Item = (u64, &str, String)>) -> Self {
        let mut place = Self::new();
        let records = records.into_iter();
        let records = records.map(|(number, action, more)| record(number, action, more));
        place.put(records.collect()).await;
        place
    }

    async fn put(&mut self, records: Vec<Delivery>) {
        self.sink
            .deliver(&batch(&origin(1), records))
            .await
            .unwrap();
    }

    fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("audit.db")
    }

    async fn store(&self) -> Store {
        open(&self.path()).await
    }
}

async fn open(path: &Path) -> Store {
    Store::open(&format!("sqlite://{}", path.display()))
        .await
        .unwrap()
}

/// A text that is stored as it is, whatever it is.
fn raw(number: u64, json: String) -> Delivery {
    Delivery::new(number, leaf_hash(json.as_bytes()), json)
}

async fn begin(store: &Store, query: Query, format: ExportFormat) -> Export {
    begin_with(store, query, format, Columns::default()).await
}

async fn begin_with(store: &Store, query: Query, format: ExportFormat, columns: Columns) -> Export {
    Export::begin(store.clone(), query, format, columns)
        .await
        .unwrap()
}

/// Everything that it gives.
async fn all(export: &mut Export) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(piece) = export.next().await.unwrap() {
        bytes.extend(piece);
    }
    bytes
}

async fn exported(store: &Store, query: Query, format: ExportFormat) -> Vec<u8> {
    all(&mut begin(store, query, format).await).await
}

/// The CSV of everything with these columns: its header, and its rows.
async fn table(store: &Store, columns: &str) -> Vec<Vec<String>> {
    let columns = columns.parse().unwrap();
    let mut export = begin_with(store, Query::new(), ExportFormat::Csv, columns).await;
    rows(&all(&mut export).await)
}

fn rows(bytes: &[u8]) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(bytes);
    let rows = reader.records().map(|row| row.unwrap());
    rows.map(|row| row.iter().map(str::to_owned).collect())
        .collect()
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}
