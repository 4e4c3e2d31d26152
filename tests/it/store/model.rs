//! Random records and random questions against a model in memory: the same records in the same
//! order, and pages that are chained cover each of them once, both ways.

use std::time::{Duration, Instant};

use proptest::{option, prelude::*, sample::select, strategy::ValueTree, test_runner::TestRunner};
use tower_audit::{
    clock::{RecordId, Timestamp},
    sink::Delivery,
    store::{ActionPattern, Query, Reach, Store, Stored},
};

use super::{at, places::Place};
use crate::support::batches::{batch, origin, record};

/// More than one window of a walk.
const RECORDS: usize = 2500;
const QUERIES: usize = 60;

/// What the model knows of a record.
#[derive(Debug, Clone)]
struct Known {
    micros: u64,
    action: &'static str,
    outcome: &'static str,
    actor: Option<&'static str>,
    tenant: Option<&'static str>,
    targets: Vec<(&'static str, &'static str)>,
    note: Option<&'static str>,
}

const ACTIONS: [&str; 6] = ["a.b", "a.c", "a.b.c", "ab.c", "audit.read", "audit.export"];
const OUTCOMES: [&str; 3] = ["success", "denied", "error"];
const IDS: [&str; 4] = ["1", "2", "2 ", "é"];
const TYPES: [&str; 3] = ["document", "folder", "x"];
const NOTES: [&str; 4] = ["Plan", "PLAN 9", "50%", "É\"b"];
const TEXTS: [&str; 5] = ["plan", "n 9", "0%", "é\"B", "_"];

fn known() -> impl Strategy<Value = Known> {
    let target = (select(&TYPES[..]), select(&IDS[..]));
    (
        select(&ACTIONS[..]),
        select(&OUTCOMES[..]),
        option::of(select(&IDS[..])),
        option::of(select(&IDS[..])),
        prop::collection::vec(target, 0..3),
        option::of(select(&NOTES[..])),
    )
        .prop_map(|(action, outcome, actor, tenant, targets, note)| Known {
            micros: 0,
            action,
            outcome,
            actor,
            tenant,
            targets,
            note,
        })
}

impl Known {
    fn delivery(&self) -> Delivery {
        let id = |name: &str, id: &str| format!(r#","{name}":{{"id":{id:?}}}"#);
        let mut more = format!(r#","outcome":"{}""#, self.outcome);
        more.extend(self.actor.map(|actor| id("actor", actor)));
        more.extend(self.tenant.map(|tenant| id("tenant", tenant)));
        let targets = self.targets.iter();
        let targets = targets.map(|(kind, id)| format!(r#"{{"type":"{kind}","id":{id:?}}}"#));
        let targets: Vec<String> = targets.collect();
        more.push_str(&format!(r#","targets":[{}]"#, targets.join(",")));
        more.extend(
            self.note
                .map(|note| format!(r#","details":{{"plan":{note:?}}}"#)),
        );
        record(self.micros, self.action, more)
    }
}

/// A question, as the model and as a store understand it.
#[derive(Debug, Clone)]
struct Asked {
    action: Option<&'static str>,
    outcome: Option<&'static str>,
    actor: Option<&'static str>,
    tenant: Option<&'static str>,
    target: (Option<&'static str>, Option<&'static str>),
    text: Option<&'static str>,
    from: Option<u64>,
    to: Option<u64>,
    reach: Option<&'static str>,
    no_reads: bool,
    arrived_by: Option<u64>,
}

fn asked() -> impl Strategy<Value = Asked> {
    let seldom = |values: &'static [&'static str]| option::weighted(0.3, select(values));
    let time = || option::weighted(0.3, 0..RECORDS as u64 * 2);
    (
        seldom(&["a.b", "a.c", "a.*", "ab.*", "z.*", "audit.*"]),
        seldom(&OUTCOMES),
        seldom(&IDS),
        seldom(&IDS),
        (seldom(&TYPES), seldom(&IDS)),
        seldom(&TEXTS),
        (time(), time()),
        seldom(&IDS),
        any::<bool>(),
        time(),
    )
        .prop_map(
            |(action, outcome, actor, tenant, target, text, (from, to), reach, no_reads, by)| {
                Asked {
                    action,
                    outcome,
                    actor,
                    tenant,
                    target,
                    text,
                    from,
                    to,
                    reach,
                    no_reads,
                    arrived_by: by,
                }
            },
        )
}

impl Asked {
    fn query(&self) -> Query {
        let mut query = Query::new();
        if let Some(action) = self.action {
            query = query.action(action.parse::<ActionPattern>().unwrap());
        }
        for (value, set) in [
            (
                self.outcome,
                Query::outcome as fn(Query, &'static str) -> Query,
            ),
            (self.actor, Query::actor),
            (self.tenant, Query::tenant),
            (self.target.0, Query::target_type),
            (self.target.1, Query::target),
            (self.text, Query::text),
        ] {
            if let Some(value) = value {
                query = set(query, value);
            }
        }
        if let Some(from) = self.from {
            query = query.from(at(from.cast_signed()));
        }
        if let Some(to) = self.to {
            query = query.to(at(to.cast_signed()));
        }
        if let Some(tenant) = self.reach {
            query = query.within(Reach::tenant(tenant));
        }
        if self.no_reads {
            query = query.without_reads();
        }
        match self.arrived_by {
            Some(arrival) => query.arrived_by(arrival),
            None => query,
        }
    }

    fn matches(&self, arrival: u64, known: &Known) -> bool {
        let action = self
            .action
            .is_none_or(|asked| match asked.strip_suffix('*') {
                Some(prefix) => known.action.starts_with(prefix),
                None => known.action == asked,
            });
        let (kind, id) = self.target;
        let is_target = |target: &(&str, &str)| {
            kind.is_none_or(|kind| kind == target.0) && id.is_none_or(|id| id == target.1)
        };
        let has_text = |text: &str| {
            let values = [Some(known.action), known.actor, known.tenant, known.note];
            let ids = known.targets.iter().map(|(_, id)| *id);
            let mut values = values.into_iter().flatten().chain(ids);
            let text = text.to_lowercase();
            values.any(|value| value.to_lowercase().contains(&text))
        };
        action
            && self.outcome.is_none_or(|outcome| outcome == known.outcome)
            && self.actor.is_none_or(|actor| known.actor == Some(actor))
            && self
                .tenant
                .is_none_or(|tenant| known.tenant == Some(tenant))
            && self.reach.is_none_or(|tenant| known.tenant == Some(tenant))
            && ((kind.is_none() && id.is_none()) || known.targets.iter().any(is_target))
            && self.text.is_none_or(has_text)
            && self.from.is_none_or(|from| known.micros >= from)
            && self.to.is_none_or(|to| known.micros < to)
            && !(self.no_reads && known.action.starts_with("audit."))
            && self.arrived_by.is_none_or(|by| arrival <= by)
    }
}

fn sample<T>(runner: &mut TestRunner, strategy: &impl Strategy<Value = T>) -> T {
    strategy.new_tree(runner).unwrap().current()
}

/// Every page from an end on, each not larger than asked for.
async fn pages(store: &Store, query: &Query, limit: usize, down: bool) -> Vec<Stored> {
    let mut found: Vec<Stored> = Vec::new();
    let query = query.clone().limit(limit);
    let mut next = if down {
        Some(query.clone())
    } else {
        Some(query.clone().after(RecordId::lowest_at(Timestamp::MIN)))
    };
    while let Some(asked) = next {
        let begun = Instant::now();
        let page = store.browse(&asked).await.unwrap();
        // Where it would take long to know, something may lie behind: after a fifth of a second.
        let is_long = begun.elapsed() >= Duration::from_millis(200);
        assert!(page.records.len() <= limit);
        assert!(page.records.is_sorted_by(|one, other| one.id > other.id));
        let edge = if down { page.older } else { page.newer };
        // What lies behind is known too.
        let back = if down { page.newer } else { page.older };
        let is_known = back.is_some() != found.is_empty();
        assert!(is_known || (is_long && back.is_some()), "{asked:?}");
        if down {
            found.extend(page.records);
        } else {
            found.extend(page.records.into_iter().rev());
        }
        next = edge.map(|id| {
            if down {
                query.clone().before(id)
            } else {
                query.clone().after(id)
            }
        });
    }
    found
}

async fn compare(place: &Place, store: &Store, asked: &Asked, known: &[Known], limit: usize) {
    let (name, query) = (place.name, asked.query());
    let mut expected: Vec<(u64, u64)> = (1..)
        .zip(known)
        .filter(|(arrival, known)| asked.matches(*arrival, known))
        .map(|(arrival, known)| (known.micros, arrival))
        .collect();
    let of = |found: &[Stored]| -> Vec<(u64, u64)> {
        let pair = |stored: &Stored| (stored.number, stored.arrival);
        found.iter().map(pair).collect()
    };
    let mut after = 0;
    let mut followed = Vec::new();
    loop {
        let page = store
            .follow(&query.clone().limit(limit), after)
            .await
            .unwrap();
        followed.extend(of(&page.records));
        if page.next == after {
            break;
        }
        after = page.next;
    }
    assert_eq!(followed, expected, "{name}, followed: {asked:?}");
    expected.sort_unstable();
    let up = pages(store, &query, limit, false).await;
    assert_eq!(of(&up), expected, "{name}, upwards: {asked:?}");
    expected.reverse();
    let down = pages(store, &query, limit, true).await;
    assert_eq!(of(&down), expected, "{name}, downwards: {asked:?}");
    let count = store.count(&query, u64::MAX).await.unwrap();
    let counted = (count.records, count.is_exact);
    assert_eq!(counted, (expected.len() as u64, true), "{name}: {asked:?}");
    let ranged = query
        .clone()
        .from(at(asked.from.unwrap_or(0).cast_signed()));
    let bars = store.histogram(&ranged, 7).await.unwrap();
    let counts = bars.bars.iter().flat_map(|bar| &bar.outcomes);
    let counted: u64 = counts.map(|(_, count)| count).sum();
    assert_eq!(counted, expected.len() as u64, "{name}: {bars:?} {asked:?}");
    assert_eq!(bars.counted_from, bars.from, "{name}: {asked:?}");
}

#[tokio::test]
async fn questions_are_answered_as_a_model_in_memory_answers_them() {
    let mut runner = TestRunner::deterministic();
    // Arrivals in another order than times: each has a time of its own, and they are shuffled.
    let times = Just((0..RECORDS as u64).map(|time| time * 2).collect::<Vec<_>>()).prop_shuffle();
    let times = sample(&mut runner, &times);
    let known: Vec<Known> = times
        .into_iter()
        .map(|micros| Known {
            micros,
            ..sample(&mut runner, &known())
        })
        .collect();
    let questions: Vec<(Asked, usize)> = (0..QUERIES)
        .map(|_| {
            (
                sample(&mut runner, &asked()),
                sample(&mut runner, &(90..=1000_usize)),
            )
        })
        .collect();
    for mut place in Place::all() {
        for known in known.chunks(1000) {
            let deliveries = known.iter().map(Known::delivery).collect();
            place.put(&batch(&origin(1), deliveries)).await;
        }
        let store = place.store().await;
        for (asked, limit) in &questions {
            compare(&place, &store, asked, &known, *limit).await;
        }
    }
}
