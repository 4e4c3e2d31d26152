//! How the command ends, for scripts and for people.

use std::{error::Error, fmt, io, process::ExitCode};

use crate::output::Output;

/// How the work ended, when it could be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Exit code 0.
    Good,
    /// Exit code 1: something was found to be wrong.
    Wrong,
}

/// Why the work could not be done: exit code 2.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Whoever read our output has enough (`| head`). No failure: exit code 0, and nothing is said.
    Closed,
    /// Everything else, with its causes.
    Said(String),
}

impl Failure {
    /// What was tried, and why it failed.
    pub(crate) fn new(what: impl fmt::Display, error: impl Error) -> Self {
        Self::Said(format!("{what}: {}", causes(&error)))
    }

    /// What is wrong, and what to do about it.
    pub(crate) fn said(what: impl Into<String>) -> Self {
        Self::Said(what.into())
    }

    /// An error that says all by itself.
    pub(crate) fn of(error: impl Error) -> Self {
        Self::Said(causes(&error))
    }
}

impl Failure {
    /// A directory could not be read: the error, and what to do about it.
    pub(crate) fn journal(error: impl Error) -> Self {
        let system = error
            .source()
            .and_then(|source| source.downcast_ref::<io::Error>());
        let advice = match system.map(io::Error::kind) {
            Some(io::ErrorKind::NotFound) => "; is the path right?",
            Some(io::ErrorKind::PermissionDenied) => {
                "; run it as the user of the service, who owns the trail"
            }
            Some(io::ErrorKind::NotADirectory) => "; name the directory, not a file in it",
            _ => "",
        };
        Self::of(error).and(advice)
    }

    /// For a result that is worth nothing unless all of it was read.
    pub(crate) fn broken_off(self) -> Self {
        match self {
            Self::Closed => {
                Self::said("whoever read the output stopped before its end: the export broke off")
            }
            said => said,
        }
    }

    /// Adds what to do.
    pub(crate) fn and(self, advice: &str) -> Self {
        match self {
            Self::Said(what) => Self::Said(format!("{what}{advice}")),
            closed => closed,
        }
    }
}

impl From<io::Error> for Failure {
    /// What writing our output met.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::new("cannot write the output", error),
        }
    }
}

/// An error and what is behind it.
pub(crate) fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Says what is left to be said, and gives the exit code.
pub(crate) fn code(end: Result<End, Failure>, output: &mut Output) -> ExitCode {
    match end {
        Ok(End::Good) | Err(Failure::Closed) => ExitCode::SUCCESS,
        Ok(End::Wrong) => ExitCode::from(1),
        Err(Failure::Said(what)) => {
            output.fail(&what);
            ExitCode::from(2)
        }
    }
}
