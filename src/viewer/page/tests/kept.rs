//! What an address says, its links say too.

use super::{
    html,
    samples::{self, Stage},
};
use crate::{
    clock::{RecordId, Timestamp},
    viewer::{
        model::{ActorPage, Failure, Search},
        page,
    },
};

/// The parameters of an address.
fn pairs(address: &str) -> Vec<(String, String)> {
    let query = address.split_once('?').map_or("", |(_, query)| query);
    form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect()
}

fn value<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut pairs = pairs.iter();
    pairs.find_map(|(other, value)| (other == name).then_some(&**value))
}

const FILTERS: [(&str, &str); 3] = [
    ("action", "user.*"),
    ("outcome", "denied"),
    ("q", "a&b=c ü"),
];

fn filtered() -> Search {
    let mut search = samples::search(&FILTERS);
    search.reads = true;
    search.limit = Some(50);
    search
}

/// The table with its histogram; the links that lead to the records that the filters leave.
fn drawn(stage: &Stage, search: &Search) -> String {
    let entries = [samples::entry(
        9,
        5,
        serde_json::json!({"action":"user.login"}),
    )];
    let mut table = samples::table(search, &entries, &[]);
    table.older = Some(entries[0].stored.id);
    table.newer = Some(entries[0].stored.id);
    table.searched_until = Some(samples::NOW);
    let view = stage.view();
    let chart = page::histogram(&view, search, Ok(&samples::histogram()));
    page::head_and_table(&view, &table).into_string() + &chart.into_string()
}

#[test]
fn pager_ranges_live_mode_exports_and_bars_keep_the_filters() {
    let mut stage = Stage::new("/");
    stage.kept = vec![("lang", "de".to_owned())];
    let page = drawn(&stage, &filtered());
    let with = |name: &'static str| {
        let links = html::links(&page).into_iter().map(|link| pairs(&link));
        links
            .filter(move |pairs| value(pairs, name).is_some())
            .collect::<Vec<_>>()
    };
    for name in ["before", "after", "live", "format", "from"] {
        let links = with(name);
        assert!(!links.is_empty(), "{name}");
        for link in links {
            for (filter, expected) in FILTERS {
                assert_eq!(value(&link, filter), Some(expected), "{name}: {link:?}");
            }
            assert_eq!(value(&link, "reads"), Some("1"), "{name}: {link:?}");
            assert_eq!(value(&link, "lang"), Some("de"), "{name}: {link:?}");
        }
    }
    for range in ["1h", "24h", "30d", "all", "custom"] {
        let found = with("range").into_iter().any(|link| {
            value(&link, "range") == Some(range) && value(&link, "q") == Some("a&b=c ü")
        });
        assert!(found, "{range}");
    }
    assert!(
        with("format")
            .iter()
            .all(|link| value(link, "limit").is_none())
    );
    assert!(
        with("before")
            .iter()
            .all(|link| value(link, "limit") == Some("50"))
    );
}

#[test]
fn an_unfinished_search_goes_on_in_the_direction_that_was_asked_for() {
    let stage = Stage::new("/");
    let ends = [1, 2].map(|minutes| {
        let at = Timestamp::from_micros(samples::NOW.as_micros() - minutes * 60_000_000);
        RecordId::lowest_at(at)
    });
    for (is_upwards, name, said) in [
        (false, "before", "has gone back as far as"),
        (true, "after", "has come forward as far as"),
    ] {
        let mut search = filtered();
        search.is_upwards = is_upwards;
        let mut table = samples::table(&search, &[], &[]);
        (table.newer, table.older) = (Some(ends[0]), Some(ends[1]));
        table.searched_until = Some(samples::NOW);
        let page = page::head_and_table(&stage.view(), &table).into_string();
        let (_, notice) = page.split_once("class=\"notice\"").unwrap();
        let (notice, _) = notice.split_once("</div>").unwrap();
        assert!(notice.contains(said), "{notice}");
        let link = pairs(&html::links(notice)[0]);
        let next = ends[usize::from(!is_upwards)].to_string();
        assert_eq!(value(&link, name), Some(&*next), "{notice}");
        assert_eq!(value(&link, "q"), Some("a&b=c ü"), "the filters stay");
    }
}

#[test]
fn a_chip_takes_away_its_own_filter_only() {
    let page = drawn(&Stage::new("/"), &filtered());
    let tags = html::tags(&page);
    for (name, _) in FILTERS {
        let label = match name {
            "action" => "Action",
            "outcome" => "Outcome",
            _ => "Search",
        };
        let label = format!("Remove the filter {label}");
        let chip = tags
            .iter()
            .find(|tag| tag.attribute("aria-label") == Some(&label))
            .unwrap();
        let left = pairs(chip.attribute("href").unwrap());
        for (other, expected) in FILTERS {
            let expected = (other != name).then_some(expected);
            assert_eq!(value(&left, other), expected, "{name}");
        }
        assert_eq!(value(&left, "range"), Some("7d"));
    }
}

#[test]
fn the_form_asks_with_what_it_does_not_show() {
    let mut stage = Stage::new("/");
    stage.kept = vec![("tz", "UTC".to_owned())];
    let page = drawn(&stage, &filtered());
    let hidden = |name: &str| {
        let tags = html::tags(&page);
        let mut inputs = tags
            .iter()
            .filter(|tag| tag.attribute("type") == Some("hidden"));
        inputs
            .find(|tag| tag.attribute("name") == Some(name))
            .and_then(|tag| tag.attribute("value").map(str::to_owned))
    };
    assert_eq!(hidden("range").as_deref(), Some("7d"));
    assert_eq!(hidden("limit").as_deref(), Some("50"));
    assert_eq!(hidden("tz").as_deref(), Some("UTC"));
    assert_eq!(hidden("action"), None, "it has a field of its own");
}

#[test]
fn on_the_page_of_an_actor_the_actor_is_in_the_path_and_exports_are_of_the_actor() {
    let search = samples::search(&[("actor", "o'neil/7"), ("outcome", "error")]);
    let stage = Stage::new("/actors/o%27neil%2F7");
    let table = samples::table(&search, &[], &[]);
    let page = page::actor(
        &stage.view(),
        &ActorPage {
            id: "o'neil/7",
            table,
        },
    )
    .into_string();
    let links = html::links(&page);
    let export = links
        .iter()
        .find(|link| link.starts_with("/audit/export?"))
        .unwrap();
    assert_eq!(value(&pairs(export), "actor"), Some("o'neil/7"));
    let live = links.iter().find(|link| link.contains("live=1")).unwrap();
    assert!(live.starts_with("/audit/actors/o%27neil%2F7?"), "{live}");
    assert_eq!(value(&pairs(live), "actor"), None);
    assert!(
        links
            .iter()
            .any(|link| link.starts_with("/audit/?outcome=error")),
        "the chip leaves the actor"
    );
}

#[test]
fn language_and_zone_keep_the_page_and_its_parameters() {
    let mut stage = Stage::new("/records/01");
    stage.pairs = vec![("before".into(), "x y".into())];
    stage.kept = vec![("lang", "fr".to_owned()), ("tz", "UTC".to_owned())];
    let page = page::failure(&stage.view(), Failure::NotFound).into_string();
    let links = html::links(&page);
    assert!(
        links.contains(&"/audit/records/01?before=x+y&lang=de&tz=UTC".to_owned()),
        "{links:?}"
    );
}
