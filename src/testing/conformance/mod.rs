//! What every sink must do, as tests that anyone's sink can run.
//!
//! Say how to open the sink and how to read back what it stored, and
//! [`sink_conformance!`](crate::sink_conformance) makes a test of each [`Behaviour`]:
//!
//! ```
//! use tower_audit::testing::{conformance::Destination, sinks::MemoryStore};
//!
//! fn fresh() -> Destination {
//!     let store = MemoryStore::new();
//!     let there = store.clone();
//!     Destination::new(
//!         move || {
//!             let sink = store.sink();
//!             async move { Box::new(sink) as _ }
//!         },
//!         move || {
//!             let records = there.contents().records;
//!             async move { records }
//!         },
//!     )
//! }
//!
//! tower_audit::sink_conformance!(memory, fresh());
//! # fn main() {}
//! ```
//!
//! The tests do what a follower does: never an empty batch, never above the limits, ascending
//! numbers within a trail; after a call whose outcome is unknown the sink is asked for its
//! position, and what it has is not sent again.

mod checks;
mod fixture;

use std::{fmt, future::Future, pin::Pin};

use super::sinks::Stored;
use crate::sink::Sink;

type Local<T> = Pin<Box<dyn Future<Output = T>>>;

/// A place that a sink writes to: empty at first, opened any number of times.
pub struct Destination {
    open: Box<dyn Fn() -> Local<Box<dyn Sink>>>,
    read_back: Box<dyn Fn() -> Local<Vec<Stored>>>,
}

impl Destination {
    /// A destination by how a sink on it is opened, and how all that is stored is read back, each
    /// trail in the order in which its records arrived.
    ///
    /// Only one sink is open at a time; it is dropped, and closed where the test says so, before
    /// the next is opened. It may be open while the records are read back.
    pub fn new<O, R>(open: impl Fn() -> O + 'static, read_back: impl Fn() -> R + 'static) -> Self
    where
        O: Future<Output = Box<dyn Sink>> + 'static,
        R: Future<Output = Vec<Stored>> + 'static,
    {
        Self {
            open: Box::new(move || Box::pin(open())),
            read_back: Box::new(move || Box::pin(read_back())),
        }
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Destination").finish_non_exhaustive()
    }
}

/// One thing that every sink must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Behaviour {
    /// The JSON that is read back is the one that was delivered, byte for byte.
    KeepsExactBytes,
    /// Records of a trail arrive in the order of their numbers.
    KeepsOrder,
    /// A batch as large as the limits allow is stored.
    TakesTheLargestBatch,
    /// A record of 64 KiB, the largest there is, is stored, whatever the limit of bytes.
    TakesTheLargestRecord,
    /// A batch whose answer was lost is there once if the sink keeps its position, else at least
    /// once.
    SurvivesALostAnswer,
    /// A call may be dropped at any await point; the batch is all there or not at all, and the
    /// sink can be used again.
    SurvivesACancelledCall,
    /// What was stored, and the position if there is one, is there after the sink was dropped.
    RemembersAfterADrop,
    /// The same after it was closed in order.
    RemembersAfterAClose,
    /// Trails do not mix, though their numbers are the same.
    KeepsTrailsApart,
    /// Numbers that were passed over leave no trace but a position after them.
    PassesGaps,
    /// A tree head that comes with a batch is no obstacle.
    TakesTreeHeads,
}

impl Behaviour {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::KeepsExactBytes,
        Self::KeepsOrder,
        Self::TakesTheLargestBatch,
        Self::TakesTheLargestRecord,
        Self::SurvivesALostAnswer,
        Self::SurvivesACancelledCall,
        Self::RemembersAfterADrop,
        Self::RemembersAfterAClose,
        Self::KeepsTrailsApart,
        Self::PassesGaps,
        Self::TakesTreeHeads,
    ];

    /// Checks this on an empty destination, within a tokio runtime that has a timer.
    ///
    /// # Errors
    ///
    /// What the sink did instead.
    pub async fn check(self, destination: &Destination) -> Result<(), Failed> {
        let outcome = match self {
            Self::KeepsExactBytes => checks::exact_bytes(destination).await,
            Self::KeepsOrder => checks::order(destination).await,
            Self::TakesTheLargestBatch => checks::largest_batch(destination).await,
            Self::TakesTheLargestRecord => checks::largest_record(destination).await,
            Self::SurvivesALostAnswer => checks::lost_answer(destination).await,
            Self::SurvivesACancelledCall => checks::cancelled_call(destination).await,
            Self::RemembersAfterADrop => checks::reopen(destination, checks::End::Drop).await,
            Self::RemembersAfterAClose => checks::reopen(destination, checks::End::Close).await,
            Self::KeepsTrailsApart => checks::trails(destination).await,
            Self::PassesGaps => checks::gaps(destination).await,
            Self::TakesTreeHeads => checks::heads(destination).await,
        };
        outcome.map_err(|what| Failed {
            behaviour: self,
            what,
        })
    }
}

/// Checks every behaviour, each on a destination of its own.
///
/// # Errors
///
/// Everything that failed.
pub async fn run(fresh: impl Fn() -> Destination) -> Result<(), Vec<Failed>> {
    let mut failed = Vec::new();
    for behaviour in Behaviour::ALL {
        failed.extend(behaviour.check(&fresh()).await.err());
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(failed)
    }
}

/// A behaviour that a sink does not have.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{behaviour:?}: {what}")]
#[non_exhaustive]
pub struct Failed {
    /// Which.
    pub behaviour: Behaviour,
    /// What the sink did instead.
    pub what: String,
}

impl fmt::Debug for Failed {
    /// As `Display`: this is what a test that returns it prints.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Makes a module of this name with one test for each
/// [`Behaviour`](crate::testing::conformance::Behaviour) of a sink.
///
/// The expression makes an empty
/// [`Destination`](crate::testing::conformance::Destination), for each test anew. The crate that
/// uses this needs `tokio` with `macros`, `rt` and `time`.
#[macro_export]
macro_rules! sink_conformance {
    ($name:ident, $fresh:expr) => {
        $crate::sink_conformance! {
            @each $name, $fresh,
            keeps_exact_bytes KeepsExactBytes,
            keeps_order KeepsOrder,
            takes_the_largest_batch TakesTheLargestBatch,
            takes_the_largest_record TakesTheLargestRecord,
            survives_a_lost_answer SurvivesALostAnswer,
            survives_a_cancelled_call SurvivesACancelledCall,
            remembers_after_a_drop RemembersAfterADrop,
            remembers_after_a_close RemembersAfterAClose,
            keeps_trails_apart KeepsTrailsApart,
            passes_gaps PassesGaps,
            takes_tree_heads TakesTreeHeads,
        }
    };
    (@each $name:ident, $fresh:expr, $($test:ident $behaviour:ident,)*) => {
        mod $name {
            #[allow(unused_imports, reason = "the expression may name anything around it")]
            use super::*;
            use $crate::testing::conformance::{Behaviour, Failed};

            const _: () = assert!(
                [$(Behaviour::$behaviour),*].len() == Behaviour::ALL.len(),
                "a behaviour has no test"
            );

            $(
                #[::tokio::test]
                async fn $test() -> ::std::result::Result<(), Failed> {
                    Behaviour::$behaviour.check(&$fresh).await
                }
            )*
        }
    };
}
