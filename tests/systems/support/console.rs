//! What the browser says of the pages it shows: script errors, and what a policy forbade.

use serde::Deserialize;
use serde_json::json;

use super::browser::Browser;

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Line {
    /// `INFO`, `WARNING` or `SEVERE`.
    pub(crate) level: String,
    /// `security`, `network`, `javascript`, `console-api`, …
    pub(crate) source: String,
    pub(crate) message: String,
}

impl Browser {
    /// What was said since this was asked the last time.
    pub(crate) async fn console(&self) -> Vec<Line> {
        let lines = self.command("se/log", json!({"type": "browser"})).await;
        serde_json::from_value(lines).expect("lines of the console")
    }
}
