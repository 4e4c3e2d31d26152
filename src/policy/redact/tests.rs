use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::record::{Actor, Fault, Target};

fn key() -> HashKey {
    HashKey::new("k1", b"0123456789abcdef")
}

fn applied_with(redaction: &Redaction, mut record: Record, secrets: &[&str]) -> Record {
    redaction.apply(&mut record, &key(), secrets);
    record
}

fn applied(record: Record) -> Record {
    applied_with(&Redaction::default(), record, &[])
}

fn details(value: Value) -> Value {
    let mut record = Record::new("x.y");
    record.details = value.as_object().unwrap().clone();
    Value::Object(applied(record).details)
}

#[test]
fn details_are_masked_at_any_depth() {
    // Traps R1, R2, R3: every type of value, in every place, in every spelling.
    let given = json!({
        "user": {"name": "Flapjack", "apiKey": "ak-4711", "list": [{"Set-Cookie": "sid=x"}]},
        "password": {"old": ["a", {"b": "c"}], "new": "d"},
        "bytes": {"secret": [115, 121, 114]},
        "passwordChanged": true, "tokens": 3, "token": null, "otp": 482_913, "totp": "482913",
        "pin": 12, "backupCodes": ["a1b2c3", "d4e5f6"], "code": "not_found", "empty": {"token": ""},
    });
    assert_eq!(
        details(given),
        json!({
            "user": {"name": "Flapjack", "apiKey": MASKED, "list": [{"Set-Cookie": MASKED}]},
            "password": MASKED, "bytes": {"secret": MASKED},
            "passwordChanged": true, "tokens": 3, "token": null, "otp": MASKED, "totp": MASKED,
            "pin": 12, "backupCodes": MASKED, "code": "not_found", "empty": {"token": ""},
        })
    );
}

#[test]
fn names_that_stand_in_values_count_too() {
    let given = json!({
        "fields": [{"name": "password", "value": "syrup-7"}, {"name": "title", "value": "Plans"}],
        "headers": [["authorization", "Bearer abc"], ["accept", "*/*"]],
        "form": "user=f&password=syrup-7",
        "body": "{\"password\":\"syrup-7\"}",
        "listed": ["password", "title"],
    });
    assert_eq!(
        details(given),
        json!({
            "fields": [{"name": "password", "value": MASKED}, {"name": "title", "value": "Plans"}],
            "headers": [["authorization", MASKED], ["accept", "*/*"]],
            "form": "user=f&password=[redacted]",
            "body": "{\"password\":\"[redacted]\"}",
            "listed": ["password", "title"],
        })
    );
}

#[test]
fn changes_are_masked_by_their_field() {
    let record = Record::new("user.update")
        .change("user.password", "old-one", "new-one")
        .change("passwordChanged", false, true)
        .change("token", None::<&str>, "tok-4711")
        .change("name", "new-one", "b");
    let changes = applied(record).changes;
    let sides: Vec<_> = changes
        .iter()
        .map(|change| (change.previous.clone(), change.current.clone()))
        .collect();
    let masked = Some(json!(MASKED));
    assert_eq!(
        sides,
        [
            (masked.clone(), masked.clone()),
            (Some(json!(false)), Some(json!(true))),
            (None, masked.clone()),
            (masked, Some(json!("b"))),
        ]
    );
}

#[test]
fn a_masked_value_is_masked_in_every_text() {
    let secret = "s3cret-value";
    let mut record = Record::new("user.login")
        .reason(format!("bad password {secret}"))
        .error(Fault::new(format!("{secret}!")))
        .actor(
            Actor::user(secret)
                .name(format!("n {secret}"))
                .claimed(secret)
                .on_behalf_of(Actor::user("7").email(secret)),
        )
        .target(Target::new("user", secret).name(secret))
        .detail("password", secret)
        .detail("note", json!([{"deep": format!("<{secret}>")}]))
        .change("title", secret, "b");
    let context = &mut record.context;
    context.user_agent = Some(secret.into());
    context.forwarded = vec![secret.into()];
    context.request_id = Some(format!("r-{secret}").into());
    context.session_id = Some(secret.into());
    context.ip_address = Some(secret.into());
    let masked = applied(record);
    assert!(!format!("{masked:?}").contains(secret), "{masked:#?}");
    // An id stays one, so that what was done to it can be found.
    let id = masked.targets[0].id.as_deref().unwrap();
    assert_eq!(id, key().hash(Purpose::Value, secret.as_bytes()).as_str());
    assert_eq!(masked.reason.as_deref(), Some("bad password [redacted]"));
}

#[test]
fn secrets_of_the_request_are_masked_without_any_name() {
    // Trap C14: a session id or a token that somebody wrote into a record.
    let (session, token) = ("nQ3vX0pZ7aLk2mB9", "abc/def+gh12==");
    let mut record = Record::new("x.y").reason(format!("no session {session}"));
    record.context.user_agent = Some(format!("agent {token} abc%2Fdef%2Bgh12%3D%3D").into());
    record.details.insert(format!("by-{session}"), json!(1));
    for redaction in [Redaction::default(), Redaction::none()] {
        let masked = applied_with(&redaction, record.clone(), &[session, token]);
        assert_eq!(masked.reason.as_deref(), Some("no session [redacted]"));
        assert_eq!(
            masked.context.user_agent.as_deref(),
            Some("agent [redacted] [redacted]")
        );
        let text = format!("{masked:?}");
        assert!(!text.contains(session), "{text}");
    }
}

#[test]
fn the_password_behind_basic_credentials_is_a_secret_too() {
    let record = Record::new("user.login").reason("flapjack gave syrup-77");
    let masked = applied_with(&Redaction::default(), record, &["ZmxhcGphY2s6c3lydXAtNzc="]);
    assert_eq!(masked.reason.as_deref(), Some("flapjack gave [redacted]"));
}

#[test]
fn nobody_hides_what_they_did_by_presenting_its_name() {
    let mut record = Record::new("document.delete")
        .actor(Actor::user("flapjack"))
        .target(Target::new("document", "4cq1mN"));
    record.context.ip_address = Some("39.139.42.243".into());
    record.context.session_id = Some(key().hash(Purpose::Session, b"x"));
    for secret in [
        "document.delete",
        "document",
        "flapjack",
        "4cq1mN",
        "39.139.42.243",
        "sha256",
        "delete",
    ] {
        let masked = applied_with(&Redaction::default(), record.clone(), &[secret]);
        assert_eq!(masked, record, "{secret}");
    }
}

#[test]
fn a_short_value_is_found_as_a_word_only() {
    let record = Record::new("x.y")
        .detail("password", "test")
        .detail("pin", "123")
        .reason("test failed: the latest test123 of 123");
    assert_eq!(
        applied(record).reason.as_deref(),
        Some("[redacted] failed: the latest test123 of 123")
    );
}

#[test]
fn a_policy_says_what_becomes_of_each_name() {
    let redaction = Redaction::default()
        .mask("salary")
        .hash("customer_number")
        .drop_key("body")
        .allow("token");
    let record = Record::new("x.y")
        .detail("Salary", 85_000)
        .detail("isSalary", true)
        .detail("customerNumber", 90_210)
        .detail("body", json!({"a": 1}))
        .detail("token", "tok-4711")
        .detail("accessToken", "tok-4712")
        .change("body", 1, 2);
    let masked = applied_with(&redaction, record, &[]);
    let hash = key().hash(Purpose::Value, b"90210");
    assert_eq!(
        Value::Object(masked.details.clone()),
        json!({
            "Salary": MASKED, "isSalary": MASKED, "customerNumber": hash.as_str(),
            "token": "tok-4711", "accessToken": MASKED,
        })
    );
    assert_eq!(masked.changes, []);
    assert_eq!(applied_with(&redaction, masked.clone(), &[]), masked);
}

#[test]
fn nothing_is_masked_by_name_without_a_name() {
    let record = Record::new("x.y")
        .detail("password", "syrup")
        .reason("Bearer abc123 password=x");
    assert_eq!(
        applied_with(&Redaction::none(), record.clone(), &[]),
        record
    );
}

#[test]
fn a_value_of_any_depth_is_walked() {
    // Trap R5.
    let deep =
        |levels: usize| (0..levels).fold(json!({"password": "syrup-7"}), |value, _| json!([value]));
    for levels in [1, 15, 23, 24, 100, 1000] {
        let mut record = Record::new("x.y");
        record.details.insert("deep".to_owned(), deep(levels));
        record.details.insert("secret".to_owned(), deep(levels));
        let masked = applied(record);
        assert!(!format!("{masked:?}").contains("syrup-7"), "{levels}");
        assert_eq!(masked.details["secret"], MASKED);
    }
    let mut actor = Actor::user("0").name("a s3cret-value");
    for _ in 0..1000 {
        actor = Actor::user("1").on_behalf_of(actor);
    }
    let masked = applied(
        Record::new("x.y")
            .actor(actor)
            .detail("password", "s3cret-value"),
    );
    assert!(!format!("{masked:?}").contains("s3cret-value"));
}

#[test]
fn what_is_printed_of_a_redaction_is_what_was_asked_for() {
    let text = format!("{:?}", Redaction::default().hash("iban"));
    assert!(
        text.contains("iban") && text.contains("Hash") && text.len() < 200,
        "{text}"
    );
}

const DOCUMENT: &str = include_str!("../../../docs/redaction.md");

#[test]
fn the_examples_of_the_documentation_hold() {
    let section = DOCUMENT
        .split("\n## ")
        .find(|part| part.starts_with("In free text"))
        .unwrap();
    let rows: Vec<Vec<&str>> = section
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.split('`').skip(1).step_by(2).collect())
        .collect();
    assert!(rows.len() > 10, "{rows:?}");
    for row in rows {
        let [given, expected] = row[..] else {
            panic!("two cells expected: {row:?}")
        };
        let masked = applied(Record::new("x.y").reason(given));
        assert_eq!(masked.reason.as_deref(), Some(expected), "{given}");
    }
}

#[test]
fn the_numbers_of_the_documentation_are_those_of_the_code() {
    use crate::policy::{elsewhere, search};

    let text = DOCUMENT.split_whitespace().collect::<Vec<_>>().join(" ");
    for said in [
        format!(
            "fewer than {} characters is not searched for",
            elsewhere::MIN_CHARS
        ),
        format!(
            "fewer than {} bytes only as a whole word",
            elsewhere::WORD_BYTES
        ),
        format!("has to be {} bytes long", search::MIN_PRESENTED_ID_BYTES),
        format!("At most {} values", elsewhere::MAX_VALUES),
        format!("the secret at least {} bytes", HashKey::MIN_SECRET_BYTES),
    ] {
        assert!(text.contains(&said), "docs/redaction.md should say: {said}");
    }
}

/// Texts in which one part may make a pair or a credential of another.
fn texts() -> impl Strategy<Value = String> {
    let pieces = [
        "password",
        "token",
        "pin",
        "code",
        "key",
        "user",
        "hunter2",
        "s3cret-value",
        "482913",
        "=",
        ": ",
        "\"",
        "'",
        "&",
        "?",
        " ",
        ",",
        "(",
        ")",
        "[redacted]",
        "Bearer ",
        "Basic ",
        "ZmxhcGphY2s6c3lydXA=",
        "syrup",
        "://",
        "@",
        "_",
        "x",
        "%20",
    ];
    let piece = proptest::sample::select(pieces.to_vec());
    proptest::collection::vec(piece, 0..9).prop_map(|pieces| pieces.concat())
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        6 => texts().prop_map(Value::from),
        1 => any::<u32>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((texts(), inner), 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    // An intent is masked when it is written, and again when it is read back.
    #[test]
    fn masking_twice_is_masking_once(
        (details, before, after) in (values(), values(), values()),
        (reason, target, field, secret) in (texts(), texts(), texts(), texts()),
    ) {
        let mut record = Record::new("x.y")
            .reason(reason)
            .target(Target::new("document", target.as_str()).name(target))
            .change(field, before, after);
        record.details.insert("details".to_owned(), details);
        let once = applied_with(&Redaction::default(), record, &[&secret]);
        prop_assert_eq!(&applied_with(&Redaction::default(), once.clone(), &[&secret]), &once);
        prop_assert_eq!(&applied(once.clone()), &once);
    }
}
