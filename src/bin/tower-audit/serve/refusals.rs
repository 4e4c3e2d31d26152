//! Wrong tokens, as the trail has them: not one record for each.

use std::{
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use tower_audit::{Actor, Audit, Record, record::Context};

/// There is one record in so long at most.
const WINDOW: Duration = Duration::from_secs(60);

/// Counts wrong tokens, and records that there were some.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    audit: Option<Audit>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    count: u64,
    recorded: Option<Instant>,
}

impl Refusals {
    /// Recorded in this trail, if there is one.
    pub(super) fn into(audit: Option<Audit>) -> Self {
        Self {
            audit,
            seen: Mutex::default(),
        }
    }

    pub(super) fn note(&self, client: Option<IpAddr>) {
        let count = self.counted();
        let (Some(audit), Some(count)) = (&self.audit, count) else {
            return;
        };
        let mut context = Context::new();
        if let Some(client) = client {
            context = context.ip_address(client.to_string());
        }
        let record = Record::new("user.login")
            .denied("wrong token")
            .actor(Actor::anonymous().auth_method("token"))
            .context(context)
            .detail("wrong_tokens_so_far", count);
        // Refused only once the end has begun.
        let _ = audit.record(record);
    }

    /// How many there were so far, when that is to be recorded.
    fn counted(&self) -> Option<u64> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.count = seen.count.saturating_add(1);
        let is_due = seen.recorded.is_none_or(|last| last.elapsed() >= WINDOW);
        if is_due {
            seen.recorded = Some(Instant::now());
        }
        is_due.then_some(seen.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn wrong_tokens_are_recorded_once_a_minute_with_their_number() {
        let refusals = Refusals::default();
        assert_eq!(refusals.counted(), Some(1));
        for _ in 0..50 {
            assert_eq!(refusals.counted(), None);
        }
        tokio::time::advance(WINDOW).await;
        assert_eq!(refusals.counted(), Some(52));
        assert_eq!(refusals.counted(), None);
    }
}
