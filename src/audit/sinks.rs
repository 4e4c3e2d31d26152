//! The sinks of a running trail: listed, asked, added, tested, paused, removed.

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    delivery::{Answer, Ending, SinkName, Tested, test_batch},
    record::{Record, Target},
    sink::{Sink, url},
    stats::SinkStats,
};

use super::{
    Audit, Parts, SinkOptions, SinkReport, StartError, shutdown::LONGEST, start::off_the_runtime,
};

/// The sinks of a running trail; made by [`Audit::sinks`]. Every change is recorded.
///
/// ```
/// # async fn run(dir: std::path::PathBuf) -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use tower_audit::{Audit, SinkOptions};
///
/// let audit = Audit::builder("docs").dir(dir.join("trail")).start().await?;
///
/// let address = format!("file://{}", dir.join("audit.jsonl").display());
/// audit.sinks().add_url("copy", &address, SinkOptions::new().from_now())?;
/// audit.sinks().test("copy").await?;
/// for answer in audit.sinks().report(Duration::from_secs(5)).await {
///     println!("{answer}"); // copy (file:///var/log/audit.jsonl): ok
///     assert_eq!(answer.problem, None);
/// }
/// # Ok(()) }
/// # let dir = tempfile::tempdir().unwrap();
/// # tokio::runtime::Runtime::new().unwrap().block_on(run(dir.path().into())).unwrap();
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Sinks<'a> {
    parts: &'a Parts,
}

/// What a sink answered when it was last called, at the start by a [probe](Sink::probe).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct SinkAnswer {
    /// The sink's name.
    pub name: String,
    /// Its kind, such as `sqlite`.
    pub kind: &'static str,
    /// The destination without secrets.
    pub address: String,
    /// What is wrong, and what to do; `None` when the sink takes records.
    pub problem: Option<String>,
}

impl From<Answer> for SinkAnswer {
    fn from(answer: Answer) -> Self {
        Self {
            name: answer.name,
            kind: answer.kind,
            address: answer.address,
            problem: answer.problem,
        }
    }
}

impl fmt::Display for SinkAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problem = self.problem.as_deref().unwrap_or("ok");
        write!(f, "{} ({}): {problem}", self.name, self.address)
    }
}

/// Why a test event did not reach a sink.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SinkTestError {
    /// The trail has no such sink; [`Sinks::list`] names those that it has.
    #[error("there is no sink named {name:?}")]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// The destination did not take it, or did not answer in time; the reason says what to repair.
    #[error("sink {name} did not take the test event: {reason}")]
    Failed {
        /// The sink's name.
        name: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// Delivery to the sink has ended: the trail is shut down, or the sink was removed meanwhile.
    #[error("delivery to sink {name} has ended")]
    Ended {
        /// The sink's name.
        name: String,
    },
}

impl Audit {
    /// The sinks of this trail, to look at and to change.
    #[must_use]
    pub fn sinks(&self) -> Sinks<'_> {
        Sinks {
            parts: self.parts(),
        }
    }
}

impl Sinks<'_> {
    /// How delivery to each stands.
    #[must_use]
    pub fn list(&self) -> Vec<SinkStats> {
        self.parts.delivery.stats()
    }

    /// Waits until every sink has answered once, at most `timeout`, and returns what each answered
    /// last: the report of the start. Where records wait, it is the answer to the first of them.
    ///
    /// A sink that did not answer in time has that as its problem. A sink is called as long as it
    /// runs, so a later report tells what is wrong by then.
    pub async fn report(&self, timeout: Duration) -> Vec<SinkAnswer> {
        // The trail's first record is on its way to the disk; then there is something to answer to.
        if let Some(committed) = self.parts.journal.inbox().flush() {
            // A disk that fails is in health; the sinks can be asked all the same.
            let _ = committed.await;
        }
        let delivery = Arc::clone(&self.parts.delivery);
        let timeout = timeout.min(LONGEST);
        let answers = off_the_runtime(move || delivery.answers(timeout)).await;
        answers.into_iter().map(SinkAnswer::from).collect()
    }

    /// Sends one event that says it is a test (`audit.sink_test`) to a sink, also to a paused one,
    /// and waits for what becomes of it.
    ///
    /// The call under way is waited for, and the sink has its call time-out for the answer. The
    /// event is in no trail; a database takes it back. When the sink takes it, one that waits before
    /// its next try makes that at once.
    ///
    /// # Errors
    ///
    /// [`SinkTestError`] names the sink and what is wrong.
    pub async fn test(&self, name: &str) -> Result<(), SinkTestError> {
        let unknown = || SinkTestError::Unknown {
            name: name.chars().take(80).collect(),
        };
        let parsed = SinkName::parse(name).map_err(|_says_no_more| unknown())?;
        let recorder = &self.parts.recorder;
        let at = recorder.now();
        let batch = test_batch(recorder.service(), recorder.new_id(at), at);
        let delivery = Arc::clone(&self.parts.delivery);
        let tested = off_the_runtime(move || delivery.test(&parsed, batch)).await;
        let outcome = match tested.ok_or_else(unknown)? {
            Tested::Taken => Ok(()),
            Tested::Failed(reason) => Err(SinkTestError::Failed {
                name: name.to_owned(),
                reason,
            }),
            Tested::Ended => Err(SinkTestError::Ended {
                name: name.to_owned(),
            }),
        };
        self.note("audit.sink_tested", name, |record| match &outcome {
            Ok(()) => record.success(),
            Err(SinkTestError::Failed { reason, .. }) => record.failure(reason.clone()),
            Err(error) => record.failure(error.to_string()),
        });
        outcome
    }

    /// Begins to deliver to one more sink, which an address names; as [`add`](Self::add).
    ///
    /// # Errors
    ///
    /// [`StartError::Config`] when the name cannot be one or is taken, or the address is wrong; no
    /// secret of the address is in it.
    pub fn add_url(
        &self,
        name: &str,
        address: &str,
        options: SinkOptions,
    ) -> Result<(), StartError> {
        let instance = self.parts.journal.origin.instance.as_deref();
        let sink = match instance {
            Some(instance) => url::parse_for(address, instance),
            None => url::parse(address),
        };
        let sink = sink.map_err(|error| StartError::Config {
            setting: "sink",
            reason: error.to_string(),
        })?;
        self.add(name, sink, options)
    }

    /// Begins to deliver to one more sink: from its own position or its cursor if it had one, else
    /// from where the options say.
    ///
    /// # Errors
    ///
    /// [`StartError::Config`] when the name cannot be one or is taken.
    pub fn add(
        &self,
        name: &str,
        sink: Box<dyn Sink>,
        options: SinkOptions,
    ) -> Result<(), StartError> {
        let wrong = |reason: String| StartError::Config {
            setting: "sink",
            reason,
        };
        let parsed = SinkName::parse(name).map_err(|error| wrong(error.to_string()))?;
        let address = sink.address();
        self.parts
            .delivery
            .add_sink(parsed, sink, options.options)
            .map_err(|error| wrong(error.to_string()))?;
        self.note("audit.sink_added", name, |record| {
            record.detail("address", address)
        });
        Ok(())
    }

    /// Lets a sink stand still once the call under way is over; what comes waits in the journal.
    /// False when there is none of this name.
    #[must_use]
    pub fn pause(&self, name: &str) -> bool {
        self.change("audit.sink_paused", name, |name| {
            self.parts.delivery.pause(name)
        })
    }

    /// Lets a paused sink go on, or one that waits before its next try, at once. False when there
    /// is none of this name.
    #[must_use]
    pub fn resume(&self, name: &str) -> bool {
        self.change("audit.sink_resumed", name, |name| {
            self.parts.delivery.resume(name)
        })
    }

    /// Ends delivery to a sink. Its cursor stays, so that one added under the same name goes on
    /// there. `None` when there is none of this name.
    ///
    /// Blocks for `timeout` at most, while a call is under way. Where the report says that the sink
    /// is stuck, its thread was left behind: do not use its name again in this process.
    #[must_use]
    pub fn remove(&self, name: &str, timeout: Duration) -> Option<SinkReport> {
        let parsed = SinkName::parse(name).ok()?;
        let delivery = &self.parts.delivery;
        let counted = delivery
            .stats()
            .into_iter()
            .find(|sink| sink.name == name)?;
        let left = delivery.remove_sink(&parsed, timeout.min(LONGEST))?;
        self.note("audit.sink_removed", name, |record| {
            record.detail("undelivered", left.records)
        });
        Some(SinkReport::of(counted, left.ending == Ending::LeftBehind))
    }

    fn change(
        &self,
        action: &'static str,
        name: &str,
        change: impl FnOnce(&SinkName) -> bool,
    ) -> bool {
        let done = SinkName::parse(name).is_ok_and(|name| change(&name));
        if done {
            self.note(action, name, |record| record);
        }
        done
    }

    fn note(&self, action: &'static str, name: &str, more: impl FnOnce(Record) -> Record) {
        self.parts.recorder.own(more(
            Record::system(action).target(Target::new("sink", name.to_owned())),
        ));
    }
}
