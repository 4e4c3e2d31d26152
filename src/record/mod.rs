//! The record: who did what to which thing, from where, with what outcome.

mod origin;

pub use origin::Origin;
