//! Which records are wanted, and the times in which people say it.

use std::time::Duration;

use clap::Args;
use tower_audit::{
    clock::{Clock, SystemClock, Timestamp},
    store::{ActionPattern, Query},
};

/// The filters of `query` and `tail`.
#[derive(Debug, Args)]
pub(crate) struct Filter {
    /// Only this action (user.login), or all that begin so (user.*)
    #[arg(long, value_name = "ACTION")]
    pub(crate) action: Option<ActionPattern>,
    /// Only what the actor with this id did
    #[arg(long, value_name = "ID")]
    pub(crate) actor: Option<String>,
    /// Only success, failure, denied, error, cancelled or unknown
    #[arg(long, value_name = "OUTCOME", value_parser = OUTCOMES, hide_possible_values = true)]
    pub(crate) outcome: Option<String>,
    /// Only what was done in this session: its hash, as `session-hash` prints it
    #[arg(long, value_name = "HASH", value_parser = session)]
    pub(crate) session: Option<String>,
    /// Only what began at this time or later
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) from: Option<Timestamp>,
    /// Only what began before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) to: Option<Timestamp>,
}

pub(crate) const OUTCOMES: [&str; 6] = [
    "success",
    "failure",
    "denied",
    "error",
    "cancelled",
    "unknown",
];

impl Filter {
    pub(crate) fn query(&self) -> Query {
        let mut query = Query::new();
        if let Some(action) = &self.action {
            query = query.action(action.clone());
        }
        if let Some(actor) = &self.actor {
            query = query.actor(actor);
        }
        if let Some(outcome) = &self.outcome {
            query = query.outcome(outcome);
        }
        if let Some(session) = &self.session {
            query = query.session(session);
        }
        if let Some(from) = self.from {
            query = query.from(from);
        }
        match self.to {
            Some(to) => query.to(to),
            None => query,
        }
    }
}

/// So many days before now.
pub(crate) fn days_ago(days: u64) -> Timestamp {
    now().saturating_sub(Duration::from_secs(days * 24 * 60 * 60))
}

fn now() -> Timestamp {
    SystemClock::new().now()
}

/// The hash of a session. The id itself would find nothing, and does not belong on a command line.
fn session(text: &str) -> Result<String, String> {
    if text.starts_with("hmac-sha256:") {
        return Ok(text.to_owned());
    }
    Err("give the hash, not the id: tower-audit session-hash makes it of the id".to_owned())
}

fn time(text: &str) -> Result<Timestamp, String> {
    time_before(text, now())
}

/// A time as RFC 3339, a day in UTC, or so long before `now`.
fn time_before(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if text == "now" {
        return Ok(now);
    }
    if let Some(ago) = duration(text) {
        return Ok(now.saturating_sub(ago));
    }
    let whole = if text.len() == "2026-11-20".len() {
        format!("{text}T00:00:00Z")
    } else {
        text.to_owned()
    };
    whole.parse().map_err(|_| {
        "write 2026-11-20T13:34:01Z, 2026-11-20 for the beginning of that day in UTC, or 30m, 2h, 7d for so long ago"
            .to_owned()
    })
}

fn duration(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        'w' => 7 * 24 * 60 * 60,
        _ => return None,
    };
    let digits = text.strip_suffix(unit)?;
    if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    count.checked_mul(seconds).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let now: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        for (given, expected) in [
            ("now", "2026-11-20T12:00:00Z"),
            ("90s", "2026-11-20T11:58:30Z"),
            ("30m", "2026-11-20T11:30:00Z"),
            ("2h", "2026-11-20T10:00:00Z"),
            ("7d", "2026-11-13T12:00:00Z"),
            ("2w", "2026-11-06T12:00:00Z"),
            ("2026-11-01", "2026-11-01T00:00:00Z"),
            ("2026-11-01T02:00:00+02:00", "2026-11-01T00:00:00Z"),
            // Longer ago than any record.
            ("999999999999d", "1970-01-01T00:00:00Z"),
        ] {
            assert_eq!(
                time_before(given, now),
                Ok(expected.parse().unwrap()),
                "{given}"
            );
        }
        for wrong in [
            "",
            "d",
            "7 d",
            "-7d",
            "7y",
            "yesterday",
            "2026-13-01",
            "99999999999999999999d",
        ] {
            let read = time_before(wrong, now);
            assert!(read.is_err(), "{wrong}: {read:?}");
        }
    }
}
