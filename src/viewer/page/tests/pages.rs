//! What each page shows.

use std::time::Duration;

use serde_json::json;

use super::samples::{self, Stage};
use crate::{
    clock::RecordId,
    store::{Choices, Count, Field},
    viewer::{
        Destination, DestinationState,
        model::{
            ActorPage, Destinations, Detail, Entry, ExportState, Exports, Failure, PastExport,
        },
        page,
        words::ALL,
    },
};

/// What a person reads of markup, words apart by one space.
fn read(page: &str) -> String {
    let mut read = String::new();
    for piece in page.split('<').skip(1) {
        read.push(' ');
        read.push_str(piece.split_once('>').map_or("", |(_, text)| text));
    }
    read.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn row(record: serde_json::Value) -> String {
    let stage = Stage::new("/");
    read(&page::row(&stage.view(), &samples::entry(1, 180, record)).into_string())
}

#[test]
fn a_row_says_when_what_how_who_to_what_by_what_and_from_where() {
    assert_eq!(
        row(json!({
            "action":"document.share","category":"document","outcome":"denied","reason":"not the owner",
            "actor":{"type":"user","id":"146","name":"Flapjack Toasty"},
            "targets":[{"type":"document","id":"4cq","name":"Plans"},{"type":"user","id":"7"}],
            "application":{"id":"web","name":"Web console"},"context":{"ip_address":"39.139.42.243"},
        })),
        "20 Nov 2026, 13:37:00 2 minutes ago document.share not the owner document Denied \
         Flapjack Toasty 146 Plans document · 4cq + 1 more Web console 39.139.42.243"
    );
}

#[test]
fn a_name_that_was_not_verified_is_never_shown_as_the_actor() {
    let row = row(json!({"action":"user.login","outcome":"denied",
        "actor":{"type":"anonymous","claimed":"admin"}}));
    assert!(row.contains("Anonymous claims to be admin"), "{row}");
}

#[test]
fn a_row_that_is_no_record_is_shown_all_the_same() {
    let stage = Stage::new("/");
    let entry = samples::row(RecordId::lowest_at(samples::NOW), 1, "{\"half\":");
    let row = page::row(&stage.view(), &entry).into_string();
    assert!(read(&row).contains("cannot be read as a record") && row.contains("/audit/records/"));
}

#[test]
fn the_histogram_closes_the_document_that_the_table_began() {
    let (stage, search) = (Stage::new("/"), samples::search(&[]));
    let first =
        page::head_and_table(&stage.view(), &samples::table(&search, &[], &[])).into_string();
    let last = page::histogram(&stage.view(), &search, Err(Failure::Timeout)).into_string();
    assert!(first.starts_with("<!DOCTYPE html><html lang=\"en\">") && !first.contains("</main>"));
    assert!(last.ends_with("</main></body></html>").eq(&false) && last.ends_with("</body></html>"));
    assert!(read(&last).contains("Counting took too long"));
    // What can be used already does not wait for it: the script comes with the table.
    let script = first.find("<script ").unwrap();
    let tag = &first[script..];
    assert!(
        tag.contains(" async>") && !first.contains(" defer"),
        "{tag}"
    );
    for before in ["<h1>", "<form", "class=\"listing\"", "data-zone=\"UTC\""] {
        assert!(first.find(before).unwrap() < script, "{before}");
    }
    assert!(!last.contains("<script "));
}

#[test]
fn a_page_says_how_many_there_are_or_that_it_stopped_counting() {
    let (stage, search) = (Stage::new("/"), samples::search(&[]));
    let entries = [samples::entry(1, 1, json!({"action":"a.b"}))];
    for (count, expected) in [
        (None, "1 record on this page"),
        (Some((1234, true)), "1,234 records"),
        (Some((10_000, false)), "more than 10,000 records"),
    ] {
        let mut table = samples::table(&search, &entries, &[]);
        table.count = count.map(|(records, is_exact)| Count { records, is_exact });
        let page = read(&page::head_and_table(&stage.view(), &table).into_string());
        assert!(page.contains(expected), "{expected}");
    }
}

#[test]
fn nothing_found_says_what_was_searched_and_an_unfinished_search_is_not_nothing() {
    let (stage, search) = (Stage::new("/"), samples::search(&[("outcome", "denied")]));
    let mut table = samples::table(&search, &[], &[]);
    let page = read(&page::head_and_table(&stage.view(), &table).into_string());
    assert!(page.contains("No records match Period searched 13 Nov 2026, 13:40:00 – 20 Nov 2026, 13:40:00 Filters Outcome: Denied"), "{page}");
    table.searched_until = Some(samples::NOW);
    table.older = Some(RecordId::lowest_at(samples::NOW));
    let page = read(&page::head_and_table(&stage.view(), &table).into_string());
    assert!(
        !page.contains("No records match") && page.contains("Search on"),
        "{page}"
    );
}

// Who opened this record? Nobody, as far as is shown, is no answer.
#[test]
fn reads_that_are_hidden_are_named_where_somebody_may_look_for_them() {
    let stage = Stage::new("/");
    let one = [samples::entry(1, 1, json!({"action":"audit.prune"}))];
    let no: &[Entry] = &[];
    for (name, value, entries, reads, expected) in [
        ("category", "audit", &one[..], false, true),
        ("target", "audit_record:0199", &one[..], false, true),
        ("target", "audit_record:*", &one[..], false, true),
        ("actor", "ann", no, false, true),
        ("actor", "ann", &one[..], false, false),
        ("category", "auditing", &one[..], false, false),
        ("category", "audit", &one[..], true, false),
        ("actor", "ann", no, true, false),
    ] {
        let mut search = samples::search(&[(name, value)]);
        search.reads = reads;
        let table = samples::table(&search, entries, &[]);
        let page = page::head_and_table(&stage.view(), &table).into_string();
        let says = page.contains("What reading and exporting left is hidden here.");
        assert_eq!(says, expected, "{name}={value}");
        let link = "&amp;reads=1\">Show reads and exports</a>";
        assert_eq!(page.contains(link), expected, "{name}={value}: {page}");
    }
}

#[test]
fn choices_are_a_list_while_they_are_few_and_all_and_else_a_field() {
    let (stage, search) = (Stage::new("/"), samples::search(&[("category", "gone")]));
    for (values, is_complete, is_list) in [(2, true, true), (2, false, false), (200, true, false)] {
        let values = (0..values).map(|number| format!("c{number}")).collect();
        let choices = [(
            Field::Category,
            Choices {
                values,
                is_complete,
            },
        )];
        let page = page::head_and_table(&stage.view(), &samples::table(&search, &[], &choices))
            .into_string();
        assert_eq!(page.contains("<select name=\"category\">"), is_list);
        assert!(page.contains("value=\"gone\""), "what is asked for stays");
    }
}

#[test]
fn a_live_page_loads_itself_again_where_there_is_no_script() {
    let (stage, mut search) = (Stage::new("/"), samples::search(&[]));
    for live in [false, true] {
        search.live = live;
        let page =
            page::head_and_table(&stage.view(), &samples::table(&search, &[], &[])).into_string();
        assert_eq!(
            page.contains("<noscript><meta http-equiv=\"refresh\" content=\"5\"></noscript>"),
            live
        );
        assert_eq!(page.contains("data-since=\"4711\""), live);
    }
}

#[test]
fn a_detail_shows_changes_details_evidence_and_its_exact_text() {
    let stage = Stage::new("/records/x");
    let record = json!({
        "action":"user.update","outcome":"success","service":{"name":"docs","version":"1.4.2"},
        "context":{"duration_us":1834,"request_id":"r1"},
        "changes":[{"field":"role","previous":"reader","current":"admin"},{"field":"team","current":"x"}],
        "details":{"workspace":{"id":97}},"truncated":{"reason":5000},
    });
    let entry = samples::entry(4711, 1, record);
    let same = [samples::entry(4712, 1, json!({"action":"mail.send"}))];
    let detail = Detail {
        entry: &entry,
        same_request: &same,
        same_request_is_complete: false,
    };
    let page = page::detail(&stage.view(), &detail).into_string();
    let text = read(&page);
    for expected in [
        "20 Nov 2026, 13:39:59.123456",
        "Took 1.8 ms",
        "role reader admin",
        "team not set x",
        "workspace 1 entry id 97",
        "reason 5,000 bytes before",
        "docs 1.4.2",
        "4,711",
        &entry.stored.leaf.to_string(),
        "Other records of this request Found by the id of the request. A client can choose that id",
        "mail.send",
        "Show all of them",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    assert!(page.contains("&quot;previous&quot;: &quot;reader&quot;"));
}

#[test]
fn a_page_of_user_7_and_service_7_says_that_it_is_of_both() {
    let stage = Stage::new("/actors/7");
    let search = samples::search(&[("actor", "7"), ("outcome", "error")]);
    let of = |kind: &str, name: &str| {
        let actor = json!({"type":kind,"id":"7","name":name});
        samples::entry(1, 5, json!({"action":"a.b","actor":actor}))
    };
    let both = [
        of("service", "Mailer"),
        of("user", "Ada"),
        of("user", "Ada"),
    ];
    for (entries, is_mixed) in [(&both[..], true), (&both[..1], false), (&both[1..], false)] {
        let table = samples::table(&search, entries, &[]);
        let page = page::actor(&stage.view(), &ActorPage { id: "7", table }).into_string();
        let text = read(&page);
        assert_eq!(text.contains("Several kinds of actors"), is_mixed, "{text}");
        // The heading is of nobody then.
        let heading = if is_mixed { "<bdi>7</bdi>" } else { "Mailer" };
        if entries.len() != 2 {
            let (_, after) = page.split_once("<h1>").unwrap();
            assert!(
                after.starts_with(heading) || after.contains(heading),
                "{after:.80}"
            );
        }
        for kind in ["user", "service"] {
            let link =
                format!("/audit/actors/7?outcome=error&amp;range=7d&amp;actor_type={kind}\"");
            assert_eq!(page.contains(&link), is_mixed, "{link}: {page}");
        }
    }
}

#[test]
fn each_failure_has_its_status_and_a_way_out() {
    let stage = Stage::new("/");
    let parameter = Failure::Parameter {
        parameter: "from",
        reason: "is no time",
    };
    for (failure, status, expected) in [
        (
            parameter,
            400,
            "Parameter from Reason is no time To the records",
        ),
        (Failure::Denied, 403, "Sign in"),
        (Failure::CrossSite, 403, "Another site"),
        (Failure::NotFound, 404, "or it is not for you to see"),
        (Failure::Method, 405, "can only be read"),
        (Failure::TooMany, 429, "Too many exports or live views"),
        (Failure::Internal, 500, "This service made a mistake"),
        (
            Failure::Store,
            503,
            "does not answer The records cannot be read",
        ),
        (Failure::Timeout, 503, "shorter period"),
    ] {
        let page = page::failure(&stage.view(), failure).into_string();
        assert_eq!(failure.status(), status);
        assert!(read(&page).contains(expected), "{expected}");
        assert_eq!(page.contains("href=\"/login\""), failure == Failure::Denied);
    }
}

#[test]
fn destinations_and_exports_say_how_they_stand() {
    let stage = Stage::new("/");
    let late = Destination::new("siem", "splunk")
        .state(DestinationState::Retrying)
        .pending(1200)
        .lag(Duration::from_secs(7500))
        .dead(3)
        .last_error("connection refused");
    let page = Destinations {
        destinations: &[late, Destination::new("db", "sqlite")],
    };
    let page = read(&page::destinations(&stage.view(), &page).into_string());
    assert!(
        page.contains(
            "siem splunk Last error connection refused Retrying 1,200 2 h 5 min 0 3 0 never"
        ),
        "{page}"
    );
    assert!(
        page.contains("db sqlite Delivering 0 – 0 0 0 never"),
        "{page}"
    );
    let export = PastExport {
        at: samples::NOW,
        format: "jsonl",
        params: vec![("range".into(), "7d".into())],
        state: ExportState::Complete(2),
        manifest: Some("{\"complete\":true}".into()),
    };
    let page = read(&page::exports(&stage.view(), &Exports { exports: &[export] }).into_string());
    assert!(
        page.contains("just now jsonl range = 7d Complete 2 records Manifest"),
        "{page}"
    );
}

#[test]
fn the_bars_have_their_numbers_beside_them_in_words() {
    let (stage, search) = (Stage::new("/").lang("de"), samples::search(&[]));
    let page = page::histogram(&stage.view(), &search, Ok(&samples::histogram())).into_string();
    let text = read(&page);
    assert!(
        text.contains("Erfolg 1.490 Verweigert 10 Fehler 3"),
        "{text}"
    );
    assert!(page.contains(
        "20.11.2026, 12:40:00 – 20.11.2026, 13:40:00 UTC: 1.403 Einträge · Erfolg 1.400 · Fehler 3"
    ));
    // The range cuts this one, in the drawing and in the table.
    let cut = "11:40:00 UTC (vom Zeitraum beschnitten): 100 Einträge";
    assert!(page.contains(cut), "{page}");
    assert!(
        text.contains("10:40:00 (vom Zeitraum beschnitten)"),
        "{text}"
    );
    assert_eq!(
        page.matches("class=\"hit\"").count(),
        2,
        "a step without records has no bar"
    );
}

// Trap Q7: what was not counted is not nothing.
#[test]
fn a_chart_says_nothing_only_when_everything_was_counted() {
    let (stage, search) = (Stage::new("/"), samples::search(&[]));
    let mut none = samples::histogram();
    none.bars.iter_mut().for_each(|bar| bar.outcomes.clear());
    let (newest, end) = (none.bars[2].start, none.to);
    let nothing = "Nothing to count in this period.";
    for (counted_from, expected) in [
        (none.from, nothing),
        (
            newest,
            "None from 20 Nov 2026, 12:40:00 on; what is before that was not counted",
        ),
        (end, "Counting took too long."),
    ] {
        none.counted_from = counted_from;
        let page = page::histogram(&stage.view(), &search, Ok(&none)).into_string();
        let page = read(&page);
        assert!(page.contains(expected), "{expected}: {page}");
        assert_eq!(page.contains(nothing), expected == nothing, "{page}");
    }
    let failed = page::histogram(&stage.view(), &search, Err(Failure::Store)).into_string();
    let failed = read(&failed);
    assert!(failed.contains("The store did not answer"), "{failed}");
    assert!(!failed.contains("too long"), "{failed}");
}

#[test]
fn every_page_is_in_the_language_of_the_reader() {
    let entries: Vec<Entry> = vec![samples::entry(1, 60, samples::full_of("x"))];
    let search = samples::search(&[]);
    let mut seen = Vec::new();
    for words in ALL {
        let stage = Stage::new("/").lang(words.code);
        let page = page::head_and_table(&stage.view(), &samples::table(&search, &entries, &[]));
        let page = page.into_string();
        assert!(page.contains(&format!("<html lang=\"{}\">", words.code)));
        for text in [
            words.title,
            words.fields.outcome,
            words.outcomes.denied,
            words.filters.apply,
        ] {
            assert!(page.contains(text), "{text}");
        }
        assert!(!seen.contains(&read(&page)));
        seen.push(read(&page));
    }
}
