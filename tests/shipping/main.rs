//! The same hundred thousand records through every sink, with an outage of its far end and a killed
//! program on the way: at the far end each is there, in order, and what came twice is counted.
//!
//! A binary of its own, because it starts itself: the service that ships, and the receivers that
//! have no server of their own here. Run with `cargo test --all-features --test shipping`, or a part
//! of it with a word of a sink's name after `--`: `cargo test --all-features --test shipping -- file`.
//!
//! | variable | means | default |
//! |---|---|---|
//! | `AUDIT_SHIP_RECORDS` | records that each sink is given | 100000 |
//! | `AUDIT_TEST_REQUIRE` | `1`: what cannot be tested here is a failure, not a skip | |

#[cfg(test)]
#[path = "../crash/cases.rs"]
#[allow(dead_code, reason = "shared with `crash`")]
mod cases;
#[cfg(test)]
mod far_end;
#[cfg(test)]
mod journey;
#[cfg(test)]
mod local;
#[cfg(test)]
#[path = "../crash/place.rs"]
#[allow(dead_code, reason = "shared with `crash`")]
mod place;
#[cfg(test)]
#[path = "../it/support/port.rs"]
mod port;
#[cfg(test)]
#[path = "../crash/program.rs"]
#[allow(dead_code, reason = "shared with `crash`")]
mod program;
#[cfg(test)]
#[path = "../it/support/project.rs"]
#[allow(dead_code, reason = "shared with `it`")]
mod project;
#[cfg(test)]
mod receiver;
#[cfg(test)]
mod refusal;
#[cfg(test)]
mod remote;
#[cfg(test)]
mod servers;
#[cfg(test)]
mod service;
#[cfg(test)]
#[path = "../it/support/services.rs"]
#[allow(dead_code, reason = "shared with `it`")]
mod services;

#[cfg(test)]
fn main() -> std::process::ExitCode {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() == Some(program::CHILD) {
        let args: Vec<_> = args.collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        return match args.as_slice() {
            ["receiver", rest @ ..] => receiver::main(rest),
            ["service", rest @ ..] => service::main(rest),
            _ => panic!("a child knows no {args:?}"),
        };
    }
    cases::main(&[
        ("sqlite", || journey::make(local::sqlite)),
        ("file", || journey::make(local::file)),
        ("stdout", || journey::make(local::stdout)),
        ("postgres", || journey::make(servers::postgres)),
        ("mariadb", || journey::make(servers::mariadb)),
        ("otlp over gRPC", || journey::make(remote::otlp_grpc)),
        ("otlp over HTTP", || journey::make(remote::otlp_http)),
        ("otlp, wrong token", || {
            journey::make(remote::otlp_wrong_token)
        }),
        ("otlp, a receiver that hangs", || {
            journey::make(remote::otlp_hung)
        }),
        ("otlp, some refused", refusal::refusal_test),
        ("splunk", || journey::make(remote::splunk)),
        ("splunk, wrong token", || {
            journey::make(remote::splunk_wrong_token)
        }),
        ("syslog over TCP", || journey::make(servers::syslog)),
        ("syslog over TLS", || journey::make(servers::syslog_tls)),
        ("webhook", || journey::make(remote::webhook)),
    ])
}

#[cfg(not(test))]
fn main() {}
