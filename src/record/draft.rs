//! A record that is written before its work has ended.

use std::fmt;

use uuid::Uuid;

use super::{Outcome, Record, Service};
use crate::clock::{RecordId, Timestamp};

/// Why the outcome is not known, where nothing was said.
const UNSEEN: &str = "the change was committed; the process ended before the outcome was known";

/// A record as far as it is known, to be kept in the transaction of the change that it is about.
///
/// Masked, capped and clean like any record: its bytes rest in a database. It is opaque, so that
/// what is in the database is what the scope said.
#[derive(Clone, PartialEq, Eq)]
#[must_use = "it is kept by an outbox, in the transaction of the change"]
pub struct Draft {
    id: RecordId,
    json: Box<str>,
    owner: Owner,
    standing: Standing,
}

/// Who answers for a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    /// The trail that is to have the record.
    pub(crate) trail: Uuid,
    /// One run of one process on it.
    pub(crate) run: Uuid,
}

/// Whether anybody will take the draft back when its record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The trail has an outbox, and the record is not written yet.
    Open,
    /// The record was written before the draft was made.
    Finished,
    /// The trail has no outbox.
    NoOutbox,
    /// A rule skips the request: there is never a record.
    Skipped,
}

impl Draft {
    /// No draft is longer.
    #[cfg(feature = "_sql")]
    pub(crate) const MAX_BYTES: usize = super::marks::cap::RECORD;

    /// Finishes a record as it is when nobody sees the end: what was said stays, and where no
    /// outcome was said it is `unknown`, with a reason.
    pub(crate) fn new(
        mut record: Record,
        (id, at): (RecordId, Timestamp),
        service: &Service,
        (owner, standing): (Owner, Standing),
    ) -> Self {
        if record.outcome.is_none() {
            record.outcome = Some(Outcome::Unknown);
            record.reason.get_or_insert_with(|| UNSEEN.into());
        }
        Self {
            id,
            json: record.finish(id, at, service).json.into(),
            owner,
            standing,
        }
    }

    /// The id that the record has, or will have.
    #[must_use]
    pub const fn id(&self) -> RecordId {
        self.id
    }

    /// The trail that is to have the record.
    #[must_use]
    pub const fn trail(&self) -> Uuid {
        self.owner.trail
    }

    /// The run of the process that made the draft: what another run left is known by it.
    #[must_use]
    pub const fn run(&self) -> Uuid {
        self.owner.run
    }

    /// The exact bytes that are journalled when the process ends before the work does.
    #[must_use]
    pub const fn json(&self) -> &str {
        &self.json
    }

    #[cfg(feature = "_sql")]
    pub(crate) const fn standing(&self) -> Standing {
        self.standing
    }
}

impl fmt::Debug for Draft {
    /// Never the record: Debug output ends up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft")
            .field("id", &self.id)
            .field("standing", &self.standing)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(record: Record) -> Record {
        let at = Timestamp::from_micros(1_795_176_000_000_000);
        let id = RecordId::new(at, 7);
        let owner = Owner {
            trail: Uuid::nil(),
            run: Uuid::nil(),
        };
        let draft = Draft::new(
            record,
            (id, at),
            &Service::new("docs"),
            (owner, Standing::Open),
        );
        let read = Record::from_json(draft.json()).unwrap();
        assert_eq!(read.id(), Some(draft.id()));
        let again = read.clone().finish(id, Timestamp::MIN, &Service::new("x"));
        assert_eq!(
            again.json,
            draft.json(),
            "the same bytes when it is read back"
        );
        read
    }

    #[test]
    fn a_draft_without_an_outcome_is_unknown_and_says_why() {
        let silent = draft(Record::new("document.create").detail("name", "a\u{202e}b"));
        assert_eq!(silent.outcome, Some(Outcome::Unknown));
        assert_eq!(silent.reason.as_deref(), Some(UNSEEN));
        let explained = draft(Record::new("document.create").reason("asked twice"));
        assert_eq!(explained.reason.as_deref(), Some("asked twice"));
    }

    #[test]
    fn a_draft_keeps_the_outcome_that_was_said() {
        let said = draft(Record::new("document.create").success());
        assert_eq!((said.outcome, said.reason), (Some(Outcome::Success), None));
    }

    #[test]
    fn debug_shows_no_record() {
        let at = Timestamp::MIN;
        let owner = Owner {
            trail: Uuid::nil(),
            run: Uuid::nil(),
        };
        let draft = Draft::new(
            Record::new("document.create").detail("plan", "secret"),
            (RecordId::new(at, 7), at),
            &Service::new("docs"),
            (owner, Standing::Open),
        );
        assert!(!format!("{draft:?}").contains("secret"));
    }
}
