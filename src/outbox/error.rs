//! Why a record is not in the outbox.

use std::error::Error;

use crate::{address::UrlError, clock::RecordId};

/// Why a record was not written into an outbox, or an outbox cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutboxError {
    /// The address of the database has a mistake: correct it. Nothing was opened.
    #[error(transparent)]
    Address(#[from] UrlError),
    /// The draft's trail has no outbox, so nobody would remove the row. The service's mistake.
    #[error("the trail runs without an outbox: give it to `AuditBuilder::outbox` before it starts")]
    NotStarted,
    /// The work that the draft belongs to has ended, and its record was written. Roll back; what
    /// goes on after its request is work of its own, with a scope of its own (`Audit::scope`).
    #[error("record {id} was written before its change: give the change a scope of its own")]
    Finished {
        /// The record.
        id: RecordId,
    },
    /// The database did not take the row. Roll back: a commit would be a change without its record.
    #[error("record {id} was not written into the outbox: roll the transaction back")]
    Insert {
        /// The record.
        id: RecordId,
        /// What the database said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The table cannot be made, read or written. At a start: correct the address, or the
    /// permissions. Later the trail tries again by itself, and health tells of it.
    #[error("the outbox in {address} cannot be used")]
    Database {
        /// The database, without secrets.
        address: String,
        /// What the database said.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl OutboxError {
    pub(crate) fn database(
        address: impl Into<String>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::Database {
            address: address.into(),
            source: source.into(),
        }
    }

    /// The message with its cause, for a person.
    pub(crate) fn explained(&self) -> String {
        match self.source() {
            Some(cause) => format!("{self}: {cause}"),
            None => self.to_string(),
        }
    }
}
