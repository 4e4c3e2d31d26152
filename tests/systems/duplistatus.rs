//! duplistatus: changes and user actions, with viewer and export.
//!
//! What it does, and what it lacks, stands at each step in our words. The service here watches backups
//! and manages users; its auditors read in the viewer and take files home. That a database which is
//! restored does not replace the history, and that an error of writing is not swallowed, is shown for
//! every service in `tests/it/restore.rs` and `tests/it/strict.rs`.

mod export;
mod page;
mod retention;
mod service;
