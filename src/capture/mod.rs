//! Turns what happens into records: one for each piece of work, whatever its end.
//!
//! | the work | outcome, unless the work said one itself |
//! |---|---|
//! | returns | `success`; for [`Job::try_run`] an `Err` is `error` |
//! | panics | `error`; the record is appended, then the panic goes on |
//! | is dropped before it returned | `cancelled` |
//! | ends with its process, and was `Strict` | `unknown`, written at the next start |

pub(crate) mod client;
mod current;
mod flood;
mod headers;
mod job;
mod recorder;
mod rules;
mod scope;
mod session;

pub use client::{ClientAddress, TrustedProxies, TrustedProxiesError};
pub use job::{Job, Run, StrictJob};
pub(crate) use recorder::{Alive, Appended, Recorder};
pub(crate) use rules::Rules;
pub use scope::{AuditScope, CommitScope};
