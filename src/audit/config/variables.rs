//! The variables of the environment, or those that a test gives instead.

use std::{
    ffi::OsString,
    fmt, fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use super::{DIR, Entry, INSTANCE, KNOWN, SINKS, SINKS_FILE, StartError, wrong};
use crate::{address, sink::url};

/// What a list of sinks in a file may have at most.
const MAX_BYTES: u64 = 64 * 1024;

/// Where variables are looked up.
#[derive(Default)]
pub(in crate::audit) enum Variables {
    /// Only the key of hashes, in the environment.
    #[default]
    None,
    /// In the environment of the process.
    Process,
    /// Only in these.
    These(Vec<(String, OsString)>),
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A value can be a secret.
        f.write_str(match self {
            Self::None => "None",
            Self::Process => "Process",
            Self::These(_) => "These(..)",
        })
    }
}

impl Variables {
    /// The variables of the key of hashes, which need no asking for.
    pub(in crate::audit) fn key(&self, name: &str) -> Option<OsString> {
        match self {
            Self::None => std::env::var_os(name),
            asked => asked.get(name),
        }
    }

    fn get(&self, name: &str) -> Option<OsString> {
        match self {
            Self::None => None,
            Self::Process => std::env::var_os(name),
            Self::These(these) => {
                let found = these.iter().find(|(other, _)| other == name);
                found.map(|(_, value)| value.clone())
            }
        }
    }

    /// A value that is set. One that is empty is an error: what was not filled in must not pass for
    /// what nobody wanted.
    fn filled(&self, name: &'static str, what: &str) -> Result<Option<OsString>, StartError> {
        match self.get(name) {
            Some(value) if value.as_encoded_bytes().trim_ascii().is_empty() => Err(wrong(
                name,
                format!("it is set but empty; give it {what}, or unset it"),
            )),
            value => Ok(value),
        }
    }

    pub(super) fn path(&self, name: &'static str) -> Result<Option<PathBuf>, StartError> {
        let what = match name {
            DIR => "a directory",
            _ => "the path of a file",
        };
        Ok(self.filled(name, what)?.map(PathBuf::from))
    }

    pub(super) fn text(&self, name: &'static str) -> Result<Option<String>, StartError> {
        let what = match name {
            INSTANCE => "a name, such as that of the host",
            _ => "addresses of sinks",
        };
        let value = self.filled(name, what)?;
        let text = value.map(OsString::into_string).transpose();
        text.map_err(|_is_not_shown| wrong(name, "it is not UTF-8"))
    }

    /// The sinks of a list, in a variable or in a file that one names.
    pub(super) fn sinks(&self) -> Result<Vec<Entry>, StartError> {
        let (setting, list, file) = match (self.text(SINKS)?, self.path(SINKS_FILE)?) {
            (None, None) => return Ok(Vec::new()),
            (Some(_), Some(_)) => {
                let reason = format!("{SINKS_FILE} is set as well; unset one");
                return Err(wrong(SINKS, reason));
            }
            (Some(list), None) => (SINKS, list, None),
            (None, Some(path)) => (SINKS_FILE, read(&path)?, Some(path)),
        };
        let place = |what: String| match &file {
            Some(path) => format!("{}: {what}", path.display()),
            None => what,
        };
        let sinks = url::named(&list).map_err(|error| wrong(setting, place(error.to_string())))?;
        if sinks.is_empty() {
            let reason = place("it names no sink; add one, or unset the variable".to_owned());
            return Err(wrong(setting, reason));
        }
        let entry = |sink: url::Named| {
            let place = place(format!("sink {}", sink.name));
            Entry::new(sink.name, sink.address, setting, place)
        };
        Ok(sinks.into_iter().map(entry).collect())
    }

    /// Tells of variables that look like one of ours and are not; a value is never shown.
    pub(super) fn warn_of_typos(&self) {
        for (name, meant) in self.typos() {
            tracing::warn!(target: "tower_audit", variable = name, "this variable is not read: {meant}");
        }
    }

    pub(super) fn typos(&self) -> Vec<(String, String)> {
        let names: Vec<String> = match self {
            Self::None => Vec::new(),
            Self::Process => std::env::vars_os()
                .filter_map(|(name, _)| name.into_string().ok())
                .collect(),
            Self::These(these) => these.iter().map(|(name, _)| name.clone()).collect(),
        };
        let ours = names.into_iter().filter(|name| {
            let begins = name
                .get(..5)
                .is_some_and(|begin| begin.eq_ignore_ascii_case("audit"));
            begins && !KNOWN.contains(&name.as_str())
        });
        ours.map(|name| {
            let meant = address::suggest(&name.to_ascii_uppercase(), &KNOWN);
            (crate::text::clean(&name, 80).0.into_owned(), meant)
        })
        .filter(|(_, meant)| meant.starts_with("did you mean"))
        .collect()
    }
}

fn read(path: &Path) -> Result<String, StartError> {
    let unreadable = |what: &dyn fmt::Display| {
        wrong(
            SINKS_FILE,
            format!("{} cannot be read: {what}", path.display()),
        )
    };
    let mut text = String::new();
    let file = fs::File::open(path).map_err(|error| unreadable(&error))?;
    // A device or a log is not read to its end to learn that it is no list.
    let read = file.take(MAX_BYTES + 1).read_to_string(&mut text);
    read.map_err(|error| unreadable(&error))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(unreadable(&"it is longer than 64 KiB"));
    }
    Ok(text)
}
