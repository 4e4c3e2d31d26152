//! What was changed.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    marks::{Marks, Place, cap},
    value,
};
use crate::text::Text;

/// One field that was changed, with what it was and what it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Change {
    /// The field, in the words of the service.
    pub field: Text,
    /// What it was; absent when it was not set before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Value>,
    /// What it is; absent when it is not set any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<Value>,
}

impl Change {
    /// A change of `field` from `previous` to `current`; `None` and `null` mean not set.
    ///
    /// Values follow the rules of [`Record::detail`](super::Record::detail).
    #[must_use]
    pub fn new(field: impl Into<Text>, previous: impl Serialize, current: impl Serialize) -> Self {
        Self {
            field: field.into(),
            previous: value::given(&previous),
            current: value::given(&current),
        }
    }

    pub(super) fn clean(&mut self, place: Place<'_>, marks: &mut Marks<'_>) {
        marks.required(place.of("field"), &mut self.field, cap::NAME);
        for (name, side) in [
            ("previous", &mut self.previous),
            ("current", &mut self.current),
        ] {
            match side {
                Some(Value::Null) => *side = None,
                Some(value) => value::clean(value, place.of(name), marks, cap::DEPTH),
                None => {}
            }
        }
    }
}
