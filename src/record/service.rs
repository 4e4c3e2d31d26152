//! Which service wrote the record.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::marks::{Marks, Place, cap};
use crate::text::Text;

/// The service that writes a trail, as every record of it says.
///
/// The three are OpenTelemetry's `service.name`, `service.version` and `service.instance.id`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Service {
    /// What the service is called; the same for all its instances.
    pub name: Text,
    /// The version that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Text>,
    /// Which of several running instances: a host name, a pod name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<Text>,
}

impl Service {
    /// A service of this name.
    #[must_use]
    pub fn new(name: impl Into<Text>) -> Self {
        Self {
            name: name.into(),
            version: None,
            instance: None,
        }
    }

    /// Sets the version that runs.
    #[must_use]
    pub fn version(mut self, version: impl Into<Text>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Sets which instance this is.
    #[must_use]
    pub fn instance(mut self, instance: impl Into<Text>) -> Self {
        self.instance = Some(instance.into());
        self
    }

    /// The same in clean text; not copied when it is clean, as it nearly always is.
    pub(super) fn cleaned(&self, marks: &mut Marks<'_>) -> Cow<'_, Self> {
        let clean = |text: &Text| text.is_clean(cap::NAME) && !text.is_empty();
        let clean_option = |text: &Option<Text>| text.as_ref().is_none_or(clean);
        if clean(&self.name) && clean_option(&self.version) && clean_option(&self.instance) {
            return Cow::Borrowed(self);
        }
        let mut service = self.clone();
        let place = Place::field("service");
        marks.required(place.of("name"), &mut service.name, cap::NAME);
        marks.option(place.of("version"), &mut service.version, cap::NAME);
        marks.option(place.of("instance"), &mut service.instance, cap::NAME);
        Cow::Owned(service)
    }
}
