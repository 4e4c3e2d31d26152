//! Sinks that keep what they get where a test can look, and sinks that fail as a test wants.
//!
//! - [`MemoryStore`] is a destination in memory. It outlives the sinks that write to it, as a
//!   database outlives a connection.
//! - [`Script`] plays faults in front of any sink, and can be changed while delivery runs.
//!
//! Delivery has threads of its own, so a test waits for what it expects instead of sleeping:
//! [`MemoryStore::wait_until`] and [`Script::wait_until`].
//!
//! ```
//! use tower_audit::testing::sinks::{Answer, MemoryStore, Script};
//!
//! let store = MemoryStore::new();
//! let script = Script::new();
//! let sink = script.around(store.sink());
//! script.next([Answer::Retry, Answer::StoreThenRetry]);
//! // Give `sink` to a trail; its first batch is delivered once, at the third call.
//! # drop(sink);
//! ```

mod memory;
mod script;
mod waiting;

pub use self::{
    memory::{Contents, MemorySink, MemoryStore, Stored},
    script::{Answer, Script, ScriptState, ScriptedSink, Telling},
};
