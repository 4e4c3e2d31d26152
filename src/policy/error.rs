//! Why a policy cannot be used.

use std::{error::Error, fmt, io, path::PathBuf, sync::Arc};

/// Why a policy cannot be used. It is a mistake in the rules: the message names the place and the
/// way out.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PolicyError {
    /// The file, if it is from one.
    pub file: Option<PathBuf>,
    /// The line in it, from 1 on.
    pub line: Option<usize>,
    /// The character in the line, from 1 on.
    pub column: Option<usize>,
    /// The number of the rule, from 1 on, and its name.
    pub rule: Option<(usize, Box<str>)>,
    /// The key that is wrong, as it is called in a file: `assurance`, `redaction.mask`.
    pub key: Option<Box<str>>,
    /// What is wrong, and what would be right.
    pub reason: Box<str>,
    /// Why the file could not be read.
    pub(super) cause: Option<Arc<io::Error>>,
}

impl PolicyError {
    pub(super) fn new(key: &str, reason: impl Into<Box<str>>) -> Self {
        Self {
            file: None,
            line: None,
            column: None,
            rule: None,
            key: Some(key.into()),
            reason: reason.into(),
            cause: None,
        }
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}:", file.display())?;
        }
        match (self.line, self.column) {
            (Some(line), Some(column)) if self.file.is_some() => write!(f, "{line}:{column}: ")?,
            (Some(line), _) if self.file.is_some() => write!(f, "{line}: ")?,
            (Some(line), _) => write!(f, "line {line}: ")?,
            (None, _) if self.file.is_some() => f.write_str(" ")?,
            (None, _) => {}
        }
        if let Some((number, name)) = &self.rule {
            write!(f, "rule {number} ({name:?}): ")?;
        }
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.reason)
    }
}

impl Error for PolicyError {
    /// The fault of the file system, when the file could not be read.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let cause = self.cause.as_deref()?;
        Some(cause)
    }
}
