//! The OTLP sink, against a receiver in the same process and against a real collector.

mod answers;
mod connection;
mod delivery;
mod env;
mod fields;
mod receiver;
mod rejected;
mod rotel;

use tower_audit::sink::{OtlpSink, OtlpSinkBuilder};

use self::receiver::Receiver;

/// The two ways to a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Grpc,
    Http,
}

const WAYS: [Way; 2] = [Way::Grpc, Way::Http];

impl Way {
    /// A builder that does not look at the environment of the tests, and is as patient as can be.
    fn builder(self, url: String) -> OtlpSinkBuilder {
        let builder = match self {
            Self::Grpc => OtlpSink::grpc(url),
            Self::Http => OtlpSink::http(url),
        };
        builder
            .environment(|_| None)
            .timeout(std::time::Duration::from_secs(30))
    }

    fn sink(self, receiver: &Receiver) -> OtlpSink {
        self.builder(receiver.url()).build().unwrap()
    }
}

#[cfg(feature = "testing")]
mod conforms {
    use tower_audit::{
        sink::{OtlpCompression, Sink},
        sink_conformance,
        testing::{conformance::Destination, sinks::Stored},
    };

    use super::*;

    fn fresh(way: Way, compression: OtlpCompression) -> Destination {
        let receiver = Receiver::new();
        let there = receiver.clone();
        Destination::new(
            move || {
                let builder = way.builder(receiver.url()).compression(compression);
                let sink = builder.build().unwrap();
                async move { Box::new(sink) as Box<dyn Sink> }
            },
            move || {
                let records = there.taken();
                async move { records.iter().map(stored).collect() }
            },
        )
    }

    fn stored(taken: &receiver::Taken) -> Stored {
        let trail = fields::text(&taken.log.attributes, "audit.trail.id");
        let json = fields::body(&taken.log);
        Stored::new(trail.parse().unwrap(), receiver::number(&taken.log), json)
    }

    sink_conformance!(grpc, fresh(Way::Grpc, OtlpCompression::Gzip));
    sink_conformance!(grpc_plain, fresh(Way::Grpc, OtlpCompression::None));
    sink_conformance!(http, fresh(Way::Http, OtlpCompression::Gzip));
    sink_conformance!(http_plain, fresh(Way::Http, OtlpCompression::None));
}
