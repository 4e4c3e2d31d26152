//! Chromium's driver: a program that starts browsers, and ends with them.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use super::services::BrowserFiles;

/// How often it is looked whether a browser that was killed is gone, 20 ms apart.
const LOOKS: usize = 3000;

/// The driver, and the folder of the browsers that it starts.
#[derive(Debug)]
pub(crate) struct Driver {
    process: Child,
    folder: TempDir,
    url: String,
}

impl Driver {
    /// Starts it on a free port; browsers that it starts are in this time zone.
    pub(crate) fn start(files: &BrowserFiles, zone: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("browser-").tempdir();
        let folder = folder.expect("a folder for the browser");
        let mut process = Command::new(&files.driver)
            .arg("--port=0")
            .env("TZ", zone)
            // What the browser keeps beside its profile.
            .env("HOME", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Of its own, so that it can be killed together with its browsers.
            .process_group(0)
            .spawn()
            .expect("chromedriver");
        let url = address(&mut process);
        Self {
            process,
            folder,
            url,
        }
    }

    /// `http://127.0.0.1:1234`
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Where its browsers keep what they keep.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// Where it says that it listens.
fn address(process: &mut Child) -> String {
    let output = process.stdout.take().expect("the driver's output");
    for line in BufReader::new(output).lines() {
        let line = line.expect("what the driver says");
        if let Some((_, port)) = line.split_once("successfully on port ") {
            return format!("http://127.0.0.1:{}", port.trim_end_matches('.'));
        }
    }
    panic!("chromedriver ended: {:?}", process.wait());
}

impl Drop for Driver {
    #[expect(clippy::print_stderr, reason = "it goes on running")]
    fn drop(&mut self) {
        // A shell has `kill` everywhere; the minus means the whole group.
        let kill = format!("kill -KILL -{}", self.process.id());
        let _ = Command::new("sh").args(["-c", &kill]).status();
        let _ = self.process.kill().and_then(|()| self.process.wait());
        for _ in 0..LOOKS {
            if !lives(self.folder.path()) {
                return;
            }
            // Sleep: the kernel tells nobody but the parent, which is dead, that a process is gone.
            std::thread::sleep(Duration::from_millis(20));
        }
        eprintln!(
            "left running: a browser in {}",
            self.folder.path().display()
        );
    }
}

/// Whether there is a process that names this folder in its command line.
pub(crate) fn lives(folder: &Path) -> bool {
    let folder = folder.to_str().expect("a folder with a name");
    let processes = fs::read_dir("/proc").expect("a list of processes");
    processes.filter_map(Result::ok).any(|process| {
        // One that is gone meanwhile has none.
        let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(folder)
    })
}
