use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::{clock::Timestamp, evidence::leaf_hash, record::Origin, sink::SyslogSink};

fn settings(max_bytes: usize) -> Settings {
    let sink = SyslogSink::tcp("h", 1).max_bytes(max_bytes).build();
    sink.settings
}

fn batch(json: &str, service: &str, instance: Option<&str>) -> Batch {
    let origin = Origin::new(Uuid::from_u128(7), service, instance.map(str::to_owned));
    let record = Delivery::new(41, leaf_hash(json.as_bytes()), json);
    Batch::new(origin, Timestamp::from_micros(0), vec![record], 42)
}

/// The message of a batch of one, without its count, which is checked.
fn only(settings: &Settings, batch: &Batch) -> String {
    let frames = String::from_utf8(encode(settings, batch).unwrap()).unwrap();
    let (count, message) = frames.split_once(' ').unwrap();
    assert_eq!(count.parse(), Ok(message.len()));
    message.to_owned()
}

/// Reads a message as RFC 5424 describes it: the header's words, the parameters, the message.
fn read(message: &str) -> (Vec<&str>, Vec<(String, String)>, &str) {
    let mut words: Vec<&str> = message.splitn(8, ' ').collect();
    let rest = words.pop().unwrap();
    let mut parameters = Vec::new();
    let mut chars = rest.char_indices().peekable();
    loop {
        let mut name = String::new();
        while let Some((_, char)) = chars.next_if(|(_, char)| *char != '=') {
            name.push(char);
        }
        assert_eq!(chars.next().unwrap().1, '=');
        assert_eq!(chars.next().unwrap().1, '"');
        let mut value = String::new();
        loop {
            match chars.next().unwrap().1 {
                '\\' => value.push(chars.next().unwrap().1),
                '"' => break,
                ']' => panic!("a bare ] in {message}"),
                char => value.push(char),
            }
        }
        parameters.push((name, value));
        match chars.next().unwrap() {
            (_, ' ') => {}
            (at, ']') => return (words, parameters, rest[at + 1..].strip_prefix(' ').unwrap()),
            other => panic!("{other:?} in {message}"),
        }
    }
}

fn parameter<'a>(parameters: &'a [(String, String)], name: &str) -> &'a str {
    let found = parameters.iter().find(|(found, _)| found == name);
    found.map_or("", |(_, value)| value)
}

#[test]
fn a_message_is_as_documented() {
    let json = r#"{"id":"x","timestamp":"2026-11-20T13:34:01.000045Z","action":"document.create","outcome":"denied"}"#;
    let leaf = leaf_hash(json.as_bytes());
    let trail = "00000000-0000-0000-0000-000000000007";
    let expected = format!(
        r#"<108>1 2026-11-20T13:34:01.000045Z web-1 docs - audit [audit@32473 action="document.create" outcome="denied" trail="{trail}" number="41" leaf="{leaf}"] {{"trail":"{trail}","n":41,"h":"{leaf}","record":{json}}}"#
    );
    assert_eq!(
        only(&settings(8192), &batch(json, "docs", Some("web-1"))),
        expected
    );
}

#[test]
fn the_severity_tells_the_outcome() {
    for (outcome, priority) in [
        ("success", 110),
        ("failure", 109),
        ("cancelled", 109),
        ("denied", 108),
        ("unknown", 108),
        ("of a later version", 108),
        ("error", 107),
    ] {
        let json = format!(r#"{{"outcome":"{outcome}"}}"#);
        let message = only(&settings(8192), &batch(&json, "docs", None));
        assert!(
            message.starts_with(&format!("<{priority}>1 - - docs - audit [")),
            "{message}"
        );
    }
}

#[test]
fn names_that_a_header_cannot_hold_are_made_such() {
    let long = "x".repeat(300);
    for (service, instance, expected) in [
        ("my docs", Some("web 1\n"), "web_1_ my_docs"),
        ("dócs", None, "- d_cs"),
        (
            long.as_str(),
            Some(long.as_str()),
            &format!("{} {}", &long[..255], &long[..48]),
        ),
    ] {
        let message = only(&settings(8192), &batch("{}", service, instance));
        assert!(
            message.starts_with(&format!("<108>1 - {expected} - audit [")),
            "{message}"
        );
    }
}

#[test]
fn a_record_that_is_too_large_gives_up_details_then_changes_and_says_so() {
    let field = |name: &str, bytes: usize| format!(r#","{name}":"{}""#, "ü".repeat(bytes / 2));
    let record = |details: usize, changes: usize, actor: usize| {
        let fields = [("details", details), ("changes", changes), ("actor", actor)];
        let fields: String = fields.map(|(name, bytes)| field(name, bytes)).concat();
        format!(r#"{{"id":"x","timestamp":"t","action":"a.b"{fields},"outcome":"error"}}"#)
    };
    for (json, omitted) in [
        (record(100, 100, 100), ""),
        (record(60_000, 100, 100), "details"),
        (record(10, 60_000, 100), "details changes"),
        (record(10, 10, 60_000), "details changes actor"),
    ] {
        let message = only(&settings(2048), &batch(&json, "docs", None));
        assert!(message.len() <= 2048, "{}", message.len());
        let (_, parameters, body) = read(&message);
        assert_eq!(parameter(&parameters, "omitted"), omitted);
        assert_eq!(
            parameter(&parameters, "leaf"),
            leaf_hash(json.as_bytes()).to_string()
        );
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["record"]["action"], "a.b");
    }
}

#[test]
fn what_can_never_be_sent_is_refused_and_named() {
    let large = format!(r#"{{"id":"{}"}}"#, "x".repeat(5000));
    for (json, expected) in [
        (large.as_str(), "max_bytes=2048"),
        ("{\n}", "line break"),
        (&"[1]".repeat(1000), "max_bytes=2048"),
    ] {
        let error = encode(&settings(2048), &batch(json, "docs", None)).unwrap_err();
        let SinkError::Refused { numbers, reason } = error else {
            panic!("{error:?}")
        };
        assert_eq!(numbers, [41]);
        assert!(reason.contains(expected), "{reason}");
    }
}

proptest! {
    #[test]
    fn any_action_reads_back_and_ends_nothing_early(action: String, service: String, more: String) {
        let json = serde_json::json!({"action": action, "details": more, "outcome": "success"});
        let json = json.to_string();
        let message = only(&settings(65_536), &batch(&json, &service, Some(&more)));
        let (words, parameters, body) = read(&message);
        prop_assert_eq!(words.len(), 7);
        let expected = clean(&action, VALUE_BYTES).0.into_owned();
        prop_assert_eq!(parameter(&parameters, "action"), expected);
        prop_assert!(!message.contains('\n'));
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        prop_assert_eq!(&body["record"]["action"], &action);
    }

    #[test]
    fn no_message_is_longer_than_it_may_be_and_each_holds_whole_json(
        details in 0..6000_usize, changes in 0..6000_usize, context in 0..6000_usize,
        max_bytes in 2048..10_000_usize,
    ) {
        let text = |bytes: usize| "x\"".repeat(bytes / 2);
        let json = serde_json::json!({
            "id": "x", "action": "a.b", "outcome": "success", "context": text(context),
            "changes": text(changes), "details": text(details),
        });
        let message = only(&settings(max_bytes), &batch(&json.to_string(), "docs", None));
        prop_assert!(message.len() <= max_bytes);
        let (_, parameters, body) = read(&message);
        let mut body: serde_json::Value = serde_json::from_str(body).unwrap();
        let mut expected = json;
        for name in parameter(&parameters, "omitted").split(' ') {
            expected.as_object_mut().unwrap().remove(name);
        }
        prop_assert_eq!(body["record"].take(), expected);
    }
}
