//! Turns what happens into records: one for each piece of work, whatever its end.
//!
//! | the work | outcome, unless the work said one itself |
//! |---|---|
//! | returns | `success`; for [`Job::try_run`] an `Err` is `error` |
//! | panics | `error`; the record is appended, then the panic goes on |
//! | is dropped before it returned | `cancelled` |
//! | ends with its process, and was `Strict` | `unknown`, written at the next start |

mod actor;
#[cfg(feature = "axum")]
mod axum;
#[cfg(feature = "axum")]
use self::axum as axum_parts;
#[cfg(not(feature = "axum"))]
#[path = "axum_off.rs"]
mod axum_parts;
mod body;
mod classify;
mod client;
mod commit;
mod conclusion;
mod current;
#[cfg_attr(
    not(feature = "sqlite"),
    expect(dead_code, reason = "without a database there is no outbox to tell")
)]
pub(crate) mod draft;
mod ending;
mod entrance;
mod flood;
mod future;
mod grpc;
mod headers;
mod job;
mod kept;
mod layer;
mod recorder;
mod refusal;
mod request;
mod rules;
mod scope;
mod service;
mod session;
#[cfg(feature = "tracing")]
mod tracing;

#[cfg(feature = "axum")]
pub use self::axum::MissingLayer;
#[cfg(feature = "tracing")]
pub(crate) use self::tracing::SelfTest;
#[cfg(feature = "tracing")]
pub use self::tracing::{AuditTracing, TracingCounts};
pub use actor::{ActorLayer, ActorService};
pub use body::AuditBody;
pub use client::{ClientAddress, TrustedProxies, TrustedProxiesError};
pub use commit::CommitScope;
pub use future::ResponseFuture;
pub use job::{Job, Run, StrictJob};
pub use layer::AuditLayer;
pub(crate) use recorder::{Alive, Appended, Recorder};
pub(crate) use rules::Rules;
pub use scope::AuditScope;
pub use service::AuditService;
pub use session::Session;
