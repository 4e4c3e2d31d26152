//! Which address is what.

use percent_encoding::percent_decode_str;

use super::builder::ViewerError;

/// What an address below the viewer's path is for. Ids are decoded: once, each within its own segment, so that
/// a slash in one divides nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route<'a> {
    Table,
    Record(String),
    /// Never empty.
    Actor(String),
    Destinations,
    Exports,
    Manifest(String),
    Export,
    Live,
    Asset(&'a str),
    ApiRecords,
    ApiRecord(String),
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
    ///
    /// Words of ours are taken as they are written, and never decoded: a proxy in front that knows `/api/` must see
    /// all that goes there.
    pub(super) fn find(path: &'a str) -> Option<Self> {
        let mut parts = path.strip_prefix('/')?.split('/');
        let parts = (parts.next()?, parts.next(), parts.next(), parts.next());
        Some(match parts {
            ("", None, None, None) => Self::Table,
            ("records", Some(id), None, None) => Self::Record(decoded(id)?),
            ("actors", Some(id), None, None) => {
                Self::Actor(decoded(id).filter(|id| !id.is_empty())?)
            }
            ("destinations", None, None, None) => Self::Destinations,
            ("exports", None, None, None) => Self::Exports,
            ("exports", Some(id), None, None) => Self::Manifest(decoded(id)?),
            ("export", None, None, None) => Self::Export,
            ("live", None, None, None) => Self::Live,
            ("assets", Some(name), None, None) => Self::Asset(name),
            ("api", Some("records"), None, None) => Self::ApiRecords,
            ("api", Some("records"), Some(id), None) => Self::ApiRecord(decoded(id)?),
            ("api", Some("facets"), None, None) => Self::ApiFacets,
            ("api", Some("histogram"), None, None) => Self::ApiHistogram,
            ("api", Some("count"), None, None) => Self::ApiCount,
            ("api", Some("export"), None, None) => Self::ApiExport,
            ("api", Some("openapi.json"), None, None) => Self::ApiOpenapi,
            _ => return None,
        })
    }

    /// Whether the store is asked before the answer begins.
    pub(super) const fn asks_the_store(&self) -> bool {
        !matches!(
            self,
            Self::Destinations
                | Self::Exports
                | Self::Manifest(_)
                | Self::Asset(_)
                | Self::ApiOpenapi
        )
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

/// A segment as its text; none when it is no encoding of one.
fn decoded(segment: &str) -> Option<String> {
    // The decoder takes a sign without its two digits for itself, and two spellings would be one id.
    let is_encoded = |rest: &str| {
        let digits = rest.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !segment.split('%').skip(1).all(is_encoded) {
        return None;
    }
    let decoded = percent_decode_str(segment).decode_utf8().ok()?;
    Some(decoded.into_owned())
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
    use proptest::prelude::*;

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

    /// The id of a path that has one.
    fn id(path: &str) -> Option<String> {
        match Route::find(path)? {
            Route::Record(id) | Route::Actor(id) | Route::Manifest(id) | Route::ApiRecord(id) => {
                Some(id)
            }
            _ => None,
        }
    }

    /// What stands before an id.
    const BEFORE: [&str; 4] = ["/records/", "/actors/", "/exports/", "/api/records/"];

    #[test]
    fn an_id_is_decoded_once_and_strictly() {
        for before in BEFORE {
            let id = |segment: &str| id(&format!("{before}{segment}"));
            assert_eq!(id("a%2Fb%2525").as_deref(), Some("a/b%25"), "{before}");
            assert_eq!(id("01%2d9").as_deref(), Some("01-9"), "{before}");
            assert_eq!(id("a+b").as_deref(), Some("a+b"), "{before}");
            for wrong in ["%ff", "%", "a%2", "%2g", "%%41", "%+1", "%c3%28", "a/b"] {
                assert_eq!(id(wrong), None, "{before}{wrong}");
            }
        }
        assert_eq!(id("/actors/"), None);
        // Ours are words, not encodings of words.
        assert_eq!(Route::find("/%61pi/records"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_one_segment_however_much_of_it_is_encoded(
            text in "[^/%?#]{0,3}\\PC{1,20}", plain in any::<u64>(), lower in any::<bool>(),
        ) {
            let mut segment = String::new();
            for (place, byte) in text.bytes().enumerate() {
                let may_stand = byte.is_ascii_alphanumeric() || b"-._~+!@".contains(&byte);
                match (may_stand && plain >> (place % 64) & 1 == 1, lower) {
                    (true, _) => segment.push(char::from(byte)),
                    (false, true) => segment.push_str(&format!("%{byte:02x}")),
                    (false, false) => segment.push_str(&format!("%{byte:02X}")),
                }
            }
            for before in BEFORE {
                prop_assert_eq!(id(&format!("{before}{segment}")), Some(text.clone()));
            }
        }

        #[test]
        fn no_path_at_all_breaks_the_search_for_its_route(path in any::<String>()) {
            let _ = Route::find(&path);
            let _ = Route::find(&format!("/records/{path}"));
        }
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
