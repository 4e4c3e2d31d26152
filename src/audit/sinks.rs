//! The sinks of a running trail: listed, added, paused, removed.

use std::time::Duration;

use crate::{
    delivery::{Ending, SinkName},
    record::{Record, Target},
    sink::Sink,
    stats::SinkStats,
};

use super::{Audit, Parts, SinkOptions, SinkReport, StartError, shutdown::LONGEST};

/// The sinks of a running trail; made by [`Audit::sinks`]. Every change is recorded.
#[derive(Debug, Clone, Copy)]
pub struct Sinks<'a> {
    parts: &'a Parts,
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
