//! What somebody does who looks for what was done, from the first page to the file taken home: with
//! scripts, and without any.

use serde_json::Value;
use tower_audit::store::Query;

use super::app::{App, HISTORY};
use crate::support::{
    browser::{Browser, Scripts},
    desk::Row,
};

struct Journey {
    app: App,
    browser: Browser,
    scripts: Scripts,
}

impl Journey {
    async fn begin(scripts: Scripts) -> Option<Self> {
        let browser = Browser::start(scripts).await?;
        let app = App::with_history().await;
        Some(Self {
            app,
            browser,
            scripts,
        })
    }

    /// A step is over: a picture of it, and what axe says of the page.
    async fn shown(&self, step: &str) {
        let with = if self.scripts == Scripts::On {
            "script"
        } else {
            "plain"
        };
        self.browser.picture(&format!("viewer-{with}-{step}")).await;
        if self.scripts == Scripts::On {
            self.browser.has_no_barriers(step).await;
        }
    }

    async fn signs_in(&self) {
        let url = &self.app.service.url;
        self.browser.open(&format!("{url}/audit/")).await;
        self.shown("1-denied").await;
        self.browser.sign_in(url, "admin").await;
        let rows = self.browser.rows().await;
        assert!(rows.len() >= HISTORY, "{}", rows.len());
        self.shown("2-table").await;
    }

    async fn filters_by_action_and_range(&self) {
        self.browser.filter("action", "document.*").await;
        let rows = self.browser.rows().await;
        assert_eq!(rows.len(), HISTORY * 3 / 4);
        assert!(
            rows.iter().all(|row| row.action.starts_with("document.")),
            "{rows:?}"
        );
        self.browser.follow(".periods a[href*='range=24h']").await;
        let rows = self.browser.rows().await;
        // One record each 40 minutes, three of four of a document.
        assert_eq!(rows.len(), 27);
        assert!(
            rows.iter()
                .all(|row| row.time.as_str() >= "2026-11-19T15:00:00"),
            "{rows:?}"
        );
        // Everything is in the address: whoever gets it sees the same.
        let address = self.browser.address().await;
        assert!(
            address.contains("action=document.*") && address.contains("range=24h"),
            "{address}"
        );
        self.browser.open(&address).await;
        assert_eq!(self.browser.rows().await, rows);
        self.shown("3-filtered").await;
    }

    async fn opens_a_detail(&self) {
        let row = self.browser.rows().await.remove(1);
        self.browser
            .follow(&format!("tr[data-id='{}'] a.row", row.id))
            .await;
        assert_eq!(self.browser.texts("h1").await, [&*row.action]);
        let raw = self.browser.texts("#raw pre").await.remove(0);
        let shown: Value = serde_json::from_str(&raw).unwrap();
        let stored = self.app.jsons(&Query::new().limit(1000)).await;
        let stored = stored
            .iter()
            .find(|record| record["id"] == *row.id)
            .unwrap();
        assert_eq!(shown, *stored);
        assert_eq!(row.action, "document.rename");
        let cells = self.browser.texts("table.changes tbody tr > *").await;
        let change = &stored["changes"][0];
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        assert_eq!(cells.len(), 3, "{cells:?}");
        assert_eq!(cells[0], text(&change["field"]));
        assert!(cells[1].contains(&text(&change["previous"])), "{cells:?}");
        assert!(cells[2].contains(&text(&change["current"])), "{cells:?}");
        // What else the same request left, and where else to look.
        assert!(self.browser.count("table.log tbody tr").await >= 1);
        let session = self
            .browser
            .count(".aside a[href*='target=document']")
            .await;
        assert_eq!(session, 1);
        self.shown("4-detail").await;
    }

    async fn goes_to_the_actors_page(&self) {
        self.browser
            .follow(".aside a[href*='/audit/actors/']")
            .await;
        let address = self.browser.address().await;
        let id = address.rsplit("/actors/").next().unwrap()[..3].to_owned();
        let rows = self.browser.rows().await;
        assert_eq!(rows.len(), HISTORY / 3, "{rows:?}");
        assert!(
            rows.iter().all(|row| row.actor.last() == Some(&id)),
            "{rows:?}"
        );
        self.shown("5-actor").await;
    }

    /// CSV and JSON of what the filters show, compared with the table field by field.
    async fn exports_what_is_shown(&self) {
        let url = &self.app.service.url;
        self.browser
            .open(&format!("{url}/audit/?range=24h&action=document.*"))
            .await;
        let rows = self.browser.rows().await;
        let (name, csv) = self.browser.download("a[href*='format=csv']").await;
        assert!(name.ends_with(".csv"), "{name}");
        let mut reader = csv::Reader::from_reader(csv.trim_start_matches('\u{feff}').as_bytes());
        let head = reader.headers().unwrap().clone();
        let of_csv: Vec<Row> = reader
            .records()
            .map(|record| {
                let record = record.unwrap();
                let cell = |name: &str| {
                    let place = head.iter().position(|head| head == name).unwrap();
                    record[place].to_owned()
                };
                row(cell)
            })
            .collect();
        assert_eq!(of_csv, rows);

        let (name, json) = self
            .browser
            .download("a[href*='format=json&'], a[href$='format=json']")
            .await;
        assert!(name.ends_with(".json"), "{name}");
        let json: Value = serde_json::from_str(&json).unwrap();
        let of_json = json["records"].as_array().unwrap().iter().map(|record| {
            let text = |pointer: &str| {
                record
                    .pointer(pointer)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            row(|name| match name {
                "actor_id" => text("/actor/id"),
                "actor_name" => text("/actor/name"),
                "target_type" => text("/targets/0/type"),
                "target_id" => text("/targets/0/id"),
                "target_name" => text("/targets/0/name"),
                "application" => text("/application/id"),
                "ip_address" => text("/context/ip_address"),
                name => text(&format!("/{name}")),
            })
        });
        assert_eq!(of_json.collect::<Vec<_>>(), rows);
        assert_eq!(json["manifest"]["records"], rows.len());
        assert_eq!(json["manifest"]["complete"], true);
        // Both are on the reader's page of exports.
        self.browser.open(&format!("{url}/audit/exports")).await;
        assert_eq!(self.browser.count("table.past tbody tr").await, 2);
        self.shown("6-exports").await;
        self.browser
            .open(&format!("{url}/audit/destinations"))
            .await;
        assert_eq!(self.browser.texts("table.sinks strong").await, ["database"]);
        self.shown("7-destinations").await;
    }

    async fn switches_to_french(&self) {
        let url = &self.app.service.url;
        self.browser
            .open(&format!("{url}/audit/?range=24h&action=document.*"))
            .await;
        let english = self.browser.rows().await;
        self.browser.follow(".languages a[hreflang=fr]").await;
        let lang = self
            .browser
            .script("return document.documentElement.lang")
            .await;
        assert_eq!(lang, "fr");
        assert_eq!(self.browser.texts("h1").await, ["Événements"]);
        let rows = self.browser.rows().await;
        // The same rows, whose outcomes are in words; the address goes on saying what is asked.
        let ids = |rows: &[Row]| rows.iter().map(|row| row.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&rows), ids(&english));
        assert!(rows.iter().all(|row| row.outcome == "Succès"), "{rows:?}");
        assert!(self.browser.address().await.contains("action=document.*"));
        self.shown("8-french").await;
        // It stays so on the next page.
        self.browser
            .follow("table.log tbody tr:first-child a.row")
            .await;
        let lang = self
            .browser
            .script("return document.documentElement.lang")
            .await;
        assert_eq!(lang, "fr");
    }

    async fn sees_live_what_is_made_meanwhile(&self) {
        let (url, browser) = (&self.app.service.url, &self.browser);
        browser
            .open(&format!("{url}/audit/?action=document.*&lang=en"))
            .await;
        browser.follow("a.live-start").await;
        let before = browser.rows().await;
        // Of this page; another one would not have it.
        browser.script("window.same = true").await;
        for name in ["Breakfast", "Lunch"] {
            self.app.create(name).await;
            browser
                .until(&format!("{name} is shown"), async || {
                    browser
                        .rows()
                        .await
                        .first()
                        .is_some_and(|row| row.target.first().is_some_and(|shown| shown == name))
                })
                .await;
        }
        let rows = browser.rows().await;
        assert_eq!(rows.len(), before.len() + 2);
        assert_eq!(rows[2..], before[..]);
        let same = browser.script("return window.same === true").await;
        assert_eq!(
            same,
            self.scripts == Scripts::On,
            "a page with scripts is not loaded again"
        );
        self.shown("9-live").await;
    }

    /// Nothing that the pages do was forbidden by their own policy, and no script failed.
    async fn nothing_went_wrong(&self) {
        let said = self.browser.console().await;
        // That the first page was a 403 is said too, and that the sign-in page has no icon.
        let known =
            |message: &str| message.contains("status of 403") || message.contains("/favicon.ico");
        let wrong: Vec<_> = said
            .iter()
            .filter(|line| line.level == "SEVERE" && !known(&line.message))
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    async fn make(self) {
        self.signs_in().await;
        self.filters_by_action_and_range().await;
        self.opens_a_detail().await;
        self.goes_to_the_actors_page().await;
        self.exports_what_is_shown().await;
        self.switches_to_french().await;
        self.sees_live_what_is_made_meanwhile().await;
        self.nothing_went_wrong().await;
        crate::support::service::end(&self.app.audit).await;
    }
}

/// A row as the table would show these cells of an export.
fn row(cell: impl Fn(&str) -> String) -> Row {
    let outcome = cell("outcome");
    let (first, rest) = outcome.split_at(1);
    let target = format!("{} · {}", cell("target_type"), cell("target_id"));
    Row {
        id: cell("id"),
        time: cell("timestamp"),
        action: cell("action"),
        category: cell("category"),
        outcome: format!("{}{rest}", first.to_uppercase()),
        actor: vec![cell("actor_name"), cell("actor_id")],
        target: vec![cell("target_name"), target],
        application: cell("application"),
        ip: cell("ip_address"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_finds_follows_and_takes_home_what_was_done() {
    if let Some(journey) = Journey::begin(Scripts::On).await {
        journey.make().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_it_goes_without_a_script() {
    if let Some(journey) = Journey::begin(Scripts::Off).await {
        journey.make().await;
    }
}
