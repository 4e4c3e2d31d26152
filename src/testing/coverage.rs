//! An assertion about the routes of a service: what may change something has a name.

use crate::{
    capture::{Inventory, InventoryRoute},
    policy::Recorded,
};

/// Checks that every route with an unsafe method has an action that somebody named.
///
/// Call it in a test that knows the routes: they were told to the builder, or a request came on
/// each. A route is named by the catalogue, or by its handler when a request came. One that the
/// policy never records needs no name.
///
/// ```
/// use tower_audit::{
///     record::{Catalogue, Declaration},
///     testing::{TestTrail, expect_named_routes},
/// };
///
/// let catalogue = Catalogue::new([Declaration::new("document.create").route("POST", "/documents")])?;
/// let routes = [("GET", "/documents"), ("POST", "/documents")];
/// let trail = TestTrail::with(|builder| builder.catalogue(catalogue).routes(routes));
///
/// expect_named_routes(&trail.audit().inventory());
/// # Ok::<(), tower_audit::record::CatalogueError>(())
/// ```
///
/// # Panics
///
/// When a route has none; the message lists every such route. Also when the inventory is empty,
/// because then nothing was checked.
#[track_caller]
#[expect(clippy::panic, reason = "an assertion")]
pub fn expect_named_routes(inventory: &Inventory) {
    if inventory.routes.is_empty() {
        panic!("the inventory has no routes: tell them to the builder, or make requests first");
    }
    let mut nameless = inventory
        .routes
        .iter()
        .filter(|it| is_nameless(it))
        .peekable();
    if nameless.peek().is_none() {
        return;
    }
    let mut message = String::from("routes may change something, and their action has no name:");
    for route in nameless {
        message.push_str(&format!("\n  {} {}", route.method, route.route));
    }
    message.push_str("\ndeclare them in the catalogue, or name the action in the handler");
    panic!("{message}");
}

fn is_nameless(route: &InventoryRoute) -> bool {
    route.is_unsafe() && !route.named && route.recorded != Recorded::Never
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        policy::{Policy, Rule},
        testing::TestTrail,
    };

    #[test]
    #[should_panic(expected = "no name:\n  DELETE /a\n  POST /b\ndeclare them")]
    fn every_unsafe_route_without_a_name_is_listed() {
        let routes = [
            ("POST", "/b"),
            ("GET", "/a"),
            ("DELETE", "/a"),
            ("POST", "/ping"),
        ];
        let policy = Policy::new().rule(Rule::new("ping").route("/ping").skip());
        let trail = TestTrail::with(|builder| builder.policy(policy).routes(routes));
        expect_named_routes(&trail.audit().inventory());
    }

    #[test]
    #[should_panic(expected = "the inventory has no routes")]
    fn an_empty_inventory_proves_nothing() {
        expect_named_routes(&TestTrail::start().audit().inventory());
    }
}
