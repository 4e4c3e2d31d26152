//! What a database answered, whichever it was.
//!
//! Whoever may write the tables can put anything into them. One such row must not hide all others, so
//! a record's row is read as far as it can be, and says that it is altered.

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
    /// Not of the kind that was asked for.
    Unreadable,
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

    /// An id, or whatever stands in its place.
    pub(super) fn id(&mut self) -> RecordId {
        self.found().0
    }

    /// What stands in the place of an id, and whether it is one.
    fn found(&mut self) -> (RecordId, bool) {
        match self.next() {
            Cell::Bytes(bytes) => {
                let id = RecordId::found(place(&bytes));
                (id, bytes == id.as_bytes() && id.is_sound())
            }
            _ => (RecordId::found([0; 16]), false),
        }
    }

    /// A whole record, its columns in the order of `select::COLUMNS`. What cannot be read of it is
    /// empty or zero, and then its leaf is too, which no text has.
    pub(super) fn stored(mut self) -> Stored {
        let (id, is_id) = self.found();
        let (arrival, trail, number) = (self.number(), self.uuid(), self.number());
        let (leaf, received, json) = (self.hash(), self.time(), self.text());
        let is_sound = is_id
            && [&arrival, &number].iter().all(|number| number.is_ok())
            && trail.is_ok()
            && received.is_ok()
            && json.is_ok();
        Stored {
            id,
            arrival: arrival.unwrap_or_default(),
            trail: trail.unwrap_or_default(),
            number: number.unwrap_or_default(),
            leaf: leaf.ok().filter(|_| is_sound).unwrap_or(NO_LEAF),
            received: received.unwrap_or(Timestamp::MIN),
            json: json.unwrap_or_default().into(),
        }
    }

    /// A value that no sink wrote.
    fn altered<E: std::error::Error + Send + Sync + 'static>(&self, source: E) -> sqlx::Error {
        sqlx::Error::ColumnDecode {
            index: self.column.saturating_sub(1).to_string(),
            source: Box::new(source),
        }
    }
}

/// The leaf of no text.
pub(super) const NO_LEAF: Hash = Hash::from_bytes([0; 32]);

/// Where something that should be an id stands among the ids, so that a walk gets past it. Only SQLite
/// lets it be shorter, and it sorts before all that begin with it, or longer, and it sorts behind.
fn place(bytes: &[u8]) -> [u8; 16] {
    let mut place = [0; 16];
    for (to, from) in place.iter_mut().zip(bytes) {
        *to = *from;
    }
    if bytes.len() < place.len() {
        place = u128::from_be_bytes(place).saturating_sub(1).to_be_bytes();
    }
    place
}

#[derive(Debug, thiserror::Error)]
#[error("nothing of the kind that stands there")]
struct Missing;
