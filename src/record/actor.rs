//! Who acted.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::marks::{Marks, Place, cap};
use crate::text::Text;

/// Who acted: a person, a program, or nobody we know.
///
/// ```
/// use tower_audit::record::Actor;
///
/// let alice = Actor::user("146")
///     .name("Alice")
///     .auth_method("password")
///     .credential("session", "hmac-sha256:k1:9f");
/// let support = Actor::user("7").on_behalf_of(Actor::user("146"));
/// let failed_login = Actor::anonymous().claimed("alice@example.com");
/// # let _ = (alice, support, failed_login);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Actor {
    /// What kind of actor this is; `type` in JSON.
    #[serde(rename = "type", default)]
    pub kind: ActorType,
    /// The service's own, lasting id of the actor. Only what was verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Text>,
    /// The name to show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
    /// The e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Text>,
    /// A name that was not verified, as of a failed login. It never matches a search by actor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed: Option<Text>,
    /// How the actor was verified: `password`, `oidc`, `mtls`, `api_key` …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_method: Option<Text>,
    /// What the actor presented, named in a way that cannot be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<Credential>,
    /// For whom the actor acted: the impersonated user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<Box<Self>>,
}

impl Actor {
    /// The people of a chain of `on_behalf_of` that are written, the actor not counted.
    pub const MAX_ON_BEHALF_OF: usize = 4;

    /// An actor of this type, without an id.
    #[must_use]
    pub const fn new(kind: ActorType) -> Self {
        Self {
            kind,
            id: None,
            name: None,
            email: None,
            claimed: None,
            auth_method: None,
            credential: None,
            on_behalf_of: None,
        }
    }

    /// A verified person with this id.
    #[must_use]
    pub fn user(id: impl Into<Text>) -> Self {
        Self::new(ActorType::User).id(id)
    }

    /// A verified program with this id: a client of the service, or a part of it.
    #[must_use]
    pub fn service(id: impl Into<Text>) -> Self {
        Self::new(ActorType::Service).id(id)
    }

    /// The service itself: a job, a clean-up, a start.
    #[must_use]
    pub const fn system() -> Self {
        Self::new(ActorType::System)
    }

    /// Somebody who was not verified.
    #[must_use]
    pub const fn anonymous() -> Self {
        Self::new(ActorType::Anonymous)
    }

    /// Somebody, but it is not known whether they were verified.
    #[must_use]
    pub const fn unknown() -> Self {
        Self::new(ActorType::Unknown)
    }

    /// Sets the service's own id of the actor.
    #[must_use]
    pub fn id(mut self, id: impl Into<Text>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Sets the name to show.
    #[must_use]
    pub fn name(mut self, name: impl Into<Text>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the e-mail address.
    #[must_use]
    pub fn email(mut self, email: impl Into<Text>) -> Self {
        self.email = Some(email.into());
        self
    }

    /// Sets a name that was not verified.
    #[must_use]
    pub fn claimed(mut self, claimed: impl Into<Text>) -> Self {
        self.claimed = Some(claimed.into());
        self
    }

    /// Sets how the actor was verified.
    #[must_use]
    pub fn auth_method(mut self, auth_method: impl Into<Text>) -> Self {
        self.auth_method = Some(auth_method.into());
        self
    }

    /// Sets what the actor presented. The id must be a name or a keyed hash, never the secret.
    #[must_use]
    pub fn credential(mut self, kind: impl Into<Text>, id: impl Into<Text>) -> Self {
        self.credential = Some(Credential::new(kind, id));
        self
    }

    /// Sets for whom the actor acted.
    ///
    /// Of a longer chain than [`MAX_ON_BEHALF_OF`](Self::MAX_ON_BEHALF_OF), the far end is cut
    /// when the record is written, with a mark in [`truncated`](super::Record::truncated).
    #[must_use]
    pub fn on_behalf_of(mut self, other: Self) -> Self {
        self.on_behalf_of = Some(Box::new(other));
        self
    }

    pub(super) fn clean(&mut self, place: Place<'_>, marks: &mut Marks<'_>) {
        self.clean_chain(place, marks, Self::MAX_ON_BEHALF_OF);
    }

    fn clean_chain(&mut self, place: Place<'_>, marks: &mut Marks<'_>, further: usize) {
        marks.option(place.of("id"), &mut self.id, cap::NAME);
        marks.option(place.of("name"), &mut self.name, cap::NAME);
        marks.option(place.of("email"), &mut self.email, cap::EMAIL);
        marks.option(place.of("claimed"), &mut self.claimed, cap::EMAIL);
        marks.option(place.of("auth_method"), &mut self.auth_method, cap::WORD);
        if let Some(credential) = &mut self.credential {
            credential.clean(place.of("credential"), marks);
        }
        let place = place.of("on_behalf_of");
        match &mut self.on_behalf_of {
            Some(other) if further > 0 => other.clean_chain(place, marks, further - 1),
            Some(other) => {
                marks.cut(place, super::json::size_of(other));
                self.on_behalf_of = None;
            }
            None => {}
        }
    }
}

/// What kind of actor acted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ActorType {
    /// A person.
    User,
    /// A program with an identity of its own.
    Service,
    /// The service itself.
    System,
    /// Somebody who was not verified.
    Anonymous,
    /// Nothing is known; also what a reader makes of a word of a later version.
    #[default]
    Unknown,
}

impl ActorType {
    /// All types, in the order of the documentation.
    pub const ALL: &'static [Self] = &[
        Self::User,
        Self::Service,
        Self::System,
        Self::Anonymous,
        Self::Unknown,
    ];

    /// The word in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Service => "service",
            Self::System => "system",
            Self::Anonymous => "anonymous",
            Self::Unknown => "unknown",
        }
    }

    /// The type with this word, if there is one.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == word)
    }
}

impl fmt::Display for ActorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for ActorType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ActorType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = Cow::<'de, str>::deserialize(deserializer)?;
        Ok(Self::from_word(&word).unwrap_or_default())
    }
}

/// What an actor presented to be verified: a session, a token, a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Credential {
    /// `session`, `api_key`, `access_token` …; `type` in JSON.
    #[serde(rename = "type")]
    pub kind: Text,
    /// A name or keyed hash by which it can be searched but not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Text>,
}

impl Credential {
    /// A credential of this kind with an id that is no secret.
    #[must_use]
    pub fn new(kind: impl Into<Text>, id: impl Into<Text>) -> Self {
        Self {
            kind: kind.into(),
            id: Some(id.into()),
        }
    }

    fn clean(&mut self, place: Place<'_>, marks: &mut Marks<'_>) {
        marks.required(place.of("type"), &mut self.kind, cap::WORD);
        marks.option(place.of("id"), &mut self.id, cap::NAME);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_one_word() {
        for &kind in ActorType::ALL {
            assert_eq!(ActorType::from_word(kind.as_str()), Some(kind));
        }
        assert_eq!(ActorType::from_word("User"), None);
    }

    #[test]
    fn a_word_of_a_later_version_is_read_as_unknown() {
        let actor: Actor = serde_json::from_str(r#"{"type":"robot","id":"r2"}"#).unwrap();
        assert_eq!(actor, Actor::unknown().id("r2"));
    }
}
