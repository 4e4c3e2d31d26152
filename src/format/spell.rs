//! Values in the spelling that another system expects.

use std::{net::IpAddr, str::FromStr};

use serde_json::Value;

use crate::clock::Timestamp;

/// An address; none for one that was shortened or hashed.
pub(super) fn ip(value: &Value) -> Option<Value> {
    is_ip(value).then(|| value.clone())
}

/// What stands for an address and is none.
pub(super) fn no_ip(value: &Value) -> Option<Value> {
    (!is_ip(value)).then(|| value.clone())
}

/// A list of addresses only.
pub(super) fn ips(value: &Value) -> Option<Value> {
    value.as_array()?.iter().all(is_ip).then(|| value.clone())
}

fn is_ip(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|text| IpAddr::from_str(text).is_ok())
}

/// A route that is a path: without parameters.
pub(super) fn plain_path(value: &Value) -> Option<Value> {
    let text = value.as_str()?;
    let is_plain = text.starts_with('/') && !text.contains(['{', '*', ':', '?', '#']);
    is_plain.then(|| value.clone())
}

/// A mail address as most readers understand it.
pub(super) fn email(value: &Value) -> Option<Value> {
    let (local, domain) = value.as_str()?.split_once('@')?;
    let is_local =
        |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte);
    let labels: Vec<&str> = domain.split('.').collect();
    let is_label = |label: &&str| {
        label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_good = !local.is_empty()
        && local.len() <= 64
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && local.bytes().all(is_local)
        && labels.len() > 1
        && labels.iter().all(is_label);
    is_good.then(|| value.clone())
}

/// Microseconds as nanoseconds.
pub(super) fn nanoseconds(value: &Value) -> Option<Value> {
    value.as_u64()?.checked_mul(1000).map(Value::from)
}

/// A time as milliseconds since 1970.
pub(super) fn milliseconds(value: &Value) -> Option<Value> {
    let at: Timestamp = value.as_str()?.parse().ok()?;
    Some(Value::from(at.as_micros().div_euclid(1000)))
}

/// Digits that are a number as a number; anything else as it is.
pub(super) fn number(value: &Value) -> Option<Value> {
    let number = || {
        let text = value.as_str()?;
        let number: u64 = text.parse().ok()?;
        // What comes back the same, and what every reader of JSON holds exactly.
        (number.to_string() == text && number < 1 << 53).then(|| Value::from(number))
    };
    number().or_else(|| Some(value.clone()))
}

/// That there is something.
pub(super) fn is_there(_: &Value) -> Option<Value> {
    Some(Value::Bool(true))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_does_not_fit_is_not_spelled() {
        type Case = (fn(&Value) -> Option<Value>, Value, Option<Value>);
        let cases: [Case; 19] = [
            (ip, json!("2001:db8::7"), Some(json!("2001:db8::7"))),
            (ip, json!("192.0.2.0/24"), None),
            (ip, json!("hmac-sha256:k1:00"), None),
            (
                no_ip,
                json!("hmac-sha256:k1:00"),
                Some(json!("hmac-sha256:k1:00")),
            ),
            (no_ip, json!("192.0.2.1"), None),
            (ips, json!(["192.0.2.1", "_hidden"]), None),
            (plain_path, json!("/api/docs"), Some(json!("/api/docs"))),
            (plain_path, json!("/api/docs/{id}"), None),
            (plain_path, json!("/docs.v1/Get*"), None),
            (email, json!("a@example.com"), Some(json!("a@example.com"))),
            (email, json!("a b@example.com"), None),
            (email, json!("a@localhost"), None),
            (email, json!("no address"), None),
            (nanoseconds, json!(1834), Some(json!(1_834_000))),
            (nanoseconds, json!(u64::MAX), None),
            (
                milliseconds,
                json!("2026-11-20T13:34:01.123456Z"),
                Some(json!(1_795_181_641_123_i64)),
            ),
            (milliseconds, json!("yesterday"), None),
            (number, json!("146"), Some(json!(146))),
            (number, json!("007"), Some(json!("007"))),
        ];
        for (spell, given, expected) in cases {
            assert_eq!(spell(&given), expected, "{given}");
        }
    }
}
