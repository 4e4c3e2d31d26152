//! Which rule decides, and what a floor allows.

use super::*;

fn facts<'a>(action: &'a str, category: &'a str, days_ago: u64) -> Facts<'a> {
    let at = NOW.saturating_sub(days(days_ago));
    Facts {
        action,
        category: Some(category),
        at,
        received: at,
    }
}

const NOW: Timestamp = Timestamp::from_micros(1_795_181_641_000_000);

const fn days(count: u64) -> Duration {
    Duration::from_secs(count * 24 * 60 * 60)
}

fn action(pattern: &str) -> Rule {
    Rule::action(pattern).unwrap()
}

#[test]
fn the_first_rule_that_matches_decides_and_the_rest_has_the_default() {
    let retention = Retention::new()
        .rule(action("document.delete").forever())
        .rule(action("document.*").keep(days(40)))
        .rule(Rule::category("billing").keep(days(400)))
        .keep(days(90));
    retention.check().unwrap();
    let cases = [
        ("document.delete", "document", 5000, (0, false)),
        ("document.create", "document", 40, (1, true)),
        ("document.create", "document", 39, (1, false)),
        ("documents.create", "document", 89, (3, false)),
        ("invoice.pay", "billing", 399, (2, false)),
        ("invoice.pay", "billing", 400, (2, true)),
        ("user.login", "user", 90, (3, true)),
        ("audit.start", "audit", 5000, (4, false)),
        ("audit.prune", "billing", 5000, (4, false)),
    ];
    for (action, category, age, expected) in cases {
        let judged = retention.judge(&facts(action, category, age), NOW);
        assert_eq!(judged, expected, "{action} {age}");
    }
    assert_eq!(retention.names().len(), 5);
    assert_eq!(retention.horizon(NOW), Some(NOW.saturating_sub(days(40))));
    let own = Retention::new().rule(action("audit.read").keep(days(31)));
    assert_eq!(own.judge(&facts("audit.read", "audit", 31), NOW), (0, true));
    assert_eq!(
        own.judge(&facts("audit.start", "audit", 31), NOW),
        (2, false)
    );
}

#[test]
fn no_rule_reaches_what_verification_needs() {
    for rule in [
        action("audit.*"),
        action("audit.sink_missed"),
        action("audit.sink_refused").and_category("audit"),
    ] {
        let retention = Retention::new().rule(rule.keep(days(31))).keep(days(31));
        for needed in NEEDED {
            let judged = retention.judge(&facts(needed, "audit", 5000), NOW);
            assert_eq!(judged, (2, false), "{needed}");
        }
    }
}

#[test]
fn what_came_lately_stays_however_old_it_says_it_is() {
    let retention = Retention::new().keep(days(90));
    let old = facts("a.b", "a", 5000);
    let late = Facts {
        received: NOW.saturating_sub(days(29)),
        ..old
    };
    assert!(retention.judge(&old, NOW).1);
    assert!(!retention.judge(&late, NOW).1);
    assert_eq!(Retention::new().horizon(NOW), None);
    let beyond = Retention::new().keep(Duration::MAX);
    assert!(!beyond.judge(&old, NOW).1);
    assert_eq!(beyond.horizon(NOW), None);
}

#[test]
fn a_rule_below_the_floor_is_refused_and_a_low_floor_must_be_meant() {
    let low = Retention::new().rule(action("a.*").keep(days(29)));
    let cases = [
        (
            low.clone(),
            "rule 1 keeps action \"a.*\" for 29d, the floor is 30d",
        ),
        (
            low.clone().floor(days(7)),
            "if that is meant, say dangerous_floor",
        ),
        (
            Retention::new().keep(days(1)),
            "keep: 1d is below the floor of 30d",
        ),
        (Retention::new().dead_letters(days(1)), "dead_letters: 1d"),
        (
            Retention::new().keep(days(60)).floor(days(90)),
            "floor of 90d",
        ),
        (
            Retention::new().dangerous_floor(Duration::from_secs(60)),
            "dangerous_floor: 1m is below 1h",
        ),
    ];
    for (retention, expected) in cases {
        let error = retention.check().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    low.dangerous_floor(days(7)).check().unwrap();
    for wrong in ["", "*", ".*", "user*", "u*.login", "user.**"] {
        let error = Rule::action(wrong).unwrap_err();
        assert!(error.to_string().contains("user.*"), "{error}");
    }
}

#[test]
fn the_same_policy_has_the_same_digest() {
    let one = Retention::new().keep(days(90));
    assert_eq!(one.digest(), Retention::new().keep(90 * days(1)).digest());
    assert_ne!(one.digest(), Retention::new().keep(days(91)).digest());
    assert_eq!(one.text(), "keep the rest for 90d\nfloor 30d");
}
