//! A person without a mouse: keys, what they meet, and what was copied.

use fantoccini::{
    actions::{InputSource as _, KeyAction, KeyActions},
    key::Key,
};
use serde::Deserialize;
use serde_json::json;

use super::browser::Browser;

/// What has the focus.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Focus {
    /// Its tag and classes: `a.row`.
    pub(crate) name: String,
    /// What a screen reader would say first, as far as it stands there.
    pub(crate) text: String,
    /// The id of the row that it is in.
    pub(crate) row: Option<String>,
    /// The width of the ring around it, in pixels; 0 when there is none.
    pub(crate) ring: f64,
    /// Whether all of it is within the window.
    pub(crate) is_in_sight: bool,
}

const FOCUS: &str = r"
    const one = document.activeElement, style = getComputedStyle(one), box = one.getBoundingClientRect();
    return {
        name: [one.localName, ...one.classList].join('.'),
        text: one.getAttribute('aria-label') || one.textContent.trim() || one.name || '',
        row: one.closest('tr')?.dataset.id ?? null,
        ring: style.outlineStyle === 'none' ? 0 : parseFloat(style.outlineWidth),
        is_in_sight: box.top >= 0 && box.left >= 0 && box.bottom <= innerHeight && box.right <= innerWidth,
    };";

impl Browser {
    /// Presses a key, and lets it go.
    pub(crate) async fn press(&self, key: Key) {
        let value = char::from(key);
        let keys = KeyActions::new("keys".to_owned());
        let keys = keys.then(KeyAction::Down { value });
        let keys = keys.then(KeyAction::Up { value });
        self.client.perform_actions(keys).await.expect("a key");
    }

    pub(crate) async fn focus(&self) -> Focus {
        serde_json::from_value(self.script(FOCUS).await).expect("what has the focus")
    }

    /// Lets the page that is open read what was copied, as a person lets it.
    pub(crate) async fn may_read_what_was_copied(&self) {
        for name in ["clipboard-read", "clipboard-write"] {
            let body = json!({"descriptor": {"name": name}, "state": "granted"});
            self.command("permissions", body).await;
        }
    }

    pub(crate) async fn copied(&self) -> String {
        let copied = self.script("return navigator.clipboard.readText()").await;
        copied.as_str().expect("a text").to_owned()
    }
}
