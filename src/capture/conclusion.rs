//! What the end of a piece of work says about its record.

use std::any::Any;

use crate::record::{Fault, Outcome, Record};

/// What the end of the work says about the outcome, where the work itself did not.
#[derive(Debug)]
pub(super) enum Conclusion {
    /// It ended in order, or was dropped.
    Ended(Outcome),
    /// It returned an error.
    Failed(Fault),
    /// It panicked: what it said of its outcome before is no longer true.
    Panicked(Fault),
    /// It was never begun.
    NotBegun(String),
}

impl Conclusion {
    pub(super) fn of(self, mut record: Record) -> Record {
        match self {
            Self::Ended(outcome) => {
                let outcome = with_fault(outcome, &record);
                record.outcome.get_or_insert(outcome);
            }
            Self::Failed(fault) => {
                record.error.get_or_insert(fault);
                record.outcome.get_or_insert(Outcome::Error);
            }
            Self::Panicked(fault) => return record.outcome(Outcome::Error).error(fault),
            Self::NotBegun(reason) => return record.outcome(Outcome::Error).reason(reason),
        }
        record
    }
}

/// What the end looks like, unless something told of an error: then it was no success.
pub(super) fn with_fault(outcome: Outcome, record: &Record) -> Outcome {
    match outcome {
        Outcome::Success if record.error.is_some() => Outcome::Error,
        outcome => outcome,
    }
}

/// What a panic says of itself.
pub(super) fn panic_message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic without a message".into())
}
