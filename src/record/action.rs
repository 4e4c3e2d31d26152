//! What was done.

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::marks::cap;
use crate::text::Text;

/// The name of what was done: `document.create`.
///
/// The convention is `noun.verb`, lower case and dotted. Names from other systems are taken as
/// they are (`Interaction.SignIn.Verification.Password.Submit`, `user_updated`), so any text is an
/// action. One without a character means [`UNKNOWN`](Self::UNKNOWN).
///
/// What a person typed, as in a configuration, is better [parsed](Self::from_str): that refuses
/// what the trail would have to escape or cut.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Action(Text);

/// A text that cannot be the name of an action as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ActionError {
    /// Nothing was given.
    #[error("an action needs a name, like document.create")]
    Empty,
    /// It is longer than [`Action::MAX_BYTES`].
    #[error("an action's name has at most {max} bytes, this has {given}", max = Action::MAX_BYTES)]
    TooLong {
        /// Its bytes.
        given: usize,
    },
    /// It holds control, invisible or direction-changing characters.
    #[error("an action's name holds only characters that can be seen; remove the hidden ones")]
    Unprintable,
}

impl Action {
    /// The bytes of a name that are written; the rest is cut, with a mark.
    pub const MAX_BYTES: usize = cap::NAME;

    /// `unknown`: nobody said what was done.
    pub const UNKNOWN: Self = Self(Text::fixed("unknown"));

    /// A name known at compile time, which is never copied.
    #[must_use]
    pub const fn fixed(name: &'static str) -> Self {
        if name.is_empty() {
            return Self::UNKNOWN;
        }
        Self(Text::fixed(name))
    }

    /// The whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// What comes before the first dot: the category unless a record has another.
    ///
    /// `None` for a name without a dot, or that begins with one.
    #[must_use]
    pub fn noun(&self) -> Option<&str> {
        let (noun, _) = self.0.split_once('.')?;
        (!noun.is_empty()).then_some(noun)
    }

    /// Whether nobody said what was done.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        *self == Self::UNKNOWN
    }

    pub(super) fn text_mut(&mut self) -> &mut Text {
        &mut self.0
    }
}

impl Default for Action {
    fn default() -> Self {
        Self::UNKNOWN
    }
}

impl FromStr for Action {
    type Err = ActionError;

    fn from_str(name: &str) -> Result<Self, ActionError> {
        if name.is_empty() {
            return Err(ActionError::Empty);
        }
        if name.len() > Self::MAX_BYTES {
            return Err(ActionError::TooLong { given: name.len() });
        }
        let text = Text::from(name);
        if !text.is_clean(Self::MAX_BYTES) {
            return Err(ActionError::Unprintable);
        }
        Ok(Self(text))
    }
}

impl From<Text> for Action {
    fn from(name: Text) -> Self {
        if name.is_empty() {
            Self::UNKNOWN
        } else {
            Self(name)
        }
    }
}

impl From<&str> for Action {
    fn from(name: &str) -> Self {
        Self::from(Text::from(name))
    }
}

impl From<String> for Action {
    fn from(name: String) -> Self {
        Self::from(Text::from(name))
    }
}

impl From<Cow<'_, str>> for Action {
    fn from(name: Cow<'_, str>) -> Self {
        Self::from(Text::from(name))
    }
}

impl From<&Self> for Action {
    fn from(action: &Self) -> Self {
        action.clone()
    }
}

impl AsRef<str> for Action {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for Action {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for Action {
    fn eq(&self, other: &str) -> bool {
        self.0 == *other
    }
}

impl PartialEq<&str> for Action {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for Action {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Action {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Text::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_noun_stands_before_the_first_dot() {
        for (name, noun) in [
            ("document.create", Some("document")),
            ("document.share.revoke", Some("document")),
            (
                "Interaction.SignIn.Verification.Password.Submit",
                Some("Interaction"),
            ),
            ("user_updated", None),
            ("RevokeToken", None),
            (".hidden", None),
        ] {
            assert_eq!(Action::from(name).noun(), noun, "{name}");
            assert_eq!(Action::from(name).as_str(), name);
        }
    }

    #[test]
    fn no_name_is_unknown() {
        assert!(Action::from("").is_unknown());
        assert!(Action::fixed("").is_unknown());
        assert!(Action::default().is_unknown());
    }

    #[test]
    fn a_parsed_name_can_be_written_as_it_is() {
        let long = "x".repeat(Action::MAX_BYTES + 1);
        for (name, expected) in [
            ("user.login", Ok(Action::fixed("user.login"))),
            (
                "TriggerHook.PostSignIn",
                Ok(Action::fixed("TriggerHook.PostSignIn")),
            ),
            ("", Err(ActionError::Empty)),
            (&long, Err(ActionError::TooLong { given: long.len() })),
            ("user\n.login", Err(ActionError::Unprintable)),
            ("user\u{202e}.login", Err(ActionError::Unprintable)),
        ] {
            assert_eq!(name.parse::<Action>(), expected, "{name:?}");
        }
    }
}
