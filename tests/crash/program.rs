//! A child process that runs this binary, and what it said before it was gone.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, channel},
    thread::JoinHandle,
    time::Duration,
};

/// The first argument of a child.
pub(crate) const CHILD: &str = "--child";

/// Longer than anything takes on a machine that is busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A child that runs.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
    reader: JoinHandle<()>,
}

/// What children said, by record id.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// Acknowledged as durable, with the number if it was said.
    pub(crate) acknowledged: BTreeMap<String, Option<u64>>,
    /// Intents that were acknowledged; true once their verdict was, too.
    pub(crate) intents: BTreeMap<String, bool>,
}

impl Program {
    /// Starts this binary as a child with these arguments.
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg(CHILD).args(args);
        Self::run(command)
    }

    /// Starts a command that leads to a child, as `strace` does.
    pub(crate) fn run(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let out = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        // A pipe holds 64 KiB: somebody must read while others wait.
        let reader = std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            lines,
            seen: Vec::new(),
            reader,
        }
    }

    /// Waits for a line that begins so; gives the rest of it.
    pub(crate) fn wait_for(&mut self, start: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).unwrap_or_else(|error| {
                panic!("no line {start:?}: {error}; last: {:?}", self.seen.last())
            });
            let rest = line.strip_prefix(start).map(str::to_owned);
            self.seen.push(line);
            if let Some(rest) = rest {
                return rest;
            }
        }
    }

    #[allow(dead_code, reason = "only `shipping` sends signals to it")]
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL. Gives everything that was said before.
    pub(crate) fn kill(mut self) -> Vec<String> {
        // It may be gone already.
        let _ = self.child.kill();
        self.gone().0
    }

    /// Lets the child end in order, which it does when its input ends.
    pub(crate) fn end(self) -> Vec<String> {
        let (seen, status) = self.gone();
        let last = seen.last();
        assert!(status.success(), "the child ended with {status}: {last:?}");
        seen
    }

    /// Waits for the end, however it comes.
    pub(crate) fn gone(mut self) -> (Vec<String>, ExitStatus) {
        drop(self.child.stdin.take());
        let status = self.child.wait().unwrap();
        self.reader.join().unwrap();
        self.seen.extend(self.lines.try_iter());
        (self.seen, status)
    }
}

impl Said {
    /// Takes in the lines of a child.
    pub(crate) fn add(&mut self, lines: &[String]) {
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            match words.as_slice() {
                ["ack", id, number] => {
                    let number = number.parse().ok();
                    self.acknowledged.insert((*id).to_owned(), number);
                }
                ["intent", id] => {
                    self.intents.insert((*id).to_owned(), false);
                }
                ["settled", id] => {
                    self.intents.insert((*id).to_owned(), true);
                }
                _ => {}
            }
        }
    }
}
