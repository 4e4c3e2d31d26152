//! What reading by a command leaves in a trail, when it is asked for.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use tower_audit::{Actor, Audit, Outcome};

use crate::{
    exit::{End, Failure},
    interrupt::Interrupt,
};

/// Whether what is read is written down, and who reads.
#[derive(Debug, Args)]
#[command(next_help_heading = "Record of reading")]
pub(crate) struct RecordArgs {
    /// Record what is read in the audit directory of a service, which delivers it
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
    /// Who reads, for the record of it; without it, $USER
    #[arg(long, value_name = "NAME", requires = "record")]
    by: Option<String>,
}

impl RecordArgs {
    pub(crate) const fn is_wanted(&self) -> bool {
        self.record.is_some()
    }

    /// Opens the trail, before anything is shown: what cannot be recorded is not read.
    pub(crate) async fn begin(&self) -> Result<Option<Recording>, Failure> {
        let Some(dir) = &self.record else {
            return Ok(None);
        };
        let audit = Audit::builder("tower-audit").dir(dir).start().await;
        let audit = audit.map_err(|error| {
            Failure::of(error).and("; nothing was read, because it could not be recorded")
        })?;
        // Nobody verified it.
        let reader = Actor::anonymous().claimed(person(self.by.as_deref()));
        Ok(Some(Recording { audit, reader }))
    }
}

/// The trail in which a reading is recorded.
#[derive(Debug)]
pub(crate) struct Recording {
    audit: Audit,
    reader: Actor,
}

impl Recording {
    /// Writes the reading down.
    pub(crate) async fn end(
        self,
        write: impl FnOnce(&Audit, Actor) -> bool,
    ) -> Result<(), Failure> {
        let is_taken = write(&self.audit, self.reader);
        close(
            self.audit,
            is_taken,
            "; it was read, but is not in the trail",
        )
        .await
    }
}

/// Ends the trail of one record; the advice is for the case that it does not hold it.
pub(crate) async fn close(audit: Audit, is_taken: bool, advice: &str) -> Result<(), Failure> {
    let report = audit.shutdown(Duration::from_secs(10)).await;
    if is_taken && report.in_order {
        Ok(())
    } else {
        Err(Failure::said(format!("{report}{advice}")))
    }
}

/// Who it is: as was said, else whoever is logged in.
pub(crate) fn person(by: Option<&str>) -> String {
    let user = || std::env::var("USER").ok().filter(|user| !user.is_empty());
    by.map(str::to_owned)
        .or_else(user)
        .unwrap_or_else(|| "operator".to_owned())
}

/// Does work that whoever wants the program to end can break off, and says how it ended, so that it can be recorded
/// all the same.
pub(crate) async fn to_its_end<T>(
    work: impl Future<Output = Result<T, Failure>>,
) -> (Result<T, Failure>, Outcome) {
    let mut interrupt = match Interrupt::listen() {
        Ok(interrupt) => interrupt,
        Err(failure) => return (Err(failure), Outcome::Error),
    };
    let done = tokio::select! {
        done = work => done,
        word = interrupt.told() => return (Err(Failure::said(word)), Outcome::Cancelled),
    };
    let outcome = match &done {
        Ok(_) => Outcome::Success,
        Err(Failure::Closed) => Outcome::Cancelled,
        Err(Failure::Said(_)) => Outcome::Error,
    };
    (done, outcome)
}

/// How the command ends, when the work and the record of it ended so.
pub(crate) fn both(
    done: Result<End, Failure>,
    written: Result<(), Failure>,
) -> Result<End, Failure> {
    match (done, written) {
        (done, Ok(())) => done,
        (Err(Failure::Said(work)), Err(Failure::Said(record))) => {
            Err(Failure::said(format!("{work}; {record}")))
        }
        (_, Err(failure)) => Err(failure),
    }
}
