//! The addresses of sinks.

use crate::sink::url;

/// A password that no error may repeat.
const SECRET: &str = "canary-of-a-password-9b2e";

/// What begins the addresses of files and streams.
const PATHS: [&str; 3] = ["file:", "sqlite:", "stdout:"];

/// An address is read without opening anything, or refused with the part that is wrong; a password in it is never
/// repeated, and an error does nothing to a terminal.
pub fn sink_url(scheme: &str, rest: &str) {
    for address in [
        format!("{scheme}{rest}"),
        format!("{scheme}://{rest}"),
        format!("{scheme}://user:{SECRET}@{rest}"),
    ] {
        let told = match url::parse(&address) {
            Ok(sink) => sink.address(),
            Err(error) => {
                assert!(
                    !error.part.is_empty() && !error.expected.is_empty(),
                    "{address}"
                );
                let told = error.to_string();
                assert!(!told.contains('\u{1b}'), "{told:?}");
                told
            }
        };
        // There is no user in a path, and nothing else is secret in an address of a file.
        let is_path = PATHS.iter().any(|path| address.starts_with(path));
        assert!(is_path || !told.contains(SECRET), "{address}: {told}");
    }
}
