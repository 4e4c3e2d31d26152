//! What was acted on, and where it belongs.

use serde::{Deserialize, Serialize};

use super::marks::{Marks, Place, cap};
use crate::text::Text;

/// A thing that was acted on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Target {
    /// What kind of thing, in the words of the service: `document`, `user`; `type` in JSON.
    #[serde(rename = "type")]
    pub kind: Text,
    /// The service's own, lasting id of the thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Text>,
    /// The name to show, as it was when it was acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
}

impl Target {
    /// A thing of this kind with this id.
    #[must_use]
    pub fn new(kind: impl Into<Text>, id: impl Into<Text>) -> Self {
        Self {
            kind: kind.into(),
            id: Some(id.into()),
            name: None,
        }
    }

    /// The one thing of its kind, such as `configuration`; or all of them.
    #[must_use]
    pub fn of_kind(kind: impl Into<Text>) -> Self {
        Self {
            kind: kind.into(),
            id: None,
            name: None,
        }
    }

    /// Sets the name to show.
    #[must_use]
    pub fn name(mut self, name: impl Into<Text>) -> Self {
        self.name = Some(name.into());
        self
    }

    pub(super) fn clean(&mut self, place: Place<'_>, marks: &mut Marks<'_>) {
        marks.required(place.of("type"), &mut self.kind, cap::WORD);
        marks.option(place.of("id"), &mut self.id, cap::NAME);
        marks.option(place.of("name"), &mut self.name, cap::NAME);
    }
}

/// The customer, organisation or site that an action belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Tenant {
    /// The service's own, lasting id of the tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Text>,
    /// The name to show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
    /// The domain, or part of one, that leads to the tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<Text>,
}

impl Tenant {
    /// A tenant with this id.
    #[must_use]
    pub fn new(id: impl Into<Text>) -> Self {
        Self {
            id: Some(id.into()),
            ..Self::default()
        }
    }

    /// Sets the name to show.
    #[must_use]
    pub fn name(mut self, name: impl Into<Text>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the domain, or part of one, that leads to the tenant.
    #[must_use]
    pub fn domain(mut self, domain: impl Into<Text>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn clean(&mut self, place: Place<'_>, marks: &mut Marks<'_>) {
        marks.option(place.of("id"), &mut self.id, cap::NAME);
        marks.option(place.of("name"), &mut self.name, cap::NAME);
        marks.option(place.of("domain"), &mut self.domain, cap::NAME);
    }
}

/// The client application through which an actor acted: a web console, a command line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Application {
    /// The service's own, lasting id of the application, such as an OAuth client id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Text>,
    /// The name to show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
}

impl Application {
    /// An application with this id.
    #[must_use]
    pub fn new(id: impl Into<Text>) -> Self {
        Self {
            id: Some(id.into()),
            ..Self::default()
        }
    }

    /// Sets the name to show.
    #[must_use]
    pub fn name(mut self, name: impl Into<Text>) -> Self {
        self.name = Some(name.into());
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn clean(&mut self, place: Place<'_>, marks: &mut Marks<'_>) {
        marks.option(place.of("id"), &mut self.id, cap::NAME);
        marks.option(place.of("name"), &mut self.name, cap::NAME);
    }
}
