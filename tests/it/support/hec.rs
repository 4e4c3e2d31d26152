//! Splunk's HTTP event collector, as far as its documentation describes it.
//!
//! There is no free server to test against. What is played here: the tokens (codes 1 to 4), no data
//! (5), one bad event (6, 12, 13, 15: those before it are indexed, none after it), the index (7),
//! busy (9, with 503), channels and acknowledgement (10, 14), health (17, 18).

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use serde_json::{Value, json, value::RawValue};

use super::receiver::{Receiver, Reply, Seen};

pub(crate) const TOKEN: &str = "b0221cd8-c4b4-465a-9a3c-273e3a75aa29";

/// An event; what is in it as it came.
type Raw = BTreeMap<String, Box<RawValue>>;

/// What a test changes while the collector runs.
#[derive(Default)]
pub(crate) struct Hec {
    /// Nobody's token is known.
    pub(crate) locked: AtomicBool,
    pub(crate) busy: AtomicBool,
    /// The tokens have acknowledgement.
    pub(crate) acknowledges: AtomicBool,
    /// How often "not yet" is answered before a batch is acknowledged.
    pub(crate) delay: AtomicUsize,
    /// The numbers of the records that it does not take, and the code it says so with.
    pub(crate) bad: Mutex<(Vec<u64>, u16)>,
    /// Versions differ in whether the first event has the number 0 or 1.
    pub(crate) counts_from: AtomicUsize,
    /// What is indexed, in its order.
    pub(crate) indexed: Mutex<Vec<(u64, Raw)>>,
    acks: AtomicU64,
}

impl Hec {
    pub(crate) fn start() -> (Arc<Self>, Receiver) {
        let hec = Arc::new(Self::default());
        let answers = Arc::clone(&hec);
        (hec, Receiver::start(move |seen| answers.answer(seen)))
    }

    /// The numbers of the records that are indexed, in their order.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        self.indexed
            .lock()
            .unwrap()
            .iter()
            .map(|(number, _)| *number)
            .collect()
    }

    /// The events that are indexed, in their order.
    pub(crate) fn events(&self) -> Vec<Value> {
        let value = |event: &Raw| serde_json::from_str(&serde_json::to_string(event).unwrap());
        let indexed = self.indexed.lock().unwrap();
        indexed
            .iter()
            .map(|(_, event)| value(event).unwrap())
            .collect()
    }

    fn answer(&self, seen: &Seen) -> Reply {
        let is = |flag: &AtomicBool| flag.load(Ordering::SeqCst);
        if seen.path == "/services/collector/health" {
            return if is(&self.busy) {
                says(503, 18, "HEC is unhealthy, queues are full")
            } else {
                says(200, 17, "HEC is healthy")
            };
        }
        match seen
            .headers
            .get("authorization")
            .map(|value| value.to_str().unwrap())
        {
            None => return says(401, 2, "Token is required"),
            Some(value) if !value.starts_with("Splunk ") => {
                return says(401, 3, "Invalid authorization");
            }
            Some(value) if is(&self.locked) || value != format!("Splunk {TOKEN}") => {
                return says(403, 4, "Invalid token");
            }
            Some(_) => {}
        }
        match seen.path.as_str() {
            "/services/collector/event" => self.take(seen),
            "/services/collector/ack" => self.acknowledged(seen),
            _ => Reply::plain(404, "The requested URL was not found on this server."),
        }
    }

    fn take(&self, seen: &Seen) -> Reply {
        let acknowledges = self.acknowledges.load(Ordering::SeqCst);
        if acknowledges && !seen.headers.contains_key("x-splunk-request-channel") {
            return says(400, 10, "Data channel is missing");
        }
        if seen.body.is_empty() {
            return says(400, 5, "No data");
        }
        if self.busy.load(Ordering::SeqCst) {
            return says(503, 9, "Server is busy");
        }
        let (bad, code) = self.bad.lock().unwrap().clone();
        // Strict about where an object ends, not about what is in it.
        let events = serde_json::Deserializer::from_str(&seen.body).into_iter::<Raw>();
        for (place, event) in events.enumerate() {
            let place = place + self.counts_from.load(Ordering::SeqCst);
            let fail = |code: u16, text: &str| {
                let body = json!({"text": text, "code": code, "invalid-event-number": place});
                Reply::json(400, body)
            };
            let Ok(event) = event else {
                return fail(6, "Invalid data format");
            };
            let text = |name: &str| event.get(name).map_or("null", |value| value.get());
            if text("index") == r#""nowhere""# {
                return fail(7, "Incorrect index");
            }
            let fields: Value = serde_json::from_str(text("fields")).unwrap();
            let number: u64 = fields["number"].as_str().unwrap().parse().unwrap();
            if bad.contains(&number) {
                return fail(code, "Invalid data format");
            }
            self.indexed.lock().unwrap().push((number, event));
        }
        if acknowledges {
            let ack = self.acks.fetch_add(1, Ordering::SeqCst);
            return Reply::json(200, json!({"text": "Success", "code": 0, "ackId": ack}));
        }
        says(200, 0, "Success")
    }

    fn acknowledged(&self, seen: &Seen) -> Reply {
        if !self.acknowledges.load(Ordering::SeqCst) {
            return says(400, 14, "ACK is disabled");
        }
        if !seen.headers.contains_key("x-splunk-request-channel") {
            return says(400, 10, "Data channel is missing");
        }
        let asked: Value = serde_json::from_str(&seen.body).unwrap();
        let given = self.acks.load(Ordering::SeqCst);
        let answer = |ack: &Value| {
            let known = ack.as_u64().unwrap() < given;
            let waits = self.delay.load(Ordering::SeqCst);
            if known && waits > 0 {
                self.delay.store(waits - 1, Ordering::SeqCst);
            }
            (ack.to_string(), Value::Bool(known && waits == 0))
        };
        let acks: serde_json::Map<String, Value> = asked["acks"]
            .as_array()
            .unwrap()
            .iter()
            .map(answer)
            .collect();
        Reply::json(200, json!({ "acks": acks }))
    }
}

fn says(status: u16, code: u16, text: &str) -> Reply {
    Reply::json(status, json!({"text": text, "code": code}))
}
