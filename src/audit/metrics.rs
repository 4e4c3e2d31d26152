//! The counters as OpenTelemetry instruments.

use std::sync::{Arc, Weak};

use opentelemetry::{KeyValue, metrics::Meter};

use super::{
    Audit, Parts,
    prometheus::{SINK, TRAIL},
};

impl Audit {
    /// Registers every counter of [`stats`](Audit::stats) with a meter.
    ///
    /// An instrument is named as in [`prometheus`](Audit::prometheus), in OpenTelemetry's style:
    /// `audit_records_stored_total` is `audit.records.stored`. Those of a sink have the attribute
    /// `sink`. The values are read when the meter collects; once the last handle is gone, nothing
    /// is reported any more.
    pub fn register_metrics(&self, meter: &Meter) {
        for (name, kind, help, value) in TRAIL {
            let parts = Arc::downgrade(self.parts());
            instrument(meter, name, kind, help, move |observe| {
                if let Some(parts) = parts.upgrade() {
                    observe(value(&parts.stats()), &[]);
                }
            });
        }
        for (name, kind, help, value) in SINK {
            let parts: Weak<Parts> = Arc::downgrade(self.parts());
            instrument(meter, name, kind, help, move |observe| {
                let sinks = parts.upgrade().map(|parts| parts.delivery.stats());
                for sink in sinks.unwrap_or_default() {
                    observe(value(&sink), &[KeyValue::new("sink", sink.name.clone())]);
                }
            });
        }
    }
}

fn instrument(
    meter: &Meter,
    name: &str,
    kind: &str,
    help: &'static str,
    read: impl Fn(&dyn Fn(u64, &[KeyValue])) + Send + Sync + 'static,
) {
    let name = name.trim_end_matches("_total").replace('_', ".");
    if kind == "counter" {
        let counter = meter.u64_observable_counter(name).with_description(help);
        counter
            .with_callback(move |observer| {
                read(&|value, attributes| observer.observe(value, attributes))
            })
            .build();
    } else {
        let gauge = meter.u64_observable_gauge(name).with_description(help);
        gauge
            .with_callback(move |observer| {
                read(&|value, attributes| observer.observe(value, attributes))
            })
            .build();
    }
}
