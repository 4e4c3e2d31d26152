//! What the limits take away, and what comes back.

use super::*;
use crate::record::Http;

fn service() -> Service {
    Service::new("docs")
}

fn at(micros: i64) -> (RecordId, Timestamp) {
    let at = Timestamp::from_micros(micros);
    (RecordId::new(at, 7), at)
}

#[test]
fn an_intent_read_back_keeps_its_time_and_service_under_its_id() {
    let (id, began) = at(5);
    let intent = Record::new("a.b").finish(id, began, &service());
    let read = Record::from_json(&intent.json).unwrap();
    let (_, later) = at(9);
    let verdict = read.finish(id, later, &Service::new("successor"));
    let verdict = Record::from_json(&verdict.json).unwrap();
    assert_eq!(verdict.id(), Some(id));
    assert_eq!(verdict.timestamp(), Some(began));
    assert_eq!(verdict.service(), Some(&service()));
}

#[test]
fn an_id_from_outside_does_not_enter_the_trail() {
    // trap C12
    let (foreign, long_ago) = at(5);
    let other = Service::new("other");
    let given = Record::new("a.b").finish(foreign, long_ago, &other);
    let (id, now) = at(9);
    let read = Record::from_json(&given.json).unwrap();
    let written = Record::from_json(read.finish(id, now, &service()).json).unwrap();
    assert_eq!(written.id(), Some(id));
    assert_eq!(written.timestamp(), Some(now));
    assert_eq!(written.service(), Some(&service()));
}

#[test]
fn absent_facts_and_empty_texts_are_not_written() {
    let (id, at) = at(0);
    let record = Record::new("login")
        .category("")
        .reason("")
        .error(Fault::new(""))
        .actor(Actor::unknown().id("").name(""))
        .tenant(Tenant::new(""))
        .application(Application::new(""))
        .context(
            Context::new()
                .request_id("")
                .forwarded("")
                .http(Http::new().method("")),
        )
        .change("plan", None::<u8>, ())
        .detail("nothing", None::<u8>)
        .outcome(Outcome::Failure);
    assert_eq!(
        record.finish(id, at, &service()).json,
        concat!(
            r#"{"id":"00000000-0000-7000-8000-000000000007","timestamp":"1970-01-01T00:00:00.000000Z","#,
            r#""schema":"1.0","service":{"name":"docs"},"action":"login","outcome":"failure","#,
            r#""actor":{"type":"unknown"},"changes":[{"field":"plan"}]}"#,
        )
    );
}

#[test]
fn a_later_minor_version_is_read_and_another_major_refused() {
    let later = r#"{"schema":"1.7","action":"a.b","outcome":"postponed","new":{"x":[1]},
        "actor":{"type":"robot","model":2},"context":{"planet":"Mars"}}"#;
    let read = Record::from_json(later).unwrap();
    assert_eq!(read.outcome, Some(Outcome::Unknown));
    assert_eq!(read.actor, Some(Actor::unknown()));
    for schema in ["2.0", "0.9", "11.0", "1", ""] {
        let json = format!(r#"{{"schema":"{schema}","action":"a.b"}}"#);
        let error = Record::from_json(json).unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("later tower-audit"), "{schema}: {source}");
    }
}

#[test]
fn what_is_no_record_is_an_error_that_says_where() {
    let deep = format!(
        r#"{{"action":"a.b","details":{{"a":{}"#,
        "[".repeat(1_000_000)
    );
    for (given, expected) in [
        (r#"{"action":"\ud800"}"#, "hex escape"),
        (
            r#"{"action":"a.b","details":{"x":"\udc00\ud800"}}"#,
            "hex escape",
        ),
        ("", "EOF"),
        ("{}", "missing field `action`"),
        (
            r#"[null,null,"1.0",null,"a.b"]"#,
            "a record is a JSON object",
        ),
        (r#"{"action":"a.b"} x"#, "trailing characters"),
        (r#"{"action":"a.b","action":"c.d"}"#, "duplicate field"),
        (r#"{"action":"a.b","id":"7"}"#, "a record id is a UUID"),
        (
            r#"{"action":"a.b","timestamp":"yesterday"}"#,
            "write it as RFC 3339",
        ),
        (deep.as_str(), "recursion limit exceeded"),
    ] {
        let error = Record::from_json(given).unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains(expected), "{source}");
    }
    Record::from_json(b"{\"action\":\"\xff\"}").unwrap_err();
}

#[test]
fn a_text_is_cut_some_way_behind_its_cap_and_loses_that_part_after_the_search() {
    let long = "x".repeat(10 * cap::MARGIN);
    let mut record = Record::new("a.b")
        .reason(long.clone())
        .detail("note", [long.clone()])
        .detail("short", "y".repeat(cap::VALUE + 7));
    let cuts = record.bound();
    assert_eq!(
        record.reason.as_ref().unwrap().len(),
        cap::REASON + cap::MARGIN
    );
    assert_eq!(
        record.details["note"][0].as_str().unwrap().len(),
        cap::VALUE + cap::MARGIN
    );
    // As if something had been masked: what stood behind the cap must not move before it.
    record.details["note"][0] = format!("[redacted]{}", "x".repeat(cap::MARGIN)).into();
    record.trim(&cuts, |text| text == "[redacted]");
    assert_eq!(record.details["note"][0], "[redacted]");
    let (id, at) = at(5);
    let finished = Record::from_json(record.finish(id, at, &service()).json).unwrap();
    let size = |text: &str| u64::try_from(text.len()).unwrap();
    let marks = [
        ("details.note.0", size(&long)),
        ("details.short", 4103),
        ("reason", size(&long)),
    ];
    let marks = marks.map(|(path, bytes)| (path.to_owned(), bytes));
    assert_eq!(
        finished.truncated,
        BTreeMap::from(marks),
        "the bytes there were at first"
    );
}

#[test]
fn a_mark_for_a_whole_text_is_not_trimmed() {
    let long = "x".repeat(10 * cap::MARGIN);
    let mut record = Record::new("a.b")
        .reason(long.clone())
        .detail("password", long);
    let cuts = record.bound();
    record.details["password"] = "[redacted]".into();
    record.trim(&cuts, |text| text == "[redacted]");
    assert_eq!(record.details["password"], "[redacted]");
    assert_eq!(record.reason.unwrap().len(), cap::REASON);
}
