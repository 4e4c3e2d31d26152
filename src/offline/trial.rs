//! Tries a sink out, with nothing but its address.

use std::{io, time::Duration};

use crate::{
    clock::{Clock as _, IdSource as _, RecordId, SystemClock, SystemIds},
    delivery::{Tried, Trying, test_batch, try_out},
    record::Service,
    sink::Sink,
};

/// A sink tried out from outside any service: no trail is read, no cursor moves.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("audit.jsonl");
/// use tower_audit::{offline::Trial, sink::url};
///
/// let sink = || url::parse(&format!("file://{}", path.display()));
/// Trial::new().probe(sink()?)?;
/// let event = Trial::new().test(sink()?)?;
/// assert!(std::fs::read_to_string(&path)?.contains(&event.to_string()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Trial {
    timeout: Duration,
}

/// Why a sink took nothing. The reason says what is wrong, and what to do; no secret is in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrialError {
    /// It may pass: the destination is away or overloaded, or did not answer in time.
    #[error("{address} cannot take it now: {reason}")]
    Passing {
        /// The destination.
        address: String,
        /// What failed.
        reason: String,
    },
    /// Somebody must act: credentials, a missing table, a certificate.
    #[error("{address} takes nothing until somebody acts: {reason}")]
    Blocked {
        /// The destination.
        address: String,
        /// What to repair.
        reason: String,
    },
    /// The destination answers, and refuses the event.
    #[error("{address} refuses the event: {reason}")]
    Refused {
        /// The destination.
        address: String,
        /// Why, as it says.
        reason: String,
    },
    /// The system gave no runtime.
    #[error("the system gives no runtime")]
    Runtime(#[source] io::Error),
}

impl Default for Trial {
    fn default() -> Self {
        Self::new()
    }
}

impl Trial {
    /// A trial that waits 30 seconds for an answer, as a service does.
    pub fn new() -> Self {
        Self {
            timeout: Duration::from_secs(30),
        }
    }

    /// How long the sink may take for its answer. Default: 30 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Asks whether it would take batches, without leaving anything there.
    ///
    /// Blocks; must not be called from within an async runtime.
    ///
    /// # Errors
    ///
    /// [`TrialError`], when it would not.
    pub fn probe(&self, sink: Box<dyn Sink>) -> Result<(), TrialError> {
        self.run(sink, Trying::Probe)
    }

    /// Sends one event that says it is a test (`audit.sink_test`), and gives its id. A database takes
    /// it back; anywhere else it stays.
    ///
    /// Blocks; must not be called from within an async runtime.
    ///
    /// # Errors
    ///
    /// [`TrialError`], when the sink did not take it.
    pub fn test(&self, sink: Box<dyn Sink>) -> Result<RecordId, TrialError> {
        let at = SystemClock::new().now();
        let id = SystemIds::new().next(at);
        let batch = test_batch(&Service::new("tower-audit"), id, at);
        self.run(sink, Trying::Test(&batch)).map(|()| id)
    }

    fn run(&self, sink: Box<dyn Sink>, what: Trying<'_>) -> Result<(), TrialError> {
        let address = sink.address();
        match try_out(sink, what, self.timeout).map_err(TrialError::Runtime)? {
            Tried::Taken => Ok(()),
            Tried::Passing(reason) => Err(TrialError::Passing { address, reason }),
            Tried::Blocked(reason) => Err(TrialError::Blocked { address, reason }),
            Tried::Refused(reason) => Err(TrialError::Refused { address, reason }),
        }
    }
}
