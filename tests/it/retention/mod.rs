//! What a policy removes from a store, what a hold keeps, and that all of it stays proven.

mod holds;
mod interrupted;
mod model;
mod month;
mod months;
mod place;
mod proven;
mod pruned;
mod refusals;
#[cfg(feature = "testing")]
mod schedule;
#[cfg(feature = "testing")]
mod service;
mod upgrade;

/// The page for operators shows a policy that can be used.
#[test]
fn the_policy_on_the_page_is_one() {
    let page = include_str!("../../../docs/retention.md");
    let (_, rest) = page.split_once("```toml\n").unwrap();
    let (policy, _) = rest.split_once("```").unwrap();
    let retention = tower_audit::retention::Retention::from_toml(policy).unwrap();
    let text = retention.text();
    assert!(
        text.contains("keep action \"document.*\" for 90d"),
        "{text}"
    );
    assert!(text.contains("keep the rest for 365d\nfloor 30d"), "{text}");
}
