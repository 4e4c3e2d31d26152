//! What a policy removes from a store, what a hold keeps, and that all of it stays proven.

mod holds;
mod interrupted;
mod model;
mod place;
mod pruned;
mod refusals;
mod upgrade;
