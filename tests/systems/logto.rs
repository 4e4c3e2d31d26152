//! Logto: authentication events, with a console.
//!
//! What it does, and what it lacks, stands at each step in our words. The service here is small: it
//! signs users in, gives tokens, and is managed; its administrators read in the viewer, each tenant's
//! own and nothing else.

mod console;
mod events;
mod service;
