//! A trail in the journal, as followers see it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::sync::watch;

use super::source::{Chunk, Gap, GapKind, ReadError, Reading, Source};
use crate::{
    disk::SharedDisk,
    journal::{self, Most, Reader},
    record::Origin,
    sink::{Delivery, Limits},
};

/// One trail on the disk.
#[derive(Debug)]
pub(crate) struct JournalSource {
    disk: SharedDisk,
    origin: Origin,
    dir: PathBuf,
    mark: watch::Receiver<u64>,
    recovered: u64,
}

impl JournalSource {
    /// The trail in `dir`, readable up to what `mark` says at the moment; the numbers below
    /// `recovered` were in it at the start.
    ///
    /// A trail that nobody writes any more has a mark whose sender is gone.
    pub(crate) const fn new(
        disk: SharedDisk,
        origin: Origin,
        dir: PathBuf,
        mark: watch::Receiver<u64>,
        recovered: u64,
    ) -> Self {
        Self {
            disk,
            origin,
            dir,
            mark,
            recovered,
        }
    }
}

impl Source for JournalSource {
    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn dir(&self) -> &Path {
        &self.dir
    }

    fn durable(&self) -> u64 {
        *self.mark.borrow()
    }

    fn known(&self) -> u64 {
        self.durable().max(self.recovered)
    }

    fn open(&self, from: u64) -> Box<dyn Reading> {
        Box::new(JournalReading {
            trail: self.dir.clone(),
            reader: Reader::open(Arc::clone(&self.disk), self.dir.clone(), from),
        })
    }
}

struct JournalReading {
    trail: PathBuf,
    reader: Reader,
}

impl Reading for JournalReading {
    fn read(&mut self, until: u64, limits: &Limits) -> Result<Chunk, ReadError> {
        let most = Most {
            records: limits.max_records,
            bytes: limits.max_bytes,
        };
        let chunk = self.reader.read(until, most).map_err(|error| ReadError {
            reason: format!("cannot read the trail {}: {error}", self.trail.display()),
        })?;
        let records = chunk.entries.into_iter();
        Ok(Chunk {
            records: records
                .map(|entry| Delivery::new(entry.number, entry.leaf, entry.json))
                .collect(),
            gaps: chunk.gaps.into_iter().map(gap).collect(),
            next: chunk.next,
            head: chunk.head,
        })
    }
}

fn gap(gap: journal::Gap) -> Gap {
    let kind = match gap.kind {
        journal::GapKind::Pruned => GapKind::Pruned,
        journal::GapKind::Damaged { file, offset } => GapKind::Damaged { file, offset },
    };
    Gap {
        from: gap.from,
        to: gap.to,
        kind,
    }
}
