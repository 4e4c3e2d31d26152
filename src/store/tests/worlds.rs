//! Two worlds, with and without thousands of records out of reach: the same answers, wherever a search
//! stops. Only numbers of arrival differ, which are those of the whole store.

use std::time::Duration;

use super::place::{Filled, mariadb_of, postgres_of, sqlite_of};
use crate::{
    clock::{RecordId, Timestamp},
    store::{
        Field, Page, Query, Reach,
        ask::{browse, choices, count, histogram},
        histogram::Steps,
        walk::Budget,
    },
};

const RECORDS: i64 = 4000;

/// Whose a record is: each of the eight mixtures has as many.
fn owner(number: i64) -> (&'static str, &'static str, &'static str) {
    let one_of = |place: i64, names: [&'static str; 2]| names[usize::from(number & place > 0)];
    (
        one_of(1, ["A", "B"]),
        one_of(2, ["web", "cli"]),
        one_of(4, ["ann", "bob"]),
    )
}

/// A record. All that is asked for is in reach and out of it; only tenant B has many actions and
/// types of targets.
fn json(number: i64) -> String {
    let at = Timestamp::from_micros(1_000_000 + number);
    let id = RecordId::lowest_at(at);
    let (tenant, application, actor) = owner(number);
    let turn = number / 8;
    let action = match (turn % 4, tenant) {
        (0, _) => "user.login".to_owned(),
        (1, "B") => format!("user.x{}", turn % 200),
        (1, _) => "user.logout".to_owned(),
        _ => "document.create".to_owned(),
    };
    let kind = match tenant {
        "B" => format!("x{}", turn % 200),
        _ => "folder".to_owned(),
    };
    let outcome = ["denied", "success"][usize::from(turn % 9 > 0)];
    format!(
        r#"{{"id":"{id}","timestamp":"{at}","action":"{action}","outcome":"{outcome}","actor":{{"type":"user","id":"{actor}"}},"tenant":{{"id":"{tenant}"}},"application":{{"id":"{application}"}},"context":{{"session_id":"s{}","request_id":"r{}","client_ip":"::{}"}},"targets":[{{"type":"document","id":"{}"}},{{"type":"{kind}","id":"{}"}}]}}"#,
        turn % 3,
        turn % 2,
        turn % 4,
        turn % 20,
        turn % 9
    )
}

/// Which records are in a reach, by their numbers.
type IsIn = fn(i64) -> bool;

fn reaches() -> [(Reach, IsIn); 6] {
    let (tenant, application) = (Reach::tenant("A"), Reach::application("web"));
    let actor = Reach::actor("ann");
    [
        (tenant.clone(), |number| owner(number).0 == "A"),
        (application.clone(), |number| owner(number).1 == "web"),
        (actor.clone(), |number| owner(number).2 == "ann"),
        (tenant.clone().and(application.clone()), |number| {
            let (tenant, application, _) = owner(number);
            (tenant, application) == ("A", "web")
        }),
        (actor.clone().and(application.clone()), |number| {
            let (_, application, actor) = owner(number);
            (actor, application) == ("ann", "web")
        }),
        (tenant.and(actor).and(application), |number| {
            owner(number) == ("A", "web", "ann")
        }),
    ]
}

fn questions() -> Vec<Query> {
    let all = Query::new;
    let action = |text: &str| all().action(text.parse().unwrap());
    vec![
        all(),
        action("user.login"),
        action("user.*"),
        action("nothing.*"),
        action("user.login").outcome("denied"),
        all().outcome("denied"),
        all().actor("bob"),
        all().actor_type("nobody"),
        all().tenant("A").service("nowhere"),
        all().application("web"),
        all().session("s1"),
        all().session("s1").action("document.*".parse().unwrap()),
        all().request("r1").outcome("denied"),
        all().request("nowhere"),
        all().ip("::3"),
        all().target("4"),
        all().target_type("document").target("4"),
        all().target_type("folder").target("nowhere"),
        all().target_type("folder"),
        all().text("nowhere"),
        all().text("bob"),
        all().without_reads().session("s2"),
    ]
}

type Seen = (
    Vec<(u64, RecordId, Box<str>)>,
    [Option<RecordId>; 2],
    Option<Timestamp>,
);

fn seen(page: Page) -> Seen {
    let records = page.records.into_iter();
    let records = records.map(|stored| (stored.number, stored.id, stored.json));
    (
        records.collect(),
        [page.newer, page.older],
        page.searched_until,
    )
}

/// The first pages of a query in both worlds.
async fn the_same_pages(worlds: [&Filled; 2], query: &Query) {
    let middle = RecordId::lowest_at(Timestamp::from_micros(1_000_000 + RECORDS / 2));
    for (is_up, begun) in [
        (false, query.clone()),
        (false, query.clone().before(middle)),
        (true, query.clone().after(middle)),
    ] {
        let mut next = Some(begun);
        for _ in 0..3 {
            let Some(asked) = next else { break };
            let mut answers = Vec::new();
            for filled in worlds {
                let mut reader = filled.pool.take().await.unwrap();
                let budget = Budget::new(100, Duration::MAX);
                let page = browse(&mut reader, &filled.pool.tables, &asked, budget).await;
                answers.push(seen(filled.pool.give(reader, page).unwrap()));
            }
            assert_eq!(answers[0], answers[1], "{}: {asked:?}", worlds[0].name);
            let [newer, older] = answers[0].1;
            next = if is_up {
                newer.map(|id| query.clone().after(id))
            } else {
                older.map(|id| query.clone().before(id))
            };
        }
    }
}

async fn the_same_numbers(worlds: [&Filled; 2], query: &Query) {
    let mut answers = Vec::new();
    for filled in worlds {
        let tables = &filled.pool.tables;
        let mut reader = filled.pool.take().await.unwrap();
        let mut counts = Vec::new();
        for max in [10, 1000] {
            let budget = Budget::new(100, Duration::MAX);
            let counted = count(&mut reader, tables, query, max, budget).await;
            counts.push(counted.unwrap());
        }
        let frame = histogram(&filled.pool, &mut reader, query, |extent| {
            Steps::equal(extent, 5)
        })
        .await
        .unwrap();
        let mut offered = Vec::new();
        for field in [
            Field::Action,
            Field::Actor,
            Field::Tenant,
            Field::Application,
        ] {
            for newest in [50, 5000] {
                let found = choices(&mut reader, tables, field, &query.reach, 900, newest).await;
                offered.push(found.unwrap());
            }
        }
        filled.pool.give(reader, Ok(())).unwrap();
        answers.push((counts, frame.from, frame.to, frame.step, offered));
    }
    assert_eq!(answers[0], answers[1], "{}: {query:?}", worlds[0].name);
}

async fn same_answers(all: &Filled, own: &Filled, reach: &Reach) {
    for query in questions() {
        let query = query.limit(20).within(reach.clone());
        the_same_pages([all, own], &query).await;
        the_same_numbers([all, own], &query).await;
    }
}

fn records(is_there: IsIn) -> Vec<(i64, String)> {
    let numbers = (0..RECORDS).filter(|number| is_there(*number));
    numbers.map(|number| (number, json(number))).collect()
}

// A search that stops says where, and must not stop, or go on, at what is out of reach.
#[tokio::test]
async fn where_a_search_stops_says_nothing_of_what_is_out_of_reach() {
    let all = sqlite_of(false, &records(|_| true)).await;
    for (reach, is_in) in reaches() {
        let own = sqlite_of(false, &records(is_in)).await;
        same_answers(&all, &own, &reach).await;
    }
}

#[tokio::test]
async fn nor_does_it_on_servers() {
    let [_, _, _, (reach, is_in), ..] = reaches();
    if let Some(all) = postgres_of(false, &records(|_| true)).await {
        let own = postgres_of(false, &records(is_in)).await.unwrap();
        same_answers(&all, &own, &reach).await;
        all.remove().await;
        own.remove().await;
    }
    if let Some(all) = mariadb_of(&records(|_| true)).await {
        let own = mariadb_of(&records(is_in)).await.unwrap();
        same_answers(&all, &own, &reach).await;
        all.remove().await;
        own.remove().await;
    }
}
