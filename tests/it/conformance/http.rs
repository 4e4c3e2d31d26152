//! Those that post, at receivers in this process.

use std::sync::{Arc, atomic::Ordering};

use serde_json::value::RawValue;
use tower_audit::sink::{SplunkSink, WebhookSink};

use super::*;
use crate::support::{
    hec::{Hec, TOKEN},
    receiver::{Receiver, Reply},
};

#[derive(serde::Deserialize)]
struct Event {
    trail: uuid::Uuid,
    n: u64,
    record: Box<RawValue>,
}

fn stored(event: Event) -> Stored {
    Stored::new(event.trail, event.n, event.record.get())
}

fn webhook() -> Destination {
    let receiver = Arc::new(Receiver::start(|_| Reply::plain(204, "")));
    let there = Arc::clone(&receiver);
    Destination::new(
        move || {
            let url = format!("http://{}/", receiver.address());
            let sink = WebhookSink::builder(url).gzip().build().unwrap();
            async move { Box::new(sink) as Box<dyn Sink> }
        },
        move || {
            let bodies = there.posts("/").into_iter().map(|seen| seen.body);
            let events = bodies.flat_map(|body| serde_json::from_str::<Vec<Event>>(&body).unwrap());
            let records = events.map(stored).collect();
            async move { records }
        },
    )
}

fn splunk() -> Destination {
    #[derive(serde::Deserialize)]
    struct Posted {
        event: Event,
    }
    let (hec, receiver) = Hec::start();
    hec.acknowledges.store(true, Ordering::SeqCst);
    let receiver = Arc::new(receiver);
    let there = Arc::clone(&receiver);
    Destination::new(
        move || {
            let _running = Arc::clone(&hec);
            let url = format!("http://{}", receiver.address());
            let sink = SplunkSink::builder(url).token(TOKEN).acknowledged();
            let sink = sink.build().unwrap();
            async move { Box::new(sink) as Box<dyn Sink> }
        },
        move || {
            let posts = there.posts("/services/collector/event");
            let records = posts
                .iter()
                .flat_map(|seen| {
                    serde_json::Deserializer::from_str(&seen.body).into_iter::<Posted>()
                })
                .map(|posted| stored(posted.unwrap().event))
                .collect();
            async move { records }
        },
    )
}

sink_conformance!(webhook_conforms, webhook());
sink_conformance!(splunk_conforms, splunk());
