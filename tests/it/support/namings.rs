//! Which modules and crates a source file names, read from its tokens: comments and texts do not count.

use proc_macro2::{Delimiter, Ident, Spacing, TokenStream, TokenTree};

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A module directly below this crate's root.
    Ours,
    /// An identifier that may be the name of another crate.
    Foreign,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Naming {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) line: usize,
}

/// What a source file names, except in what is compiled for unit tests only.
///
/// `depth` is how many modules below the root the file's own module is.
pub(crate) fn namings(source: &str, depth: usize) -> Vec<Naming> {
    let mut walk = Walk { found: Vec::new() };
    let tokens = source.parse().expect("a source file has balanced tokens");
    walk.stream(tokens, depth);
    walk.found
}

struct Walk {
    found: Vec<Naming>,
}

impl Walk {
    fn stream(&mut self, stream: TokenStream, depth: usize) {
        let tokens: Vec<_> = stream.into_iter().collect();
        let mut rest = tokens.as_slice();
        while let Some((first, after)) = rest.split_first() {
            rest = after;
            match first {
                TokenTree::Punct(mark) if mark.as_char() == '#' && is_test_attribute(after) => {
                    rest = after_item(after);
                }
                TokenTree::Ident(word) if word == "mod" => {
                    if let [TokenTree::Ident(_), TokenTree::Group(body), after @ ..] = after {
                        self.stream(body.stream(), depth + 1);
                        rest = after;
                    }
                }
                TokenTree::Ident(word) if word == "crate" => {
                    if let Some(path) = after_colons(after) {
                        self.heads(path);
                    }
                }
                TokenTree::Ident(word) if word == "super" => rest = self.above(after, depth),
                TokenTree::Ident(word) => self.push(Kind::Foreign, word),
                TokenTree::Group(group) => self.stream(group.stream(), depth),
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }

    /// Follows `super::super::…` after its first word; what reaches the root names a module there.
    fn above<'a>(&mut self, mut rest: &'a [TokenTree], depth: usize) -> &'a [TokenTree] {
        let mut depth = depth.saturating_sub(1);
        while let Some(path) = after_colons(rest) {
            match path {
                [TokenTree::Ident(word), after @ ..] if word == "super" => {
                    depth = depth.saturating_sub(1);
                    rest = after;
                }
                path => {
                    if depth == 0 {
                        self.heads(path);
                    }
                    return path;
                }
            }
        }
        rest
    }

    /// The first word of a path from the root, or of each path of a group.
    fn heads(&mut self, path: &[TokenTree]) {
        match path.first() {
            Some(TokenTree::Ident(name)) => self.push(Kind::Ours, name),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let tokens: Vec<_> = group.stream().into_iter().collect();
                for path in tokens.split(|token| is_punct(token, ',')) {
                    self.heads(path);
                }
            }
            Some(star) => self.found.push(Naming {
                kind: Kind::Ours,
                name: star.to_string(),
                line: star.span().start().line,
            }),
            None => {}
        }
    }

    fn push(&mut self, kind: Kind, name: &Ident) {
        self.found.push(Naming {
            kind,
            name: name.to_string(),
            line: name.span().start().line,
        });
    }
}

fn is_punct(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark)
}

fn after_colons(tokens: &[TokenTree]) -> Option<&[TokenTree]> {
    match tokens {
        [TokenTree::Punct(first), second, rest @ ..]
            if first.as_char() == ':'
                && first.spacing() == Spacing::Joint
                && is_punct(second, ':') =>
        {
            Some(rest)
        }
        _ => None,
    }
}

/// Whether `[cfg(test)]` or `[cfg(all(test, …))]` comes next.
fn is_test_attribute(tokens: &[TokenTree]) -> bool {
    let Some(TokenTree::Group(attribute)) = tokens.first() else {
        return false;
    };
    let text: String = attribute.stream().to_string().split_whitespace().collect();
    text == "cfg(test)" || text.starts_with("cfg(all(test,")
}

/// What follows the item that these tokens begin: after its braces, or its semicolon.
fn after_item(tokens: &[TokenTree]) -> &[TokenTree] {
    let is_end = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        token => is_punct(token, ';'),
    };
    let end = tokens.iter().position(is_end);
    end.map_or(&[], |end| &tokens[end + 1..])
}

/// The names that the walk finds in a file of the module `journal::writer`.
fn names(source: &str) -> Vec<String> {
    let ours = |naming: &Naming| naming.kind == Kind::Ours;
    namings(source, 2)
        .into_iter()
        .filter(ours)
        .map(|naming| naming.name)
        .collect()
}

#[test]
fn walk_finds_each_way_to_name_a_module() {
    let table: &[(&str, &[&str])] = &[
        ("use crate::clock;", &["clock"]),
        (
            "use crate::clock::{Clock, system::SystemClock};",
            &["clock"],
        ),
        (
            "use crate::{clock::{Clock, Timestamp}, disk, text::{self}};",
            &["clock", "disk", "text"],
        ),
        ("use {crate::{disk as files}, std::fmt};", &["disk"]),
        ("use crate::*;", &["*"]),
        (
            "fn f(a: &crate::disk::StdDisk) { vec![crate::text::clean(a)]; }",
            &["disk", "text"],
        ),
        (
            "macro_rules! m { () => { $crate::sink::Batch }; }",
            &["sink"],
        ),
        ("use super::super::audit;", &["audit"]),
        (
            "use super::super::{audit, store::Query};",
            &["audit", "store"],
        ),
        ("mod inner { use super::super::super::audit; }", &["audit"]),
        ("mod inner { use super::super::inbox; }", &[]),
        (
            "use super::inbox; pub(crate) fn f() {} pub(in crate::journal) fn g() {}",
            &["journal"],
        ),
        (
            "/// [`a`](crate::audit)\n// crate::audit\n/* crate::audit */ const A: &str = r#\"crate::audit\"#;",
            &[],
        ),
        (
            "#[cfg(test)] mod tests { use crate::audit; } use crate::text;",
            &["text"],
        ),
        (
            "#[cfg(all(test, feature = \"file\"))] use crate::audit; use crate::text;",
            &["text"],
        ),
        ("#[cfg(feature = \"test\")] use crate::audit;", &["audit"]),
    ];
    for (source, expected) in table {
        assert_eq!(names(source), *expected, "{source}");
    }
}
