//! The rules: what is recorded, how surely, and what is masked.

mod decision;
mod redact;

pub use decision::{AddressForm, Facts, Until};
pub(crate) use decision::{Arrival, Decision, Keep, Verdict};
pub use redact::Redaction;

use crate::record::{Assurance, Catalogue, OnFailure, Outcome};

/// What is recorded, how surely, and what is masked. The first rule that matches wins.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    redaction: Redaction,
}

/// Why a policy cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
#[non_exhaustive]
pub struct PolicyError {
    reason: String,
}

impl Policy {
    /// Whether every rule can do what it asks for.
    pub(crate) fn check(&self, _catalogue: &Catalogue) -> Result<(), PolicyError> {
        Ok(())
    }

    /// What masks values.
    pub(crate) const fn redaction(&self) -> &Redaction {
        &self.redaction
    }

    /// What is known when the request starts: method, route, and the action that the catalogue
    /// gives the route, with the assurance it declares.
    pub(crate) fn on_arrival(&self, _facts: &Facts<'_>, declared: Option<Assurance>) -> Arrival {
        let assurance = declared.unwrap_or_default();
        Arrival {
            verdict: Verdict::AtEnd,
            assurance,
            on_failure: assurance.default_on_failure(),
            keep: None,
        }
    }

    /// What is known when it ended.
    pub(crate) fn at_end(&self, facts: &Facts<'_>, declared: Option<Assurance>) -> Decision {
        let refused = matches!(facts.outcome, Some(Outcome::Denied | Outcome::Error))
            || facts.status == Some(429);
        let safe = matches!(facts.method, Some("GET" | "HEAD" | "OPTIONS" | "TRACE"));
        let changes = !safe && facts.route.is_some();
        Decision {
            record: facts.annotated || refused || changes,
            assurance: declared.unwrap_or_default(),
            on_failure: OnFailure::Continue,
            until: Until::Head,
            address: AddressForm::Full,
        }
    }

    /// How many refused or failed requests without an actor one address may make in a minute
    /// before they are folded; `None`: never folded.
    pub(crate) const fn flood_per_minute(&self) -> Option<u32> {
        Some(100)
    }
}
