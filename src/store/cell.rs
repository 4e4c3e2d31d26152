//! What a database answered, whichever it was.

use uuid::Uuid;

use super::Stored;
use crate::{
    clock::{RecordId, Timestamp},
    evidence::Hash,
};

/// One value of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell {
    Null,
    Text(String),
    Bytes(Vec<u8>),
    Number(i64),
}

/// One row of an answer, taken from left to right.
#[derive(Debug)]
pub(super) struct Row {
    cells: std::vec::IntoIter<Cell>,
    /// The next column.
    column: usize,
}

impl Row {
    pub(super) fn new(cells: Vec<Cell>) -> Self {
        Self {
            cells: cells.into_iter(),
            column: 0,
        }
    }

    fn next(&mut self) -> Cell {
        self.column += 1;
        self.cells.next().unwrap_or(Cell::Null)
    }

    pub(super) fn text(&mut self) -> sqlx::Result<String> {
        self.optional_text()?.ok_or_else(|| self.altered(Missing))
    }

    pub(super) fn optional_text(&mut self) -> sqlx::Result<Option<String>> {
        match self.next() {
            Cell::Null => Ok(None),
            Cell::Text(text) => Ok(Some(text)),
            _ => Err(self.altered(Missing)),
        }
    }

    /// A number that is never negative.
    pub(super) fn number(&mut self) -> sqlx::Result<u64> {
        self.optional_number()?.ok_or_else(|| self.altered(Missing))
    }

    pub(super) fn optional_number(&mut self) -> sqlx::Result<Option<u64>> {
        match self.next() {
            Cell::Null => Ok(None),
            Cell::Number(number) => match u64::try_from(number) {
                Ok(number) => Ok(Some(number)),
                Err(error) => Err(self.altered(error)),
            },
            _ => Err(self.altered(Missing)),
        }
    }

    pub(super) fn time(&mut self) -> sqlx::Result<Timestamp> {
        match self.next() {
            Cell::Number(micros) => Ok(Timestamp::from_micros(micros)),
            _ => Err(self.altered(Missing)),
        }
    }

    pub(super) fn optional_bytes<const N: usize>(&mut self) -> sqlx::Result<Option<[u8; N]>> {
        match self.next() {
            Cell::Null => Ok(None),
            Cell::Bytes(bytes) => match bytes.as_slice().try_into() {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) => Err(self.altered::<std::array::TryFromSliceError>(error)),
            },
            _ => Err(self.altered(Missing)),
        }
    }

    pub(super) fn bytes<const N: usize>(&mut self) -> sqlx::Result<[u8; N]> {
        self.optional_bytes()?.ok_or_else(|| self.altered(Missing))
    }

    pub(super) fn hash(&mut self) -> sqlx::Result<Hash> {
        self.bytes().map(Hash::from_bytes)
    }

    pub(super) fn uuid(&mut self) -> sqlx::Result<Uuid> {
        self.bytes().map(Uuid::from_bytes)
    }

    pub(super) fn id(&mut self) -> sqlx::Result<RecordId> {
        RecordId::from_bytes(self.bytes()?).map_err(|error| self.altered(error))
    }

    /// A whole record, its columns in the order of [`lead::COLUMNS`](super::lead::COLUMNS).
    pub(super) fn stored(mut self) -> sqlx::Result<Stored> {
        Ok(Stored {
            id: self.id()?,
            arrival: self.number()?,
            trail: self.uuid()?,
            number: self.number()?,
            leaf: self.hash()?,
            received: self.time()?,
            json: self.text()?.into(),
        })
    }

    /// A value that no sink wrote.
    fn altered<E: std::error::Error + Send + Sync + 'static>(&self, source: E) -> sqlx::Error {
        sqlx::Error::ColumnDecode {
            index: self.column.saturating_sub(1).to_string(),
            source: Box::new(source),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("nothing of the kind that stands there")]
struct Missing;
