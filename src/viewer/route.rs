//! Which address is what.

use percent_encoding::percent_decode_str;

use super::builder::ViewerError;

/// What an address below the viewer's path is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route<'a> {
    Table,
    Record(&'a str),
    /// The actor's id, decoded.
    Actor(String),
    Destinations,
    Exports,
    Manifest(&'a str),
    Export,
    Live,
    Asset(&'a str),
    ApiRecords,
    ApiRecord(&'a str),
    ApiFacets,
    ApiHistogram,
    ApiCount,
    ApiExport,
    ApiOpenapi,
}

/// Every address, `{}` for a part that can be anything.
pub(super) const PATTERNS: [&str; 16] = [
    "/",
    "/records/{}",
    "/actors/{}",
    "/destinations",
    "/exports",
    "/exports/{}",
    "/export",
    "/live",
    "/assets/{}",
    "/api/records",
    "/api/records/{}",
    "/api/facets",
    "/api/histogram",
    "/api/count",
    "/api/export",
    "/api/openapi.json",
];

impl<'a> Route<'a> {
    /// What the path is for; none when there is no such address.
    pub(super) fn find(path: &'a str) -> Option<Self> {
        let mut parts = path.strip_prefix('/')?.split('/');
        let parts = (parts.next()?, parts.next(), parts.next(), parts.next());
        Some(match parts {
            ("", None, None, None) => Self::Table,
            ("records", Some(id), None, None) => Self::Record(id),
            ("actors", Some(id), None, None) => Self::Actor(decoded(id)?),
            ("destinations", None, None, None) => Self::Destinations,
            ("exports", None, None, None) => Self::Exports,
            ("exports", Some(id), None, None) => Self::Manifest(id),
            ("export", None, None, None) => Self::Export,
            ("live", None, None, None) => Self::Live,
            ("assets", Some(name), None, None) => Self::Asset(name),
            ("api", Some("records"), None, None) => Self::ApiRecords,
            ("api", Some("records"), Some(id), None) => Self::ApiRecord(id),
            ("api", Some("facets"), None, None) => Self::ApiFacets,
            ("api", Some("histogram"), None, None) => Self::ApiHistogram,
            ("api", Some("count"), None, None) => Self::ApiCount,
            ("api", Some("export"), None, None) => Self::ApiExport,
            ("api", Some("openapi.json"), None, None) => Self::ApiOpenapi,
            _ => return None,
        })
    }

    /// The word for it in records of what was read.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Record(_) => "record",
            Self::Actor(_) => "actor",
            Self::Destinations => "destinations",
            Self::Exports | Self::Manifest(_) => "exports",
            Self::Export => "export",
            Self::Live => "live",
            Self::Asset(_) => "assets",
            Self::ApiRecords => "api/records",
            Self::ApiRecord(_) => "api/record",
            Self::ApiFacets => "api/facets",
            Self::ApiHistogram => "api/histogram",
            Self::ApiCount => "api/count",
            Self::ApiExport => "api/export",
            Self::ApiOpenapi => "api/openapi",
        }
    }
}

/// Whether programs ask there: they are answered in JSON.
pub(super) fn is_api(path: &str) -> bool {
    path == "/api" || path.starts_with("/api/")
}

fn decoded(part: &str) -> Option<String> {
    let decoded = percent_decode_str(part).decode_utf8().ok()?;
    (!decoded.is_empty()).then(|| decoded.into_owned())
}

/// What all addresses begin with, as the browser sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Base(String);

impl Base {
    /// Checks a path as the service's author wrote it: `/audit`, or nothing for the whole host.
    pub(super) fn parse(path: &str) -> Result<Self, ViewerError> {
        let wrong = |reason: &'static str| ViewerError::Path {
            path: path.chars().take(80).collect(),
            reason,
        };
        if matches!(path, "" | "/") {
            return Ok(Self(String::new()));
        }
        let Some(inner) = path.strip_prefix('/') else {
            return Err(wrong("it must begin with /"));
        };
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let is_good = |part: &str| !matches!(part, "" | "." | "..") && part.bytes().all(is_plain);
        if !inner.split('/').all(is_good) {
            return Err(wrong(
                "write letters, digits and - . _ ~ between single slashes, and none at the end",
            ));
        }
        // What is asked for with the path stripped would be taken for what has it.
        if PATTERNS.iter().any(|pattern| begins_with(pattern, inner)) {
            return Err(wrong("the viewer has an address of this name itself"));
        }
        Ok(Self(path.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The path below this one. The host's router may have stripped it already.
    pub(super) fn below<'p>(&self, path: &'p str) -> &'p str {
        match path.strip_prefix(self.0.as_str()) {
            Some("") => "/",
            Some(rest) if rest.starts_with('/') => rest,
            _ if path.is_empty() => "/",
            _ => path,
        }
    }
}

fn begins_with(pattern: &str, path: &str) -> bool {
    let mut pattern = pattern.trim_start_matches('/').split('/');
    path.split('/').all(|part| {
        pattern
            .next()
            .is_some_and(|known| known == "{}" || known == part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_is_a_route_and_a_part_more_is_none() {
        for pattern in PATTERNS {
            let path = pattern.replace("{}", "x");
            assert!(Route::find(&path).is_some(), "{path}");
            let longer = format!("{}/x/x/x", path.trim_end_matches('/'));
            assert_eq!(Route::find(&longer), None, "{longer}");
        }
        for nothing in [
            "", "records", "/records", "/api", "/api/x", "/x", "//", "/actors/",
        ] {
            assert_eq!(Route::find(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn an_actors_id_is_decoded_once() {
        let actor = |path| match Route::find(path) {
            Some(Route::Actor(id)) => Some(id),
            _ => None,
        };
        assert_eq!(actor("/actors/a%2Fb%2525").as_deref(), Some("a/b%25"));
        assert_eq!(actor("/actors/%ff"), None);
    }

    #[test]
    fn a_path_is_taken_stripped_or_not() {
        let base = Base::parse("/audit").unwrap();
        for (path, expected) in [
            ("/audit", "/"),
            ("/audit/", "/"),
            ("/audit/records/x", "/records/x"),
            ("/", "/"),
            ("", "/"),
            ("/records/x", "/records/x"),
            ("/auditor", "/auditor"),
        ] {
            assert_eq!(base.below(path), expected, "{path}");
        }
        assert_eq!(Base::parse("/").unwrap().below("/live"), "/live");
    }

    #[test]
    fn a_path_that_cannot_be_told_from_ours_is_refused() {
        for wrong in [
            "audit",
            "/audit/",
            "//",
            "/a//b",
            "/a/../b",
            "/a b",
            "/a?b",
            "/a%20",
            "/é",
            "/api",
            "/api/records",
            "/records",
            "/records/x",
            "/actors/7",
            "/live",
            "/assets/x",
            "/export",
        ] {
            assert!(
                matches!(Base::parse(wrong), Err(ViewerError::Path { .. })),
                "{wrong}"
            );
        }
        for good in [
            "",
            "/",
            "/audit",
            "/a/b.c/~d",
            "/api/audit",
            "/records/x/y",
            "/livelier",
        ] {
            assert!(Base::parse(good).is_ok(), "{good}");
        }
    }
}
