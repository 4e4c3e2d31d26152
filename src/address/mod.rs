//! Addresses: `scheme://location?option=value&…`, read strictly.
//!
//! A location that begins with `/` is an absolute path, any other is relative to the working
//! directory. `%` begins an escape, as in any URL; `+` stands for itself. An option that is not
//! known, stands twice or has no value is an error: a typo must not change what is kept.
//!
//! An address can hold a secret: in its options, or before the `@` of its host. No error and no
//! `Debug` output repeats one.

mod network;
mod secret;
#[cfg(test)]
mod tests;
pub(crate) mod units;

use std::{fmt, path::PathBuf};

pub(crate) use self::{network::Network, secret::Secret};

/// What is wrong with an address, and what would be right.
///
/// Whoever wrote the configuration must correct it; nothing was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UrlError {
    /// The part that is wrong: `scheme`, `location` or `option rotate`.
    pub part: String,
    /// What stands there.
    pub value: String,
    /// What would be right.
    pub expected: String,
}

impl UrlError {
    pub(crate) fn new(
        part: impl Into<String>,
        value: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self {
            part: part.into(),
            value: value.into(),
            expected: expected.into(),
        }
    }
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `Debug` of a string escapes what could confuse a terminal. The name of an option may hold it as well.
        write!(
            f,
            "wrong {} in an address: {:?}; {}",
            self.part.escape_debug(),
            self.value,
            self.expected
        )
    }
}

impl std::error::Error for UrlError {}

/// An address taken apart and decoded. Take the options out, then call [`finish`](Self::finish).
pub(crate) struct Address {
    pub(crate) scheme: String,
    /// As it was written: what is decoded in one go cannot be taken apart any more.
    raw_location: String,
    options: Vec<(String, String)>,
    /// Whether a secret stands among the options, so that what looks like the name of another one
    /// may be the rest of it.
    has_secret: bool,
}

/// Options whose value is a secret, in any address.
const SECRETS: [&str; 4] = ["header", "password", "secret", "token"];

impl fmt::Debug for Address {
    /// The scheme only: anything else can hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address")
            .field("scheme", &self.scheme)
            .finish_non_exhaustive()
    }
}

impl Address {
    /// Takes an address apart. `schemes` is what a suggestion is made from.
    pub(crate) fn parse(text: &str, schemes: &[&str]) -> Result<Self, UrlError> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(no_scheme(text, schemes));
        };
        if !schemes.contains(&scheme) {
            return Err(UrlError::new("scheme", scheme, suggest(scheme, schemes)));
        }
        if rest.contains('#') {
            // What follows could be the rest of a password.
            let expected = "write a # that belongs to it as %23";
            return Err(UrlError::new("location", "#", expected));
        }
        let (location, query) = match rest.split_once('?') {
            Some((location, query)) => (location, Some(query)),
            None => (rest, None),
        };
        let options = query.map_or(Ok(Vec::new()), parse_options)?;
        Ok(Self {
            scheme: scheme.to_owned(),
            raw_location: location.to_owned(),
            has_secret: options
                .iter()
                .any(|(name, _)| SECRETS.contains(&name.as_str())),
            options,
        })
    }

    /// The location as the path of a file.
    pub(crate) fn path(&self) -> Result<PathBuf, UrlError> {
        let location = decode(&self.raw_location, "location")?;
        if location.is_empty() {
            let expected = format!("name a file: {}:///path/to/file", self.scheme);
            return Err(UrlError::new("location", "", expected));
        }
        Ok(PathBuf::from(location))
    }

    /// The location as a host with what belongs to it: `user:password@host:port/path`.
    pub(crate) fn network(&self) -> Result<Network, UrlError> {
        Network::parse(&self.scheme, &self.raw_location)
    }

    /// That there is no location.
    pub(crate) fn nowhere(&self) -> Result<(), UrlError> {
        if self.raw_location.is_empty() {
            return Ok(());
        }
        let expected = format!("write {}:// alone", self.scheme);
        Err(UrlError::new("location", "", expected))
    }

    /// Takes an option out and reads it; `expected` says what would be right.
    pub(crate) fn take<T>(
        &mut self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, UrlError> {
        let Some(place) = self.options.iter().position(|(option, _)| option == name) else {
            return Ok(None);
        };
        let (_, value) = self.options.swap_remove(place);
        match read(&value) {
            Some(read) => Ok(Some(read)),
            None => Err(UrlError::new(format!("option {name}"), value, expected)),
        }
    }

    /// Takes the secret `name` out, or the file with it that `<name>_file` names.
    pub(crate) fn take_secret(&mut self, name: &str) -> Result<Option<Secret>, UrlError> {
        let file_option = format!("{name}_file");
        let text = self.take(name, "", |text| Some(Secret::text(text)))?;
        let file = self.take(&file_option, "", |path| Some(Secret::file(path)))?;
        match (text, file) {
            (Some(_), Some(_)) => {
                let expected = format!("give either {name} or {file_option}");
                Err(UrlError::new(format!("option {name}"), "", expected))
            }
            (text, file) => Ok(text.or(file)),
        }
    }

    /// Refuses what nobody took. `known` is what a suggestion is made from.
    pub(crate) fn finish(self, known: &[&str]) -> Result<(), UrlError> {
        match self.options.into_iter().next() {
            None => Ok(()),
            Some((name, _)) if self.has_secret && !SECRETS.contains(&name.as_str()) => {
                let near = suggest(&name, known);
                let expected = format!("an & that belongs to a value is written %26; {near}");
                Err(UrlError::new("option", "", expected))
            }
            Some((name, _)) => {
                let expected = suggest(&name, known);
                Err(UrlError::new("option", name, expected))
            }
        }
    }
}

fn no_scheme(text: &str, schemes: &[&str]) -> UrlError {
    // Only what looks like a scheme is repeated: the rest could hold a password.
    let scheme = text.split([':', '/']).next().unwrap_or_default();
    let expected = if schemes.contains(&scheme) && scheme.len() < text.len() {
        format!("write {scheme}:// before the path")
    } else {
        format!("begin with {}", list(schemes, "://"))
    };
    UrlError::new("scheme", scheme, expected)
}

fn parse_options(query: &str) -> Result<Vec<(String, String)>, UrlError> {
    let mut options: Vec<(String, String)> = Vec::new();
    for pair in query.split('&') {
        let Some((name, value)) = pair.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            // What stands there could be the rest of a secret that holds an `&`.
            let expected = "write each as name=value, and an & that belongs to a value as %26";
            return Err(UrlError::new("option", "", expected));
        };
        let name = decode(name, "option")?;
        let value = decode(value, &format!("option {name}"))?;
        if options.iter().any(|(other, _)| *other == name) {
            // Without the value, which may be a secret.
            let part = format!("option {name}");
            return Err(UrlError::new(part, "", "give it once"));
        }
        options.push((name, value));
    }
    Ok(options)
}

/// Undoes `%` escapes. NUL is refused: no file name can hold it. Errors do not repeat the text.
fn decode(text: &str, part: &str) -> Result<String, UrlError> {
    let wrong = |expected: &str| UrlError::new(part, "", expected);
    let mut bytes = Vec::with_capacity(text.len());
    let mut pieces = text.split('%');
    bytes.extend_from_slice(pieces.next().unwrap_or_default().as_bytes());
    for piece in pieces {
        let byte = piece
            .get(..2)
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
            .ok_or_else(|| wrong("write % itself as %25"))?;
        bytes.push(byte);
        bytes.extend_from_slice(piece.get(2..).unwrap_or_default().as_bytes());
    }
    if bytes.contains(&0) {
        return Err(wrong("it must not hold NUL"));
    }
    String::from_utf8(bytes).map_err(|_position_says_nothing| wrong("it must be UTF-8"))
}

/// `did you mean …?`, or the whole list when nothing is near.
pub(crate) fn suggest(given: &str, known: &[&str]) -> String {
    let nearest = known
        .iter()
        .map(|name| (distance(given, name), name))
        .min()
        .filter(|(distance, name)| *distance <= 2 && *distance < name.len());
    match nearest {
        Some((_, name)) => format!("did you mean {name}?"),
        None => format!("known here: {}", list(known, "")),
    }
}

fn list(names: &[&str], after: &str) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("{name}{after}")).collect();
    names.join(", ")
}

/// How many characters must be put in, left out or replaced (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    // Bounded: a long text is far from every name, whatever comes after its first characters.
    for (line, from) in from.chars().take(64).enumerate() {
        let mut left = line + 1;
        let mut next = vec![left];
        for (to, above) in to.iter().zip(row.windows(2)) {
            let &[diagonal, above] = above else { continue };
            left = (left + 1)
                .min(above + 1)
                .min(diagonal + usize::from(*to != from));
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
