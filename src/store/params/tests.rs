//! Parameters that are read, refused, and written again.

use proptest::{option, prelude::*};

use super::*;
use crate::store::Reach;

fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

const ID: &str = "01a1f929-fda3-774b-8123-456789abcdef";

/// Parameters, and the ends of the range that they mean.
type Case<'a> = (&'a [(&'a str, &'a str)], Option<&'a str>, Option<&'a str>);

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn read(pairs: &[(&str, &str)]) -> Result<Query, ParameterError> {
    Query::from_params(pairs.iter().copied(), now())
}

fn refused(pairs: &[(&str, &str)]) -> ParameterError {
    read(pairs).unwrap_err()
}

#[test]
fn each_parameter_sets_its_filter() {
    let id = ID;
    let base = || Query::new().without_reads();
    let parsed: RecordId = id.parse().unwrap();
    let cases = [
        ("action", "user.*", base().action("user.*".parse().unwrap())),
        ("category", "user", base().category("user")),
        ("actor", "146", base().actor("146")),
        ("actor_type", "system", base().actor_type("system")),
        (
            "target",
            "document:4cq",
            base().target_type("document").target("4cq"),
        ),
        ("target", "document:*", base().target_type("document")),
        ("target", "4cq", base().target("4cq")),
        ("outcome", "denied", base().outcome("denied")),
        ("ip", "2001:DB8::0:1", base().ip("2001:db8::1")),
        ("ip", "39.139.42.0/24", base().ip("39.139.42.0/24")),
        (
            "session",
            "hmac-sha256:k1:9f",
            base().session("hmac-sha256:k1:9f"),
        ),
        ("request", "r", base().request("r")),
        ("tenant", "42", base().tenant("42")),
        ("application", "web", base().application("web")),
        ("service", "docs", base().service("docs")),
        ("q", "50 % off", base().text("50 % off")),
        ("reads", "1", Query::new()),
        ("before", id, base().before(parsed)),
        ("after", id, base().after(parsed)),
        ("limit", "1000", base().limit(1000)),
        ("tenant", "", base()),
    ];
    for (name, value, expected) in cases {
        let query = read(&[("range", "all"), (name, value)]);
        assert_eq!(query, Ok(expected), "{name}={value}");
    }
}

// Trap Q3: what the ends of a range mean is said once.
#[test]
fn a_range_ends_now_or_at_its_end_and_begins_seven_days_before_unless_told() {
    let cases: [Case<'_>; 10] = [
        (&[], Some("2026-11-13T12:00:00Z"), None),
        (&[("range", "")], Some("2026-11-13T12:00:00Z"), None),
        (&[("range", "1h")], Some("2026-11-20T11:00:00Z"), None),
        (&[("range", "30d")], Some("2026-10-21T12:00:00Z"), None),
        (&[("range", "all")], None, None),
        (&[("range", "custom")], None, None),
        (&[("from", "2h")], Some("2026-11-20T10:00:00Z"), None),
        (
            &[("range", "1h"), ("from", "2026-11-01"), ("to", "now")],
            Some("2026-11-01T00:00:00Z"),
            Some("2026-11-20T12:00:00Z"),
        ),
        (
            &[("to", "2026-01-08")],
            Some("2026-01-01T00:00:00Z"),
            Some("2026-01-08T00:00:00Z"),
        ),
        (
            &[("range", "24h"), ("to", "2027-01-01")],
            Some("2026-11-19T12:00:00Z"),
            Some("2027-01-01T00:00:00Z"),
        ),
    ];
    for (pairs, from, to) in cases {
        let query = read(pairs).unwrap();
        assert_eq!(
            (query.from, query.to),
            (from.map(at), to.map(at)),
            "{pairs:?}"
        );
    }
}

#[test]
fn what_cannot_be_read_names_the_parameter_and_never_the_value() {
    let long = "x".repeat(1025);
    let cases: [(&str, &str, &str); 17] = [
        ("acton", "secret", "did you mean action?"),
        ("arrived_by", "secret", "known here: range"),
        ("", "secret", "known here"),
        ("from", "secret", "2h"),
        ("to", "secret", "2026-11-20"),
        ("range", "secret", "30d"),
        ("action", "*.secret", "user.*"),
        ("actor_type", "secret", "anonymous"),
        ("outcome", "secret", "cancelled"),
        ("target", "secret:", "document:*"),
        ("session", "secret", "hmac-sha256"),
        ("reads", "secret", "write 1"),
        ("before", "secret", "UUID"),
        ("after", "secret", "UUID"),
        ("limit", "0", "1 to 1000"),
        ("limit", "1001", "1 to 1000"),
        ("q", &long, "1024 bytes"),
    ];
    for (name, value, reason) in cases {
        let error = refused(&[(name, value)]);
        assert_eq!(error.parameter, name);
        assert!(error.reason.contains(reason), "{name}: {error}");
        assert!(!error.to_string().contains("secret"), "{name}: {error}");
    }
    let error = refused(&[("actor", "1"), ("actor", "2")]);
    assert_eq!(
        error.to_string(),
        "the parameter \"actor\": it is there twice; write it once"
    );
    let both = refused(&[("before", ID), ("after", ID)]);
    assert_eq!(both.parameter, "after");
    read(&[("actor", ""), ("actor", "2")]).unwrap();
    let hostile = refused(&[(&"\u{202e}".repeat(9999), "")]);
    assert_eq!(hostile.parameter.chars().count(), 64);
    read(&[("q", &long[..1024])]).unwrap();
}

#[test]
fn a_reach_is_no_parameter() {
    let query = Query::new().within(Reach::tenant("42")).arrived_by(7);
    let expected = [("range", "all".to_owned()), ("reads", "1".to_owned())];
    assert_eq!(query.params(), expected);
}

fn text() -> impl Strategy<Value = Option<String>> {
    option::of("\\PC{1,20}")
}

prop_compose! {
    fn who()(
        actor in text(),
        actor_type in option::of(prop::sample::select(ActorType::ALL.to_vec())),
        target_type in text(),
        target in text(),
        tenant in text(),
        application in text(),
        service in text(),
    ) -> Query {
        Query {
            actor,
            actor_type: actor_type.map(|kind| kind.as_str().to_owned()),
            target_type,
            target,
            tenant,
            application,
            service,
            ..Query::default()
        }
    }
}

fn times() -> impl Strategy<Value = Option<Timestamp>> {
    option::of((0..=Timestamp::MAX.as_micros()).prop_map(Timestamp::from_micros))
}

fn ids() -> impl Strategy<Value = Option<RecordId>> {
    let at = (0..=Timestamp::MAX.as_micros()).prop_map(Timestamp::from_micros);
    option::of(at.prop_map(RecordId::lowest_at))
}

prop_compose! {
    fn queries()(
        who in who(),
        action in option::of("[a-z]{1,5}(\\.[a-z]{1,5}|\\.\\*)?"),
        outcome in option::of(prop::sample::select(Outcome::ALL.to_vec())),
        session in option::of("hmac-sha256:k1:[0-9a-f]{0,9}"),
        texts in (text(), text(), text()),
        range in (times(), times(), ids(), ids()),
        ip in option::of(any::<IpAddr>()),
        without_reads in any::<bool>(),
        limit in option::of(1..=1000_usize),
    ) -> Query {
        Query {
            action: action.map(|text| text.parse().unwrap()),
            outcome: outcome.map(|outcome| outcome.as_str().to_owned()),
            session,
            category: texts.0,
            request: texts.1,
            text: texts.2,
            from: range.0,
            to: range.1,
            before: range.2.filter(|_| range.3.is_none()),
            after: range.3,
            ip: ip.map(|ip| ip.to_string()),
            without_reads,
            limit,
            ..who
        }
    }
}

proptest! {
    #[test]
    fn the_parameters_of_a_query_read_back_give_an_equal_query(
        query in queries(),
        now in times(),
    ) {
        let now = now.unwrap_or_else(self::now);
        let params = query.params();
        prop_assert_eq!(Query::from_params(params.clone(), now), Ok(query), "{:?}", params);
    }
}
