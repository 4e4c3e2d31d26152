//! The description of the API, as it is served.

use super::{answer::Answer, failure::Failure, route::Base, search::Asked};

/// The description; `servers` is replaced by where the viewer is.
const TEXT: &str = include_str!("../../docs/openapi.json");

/// What stands for the viewer's path in [`TEXT`].
const SERVER: &str = "\"url\": \"/audit\"";

pub(super) fn answer(base: &Base, asked: Asked) -> Result<Answer, Failure> {
    asked.end()?;
    // A base has no character that JSON would escape.
    let server = format!(
        "\"url\": \"{}\"",
        match base.as_str() {
            "" => "/",
            base => base,
        }
    );
    let text = TEXT.replacen(SERVER, &server, 1);
    Ok(Answer::text("application/json", text))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::{
        store::NAMES,
        viewer::{api::OWN, route::PATTERNS},
    };

    fn names(described: &Value, path: &str) -> BTreeSet<String> {
        let parameters = described["paths"][path]["get"]["parameters"].as_array();
        let names = parameters.into_iter().flatten().filter_map(|parameter| {
            let of = parameter["$ref"].as_str();
            let found = of.and_then(|of| described.pointer(of.strip_prefix('#')?));
            let parameter = found.unwrap_or(parameter);
            (parameter["in"] == "query").then(|| parameter["name"].as_str().unwrap().to_owned())
        });
        names.collect()
    }

    #[test]
    fn every_route_and_every_parameter_of_the_code_is_described_and_no_other() {
        let described: Value = serde_json::from_str(TEXT).unwrap();
        let paths: BTreeSet<&str> = described["paths"]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let routes = PATTERNS.iter().map(|pattern| pattern.replace("{}", "{id}"));
        let routes: BTreeSet<String> = routes
            .filter(|path| path.starts_with("/api/") || path == "/exports/{id}")
            .collect();
        assert_eq!(paths, routes.iter().map(String::as_str).collect());
        for (path, own) in OWN {
            let has_filters = !own.is_empty() && path != "/api/facets";
            let filters = NAMES.iter().filter(|_| has_filters);
            let expected = filters.chain(own.iter()).map(|name| (*name).to_owned());
            assert_eq!(names(&described, path), expected.collect(), "{path}");
        }
        assert_eq!(TEXT.matches(SERVER).count(), 1);
    }
}
