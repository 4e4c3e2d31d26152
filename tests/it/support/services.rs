//! The real servers that `scripts/services up` starts, and private ones that a test may kill.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use tempfile::TempDir;

use super::project;

/// PostgreSQL's URL: the superuser, and a database `audit` of his; a test makes what it needs there.
pub(crate) fn postgres() -> Option<String> {
    found("PostgreSQL", "POSTGRES_URL")
}

/// MariaDB's URL: a user with every right, and a database `audit`.
pub(crate) fn mariadb() -> Option<String> {
    found("MariaDB", "MARIADB_URL")
}

/// Where rsyslog listens, and the file that it writes each message to, raw and on a line of its own.
#[derive(Debug)]
pub(crate) struct Syslog {
    pub(crate) tcp: String,
    pub(crate) tls: String,
    pub(crate) file: PathBuf,
}

pub(crate) fn syslog() -> Option<Syslog> {
    let tcp = found("rsyslog", "SYSLOG")?;
    Some(Syslog {
        tcp,
        tls: found("rsyslog", "SYSLOG_TLS")?,
        file: found("rsyslog", "SYSLOG_FILE")?.into(),
    })
}

/// The Rotel collector's program.
pub(crate) fn rotel() -> Option<PathBuf> {
    found("Rotel collector", "ROTEL").map(PathBuf::from)
}

/// An interpreter that has `py_ocsf_models`.
pub(crate) fn python() -> Option<PathBuf> {
    found("Python with py-ocsf-models", "PYTHON").map(PathBuf::from)
}

/// Certificates: the servers' authority, one that is not theirs, and the servers' own pair.
#[derive(Debug)]
pub(crate) struct Certificates {
    pub(crate) ca: PathBuf,
    pub(crate) foreign_ca: PathBuf,
    /// For `localhost` and 127.0.0.1.
    pub(crate) server: PathBuf,
    pub(crate) server_key: PathBuf,
}

pub(crate) fn certificates() -> Option<Certificates> {
    Some(Certificates {
        ca: found("certificates", "CA")?.into(),
        foreign_ca: found("certificates", "FOREIGN_CA")?.into(),
        server: found("certificates", "SERVER_CERT")?.into(),
        server_key: found("certificates", "SERVER_KEY")?.into(),
    })
}

/// A browser, what drives it, and the script that looks for barriers in a page.
#[derive(Debug)]
pub(crate) struct BrowserFiles {
    pub(crate) chromium: PathBuf,
    pub(crate) driver: PathBuf,
    /// axe-core, as one file.
    pub(crate) axe: PathBuf,
}

pub(crate) fn browser() -> Option<BrowserFiles> {
    Some(BrowserFiles {
        chromium: found("Chromium", "CHROMIUM")?.into(),
        driver: found("chromedriver", "CHROMEDRIVER")?.into(),
        axe: found("axe-core", "AXE")?.into(),
    })
}

/// From the variable `AUDIT_TEST_` + `name`, or from what the script left.
///
/// # Panics
///
/// With `AUDIT_TEST_REQUIRE=1`, when it is not there.
#[expect(clippy::print_stderr, reason = "whoever runs the tests wants to know")]
fn found(what: &str, name: &str) -> Option<String> {
    let given = std::env::var(format!("AUDIT_TEST_{name}")).ok();
    let left = project::root().join("target/services/urls");
    let value = given.or_else(|| line(&fs::read_to_string(left).ok()?, name));
    if value.is_none() {
        let skipped = format!("skipped: no {what}; run scripts/services up");
        let required = std::env::var_os("AUDIT_TEST_REQUIRE").is_some_and(|value| value == "1");
        assert!(!required, "{skipped}");
        eprintln!("{skipped}");
    }
    value
}

fn line(urls: &str, name: &str) -> Option<String> {
    let mut lines = urls.lines().filter_map(|line| line.split_once('='));
    let found = lines.find(|(key, _)| *key == name);
    found.map(|(_, value)| value.to_owned())
}

/// One server of a test's own, stopped and removed when dropped.
#[derive(Debug)]
pub(crate) struct Instance {
    name: &'static str,
    dir: TempDir,
    urls: String,
}

/// Starts a server that nobody else uses: `postgres`, `mariadb` or `rsyslog`. Takes some seconds.
///
/// `None` where the shared one is not there either: the test was skipped, and said so.
pub(crate) fn private(name: &'static str) -> Option<Instance> {
    match name {
        "postgres" => drop(postgres()?),
        "mariadb" => drop(mariadb()?),
        _ => drop(syslog()?),
    }
    let mut dir = tempfile::Builder::new();
    // The servers run as users of their own, who must get in.
    #[cfg(unix)]
    dir.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755));
    let target = project::root().join("target");
    let dir = dir
        .prefix("services-")
        .tempdir_in(target)
        .expect("a folder below target");
    let mut instance = Instance {
        name,
        dir,
        urls: String::new(),
    };
    instance.script("up", &[name]);
    instance.urls = fs::read_to_string(instance.dir.path().join("urls")).expect("the URLs");
    Some(instance)
}

impl Instance {
    /// `POSTGRES_URL`, `MARIADB_URL`, `SYSLOG`, `CA`, …: a line of what the script prints.
    pub(crate) fn get(&self, name: &str) -> String {
        line(&self.urls, name).unwrap_or_else(|| panic!("no {name} in {}", self.urls))
    }

    /// Stops it in the middle of what it does, as a crash would.
    pub(crate) fn kill(&self) {
        self.script("kill", &[self.name]);
    }

    /// Stops it in order.
    pub(crate) fn stop(&self) {
        self.script("stop", &[self.name]);
    }

    /// Starts it again, on the same port and with the same data; returns when it answers.
    pub(crate) fn start(&self) {
        self.script("start", &[self.name]);
    }

    fn script(&self, command: &str, names: &[&str]) {
        let status = self.command(command, names).status();
        let status = status.expect("bash");
        assert!(status.success(), "scripts/services {command}: {status}");
    }

    fn command(&self, command: &str, names: &[&str]) -> Command {
        let mut script = Command::new(project::root().join("scripts/services"));
        script.arg(command).args(names).arg("--dir");
        script.arg(self.dir.path()).stdout(Stdio::null());
        script
    }
}

impl Drop for Instance {
    #[expect(clippy::print_stderr, reason = "it goes on running")]
    fn drop(&mut self) {
        // A test that panics stops its server too; killed is quicker, and nobody wants the data.
        let killed = self.command("kill", &[self.name]).status();
        if !killed.is_ok_and(|status| status.success()) {
            eprintln!(
                "left running: {} in {}",
                self.name,
                self.dir.path().display()
            );
        }
    }
}

#[test]
fn a_killed_server_comes_back_on_its_port() {
    for (name, key) in [
        ("postgres", "POSTGRES_URL"),
        ("mariadb", "MARIADB_URL"),
        ("rsyslog", "SYSLOG"),
    ] {
        let Some(instance) = private(name) else {
            continue;
        };
        let url = instance.get(key);
        let address = url.rsplit('@').next().unwrap().split('/').next().unwrap();
        let answers = || std::net::TcpStream::connect(address).is_ok();
        assert!(answers(), "{name} after up");
        instance.kill();
        assert!(!answers(), "{name} after kill");
        instance.start();
        assert!(answers(), "{name} after start");
        instance.stop();
        assert!(!answers(), "{name} after stop");
    }
}
