//! `OTEL_*` variables complete a sink that was asked for.

use std::collections::HashMap;

use serde_json::json;
use tower_audit::{
    evidence::leaf_hash,
    sink::{Delivery, OtlpSink, OtlpSinkBuilder, OtlpSinkError, Sink, SinkError, url},
};

use super::{
    Way,
    fields::text,
    receiver::{Receiver, Reply},
};
use crate::support::batches::{batch, origin, plain};

/// A builder that finds these variables.
fn with(builder: OtlpSinkBuilder, variables: &[(&str, &str)]) -> OtlpSinkBuilder {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let variables: HashMap<_, _> = variables.iter().map(own).collect();
    builder.environment(move |name| variables.get(name).cloned())
}

fn wrong(builder: OtlpSinkBuilder, variables: &[(&str, &str)]) -> OtlpSinkError {
    with(builder, variables).build().unwrap_err()
}

#[test]
fn the_environment_names_the_receiver_of_a_sink_that_leaves_it_open() {
    const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    const LOGS: &str = "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT";
    const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
    const LOGS_PROTOCOL: &str = "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL";
    const INSECURE: &str = "OTEL_EXPORTER_OTLP_INSECURE";
    for (variables, expected) in [
        (&[(ENDPOINT, "http://c:4318")][..], "otlp+http://c:4318"),
        (&[(ENDPOINT, "https://c/base/")], "otlp+https://c:4318/…"),
        (&[(ENDPOINT, "http://c/v1/logs")], "otlp+http://c:4318"),
        (&[(LOGS, "http://c/own")], "otlp+http://c:4318/…"),
        (
            &[(LOGS, "http://a"), (ENDPOINT, "http://b")],
            "otlp+http://a:4318",
        ),
        (
            &[(ENDPOINT, "http://c"), (PROTOCOL, "grpc")],
            "otlp+grpc://c:4317",
        ),
        (
            &[
                (ENDPOINT, "http://c"),
                (PROTOCOL, "http/protobuf"),
                (LOGS_PROTOCOL, "grpc"),
            ],
            "otlp+grpc://c:4317",
        ),
        (&[(ENDPOINT, "c:9"), (PROTOCOL, "grpc")], "otlp+grpcs://c:9"),
        (
            &[(ENDPOINT, "c:9"), (PROTOCOL, "grpc"), (INSECURE, "true")],
            "otlp+grpc://c:9",
        ),
    ] {
        let sink = with(OtlpSink::from_environment(), variables)
            .build()
            .unwrap();
        assert_eq!(sink.address(), expected, "{variables:?}");
    }
    // An empty variable is none, and none is no receiver.
    for variables in [&[][..], &[(ENDPOINT, " ")]] {
        let error = wrong(OtlpSink::from_environment(), variables);
        assert_eq!(error.part, "variable OTEL_EXPORTER_OTLP_ENDPOINT");
    }
}

#[test]
fn what_was_asked_for_in_the_address_wins() {
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://other:1"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
    ];
    let sink = with(OtlpSink::http("http://mine:2"), &variables).build();
    assert_eq!(sink.unwrap().address(), "otlp+http://mine:2");
}

#[tokio::test]
async fn headers_and_resource_are_completed() {
    let receiver = Receiver::new();
    let builder = OtlpSink::grpc(receiver.url())
        .header("X-Own", "mine")
        .resource_attribute("deployment.environment.name", "mine");
    let variables = [
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "x-own=theirs, x-key=a%2Cb%20c",
        ),
        ("OTEL_SERVICE_NAME", "documents"),
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "service.name=lost,deployment.environment.name=theirs,k8s.pod.name=p%201,service.version=9,service.instance.id=lost",
        ),
    ];
    let json = json!({"service": {"name": "docs", "instance": "web-7"}}).to_string();
    let record = Delivery::new(0, leaf_hash(json.as_bytes()), json);
    let mut sink = with(builder, &variables).build().unwrap();
    let batch = batch(&origin(1), vec![record]);
    sink.deliver(&batch).await.unwrap();

    let headers = &receiver.calls()[0].headers;
    assert_eq!(headers["x-own"], "mine");
    assert_eq!(headers["x-key"], "a,b c");
    let taken = receiver.taken().remove(0);
    for (name, expected) in [
        ("service.name", "documents"),
        ("service.version", "9"),
        ("service.instance.id", "web-7"),
        ("deployment.environment.name", "mine"),
        ("k8s.pod.name", "p 1"),
    ] {
        assert_eq!(text(&taken.resource.attributes, name), expected, "{name}");
    }
    assert_eq!(text(&taken.log.attributes, "audit.service.name"), "docs");
}

#[tokio::test]
async fn compression_and_timeout_are_completed() {
    let receiver = Receiver::with(|call| match call.numbers.first() {
        Some(1) => Reply::Hang,
        _ => Reply::Take(""),
    });
    // The one that is to pass has time, also on a machine that is busy with other tests.
    let variables = |timeout| {
        [
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", "none"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", timeout),
        ]
    };
    for way in super::WAYS {
        let builder = || match way {
            Way::Grpc => OtlpSink::grpc(receiver.url()),
            Way::Http => OtlpSink::http(receiver.url()),
        };
        let mut sink = with(builder(), &variables("20000")).build().unwrap();
        sink.deliver(&plain(&origin(1), 0..1)).await.unwrap();
        let call = receiver.calls().pop().unwrap();
        assert_eq!(call.headers.get("content-encoding"), None, "{way:?}");
        assert_eq!(call.headers.get("grpc-encoding"), None, "{way:?}");
        let mut sink = with(builder(), &variables("20")).build().unwrap();
        let error = sink.deliver(&plain(&origin(1), 1..2)).await.unwrap_err();
        assert_eq!(error, SinkError::retry("no answer within 20ms"), "{way:?}");
    }
}

#[test]
fn a_bad_value_is_named_by_its_variable_and_never_shown_where_it_can_be_secret() {
    let http = || OtlpSink::http("https://c");
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_HEADERS", "hunter2"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "content-type=hunter2"),
        ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "x=hunter2%0A"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x=hunter2%ff"),
        ("OTEL_RESOURCE_ATTRIBUTES", "hunter2"),
    ] {
        let error = wrong(http(), &[(name, value)]);
        assert_eq!(error.part, format!("variable {name}"), "{value}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    for value in [
        "user:hunter2@c",
        "http://user:hunter2@c",
        "https://c?hunter2",
    ] {
        let variable = [("OTEL_EXPORTER_OTLP_ENDPOINT", value)];
        let error = wrong(OtlpSink::from_environment(), &variable);
        assert_eq!(error.part, "variable OTEL_EXPORTER_OTLP_ENDPOINT");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "0"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/key"),
        ("OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE", "/cert"),
    ] {
        let error = wrong(http(), &[(name, value)]);
        assert_eq!(
            (error.part, error.value),
            (format!("variable {name}"), value.to_owned())
        );
    }
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_INSECURE", "yes"),
    ] {
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "c:1"),
            ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "grpc"),
            (name, value),
        ];
        let variables = if name.ends_with("INSECURE") {
            variables
        } else {
            [variables[0], variables[2], variables[2]]
        };
        let error = wrong(OtlpSink::from_environment(), &variables);
        assert_eq!(error.part, format!("variable {name}"));
    }
}

#[test]
fn addresses_are_read_with_their_options() {
    for (address, expected) in [
        ("otlp+grpc://collector", "otlp+grpc://collector:4317"),
        ("otlp+grpcs://[::1]:1?ca=/ca.pem", "otlp+grpcs://[::1]:1"),
        ("otlp+http://c:1?gzip=off&timeout=3s", "otlp+http://c:1"),
        ("otlp+http://c:1/v1/logs?gzip=on", "otlp+http://c:1"),
        (
            "otlp+https://c/x?token=hunter2&headers_file=/h&cert=/c&key=/k",
            "otlp+https://c:4318/…",
        ),
        ("otlp+https://c?token_file=/hunter2", "otlp+https://c:4318"),
    ] {
        let sink = url::parse(address).map(|sink| sink.address());
        assert_eq!(sink.as_deref(), Ok(expected), "{address}");
    }
}

#[test]
fn a_wrong_address_names_the_part_and_no_secret() {
    for (address, part) in [
        ("otlp+grpc://", "location"),
        ("otlp+grpc://c/path", "location"),
        ("otlp+grpc://user:hunter2@c", "location"),
        ("otlp://c", "location"),
        ("otlp+http://c?gzip=yes", "option gzip"),
        ("otlp+http://c?timeout=0s", "timeout"),
        ("otlp+http://c?timeout=soon", "option timeout"),
        ("otlp+http://c?token=hunter2%0A", "token"),
        ("otlp+http://c?token=hunter2&token_file=/f", "option token"),
        ("otlp+http://c?ca=/ca.pem", "option ca"),
        ("otlp+https://c?cert=/c.pem", "option cert"),
        ("otlp+https://c?headers_file=", "option headers_file"),
        ("otlp+https://c?tokn=hunter2", "option"),
    ] {
        let error = url::parse(address).err().unwrap();
        assert_eq!(error.part, part, "{address}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[test]
fn neither_the_sink_nor_its_builder_shows_a_secret() {
    let builder = OtlpSink::grpc("http://c")
        .header("x-key", "hunter2")
        .token("hunter2");
    let shown = format!("{builder:?}");
    let sink = builder.environment(|_| None).build().unwrap();
    let shown = format!("{shown} {sink:?} {}", sink.address());
    assert!(!shown.contains("hunter2"), "{shown}");
}
