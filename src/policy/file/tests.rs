//! What a file says, and what is wrong with one, as tables.

use proptest::prelude::*;

use super::*;
use crate::{
    policy::{AddressForm, Rule, Until},
    record::{ActorType, Assurance, OnFailure, Outcome},
};

/// The rules of a text, without the lines they are from.
fn rules_of(text: &str) -> Vec<Rule> {
    let policy = Policy::from_toml(text).unwrap();
    let own = policy.own_rules().iter().cloned();
    let placeless = |mut rule: Rule| {
        rule.line = None;
        rule
    };
    own.map(placeless).collect()
}

#[test]
fn every_condition_of_a_file_is_the_setter_of_its_name() {
    let read = rules_of(
        r#"
        [[rule]]
        name = "it"
        method = ["POST", "safe"]
        route = "/a/**"
        matched = true
        action = ["a.*", "b.c"]
        outcome = "denied"
        status = [401, "4xx", "500-503", "599"]
        actor = ["user", "none"]
        annotated = false
        "#,
    );
    let expected = Rule::new("it")
        .method("POST")
        .method("safe")
        .route("/a/**")
        .matched(true)
        .action("a.*")
        .action("b.c")
        .outcome(Outcome::Denied)
        .status(401)
        .status(400..=499)
        .status(500..=503)
        .status(599)
        .actor(ActorType::User)
        .no_actor()
        .annotated(false);
    assert_eq!(read, [expected]);
}

#[test]
fn every_effect_of_a_file_is_the_setter_of_its_name() {
    let read = rules_of(
        r#"
        [[rule]]
        name = "a"
        route = "/a"
        assurance = "strict"
        on_failure = "continue"
        until = "body"
        address = "shortened"
        keep = { path = true, query = "page", headers = ["Accept"], parameters = ["id", "of"] }
        target = { type = "document", parameter = "id" }
        [[rule]]
        name = "b"
        route = "/b"
        skip = true
        [[rule]]
        name = "c"
        skip = false
        keep = { path = false }
        "#,
    );
    let kept = Rule::new("a")
        .route("/a")
        .assurance(Assurance::Strict)
        .on_failure(OnFailure::Continue)
        .until(Until::Body)
        .address(AddressForm::Shortened)
        .keep_path()
        .keep_query("page")
        .keep_header("accept")
        .parameter("id")
        .parameter("of")
        .target_parameter("document", "id");
    assert_eq!(
        read,
        [kept, Rule::new("b").route("/b").skip(), Rule::new("c")]
    );
}

#[test]
fn an_empty_file_is_the_default() {
    let read = Policy::from_toml("").unwrap();
    assert_eq!(read.to_string(), Policy::default().to_string());
}

#[test]
fn the_defaults_and_the_folding_can_be_switched_off() {
    for (text, rules, flood) in [
        ("defaults = true", 6, Some(100)),
        ("defaults = false", 0, Some(100)),
        ("flood.per_minute = 1_000", 6, Some(1000)),
        ("[flood]\nper_minute = \"off\"", 6, None),
    ] {
        let policy = Policy::from_toml(text).unwrap();
        assert_eq!(policy.rules().count(), rules, "{text}");
        assert_eq!(policy.folds_above(), flood, "{text}");
    }
}

#[test]
fn the_redaction_of_a_file_is_that_of_the_code() {
    let read = Policy::from_toml(
        r#"
        [redaction]
        mask = ["iban", "salary"]
        drop = "raw_request"
        hash = ["customer_number"]
        allow = ["next_page_token"]
        "#,
    );
    let code = Redaction::default()
        .allow("next_page_token")
        .drop_key("raw_request")
        .hash("customer_number")
        .mask("iban")
        .mask("salary");
    let shown = |redaction: &Redaction| format!("{redaction:?}");
    assert_eq!(shown(read.unwrap().mask()), shown(&code));
    let none = Policy::from_toml("redaction.defaults = false").unwrap();
    assert_eq!(shown(none.mask()), shown(&Redaction::none()));
}

/// A rule of this name with these lines.
fn with(lines: &str) -> String {
    format!("[[rule]]\nname = \"it\"\n{lines}")
}

/// Holds the error of each text against what it must say.
fn told(table: &[(&str, &str)]) {
    for (text, expected) in table {
        let error = Policy::from_toml(text).expect_err(text).to_string();
        assert!(error.contains(expected), "{text}\n{expected}\n{error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn what_is_no_policy_is_told_with_its_line() {
    told(&[
        ("x", "line 1:"),
        (
            "\n\nrules = 1",
            "line 3: rules: unknown key; expected one of: defaults, rule",
        ),
        (
            "defaults = \"yes\"",
            "line 1: defaults: true or false expected, not a value of type string",
        ),
        (
            "rule = 1",
            "line 1: rule: a list of tables expected: begin each with [[rule]]",
        ),
        ("[rule]\nname = \"a\"", "begin each with [[rule]]"),
        ("rule = [1]", "begin each with [[rule]]"),
        ("\"a\\nb\" = 1", "line 1: a\\nb: unknown key"),
    ]);
}

#[test]
fn a_wrong_flood_or_redaction_is_told_with_line_and_key() {
    told(&[
        ("[flood]\nper_minute = 0", "flood.per_minute: 0 would fold"),
        (
            "[flood]\nper_minute = -1",
            "line 2: flood.per_minute: -1: invalid digit",
        ),
        (
            "[flood]\nper_hour = 1",
            "line 2: flood.per_hour: unknown key",
        ),
        (
            "[redaction]\nmasks = []",
            "line 2: redaction.masks: unknown key; expected one of: defaults",
        ),
        (
            "[redaction]\nmask = [1]",
            "line 2: redaction.mask: a text expected",
        ),
        (
            "[redaction]\nmask = [\"-\"]",
            "line 2: redaction.mask: a key without a letter",
        ),
        (
            "[redaction]\nallow = \"pin\"\nmask = \"pin\"",
            "line 3: redaction.mask: \"pin\" is in allow already",
        ),
    ]);
}

#[test]
fn a_wrong_value_is_told_with_line_key_and_the_way_out() {
    for (lines, expected) in [
        (
            "methods = \"GET\"",
            "line 3: methods: unknown key; expected one of: name, method",
        ),
        (
            "method = 7",
            "line 3: method: a text expected, not a value of type integer",
        ),
        (
            "method = []",
            "line 3: method: an empty list would match nothing",
        ),
        (
            "method = [\"GET\",\n\n7]",
            "line 5: method: a text expected",
        ),
        (
            "outcome = \"refused\"",
            "line 3: outcome: \"refused\" is none of: success, failure",
        ),
        ("actor = \"nobody\"", "anonymous, unknown, none"),
        (
            "status = \"bad\"",
            "line 3: status: a status expected, such as 401, \"4xx\"",
        ),
        ("status = 70000", "a status expected"),
        ("status = -1", "a status expected"),
        (
            "assurance = \"sure\"",
            "is none of: buffered, durable, strict",
        ),
        ("keep = true", "line 3: keep: a table expected"),
        (
            "keep = { body = true }",
            "line 3: keep.body: unknown key; expected one of: path",
        ),
        (
            "target = { type = \"a\" }",
            "line 3: target: both are needed",
        ),
    ] {
        told(&[(&with(lines), expected)]);
    }
}

#[test]
fn what_a_rule_cannot_do_is_told_with_line_and_key() {
    told(&[
        (
            "\n[[rule]]\nskip = true",
            "line 2: name: a rule needs a name",
        ),
        (
            "[[rule]]\nname = \"\"",
            "line 2: rule 1 (\"\"): name: a rule needs a name",
        ),
    ]);
    for (lines, expected) in [
        (
            "method = \"get\"",
            "line 3: rule 1 (\"it\"): method: \"get\" matches no request",
        ),
        (
            "route = \"a\"",
            "line 3: rule 1 (\"it\"): route: \"a\" matches no route",
        ),
        (
            "status = 99",
            "line 3: rule 1 (\"it\"): status: 99 is no range",
        ),
        (
            "keep.headers = \"Cookie\"",
            "line 3: rule 1 (\"it\"): keep: the header cookie",
        ),
        (
            "status = 200\nassurance = \"strict\"",
            "line 4: rule 1 (\"it\"): assurance: strict must be known when a request arrives",
        ),
        (
            "[[rule]]\nname = \"b\"\nroute = \"/b\"",
            "line 4: rule 2 (\"b\"): name: this rule can never match",
        ),
    ] {
        told(&[(&with(lines), expected)]);
    }
}

#[test]
fn the_column_counts_characters() {
    let error = Policy::from_toml("[[rule]]\nname = \"ä\"\nkeep = { 'ö' = 1 }").unwrap_err();
    assert_eq!((error.line, error.column), (Some(3), Some(10)), "{error}");
}

#[test]
fn a_rule_of_a_file_knows_its_line() {
    let policy = Policy::from_toml(&format!("# first\n{}", with("skip = true"))).unwrap();
    let lines: Vec<_> = policy.rules().map(|rule| rule.line).collect();
    assert_eq!(lines, [Some(2), None, None, None, None, None, None]);
}

#[test]
fn a_file_is_named_in_its_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    let missing = Policy::from_toml_file(&path).unwrap_err();
    assert_eq!(
        missing.to_string(),
        format!("{}: cannot be read", path.display())
    );
    assert!(std::error::Error::source(&missing).is_some());
    std::fs::write(&path, with("skip = 1")).unwrap();
    let wrong = Policy::from_toml_file(&path).unwrap_err().to_string();
    let place = format!("{}:3:8: skip: true or false expected", path.display());
    assert!(wrong.starts_with(&place), "{wrong}");
}

/// Texts that come close to a file.
fn almost() -> impl Strategy<Value = String> {
    let words = [
        "[[rule]]",
        "[redaction]",
        "[flood]",
        "name",
        "route",
        "status",
        "keep",
        "target",
        "rule",
        "mask",
        "per_minute",
        "defaults",
        "=",
        "\"",
        "/**",
        "{",
        "}",
        "[",
        "]",
        ",",
        ".",
        "1",
        "-",
        "true",
        "'it'",
        "\n",
        " ",
        "#",
        "\u{0}",
        "ä",
        "4xx",
        "1979-05-27",
        "0x1F",
        "1e9",
        "\"\"\"",
    ];
    let word = prop::sample::select(words.to_vec());
    prop::collection::vec(word, 0..40).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in prop_oneof![any::<String>(), almost()]) {
        if let Err(error) = Policy::from_toml(&text) {
            prop_assert!(error.line.is_some() && !error.reason.is_empty(), "{error:?}");
        }
    }
}
