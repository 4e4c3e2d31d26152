//! How a file sink is set up, in code and by address.

use std::{path::PathBuf, time::Duration};

use super::{FileSink, compress, rotate::Rotation};
use crate::{
    address::{Address, UrlError, units},
    format::Format,
    sink::{Sink, format_option},
};

/// Sets up a [`FileSink`].
#[derive(Debug, Clone)]
pub struct FileSinkBuilder {
    path: PathBuf,
    instance: Option<String>,
    format: Format,
    pub(super) rotation: Rotation,
}

/// What is wrong with the name of a file; whoever configured it must correct it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileSinkError {
    /// The path ends in a directory.
    #[error("{0:?} names no file: write a path such as /var/log/audit.jsonl")]
    NoName(PathBuf),
    /// There is `{instance}` in the path, and no instance was given.
    #[error(
        "{0:?} needs the name of the instance: give the service one, or leave out {{instance}}"
    )]
    NoInstance(PathBuf),
    /// There is something else between braces.
    #[error("{0:?} holds an unknown placeholder: only {{instance}} is known")]
    Placeholder(PathBuf),
}

impl FileSinkBuilder {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            instance: None,
            format: Format::Native,
            rotation: Rotation::default(),
        }
    }

    /// What stands for `{instance}` in the path. Default: none.
    ///
    /// Anything but letters, digits, `-`, `_` and inner `.` becomes `_`, so that it stays one name.
    #[must_use]
    pub fn instance(mut self, instance: impl Into<String>) -> Self {
        self.instance = Some(instance.into());
        self
    }

    /// The words that records are written in. Default: [`Format::Native`].
    #[must_use]
    pub fn format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// Rotates before a batch that would make the file longer than this. Default: never.
    #[must_use]
    pub fn rotate_at_bytes(mut self, max_bytes: u64) -> Self {
        self.rotation.max_bytes = Some(max_bytes);
        self
    }

    /// Rotates before the first batch that finds the file this old or older. Default: never.
    ///
    /// Counted by the time batches are read for delivery, from the first one in the file; for a
    /// file that an earlier process left, from when it was made. No batch, no rotation.
    #[must_use]
    pub fn rotate_at_age(mut self, max_age: Duration) -> Self {
        self.rotation.max_age = Some(max_age);
        self
    }

    /// How many rotated files are kept; the oldest are removed. Default: all. 0 keeps none.
    #[must_use]
    pub fn keep(mut self, files: usize) -> Self {
        self.rotation.keep = Some(files);
        self
    }

    /// Makes the sink. Opens nothing yet: what is wrong on the disk shows at the first delivery.
    ///
    /// # Errors
    ///
    /// [`FileSinkError`] if the path does not name a file.
    pub fn build(self) -> Result<FileSink, FileSinkError> {
        let path = resolve(self.path, self.instance.as_deref())?;
        Ok(FileSink::new(path, self.rotation, self.format))
    }
}

/// Puts the instance into the path.
fn resolve(path: PathBuf, instance: Option<&str>) -> Result<PathBuf, FileSinkError> {
    const PLACE: &str = "{instance}";
    let ends_in_name =
        path.file_name().is_some() && !path.as_os_str().as_encoded_bytes().ends_with(b"/");
    if !ends_in_name {
        return Err(FileSinkError::NoName(path));
    }
    let Some(text) = path.to_str().filter(|text| text.contains(['{', '}'])) else {
        return Ok(path);
    };
    if text.replace(PLACE, "").contains(['{', '}']) {
        return Err(FileSinkError::Placeholder(path));
    }
    match instance.filter(|instance| !instance.is_empty()) {
        Some(instance) => Ok(PathBuf::from(text.replace(PLACE, &as_name(instance)))),
        None => Err(FileSinkError::NoInstance(path)),
    }
}

fn as_name(instance: &str) -> String {
    let mut is_first = true;
    instance
        .chars()
        .map(|next| {
            let is_plain =
                next.is_alphanumeric() || matches!(next, '-' | '_') || (next == '.' && !is_first);
            is_first = false;
            if is_plain { next } else { '_' }
        })
        .collect()
}

/// The options of a `file://` address.
const OPTIONS: &[&str] = &["format", "rotate", "age", "keep", "compress"];

/// Makes the sink of a `file://` address.
pub(in crate::sink) fn from_address(
    mut address: Address,
    instance: Option<&str>,
) -> Result<Box<dyn Sink>, UrlError> {
    let path = address.path()?;
    let location = path.display().to_string();
    let mut builder = FileSink::builder(path);
    builder.instance = instance.map(str::to_owned);
    builder.format = format_option(&mut address)?;
    let rotation = &mut builder.rotation;
    rotation.max_bytes = address.take("rotate", units::SIZE, units::size)?;
    rotation.max_age = address.take("age", units::AGE, units::age)?;
    let number = "write how many rotated files are kept, such as 10";
    rotation.keep = address.take("keep", number, |text| text.parse().ok())?;
    rotation.compress = compression(&mut address)?;
    address.finish(OPTIONS)?;
    let sink = builder.build().map_err(|error| {
        let expected = match error {
            FileSinkError::NoName(_) => "name a file: file:///var/log/audit.jsonl",
            FileSinkError::NoInstance(_) => "give the service an instance, or leave out {instance}",
            FileSinkError::Placeholder(_) => "only {instance} is known between braces",
        };
        UrlError::new("location", location, expected)
    })?;
    Ok(Box::new(sink))
}

fn compression(address: &mut Address) -> Result<bool, UrlError> {
    let read = |text: &str| match text {
        "zstd" => Some(true),
        "none" => Some(false),
        _ => None,
    };
    let compress = address.take("compress", "write zstd or none", read)?;
    if compress == Some(true) && !compress::IS_BUILT_IN {
        return Err(UrlError::new(
            "option compress",
            "zstd",
            "this program was built without it: turn on the feature `zstd` of tower-audit",
        ));
    }
    Ok(compress.unwrap_or(false))
}
