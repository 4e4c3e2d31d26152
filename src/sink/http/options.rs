//! What the addresses of both sinks have in common.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    address::{Address, Network, Secret, UrlError},
    format::{Format, FormatError},
    sink::SinkError,
};

/// Headers that the sink or HTTP itself sets.
const OURS: [&str; 8] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "idempotency-key",
    "transfer-encoding",
    "upgrade",
];

/// Packed or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Packing {
    #[default]
    Plain,
    Gzip,
}

pub(super) fn on_or_off(text: &str) -> Option<bool> {
    match text {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}

pub(super) fn packing(address: &mut Address) -> Result<Packing, UrlError> {
    let gzip = address.take("gzip", "write on or off", on_or_off)?;
    Ok(match gzip {
        Some(true) => Packing::Gzip,
        _ => Packing::Plain,
    })
}

pub(super) fn format(address: &mut Address) -> Result<Format, UrlError> {
    let expected = FormatError.to_string();
    let format = address.take("format", &expected, |text| text.parse().ok())?;
    Ok(format.unwrap_or_default())
}

/// The URL of what an address names; without a login, which belongs into a header.
pub(super) fn url(scheme: &str, network: &Network, path: &str) -> Result<String, UrlError> {
    if network.user.is_some() || network.password.is_some() {
        let expected =
            "no user and no password here: give a secret with an option that ends in _file";
        return Err(UrlError::new("location", "", expected));
    }
    let port = network
        .port
        .unwrap_or(if scheme == "https" { 443 } else { 80 });
    Ok(format!("{scheme}://{}{path}", network.host_port(port)))
}

/// `Name: value`, whose value is never shown.
pub(super) fn header(line: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = line.split_once(':')?;
    let name: HeaderName = name.trim().parse().ok()?;
    let mut value = HeaderValue::from_str(value.trim()).ok()?;
    value.set_sensitive(true);
    let taken = OURS.contains(&name.as_str()) || name.as_str().starts_with("webhook-");
    (!taken).then_some((name, value))
}

/// The headers in a file, one in a line.
pub(super) fn headers_in(file: &Secret) -> Result<HeaderMap, SinkError> {
    let text = file
        .read()
        .map_err(|error| SinkError::blocked(error.to_string()))?;
    let mut headers = HeaderMap::new();
    for (number, line) in (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let Some((name, value)) = header(line) else {
            // Without the line, which is a secret.
            return Err(SinkError::blocked(format!(
                "line {number} of the file of headers_file= is no header of yours: write Name: value"
            )));
        };
        headers.append(name, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_a_name_and_a_value_that_is_never_shown() {
        let (name, value) = header("Authorization:  Bearer hunter2 ").unwrap();
        assert_eq!(
            (name.as_str(), value.to_str().unwrap()),
            ("authorization", "Bearer hunter2")
        );
        assert!(!format!("{value:?}").contains("hunter2"));
        for line in [
            "",
            "x",
            "a b: c",
            "x: a\rb",
            "Content-Length: 3",
            "webhook-id: 7",
            "host:a",
        ] {
            assert_eq!(header(line), None, "{line:?}");
        }
    }

    #[test]
    fn a_line_of_a_file_that_is_no_header_is_named_and_not_repeated() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("headers");
        std::fs::write(&path, "X-Key: hunter2\n\nhunter3\n").unwrap();
        let error = headers_in(&Secret::file(&path)).unwrap_err().to_string();
        assert!(
            error.contains("line 3") && !error.contains("hunter"),
            "{error}"
        );
        std::fs::write(&path, "X-Key: hunter2\nX-Other: a\n").unwrap();
        assert_eq!(headers_in(&Secret::file(&path)).unwrap().len(), 2);
    }
}
