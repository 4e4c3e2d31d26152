//! What can only be seen from inside: the plans of the databases, and how far a walk goes.
#![cfg(all(feature = "sqlite", feature = "postgres", feature = "mysql"))]

mod place;
mod plans;
mod walks;
