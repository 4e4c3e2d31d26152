//! The systems that this crate replaces, played end to end: the real layer, real databases, and a
//! real browser where there is a page. What each must show stands in its file, step by step.
//!
//! What is played where stands in a table at the head of each system: every behaviour that it has, and
//! where it falls short. What the systems do that people trust is tested without a browser:
//!
//! | whose | what | in |
//! |---|---|---|
//! | Vault | every request is refused when nothing can be written | `tests/it/strict.rs` |
//! | Vault | secrets as keyed hashes | `tests/it/session_key.rs`, `tests/it/redaction.rs` |
//! | Kubernetes | rules; intent and outcome; batches | `tests/it/policy.rs`, `tests/crash`, `tests/it/conformance.rs` |
//! | Teleport | a durable queue | `tests/it/endurance.rs` |
//! | CloudTrail | signed digests: the tree is here, signatures are planned | `src/evidence`, `tests/it/cli/verify.rs` |
//! | Retraced, WorkOS | a viewer within a reach, reading recorded, receipts | `tests/it/viewer`, `tests/it/audit.rs` |
//! | Audit.NET | one merged record of a request, many destinations, helpers for tests | `tests/it/endings.rs`, `tests/shipping`, `tests/it/catalogue.rs` |
//! | OpenTelemetry | no drop, partial success is failure | `tests/it/endurance.rs`, `tests/it/sinks/otlp` |
//!
//! A binary of its own, because it starts browsers, which are heavy: one runs at a time. Pictures of
//! the steps are left in `target/screenshots`. Run with `cargo test --all-features --test systems`.

#[cfg(test)]
mod duplistatus;
#[cfg(test)]
mod grist;
#[cfg(test)]
mod logto;
#[cfg(test)]
mod support;
#[cfg(test)]
mod viewer;
