//! The patterns of a rule: methods, route templates, actions, statuses.
//!
//! Any text makes a pattern; one that could never match, or means something else than it looks
//! like, is found when the policy is checked. To match costs no allocation.

use std::{fmt, ops::RangeInclusive};

/// A method: `POST`, or one of the words `safe` and `unsafe`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum MethodPattern {
    /// Compared exactly, as RFC 9110 says (section 9.1).
    One(String),
    /// `GET`, `HEAD`, `OPTIONS`, `TRACE`: RFC 9110, section 9.2.1.
    Safe,
    /// Every other method.
    Unsafe,
}

/// The template of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RoutePattern {
    text: String,
    /// The bytes before the first segment that stands for others; `None` if there is none such.
    fixed: Option<usize>,
}

/// The name of an action, or the beginning of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ActionPattern {
    One(String),
    /// All that begin with this text, whose last character is a dot.
    Under(String),
}

/// Some statuses of responses, from the first to the last: `401.into()`, `(500..=599).into()`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct StatusRange {
    /// The first of them.
    pub first: u16,
    /// The last of them.
    pub last: u16,
}

/// Whether a method only reads, by its definition: `GET`, `HEAD`, `OPTIONS` or `TRACE` (RFC 9110,
/// section 9.2.1).
pub(crate) fn is_safe(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE")
}

impl MethodPattern {
    pub(super) fn new(text: String) -> Self {
        match text.as_str() {
            "safe" => Self::Safe,
            "unsafe" => Self::Unsafe,
            _ => Self::One(text),
        }
    }

    pub(super) fn matches(&self, method: &str) -> bool {
        match self {
            Self::One(one) => one == method,
            Self::Safe => is_safe(method),
            Self::Unsafe => !is_safe(method),
        }
    }

    /// Whether it matches all that the other does.
    pub(super) fn covers(&self, other: &Self) -> bool {
        match other {
            Self::One(method) => self.matches(method),
            others => self == others,
        }
    }

    pub(super) fn fault(&self) -> Option<String> {
        let Self::One(method) = self else { return None };
        if method.parse::<http::Method>().is_err() {
            return Some(format!(
                "{method:?} is no method: write one such as POST, or safe, or unsafe"
            ));
        }
        let upper = method.to_ascii_uppercase();
        (upper != *method).then(|| {
            format!("{method:?} matches no request, methods are compared exactly: write {upper}")
        })
    }
}

impl RoutePattern {
    pub(super) fn new(text: String) -> Self {
        let is_first = |before: &str| before.is_empty() || before.ends_with('/');
        let mut stars = text.match_indices('*').map(|(at, _)| at);
        let open = stars.find(|at| text.get(..*at).is_some_and(is_first));
        // The slash before `/**` is no part of what it matches.
        let fixed = open.map(|at| at.saturating_sub(1));
        Self { text, fixed }
    }

    pub(super) fn matches(&self, template: &str) -> bool {
        let Some(fixed) = self.fixed else {
            return self.text == template;
        };
        // Most templates differ in the beginning already.
        let begins = self.text.as_bytes().get(..fixed);
        begins.is_some_and(|begins| template.as_bytes().starts_with(begins))
            && self.walk(template, |ours, theirs| {
                ours == theirs || (ours == "*" && !theirs.is_empty())
            })
    }

    /// Whether it matches all that the other does.
    pub(super) fn covers(&self, other: &Self) -> bool {
        // Theirs may be open too: then only an open segment of ours is as wide.
        self.walk(&other.text, |ours, theirs| {
            theirs != "**" && (ours == theirs || (ours == "*" && !theirs.is_empty()))
        })
    }

    fn walk(&self, template: &str, same: impl Fn(&str, &str) -> bool) -> bool {
        let mut theirs = template.split('/');
        for ours in self.text.split('/') {
            if ours == "**" {
                return true;
            }
            if !theirs.next().is_some_and(|theirs| same(ours, theirs)) {
                return false;
            }
        }
        theirs.next().is_none()
    }

    pub(super) fn fault(&self) -> Option<String> {
        let text = &self.text;
        if !text.starts_with('/') {
            return Some(format!(
                "{text:?} matches no route: begin it with a slash, as in /admin/**"
            ));
        }
        let before = text.strip_suffix("/**").unwrap_or(text);
        let wrong = before
            .split('/')
            .find(|segment| segment.contains('*') && *segment != "*" && !is_capture(segment));
        let wrong = wrong?;
        Some(format!(
            "{wrong:?} in {text:?} is no segment: write * for one whole segment, or /** at the end \
             for all below"
        ))
    }
}

/// A segment that a router fills: `{id}`, `{*rest}`.
fn is_capture(segment: &str) -> bool {
    segment.starts_with('{') && segment.ends_with('}')
}

impl ActionPattern {
    pub(super) fn new(text: String) -> Self {
        match text.strip_suffix('*') {
            Some(prefix) if prefix.ends_with('.') => Self::Under(prefix.to_owned()),
            _ => Self::One(text),
        }
    }

    pub(super) fn matches(&self, action: &str) -> bool {
        match self {
            Self::One(one) => one == action,
            Self::Under(prefix) => action.starts_with(prefix),
        }
    }

    /// Whether it matches all that the other does.
    pub(super) fn covers(&self, other: &Self) -> bool {
        match other {
            Self::One(action) => self.matches(action),
            Self::Under(theirs) => {
                matches!(self, Self::Under(prefix) if theirs.starts_with(prefix))
            }
        }
    }

    pub(super) fn fault(&self) -> Option<String> {
        let (text, is_wrong) = match self {
            Self::Under(prefix) => (prefix, prefix == "." || prefix.contains('*')),
            // `GET /files/{*rest}` is what a request without a name is called.
            Self::One(one) => (
                one,
                one.is_empty() || (one.contains('*') && !one.contains('/')),
            ),
        };
        is_wrong.then(|| {
            format!(
                "{text:?} is no pattern of actions: write user.login, or user.* for all that begin \
                 with user."
            )
        })
    }
}

impl StatusRange {
    pub(super) const fn contains(self, status: u16) -> bool {
        self.first <= status && status <= self.last
    }

    pub(super) const fn covers(self, other: Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }

    pub(super) fn fault(self) -> Option<String> {
        let is_wrong = self.first > self.last || self.first < 100 || self.last > 999;
        is_wrong.then(|| {
            format!("{self} is no range of statuses: the first is the smaller one, from 100 to 999")
        })
    }
}

impl From<u16> for StatusRange {
    fn from(status: u16) -> Self {
        Self {
            first: status,
            last: status,
        }
    }
}

impl From<RangeInclusive<u16>> for StatusRange {
    fn from(range: RangeInclusive<u16>) -> Self {
        Self {
            first: *range.start(),
            last: *range.end(),
        }
    }
}

impl fmt::Display for MethodPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::One(method) => method,
            Self::Safe => "safe",
            Self::Unsafe => "unsafe",
        })
    }
}

impl fmt::Display for RoutePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for ActionPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(action) => f.write_str(action),
            Self::Under(prefix) => write!(f, "{prefix}*"),
        }
    }
}

impl fmt::Display for StatusRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

#[cfg(test)]
mod tests;
