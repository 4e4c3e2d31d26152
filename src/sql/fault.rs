//! What an error of a database means for whoever called.

use super::schema::SchemaError;
use crate::text::clean;

/// Who can do something about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Time: another process holds the lock, the disk is full or failed, the server is away.
    Passing,
    /// A person; with what there is to do.
    Repair(&'static str),
    /// The caller: something with this key is there already.
    Constraint,
    /// The caller: the records are too large, or hold what the database cannot take.
    Refused,
    /// The caller: the statement ran longer than it may.
    Interrupted,
}

/// What to do about tables that somebody changed.
pub(crate) const ALTERED: &str = "the tables are not as tower-audit made them: \
                                  restore them, or give another prefix";

const TWICE: &str = "something that may be there once only is there already";

/// What an answer of a server may be at most in a reason.
const MAX_FOREIGN_BYTES: usize = 256;

/// Why the tables could not be reached, made or used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// A person must act; says what is wrong and the way out.
    #[error("{0}")]
    Repair(String),
}

/// An error as a reason, with the way out if there is one. Never holds text of a record.
pub(crate) fn reason(error: &sqlx::Error, fault: Fault) -> String {
    let what = match error {
        // Both may quote a value: `Duplicate entry 'alice@example.com' for key`.
        sqlx::Error::Database(_) if fault == Fault::Constraint => TWICE.to_owned(),
        sqlx::Error::Database(error) if error.message().contains("value: '") => {
            "a value does not fit its column".to_owned()
        }
        sqlx::Error::Database(error) => foreign(error.message()),
        // What could not be encoded may be quoted in its message.
        sqlx::Error::Encode(_) => "a value cannot be bound".to_owned(),
        other => foreign(&other.to_string()),
    };
    match fault {
        Fault::Repair(way_out) => format!("{what}; {way_out}"),
        _ => what,
    }
}

/// What a server said, without what could confuse a terminal or fill a log.
pub(crate) fn foreign(text: &str) -> String {
    clean(text, MAX_FOREIGN_BYTES).0.into_owned()
}
