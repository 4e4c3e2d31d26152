//! Whether the trail keeps its promises right now.

use crate::stats::SinkState;

use super::Parts;

/// How the trail is, for a readiness probe and for an operator.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "status", content = "reasons", rename_all = "lowercase")]
#[non_exhaustive]
pub enum Health {
    /// Records are made durable and delivered.
    Ok,
    /// Records are made durable, but something needs a person: a sink is blocked, a trail was
    /// damaged. Stay ready.
    Degraded(Vec<String>),
    /// Records are not made durable. What that means for requests is the policy's to say.
    Failing(Vec<String>),
}

impl Health {
    /// Whether records are made durable.
    #[must_use]
    pub const fn is_ready(&self) -> bool {
        !matches!(self, Self::Failing(_))
    }

    /// Why it is not [`Ok`](Self::Ok); what to do stands in each.
    #[must_use]
    pub fn reasons(&self) -> &[String] {
        match self {
            Self::Ok => &[],
            Self::Degraded(reasons) | Self::Failing(reasons) => reasons,
        }
    }
}

pub(super) fn of(parts: &Parts) -> Health {
    let mut reasons = parts.keeper.concerns();
    for sink in parts.delivery.stats() {
        let error = sink.last_error.as_deref().unwrap_or("no answer yet");
        match sink.state {
            SinkState::Blocked => reasons.push(format!("sink {} is blocked: {error}", sink.name)),
            SinkState::Stopped => {
                reasons.push(format!("delivery to sink {} has ended: {error}", sink.name))
            }
            SinkState::Retrying => reasons.push(format!(
                "sink {} fails and is tried again: {error}",
                sink.name
            )),
            _ => {}
        }
        if let Some(refusal) = sink.last_refusal.as_deref().filter(|_| sink.dead > 0) {
            reasons.push(format!(
                "sink {} has refused records, {} since the start, kept in its dead letters; `tower-audit replay --dead {}` offers them again, the last was refused because: {refusal}",
                sink.name, sink.dead, sink.name
            ));
        }
        let concerns = sink.concerns.iter();
        reasons.extend(concerns.map(|concern| format!("sink {}: {concern}", sink.name)));
    }
    if let Some((since, cause)) = parts.journal.inbox().failing_since() {
        reasons.insert(
            0,
            format!("records have not been made durable since {since}: {cause}"),
        );
        return Health::Failing(reasons);
    }
    if parts.keeper.is_stopped() {
        reasons.insert(0, "the trail is shut down; records are refused".into());
        return Health::Failing(reasons);
    }
    if reasons.is_empty() {
        Health::Ok
    } else {
        Health::Degraded(reasons)
    }
}
