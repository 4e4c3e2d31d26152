//! The same checks with bytes that nothing guides, and with texts of what each of them may hold.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use proptest::{collection::vec, prelude::*, sample::select};

use super::*;

/// Any text, and one of signs that mean something to the readers of addresses and files.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-z0-9:/@?&=%.,*\\\\\\[\\]\"'{}\\- \\n\\x1b\u{e9}]{0,60}",
    ]
}

fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(texts).prop_map(str::to_owned)
}

/// Parameters, mostly of names and values that there are.
fn pairs() -> impl Strategy<Value = Vec<(String, String)>> {
    const VALUES: [&str; 12] = [
        "all",
        "7d",
        "now",
        "2h",
        "2026-11-20",
        "user",
        "denied",
        "doc:*",
        "\\*",
        "a.*",
        "1",
        "::1",
    ];
    let name = prop_oneof![5 => one_of(&crate::store::NAMES), 1 => text()];
    vec((name, prop_oneof![3 => text(), 1 => one_of(&VALUES)]), 0..6)
}

/// Headers that an answer may have, with any value.
fn headers() -> impl Strategy<Value = HeaderMap> {
    const NAMES: [HeaderName; 4] = [
        header::CONTENT_TYPE,
        header::RETRY_AFTER,
        header::DATE,
        header::LOCATION,
    ];
    const VALUES: [&str; 6] = [
        "application/json",
        "application/x-protobuf",
        "text/html",
        "99999999999999999999",
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "https://u:p@h/x?y",
    ];
    let value = prop_oneof![
        vec(any::<u8>(), 0..40),
        one_of(&VALUES).prop_map(String::into_bytes),
    ];
    let header = (select(&NAMES[..]), value);
    let header = header.prop_filter_map("no value of a header", |(name, value)| {
        Some((name, HeaderValue::from_bytes(&value).ok()?))
    });
    vec(header, 0..4).prop_map(|pairs| pairs.into_iter().collect())
}

/// Any bytes, and answers in JSON with any numbers and texts.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let splunk = (0_u16..32, any::<i64>(), text()).prop_map(|(code, number, text)| {
        let said = serde_json::json!({
            "code": code, "text": text, "ackId": number, "invalid-event-number": number,
        });
        said.to_string().into_bytes()
    });
    let collector = (any::<i64>(), text()).prop_map(|(number, text)| {
        let partial = serde_json::json!({"rejectedLogRecords": number, "errorMessage": text});
        serde_json::json!({"partialSuccess": partial})
            .to_string()
            .into_bytes()
    });
    prop_oneof![vec(any::<u8>(), 0..400), splunk, collector]
}

/// The beginning of an address, mostly of a scheme that there is.
fn scheme() -> impl Strategy<Value = String> {
    const KNOWN: [&str; 14] = [
        "file",
        "sqlite",
        "postgres",
        "mysql",
        "mariadb",
        "otlp",
        "otlp+grpc",
        "otlp+https",
        "splunk+https",
        "http",
        "https",
        "syslog+tcp",
        "syslog+tls",
        "stdout",
    ];
    prop_oneof![5 => one_of(&KNOWN), 1 => text()]
}

#[test]
fn the_name_of_an_option_that_would_move_a_cursor_is_escaped_in_an_error() {
    sink_url("file", "?\u{1b}=%");
}

proptest! {
    #[test]
    fn any_parameters_are_read_and_read_back_or_refused(pairs in pairs()) {
        parameters(&pairs);
    }

    #[test]
    fn any_filter_of_a_hold_is_read_back_and_in_doubt_a_record_is_held(
        pairs in pairs(), text in text(), target in text(),
    ) {
        hold(&pairs, &text);
        let record = serde_json::json!({"action": text, "targets": [{"type": target, "id": text}]});
        hold(&pairs, &record.to_string());
    }

    #[test]
    fn any_policy_of_retention_is_read_or_refused(
        text in text(), key in "[a-z_.]{0,12}", value in text(),
    ) {
        retention_toml(&text);
        retention_toml(&format!("keep = {value:?}\n[[rule]]\n{key} = {value:?}\n"));
    }

    #[test]
    fn any_answer_becomes_one_line_without_what_was_sent(
        status in 0_u16..700, headers in headers(), body in body(),
    ) {
        answer(status, &headers, &body);
    }

    #[test]
    fn any_address_of_a_sink_is_read_or_refused_and_tells_no_password(
        scheme in scheme(), rest in text(),
    ) {
        sink_url(&scheme, &rest);
    }

    #[test]
    fn any_headers_and_lines_are_read_or_passed_over(
        bytes in vec(any::<u8>(), 0..200), name in "[a-z]{1,8}", number in any::<u64>(),
        closes in any::<Option<u128>>(), text in text(),
    ) {
        traceparent(&bytes);
        journal_line(&bytes);
        journal_text(number, closes, &text);
        let mut headers = HeaderMap::new();
        let named = [name.as_bytes(), b"=", &bytes].concat();
        for value in [&named, &bytes] {
            let Ok(value) = HeaderValue::from_bytes(value) else {
                continue;
            };
            headers.append(header::COOKIE, value.clone());
            headers.append(header::SET_COOKIE, value);
        }
        cookie(&name, headers);
    }
}
