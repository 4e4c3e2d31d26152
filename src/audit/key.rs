//! The key of all keyed hashes: given, found in the environment, or made up.

use std::ffi::OsString;

use crate::keyed::{self, HashKey, KeyError};

use super::start::StartError;

/// A key and where it is from, as `audit.start` tells it.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) key: HashKey,
    pub(super) source: &'static str,
}

/// The key that was given to the builder, else that of the environment, else one made up.
pub(super) fn choose(
    given: Option<HashKey>,
    environment: impl Fn(&'static str) -> Option<OsString>,
) -> Result<Chosen, StartError> {
    let (key, source) = match given {
        Some(key) => (key, "builder"),
        None => match HashKey::from_variables(environment).map_err(wrong)? {
            Some(key) => (key, "environment"),
            None => (made_up(), "generated"),
        },
    };
    Ok(Chosen { key, source })
}

fn made_up() -> HashKey {
    tracing::warn!(
        target: "tower_audit",
        "no key for hashes is configured, so one was made up: sessions cannot be searched for after a restart, nor across instances; set AUDIT_SESSION_KEY"
    );
    HashKey::generated()
}

fn wrong(error: KeyError) -> StartError {
    let setting = if matches!(error, KeyError::Both) || error.place() == Some(keyed::VARIABLE) {
        keyed::VARIABLE
    } else {
        keyed::FILE_VARIABLE
    };
    let mut reason = error.to_string();
    if let Some(source) = std::error::Error::source(&error) {
        reason = format!("{reason}: {source}");
    }
    StartError::Config { setting, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "k2:0123456789abcdef";

    fn chosen(given: Option<&str>, variables: &[(&str, &str)]) -> Result<Chosen, StartError> {
        let given = given.map(|text| HashKey::parse(text).unwrap());
        choose(given, |name| {
            let value = variables.iter().find(|(other, _)| *other == name)?.1;
            Some(value.into())
        })
    }

    #[test]
    fn code_goes_before_the_environment_and_that_before_chance() {
        let variables = [("AUDIT_SESSION_KEY", SECRET)];
        let given = chosen(Some("k1:0123456789abcdef"), &variables).unwrap();
        assert_eq!((given.key.id(), given.source), ("k1", "builder"));
        let found = chosen(None, &variables).unwrap();
        assert_eq!((found.key.id(), found.source), ("k2", "environment"));
        let made_up = chosen(None, &[]).unwrap();
        assert_eq!((made_up.key.id().len(), made_up.source), (8, "generated"));
    }

    #[test]
    fn a_wrong_environment_does_not_start_and_is_not_shown() {
        for (variables, setting, expected) in [
            (
                &[("AUDIT_SESSION_KEY", "hunter2")][..],
                "AUDIT_SESSION_KEY",
                "has 7 bytes",
            ),
            (
                &[("AUDIT_SESSION_KEY_FILE", "/no/such/key")],
                "AUDIT_SESSION_KEY_FILE",
                "/no/such/key",
            ),
            (
                &[
                    ("AUDIT_SESSION_KEY", SECRET),
                    ("AUDIT_SESSION_KEY_FILE", "x"),
                ],
                "AUDIT_SESSION_KEY",
                "are both set",
            ),
        ] {
            let said = chosen(None, variables).unwrap_err().to_string();
            assert!(
                said.starts_with(&format!("audit setting `{setting}`: ")),
                "{said}"
            );
            assert!(
                said.contains(expected) && !said.contains("hunter2"),
                "{said}"
            );
        }
    }
}
