//! For any records, rules and holds, what remains is what a model in memory says.

use proptest::prelude::*;
use tower_audit::{
    clock::Timestamp,
    retention::{Filter, Retention, Rule},
};

use super::{
    place::{NOW, Place, ago, all, batch, plain, record},
    pruned::DAY,
};
use crate::support::batches::origin;

const ACTIONS: [&str; 6] = [
    "document.create",
    "document.delete",
    "documents.list",
    "user.login",
    "audit.start",
    "audit.read",
];
const CATEGORIES: [&str; 3] = ["document", "user", "audit"];

/// Which records a rule or a hold is about: an action or what is below it, a category, an actor.
#[derive(Debug, Clone)]
enum About {
    Action(&'static str),
    Below(&'static str),
    Category(&'static str),
    Actor(u8),
}

#[derive(Debug, Clone)]
struct Made {
    days: i64,
    action: &'static str,
    category: Option<&'static str>,
    actor: u8,
}

#[derive(Debug, Clone)]
struct Case {
    records: Vec<Made>,
    /// Days; none: for ever.
    rules: Vec<(About, Option<u16>)>,
    rest: Option<u16>,
    holds: Vec<About>,
}

fn about(with_actor: bool) -> impl Strategy<Value = About> {
    let actor = (0..4_u8).prop_map(About::Actor).boxed();
    let action = prop::sample::select(&ACTIONS[..])
        .prop_map(About::Action)
        .boxed();
    let below = prop::sample::select(&["document", "user", "audit"][..]);
    let others = prop::sample::select(&CATEGORIES[..]).prop_map(About::Category);
    prop_oneof![
        action.clone(),
        below.prop_map(About::Below),
        others,
        if with_actor { actor } else { action },
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let days = || prop::option::of(30..120_u16);
    let made = (
        2..150_i64,
        prop::sample::select(&ACTIONS[..]),
        prop::option::of(prop::sample::select(&CATEGORIES[..])),
        0..4_u8,
    );
    let made = made.prop_map(|(days, action, category, actor)| Made {
        days,
        action,
        category,
        actor,
    });
    (
        prop::collection::vec(made, 1..60),
        prop::collection::vec((about(false), days()), 0..5),
        days(),
        prop::collection::vec(about(true), 0..3),
    )
        .prop_map(|(records, rules, rest, holds)| Case {
            records,
            rules,
            rest,
            holds,
        })
}

impl About {
    fn is(&self, made: &Made) -> bool {
        match self {
            Self::Action(action) => made.action == *action,
            Self::Below(noun) => made.action.split('.').next() == Some(noun),
            Self::Category(category) => made.category == Some(category),
            Self::Actor(actor) => made.actor == *actor,
        }
    }

    fn rule(&self) -> Rule {
        match self {
            Self::Action(action) => Rule::action(*action).unwrap(),
            Self::Below(noun) => Rule::action(format!("{noun}.*")).unwrap(),
            Self::Category(category) => Rule::category(*category),
            Self::Actor(actor) => unreachable!("no rule is about the actor {actor}"),
        }
    }

    fn filter(&self) -> Filter {
        let parameter = match self {
            Self::Action(action) => ("action", (*action).to_owned()),
            Self::Below(noun) => ("action", format!("{noun}.*")),
            Self::Category(category) => ("category", (*category).to_owned()),
            Self::Actor(actor) => ("actor", actor.to_string()),
        };
        Filter::new([parameter], NOW).unwrap()
    }
}

impl Case {
    fn retention(&self) -> Retention {
        let mut retention = Retention::new();
        for (about, days) in &self.rules {
            let rule = about.rule();
            retention = retention.rule(match days {
                Some(days) => rule.keep(u32::from(*days) * DAY),
                None => rule.forever(),
            });
        }
        match self.rest {
            Some(days) => retention.keep(u32::from(days) * DAY),
            None => retention,
        }
    }

    /// Whether a record is to remain.
    fn remains(&self, made: &Made) -> bool {
        let is_own = made.action.starts_with("audit.");
        let reaches =
            |about: &About| about.is(made) && !(is_own && matches!(about, About::Category(_)));
        let rule = self.rules.iter().find(|(about, _)| reaches(about));
        let days = match rule {
            Some((_, days)) => *days,
            None if is_own => None,
            None => self.rest,
        };
        let is_old = days.is_some_and(|days| made.days >= i64::from(days));
        !is_old || self.holds.iter().any(|hold| hold.is(made))
    }

    async fn holds_on(&self, place: &Place) {
        let records = (0..).zip(&self.records).map(|(number, made)| {
            let category = made
                .category
                .map(|category| format!(r#","category":"{category}""#));
            let actor = format!(r#","actor":{{"type":"user","id":"{}"}}"#, made.actor);
            let more = format!("{}{actor}", category.unwrap_or_default());
            (
                number,
                made,
                record(number, ago(made.days, 0), made.action, more),
            )
        });
        let mut expected = Vec::new();
        let mut sink = place.sink();
        for (number, made, record) in records {
            // Each came when it was made.
            sink.deliver(&batch(&origin(1), vec![record]))
                .await
                .unwrap();
            if self.remains(made) {
                expected.push(number);
            }
        }
        let last = self.records.len() as u64;
        place.put(plain(last..last + 1, 2)).await;
        expected.push(last);
        let mut pruner = place.pruner().await;
        for hold in &self.holds {
            pruner
                .hold(&hold.filter(), "case", "ann", NOW)
                .await
                .unwrap();
        }
        let retention = self.retention();
        let plan = pruner.plan(&retention, NOW).await.unwrap();
        let report = pruner.prune(&retention, NOW).await.unwrap();
        assert_eq!(place.numbers().await, expected, "{self:?}");
        place.root().await;
        let mut done = report.done.clone();
        done.parts.clone_from(&plan.parts);
        assert_eq!(done, plan, "what was planned was done");
        let oldest = plan.oldest_remaining.unwrap();
        let ages = (0..)
            .zip(&self.records)
            .filter(|(number, _)| expected.contains(number));
        let eldest = ages
            .map(|(_, made)| ago(made.days, 0))
            .chain([ago(2, 0)])
            .min();
        let near = |at: Timestamp| at.as_micros() / 1_000_000;
        assert_eq!(Some(near(oldest)), eldest.map(near));
    }
}

fn block_on(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(work);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn what_remains_is_what_the_rules_and_holds_say(case in case()) {
        let place = Place::Sqlite(tempfile::tempdir().unwrap());
        block_on(case.holds_on(&place));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3, ..ProptestConfig::default() })]

    #[test]
    fn servers_agree_with_the_model_too(case in case()) {
        for place in all().into_iter().filter(|place| !matches!(place, Place::Sqlite(_))) {
            block_on(case.holds_on(&place));
        }
    }
}
