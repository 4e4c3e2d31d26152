//! Counts are exact and memory is bounded, whoever sends what.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::record::{Action, Actor, Http, Outcome};

const PER_MINUTE: u32 = 100;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_767_225_600_000_000 + seconds * 1_000_000)
}

fn refused(address: Option<IpAddr>, action: &str) -> Box<Record> {
    let mut record = Record::new(Action::from(action)).denied("no credential");
    record.context.ip_address = address.map(Into::into);
    record.context.http = Some(Http::new().method("POST").route("/login").status(401));
    record.context.user_agent = Some("curl".into());
    Box::new(record)
}

fn ip(text: &str) -> Option<IpAddr> {
    text.parse().ok()
}

/// How many requests a record stands for.
fn weight(record: &Record) -> u64 {
    record.count.unwrap_or(1)
}

/// A flood at one time, and what was written of it.
struct Played {
    flood: Flood,
    written: Vec<Record>,
}

impl Played {
    fn new() -> Self {
        Self {
            flood: Flood::default(),
            written: Vec::new(),
        }
    }

    fn send(&mut self, address: Option<IpAddr>, action: &str, seconds: i64) {
        let record = refused(address, action);
        self.send_record(address, record, seconds);
    }

    fn send_record(&mut self, address: Option<IpAddr>, record: Box<Record>, seconds: i64) {
        let now = at(seconds);
        let (passed, overdue) = self.flood.pass(address, record, now, now, PER_MINUTE);
        self.written.extend(overdue);
        if let Passed::Record(record) = passed {
            self.written.push(*record);
        }
    }

    fn end(mut self) -> Vec<Record> {
        self.written.extend(self.flood.drain());
        self.written
    }
}

fn folded(records: &[Record]) -> Vec<&Record> {
    let folded = records.iter().filter(|record| record.count.is_some());
    folded.collect()
}

fn total(records: &[Record]) -> u64 {
    records.iter().map(weight).sum()
}

#[test]
fn a_client_within_the_rate_is_not_folded() {
    let mut played = Played::new();
    for second in 0..300 {
        for _ in 0..PER_MINUTE / 60 {
            played.send(ip("192.0.2.1"), "user.login", second);
        }
    }
    let records = played.end();
    assert_eq!(folded(&records), Vec::<&Record>::new());
    assert_eq!(total(&records), 300);
}

#[test]
fn beyond_the_rate_one_record_says_what_is_alike_and_how_often() {
    let mut played = Played::new();
    for second in 0..50 {
        for _ in 0..10 {
            played.send(ip("192.0.2.1"), "user.login", second);
        }
    }
    assert_eq!(played.flood.folded(), 400);
    assert_eq!(played.flood.due(at(59)), Vec::new());
    let expected = Record::new("user.login")
        .outcome(Outcome::Denied)
        .context(
            crate::record::Context::new()
                .ip_address("192.0.2.1")
                .http(Http::new().method("POST").route("/login").status(401)),
        )
        .folded(400, at(10), at(49));
    assert_eq!(played.flood.due(at(60)), [expected]);
    assert_eq!(played.end().len(), 100);
}

#[test]
fn actions_outcomes_and_statuses_are_told_apart() {
    let mut played = Played::new();
    for _ in 0..PER_MINUTE {
        played.send(None, "a.b", 0);
    }
    for _ in 0..3 {
        played.send(None, "a.b", 1);
        played.send(None, "a.c", 2);
        let mut record = refused(None, "a.b");
        record.outcome = Some(Outcome::Failure);
        record.actor = Some(Actor::anonymous());
        played.send_record(None, record, 3);
        let mut record = refused(None, "a.b");
        record.context.http = Some(Http::new().method("POST").route("/login").status(429));
        played.send_record(None, record, 4);
    }
    let records = played.end();
    let folded = folded(&records);
    let counts: Vec<_> = folded
        .iter()
        .map(|record| (record.count, record.first))
        .collect();
    assert_eq!(
        counts,
        [1, 2, 3, 4].map(|second| (Some(3), Some(at(second))))
    );
    assert_eq!(folded[0].actor, None);
    assert_eq!(folded[2].actor, Some(Actor::anonymous()));
}

#[test]
fn an_ipv6_network_is_one_client_and_is_named() {
    let mut played = Played::new();
    for n in 0..150_u16 {
        played.send(ip(&format!("2001:db8:1:2:{n:x}::1")), "a.b", 0);
    }
    played.send(ip("2001:db8:1:3::1"), "a.b", 0);
    let records = played.end();
    let folded = folded(&records);
    assert_eq!(records.len(), 102);
    assert_eq!(folded[0].count, Some(50));
    let place = folded[0].context.ip_address.as_deref();
    assert_eq!(place, Some("2001:db8:1:2::/64"));
}

#[test]
fn a_form_of_the_address_that_hides_it_stays_hidden() {
    for (first, second, expected) in [
        (
            "2001:db8:1::/48",
            "2001:db8:1::/48",
            Some("2001:db8:1::/48"),
        ),
        ("hmac-sha256:k1:aa", "hmac-sha256:k1:bb", None),
        ("192.0.2.0/24", "192.0.2.1", None),
    ] {
        let mut played = Played::new();
        for n in 0..110 {
            let mut record = refused(None, "a.b");
            let place = if n % 2 == 0 { first } else { second };
            record.context.ip_address = Some(place.into());
            played.send_record(ip("2001:db8:1:2::1"), record, 0);
        }
        let records = played.end();
        let place = folded(&records)[0].context.ip_address.as_deref();
        assert_eq!(place, expected, "{first}, {second}");
    }
}

#[test]
fn a_clock_that_steps_back_neither_ends_a_minute_early_nor_holds_one_open() {
    let mut played = Played::new();
    for (second, expected) in [(100, 0), (70, 0), (41, 0), (39, 1), (-3000, 2), (-2940, 3)] {
        for _ in 0..=PER_MINUTE {
            played.send(None, "a.b", second);
        }
        let due = played.flood.due(at(second));
        played.written.extend(due);
        assert_eq!(folded(&played.written).len(), expected, "{second}");
    }
    assert_eq!(total(&played.end()), 6 * u64::from(PER_MINUTE + 1));
}

#[test]
fn what_nobody_asks_for_is_given_to_requests_in_portions() {
    let mut played = Played::new();
    for n in 0..200_u32 {
        let address = Some(IpAddr::from(n.to_be_bytes()));
        for _ in 0..=PER_MINUTE {
            played.send(address, "a.b", 0);
        }
    }
    assert_eq!(folded(&played.written).len(), 0);
    played.send(None, "a.b", 60);
    played.send(None, "a.b", 64);
    assert_eq!(folded(&played.written).len(), 0);
    for n in 1..=7 {
        played.send(None, "a.b", 65);
        assert_eq!(folded(&played.written).len(), 200.min(n * PORTION));
    }
    assert_eq!(total(&played.end()), 200 * u64::from(PER_MINUTE + 1) + 9);
}

// Trap C19: a million, many addresses, made-up methods and routes; the counts stay exact.
#[test]
fn many_clients_and_many_kinds_are_bounded_and_counted() {
    let mut played = Played::new();
    let most = CLIENTS_AT_FULL_RATE * u64::from(PER_MINUTE);
    let long = "x".repeat(fold::TEXT_BYTES + 1);
    for n in 0..200_000_u32 {
        let address = Some(IpAddr::from((n % 20_000).to_be_bytes()));
        match n % 3 {
            0 => played.send(address, "a.b", 0),
            1 => played.send(address, &format!("M{n}"), 0),
            _ => played.send(address, &long, 0),
        }
    }
    let sent_by_one = 800_000;
    for n in 0..sent_by_one {
        played.send(ip("192.0.2.1"), &format!("M{n}"), 1);
    }
    let records = played.end();
    assert_eq!(total(&records), 200_000 + sent_by_one);
    let folded = folded(&records);
    assert!(folded.len() <= FOLDS + 6, "{}", folded.len());
    assert_eq!((records.len() - folded.len()) as u64, most);
    let longest = folded.iter().map(|record| record.action.as_str().len());
    assert!(longest.max().unwrap() <= fold::TEXT_BYTES);
}

#[test]
fn clients_beyond_the_table_are_one_client_without_address() {
    let mut played = Played::new();
    for n in 0..5000_u32 {
        let address = Some(IpAddr::from(((1 << 24) | n).to_be_bytes()));
        let record = refused(address, "a.b");
        played.send_record(address, record, 0);
    }
    for _ in 0..1000 {
        played.send(ip("192.0.2.200"), "a.b", 0);
    }
    let records = played.end();
    let folded = folded(&records);
    // 904 clients and the last one have no place of their own: 100 of their records pass.
    assert_eq!(folded.len(), 1);
    assert_eq!(
        folded[0].count,
        Some(5000 - CLIENTS as u64 + 1000 - u64::from(PER_MINUTE))
    );
    assert_eq!(folded[0].context.ip_address, None);
    assert!(folded[0].reason.is_some());
}

#[test]
fn debug_shows_how_many_were_folded_and_nobody_of_them() {
    let mut played = Played::new();
    for _ in 0..=PER_MINUTE {
        played.send(ip("192.0.2.1"), "document.delete", 0);
    }
    assert_eq!(format!("{:?}", played.flood), "Flood { folded: 1, .. }");
}

#[test]
fn an_actor_who_is_not_known_is_no_anonymous_one() {
    let mut played = Played::new();
    for _ in 0..PER_MINUTE {
        played.send(None, "a.b", 0);
    }
    let (unknown, anonymous) = (Actor::unknown(), Actor::anonymous());
    for (action, actor) in [
        ("a.unknown", &unknown),
        ("a.anonymous", &anonymous),
        ("a.both", &unknown),
        ("a.both", &anonymous),
    ] {
        let record = refused(None, action).actor(actor.clone());
        played.send_record(None, Box::new(record), 0);
    }
    let records = played.end();
    for (action, expected) in [
        ("a.unknown", Some(&unknown)),
        ("a.anonymous", Some(&anonymous)),
        ("a.both", None),
    ] {
        let mut folded = folded(&records).into_iter();
        let record = folded.find(|record| record.action == action).unwrap();
        assert_eq!(record.actor.as_ref(), expected, "{action}");
    }
}

#[test]
fn nothing_is_folded_after_the_last_counts_were_taken() {
    let mut played = Played::new();
    for _ in 0..=PER_MINUTE {
        played.send(None, "a.b", 0);
    }
    assert_eq!(played.flood.drain().len(), 1);
    for _ in 0..1000 {
        played.send(None, "a.b", 0);
    }
    assert_eq!(played.written.len(), 1100);
}

/// A client, an action and the seconds that pass before it.
fn request() -> impl Strategy<Value = (u8, u8, i64)> {
    (
        0..6_u8,
        0..12_u8,
        prop_oneof![8 => Just(0), 1 => 0..100_i64, 1 => -200..0_i64],
    )
}

proptest! {
    #[test]
    fn each_request_is_in_exactly_one_record(
        requests in prop::collection::vec(request(), 0..2000),
        per_minute in 0..20_u32,
        ask_every in 1..300_usize,
    ) {
        let flood = Flood::default();
        let (mut sent, mut written) = (BTreeMap::new(), BTreeMap::new());
        let mut count = |records: Vec<Record>| for record in records {
            *written.entry(record.outcome.map(Outcome::as_str)).or_insert(0) += weight(&record);
        };
        let mut now = at(0);
        for (n, (client, action, seconds)) in requests.into_iter().enumerate() {
            now = Timestamp::from_micros(now.as_micros() + seconds * 1_000_000);
            let address = (client > 0).then(|| IpAddr::from([192, 0, 2, client]));
            let mut record = refused(address, &format!("a.{action}"));
            record.outcome = Some(if action % 2 == 0 { Outcome::Denied } else { Outcome::Failure });
            *sent.entry(record.outcome.map(Outcome::as_str)).or_insert(0) += 1;
            let (passed, overdue) = flood.pass(address, record, now, now, per_minute);
            count(overdue);
            if let Passed::Record(record) = passed {
                count(vec![*record]);
            }
            if n % ask_every == 0 {
                count(flood.due(now));
            }
        }
        count(flood.drain());
        prop_assert_eq!(sent, written);
    }
}
