//! A list of addresses with names, as `AUDIT_SINKS` holds it.

use std::fmt;

/// An address and the name of its sink.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Named {
    /// The sink's name. It names the cursor too, so it must stay as long as the destination does.
    pub name: String,
    /// The address, which can hold a secret.
    pub address: String,
}

impl fmt::Debug for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Named")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What is wrong with a list of sinks. Nothing of an address is in it: what looks like an address of
/// its own can be the rest of a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("sink {number} of the list: {reason}")]
#[non_exhaustive]
pub struct ListError {
    /// The place in the list, from 1 on.
    pub number: usize,
    /// What is wrong, and what would be right.
    pub reason: String,
}

/// How many sinks a list may have: each has a thread.
const MOST: usize = 32;

/// Reads a list of `[name=]address` with spaces or line ends between them; a line that begins with
/// `#` is a comment.
///
/// Without a name a sink is named as its scheme, with `-` for `+`: `otlp-grpc`.
///
/// ```
/// use tower_audit::sink::url::named;
///
/// let sinks = named("sqlite://audit.db  copy=file:///var/log/audit.jsonl?rotate=100MB")?;
/// assert_eq!(sinks[0].name, "sqlite");
/// assert_eq!((&*sinks[1].name, &*sinks[1].address), ("copy", "file:///var/log/audit.jsonl?rotate=100MB"));
/// # Ok::<(), tower_audit::sink::url::ListError>(())
/// ```
///
/// # Errors
///
/// [`ListError`] when an entry is no address, two have one name, or there are more than 32. Whether
/// the addresses are right, [`parse`](super::url::parse) tells.
pub fn named(text: &str) -> Result<Vec<Named>, ListError> {
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    let mut sinks: Vec<Named> = Vec::new();
    for (number, entry) in (1..).zip(lines.flat_map(str::split_whitespace)) {
        let wrong = |reason: String| ListError { number, reason };
        if number > MOST {
            return Err(wrong(format!("there can be {MOST} at most")));
        }
        let sink = of(entry).ok_or_else(|| {
            let reason = "write [name=]scheme://…, such as copy=file:///var/log/audit.jsonl, with \
                          spaces between sinks and %20 for a space in an address";
            wrong(reason.to_owned())
        })?;
        if let Some(other) = sinks.iter().position(|other| other.name == sink.name) {
            return Err(wrong(format!(
                "it is named {name} as sink {other} is, but the name also names the cursor; write \
                 name=address, such as {name}-2={scheme}://…",
                name = sink.name,
                other = other + 1,
                scheme = sink.address.split("://").next().unwrap_or_default(),
            )));
        }
        sinks.push(sink);
    }
    Ok(sinks)
}

/// `None` when it is not even the beginning of an address.
fn of(entry: &str) -> Option<Named> {
    let (before, _) = entry.split_once("://")?;
    let (name, scheme) = match before.split_once('=') {
        Some((name, scheme)) => (name.to_owned(), scheme),
        None => (before.replace('+', "-"), before),
    };
    let is_scheme = |letter: char| letter.is_ascii_alphanumeric() || letter == '+';
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    let holds = !scheme.is_empty() && scheme.chars().all(is_scheme);
    let holds = holds && !name.is_empty() && name.len() <= 64 && name.chars().all(is_name);
    let address = entry.get(before.len() - scheme.len()..)?;
    holds.then(|| Named {
        name,
        address: address.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        let sinks = named(text).unwrap().into_iter();
        sinks.map(|sink| (sink.name, sink.address)).collect()
    }

    #[test]
    fn entries_are_taken_apart_and_named() {
        let text = "sqlite://a.db otlp+grpc://c:4317?x=a=b\n\n  # copy=file:///no\n\
                    copy=file:///a?rotate=1\tpg.eu=postgres://u:p@h/d\n";
        let expected = [
            ("sqlite", "sqlite://a.db"),
            ("otlp-grpc", "otlp+grpc://c:4317?x=a=b"),
            ("copy", "file:///a?rotate=1"),
            ("pg.eu", "postgres://u:p@h/d"),
        ];
        let expected = expected.map(|(name, address)| (name.to_owned(), address.to_owned()));
        assert_eq!(pairs(text), expected);
        assert_eq!(pairs(" \n"), []);
    }

    #[test]
    fn what_is_wrong_is_told_by_its_place_without_any_of_it() {
        let many = "file:///a ".repeat(40);
        for (text, number, expected) in [
            ("sqlite://a pa hunter2://", 2, "write [name=]scheme://"),
            ("postgres://u:hunt er2@h/d", 2, "write [name=]scheme://"),
            ("sqlite://a er/hunter2=file:///b", 2, "write [name=]"),
            ("=file:///hunter2", 1, "write [name=]scheme://"),
            (
                "file:///a x=file:///b file:///hunter2",
                3,
                "file-2=file://…",
            ),
            ("a=file:///a a=sqlite:///hunter2", 2, "a-2=sqlite://…"),
        ] {
            let error = named(text).unwrap_err();
            assert_eq!(error.number, number, "{text}");
            let said = error.to_string();
            assert!(
                said.contains(expected) && !said.contains("hunter2"),
                "{said}"
            );
        }
        let numbered: String = (0..33).map(|it| format!("s{it}=file:///a ")).collect();
        assert_eq!(named(&numbered).unwrap_err().number, 33);
        assert_eq!(named(&many).unwrap_err().number, 2);
        let sink = format!("{:?}", named("a=postgres://u:hunter2@h/d").unwrap());
        assert!(sink.contains('a') && !sink.contains("hunter2"), "{sink}");
    }
}
