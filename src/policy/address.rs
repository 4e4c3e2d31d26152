//! How much of a client's address is written while it is open which rule will match.

use super::{
    Policy,
    decision::{AddressForm, Facts, Moment},
    rule::Answer,
};

impl Policy {
    /// How much of the address is written while it is open which rule will match, or when none that
    /// records does: the least that any rule allows which may still record the request, or else any
    /// rule at all.
    pub(crate) fn address_so_far(&self, facts: &Facts<'_>) -> AddressForm {
        // The handler may still name another action.
        let facts = Facts {
            action: None,
            ..*facts
        };
        let mut least = None;
        for rule in &self.rules {
            let answer = rule.answer(&facts, Moment::Arrival);
            if !rule.skips && !matches!(answer, Answer::No(_)) {
                least = least.max(Some(rule.address.unwrap_or_default()));
            }
            if answer == Answer::Yes {
                break;
            }
        }
        let named = || self.rules.iter().filter_map(|rule| rule.address).max();
        least.or_else(named).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Rule;

    fn post(route: &str) -> Facts<'_> {
        Facts::new().method("POST").route(route)
    }

    #[test]
    fn while_it_is_open_the_address_has_the_strictest_form_of_what_may_match() {
        let form = |name, form| Rule::new(name).address(form);
        let policy = |rules: Vec<Rule>| rules.into_iter().fold(Policy::new(), Policy::rule);
        let hashed = || form("hashed", AddressForm::Hashed);
        let off = || form("off", AddressForm::Off);
        for (name, rules, facts, expected) in [
            ("nobody asks", vec![], post("/a"), AddressForm::Full),
            (
                "it may be refused",
                vec![hashed().status(401)],
                post("/a"),
                AddressForm::Hashed,
            ),
            (
                "another route",
                vec![hashed().route("/b")],
                post("/a"),
                AddressForm::Full,
            ),
            (
                "a route that is not known",
                vec![hashed().route("/b")],
                Facts::new().method("POST"),
                AddressForm::Hashed,
            ),
            (
                "what comes after a match",
                vec![hashed().route("/a"), off().method("POST")],
                post("/a"),
                AddressForm::Hashed,
            ),
            (
                "the action may change",
                vec![Rule::new("named").action("a.b"), off()],
                post("/a").action("a.b").annotated(true),
                AddressForm::Off,
            ),
            (
                "no rule could record it",
                vec![
                    hashed().method("GET"),
                    off().route("/b"),
                    Rule::new("none").skip(),
                ],
                post("/a"),
                AddressForm::Off,
            ),
        ] {
            assert_eq!(policy(rules).address_so_far(&facts), expected, "{name}");
        }
        let skipped = policy(vec![Rule::new("none").skip()]).at_end(&post("/a"), None);
        assert_eq!(skipped.address, None);
    }
}
