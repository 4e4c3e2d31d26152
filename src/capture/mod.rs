//! Turns what happens into records: one for each request or piece of work, whatever its end.
//!
//! # A request
//!
//! [`AuditLayer`] puts an [`AuditScope`] into the request's extensions, calls the inner service with
//! the scope current, and writes one record at the end.
//!
//! | the request | outcome, unless the handler said one | record is written |
//! |---|---|---|
//! | is answered | by the status: 401 and 403 `denied`, other 4xx `failure`, 5xx `error`, all else `success`, 101 too | at the head, or at the end of the body where a rule says so |
//! | is answered in gRPC | by `grpc-status`, in the head or in the trailers | at whichever carries it |
//! | ends in an error of the inner service | `error` | then; the error goes on |
//! | panics | `error`, whatever was said before | before the panic goes on |
//! | is dropped: the client left, a time-out outside | `cancelled`; an answer that was ready keeps its own | where it is dropped, without waiting |
//! | is refused: `Refuse`, and the trail cannot be written | `error`, if it can be written at all | at the door |
//! | ends with its process, and was `Strict` | `unknown` | at the next start |
//!
//! A body that breaks after its record was written changes nothing in it; it is counted. The head,
//! or the end of the body or the trailers where the record waits for those, is held until the
//! record is durable, unless the policy says `Buffered`; at most for the commit time-out.
//!
//! Whatever goes wrong in auditing, the client gets the service's own answer. The one exception is
//! the 503 of [`Refuse`](crate::record::OnFailure::Refuse), before the handler runs.
//!
//! What is not needed for most requests is done only for a record: headers are shared on arrival,
//! and read, resolved and hashed at the end.
//!
//! # Any other work
//!
//! | the work of [`Audit::scope`](crate::Audit::scope) | outcome, unless the work said one itself |
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
#[cfg(feature = "viewer")]
mod beside;
mod body;
mod classify;
mod client;
mod commit;
mod conclusion;
mod cookie;
mod current;
mod doors;
#[cfg_attr(
    not(feature = "_sql"),
    expect(dead_code, reason = "without a database there is no outbox to tell")
)]
pub(crate) mod draft;
mod ending;
mod entrance;
mod flood;
mod found;
mod future;
mod grpc;
mod guard;
mod headers;
mod inventory;
mod job;
mod kept;
mod layer;
mod presented;
mod recorder;
mod refusal;
mod request;
mod rules;
mod scope;
mod seen;
mod service;
mod session;
mod template;
#[cfg(feature = "tracing")]
mod tracing;

#[cfg(feature = "axum")]
pub use self::axum::MissingLayer;
#[cfg(feature = "tracing")]
pub(crate) use self::tracing::SelfTest;
#[cfg(feature = "tracing")]
pub use self::tracing::{AuditTracing, TracingCounts};
pub use actor::{ActorLayer, ActorService};
#[cfg(feature = "viewer")]
pub(crate) use beside::Beside;
pub use body::AuditBody;
pub use client::{ClientAddress, TrustedProxies, TrustedProxiesError};
pub use commit::CommitScope;
pub use future::ResponseFuture;
#[cfg(any(test, fuzzing))]
pub(crate) use headers::TraceParent;
pub use inventory::{Inventory, InventoryRoute};
pub use job::{Job, Run, StrictJob};
pub use layer::AuditLayer;
pub(crate) use recorder::{Alive, Appended, Recorder};
pub(crate) use rules::Rules;
pub use scope::AuditScope;
pub use service::AuditService;
pub use session::Session;
