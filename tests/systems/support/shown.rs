//! The browser and its tools, on pages of our own: a measure that finds nothing must be one that can.

use axum::{
    Router,
    http::{HeaderMap, header},
    response::Html,
    routing::get,
};

use super::{
    browser::{Browser, Look, Scripts},
    driver::lives,
};

const GOOD: &str = r#"<!DOCTYPE html><html lang="en"><title>Good</title><main>
<h1>Fruit</h1><p id="said">nothing</p><noscript><p id="plain">plain</p></noscript>
<a id="next" href="/bad">next</a> <a id="file" href="/file">file</a></main>
<script>document.getElementById("said").textContent =
Intl.DateTimeFormat().resolvedOptions().timeZone + " " + matchMedia("(prefers-color-scheme: dark)").matches</script>"#;

const BAD: &str = r#"<!DOCTYPE html><html lang="en"><title>Bad</title><main>
<h1>Fruit</h1><img src="/none.png"><p style="color:#999;background:#aaa">Pale</p>
<script>window.ran = true</script></main>"#;

async fn site() -> String {
    let policy = [(
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; style-src 'unsafe-inline'",
    )];
    let file = [(
        header::CONTENT_DISPOSITION,
        "attachment; filename=fruit.csv",
    )];
    let said = |headers: HeaderMap| async move {
        let languages = headers.get(header::ACCEPT_LANGUAGE).unwrap();
        languages.to_str().unwrap().to_owned()
    };
    let router = Router::new()
        .route("/", get(Html(GOOD)))
        .route("/bad", get((policy, Html(BAD))))
        .route("/file", get((file, "apple,pear\r\n")))
        .route("/language", get(said));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

#[tokio::test]
async fn a_browser_reads_clicks_downloads_and_is_gone_afterwards() {
    let Some(browser) = Browser::start(Scripts::On).await else {
        return;
    };
    let site = site().await;
    browser.open(&site).await;
    assert_eq!(browser.texts("#said").await, ["Europe/Berlin false"]);
    assert_eq!(browser.count("#plain").await, 0);
    let (name, text) = browser.download("#file").await;
    assert_eq!((&*name, &*text), ("fruit.csv", "apple,pear\r\n"));
    assert!(browser.picture("browser").await.exists());
    browser.look(Look::Dark).await;
    browser.open(&site).await;
    assert_eq!(browser.texts("#said").await, ["Europe/Berlin true"]);
    browser.find("#next").await.click().await.unwrap();
    browser.find("img").await;
    assert_eq!(browser.address().await, format!("{site}/bad"));

    let folder = browser.folder();
    assert!(lives(&folder));
    drop(browser);
    assert!(!lives(&folder) && !folder.exists());
}

#[tokio::test]
async fn without_scripts_a_page_shows_what_it_has_for_that() {
    let Some(browser) = Browser::start_in(Scripts::Off, "fr", "Asia/Tokyo").await else {
        return;
    };
    let site = site().await;
    browser.open(&site).await;
    assert_eq!(browser.texts("#said").await, ["nothing"]);
    assert_eq!(browser.texts("#plain").await, ["plain"]);
    browser.open(&format!("{site}/language")).await;
    assert_eq!(browser.texts("body").await, ["fr"]);
}

#[tokio::test]
async fn barriers_and_what_a_policy_forbids_are_found() {
    let Some(browser) = Browser::start(Scripts::On).await else {
        return;
    };
    let site = site().await;
    browser.open(&site).await;
    browser.has_no_barriers("good").await;
    let said = browser.console().await;
    assert!(
        said.iter().all(|line| line.source != "security"),
        "{said:?}"
    );

    browser.open(&format!("{site}/bad")).await;
    let found = browser.violations().await;
    let serious = found.iter().filter(|found| found.is_serious());
    let mut ids: Vec<_> = serious.map(|found| &*found.id).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["color-contrast", "image-alt"], "{found:?}");
    assert!(browser.script("return window.ran").await.is_null());
    let said = browser.console().await;
    let forbidden =
        |line: &super::console::Line| line.source == "security" && line.level == "SEVERE";
    let forbidden = said
        .iter()
        .find(|line| forbidden(line))
        .unwrap_or_else(|| panic!("{said:?}"));
    assert!(forbidden.message.contains("inline script"), "{forbidden:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_that_panics_leaves_no_browser() {
    let Some(browser) = Browser::start(Scripts::On).await else {
        return;
    };
    let folder = browser.folder();
    let panics = tokio::spawn(async move {
        browser.open("about:blank").await;
        panic!("on purpose: {}", browser.address().await);
    });
    let ended = panics.await;
    assert!(ended.is_err_and(|error| error.is_panic()));
    assert!(!lives(&folder) && !folder.exists());
}
