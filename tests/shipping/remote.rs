//! Destinations on a network: receivers of this binary, killed, stopped or shown a wrong token.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    far_end::{FarEnd, Place, Promise},
    port::Port,
    program::Program,
    receiver::read_book,
};

/// What goes wrong in the middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outage {
    /// The receiver's process is killed.
    Killed,
    /// The receiver's process takes nothing any more, and closes nothing.
    Hung,
    /// The receiver wants another token, and nobody has told the sender.
    WrongToken,
}

pub(crate) struct Remote {
    kind: &'static str,
    /// What stands around the address in the URL.
    url: (&'static str, &'static str),
    port: Port,
    book: PathBuf,
    /// What the sender shows.
    token: PathBuf,
    /// What the receiver wants.
    wanted: PathBuf,
    /// While it is there, the receiver refuses some.
    pub(crate) refusing: PathBuf,
    outage: Outage,
    batch: usize,
    running: Option<Program>,
}

impl Remote {
    fn new(
        dir: &Path,
        kind: &'static str,
        url: (&'static str, &'static str),
        outage: Outage,
        batch: usize,
    ) -> Self {
        let mut remote = Self {
            kind,
            url,
            port: Port::new(),
            book: dir.join("book"),
            token: dir.join("token"),
            wanted: dir.join("wanted"),
            refusing: dir.join("refusing"),
            outage,
            batch,
            running: None,
        };
        std::fs::write(&remote.token, "first-token").unwrap();
        std::fs::write(&remote.wanted, "first-token").unwrap();
        remote.receive();
        remote
    }

    fn receive(&mut self) {
        let address = self.port.address().to_string();
        let (book, wanted) = (self.book.to_str().unwrap(), self.wanted.to_str().unwrap());
        let refusing = self.refusing.to_str().unwrap();
        let mut program =
            Program::start(&["receiver", self.kind, &address, book, wanted, refusing]);
        program.wait_for("listening");
        self.running = Some(program);
    }

    fn signal(&self, signal: &str) {
        let id = self.running.as_ref().expect("a receiver").id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status();
        assert!(sent.unwrap().success(), "kill {signal} {id}");
    }
}

impl FarEnd for Remote {
    fn url(&self) -> String {
        let (before, after) = self.url;
        let token = self.token.display();
        format!("{before}{}{after}", self.port.address()).replace("TOKEN_FILE", &token.to_string())
    }

    fn stop(&mut self) {
        match self.outage {
            Outage::Killed => drop(self.running.take().map(Program::kill)),
            Outage::Hung => self.signal("-STOP"),
            Outage::WrongToken => std::fs::write(&self.wanted, "next-token").unwrap(),
        }
    }

    fn start(&mut self) {
        match self.outage {
            Outage::Killed => self.receive(),
            Outage::Hung => self.signal("-CONT"),
            Outage::WrongToken => std::fs::write(&self.token, "next-token").unwrap(),
        }
    }

    fn arrived(&mut self) -> Vec<Place> {
        read_book(&self.book)
    }

    fn promise(&self) -> Promise {
        Promise::AgainAfterAnOutage(self.batch)
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        drop(self.running.take().map(Program::kill));
    }
}

type Made = Result<Box<dyn FarEnd>, String>;

const OTLP_BATCH: usize = 1000;
const GRPC: (&str, &str) = ("otlp+grpc://", "?token_file=TOKEN_FILE");
const HTTP: (&str, &str) = ("otlp+http://", "?token_file=TOKEN_FILE");

pub(crate) fn otlp_grpc(dir: &Path) -> Made {
    let remote = Remote::new(dir, "grpc", GRPC, Outage::Killed, OTLP_BATCH);
    Ok(Box::new(remote))
}

pub(crate) fn otlp_http(dir: &Path) -> Made {
    let remote = Remote::new(dir, "http", HTTP, Outage::Killed, OTLP_BATCH);
    Ok(Box::new(remote))
}

pub(crate) fn otlp_wrong_token(dir: &Path) -> Made {
    let remote = Remote::new(dir, "grpc", GRPC, Outage::WrongToken, OTLP_BATCH);
    Ok(Box::new(remote))
}

pub(crate) fn otlp_hung(dir: &Path) -> Made {
    let remote = Remote::new(dir, "http", HTTP, Outage::Hung, OTLP_BATCH);
    Ok(Box::new(remote))
}

/// A collector that refuses some records until it is told otherwise.
pub(crate) fn refusing(dir: &Path) -> Remote {
    let remote = Remote::new(dir, "grpc", GRPC, Outage::Killed, OTLP_BATCH);
    std::fs::write(&remote.refusing, "").unwrap();
    remote
}

pub(crate) fn splunk(dir: &Path) -> Made {
    let url = ("splunk+http://", "?token_file=TOKEN_FILE");
    Ok(Box::new(Remote::new(
        dir,
        "http",
        url,
        Outage::Killed,
        1000,
    )))
}

pub(crate) fn splunk_wrong_token(dir: &Path) -> Made {
    let url = ("splunk+http://", "?token_file=TOKEN_FILE");
    Ok(Box::new(Remote::new(
        dir,
        "http",
        url,
        Outage::WrongToken,
        1000,
    )))
}

pub(crate) fn webhook(dir: &Path) -> Made {
    let url = ("http://", "/hook?body=lines");
    Ok(Box::new(Remote::new(
        dir,
        "http",
        url,
        Outage::Killed,
        1000,
    )))
}
