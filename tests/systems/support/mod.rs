//! What the scenarios share: a browser, and what is measured in it.

mod axe;
pub(crate) mod browser;
mod console;
mod driver;
#[path = "../../it/support/project.rs"]
#[allow(dead_code, reason = "shared with `it`")]
pub(crate) mod project;
#[path = "../../it/support/services.rs"]
#[allow(dead_code, reason = "shared with `it`")]
pub(crate) mod services;
mod shown;
