//! The Open Cybersecurity Schema Framework, version 1.8.0.
//!
//! What has no attribute there is kept in `unmapped`, below `tower_audit.record`.

mod class;
mod finish;

use serde_json::Value;

use self::class::Class;
use super::{
    mapping::{Cases, How, Mapping, Rule, rule, same},
    spell,
    tree::text,
};

const ACCOUNT_CHANGE: Cases = 1;
const AUTHENTICATION: Cases = 1 << 1;
const ACCESS: Cases = 1 << 2;
const API: Cases = 1 << 3;
const ENTITY: Cases = 1 << 4;
/// There is one address, that of the client and of the connection.
const DIRECT: Cases = 1 << 5;
/// The connection is that of a proxy.
const PROXIED: Cases = 1 << 6;
/// The actor presented something with an id that is no session.
const PROGRAMMATIC: Cases = 1 << 7;
/// The actor is not verified, and claims a name.
const CLAIMED: Cases = 1 << 8;
/// The actor who logs in is verified.
const VERIFIED: Cases = 1 << 9;

const IP: How = How::If(spell::ip, "if it is an address");
const NO_IP: How = How::If(
    spell::no_ip,
    "if it stands for an address: shortened or hashed",
);
const IPS: How = How::If(spell::ips, "if all are addresses");
const EMAIL: How = How::If(spell::email, "if it is an address");
const MILLIS: How = How::Part(spell::milliseconds, "milliseconds since 1970");

pub(super) static OCSF: Mapping = Mapping {
    rules: RULES,
    cases,
    names: &[
        (ACCOUNT_CHANGE, "3001"),
        (AUTHENTICATION, "3002"),
        (ACCESS, "3005"),
        (API, "6003"),
        (ENTITY, "3004"),
        (DIRECT, "if it is the client's own"),
        (PROXIED, "if it is a proxy's"),
        (PROGRAMMATIC, "if it has an id and is no session"),
        (CLAIMED, "3002 of an actor who is not verified"),
        (VERIFIED, "3002 of an actor who is verified"),
    ],
    expand: |_, _, _| None,
    finish: finish::finish,
    close: "}}",
    base: "unmapped.tower_audit.record",
};

static RULES: &[Rule] = &[
    same("id", "metadata.uid"),
    rule("timestamp", "time", MILLIS),
    same("timestamp", "metadata.original_time"),
    same("schema", "metadata.log_version"),
    same("service.name", "metadata.product.name"),
    same("service.name", "service.name").when(AUTHENTICATION),
    same("service.name", "api.service.name").when(API),
    same("service.version", "metadata.product.version"),
    same("service.version", "service.version").when(AUTHENTICATION),
    same("service.version", "api.service.version").when(API),
    same("service.instance", "metadata.reporter.uid"),
    same("action", "metadata.event_code"),
    same("action", "api.operation").when(API),
    rule(
        "outcome",
        "status",
        How::Part(status, "Success, Failure, Unknown, or as it is"),
    ),
    rule("outcome", "status_id", How::Part(status_id, "as a number")),
    rule(
        "outcome",
        "severity_id",
        How::Part(severity_id, "as a number"),
    ),
    same("reason", "status_detail"),
    same("error.type", "api.response.error").when(API),
    same("error.message", "api.response.error_message").when(API),
    same("error.code", "status_code"),
    rule(
        "actor.type",
        "actor.user.type",
        How::As(user_type, "User, Service, System, Unknown or anonymous"),
    ),
    rule(
        "actor.type",
        "actor.user.type_id",
        How::Part(user_type_id, "as a number"),
    ),
    same("actor.id", "actor.user.uid"),
    same("actor.name", "actor.user.name"),
    rule("actor.email", "actor.user.email_addr", EMAIL),
    same("actor.id", "user.uid").when(VERIFIED),
    same("actor.name", "user.name").when(VERIFIED),
    rule("actor.email", "user.email_addr", EMAIL).when(VERIFIED),
    same("actor.claimed", "user.name").when(CLAIMED),
    rule(
        "actor.auth_method",
        "auth_factors.0.factor_type",
        How::As(factor, "Password, OTP …, or as it is"),
    )
    .when(AUTHENTICATION),
    rule(
        "actor.auth_method",
        "auth_factors.0.factor_type_id",
        How::Part(factor_id, "as a number"),
    )
    .when(AUTHENTICATION),
    same(
        "actor.credential.type",
        "actor.user.programmatic_credentials.0.type",
    )
    .when(PROGRAMMATIC),
    same(
        "actor.credential.id",
        "actor.user.programmatic_credentials.0.uid",
    )
    .when(PROGRAMMATIC),
    same("targets.@user.id", "user.uid").when(ACCOUNT_CHANGE | ACCESS),
    same("targets.@user.name", "user.name").when(ACCOUNT_CHANGE | ACCESS),
    same("targets.@user.type", "user.type").when(ACCOUNT_CHANGE | ACCESS),
    same("targets.@other.type", "resources.*.type").when(ACCESS),
    same("targets.@other.id", "resources.*.uid").when(ACCESS),
    same("targets.@other.name", "resources.*.name").when(ACCESS),
    same("targets.*.type", "resources.*.type").when(API),
    same("targets.*.id", "resources.*.uid").when(API),
    same("targets.*.name", "resources.*.name").when(API),
    same("targets.0.type", "entity.type").when(ENTITY),
    same("targets.0.id", "entity.uid").when(ENTITY),
    same("targets.0.name", "entity.name").when(ENTITY),
    same("tenant.id", "metadata.tenant_uid"),
    same("application.id", "actor.app_uid"),
    same("application.name", "actor.app_name"),
    rule("context.ip_address", "src_endpoint.ip", IP),
    rule("context.ip_address", "src_endpoint.uid", NO_IP),
    rule("context.peer_address", "src_endpoint.ip", IP).when(DIRECT),
    rule("context.peer_address", "src_endpoint.proxy_endpoint.ip", IP).when(PROXIED),
    rule("context.forwarded", "http_request.x_forwarded_for", IPS),
    same("context.user_agent", "http_request.user_agent"),
    same("context.session_id", "actor.session.uid"),
    same("context.session_id", "session.uid").when(AUTHENTICATION),
    same("context.request_id", "http_request.uid"),
    same("context.request_id", "api.request.uid").when(API),
    same("context.trace_id", "metadata.correlation_uid"),
    same("context.http.method", "http_request.http_method"),
    rule(
        "context.http.route",
        "http_request.url.path",
        How::If(spell::plain_path, "if it has no parameters"),
    ),
    same("context.http.status", "http_response.code"),
    same("count", "count"),
    rule("first", "start_time", MILLIS),
    rule("last", "end_time", MILLIS),
    rule(
        "truncated",
        "metadata.is_truncated",
        How::Part(spell::is_there, "true"),
    ),
];

fn cases(record: &Value) -> Cases {
    let of = |field| text(record, field);
    let class = match Class::of(record).0 {
        Class::AccountChange => ACCOUNT_CHANGE,
        Class::Authentication => AUTHENTICATION,
        Class::UserAccess => ACCESS,
        Class::ApiActivity => API,
        Class::EntityManagement => ENTITY,
    };
    let address = match (of("context.ip_address"), of("context.peer_address")) {
        (Some(client), Some(peer)) if client == peer => DIRECT,
        (Some(_), Some(_)) => PROXIED,
        _ => 0,
    };
    let has_key = of("actor.credential.id").is_some()
        && of("actor.credential.type").is_some_and(|kind| kind != "session");
    let subject = match (class, is_verified(record)) {
        (AUTHENTICATION, true) => VERIFIED,
        (AUTHENTICATION, false) => CLAIMED,
        _ => 0,
    };
    class | address | subject | if has_key { PROGRAMMATIC } else { 0 }
}

/// Whether it is known who acted.
fn is_verified(record: &Value) -> bool {
    text(record, "actor.id")
        .or_else(|| text(record, "actor.name"))
        .is_some()
}

fn status(value: &Value) -> Option<Value> {
    let word = match value.as_str()? {
        "success" => "Success",
        "failure" | "denied" | "error" => "Failure",
        "unknown" => "Unknown",
        other => other,
    };
    Some(word.into())
}

fn status_id(value: &Value) -> Option<Value> {
    let id = match value.as_str()? {
        "success" => 1,
        "failure" | "denied" | "error" => 2,
        "unknown" => 0,
        _ => 99,
    };
    Some(id.into())
}

/// Informational; low when something was refused or failed; medium when the service is at fault.
fn severity_id(value: &Value) -> Option<Value> {
    let id = match value.as_str()? {
        "failure" | "denied" => 2,
        "error" => 3,
        _ => 1,
    };
    Some(id.into())
}

fn user_type(value: &Value) -> Option<Value> {
    let word = match value.as_str()? {
        "user" => "User",
        "service" => "Service",
        "system" => "System",
        "unknown" => "Unknown",
        other => other,
    };
    Some(word.into())
}

fn user_type_id(value: &Value) -> Option<Value> {
    let id = match value.as_str()? {
        "user" => 1,
        "system" => 3,
        "service" => 4,
        "unknown" => 0,
        _ => 99,
    };
    Some(id.into())
}

const FACTORS: [(&str, &str, u8); 6] = [
    ("password", "Password", 11),
    ("otp", "OTP", 7),
    ("webauthn", "WebAuthn", 10),
    ("sms", "SMS", 1),
    ("email", "Email", 8),
    ("u2f", "U2F", 9),
];

fn factor(value: &Value) -> Option<Value> {
    let method = value.as_str()?;
    let known = FACTORS.iter().find(|(name, ..)| *name == method);
    Some(known.map_or(method, |(_, caption, _)| caption).into())
}

fn factor_id(value: &Value) -> Option<Value> {
    let method = value.as_str()?;
    let known = FACTORS.iter().find(|(name, ..)| *name == method);
    Some(known.map_or(99, |(.., id)| *id).into())
}
