//! What the rules decide, as tables.

use super::*;
use crate::record::{ActorType, Outcome};

fn get(route: &str) -> Facts<'_> {
    Facts::new().method("GET").route(route)
}

fn post(route: &str) -> Facts<'_> {
    Facts::new().method("POST").route(route)
}

#[test]
fn each_condition_holds_as_it_says() {
    let rule = || Rule::new("it");
    let admin = ActorType::User;
    for (name, rule, facts, expected) in [
        ("any", rule(), Facts::new(), true),
        (
            "method",
            rule().method("POST").method("PUT"),
            post("/a"),
            true,
        ),
        ("other method", rule().method("PUT"), post("/a"), false),
        ("no method", rule().method("PUT"), Facts::new(), false),
        (
            "route",
            rule().route("/b").route("/a/**"),
            post("/a/b"),
            true,
        ),
        ("no route", rule().route("/**"), Facts::new(), false),
        ("matched", rule().matched(true), post("/a"), true),
        ("unmatched", rule().matched(false), Facts::new(), true),
        ("not unmatched", rule().matched(false), post("/a"), false),
        (
            "action",
            rule().action("a.*"),
            post("/a").action("a.b"),
            true,
        ),
        (
            "other action",
            rule().action("a.*"),
            post("/a").action("b.a"),
            false,
        ),
        (
            "outcome",
            rule().outcome(Outcome::Denied),
            post("/a").outcome(Outcome::Denied),
            true,
        ),
        (
            "no outcome",
            rule().outcome(Outcome::Denied),
            post("/a"),
            false,
        ),
        (
            "status",
            rule().status(400..=499),
            post("/a").status(499),
            true,
        ),
        (
            "other status",
            rule().status(400..=499),
            post("/a").status(500),
            false,
        ),
        ("no status", rule().status(100..=999), post("/a"), false),
        ("actor", rule().actor(admin), post("/a").actor(admin), true),
        (
            "no actor",
            rule().actor(ActorType::Unknown),
            post("/a"),
            false,
        ),
        ("nobody", rule().no_actor(), post("/a"), true),
        (
            "not nobody",
            rule().no_actor(),
            post("/a").actor(admin),
            false,
        ),
        (
            "annotated",
            rule().annotated(true),
            post("/a").annotated(true),
            true,
        ),
        (
            "not annotated",
            rule().annotated(false),
            post("/a").annotated(true),
            false,
        ),
        (
            "all kinds",
            rule().method("POST").status(200),
            post("/a").status(201),
            false,
        ),
    ] {
        let policy = Policy::new().without_defaults().rule(rule);
        assert_eq!(policy.at_end(&facts, None).record, expected, "{name}");
    }
}

#[test]
fn the_first_rule_that_matches_wins_and_the_defaults_come_last() {
    let policy = Policy::new()
        .rule(
            Rule::new("log in")
                .route("/login")
                .assurance(Assurance::Buffered),
        )
        .rule(
            Rule::new("all of it")
                .route("/**")
                .until(Until::Body)
                .address(AddressForm::Off),
        );
    let login = policy.at_end(&post("/login"), None);
    assert_eq!(
        (login.assurance, login.until),
        (Assurance::Buffered, Until::Head)
    );
    let read = policy.at_end(&get("/a").status(200), None);
    assert_eq!(
        (read.record, read.until, read.address),
        (true, Until::Body, Some(AddressForm::Off))
    );
    assert!(!policy.at_end(&Facts::new().method("GET"), None).record);
    let names: Vec<_> = policy.rules().map(Rule::name).collect();
    assert_eq!(
        names.get(..3),
        Some(&["log in", "all of it", "unsafe methods"][..])
    );
}

#[test]
fn a_request_is_skipped_on_arrival_only_when_nothing_can_record_it() {
    let health = || Rule::new("health").route("/health").skip();
    let errors = Rule::new("errors").status(500..=599);
    let not_found = Rule::new("not found").status(404).skip();
    for (name, policy, facts, expected) in [
        (
            "first rule",
            Policy::new().rule(health()),
            get("/health"),
            Verdict::Skip,
        ),
        (
            "other route",
            Policy::new().rule(health()),
            get("/a"),
            Verdict::AtEnd,
        ),
        (
            "may be recorded",
            Policy::new().rule(errors).rule(health()),
            get("/health"),
            Verdict::AtEnd,
        ),
        (
            "skipped either way",
            Policy::new().rule(not_found).rule(health()),
            get("/health"),
            Verdict::Skip,
        ),
        (
            "no rule",
            Policy::new().without_defaults(),
            post("/a"),
            Verdict::Skip,
        ),
        ("default read", Policy::new(), get("/a"), Verdict::AtEnd),
        ("default write", Policy::new(), post("/a"), Verdict::AtEnd),
    ] {
        assert_eq!(policy.on_arrival(&facts, None).verdict, expected, "{name}");
    }
}

#[test]
fn a_route_that_is_not_known_on_arrival_skips_nothing() {
    let posts_to_a = || Rule::new("a").method("POST").route("/a");
    let nowhere = Facts::new().method("POST");
    for (name, policy, facts, expected) in [
        (
            "a route may be learnt",
            Policy::new().without_defaults().rule(posts_to_a()),
            nowhere,
            Verdict::AtEnd,
        ),
        (
            "no route yet is not no route",
            Policy::new()
                .rule(Rule::new("no route").matched(false).skip())
                .rule(Rule::new("the rest")),
            nowhere,
            Verdict::AtEnd,
        ),
        (
            "no method, whatever the route",
            Policy::new().without_defaults().rule(posts_to_a()),
            Facts::new().method("GET"),
            Verdict::Skip,
        ),
        (
            "skipped by its method",
            Policy::new().rule(Rule::new("reads").method("GET").skip()),
            Facts::new().method("GET"),
            Verdict::Skip,
        ),
    ] {
        assert_eq!(policy.on_arrival(&facts, None).verdict, expected, "{name}");
    }
}

#[test]
fn strict_and_refuse_are_decided_on_arrival() {
    let role = Rule::new("role").route("/role").method("unsafe");
    let policy = Policy::new()
        .rule(
            Rule::new("refused")
                .status(401)
                .assurance(Assurance::Buffered),
        )
        .rule(role.assurance(Assurance::Strict))
        .rule(
            Rule::new("users")
                .action("user.*")
                .on_failure(OnFailure::Refuse),
        );
    let named = Facts::new()
        .method("DELETE")
        .route("/users/{id}")
        .action("user.delete");
    let strict = Some(Assurance::Strict);
    for (name, facts, declared, expected) in [
        (
            "by route",
            post("/role"),
            None,
            (Assurance::Strict, OnFailure::Refuse),
        ),
        (
            "safe",
            get("/role"),
            None,
            (Assurance::Durable, OnFailure::Continue),
        ),
        (
            "by action",
            named,
            None,
            (Assurance::Durable, OnFailure::Refuse),
        ),
        (
            "declared",
            named,
            strict,
            (Assurance::Strict, OnFailure::Refuse),
        ),
        (
            "declared, default rule",
            get("/a").action("a.b"),
            strict,
            (Assurance::Strict, OnFailure::Refuse),
        ),
        (
            "action not named yet",
            post("/users"),
            None,
            (Assurance::Durable, OnFailure::Continue),
        ),
    ] {
        let arrival = policy.on_arrival(&facts, declared);
        assert_eq!((arrival.assurance, arrival.on_failure), expected, "{name}");
    }
}

#[test]
fn the_assurance_of_a_rule_wins_over_the_catalogue() {
    let role = Rule::new("role")
        .route("/role")
        .assurance(Assurance::Buffered);
    let policy = Policy::new().rule(role);
    let strict = Some(Assurance::Strict);
    let arrival = policy.on_arrival(&post("/role"), strict);
    assert_eq!(arrival.assurance, Assurance::Buffered);
    let end = policy.at_end(&post("/role"), strict);
    assert_eq!(end.assurance, Assurance::Buffered);
}

#[test]
fn what_was_promised_on_arrival_is_not_weakened_at_the_end() {
    let policy = Policy::new()
        .rule(Rule::new("not found").status(404).skip())
        .rule(
            Rule::new("role")
                .route("/role")
                .assurance(Assurance::Strict),
        );
    let arrival = policy.on_arrival(&post("/role"), None);
    let end = policy.at_end(&post("/role").status(404), None);
    assert!(!end.record);
    let end = end.at_least(&arrival);
    assert_eq!((end.record, end.assurance), (true, Assurance::Strict));
    assert_eq!(end.on_failure, OnFailure::Refuse);
    let arrival = policy.on_arrival(&post("/a"), None);
    let end = policy.at_end(&post("/a").status(404), None);
    assert_eq!(end.at_least(&arrival), end);
}

#[test]
fn what_a_rule_keeps_is_known_on_arrival() {
    let rule = Rule::new("documents")
        .route("/documents/{id}")
        .keep_path()
        .keep_query("page")
        .keep_header("Accept-Language")
        .parameter("id")
        .target_parameter("document", "id");
    let policy = Policy::new()
        .rule(Rule::new("errors").status(500))
        .rule(rule);
    let keep = policy
        .on_arrival(&get("/documents/{id}"), None)
        .keep
        .unwrap();
    let expected = Keep {
        path: true,
        query: vec!["page".into()],
        headers: vec!["accept-language".into()],
        parameters: vec!["id".into()],
        target: Some(("id".into(), "document".into())),
    };
    assert_eq!(*keep, expected);
    assert_eq!(policy.on_arrival(&get("/a"), None).keep, None);
}
