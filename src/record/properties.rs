//! What holds for every record, whatever is in it.

use std::{sync::LazyLock, time::Duration};

use proptest::{collection::vec, option, prelude::*};
use serde_json::{Value, json};

use super::{json::Finished, marks::cap, *};
use crate::text;

/// The published schema, but without the room it leaves for later versions.
static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    let mut schema: Value = serde_json::from_str(PUBLISHED).unwrap();
    close(&mut schema);
    jsonschema::options()
        .should_validate_formats(true)
        .build(&schema)
        .unwrap()
});

const PUBLISHED: &str = include_str!("../../docs/record.schema.json");

/// Refuses undocumented fields in every object whose fields are listed.
fn close(schema: &mut Value) {
    if let Some(map) = schema.as_object_mut() {
        if map.get("properties").is_some_and(Value::is_object) {
            map.insert("additionalProperties".to_owned(), json!(false));
        }
        map.values_mut().for_each(close);
    }
}

/// Texts as they come: short and harmless, anything at all, far too long.
fn texts() -> impl Strategy<Value = String> + Clone {
    prop_oneof![
        4 => "[ -~]{1,20}",
        1 => any::<String>(),
        1 => (any::<char>(), 0..6000_usize).prop_map(|(one, times)| String::from(one).repeat(times)),
    ]
}

/// Texts that are written as they are.
fn plain_texts() -> impl Strategy<Value = String> + Clone {
    "[ -~ä日]{1,20}"
}

fn values(texts: impl Strategy<Value = String> + Clone + 'static) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!([number])),
        texts.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((texts.clone(), inner), 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn actors(
    texts: impl Strategy<Value = String> + Clone + 'static,
    beyond: usize,
) -> impl Strategy<Value = Actor> {
    let one = (
        proptest::sample::select(ActorType::ALL),
        vec(option::of(texts.clone()), 5),
        option::of((texts.clone(), texts)),
    )
        .prop_map(|(kind, facts, credential)| {
            let mut facts = facts.into_iter().map(|fact| fact.map(Text::from));
            let mut next = || facts.next().flatten();
            let mut actor = Actor::new(kind);
            actor.id = next();
            actor.name = next();
            actor.email = next();
            actor.claimed = next();
            actor.auth_method = next();
            actor.credential = credential.map(|(kind, id)| Credential::new(kind, id));
            actor
        });
    vec(one, 1..=1 + Actor::MAX_ON_BEHALF_OF + beyond).prop_map(|chain| {
        chain
            .into_iter()
            .reduce(|other, actor| actor.on_behalf_of(other))
            .unwrap()
    })
}

fn contexts(
    texts: impl Strategy<Value = String> + Clone,
    beyond: usize,
) -> impl Strategy<Value = Context> {
    let facts = vec(option::of(texts.clone()), 10);
    let http = option::of(any::<u16>());
    (
        facts,
        vec(texts, 0..=Context::MAX_FORWARDED + beyond),
        http,
        any::<Option<u32>>(),
    )
        .prop_map(|(facts, forwarded, status, duration)| {
            let mut facts = facts.into_iter().map(|fact| fact.map(Text::from));
            let mut next = || facts.next().flatten();
            Context {
                ip_address: next(),
                peer_address: next(),
                forwarded: forwarded.into_iter().map(Text::from).collect(),
                user_agent: next(),
                session_id: next(),
                previous_session_id: next(),
                request_id: next(),
                trace_id: next(),
                span_id: next(),
                http: Some(Http {
                    method: next(),
                    route: next(),
                    status,
                }),
                duration: duration.map(|micros| Duration::from_micros(micros.into())),
            }
        })
}

/// Records with up to so many entries `beyond` the limits that records have.
fn records(
    texts: impl Strategy<Value = String> + Clone + 'static,
    beyond: usize,
) -> impl Strategy<Value = Record> {
    let targets = vec((texts.clone(), texts.clone(), texts.clone()), 0..4);
    let changes = vec(
        (texts.clone(), values(texts.clone()), values(texts.clone())),
        0..4,
    );
    let details = vec((texts.clone(), values(texts.clone())), 0..4);
    let facts = vec(option::of(texts.clone()), 10);
    (
        (texts.clone(), facts),
        option::of(proptest::sample::select(Outcome::ALL)),
        option::of(actors(texts.clone(), beyond)),
        contexts(texts, beyond),
        (targets, changes, details),
        option::of((any::<u64>(), any::<i64>(), any::<i64>())),
    )
        .prop_map(
            |((action, facts), outcome, actor, context, lists, folded)| {
                let mut facts = facts.into_iter().map(|fact| fact.map(Text::from));
                let mut next = || facts.next().flatten();
                let mut record = Record::new(action).context(context);
                (record.outcome, record.actor) = (outcome, actor);
                (record.category, record.reason) = (next(), next());
                record.error = Some(Fault {
                    kind: next(),
                    code: next(),
                    message: next(),
                });
                record.tenant = Some(Tenant {
                    id: next(),
                    name: next(),
                    domain: next(),
                });
                record.application = Some(Application {
                    id: next(),
                    name: next(),
                });
                for (kind, id, name) in lists.0 {
                    record = record.target(Target::new(kind, id).name(name));
                }
                for (field, previous, current) in lists.1 {
                    record = record.change(field, previous, current);
                }
                for (name, value) in lists.2 {
                    record = record.detail(name, value);
                }
                if let Some((count, first, last)) = folded {
                    let [first, last] = [first, last].map(Timestamp::from_micros);
                    record = record.folded(count, first, last);
                }
                record
            },
        )
}

fn times() -> impl Strategy<Value = Timestamp> {
    (0..=Timestamp::MAX.as_micros()).prop_map(Timestamp::from_micros)
}

fn service() -> Service {
    Service::new("docs").version("1.4.2").instance("web-1")
}

fn finish(record: Record, at: Timestamp) -> Finished {
    record.finish(RecordId::lowest_at(at), at, &service())
}

fn check(json: &str) -> Result<(), TestCaseError> {
    prop_assert!(json.len() <= cap::RECORD, "{} bytes", json.len());
    prop_assert!(text::is_clean(json, usize::MAX), "{:?}", json);
    let value: Value = serde_json::from_str(json).unwrap();
    let faults: Vec<_> = SCHEMA
        .iter_errors(&value)
        .map(|fault| fault.to_string())
        .collect();
    prop_assert!(faults.is_empty(), "{:?} in {}", faults, json);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_record_becomes_one_clean_line_within_the_cap_and_the_schema(
        record in records(texts(), 4), at in times(),
    ) {
        check(&finish(record, at).json)?;
    }

    #[test]
    fn a_record_read_back_is_written_with_the_same_bytes(
        record in records(texts(), 4), at in times(),
    ) {
        let first = finish(record, at);
        let read = Record::from_json(&first.json).unwrap();
        prop_assert_eq!(read.truncated.is_empty(), !first.truncated);
        let again = read.finish(first.id, Timestamp::MIN, &Service::new("another"));
        prop_assert_eq!(again.json, first.json);
    }

    #[test]
    fn plain_facts_come_back_as_they_were(record in records(plain_texts(), 0), at in times()) {
        let mut expected = record.clone();
        let finished = finish(record, at);
        prop_assert!(!finished.truncated);
        (expected.id, expected.timestamp) = (Some(finished.id), Some(at));
        expected.service = Some(service());
        expected.outcome.get_or_insert(Outcome::Unknown);
        let noun = expected.action.noun().map(Text::from);
        expected.category = expected.category.or(noun);
        // What says nothing is absent.
        expected.error = expected.error.filter(|error| !error.is_empty());
        expected.tenant = expected.tenant.filter(|tenant| !tenant.is_empty());
        expected.application = expected.application.filter(|it| !it.is_empty());
        expected.context.http = expected.context.http.filter(|http| *http != Http::default());
        prop_assert_eq!(Record::from_json(&finished.json).unwrap(), expected);
    }

    #[test]
    fn any_bytes_are_a_record_or_an_error(bytes: Vec<u8>, text: String) {
        let _ = Record::from_json(&bytes);
        let _ = Record::from_json(format!(r#"{{"action":"{text}"}}"#));
    }
}

/// A record in which every text is as bad as can be, with so many entries in its lists.
fn stuffed(entries: usize) -> Record {
    let bad = || "\"\\".repeat(5000);
    let actor = || {
        Actor::user(bad())
            .name(bad())
            .email(bad())
            .claimed(bad())
            .auth_method(bad())
            .credential(bad(), bad())
    };
    let mut context = Context::new()
        .ip_address(bad())
        .peer_address(bad())
        .user_agent(bad())
        .session_id(bad())
        .previous_session_id(bad())
        .request_id(bad())
        .trace_id(bad())
        .span_id(bad())
        .http(Http::new().method(bad()).route(bad()).status(u16::MAX))
        .duration(Duration::MAX);
    // trap C15
    context.forwarded = vec![bad().into(); 1000];
    let mut record = Record::new(bad())
        .category(bad())
        .denied(bad())
        .error(Fault::new(bad()).kind(bad()).code(bad()))
        .actor((0..100).fold(actor(), |other, _| actor().on_behalf_of(other)))
        .tenant(Tenant::new(bad()).name(bad()).domain(bad()))
        .application(Application::new(bad()).name(bad()))
        .context(context)
        .folded(u64::MAX, Timestamp::MAX, Timestamp::MAX);
    for entry in 0..entries {
        record = record
            .target(Target::new(bad(), bad()).name(bad()))
            .change(bad(), bad(), bad())
            .detail(format!("{entry}{}", bad()), json!({bad(): [bad()]}));
    }
    record
}

#[test]
fn the_cap_holds_with_every_text_full_of_escapes() {
    let service = Service::new("\\".repeat(300))
        .version("\"".repeat(300))
        .instance("\"".repeat(300));
    for entries in [0, 1, 10, 200] {
        let record = stuffed(entries).finish(
            RecordId::lowest_at(Timestamp::MAX),
            Timestamp::MAX,
            &service,
        );
        check(&record.json).unwrap();
        let read = Record::from_json(&record.json).unwrap();
        assert!(
            !read.truncated.contains_key("truncated"),
            "{:?}",
            read.truncated
        );
        assert_eq!(read.context.forwarded.len(), Context::MAX_FORWARDED);
        assert_eq!(read.targets.is_empty(), entries == 0);
    }
}

#[test]
fn details_give_way_before_changes_and_those_before_targets() {
    let text = "x".repeat(4000);
    let mut record = Record::new("a.b")
        .target(Target::new("t", 1))
        .change("small", 1, 2);
    for entry in 0..10 {
        record = record
            .detail(format!("d{entry}"), &text)
            .change("large", 1, &text);
    }
    record = record.detail("small", 7);
    let read = |record: Record| Record::from_json(finish(record, Timestamp::MIN).json).unwrap();

    let details_gave_way = read(record.clone());
    assert_eq!(details_gave_way.changes.len(), 11);
    assert!(
        (2..11).contains(&details_gave_way.details.len()),
        "{}",
        details_gave_way.details.len()
    );
    assert_eq!(details_gave_way.details["small"], 7);
    assert_eq!(details_gave_way.truncated["details"], 40_091);

    for _ in 0..10 {
        record = record.change("late", 1, &text);
    }
    let changes_gave_way = read(record.clone());
    assert!(changes_gave_way.details.is_empty());
    assert!(
        (12..21).contains(&changes_gave_way.changes.len()),
        "{}",
        changes_gave_way.changes.len()
    );
    assert_eq!(changes_gave_way.targets.len(), 1);

    for entry in 0..5000 {
        record = record.target(Target::new("t", entry));
    }
    let targets_gave_way = read(record);
    assert!(targets_gave_way.changes.is_empty());
    assert!(
        (1000..5000).contains(&targets_gave_way.targets.len()),
        "{}",
        targets_gave_way.targets.len()
    );
    assert_eq!(targets_gave_way.truncated.len(), 3);
}

#[test]
fn marks_that_others_wrote_hold_the_cap_too() {
    let mut record = Record::new("a.b");
    record.truncated = (0..20_000).map(|n| (format!("details.{n}"), 1)).collect();
    record.truncated.insert("a\nb".to_owned(), 1);
    let finished = finish(record, Timestamp::MIN);
    check(&finished.json).unwrap();
    assert!(finished.truncated);
}
