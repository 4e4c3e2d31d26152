//! Bad input in a record: capped, made visible and marked, or an error that says where.

use std::error::Error;

use tower_audit::{Record, assert_recorded, record::Actor, testing::TestTrail};

const MIB: usize = 1024 * 1024;

fn login() -> Record {
    Record::new("user.login").actor(Actor::user("146"))
}

#[test]
fn a_record_over_the_cap_is_capped_marked_and_counted() {
    let trail = TestTrail::start();
    let mut large = login();
    for i in 0..40 {
        large = large.detail(format!("text{i}"), "x".repeat(4000));
    }
    let before = trail.audit().stats().truncated;
    trail.audit().record(large.detail("small", 1)).unwrap();
    let record = assert_recorded!(trail, {"action": "user.login", "details": {"small": 1}});
    assert!(record.truncated["details"] > 160_000, "{record:?}");
    assert!(record.details.len() > 10, "no more gives way than must");
    assert!(trail.lines().iter().all(|line| line.len() <= 64 * 1024));
    assert_eq!(trail.audit().stats().truncated, before + 1);
}

#[test]
fn megabytes_of_text_are_cut_and_marked_with_the_bytes_there_were() {
    let trail = TestTrail::start();
    let record = login()
        .actor(Actor::user("ä".repeat(2 * MIB)))
        .detail("body", "x".repeat(8 * MIB))
        .failure("y".repeat(4 * MIB));
    trail.audit().record(record).unwrap();
    let marks = serde_json::json!({
        "actor.id": 4 * MIB, "details.body": 8 * MIB, "reason": 4 * MIB,
    });
    let record = assert_recorded!(trail, {"outcome": "failure", "truncated": marks});
    assert_eq!(record.reason.map(|reason| reason.len()), Some(1024));
    assert_eq!(trail.audit().stats().truncated, 1);
}

#[test]
fn a_nul_becomes_visible_wherever_it_stands() {
    let trail = TestTrail::start();
    let record = Record::new("user\0.login")
        .actor(Actor::user("14\0"))
        .detail("a\0b", "c\0d")
        .failure("nul\0");
    trail.audit().record(record).unwrap();
    assert_recorded!(trail, {
        "action": r"user\u{0}.login",
        "actor": {"id": r"14\u{0}"},
        "details": {r"a\u{0}b": r"c\u{0}d"},
        "reason": r"nul\u{0}",
    });
    assert!(
        trail
            .lines()
            .iter()
            .all(|line| !line.contains(['\0', '\n']))
    );
}

#[test]
fn a_record_from_json_is_as_safe_as_one_that_was_built() {
    let trail = TestTrail::start();
    let body = "x".repeat(3 * MIB);
    let json = format!(
        r#"{{"id":"019b76da-a800-7000-8000-000000000000","action":"import.row",
            "reason":"nul\u0000 pair \ud83d\ude00","details":{{"body":"{body}"}}}}"#
    );
    let record = Record::from_json(json).unwrap();
    let claimed = record.id();
    let id = trail.audit().record(record).unwrap();
    assert_ne!(Some(id), claimed, "ids are the trail's to give");
    assert_recorded!(trail, {
        "action": "import.row",
        "reason": r"nul\u{0} pair 😀",
        "truncated": {"details.body": 3 * MIB},
    });
}

#[test]
fn json_that_is_no_record_is_an_error_that_says_where() {
    let deep = format!(
        r#"{{"action":"a.b","details":{{"d":{}1{}}}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    for (name, json) in [
        ("lone surrogate", r#"{"action":"a.b","reason":"\ud800"}"#),
        (
            "lone surrogate in details",
            r#"{"action":"a.b","details":{"x":"\udc00\ud800"}}"#,
        ),
        (
            "lone surrogate in a name",
            r#"{"action":"a.b","details":{"\ud800":1}}"#,
        ),
        ("raw NUL", "{\"action\":\"a\0b\"}"),
        ("cut", r#"{"action":"a.b","reason":"#),
        ("two", r#"{"action":"a.b"}{"action":"a.b"}"#),
        ("newer format", r#"{"schema":"2.0","action":"a.b"}"#),
        ("nothing", ""),
        ("100 000 deep", &deep),
    ] {
        let error = Record::from_json(json).expect_err(name);
        assert!(error.to_string().starts_with("not a record"), "{name}");
        let source = error.source().expect(name).to_string();
        assert!(source.contains("line 1 column"), "{name}: {source}");
    }
    Record::from_json(b"{\"action\":\"\xff\"}").expect_err("not UTF-8");
}
