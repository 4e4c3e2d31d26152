//! What a rule keeps of a request beyond the default: only what it names.

use http::{HeaderValue, request};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::{
    policy::Keep,
    record::{Record, Target},
};

use super::axum_parts;

/// The longest value that is kept, in bytes; the record cuts further and says so.
const MAX_BYTES: usize = 8 * 1024;

/// What was taken on arrival; the request is gone when the record is written.
#[derive(Debug, Default)]
pub(super) struct Kept {
    http: Map<String, Value>,
    parameters: Map<String, Value>,
    target: Option<Target>,
}

impl Kept {
    pub(super) fn take(keep: &Keep, parts: &request::Parts, route: Option<&str>) -> Self {
        let mut kept = Self::default();
        let path = axum_parts::original_path(parts);
        if keep.path {
            kept.http.insert("path".into(), text(path));
        }
        let query = parts.uri.query().unwrap_or_default();
        kept.put(
            "query",
            keep.query
                .iter()
                .filter_map(|name| Some((name, pair(query, name)?))),
        );
        let header = |name: &String| Some(header_text(parts.headers.get(name.as_str())?));
        kept.put(
            "headers",
            keep.headers
                .iter()
                .filter_map(|name| Some((name, header(name)?))),
        );
        let Some(route) = route else { return kept };
        for name in &keep.parameters {
            if let Some(value) = parameter(route, path, name) {
                kept.parameters.insert(name.clone(), text(&value));
            }
        }
        kept.target = keep.target.as_ref().and_then(|(name, kind)| {
            let value = parameter(route, path, name)?;
            Some(Target::new(kind.as_str(), cut(&value)))
        });
        kept
    }

    fn put<'a>(&mut self, group: &str, found: impl Iterator<Item = (&'a String, Value)>) {
        let found: Map<String, Value> = found.map(|(name, value)| (name.clone(), value)).collect();
        if !found.is_empty() {
            self.http.insert(group.into(), Value::Object(found));
        }
    }

    /// Puts it into the record; what the handler said stands.
    pub(super) fn write(&self, record: &mut Record) {
        for (name, group) in [("http", &self.http), ("parameters", &self.parameters)] {
            if !group.is_empty() && !record.details.contains_key(name) {
                record
                    .details
                    .insert(name.into(), Value::Object(group.clone()));
            }
        }
        if record.targets.is_empty() {
            record.targets.extend(self.target.clone());
        }
    }
}

fn text(value: &str) -> Value {
    Value::String(cut(value).to_owned())
}

fn cut(value: &str) -> &str {
    value
        .get(..value.floor_char_boundary(MAX_BYTES))
        .unwrap_or(value)
}

fn header_text(value: &HeaderValue) -> Value {
    if value.is_sensitive() {
        return Value::String("[redacted]".into());
    }
    text(&String::from_utf8_lossy(value.as_bytes()))
}

/// The first value of a query parameter, decoded.
fn pair(query: &str, name: &str) -> Option<Value> {
    let value = query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(&key.replace('+', " ")) == *name).then_some(value)
    })?;
    Some(text(&decoded(&value.replace('+', " "))))
}

/// The part of a path that stands where the template has `{name}` or `{*name}`.
fn parameter(route: &str, path: &str, name: &str) -> Option<String> {
    let mut rest = path.trim_start_matches('/');
    for segment in route.trim_start_matches('/').split('/') {
        let inner = segment
            .strip_prefix('{')
            .and_then(|it| it.strip_suffix('}'));
        if inner.and_then(|inner| inner.strip_prefix('*')) == Some(name) {
            return Some(decoded(rest));
        }
        let (value, after) = rest.split_once('/').unwrap_or((rest, ""));
        match inner {
            Some(inner) if inner == name => return Some(decoded(value)),
            Some(_) => {}
            // Another route than the template says: nothing can be told.
            None if segment != value => return None,
            None => {}
        }
        rest = after;
    }
    None
}

/// Percent-decoded; bytes that are not UTF-8 are replaced.
fn decoded(text: &str) -> String {
    percent_decode_str(cut(text))
        .decode_utf8_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_what_stands_in_its_place() {
        for (route, path, name, expected) in [
            ("/documents/{id}", "/documents/4cq1", "id", Some("4cq1")),
            ("/a/{b}/c/{d}", "/a/1/c/2", "d", Some("2")),
            ("/files/{*rest}", "/files/x/y%20z", "rest", Some("x/y z")),
            ("/documents/{id}", "/documents/%E4%BD%A0", "id", Some("你")),
            (
                "/documents/{id}",
                "/documents/%ff%4",
                "id",
                Some("\u{fffd}%4"),
            ),
            ("/documents/{id}", "/other/4cq1", "id", None),
            ("/documents/{id}", "/documents/4cq1", "name", None),
            ("/documents/{id}", "/documents", "id", Some("")),
        ] {
            let found = parameter(route, path, name);
            assert_eq!(found.as_deref(), expected, "{route} {path} {name}");
        }
    }

    #[test]
    fn a_query_parameter_is_decoded_and_only_the_first_counts() {
        for (query, expected) in [
            ("page=2", Some("2")),
            ("a=1&p%61ge=two+words&page=3", Some("two words")),
            ("page", Some("")),
            ("pages=1", None),
        ] {
            let expected = expected.map(|value| Value::String(value.into()));
            assert_eq!(pair(query, "page"), expected, "{query}");
        }
    }
}
