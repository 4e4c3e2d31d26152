//! Times: in UTC for programs, in the reader's zone for people.

use std::borrow::Cow;

use jiff::{civil::DateTime, tz::TimeZone};
use maud::{Markup, html};

use crate::{
    clock::Timestamp,
    viewer::model::{View, ZoneFrom},
};

/// The cookie that the script sets to the browser's zone.
pub(in crate::viewer) const ZONE_COOKIE: &str = "tower-audit-tz";

/// The bytes of the name of a zone; the longest is half of it.
const MAX_ZONE_BYTES: usize = 64;

/// The zone that the address says, else the cookie, else UTC. None when the address names no zone.
pub(in crate::viewer) fn zone(
    param: Option<&str>,
    cookie: Option<&str>,
) -> Option<(TimeZone, ZoneFrom)> {
    if let Some(name) = param.filter(|name| !name.is_empty()) {
        return named(name).map(|zone| (zone, ZoneFrom::Address));
    }
    let from_cookie = cookie.and_then(named);
    Some(
        from_cookie.map_or((TimeZone::UTC, ZoneFrom::Default), |zone| {
            (zone, ZoneFrom::Cookie)
        }),
    )
}

fn named(name: &str) -> Option<TimeZone> {
    // A name is looked up among files: nothing that could lead out of their folder.
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+-".contains(&byte);
    if name.len() > MAX_ZONE_BYTES || name.starts_with('/') || !name.bytes().all(is_name) {
        return None;
    }
    TimeZone::get(name).ok()
}

/// Which end of a period a time of the form is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::viewer) enum Edge {
    From,
    To,
}

/// A time of the form, `2026-11-20T13:34`, as RFC 3339. Whatever else stands there stays as it is.
///
/// In the night in which an hour comes twice a time of the form has two meanings. The one with which
/// the period is longer is taken: a form that is sent again loses no record.
pub(in crate::viewer) fn local<'a>(value: &'a str, zone: &TimeZone, edge: Edge) -> Cow<'a, str> {
    let is_local = value.len() >= 16
        && value.as_bytes().get(10) == Some(&b'T')
        && !value.ends_with(['Z', 'z'])
        && !value
            .get(16..)
            .is_some_and(|rest| rest.contains(['+', '-']));
    let time = is_local.then(|| value.parse::<DateTime>().ok()).flatten();
    let zoned = time.map(|time| zone.to_ambiguous_zoned(time));
    let zoned = zoned.and_then(|zoned| match edge {
        Edge::From => zoned.earlier().ok(),
        Edge::To => zoned.later().ok(),
    });
    match zoned {
        Some(zoned) => Cow::Owned(zoned.timestamp().to_string()),
        None => Cow::Borrowed(value),
    }
}

/// A time as a field of the form has it: in the zone of the view, to the second.
pub(super) fn for_field(view: &View<'_>, at: Timestamp) -> String {
    in_zone(view, at).map_or_else(String::new, |time| {
        let format = "%Y-%m-%dT%H:%M:%S";
        time.strftime(format).to_string()
    })
}

/// The end of a period as a field has it: fields end at the second, and what came within the last one
/// belongs to the period.
pub(super) fn up_to_second(at: Timestamp) -> Timestamp {
    let behind = at.as_micros().rem_euclid(1_000_000);
    if behind == 0 {
        return at;
    }
    let up = at.as_micros().checked_add(1_000_000 - behind);
    up.map_or(at, Timestamp::from_micros)
}

/// A time without markup, with the zone left out.
pub(super) fn said(view: &View<'_>, at: Timestamp) -> String {
    in_zone(view, at).map_or_else(|| at.to_string(), |time| view.words.locale.time(time))
}

/// A time to the second.
pub(super) fn at(view: &View<'_>, at: Timestamp) -> Markup {
    html! { time datetime=(at) { span.at { (said(view, at)) } } }
}

/// A time to the second, and how long ago that was.
pub(super) fn with_age(view: &View<'_>, at: Timestamp) -> Markup {
    html! {
        time datetime=(at) {
            span.at { (said(view, at)) } " "
            span.ago { (ago(view, at)) }
        }
    }
}

/// A time to the microsecond, and how long ago that was.
pub(super) fn precise(view: &View<'_>, at: Timestamp) -> Markup {
    let micros = at.as_micros().rem_euclid(1_000_000);
    html! {
        time.precise datetime=(at) {
            span.at { (said(view, at)) (view.words.locale.point()) (format!("{micros:06}")) } " "
            span.ago { (ago(view, at)) }
        }
    }
}

fn ago(view: &View<'_>, at: Timestamp) -> String {
    view.words.locale.ago(view.now.since(at).as_secs())
}

fn in_zone(view: &View<'_>, at: Timestamp) -> Option<DateTime> {
    let instant = jiff::Timestamp::from_microsecond(at.as_micros()).ok()?;
    Some(instant.to_zoned(view.zone.clone()).datetime())
}

/// The name of the view's zone.
pub(super) fn zone_name<'a>(view: &View<'a>) -> &'a str {
    view.zone.iana_name().unwrap_or("UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_one_that_the_address_or_the_cookie_names() {
        for (param, cookie, expected) in [
            (None, None, Some(("UTC", ZoneFrom::Default))),
            (Some(""), None, Some(("UTC", ZoneFrom::Default))),
            (
                Some("Europe/Berlin"),
                Some("UTC"),
                Some(("Europe/Berlin", ZoneFrom::Address)),
            ),
            (
                None,
                Some("Asia/Kolkata"),
                Some(("Asia/Kolkata", ZoneFrom::Cookie)),
            ),
            (
                None,
                Some("Nowhere/At all"),
                Some(("UTC", ZoneFrom::Default)),
            ),
            (Some("Nowhere"), None, None),
            (Some("../../etc/passwd"), None, None),
            (Some("/etc/localtime"), None, None),
        ] {
            let found = zone(param, cookie);
            let found = found
                .as_ref()
                .map(|(zone, from)| (zone.iana_name().unwrap_or("UTC"), *from));
            assert_eq!(found, expected, "{param:?} {cookie:?}");
        }
    }

    #[test]
    fn the_end_of_a_period_is_never_before_it() {
        for (given, expected) in [
            (0, 0),
            (1, 1_000_000),
            (999_999, 1_000_000),
            (1_000_000, 1_000_000),
            (-1, 0),
            (-1_000_001, -1_000_000),
        ] {
            let up = up_to_second(Timestamp::from_micros(given));
            assert_eq!(up, Timestamp::from_micros(expected), "{given}");
        }
    }

    #[test]
    fn a_time_of_the_form_is_in_the_zone_of_the_page() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        for (given, expected) in [
            ("2026-11-20T13:34", "2026-11-20T12:34:00Z"),
            ("2026-07-20T13:34:05", "2026-07-20T11:34:05Z"),
            ("2026-11-20T13:34:05.5", "2026-11-20T12:34:05.5Z"),
            ("2026-11-20", "2026-11-20"),
            ("2026-11-20T13:34:00Z", "2026-11-20T13:34:00Z"),
            ("2026-11-20T13:34:00-05:00", "2026-11-20T13:34:00-05:00"),
            ("2026-11-99T13:34", "2026-11-99T13:34"),
            ("7d", "7d"),
            ("ééééééééééT", "ééééééééééT"),
        ] {
            for edge in [Edge::From, Edge::To] {
                assert_eq!(local(given, &berlin, edge), expected);
            }
        }
    }

    // Both nights of a year: one has an hour twice, the other one lacks an hour.
    #[test]
    fn a_period_that_goes_through_the_form_is_never_shorter() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let mut doubled = 0;
        for night in ["2026-10-24T22:00:00Z", "2026-03-28T22:00:00Z"] {
            let night: jiff::Timestamp = night.parse().unwrap();
            for quarter in 0..32 {
                let at = night + jiff::Span::new().minutes(15 * quarter);
                let shown = at.to_zoned(berlin.clone()).datetime().to_string();
                let read = |edge| local(&shown, &berlin, edge).parse::<jiff::Timestamp>();
                let (from, to) = (read(Edge::From).unwrap(), read(Edge::To).unwrap());
                assert!(from <= at && at <= to, "{shown}: {from} {at} {to}");
                doubled += usize::from(from < to);
            }
        }
        assert_eq!(doubled, 8, "nothing else becomes longer");
    }

    #[test]
    fn an_hour_that_there_is_not_belongs_to_the_period() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let lacking = "2026-03-29T02:30:00";
        assert_eq!(local(lacking, &berlin, Edge::From), "2026-03-29T00:30:00Z");
        assert_eq!(local(lacking, &berlin, Edge::To), "2026-03-29T01:30:00Z");
    }
}
