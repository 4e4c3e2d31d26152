//! Which service log records are from.

use opentelemetry_proto::tonic::{
    common::v1::InstrumentationScope, resource::v1::Resource as Message,
};

use super::attributes::{ServiceField, text_pair};
use crate::record::Origin;

/// The `service` of a record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Service {
    pub(super) name: Option<String>,
    pub(super) version: Option<String>,
    pub(super) instance: Option<String>,
}

impl Service {
    pub(super) fn field(&mut self, field: ServiceField) -> &mut Option<String> {
        match field {
            ServiceField::Name => &mut self.name,
            ServiceField::Version => &mut self.version,
            ServiceField::Instance => &mut self.instance,
        }
    }
}

const NAME: &str = "service.name";
const VERSION: &str = "service.version";
const INSTANCE: &str = "service.instance.id";

/// What the configuration says about the resource.
#[derive(Debug, Clone, Default)]
pub(super) struct Resource {
    /// Attributes by name, each once.
    attributes: Vec<(String, String)>,
}

impl Resource {
    /// Sets an attribute.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        match self.attributes.iter_mut().find(|(other, _)| other == name) {
            Some((_, before)) => value.clone_into(before),
            None => self.attributes.push((name.to_owned(), value.to_owned())),
        }
    }

    /// Sets an attribute, unless it is set already.
    pub(super) fn complete(&mut self, name: &str, value: &str) {
        if self.get(name).is_none() {
            self.set(name, value);
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The name of the record's service where the resource has another.
    pub(super) fn renamed<'a>(&self, service: &'a Service) -> Option<&'a str> {
        let name = service.name.as_deref()?;
        self.get(NAME)
            .is_some_and(|other| other != name)
            .then_some(name)
    }

    /// The resource of the records of one service.
    ///
    /// The name is the configured one, so that the operator decides what it is found under. The
    /// version and the instance are the record's: the process that delivers can be another than
    /// the one that recorded.
    pub(super) fn message(&self, service: &Service, origin: &Origin) -> Message {
        let name = self.get(NAME).or(service.name.as_deref());
        let version = service.version.as_deref().or_else(|| self.get(VERSION));
        let instance = service.instance.as_deref().or(origin.instance.as_deref());
        let own = [
            (NAME, name.or(Some(&origin.service))),
            (VERSION, version),
            (INSTANCE, instance.or_else(|| self.get(INSTANCE))),
        ];
        let others = self.attributes.iter();
        let others = others.filter(|(name, _)| ![NAME, VERSION, INSTANCE].contains(&name.as_str()));
        let own = own
            .into_iter()
            .filter_map(|(name, value)| Some(text_pair(name, value?)));
        Message {
            attributes: own
                .chain(others.map(|(name, value)| text_pair(name, value)))
                .collect(),
            ..Message::default()
        }
    }
}

/// The scope of every log record.
pub(super) fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: env!("CARGO_PKG_NAME").to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    }
}
