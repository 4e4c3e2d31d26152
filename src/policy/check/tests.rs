//! Rules that cannot do what they ask for, as tables.

use super::*;
use crate::{
    policy::Until,
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

#[test]
fn impossible_rules_are_refused_with_the_way_out() {
    let rule = |name: &str| Rule::new(name);
    let strict = || rule("it").assurance(Assurance::Strict);
    let long = "x".repeat(129);
    let table = [
        (
            vec![rule(" ")],
            r#"rule 1 (" "): name: a rule needs a name"#,
        ),
        (vec![rule("a\u{202e}")], "characters that can be seen"),
        (vec![rule(&long)], "at most 128 bytes"),
        (
            vec![rule("a").method("post")],
            r#"rule 1 ("a"): method: "post""#,
        ),
        (vec![rule("a").route("admin")], "begin it with a slash"),
        (vec![rule("a").action("user*")], "write user.login"),
        (vec![rule("a").status(99)], "status: 99 is no range"),
        (vec![rule("a").matched(false).route("/a")], "remove one"),
        (
            vec![rule("a").skip().assurance(Assurance::Durable)],
            "assurance: the rule skips",
        ),
        (
            vec![rule("a").skip().on_failure(OnFailure::Refuse)],
            "on_failure: the rule skips",
        ),
        (vec![rule("a").skip().keep_path()], "keep: the rule skips"),
        (
            vec![strict().outcome(Outcome::Denied)],
            "assurance: strict must be known when a request arrives, and outcome is known only at the end: name the method",
        ),
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
            vec![rule("a").on_failure(OnFailure::Refuse).status(200)],
            "on_failure: refuse must be known",
        ),
        (
            vec![rule("a").keep_path().status(200)],
            "keep: what is kept of a request must be known",
        ),
        (vec![strict().action("user.login")], "gives no route"),
        (
            vec![strict().action("user.delete").method("POST")],
            "gives no route",
        ),
        (
            vec![rule("a").keep_header("Cookie")],
            "the header cookie carries credentials",
        ),
        (vec![rule("a").keep_header("a b")], "is no name of a header"),
        (vec![rule("a").keep_query("")], "need a name"),
        (vec![rule("a").target_parameter("", "id")], "need a name"),
        (
            vec![rule("a").route("/a"), rule("a").route("/b")],
            r#"rule 2 ("a"): name: rule 1 has the same name"#,
        ),
        (
            vec![rule("a"), rule("b").route("/b")],
            r#"rule 2 ("b"): name: this rule can never match: rule 1 ("a") comes first"#,
        ),
    ];
    for (rules, expected) in table {
        let policy = rules.into_iter().fold(Policy::new(), Policy::rule);
        let error = policy.check(&catalogue()).expect_err(expected).to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
    let error = Policy::new().flood_per_minute(Some(0)).check(&catalogue());
    assert!(
        error
            .unwrap_err()
            .to_string()
            .starts_with("flood.per_minute: 0 would")
    );
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
