//! Each filter on each database, browsed, followed and counted.

use tower_audit::store::{Field, Query, Reach};

use super::{at, numbers, pattern, places::Place};
use crate::support::batches::{batch, origin, record};

/// What happened, in the order of time; the number of each is its place.
fn records() -> Vec<(&'static str, String)> {
    let who = |tenant: &str, actor: &str, more: &str| {
        format!(
            r#","category":"user","outcome":"success","service":{{"name":"docs","instance":"web-1"}},"tenant":{{"id":"{tenant}"}},"application":{{"id":"web","name":"Console"}},"actor":{{"type":"user","id":"{actor}","name":"Flapjack Toasty"}}{more}"#
        )
    };
    let denied = r#","category":"user","outcome":"denied","reason":"bad password: 50 % \"wrong\"","actor":{"type":"anonymous","claimed":"146"},"context":{"ip_address":"39.139.42.243","request_id":"r1"}"#;
    let targets = r#","targets":[{"type":"document","id":"4cq","name":"A"},{"type":"folder","id":"7:a"},{"type":"document","id":"4cq"}],"context":{"session_id":"hmac-sha256:k1:9f","request_id":"r1","ip_address":"::1"}"#;
    let details = r#","targets":[{"type":"folder","id":"4cq"}],"details":{"hidden_name":{"Ünder":"ÉCLAIR kelvin"}}"#;
    vec![
        ("user.login", who("42", "146", targets)),
        ("user.login", denied.to_owned()),
        ("user.logout", who("42", "7", details)),
        ("userx.login", who("43", "146", r#","details":{"n":97}"#)),
        ("document.create", who("43", "7 ", "")),
        ("audit.read", who("42", "146", "")),
        ("audit.export", who("43", "7", "")),
        ("user", String::new()),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn cases() -> Vec<(&'static str, Query, &'static [u64])> {
    let all = Query::new;
    vec![
        ("all", all(), &[0, 1, 2, 3, 4, 5, 6, 7]),
        ("no reads", all().without_reads(), &[0, 1, 2, 3, 4, 7]),
        ("an action", pattern("user.login"), &[0, 1]),
        ("a prefix", pattern("user.*"), &[0, 1, 2]),
        ("a prefix of nothing", pattern("use.*"), &[]),
        ("a category", all().category("user"), &[0, 1, 2, 3, 4, 5, 6]),
        (
            "an actor, never a claimed one",
            all().actor("146"),
            &[0, 3, 5],
        ),
        (
            "an actor, without the one with a space",
            all().actor("7"),
            &[2, 6],
        ),
        ("an actor with a space", all().actor("7 "), &[4]),
        ("a type of actor", all().actor_type("anonymous"), &[1]),
        ("an outcome", all().outcome("denied"), &[1]),
        ("an address", all().ip("39.139.42.243"), &[1]),
        ("a session", all().session("hmac-sha256:k1:9f"), &[0]),
        ("a request", all().request("r1"), &[0, 1]),
        ("a tenant", all().tenant("42"), &[0, 2, 5]),
        (
            "an application",
            all().application("web"),
            &[0, 2, 3, 4, 5, 6],
        ),
        ("a service", all().service("docs"), &[0, 2, 3, 4, 5, 6]),
        (
            "a target",
            all().target_type("document").target("4cq"),
            &[0],
        ),
        ("a target's id", all().target("4cq"), &[0, 2]),
        ("a target's id with a colon", all().target("7:a"), &[0]),
        ("a target's type", all().target_type("folder"), &[0, 2]),
        ("no such target", all().target("5"), &[]),
        (
            "a target and a session",
            all().session("hmac-sha256:k1:9f").target("4cq"),
            &[0],
        ),
        (
            "a prefix and a target's type",
            pattern("user.*").target_type("folder"),
            &[0, 2],
        ),
        ("a name", all().text("flapjack").tenant("43"), &[3, 4, 6]),
        ("a reason", all().text("50 % \"WRONG\""), &[1]),
        ("details in any case", all().text("éclair KELVIN"), &[2]),
        ("a number", all().text("97"), &[3]),
        ("no wildcard", all().text("50 _"), &[]),
        ("the name of a field", all().text("hidden_name"), &[]),
        (
            "a text and an action",
            pattern("user.login").text("a"),
            &[0, 1],
        ),
        (
            "a prefix and an actor",
            pattern("user.*").actor("146"),
            &[0],
        ),
        ("quotes are only text", all().actor("' OR 1=1 --"), &[]),
        ("NUL is only text", all().actor("\0"), &[]),
        ("arrived by", all().arrived_by(3), &[0, 1, 2]),
        (
            "arrived by, and an actor",
            all().arrived_by(3).actor("146"),
            &[0],
        ),
        ("a time", all().from(at(2)).to(at(4)), &[2, 3]),
        ("a time and a target", all().from(at(1)).target("4cq"), &[2]),
        (
            "a tenant's reach",
            all().within(Reach::tenant("42")),
            &[0, 2, 5],
        ),
        (
            "two reaches",
            all().within(Reach::tenant("42")).within(Reach::actor("7")),
            &[2],
        ),
        (
            "a reach that is asked to be left",
            all().within(Reach::tenant("42")).tenant("43"),
            &[],
        ),
        (
            "reaches with nothing in common",
            all()
                .within(Reach::tenant("42"))
                .within(Reach::tenant("43")),
            &[],
        ),
        (
            "a reach and an actor outside of it",
            all().within(Reach::tenant("43")).actor("7"),
            &[6],
        ),
        (
            "a reach and a target outside of it",
            all().within(Reach::tenant("43")).target("4cq"),
            &[],
        ),
    ]
}

async fn filled() -> Vec<Place> {
    let mut places = Place::all();
    let deliveries = (0..).zip(records());
    let deliveries = deliveries.map(|(number, (action, more))| record(number, action, more));
    let batch = batch(&origin(1), deliveries.collect());
    for place in &mut places {
        place.put(&batch).await;
    }
    places
}

#[tokio::test]
async fn every_filter_finds_the_same_on_every_database_and_in_both_orders() {
    for place in filled().await {
        let (name, store) = (place.name, place.store().await);
        for (case, query, expected) in cases() {
            let followed = store.follow(&query, 0).await.unwrap();
            assert_eq!(
                numbers(&followed.records),
                expected,
                "{name}: {case}, followed"
            );
            let page = store.browse(&query).await.unwrap();
            let mut found = numbers(&page.records);
            found.reverse();
            assert_eq!(found, expected, "{name}: {case}");
            assert_eq!((page.older, page.newer), (None, None), "{name}: {case}");
            let count = store.count(&query, 100).await.unwrap();
            let number = expected.len() as u64;
            assert_eq!(
                (count.records, count.is_exact),
                (number, true),
                "{name}: {case}, counted"
            );
            let bars = store
                .histogram(&query.clone().from(at(0)), 3)
                .await
                .unwrap()
                .bars;
            let counts = bars
                .iter()
                .flat_map(|bar| &bar.outcomes)
                .map(|(_, count)| count);
            let number = if case.starts_with("a time") {
                counts.clone().sum()
            } else {
                number
            };
            assert_eq!(counts.sum::<u64>(), number, "{name}: {case}, histogram");
        }
    }
}

#[tokio::test]
async fn a_record_out_of_reach_is_not_there() {
    for place in filled().await {
        let store = place.store().await;
        let page = store.browse(&pattern("user.logout")).await.unwrap();
        let record = &page.records[0];
        for (reach, is_there) in [
            (Reach::default(), true),
            (Reach::tenant("42"), true),
            (Reach::tenant("42").and(Reach::actor("7")), true),
            (Reach::tenant("43"), false),
            (Reach::tenant("42").and(Reach::actor("146")), false),
            (Reach::tenant("42").and(Reach::tenant("43")), false),
        ] {
            let found = store.record(record.id, &reach).await.unwrap();
            let expected = is_there.then(|| record.clone());
            assert_eq!(found, expected, "{}: {reach:?}", place.name);
        }
        let lowest = tower_audit::clock::RecordId::lowest_at(at(2));
        assert_eq!(store.record(lowest, &Reach::default()).await.unwrap(), None);
    }
}

// Trap Q9: what can be chosen is what is there, and within a reach only what is in it.
#[tokio::test]
async fn choices_are_the_values_that_occur_within_reach() {
    let tenant = || Reach::tenant("42");
    for place in filled().await {
        let store = place.store().await;
        let cases: [(Field, Reach, &[&str]); 9] = [
            (
                Field::Action,
                Reach::default(),
                &[
                    "audit.export",
                    "audit.read",
                    "document.create",
                    "user",
                    "user.login",
                    "user.logout",
                    "userx.login",
                ],
            ),
            (
                Field::Action,
                tenant(),
                &["audit.read", "user.login", "user.logout"],
            ),
            (Field::Outcome, Reach::default(), &["denied", "success"]),
            (Field::Category, tenant(), &["user"]),
            (Field::Tenant, Reach::default(), &["42", "43"]),
            (Field::Tenant, tenant(), &["42"]),
            (Field::Application, Reach::actor("146"), &["web"]),
            (Field::Service, Reach::default(), &["docs"]),
            (Field::Actor, tenant().and(Reach::tenant("43")), &[]),
        ];
        for (field, reach, expected) in cases {
            let choices = store.choices(field, &reach, 10).await.unwrap();
            let case = format!("{}: {field:?} {reach:?}", place.name);
            assert_eq!(
                (choices.values.as_slice(), choices.is_complete),
                (
                    expected
                        .iter()
                        .map(|text| (*text).to_owned())
                        .collect::<Vec<_>>()
                        .as_slice(),
                    true
                ),
                "{case}"
            );
            if expected.len() > 1 {
                let fewer = store.choices(field, &reach, 1).await.unwrap();
                assert_eq!(
                    (fewer.values.len(), fewer.is_complete),
                    (1, false),
                    "{case}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_prefix_with_a_nul_is_found_as_it_was_stored() {
    for mut place in Place::all() {
        let more = r#","actor":{"type":"user","id":"7"},"outcome":"success""#;
        let records = vec![record(1, "a\\u0000b.c", more), record(2, "a.c", more)];
        place.put(&batch(&origin(1), records)).await;
        let store = place.store().await;
        // Along the index of actions, and along another.
        for query in [pattern("a\0b.*"), pattern("a\0b.*").actor("7")] {
            let page = store.browse(&query).await;
            let page = page.unwrap_or_else(|error| panic!("{}: {error:?}", place.name));
            assert_eq!(numbers(&page.records), [1], "{}: {query:?}", place.name);
        }
    }
}

#[tokio::test]
async fn what_differs_only_in_spaces_at_its_end_is_not_passed_over() {
    for mut place in Place::all() {
        let of = |kind: &str| format!(r#","targets":[{{"type":"{kind}","id":"7"}}]"#);
        let records = vec![
            record(1, "user.login", of("folder")),
            record(2, "user.login ", of("folder ")),
            record(3, "user.login  ", of("folder")),
            record(4, "user.logout", of("other")),
        ];
        place.put(&batch(&origin(1), records)).await;
        let store = place.store().await;
        for (query, expected) in [
            (pattern("user.*"), vec![4, 3, 2, 1]),
            (Query::new().target("7"), vec![4, 3, 2, 1]),
            (pattern("user.login "), vec![2]),
            (Query::new().target_type("folder").target("7"), vec![3, 1]),
        ] {
            let page = store.browse(&query).await.unwrap();
            assert_eq!(
                numbers(&page.records),
                expected,
                "{}: {query:?}",
                place.name
            );
            let count = store.count(&query, 100).await.unwrap();
            assert_eq!(count.records, expected.len() as u64, "{}", place.name);
        }
    }
}
