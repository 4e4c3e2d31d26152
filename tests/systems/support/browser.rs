//! A person's browser: opens pages, reads what is there, clicks, downloads, takes pictures.

use std::{fs, path::PathBuf, str::FromStr, time::Duration};

use fantoccini::{
    Client, ClientBuilder, Locator, elements::Element, wd::WebDriverCompatibleCommand,
};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::Url;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

use super::{
    driver::Driver,
    project,
    services::{self, BrowserFiles},
};

/// One browser at a time: a machine with two cores has enough to do with it.
static TURN: Mutex<()> = Mutex::const_new(());

/// How long something may take to show. Long, because a loaded machine is no failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Whether pages may run scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scripts {
    On,
    Off,
}

/// What a page is looked at with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    Light,
    Dark,
    /// Light, and as wide as a telephone.
    Narrow,
}

pub(crate) struct Browser {
    pub(super) client: Client,
    pub(super) files: BrowserFiles,
    pub(super) scripts: Scripts,
    downloads: PathBuf,
    // Dropped last but one: the driver and its browsers are killed, whatever happened.
    driver: Driver,
    _turn: MutexGuard<'static, ()>,
}

impl Browser {
    /// Starts one that reads English and lives in Berlin; none where there is no browser, which the
    /// test that asks has said then.
    pub(crate) async fn start(scripts: Scripts) -> Option<Self> {
        Self::start_in(scripts, "en", "Europe/Berlin").await
    }

    /// Starts one for a reader of this language in this time zone.
    pub(crate) async fn start_in(scripts: Scripts, language: &str, zone: &str) -> Option<Self> {
        let files = services::browser()?;
        let turn = TURN.lock().await;
        let driver = Driver::start(&files, zone);
        let downloads = driver.folder().join("downloads");
        fs::create_dir(&downloads).expect("a folder for downloads");
        let wanted = capabilities(&files, &driver, scripts, language);
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(wanted)
            .connect(driver.url())
            .await
            .expect("a session with the browser");
        let browser = Self {
            client,
            files,
            scripts,
            downloads,
            driver,
            _turn: turn,
        };
        browser.look(Look::Light).await;
        Some(browser)
    }

    /// Opens an address; returns when the page is complete.
    pub(crate) async fn open(&self, url: &str) {
        self.client
            .goto(url)
            .await
            .unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    /// The address that is open.
    pub(crate) async fn address(&self) -> String {
        self.client
            .current_url()
            .await
            .expect("an address")
            .to_string()
    }

    /// The first element that matches; waits until there is one.
    #[track_caller]
    pub(crate) fn find(&self, css: &str) -> impl Future<Output = Element> + use<'_> {
        let (css, caller) = (css.to_owned(), std::panic::Location::caller());
        async move {
            let wait = self.client.wait().at_most(PATIENCE);
            match wait.for_element(Locator::Css(&css)).await {
                Ok(element) => element,
                Err(error) => panic!("{caller}: no {css} in {}: {error}", self.address().await),
            }
        }
    }

    /// How many elements match now.
    pub(crate) async fn count(&self, css: &str) -> usize {
        let found = self.client.find_all(Locator::Css(css)).await;
        found.expect("a selector").len()
    }

    /// The visible texts of all elements that match now.
    pub(crate) async fn texts(&self, css: &str) -> Vec<String> {
        let mut texts = Vec::new();
        for element in self
            .client
            .find_all(Locator::Css(css))
            .await
            .expect("a selector")
        {
            texts.push(element.text().await.expect("a text"));
        }
        texts
    }

    /// Waits until something holds in the page, which may be another one by then.
    pub(crate) async fn until<F: Future<Output = bool>>(&self, what: &str, holds: impl Fn() -> F) {
        let mut looks = tokio::time::interval(Duration::from_millis(50));
        let looked = tokio::time::timeout(PATIENCE, async {
            while !holds().await {
                looks.tick().await;
            }
        });
        if looked.await.is_err() {
            panic!("waited in vain: {what}, in {}", self.address().await);
        }
    }

    /// What a script returns. Works with [`Scripts::Off`] too: it is the driver who runs it.
    pub(crate) async fn script(&self, script: &str) -> Value {
        let result = self.client.execute(script, Vec::new()).await;
        result.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Clicks on what downloads a file; gives its name and its text, once it is whole.
    pub(crate) async fn download(&self, css: &str) -> (String, String) {
        for left in fs::read_dir(&self.downloads).expect("the downloads") {
            fs::remove_file(left.expect("a file").path()).expect("an old download goes");
        }
        self.find(css).await.click().await.expect("a click");
        let whole = || {
            let files = fs::read_dir(&self.downloads).expect("the downloads");
            let mut files = files.map(|file| file.expect("a file").path());
            // While it comes, it has another name.
            files.find(|file| {
                let name = file.file_name().unwrap_or_default().to_string_lossy();
                !name.starts_with('.') && !name.ends_with(".crdownload")
            })
        };
        self.until("a download is whole", async || whole().is_some())
            .await;
        let file = whole().expect("the download");
        let name = file
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        (name, fs::read_to_string(file).expect("a download of text"))
    }

    /// Looks at pages like this from now on.
    pub(crate) async fn look(&self, look: Look) {
        let scheme = if look == Look::Dark { "dark" } else { "light" };
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.develop("Emulation.setEmulatedMedia", json!({"features": features}))
            .await;
        let (width, height) = if look == Look::Narrow {
            (390, 844)
        } else {
            (1440, 900)
        };
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.develop("Emulation.setDeviceMetricsOverride", size)
            .await;
    }

    /// Leaves a picture of what is to be seen: `target/screenshots/NAME.png`.
    pub(crate) async fn picture(&self, name: &str) -> PathBuf {
        let folder = project::root().join("target/screenshots");
        fs::create_dir_all(&folder).expect("a folder for pictures");
        let file = folder.join(name).with_extension("png");
        let picture = self.client.screenshot().await.expect("a picture");
        fs::write(&file, picture).expect("a file for a picture");
        file
    }

    /// Lets every page that is opened from now on run this before anything of its own.
    pub(crate) async fn run_first(&self, script: &str) {
        let body = json!({"source": script});
        self.develop("Page.addScriptToEvaluateOnNewDocument", body)
            .await;
    }

    /// A command of the browser's tools for developers.
    async fn develop(&self, command: &str, parameters: Value) -> Value {
        let body = json!({"cmd": command, "params": parameters});
        self.command("goog/cdp/execute", body).await
    }

    /// A command that only this browser's driver knows.
    pub(super) async fn command(&self, path: &'static str, body: Value) -> Value {
        let result = self.client.issue_cmd(Command { path, body }).await;
        result.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Where this browser keeps what it keeps.
    pub(super) fn folder(&self) -> PathBuf {
        self.driver.folder().to_owned()
    }
}

fn capabilities(
    files: &BrowserFiles,
    driver: &Driver,
    scripts: Scripts,
    language: &str,
) -> serde_json::Map<String, Value> {
    let folder = |name: &str| driver.folder().join(name).display().to_string();
    let arguments = [
        "--headless=new".to_owned(),
        // It may be root who runs the tests, in a container.
        "--no-sandbox".into(),
        "--disable-dev-shm-usage".into(),
        "--disable-gpu".into(),
        "--disable-quic".into(),
        "--no-first-run".into(),
        // It speaks to nobody but the test.
        "--disable-background-networking".into(),
        "--disable-component-update".into(),
        "--disable-sync".into(),
        "--force-color-profile=srgb".into(),
        "--hide-scrollbars".into(),
        format!("--user-data-dir={}", folder("profile")),
        format!("--lang={language}"),
    ];
    let mut preferences = json!({
        "download.default_directory": folder("downloads"),
        "download.prompt_for_download": false,
        "intl.accept_languages": language,
    });
    if scripts == Scripts::Off {
        preferences["profile.managed_default_content_settings.javascript"] = 2.into();
    }
    let wanted = json!({
        "goog:chromeOptions": {"binary": files.chromium, "args": arguments, "prefs": preferences},
        "goog:loggingPrefs": {"browser": "ALL"},
    });
    wanted.as_object().expect("an object").clone()
}

#[derive(Debug)]
struct Command {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Command {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, <Url as FromStr>::Err> {
        base.join(&format!(
            "session/{}/{}",
            session.unwrap_or_default(),
            self.path
        ))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}
