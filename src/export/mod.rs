//! Whole answers as CSV, JSON or JSON Lines, piece by piece.
//!
//! An export holds everything that matches and had arrived when it began, newest first, however much
//! that is. It is read in short pages and given away in pieces, so that its memory does not grow with
//! it, and so that no statement runs for long. What arrives meanwhile is not in it; what is removed
//! meanwhile, by retention, may be missing from it.
//!
//! At its end stands a [`Manifest`]: what was asked for, how many records there are, and whether that
//! is all. JSON and JSON Lines end with it; for a CSV it is asked for. **An export without a manifest
//! broke off**: a JSON is then cut in the middle of its object, on purpose, so that no parser takes
//! it.
//!
//! A record in JSON and JSON Lines is the stored text, byte for byte, so that its leaf hash can be
//! computed from it. A CSV has the [`Columns`] that were asked for.
//!
//! ```
//! use tower_audit::{
//!     export::{Columns, Export, ExportFormat},
//!     store::{Query, Store, StoreError},
//! };
//!
//! async fn refusals(store: Store) -> Result<Vec<u8>, StoreError> {
//!     let query = Query::new().outcome("denied");
//!     let mut export = Export::begin(store, query, ExportFormat::Csv, Columns::default()).await?;
//!     let mut file = Vec::new();
//!     while let Some(piece) = export.next().await? {
//!         file.extend(piece);
//!     }
//!     assert!(export.manifest().complete);
//!     Ok(file)
//! }
//! ```

mod columns;
mod csv;
mod field;
mod format;
mod json;
mod manifest;

use std::vec;

use sha2::{Digest, Sha256};

pub use self::{
    columns::{Columns, ColumnsError},
    format::{ExportFormat, ExportFormatError},
    manifest::Manifest,
};
use crate::{
    clock::{Clock, RecordId, SystemClock, Timestamp},
    evidence::Hash,
    record::Record,
    store::{Query, Store, StoreError, Stored},
};

/// How many bytes a page of records is meant to have; the next one asks for as many records as would
/// fill it if they were like those before.
const PAGE_BYTES: usize = 1024 * 1024;

/// The first page, and the smallest.
const MIN_PAGE: usize = 16;

/// An export that runs; gives its bytes in pieces of bounded size.
#[derive(Debug)]
pub struct Export {
    store: Store,
    query: Query,
    format: ExportFormat,
    columns: Columns,
    step: Step,
    /// Records that were read and are not written yet.
    page: vec::IntoIter<Stored>,
    page_records: usize,
    /// Where the next page begins.
    before: Option<RecordId>,
    searched_until: Option<Timestamp>,
    digest: Sha256,
    manifest: Manifest,
}

/// How far an export has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Older records may match.
    Records,
    /// Everything was read.
    Rest,
    End,
}

impl Export {
    /// A piece has at most so many bytes, and those of one record more: 64 KiB.
    pub const PIECE: usize = 64 * 1024;

    /// Fixes what is exported: what matches and has arrived by now.
    ///
    /// All pages of the query are exported: its limit, and the place where it begins, have no part in
    /// this. `columns` are those of a CSV; other formats have none.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn begin(
        store: Store,
        query: Query,
        format: ExportFormat,
        columns: Columns,
    ) -> Result<Self, StoreError> {
        let began = SystemClock::new().now();
        let upto = store.last_arrival().await?;
        let query = query.all_pages();
        let manifest = Manifest {
            schema: Manifest::SCHEMA,
            format,
            columns: (format == ExportFormat::Csv).then(|| columns.clone()),
            filter: query.params(),
            within: query.reach_params(),
            upto,
            records: 0,
            altered: 0,
            unreadable: 0,
            newest: None,
            oldest: None,
            began,
            ended: None,
            complete: false,
            bytes: 0,
            sha256: Hash::from_bytes(Sha256::digest([]).into()),
        };
        Ok(Self {
            store,
            query: query.arrived_by(upto),
            format,
            columns,
            step: Step::Records,
            page: Vec::new().into_iter(),
            page_records: MIN_PAGE,
            before: None,
            searched_until: None,
            digest: Sha256::new(),
            manifest,
        })
    }

    /// The next piece; none when everything was given, the manifest of JSON and JSON Lines included.
    ///
    /// A piece may be empty: a filter that matches little was searched for on a stretch where nothing
    /// matched, and the search goes on.
    ///
    /// # Errors
    ///
    /// [`StoreError`]. Nothing is lost by it: the same piece can be asked for again. Whoever gives up
    /// has an export without a manifest.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        if self.step == Step::End {
            return Ok(None);
        }
        if self.page.len() == 0 && self.step == Step::Records {
            self.read().await?;
        }
        let mut piece = Vec::new();
        if self.manifest.bytes == 0 {
            self.head(&mut piece)?;
        }
        while piece.len() < Self::PIECE
            && let Some(stored) = self.page.next()
        {
            self.record(&stored, &mut piece)?;
        }
        let is_last = self.step == Step::Rest && self.page.len() == 0;
        if is_last && self.format == ExportFormat::Json {
            piece.extend(b"\n],\n");
        }
        self.digest.update(&piece);
        self.manifest.bytes += piece.len() as u64;
        if is_last {
            self.end(&mut piece)?;
        }
        Ok(Some(piece))
    }

    /// What the export holds so far; [`complete`](Manifest::complete) once everything was given.
    #[must_use]
    pub fn manifest(&self) -> Manifest {
        self.manifest.clone()
    }

    /// How many records were given so far.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.manifest.records
    }

    /// How far back in time the search has come; none before the first page.
    #[must_use]
    pub const fn searched_until(&self) -> Option<Timestamp> {
        self.searched_until
    }

    /// Reads the next page. When that fails, nothing has changed.
    async fn read(&mut self) -> Result<(), StoreError> {
        let mut query = self.query.clone().limit(self.page_records);
        if let Some(before) = self.before {
            query = query.before(before);
        }
        let page = self.store.browse(&query).await?;
        let last = page.records.last().map(|last| last.id.timestamp());
        self.searched_until = page.searched_until.or(last).or(self.searched_until);
        self.before = page.older;
        self.step = if page.older.is_some() {
            Step::Records
        } else {
            Step::Rest
        };
        let bytes: usize = page.records.iter().map(|stored| stored.json.len()).sum();
        if let Some(average) = bytes.checked_div(page.records.len()) {
            self.page_records = (PAGE_BYTES / average.max(1)).clamp(MIN_PAGE, Query::MAX_LIMIT);
        }
        self.page = page.records.into_iter();
        Ok(())
    }

    fn head(&self, out: &mut Vec<u8>) -> Result<(), StoreError> {
        match self.format {
            ExportFormat::Csv => {
                csv::header(&self.columns, out).map_err(|error| self.failed(error))
            }
            ExportFormat::Json => {
                out.extend(b"{\"records\":[\n");
                Ok(())
            }
            ExportFormat::JsonLines => Ok(()),
        }
    }

    fn record(&mut self, stored: &Stored, out: &mut Vec<u8>) -> Result<(), StoreError> {
        let read = Record::from_json(stored.json.as_bytes());
        self.manifest.unreadable += u64::from(read.is_err());
        self.manifest.altered += u64::from(stored.is_altered());
        match self.format {
            ExportFormat::Csv => {
                csv::record(stored, read.ok().as_ref(), &self.columns, out)
                    .map_err(|error| self.failed(error))?;
            }
            ExportFormat::Json => {
                if self.manifest.records > 0 {
                    out.extend(b",\n");
                }
                json::record(stored, out).map_err(|error| self.failed(error))?;
            }
            ExportFormat::JsonLines => {
                json::record(stored, out).map_err(|error| self.failed(error))?;
                out.push(b'\n');
            }
        }
        self.manifest.records += 1;
        let time = stored.id.timestamp();
        self.manifest.newest.get_or_insert(time);
        self.manifest.oldest = Some(time);
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), StoreError> {
        self.step = Step::End;
        self.manifest.sha256 = Hash::from_bytes(self.digest.clone().finalize().into());
        self.manifest.ended = Some(SystemClock::new().now());
        self.manifest.complete = true;
        let written = match self.format {
            ExportFormat::Csv => Ok(()),
            ExportFormat::Json => json::last_field(&self.manifest, out),
            ExportFormat::JsonLines => json::last_line(&self.manifest, out),
        };
        written.map_err(|error| self.failed(error))
    }

    fn failed(&self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
        StoreError::Failed {
            address: self.store.address(),
            source: source.into(),
        }
    }
}
