//! A sink, as the page of destinations shows it.

use std::time::Duration;

use crate::clock::Timestamp;

/// A destination of the trail, and how delivery to it stands.
///
/// ```
/// use tower_audit::viewer::{Destination, DestinationState};
///
/// let siem = Destination::new("siem", "splunk")
///     .address("splunk+https://siem.example.com")
///     .state(DestinationState::Retrying)
///     .pending(1200)
///     .last_error("connection refused");
/// assert_eq!(siem.pending, 1200);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Destination {
    /// Its name.
    pub name: String,
    /// The kind of sink, such as `postgres`.
    pub kind: String,
    /// Where it is, without secrets.
    pub address: String,
    /// How delivery stands.
    pub state: DestinationState,
    /// Records it has confirmed.
    pub delivered: u64,
    /// Records that wait for it: its lag in records.
    pub pending: u64,
    /// The age of the oldest record that waits; none when nothing waits.
    pub lag: Option<Duration>,
    /// Records it refused, kept in the dead letters.
    pub dead: u64,
    /// Records that were pruned or damaged before it had them.
    pub missed: u64,
    /// When it was last called, whatever came of it.
    pub last_attempt: Option<Timestamp>,
    /// When it last confirmed a batch.
    pub last_success: Option<Timestamp>,
    /// The last failure; it stays after delivery has recovered.
    pub last_error: Option<String>,
    /// Why the last of the `dead` was refused.
    pub last_refusal: Option<String>,
    /// What somebody should see to before it becomes a fault.
    pub concerns: Vec<String>,
}

/// How delivery to a [`Destination`] stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DestinationState {
    /// Delivering, or nothing to deliver.
    #[default]
    Ok,
    /// The last call failed; delivery tries again by itself.
    Retrying,
    /// Somebody must repair something.
    Blocked,
    /// Delivery was paused.
    Paused,
    /// The sink was closed.
    Stopped,
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident: $kind:ty => $value:expr),* $(,)?) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name(mut self, $name: $kind) -> Self {
            self.$name = $value;
            self
        }
    )*};
}

impl Destination {
    /// A destination of this name and kind of which all is well and nothing else is known.
    #[must_use]
    pub fn new(name: impl Into<String>, kind: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind: kind.into(),
            address: String::new(),
            state: DestinationState::Ok,
            delivered: 0,
            pending: 0,
            lag: None,
            dead: 0,
            missed: 0,
            last_attempt: None,
            last_success: None,
            last_error: None,
            last_refusal: None,
            concerns: Vec::new(),
        }
    }

    setters! {
        /// Sets where it is, without secrets.
        address: impl Into<String> => address.into(),
        /// Sets how delivery stands. Default: [`DestinationState::Ok`].
        state: DestinationState => state,
        /// Sets how many records it has confirmed.
        delivered: u64 => delivered,
        /// Sets how many records wait for it.
        pending: u64 => pending,
        /// Sets the age of the oldest record that waits.
        lag: Duration => Some(lag),
        /// Sets how many records it refused.
        dead: u64 => dead,
        /// Sets how many records were gone before it had them.
        missed: u64 => missed,
        /// Sets when it was last called.
        last_attempt: Timestamp => Some(last_attempt),
        /// Sets when it last confirmed a batch.
        last_success: Timestamp => Some(last_success),
        /// Sets what it last failed with, without secrets.
        last_error: impl Into<String> => Some(last_error.into()),
        /// Sets why it last refused a record, without secrets.
        last_refusal: impl Into<String> => Some(last_refusal.into()),
    }

    /// Adds something that somebody should see to before it becomes a fault.
    #[must_use]
    pub fn concern(mut self, concern: impl Into<String>) -> Self {
        self.concerns.push(concern.into());
        self
    }
}
