//! The headers that go with every request, most of them secrets.

use std::path::PathBuf;

use ::http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, TE},
};

use super::OtlpSinkError;
use crate::{address::Secret, sink::SinkError};

/// Headers, where they come from; of two with one name the last counts.
#[derive(Debug, Clone, Default)]
pub(super) struct Headers(Vec<Source>);

#[derive(Debug, Clone)]
enum Source {
    Pair(HeaderName, Secret),
    Bearer(Secret),
    /// A file with one `name=value` in each line.
    File(Secret),
}

const NAME: &str = "a name has letters, digits and -, and is none that the protocol sets itself, such as content-type";
const VALUE: &str = "a value is one line of visible characters";

impl Headers {
    /// Adds one header.
    pub(super) fn add(&mut self, name: &str, value: Secret) -> Result<(), OtlpSinkError> {
        let wrong = |expected| OtlpSinkError::new(format!("header {name:?}"), "", expected);
        let parsed = header_name(name).ok_or_else(|| wrong(NAME))?;
        if let Secret::Text(text) = &value
            && header_value(text).is_none()
        {
            return Err(wrong(VALUE));
        }
        self.0.push(Source::Pair(parsed, value));
        Ok(())
    }

    /// Adds `authorization: Bearer …`.
    pub(super) fn add_bearer(&mut self, token: Secret) -> Result<(), OtlpSinkError> {
        if let Secret::Text(text) = &token
            && header_value(text).is_none()
        {
            return Err(OtlpSinkError::new("token", "", VALUE));
        }
        self.0.push(Source::Bearer(token));
        Ok(())
    }

    /// Adds the headers in a file.
    pub(super) fn add_file(&mut self, path: PathBuf) {
        self.0.push(Source::File(Secret::file(path)));
    }

    /// Those of `others` that come before these, so that these win.
    pub(super) fn complete(&mut self, others: Self) {
        let own = std::mem::replace(&mut self.0, others.0);
        self.0.extend(own);
    }

    /// Reads them; files anew each time, so that a token that was changed counts at once.
    pub(super) fn read(&self) -> Result<HeaderMap, SinkError> {
        let mut headers = HeaderMap::new();
        for source in &self.0 {
            match source {
                Source::Pair(name, value) => {
                    headers.insert(name, sensitive(&secret(value)?, name.as_str())?);
                }
                Source::Bearer(token) => {
                    let token = format!("Bearer {}", secret(token)?);
                    headers.insert(AUTHORIZATION, sensitive(&token, "token")?);
                }
                Source::File(file) => read_lines(&secret(file)?, &mut headers)?,
            }
        }
        Ok(headers)
    }
}

fn secret(secret: &Secret) -> Result<String, SinkError> {
    secret
        .read()
        .map_err(|error| SinkError::blocked(error.to_string()))
}

fn sensitive(text: &str, what: &str) -> Result<HeaderValue, SinkError> {
    header_value(text).ok_or_else(|| SinkError::blocked(format!("the secret for {what}: {VALUE}")))
}

fn read_lines(text: &str, headers: &mut HeaderMap) -> Result<(), SinkError> {
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |expected: &str| {
            SinkError::blocked(format!(
                "line {number} of the file with headers is not name=value: {expected}"
            ))
        };
        let (name, value) = line.split_once('=').ok_or_else(|| wrong("it has no ="))?;
        let name = header_name(name.trim()).ok_or_else(|| wrong(NAME))?;
        let value = header_value(value.trim()).ok_or_else(|| wrong(VALUE))?;
        headers.insert(name, value);
    }
    Ok(())
}

/// A name that may be set from outside.
fn header_name(name: &str) -> Option<HeaderName> {
    let name: HeaderName = name.parse().ok()?;
    let ours = [CONTENT_TYPE, CONTENT_ENCODING, CONTENT_LENGTH, HOST, TE];
    let is_ours = ours.contains(&name)
        || name.as_str().starts_with("grpc-")
        || matches!(name.as_str(), "connection" | "transfer-encoding" | "upgrade")
        // Binary metadata of gRPC, which is no text.
        || name.as_str().ends_with("-bin");
    (!is_ours).then_some(name)
}

fn header_value(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    // gRPC metadata is ASCII.
    value.to_str().ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_anew_and_what_is_wrong_in_it_is_not_repeated() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("headers");
        let mut headers = Headers::default();
        headers.add_file(path.clone());
        std::fs::write(&path, "# keys\n\nx-api-key = one=1 \nx-scope=a\n").unwrap();
        let read = headers.read().unwrap();
        assert_eq!(read["x-api-key"], "one=1");
        assert_eq!(read["x-scope"], "a");
        std::fs::write(&path, "x-api-key=two").unwrap();
        assert_eq!(headers.read().unwrap()["x-api-key"], "two");
        for content in [
            "hunter2",
            "content-type=hunter2",
            "x=hunter2\u{e9}",
            "x y=hunter2",
        ] {
            std::fs::write(&path, content).unwrap();
            let error = headers.read().unwrap_err();
            assert!(matches!(error, SinkError::Blocked { .. }), "{error:?}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
            assert!(error.to_string().contains("line 1"), "{error}");
        }
    }

    #[test]
    fn the_last_of_two_headers_counts_and_what_is_completed_counts_less() {
        let mut own = Headers::default();
        own.add("x-a", Secret::text("own")).unwrap();
        let mut others = Headers::default();
        others.add("x-a", Secret::text("other")).unwrap();
        others.add("x-b", Secret::text("other")).unwrap();
        others.add_bearer(Secret::text("token")).unwrap();
        own.complete(others);
        let read = own.read().unwrap();
        assert_eq!(read["x-a"], "own");
        assert_eq!(read["x-b"], "other");
        assert_eq!(read["authorization"], "Bearer token");
        assert!(read.values().all(HeaderValue::is_sensitive));
        assert!(!format!("{own:?}").contains("token"));
    }

    #[test]
    fn a_header_that_cannot_be_sent_is_a_mistake() {
        let mut headers = Headers::default();
        for name in ["", "a b", "Content-Type", "grpc-timeout", "x-bin", "te"] {
            let error = headers.add(name, Secret::text("hunter2")).unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        let error = headers.add("x", Secret::text("hunter2\n")).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
        let error = headers.add_bearer(Secret::text("hunter2\n")).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
