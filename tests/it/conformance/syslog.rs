//! Syslog, at rsyslog.

use std::rc::Rc;

use serde_json::value::RawValue;
use tower_audit::{
    sink::{Sink, SyslogSink},
    testing::{
        conformance::{self, Destination},
        sinks::Stored,
    },
};
use uuid::Uuid;

use crate::support::services::{self, Syslog};

#[derive(serde::Deserialize)]
struct Event<'a> {
    trail: Uuid,
    n: u64,
    #[serde(borrow)]
    record: &'a RawValue,
}

fn fresh(syslog: Syslog) -> Destination {
    // All write to one file; each has a host name of its own.
    let host = format!("conformance-{}", Uuid::new_v4());
    let mark = format!(" {host} docs - audit [");
    let syslog = Rc::new(syslog);
    let there = Rc::clone(&syslog);
    Destination::new(
        move || {
            let (name, port) = syslog.tcp.rsplit_once(':').unwrap();
            let sink = SyslogSink::tcp(name, port.parse().unwrap());
            let sink = sink.hostname(&host).max_bytes(128 * 1024).build();
            async move { Box::new(sink) as Box<dyn Sink> }
        },
        move || {
            let text = std::fs::read(&there.file).unwrap();
            let stored = text.split(|byte| *byte == b'\n').filter_map(|line| {
                let line = std::str::from_utf8(line).ok()?;
                let (_, event) = line.split_once(&mark)?;
                let (_, event) = event.split_once("] ").unwrap();
                let event: Event<'_> = serde_json::from_str(event).unwrap();
                Some(Stored::new(event.trail, event.n, event.record.get()))
            });
            let records = stored.collect();
            async move { records }
        },
    )
}

// Not the macro: without a server there is no destination to make.
#[tokio::test]
async fn conforms() {
    if services::syslog().is_none() {
        return;
    }
    let destination = || fresh(services::syslog().expect("it was there"));
    conformance::run(destination).await.unwrap();
}
