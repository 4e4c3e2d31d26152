//! What the scenarios share: a service, its far ends, a browser, and what is measured in it.

mod axe;
pub(crate) mod browser;
mod console;
pub(crate) mod desk;
mod driver;
#[path = "../../it/support/hec.rs"]
#[allow(dead_code, reason = "shared with `it`")]
pub(crate) mod hec;
mod keys;
#[path = "../../it/support/port.rs"]
mod port;
#[path = "../../it/support/postgres.rs"]
#[allow(dead_code, reason = "shared with `it`")]
pub(crate) mod postgres;
#[path = "../../it/support/project.rs"]
#[allow(dead_code, reason = "shared with `it`")]
pub(crate) mod project;
#[path = "../../it/support/receiver.rs"]
#[allow(dead_code, reason = "shared with `it`")]
pub(crate) mod receiver;
pub(crate) mod service;
#[path = "../../it/support/services.rs"]
#[allow(dead_code, reason = "shared with `it`")]
pub(crate) mod services;
mod shown;
pub(crate) mod stage;
#[path = "../../it/support/tls.rs"]
#[allow(dead_code, reason = "shared with `it`")]
mod tls;
