//! A policy of retention.

use crate::retention::Retention;

/// A policy is read, or refused with a reason that does nothing to a terminal.
pub fn retention_toml(text: &str) {
    if let Err(error) = Retention::from_toml(text) {
        let reason = error.to_string();
        assert!(
            !reason.is_empty() && !reason.contains('\u{1b}'),
            "{reason:?}"
        );
    }
}
