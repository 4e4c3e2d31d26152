//! What a deployment says of a trail: variables of the environment, and a file.
//!
//! The order is code, then file, then environment: the later one wins, whatever was called first.
//! A sink replaces the one of the same name, and is served as that one was; any other is added.
//!
//! Everything is read once, at the start. A mistake keeps the service from starting and names the
//! variable or the line; no error repeats what could be a secret.

#[cfg(feature = "toml")]
mod file;
#[cfg(not(feature = "toml"))]
#[path = "file_off.rs"]
mod file;
mod setters;
#[cfg(test)]
mod tests;
mod variables;

use std::{path::PathBuf, time::Duration};

pub(super) use self::variables::Variables;
use super::{StartError, builder::AuditBuilder, builder::SinkToAdd};
use crate::{
    delivery::{Options, StartAt},
    sink::url,
};

/// The variable that names the directory.
const DIR: &str = "AUDIT_DIR";
/// The variable that lists sinks.
const SINKS: &str = "AUDIT_SINKS";
/// The variable that names a file which lists sinks.
const SINKS_FILE: &str = "AUDIT_SINKS_FILE";
/// The variable that names a configuration file.
const CONFIG: &str = "AUDIT_CONFIG";
/// The variable that names the instance.
const INSTANCE: &str = "AUDIT_INSTANCE";

/// Every variable that begins so and is read somewhere.
const KNOWN: [&str; 7] = [
    DIR,
    SINKS,
    SINKS_FILE,
    CONFIG,
    INSTANCE,
    crate::keyed::VARIABLE,
    crate::keyed::FILE_VARIABLE,
];

/// Where the configuration is to be read, besides the code.
#[derive(Debug, Default)]
pub(super) struct Given {
    pub(super) variables: Variables,
    pub(super) file: Option<PathBuf>,
}

/// A sink of a file or a variable.
struct Entry {
    name: String,
    address: String,
    /// The setting that an error names.
    setting: &'static str,
    /// Where in it.
    place: String,
    start_at: Option<StartAt>,
    call_timeout: Option<Duration>,
    dead_letter_bytes: Option<u64>,
}

impl Entry {
    fn new(name: String, address: String, setting: &'static str, place: String) -> Self {
        Self {
            name,
            address,
            setting,
            place,
            start_at: None,
            call_timeout: None,
            dead_letter_bytes: None,
        }
    }

    fn wrong(&self, reason: impl std::fmt::Display) -> StartError {
        wrong(self.setting, format!("{}: {reason}", self.place))
    }

    /// How the sink is served, where it does not say otherwise as `options` do.
    fn options(&self, options: Options) -> Options {
        Options {
            start_at: self.start_at.unwrap_or(options.start_at),
            call_timeout: self.call_timeout.unwrap_or(options.call_timeout),
            dead_letter_bytes: self.dead_letter_bytes.unwrap_or(options.dead_letter_bytes),
            ..options
        }
    }
}

fn wrong(setting: &'static str, reason: impl Into<String>) -> StartError {
    StartError::Config {
        setting,
        reason: reason.into(),
    }
}

/// The builder with all that the file and the variables say.
pub(super) fn resolve(mut builder: AuditBuilder) -> Result<AuditBuilder, StartError> {
    let given = std::mem::take(&mut builder.given);
    given.variables.warn_of_typos();
    let named = given.variables.path(CONFIG)?;
    let file = match (named, given.file) {
        (Some(path), _) => Some((CONFIG, path)),
        (None, Some(path)) => Some(("config_file", path)),
        (None, None) => None,
    };
    let mut entries = Vec::new();
    if let Some((setting, path)) = file {
        (builder, entries) = file::apply(builder, setting, &path)?;
    }
    if let Some(dir) = given.variables.path(DIR)? {
        builder = builder.dir(dir);
    }
    if let Some(instance) = given.variables.text(INSTANCE)? {
        builder = builder.instance(instance);
    }
    add(&mut builder, entries)?;
    add(&mut builder, given.variables.sinks()?)?;
    builder.given.variables = given.variables;
    Ok(builder)
}

/// Adds sinks, or exchanges those that are named as they are.
fn add(builder: &mut AuditBuilder, entries: Vec<Entry>) -> Result<(), StartError> {
    for entry in entries {
        let instance = builder.service.instance.as_ref();
        let sink = match instance {
            Some(instance) => url::parse_for(&entry.address, instance.as_str()),
            None => url::parse(&entry.address),
        };
        let sink = sink.map_err(|error| entry.wrong(error))?;
        let same = |sink: &&mut SinkToAdd| sink.name == entry.name;
        match builder.sinks.iter_mut().find(same) {
            Some(found) => {
                found.sink = sink;
                found.options = entry.options(found.options.clone());
            }
            None => builder.sinks.push(SinkToAdd {
                sink,
                options: entry.options(Options::default()),
                name: entry.name,
            }),
        }
    }
    Ok(())
}
