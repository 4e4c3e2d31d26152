//! The lookups against a second, simpler implementation, and against each other.

use proptest::prelude::*;

use super::*;
use crate::record::{ActorType, Outcome};

const METHODS: [&str; 3] = ["GET", "POST", "PURGE"];
const ROUTES: [&str; 5] = ["/a", "/a/b", "/a/{id}", "/b", "/"];
const ACTIONS: [&str; 4] = ["user.login", "user.role.change", "users.list", "POST /a"];
const STATUSES: [u16; 5] = [200, 401, 404, 429, 503];
const ACTORS: [ActorType; 2] = [ActorType::User, ActorType::Anonymous];

/// What a rule says, in plain words.
#[derive(Debug, Clone)]
struct Spec {
    methods: Vec<&'static str>,
    routes: Vec<&'static str>,
    matched: Option<bool>,
    actions: Vec<&'static str>,
    outcomes: Vec<Outcome>,
    statuses: Vec<(u16, u16)>,
    actors: Vec<Option<ActorType>>,
    annotated: Option<bool>,
    skips: bool,
    until: Until,
    assurance: Option<Assurance>,
}

fn some<T: Clone + std::fmt::Debug + 'static>(all: Vec<T>) -> impl Strategy<Value = Vec<T>> {
    let most = all.len().min(2);
    // Most rules name few kinds of conditions.
    prop_oneof![3 => Just(Vec::new()), 2 => prop::sample::subsequence(all, 0..=most)]
}

fn spec() -> impl Strategy<Value = Spec> {
    let flag = || prop_oneof![3 => Just(None), 1 => any::<bool>().prop_map(Some)];
    let actors: Vec<_> = ACTORS.map(Some).into_iter().chain([None]).collect();
    let conditions = (
        some(vec!["GET", "POST", "safe", "unsafe"]),
        some(vec!["/a", "/a/*", "/a/**", "/*", "/**", "/a/{id}"]),
        flag(),
        some(vec!["user.login", "user.*", "user.role.*", "POST /a"]),
        some(Outcome::ALL.to_vec()),
        some(vec![(401, 401), (400, 499), (500, 599), (429, 503)]),
        some(actors),
        flag(),
    );
    let assurances = vec![None, Some(Assurance::Buffered), Some(Assurance::Strict)];
    let effects = (
        any::<bool>(),
        prop::sample::select(Until::ALL),
        prop::sample::select(assurances),
    );
    (conditions, effects).prop_map(|(conditions, (skips, until, assurance))| {
        let (methods, routes, matched, actions, outcomes, statuses, actors, annotated) = conditions;
        Spec {
            methods,
            routes,
            matched,
            actions,
            outcomes,
            statuses,
            actors,
            annotated,
            skips,
            until,
            assurance,
        }
    })
}

impl Spec {
    fn rule(&self) -> Rule {
        let mut rule = Rule::new("it").until(self.until);
        rule = self.methods.iter().copied().fold(rule, Rule::method);
        rule = self.routes.iter().copied().fold(rule, Rule::route);
        rule = self.actions.iter().copied().fold(rule, Rule::action);
        rule = self.outcomes.iter().copied().fold(rule, Rule::outcome);
        for (first, last) in &self.statuses {
            rule = rule.status(*first..=*last);
        }
        for actor in &self.actors {
            rule = match actor {
                Some(kind) => rule.actor(*kind),
                None => rule.no_actor(),
            };
        }
        rule = self.matched.into_iter().fold(rule, Rule::matched);
        rule = self.annotated.into_iter().fold(rule, Rule::annotated);
        rule.assurance = self.assurance;
        if self.skips { rule.skip() } else { rule }
    }

    /// Whether it matches what ended so.
    fn matches(&self, facts: &Facts<'_>) -> bool {
        let safe = |method| ["GET", "HEAD", "OPTIONS", "TRACE"].contains(&method);
        let method = facts.method.unwrap();
        (self.methods.is_empty()
            || self.methods.contains(&method)
            || (self.methods.contains(&"safe") && safe(method))
            || (self.methods.contains(&"unsafe") && !safe(method)))
            && (self.routes.is_empty() || self.routes.iter().any(|route| on(route, facts.route)))
            && self
                .matched
                .is_none_or(|matched| matched == facts.route.is_some())
            && (self.actions.is_empty()
                || self.actions.iter().any(|action| is(action, facts.action)))
            && (self.outcomes.is_empty()
                || self
                    .outcomes
                    .iter()
                    .any(|outcome| facts.outcome == Some(*outcome)))
            && (self.statuses.is_empty()
                || self.statuses.iter().any(|(first, last)| {
                    facts
                        .status
                        .is_some_and(|status| (*first..=*last).contains(&status))
                }))
            && (self.actors.is_empty() || self.actors.contains(&facts.actor))
            && self
                .annotated
                .is_none_or(|annotated| annotated == facts.annotated)
    }
}

/// `/a/**` is `/a` and all that begins with `/a/`; `*` is any text without a slash.
fn on(pattern: &str, route: Option<&str>) -> bool {
    let Some(route) = route else { return false };
    if let Some(folder) = pattern.strip_suffix("/**") {
        return route == folder || route.starts_with(&format!("{folder}/"));
    }
    match pattern.strip_suffix('*') {
        Some(folder) => {
            let last = route.strip_prefix(folder);
            last.is_some_and(|last| !last.is_empty() && !last.contains('/'))
        }
        None => pattern == route,
    }
}

fn is(pattern: &str, action: Option<&str>) -> bool {
    let Some(action) = action else { return false };
    match pattern.strip_suffix('*') {
        Some(prefix) => action.starts_with(prefix),
        None => pattern == action,
    }
}

/// What is known on arrival.
fn arriving() -> impl Strategy<Value = Facts<'static>> {
    (
        prop::sample::select(&METHODS[..]),
        prop::option::of(prop::sample::select(&ROUTES[..])),
        prop::option::of(prop::sample::select(&ACTIONS[..])),
    )
        .prop_map(|(method, route, action)| Facts {
            route,
            action,
            annotated: action.is_some(),
            ..Facts::new().method(method)
        })
}

/// The same request when it ended: what was named stays, the rest is anything, and a route that was
/// not known may have been found.
fn ended(arrived: Facts<'static>) -> impl Strategy<Value = Facts<'static>> {
    (
        prop::option::of(prop::sample::select(&ACTIONS[..])),
        prop::option::of(prop::sample::select(Outcome::ALL)),
        prop::option::of(prop::sample::select(&STATUSES[..])),
        prop::option::of(prop::sample::select(&ACTORS[..])),
        any::<bool>(),
        prop::option::of(prop::sample::select(&ROUTES[..])),
    )
        .prop_map(
            move |(action, outcome, status, actor, annotated, route)| Facts {
                route: arrived.route.or(route),
                action: arrived.action.or(action),
                outcome,
                status,
                actor,
                annotated: arrived.annotated || annotated,
                ..arrived
            },
        )
}

fn both() -> impl Strategy<Value = (Facts<'static>, Facts<'static>)> {
    arriving().prop_flat_map(|arrived| (Just(arrived), ended(arrived)))
}

fn policy(specs: &[Spec]) -> Policy {
    let rules = specs.iter().map(Spec::rule);
    rules.fold(Policy::new().without_defaults(), Policy::rule)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn the_first_spec_that_matches_is_what_is_decided(
        specs in prop::collection::vec(spec(), 0..6),
        (_, facts) in both(),
    ) {
        let first = specs.iter().find(|spec| spec.matches(&facts));
        let decision = policy(&specs).at_end(&facts, None);
        let expected = first.filter(|spec| !spec.skips);
        prop_assert_eq!(decision.record, expected.is_some());
        if let Some(spec) = expected {
            prop_assert_eq!(decision.until, spec.until);
            prop_assert_eq!(decision.assurance, spec.assurance.unwrap_or_default());
        }
    }

    #[test]
    fn what_is_decided_on_arrival_holds_at_the_end(
        specs in prop::collection::vec(spec(), 0..6),
        defaults in any::<bool>(),
        (arrived, facts) in both(),
    ) {
        let mut policy = policy(&specs);
        if defaults {
            policy.rules.extend(defaults::rules());
        }
        let arrival = policy.on_arrival(&arrived, None);
        let end = policy.at_end(&facts, None).at_least(&arrival);
        let (recorded, _) = policy.outlook(&arrived, None);
        prop_assert_eq!(arrival.verdict == Verdict::Skip, recorded == Recorded::Never);
        match recorded {
            Recorded::Always => prop_assert!(end.record),
            Recorded::Never => prop_assert!(!end.record),
            Recorded::Depends => {}
        }
        prop_assert!(arrival.assurance != Assurance::Strict || end.assurance == Assurance::Strict);
        prop_assert!(arrival.on_failure != OnFailure::Refuse || end.on_failure == OnFailure::Refuse);
    }

    #[test]
    fn nothing_written_early_shows_more_of_the_address_than_the_end_does(
        specs in prop::collection::vec(spec(), 0..6),
        (arrived, facts) in both(),
    ) {
        let mut policy = policy(&specs);
        for (rule, form) in policy.rules.iter_mut().zip(AddressForm::ALL.iter().cycle()) {
            rule.address = Some(*form);
        }
        let early = policy.address_so_far(&arrived);
        let end = policy.at_end(&facts, None).address;
        prop_assert!(end.is_none_or(|end| early >= end), "{early:?} {end:?}");
    }

    #[test]
    fn a_rule_that_is_called_hidden_never_matches_first(
        wide in spec(),
        narrow in spec(),
        (_, facts) in both(),
    ) {
        if check::covers(&wide.rule(), &narrow.rule()) {
            prop_assert!(!narrow.matches(&facts) || wide.matches(&facts));
        }
    }

    #[test]
    fn an_explanation_says_what_is_decided(
        specs in prop::collection::vec(spec(), 0..6),
        (_, facts) in both(),
    ) {
        let policy = policy(&specs);
        let facts = Facts { annotated: true, outcome: facts.outcome.or(Some(Outcome::Failure)), ..facts };
        let arrival = policy.on_arrival(&facts, None);
        let decision = policy.at_end(&facts, None).at_least(&arrival);
        let explanation = policy.explain(&facts);
        let end = explanation.end.clone().unwrap();
        prop_assert_eq!(end.recorded, decision.record);
        prop_assert_eq!(end.assurance.value, decision.assurance);
        prop_assert!(explanation.to_string().lines().count() >= 4);
    }
}
