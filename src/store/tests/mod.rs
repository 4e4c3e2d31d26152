//! What can only be seen from inside: what becomes of questions that nobody waits for, the plans of the databases, how far a walk goes,
//! and that it goes no farther or shorter for what is out of reach.
#![cfg(all(feature = "sqlite", feature = "postgres", feature = "mysql"))]

mod abandoned;
mod altered;
mod counted;
mod place;
mod plans;
mod walks;
mod worlds;
