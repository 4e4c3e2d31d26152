//! The counters as OpenTelemetry instruments, collected by the real SDK.

use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::{
    InMemoryMetricExporter, PeriodicReader, SdkMeterProvider,
    data::{AggregatedMetrics, Metric, MetricData},
};
use tower_audit::{
    Record,
    testing::{TestTrail, sinks::MemoryStore},
};

fn value(metric: &Metric) -> (u64, Vec<String>) {
    let attributes = |attributes: Vec<&opentelemetry::KeyValue>| {
        attributes.iter().map(|kv| kv.value.to_string()).collect()
    };
    let AggregatedMetrics::U64(data) = metric.data() else {
        panic!("{metric:?}")
    };
    match data {
        MetricData::Sum(sum) => {
            let point = sum.data_points().next().unwrap();
            (point.value(), attributes(point.attributes().collect()))
        }
        MetricData::Gauge(gauge) => {
            let point = gauge.data_points().next().unwrap();
            (point.value(), attributes(point.attributes().collect()))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn counters_reach_an_opentelemetry_meter() {
    let store = MemoryStore::new();
    let trail = TestTrail::with(|builder| builder.sink("memory", store.sink()));
    trail
        .audit()
        .commit_blocking(Record::new("user.login"))
        .unwrap();
    // Before the followers are gone their counters are final.
    assert!(trail.shutdown().in_order);

    let exporter = InMemoryMetricExporter::default();
    let provider = SdkMeterProvider::builder()
        .with_reader(PeriodicReader::builder(exporter.clone()).build())
        .build();
    trail.audit().register_metrics(&provider.meter("test"));
    provider.force_flush().unwrap();

    let exported = exporter.get_finished_metrics().unwrap();
    let metrics: Vec<_> = exported
        .iter()
        .flat_map(|all| all.scope_metrics())
        .flat_map(|scope| scope.metrics())
        .collect();
    let find = |name: &str| {
        value(
            metrics
                .iter()
                .find(|metric| metric.name() == name)
                .unwrap_or_else(|| panic!("{name}")),
        )
    };
    assert_eq!(find("audit.records.stored"), (3, vec![]));
    assert_eq!(find("audit.records.queued"), (0, vec![]));
    assert_eq!(find("audit.sink.delivered"), (3, vec!["memory".to_owned()]));
}
