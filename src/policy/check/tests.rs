//! Rules that cannot do what they ask for, as tables.

use super::*;
use crate::{
    policy::{AddressForm, Until},
    record::{ActorType, Declaration, Outcome},
};

fn catalogue() -> Catalogue {
    Catalogue::new([
        Declaration::new("user.delete")
            .route("DELETE", "/users/{id}")
            .assurance(Assurance::Strict),
        Declaration::new("user.login"),
    ])
    .unwrap()
}

/// Holds the error of each policy against what it must say.
fn told<const N: usize>(table: [(Vec<Rule>, &str); N]) {
    for (rules, expected) in table {
        let policy = rules.into_iter().fold(Policy::new(), Policy::rule);
        let error = policy.check(&catalogue()).expect_err(expected).to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

fn it() -> Rule {
    Rule::new("it")
}

#[test]
fn a_name_or_pattern_that_cannot_be_is_refused() {
    let long = "x".repeat(129);
    told([
        (
            vec![Rule::new(" ")],
            r#"rule 1 (" "): name: a rule needs a name"#,
        ),
        (vec![Rule::new("a\u{202e}")], "characters that can be seen"),
        (vec![Rule::new(&long)], "at most 128 bytes"),
        (
            vec![it().method("post")],
            r#"rule 1 ("it"): method: "post""#,
        ),
        (vec![it().route("admin")], "begin it with a slash"),
        (vec![it().action("user*")], "write user.login"),
        (vec![it().status(99)], "status: 99 is no range"),
        (vec![it().matched(false).route("/a")], "remove one"),
    ]);
}

#[test]
fn a_rule_that_skips_asks_for_nothing_else() {
    told([
        (
            vec![it().skip().assurance(Assurance::Durable)],
            "assurance: the rule skips",
        ),
        (
            vec![it().skip().on_failure(OnFailure::Refuse)],
            "on_failure: the rule skips",
        ),
        (
            vec![it().skip().until(Until::Body)],
            "until: the rule skips",
        ),
        (
            vec![it().skip().address(AddressForm::Off)],
            "address: the rule skips",
        ),
        (vec![it().skip().keep_path()], "keep: the rule skips"),
    ]);
}

#[test]
fn what_is_decided_on_arrival_is_not_asked_for_by_the_end() {
    let strict = || it().assurance(Assurance::Strict);
    let words = "assurance: strict must be known when a request arrives, and outcome is known only at the end: name the method";
    told([
        (vec![strict().outcome(Outcome::Denied)], words),
        (
            vec![strict().status(200)],
            "status is known only at the end",
        ),
        (
            vec![strict().actor(ActorType::User)],
            "actor is known only at the end",
        ),
        (
            vec![strict().annotated(true)],
            "annotated is known only at the end",
        ),
        (
            vec![it().on_failure(OnFailure::Refuse).status(200)],
            "on_failure: refuse must be known",
        ),
        (
            vec![it().keep_path().status(200)],
            "keep: what is kept of a request must be known",
        ),
        (
            vec![strict().matched(false)],
            "that no route matches is known only at the end",
        ),
        (vec![strict().action("user.login")], "gives no route"),
        (
            vec![strict().action("user.delete").method("POST")],
            "gives no route",
        ),
    ]);
}

#[test]
fn an_action_that_is_declared_strict_needs_a_route() {
    let late = Declaration::new("user.login").assurance(Assurance::Strict);
    let catalogue = Catalogue::new([late]).unwrap();
    let error = Policy::new().check(&catalogue).unwrap_err().to_string();
    assert!(
        error.starts_with("catalogue: strict must be known when a request arrives"),
        "{error}"
    );
    assert!(
        error.contains(r#"the action "user.login" is declared without a route"#),
        "{error}"
    );
    let buffered = Declaration::new("user.login").assurance(Assurance::Buffered);
    let catalogue = Catalogue::new([buffered]).unwrap();
    Policy::new()
        .check(&catalogue)
        .expect("nothing is promised too late");
}

#[test]
fn nothing_secret_or_nameless_is_kept() {
    told([
        (
            vec![it().keep_header("Cookie")],
            "the header cookie carries credentials",
        ),
        (vec![it().keep_header("a b")], "is no name of a header"),
        (vec![it().keep_query("")], "need a name"),
        (vec![it().target_parameter("", "id")], "need a name"),
    ]);
}

#[test]
fn a_rule_that_is_behind_another_is_refused_with_its_number() {
    let b = || Rule::new("b").route("/b");
    let same = r#"rule 2 ("b"): name: rule 1 has the same name"#;
    let hidden = r#"rule 2 ("b"): name: this rule can never match: rule 1 ("it") comes first"#;
    told([(vec![b(), b()], same), (vec![it(), b()], hidden)]);
}

#[test]
fn a_rate_of_nothing_is_refused() {
    let error = Policy::new().flood_per_minute(Some(0)).check(&catalogue());
    let error = error.unwrap_err().to_string();
    assert!(error.starts_with("flood.per_minute: 0 would"), "{error}");
}

#[test]
fn a_rule_hides_another_only_if_it_matches_all_that_it_does() {
    let rule = |name: &str| Rule::new(name);
    let (wide, narrow) = (|| rule("wide"), || rule("narrow"));
    for (wide, narrow, hides) in [
        (
            wide().route("/a/**"),
            narrow().route("/a/b").method("POST"),
            true,
        ),
        (
            wide().route("/a/**"),
            narrow().route("/a").route("/b"),
            false,
        ),
        (wide().route("/a/**"), narrow().method("POST"), false),
        (
            wide().method("unsafe"),
            narrow().method("PUT").method("PURGE"),
            true,
        ),
        (
            wide().status(400..=499),
            narrow().status(401).status(403),
            true,
        ),
        (wide().status(400..=499), narrow().status(499..=500), false),
        (
            wide().outcome(Outcome::Denied),
            narrow().outcome(Outcome::Denied),
            true,
        ),
        (wide().actor(ActorType::User), narrow().no_actor(), false),
        (
            wide().annotated(true),
            narrow().annotated(true).route("/a"),
            true,
        ),
        (wide().annotated(true), narrow().annotated(false), false),
        (wide().matched(true), narrow().route("/a"), true),
        (wide().matched(false), narrow().route("/a"), false),
        (wide().action("user.*"), narrow().action("user.login"), true),
    ] {
        let what = format!("{wide:?}\n{narrow:?}");
        let policy = Policy::new().rule(wide).rule(narrow);
        assert_eq!(policy.check(&catalogue()).is_err(), hides, "{what}");
    }
}

#[test]
fn what_can_be_done_is_not_refused() {
    let strict = Rule::new("deletions")
        .action("user.delete")
        .assurance(Assurance::Strict);
    let all = Rule::new("the rest").until(Until::Body);
    let policy = Policy::new().rule(strict).rule(all);
    policy
        .check(&catalogue())
        .expect("the default rules may be hidden");
    Policy::new()
        .check(&Catalogue::default())
        .expect("the default");
    assert_eq!(Policy::new().flood_per_minute(None).folds_above(), None);
    assert_eq!(Policy::new().folds_above(), Some(100));
}
