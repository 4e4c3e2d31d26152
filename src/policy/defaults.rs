//! The rules that follow a policy's own: what is recorded when nobody says otherwise.

use super::rule::Rule;
use crate::record::Outcome;

/// The default rules, in order. `docs/policy.md` lists them.
pub(super) fn rules() -> Vec<Rule> {
    vec![
        Rule::new("unsafe methods").method("unsafe").matched(true),
        // What was done counts, although the layer cannot see a route: a fallback, a nested
        // service, no router. Where there was nothing to do the answer is 404 or 405.
        Rule::new("unsafe methods, done")
            .method("unsafe")
            .outcome(Outcome::Success)
            .outcome(Outcome::Cancelled)
            .outcome(Outcome::Unknown),
        Rule::new("refused or failed")
            .status(401)
            .status(403)
            .status(429)
            .status(500..=599),
        // What has no status, or says 200 and means something else: gRPC, a panic.
        Rule::new("denied or error")
            .outcome(Outcome::Denied)
            .outcome(Outcome::Error),
        Rule::new("annotated").annotated(true),
        Rule::new("everything else").skip(),
    ]
}
