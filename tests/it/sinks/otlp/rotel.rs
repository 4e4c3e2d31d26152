//! The real collector: what it printed is what was sent.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use serde_json::Value;
use tower_audit::{
    evidence::leaf_hash,
    sink::{Delivery, OtlpCompression, Sink, SinkError},
};

use super::{
    WAYS, Way,
    fields::{documented, full_record, leaves},
};
use crate::support::{
    batches::{START, batch, origin, record},
    port::Port,
    services,
};

/// How long the collector may take for anything.
const PATIENCE: Duration = Duration::from_secs(120);

/// A collector, until it is dropped.
struct Rotel {
    process: Child,
    grpc: SocketAddr,
    http: SocketAddr,
    lines: Receiver<String>,
    _ports: (Port, Port),
}

impl Rotel {
    /// Starts one and waits until it answers; `None` where there is none, which was said.
    async fn start() -> Option<Self> {
        let program = services::rotel()?;
        let dir = tempfile::tempdir().unwrap();
        let ports = (Port::new(), Port::new());
        let (grpc, http) = (ports.0.address(), ports.1.address());
        let mut process = Command::new(program)
            .args(["start", "--exporter", "blackhole", "--debug-log", "logs"])
            .args(["--debug-log-verbosity", "detailed"])
            .args(["--otlp-grpc-endpoint", &grpc.to_string()])
            .args(["--otlp-http-endpoint", &http.to_string()])
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the collector starts");
        let output = process.stdout.take().expect("its output");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            let lines = BufReader::new(output).lines().map_while(Result::ok);
            for line in lines {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let rotel = Self {
            process,
            grpc,
            http,
            lines,
            _ports: ports,
        };
        rotel.wait().await;
        Some(rotel)
    }

    async fn wait(&self) {
        let wait = async {
            for way in WAYS {
                let builder = way.builder(self.url(way));
                let mut sink = builder.build().unwrap();
                while let Err(error) = sink.probe().await {
                    assert!(matches!(error, SinkError::Retry { .. }), "{error:?}");
                    // Sleep: another process starts; nothing tells us when it listens.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        };
        let waited = tokio::time::timeout(PATIENCE, wait).await;
        waited.expect("the collector listens");
    }

    fn url(&self, way: Way) -> String {
        match way {
            Way::Grpc => format!("http://{}", self.grpc),
            Way::Http => format!("http://{}", self.http),
        }
    }

    /// What it printed of the next log record.
    fn printed(&self) -> Printed {
        let mut printed = Printed::default();
        loop {
            let line = self.lines.recv_timeout(PATIENCE).expect("a line");
            if let Some(pair) = line.strip_prefix("     -> ") {
                let (name, value) = pair.split_once(": ").unwrap();
                let before = printed.attributes.insert(name.into(), value.into());
                assert_eq!(before, None, "{name} stands twice");
            } else if line == "Flags: 0" {
                return printed;
            } else if let Some((name, value)) = line.split_once(": ") {
                printed.fields.insert(name.trim().into(), value.into());
            } else if let Some(scope) = line.strip_prefix("InstrumentationScope ") {
                printed.fields.insert("Scope".into(), scope.into());
            }
        }
    }
}

impl Drop for Rotel {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _reaped = self.process.wait();
    }
}

#[derive(Debug, Default)]
struct Printed {
    /// Of the log record and of its resource.
    attributes: BTreeMap<String, String>,
    fields: BTreeMap<String, String>,
}

/// A value as the collector writes it.
fn written(value: &Value) -> String {
    let all = |parts: Vec<String>| parts.join(", ");
    match value {
        Value::Null => "Empty".to_owned(),
        Value::Bool(value) => format!("Bool({value})"),
        Value::Number(number) if number.is_i64() => format!("Int({number})"),
        Value::Number(number) => format!("Double({number})"),
        Value::String(text) => format!("Str({text})"),
        Value::Array(list) => format!("Slice({})", all(list.iter().map(written).collect())),
        Value::Object(fields) => {
            let fields = fields.iter();
            let fields = fields.map(|(name, value)| format!("{name}:{}", written(value)));
            format!("Map({})", all(fields.collect()))
        }
    }
}

/// What the documents say becomes of a record, as the collector writes it.
fn expected(record: &Value, delivery: &Delivery) -> BTreeMap<String, String> {
    let documented = documented();
    let mut expected = BTreeMap::new();
    for (field, value) in leaves(record) {
        for home in &documented[&field] {
            let own = match home.strip_prefix("audit.target.") {
                Some(part) => &record["targets"][0][part],
                None => &value,
            };
            expected.insert(home.clone(), written(own));
        }
    }
    for other in [
        "time_unix_nano",
        "trace_id",
        "span_id",
        "event_name",
        "severity_number",
    ] {
        expected.remove(other);
    }
    let trail = origin(7).trail;
    expected.extend([
        ("audit.trail.id".into(), format!("Str({trail})")),
        (
            "audit.sequence.number".into(),
            format!("Int({})", delivery.number),
        ),
        ("audit.leaf.hash".into(), format!("Str({})", delivery.leaf)),
    ]);
    expected
}

#[tokio::test]
async fn the_collector_prints_every_attribute_that_was_sent() {
    let Some(rotel) = Rotel::start().await else {
        return;
    };
    let mut record = full_record();
    for (number, (way, compression)) in (41..).zip([
        (Way::Grpc, OtlpCompression::Gzip),
        (Way::Grpc, OtlpCompression::None),
        (Way::Http, OtlpCompression::Gzip),
        (Way::Http, OtlpCompression::None),
    ]) {
        record["reason"] = Value::from(format!("{way:?} {compression:?}"));
        let json = record.to_string();
        let delivery = Delivery::new(number, leaf_hash(json.as_bytes()), json.clone());
        let builder = way.builder(rotel.url(way)).compression(compression);
        let mut sink = builder.build().unwrap();
        let batch = batch(&origin(7), vec![delivery.clone()]);
        sink.deliver(&batch).await.unwrap();

        let printed = rotel.printed();
        let expected = expected(&record, &delivery);
        assert!(expected.len() > 50, "{expected:?}");
        assert_eq!(printed.attributes, expected, "{way:?} {compression:?}");
        let micros = START + 3_600_000_000;
        for (field, expected) in [
            ("Body", format!("Str({json})")),
            ("EventName", record["action"].as_str().unwrap().to_owned()),
            ("SeverityNumber", "SEVERITY_NUMBER_WARN(13)".to_owned()),
            ("SeverityText", "WARN".to_owned()),
            ("ObservedTimestamp", format!("{micros}000")),
            ("Timestamp", nanos(&record["timestamp"])),
            (
                "Trace ID",
                record["context"]["trace_id"].as_str().unwrap().to_owned(),
            ),
            (
                "Span ID",
                record["context"]["span_id"].as_str().unwrap().to_owned(),
            ),
            (
                "Scope",
                format!("tower-audit {}", env!("CARGO_PKG_VERSION")),
            ),
        ] {
            let found = printed.fields.get(field).map(String::as_str);
            assert_eq!(
                found,
                Some(expected.as_str()),
                "{way:?} {compression:?} {field}"
            );
        }
    }
}

fn nanos(timestamp: &Value) -> String {
    let at: tower_audit::clock::Timestamp = timestamp.as_str().unwrap().parse().unwrap();
    format!("{}000", at.as_micros())
}

#[tokio::test]
async fn the_collector_takes_a_batch_as_large_as_they_come() {
    let Some(rotel) = Rotel::start().await else {
        return;
    };
    // More than the 4 MiB that it takes, in one batch.
    let details = format!(r#","details":{{"n":[{}1]}}"#, "-1,".repeat(17_000));
    let records = (0..20).map(|number| record(number, "document.create", &details));
    let batch = batch(&origin(1), records.collect());
    for way in WAYS {
        let builder = way.builder(rotel.url(way));
        let mut sink = builder.compression(OtlpCompression::None).build().unwrap();
        sink.deliver(&batch).await.unwrap();
        for number in 0..20 {
            let printed = rotel.printed();
            let found = &printed.attributes["audit.sequence.number"];
            assert_eq!(found, &format!("Int({number})"), "{way:?}");
        }
    }
}
