//! Grist: a typed stream of events for a SIEM.
//!
//! What it does, and what it lacks, stands at each step in our words. The service here is small, and
//! records what Grist records: through the layer, into SQLite, and at once to a Splunk collector and
//! to an HTTP endpoint, which get the form that Grist's readers know.

mod actions;
mod deeds;
mod documents;
mod service;
mod stage;
mod stream;
