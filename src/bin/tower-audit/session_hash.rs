//! `tower-audit session-hash`: from the id of a session to what stands in its records.

use std::io::{self, Read};

use tower_audit::{HashKey, Purpose, capture::Session};

use crate::{
    args::SessionHashArgs,
    exit::{End, Failure},
    output::Output,
};

pub(crate) fn run(args: &SessionHashArgs, output: &mut Output) -> Result<End, Failure> {
    let key = key(args)?;
    let id = id(io::stdin().lock())?;
    output.line(&key.hash(Purpose::Session, &id))?;
    Ok(End::Good)
}

fn key(args: &SessionHashArgs) -> Result<HashKey, Failure> {
    let key = match &args.key_file {
        Some(file) => HashKey::from_file(file).map(Some),
        None => HashKey::from_env(),
    };
    key.map_err(Failure::of)?.ok_or_else(|| {
        Failure::said(
            "no key: give --key-file, or set AUDIT_SESSION_KEY or AUDIT_SESSION_KEY_FILE as for the service",
        )
    })
}

/// The first line. It is never shown, not even when it is wrong.
fn id(input: impl Read) -> Result<Vec<u8>, Failure> {
    let most = Session::MAX_BYTES + 2;
    let mut bytes = Vec::new();
    let mut input = input.take(u64::try_from(most).unwrap_or(u64::MAX));
    input
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::new("cannot read the session id from standard input", error))?;
    let line = bytes.split(|byte| *byte == b'\n').next();
    let line = line.unwrap_or_default().trim_ascii();
    match line.len() {
        0 => Err(Failure::said(
            "no session id on standard input; write it there, not on the command line",
        )),
        1..=Session::MAX_BYTES => Ok(line.to_vec()),
        _ => Err(Failure::said(format!(
            "the session id is longer than {} bytes, so no record has its hash",
            Session::MAX_BYTES
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_the_first_line() {
        for (given, expected) in [("abc", "abc"), ("abc\n", "abc"), (" abc \r\nmore", "abc")] {
            assert_eq!(
                id(given.as_bytes()).unwrap(),
                expected.as_bytes(),
                "{given:?}"
            );
        }
        let long = "x".repeat(Session::MAX_BYTES);
        assert_eq!(id(long.as_bytes()).unwrap().len(), Session::MAX_BYTES);
    }

    #[test]
    fn what_is_no_id_is_refused_without_being_shown() {
        let long = "x".repeat(Session::MAX_BYTES + 1);
        for given in ["", "\n", " \r\n", &long] {
            let failure = format!("{:?}", id(given.as_bytes()).unwrap_err());
            assert!(!failure.contains("xx"), "{failure}");
        }
    }
}
