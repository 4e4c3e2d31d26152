//! A record full of script, markup, marks that change the direction, and formulas: shown harmlessly
//! on every page, found by every filter, and taken home without a formula in it.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tower_audit::{
    Actor, Record, Target,
    record::{Application, Context, Fault, Http, Tenant},
    store::Query,
};

use super::app::App;
use crate::support::{
    browser::{Browser, Scripts},
    service::end,
};

/// What is planted everywhere: each part of it would be seen if it worked.
const EVIL: &str = "=cmd|'/c calc'!A1<script>window.evil=1</script><img src=x onerror=window.evil=1>\
    \"'><svg onload=window.evil=1>{{7*7}}\u{202e}gnp.exe\u{2066}";

/// What of it is to be read as text.
const SHOWN: &str = "<script>window.evil=1</script>";

/// What could run, load or reach out, and none of which a page has.
const INJECTED: &str = "img, iframe, object, embed, base, form[action]:not([action^='/audit']), [onload], [onerror], \
    script:not([src*='/audit/assets/']), a[href^='javascript:' i], meta[content*=evil]";

fn planted() -> Record {
    let evil = |name: &str| format!("{EVIL}{name}");
    let http = Http::new()
        .method(evil("GET"))
        .route(evil("/route"))
        .status(500);
    let context = Context::new()
        .ip_address(evil("ip"))
        .peer_address(evil("peer"))
        .forwarded(evil("forwarded"))
        .user_agent(evil("agent"))
        .session_id(evil("session"))
        .request_id(evil("request"))
        .trace_id(evil("trace"))
        .http(http);
    let actor = Actor::user(evil("actor"))
        .name(evil("name"))
        .email(evil("email"))
        .auth_method(evil("method"))
        .credential(evil("kind"), evil("credential"));
    Record::new(EVIL)
        .category(evil("category"))
        .error(
            Fault::new(evil("message"))
                .kind(evil("kind"))
                .code(evil("code")),
        )
        .reason(evil("reason"))
        .actor(actor.on_behalf_of(Actor::user(evil("other")).name(evil("other"))))
        .target(Target::new(evil("type"), evil("target")).name(evil("target")))
        .tenant(
            Tenant::new(evil("tenant"))
                .name(evil("tenant"))
                .domain(evil("domain")),
        )
        .application(Application::new(evil("application")).name(evil("application")))
        .change(
            evil("field"),
            evil("before"),
            json!({EVIL: [EVIL, {EVIL: EVIL}]}),
        )
        .detail(EVIL, json!([EVIL, {EVIL: EVIL}]))
        .context(context)
}

/// The page that is open shows the text and does nothing.
async fn is_harmless(browser: &Browser, page: &str) {
    let found = browser
        .script("return [window.evil === undefined, document.body.textContent]")
        .await;
    assert_eq!(found[0], true, "{page}: a script ran");
    let text = found[1].as_str().unwrap();
    assert!(
        text.contains(SHOWN),
        "{page}: the text is not shown: {text}"
    );
    assert!(
        !text.contains(['\u{202e}', '\u{2066}']),
        "{page}: a mark that changes the direction"
    );
    assert_eq!(
        browser.count(INJECTED).await,
        0,
        "{page}: something was injected"
    );
    let said = browser.console().await;
    let is_wrong = |source: &str| matches!(source, "security" | "javascript" | "console-api");
    let wrong: Vec<_> = said.iter().filter(|line| is_wrong(&line.source)).collect();
    assert!(wrong.is_empty(), "{page}: {wrong:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planted_record_is_shown_harmlessly_on_every_page() {
    let Some(browser) = Browser::start(Scripts::On).await else {
        return;
    };
    let app = App::start().await;
    app.audit.record(planted()).unwrap();
    let record = app.has(&Query::new(), 1).await.remove(0);
    let url = &app.service.url;
    browser.sign_in(url, "admin").await;
    browser.console().await;

    let pages = pages(&record);
    for (page, address) in &pages {
        browser.open(&format!("{url}{address}")).await;
        browser.find("footer.foot").await;
        if *page != "record" {
            assert_eq!(
                browser.count("table.log tbody tr .c-action a").await.min(1),
                1,
                "{page}"
            );
        }
        is_harmless(&browser, page).await;
        browser
            .picture(&format!("hostile-{}", page.replace(' ', "-")))
            .await;
    }
    // What is refused, repeats what it refuses.
    let evil = utf8_percent_encode(EVIL, NON_ALPHANUMERIC);
    browser.open(&format!("{url}/audit/?{evil}=1")).await;
    assert_eq!(browser.texts("p.status").await, ["400"]);
    is_harmless(&browser, "refused").await;

    // A record that comes while somebody looks is put in by the script.
    browser.open(&format!("{url}/audit/?live=1")).await;
    let before = browser.rows().await.len();
    browser.find("[data-live]").await;
    app.audit.record(planted()).unwrap();
    browser
        .until("the second one is shown", async || {
            browser.rows().await.len() > before
        })
        .await;
    is_harmless(&browser, "live, arrived").await;

    let (_, of_tenant) = pages.iter().find(|(page, _)| *page == "tenant").unwrap();
    has_no_formula(&browser, &format!("{url}{of_tenant}")).await;
    browser.open(&format!("{url}/audit/exports")).await;
    is_harmless(&browser, "exports").await;
    end(&app.audit).await;
}

/// Every page that shows the record, with the record's own texts in the address.
fn pages(record: &Value) -> Vec<(&'static str, String)> {
    // The texts as the record has them: what a sender wrote, cleaned of what no text needs.
    let value = |pointer: &str| {
        let text = record.pointer(pointer).and_then(|value| value.as_str());
        let text = text.unwrap_or_else(|| panic!("no {pointer} in {record}"));
        utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
    };
    let mut pages = vec![
        ("table", "/audit/".to_owned()),
        (
            "record",
            format!("/audit/records/{}", record["id"].as_str().unwrap()),
        ),
        ("actor", format!("/audit/actors/{}", value("/actor/id"))),
        ("live", "/audit/?live=1".to_owned()),
        ("French", "/audit/?lang=fr".to_owned()),
        ("no such record", format!("/audit/?q={}", value("/reason"))),
    ];
    for (filter, pointer) in [
        ("category", "/category"),
        ("ip", "/context/ip_address"),
        ("request", "/context/request_id"),
        ("tenant", "/tenant/id"),
        ("application", "/application/id"),
    ] {
        pages.push((filter, format!("/audit/?{filter}={}", value(pointer))));
    }
    pages
}

async fn has_no_formula(browser: &Browser, page: &str) {
    // In a spreadsheet nothing begins like a formula.
    browser.open(page).await;
    let (_, csv) = browser.download("a[href*='format=csv']").await;
    let mut reader = csv::Reader::from_reader(csv.trim_start_matches('\u{feff}').as_bytes());
    let mut cells = 0;
    for record in reader.records() {
        for cell in &record.unwrap() {
            assert!(
                !cell.starts_with(['=', '+', '-', '@', '\t', '\r']),
                "{cell}"
            );
            cells += usize::from(cell.contains(SHOWN));
        }
    }
    assert!(cells > 20, "{cells}: {csv}");
}
