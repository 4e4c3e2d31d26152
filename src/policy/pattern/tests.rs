//! What a pattern matches, and which ones are refused, as tables.

use super::*;

fn route(text: &str) -> RoutePattern {
    RoutePattern::new(text.to_owned())
}

fn action(text: &str) -> ActionPattern {
    ActionPattern::new(text.to_owned())
}

#[test]
fn routes_match_by_segments() {
    for (pattern, template, expected) in [
        ("/health", "/health", true),
        ("/health", "/health/", false),
        ("/health", "/healthy", false),
        ("/", "/", true),
        ("/", "", false),
        ("/users/{id}", "/users/{id}", true),
        ("/users/{id}", "/users/{name}", false),
        ("/users/*", "/users/{id}", true),
        ("/users/*", "/users/me", true),
        ("/users/*", "/users", false),
        ("/users/*", "/users/", false),
        ("/users/*", "/users/{id}/roles", false),
        ("/*/roles", "/users/roles", true),
        ("/files/{*rest}", "/files/{*rest}", true),
        ("/admin/**", "/admin", true),
        ("/admin/**", "/admin/", true),
        ("/admin/**", "/admin/users/{id}/role", true),
        ("/admin/**", "/administrator", false),
        ("/admin/**", "/api/admin", false),
        ("/**", "/", true),
        ("/**", "/anything/at/all", true),
        ("/**", "no-slash", false),
    ] {
        let matches = route(pattern).matches(template);
        assert_eq!(matches, expected, "{pattern} {template}");
    }
}

#[test]
fn methods_and_actions_match_exactly_or_by_their_word() {
    let method = |text: &str| MethodPattern::new(text.to_owned());
    for (pattern, given, expected) in [
        ("POST", "POST", true),
        ("POST", "post", false),
        ("safe", "HEAD", true),
        ("safe", "DELETE", false),
        ("unsafe", "PURGE", true),
        ("unsafe", "GET", false),
    ] {
        assert_eq!(
            method(pattern).matches(given),
            expected,
            "{pattern} {given}"
        );
    }
    for (pattern, given, expected) in [
        ("user.login", "user.login", true),
        ("user.login", "user.login.failed", false),
        ("user.*", "user.login", true),
        ("user.*", "user.role.change", true),
        ("user.*", "user", false),
        ("user.*", "users.login", false),
        ("POST /a/{*b}", "POST /a/{*b}", true),
    ] {
        assert_eq!(
            action(pattern).matches(given),
            expected,
            "{pattern} {given}"
        );
    }
}

#[test]
fn a_pattern_covers_what_it_matches_all_of() {
    for (wide, narrow, expected) in [
        ("/**", "/**", true),
        ("/**", "/a/*", true),
        ("/a/**", "/a/b/**", true),
        ("/a/**", "/a", true),
        ("/a/b/**", "/a/**", false),
        ("/a/*", "/a/{id}", true),
        ("/a/*", "/a/*", true),
        ("/a/*", "/a/**", false),
        ("/a/*", "/*/b", false),
        ("/a/{id}", "/a/*", false),
    ] {
        let covers = route(wide).covers(&route(narrow));
        assert_eq!(covers, expected, "{wide} {narrow}");
    }
    for (wide, narrow, expected) in [
        ("user.*", "user.login", true),
        ("user.*", "user.role.*", true),
        ("user.role.*", "user.*", false),
        ("user.login", "user.*", false),
    ] {
        let covers = action(wide).covers(&action(narrow));
        assert_eq!(covers, expected, "{wide} {narrow}");
    }
    assert!(MethodPattern::Unsafe.covers(&MethodPattern::One("PUT".to_owned())));
    assert!(!MethodPattern::One("PUT".to_owned()).covers(&MethodPattern::Unsafe));
}

#[test]
fn what_would_never_match_is_told_with_the_way_out() {
    let method = |text: &str| MethodPattern::new(text.to_owned()).fault();
    let status = |range: RangeInclusive<u16>| StatusRange::from(range).fault();
    for (fault, expected) in [
        (method("post"), "write POST"),
        (method("Safe"), "write SAFE"),
        (method("PO ST"), "is no method"),
        (method(""), "is no method"),
        (route("admin/**").fault(), "begin it with a slash"),
        (route("").fault(), "begin it with a slash"),
        (route("/adm*").fault(), "one whole segment"),
        (route("/**/roles").fault(), "one whole segment"),
        (route("/a/***").fault(), "one whole segment"),
        (action("").fault(), "write user.login"),
        (action("*").fault(), "write user.login"),
        (action("user*").fault(), "write user.login"),
        (action("*.login").fault(), "write user.login"),
        (action(".*").fault(), "write user.login"),
        (action("user.**").fault(), "write user.login"),
        (status(RangeInclusive::new(499, 400)), "499-400"),
        (status(0..=99), "from 100 to 999"),
        (status(500..=1000), "from 100 to 999"),
    ] {
        let fault = fault.unwrap_or_default();
        assert!(fault.contains(expected), "{expected}: {fault:?}");
    }
}

#[test]
fn what_can_match_has_no_fault() {
    for text in ["/", "/a/*", "/a/**", "/{id}/*/{*rest}", "/**"] {
        assert_eq!(route(text).fault(), None, "{text}");
    }
    for text in ["user.login", "user.*", "POST /a/{*b}", "user_updated"] {
        assert_eq!(action(text).fault(), None, "{text}");
    }
    for text in ["GET", "safe", "unsafe", "M-SEARCH"] {
        assert_eq!(MethodPattern::new(text.to_owned()).fault(), None, "{text}");
    }
    assert_eq!(StatusRange::from(100..=999).fault(), None);
    assert_eq!(StatusRange::from(429).to_string(), "429");
}
