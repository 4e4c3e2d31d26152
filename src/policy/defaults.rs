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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        policy::{Facts, Policy},
        record::{Assurance, OnFailure},
    };

    fn get(route: &str) -> Facts<'_> {
        Facts::new().method("GET").route(route)
    }

    fn post(route: &str) -> Facts<'_> {
        Facts::new().method("POST").route(route)
    }

    fn hold_defaults<const N: usize>(table: [(&str, Facts<'_>, bool); N]) {
        for (name, facts, expected) in table {
            let decision = Policy::default().at_end(&facts, None);
            assert_eq!(decision.record, expected, "{name}");
            assert_eq!(decision.assurance, Assurance::Durable, "{name}");
            assert_eq!(decision.on_failure, OnFailure::Continue, "{name}");
        }
    }

    #[test]
    fn default_records_unsafe_methods_on_a_route() {
        let head = Facts::new().method("HEAD").route("/a");
        let purge = Facts::new().method("PURGE").route("/a");
        let nowhere = Facts::new().method("DELETE");
        hold_defaults([
            (
                "read",
                get("/a").status(200).outcome(Outcome::Success),
                false,
            ),
            (
                "read, not found",
                get("/a").status(404).outcome(Outcome::Failure),
                false,
            ),
            (
                "read, client gone",
                get("/a").outcome(Outcome::Cancelled),
                false,
            ),
            ("head", head.status(200), false),
            (
                "write",
                post("/a").status(201).outcome(Outcome::Success),
                true,
            ),
            (
                "write, client gone",
                post("/a").outcome(Outcome::Cancelled),
                true,
            ),
            (
                "write, no route",
                nowhere.status(404).outcome(Outcome::Failure),
                false,
            ),
            (
                "write, wrong method",
                nowhere.status(405).outcome(Outcome::Failure),
                false,
            ),
            ("other method", purge.status(200), true),
        ]);
    }

    #[test]
    fn default_records_what_an_unsafe_method_did_on_a_route_that_nobody_saw() {
        let nowhere = Facts::new().method("DELETE");
        hold_defaults([
            (
                "write, route not seen",
                nowhere.status(204).outcome(Outcome::Success),
                true,
            ),
            (
                "write, route not seen, client gone",
                nowhere.outcome(Outcome::Cancelled),
                true,
            ),
            (
                "write, route not seen, nobody knows",
                nowhere.outcome(Outcome::Unknown),
                true,
            ),
            (
                "read, route not seen",
                Facts::new().method("GET").outcome(Outcome::Success),
                false,
            ),
        ]);
    }

    #[test]
    fn default_records_refusals_faults_and_what_is_annotated() {
        let nowhere = Facts::new().method("DELETE");
        hold_defaults([
            ("401", get("/a").status(401).outcome(Outcome::Denied), true),
            (
                "401, no route",
                nowhere.status(401).outcome(Outcome::Denied),
                true,
            ),
            ("403", get("/a").status(403), true),
            ("429", get("/a").status(429).outcome(Outcome::Failure), true),
            ("500", get("/a").status(500), true),
            ("599", get("/a").status(599), true),
            ("panic", get("/a").outcome(Outcome::Error), true),
            (
                "gRPC, denied",
                get("/a").status(200).outcome(Outcome::Denied),
                true,
            ),
            ("annotated", get("/a").status(200).annotated(true), true),
        ]);
    }
}
