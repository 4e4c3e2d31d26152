//! Whatever a record holds, and whatever an address asks for, no page does what it says.

use super::{
    html,
    samples::{self, Stage},
};
use crate::{
    clock::RecordId,
    viewer::{
        Destination, DestinationState,
        model::{
            ActorPage, Destinations, Detail, Entry, ExportState, Exports, Failure, PastExport, View,
        },
        page,
    },
};

/// Markup in every place it could break out of, then what commands a terminal or a reader.
const HOSTILE: &str = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"' onload='x' \
    </title></pre></bdi>--><!--javascript:alert(1)&lt;b&gt;\u{202e}\u{2066}\u{0}\u{1b}[2J\u{200b}=cmd|' /C'";

/// Every page, drawn with this text wherever one can stand.
fn everything(text: &str) -> Vec<(&'static str, String)> {
    let mut stage = Stage::new(&format!("/{text}"));
    stage.title = text.to_owned();
    stage.reader.name = Some(text.into());
    stage.pairs = vec![(text.to_owned(), text.to_owned())];
    stage.kept = vec![("tz", text.to_owned())];
    let view = stage.view();
    let entry = samples::entry(1, 60, samples::full_of(text));
    assert!(entry.record.is_some(), "the sample is a record");
    let broken = samples::row(RecordId::lowest_at(samples::NOW), 2, text);
    let entries = [entry, broken];
    let mut pages = tables(&view, text, &entries);
    let detail = |entry| {
        let detail = Detail {
            entry,
            same_request: &entries,
            same_request_is_complete: false,
        };
        page::detail(&view, &detail).into_string()
    };
    pages.push(("detail", detail(&entries[0])));
    pages.push(("unreadable", detail(&entries[1])));
    pages.push(("row", page::row(&view, &entries[0]).into_string()));
    pages.extend(others(&view, text));
    pages
}

fn tables(view: &View<'_>, text: &str, entries: &[Entry]) -> Vec<(&'static str, String)> {
    let names = [
        "action",
        "category",
        "actor",
        "actor_type",
        "target",
        "outcome",
        "ip",
        "session",
        "request",
        "tenant",
        "application",
        "service",
        "q",
    ];
    let mut search = samples::search(&names.map(|name| (name, text)));
    search.live = true;
    let choices = samples::choices(text);
    let table = samples::table(&search, entries, &choices);
    let empty = samples::table(&search, &[], &[]);
    let page = ActorPage {
        id: text,
        table: samples::table(&search, entries, &choices),
    };
    let chart = page::histogram(view, &search, Ok(&samples::histogram())).into_string();
    let whole = |first: maud::Markup| first.into_string() + &chart;
    vec![
        ("table", whole(page::head_and_table(view, &table))),
        ("empty", whole(page::head_and_table(view, &empty))),
        ("actor", whole(page::actor(view, &page))),
    ]
}

fn others(view: &View<'_>, text: &str) -> Vec<(&'static str, String)> {
    let destination = Destination::new(text, text)
        .address(text)
        .state(DestinationState::Blocked)
        .last_error(text)
        .last_refusal(text)
        .concern(text);
    let destinations = Destinations {
        destinations: &[destination],
    };
    let export = PastExport {
        at: samples::NOW,
        format: "csv",
        params: vec![(text.to_owned(), text.to_owned())],
        state: ExportState::Incomplete(3),
        manifest: Some(text.to_owned()),
    };
    let exports = Exports { exports: &[export] };
    let failure = Failure::Parameter {
        parameter: text,
        reason: text,
    };
    let destinations = page::destinations(view, &destinations);
    let exports = page::exports(view, &exports);
    let failure = page::failure(view, failure);
    vec![
        ("destinations", destinations.into_string()),
        ("exports", exports.into_string()),
        ("failure", failure.into_string()),
    ]
}

#[test]
fn no_page_has_markup_that_a_record_or_an_address_planted() {
    let harmless = everything("harmless");
    for ((name, page), (_, expected)) in everything(HOSTILE).iter().zip(&harmless) {
        let shape = |page: &str| -> Vec<_> {
            let tags = html::tags(page);
            let names = |tag: &html::Tag| {
                tag.attributes
                    .iter()
                    .map(|(name, _)| name.clone())
                    .collect::<Vec<_>>()
            };
            tags.iter()
                .map(|tag| (tag.name.clone(), names(tag)))
                .collect()
        };
        assert_eq!(
            shape(page),
            shape(expected),
            "{name}: the same elements and attributes"
        );
        for planted in ["<script>alert", "<img", "</pre></bdi>", "<!--"] {
            assert!(!page.contains(planted), "{name} has {planted}");
        }
        for character in ['\u{202e}', '\u{2066}', '\0', '\u{1b}', '\u{200b}'] {
            assert!(!page.contains(character), "{name} has {character:?}");
        }
    }
}

#[test]
fn every_link_of_a_page_stays_below_the_viewer() {
    for text in [
        HOSTILE,
        "..",
        ".",
        "//evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "%2e%2e/",
        "a/b?c#d",
    ] {
        for (name, page) in everything(text) {
            for link in html::links(&page) {
                let is_ours = link.starts_with("/audit/")
                    || ["/login", "#content"].contains(&&*link)
                    || link.starts_with("#m-");
                assert!(is_ours, "{name} leads to {link} for {text}");
                assert!(
                    !link
                        .split('?')
                        .next()
                        .unwrap_or_default()
                        .split('/')
                        .any(|part| part == ".." || part == "."),
                    "{link}"
                );
            }
        }
    }
}

#[test]
fn a_page_that_is_not_mounted_anywhere_leads_to_no_other_host() {
    let mut stage = Stage::new("//evil.example/x");
    stage.pairs = vec![("a".into(), "b".into())];
    let mut view = stage.view();
    view.base = "";
    let page = page::failure(&view, Failure::NotFound).into_string();
    for link in html::links(&page) {
        assert!(
            !link.starts_with("//") && !link.starts_with("/\\"),
            "{link}"
        );
    }
}

#[test]
fn a_page_has_no_style_and_no_handler_of_its_own() {
    // What the content security policy forbids would be missing for the reader.
    for (name, page) in everything("harmless") {
        for tag in html::tags(&page) {
            let is_bad = |(attribute, _): &(String, String)| {
                attribute == "style" || attribute.starts_with("on")
            };
            assert!(!tag.attributes.iter().any(is_bad), "{name}: {tag:?}");
            assert!(tag.name != "style", "{name}");
            assert!(
                tag.name != "script" || tag.attribute("src").is_some(),
                "{name}: {tag:?}"
            );
        }
    }
}

#[test]
fn a_deep_and_wide_value_is_shown_in_part_and_says_so() {
    let stage = Stage::new("/records/1");
    let mut deep = serde_json::json!("bottom");
    for _ in 0..60 {
        deep = serde_json::json!([deep]);
    }
    let wide: Vec<u32> = (0..50_000).collect();
    let record = serde_json::json!({"action":"a.b","details":{"deep":deep,"wide":wide}});
    let entry = samples::entry(1, 1, record);
    let detail = Detail {
        entry: &entry,
        same_request: &[],
        same_request_is_complete: true,
    };
    let page = page::detail(&stage.view(), &detail).into_string();
    let (tree, raw) = page.split_once("id=\"raw\"").unwrap();
    assert!(!tree.contains("bottom") && raw.contains("bottom"));
    assert!(tree.contains("48,0") && tree.contains("more entries, see the raw JSON"));
    assert!(page.len() < 2_000_000, "{}", page.len());
}
