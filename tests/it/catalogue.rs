//! The actions of a trail's own: one list of them, held against the code and the documents.

use std::collections::BTreeSet;

use tower_audit::record::Catalogue;

use crate::support::project::{files, read, root};

/// What has names of this kind that are no actions.
const OTHERS: [&str; 3] = [
    // Attributes of OpenTelemetry.
    "src/sink/otlp/attributes.rs",
    // What the layer for `tracing` asks itself.
    "src/capture/tracing/self_test.rs",
    // The list itself.
    "src/record/catalogue/own.rs",
];

/// The actions of the trail's own that the sources name, however they make records of them.
fn made() -> BTreeSet<String> {
    let mut made = BTreeSet::new();
    for file in files(&root().join("src"), "rs") {
        let text = std::fs::read_to_string(&file).unwrap();
        let code = text
            .split("#[cfg(test)]\nmod tests {")
            .next()
            .unwrap_or_default();
        let path = file.display().to_string();
        let is_other = OTHERS.iter().any(|other| path.ends_with(other));
        if path.contains("/tests") || path.contains("/testing/") || is_other {
            continue;
        }
        made.extend(literals(code));
    }
    made
}

/// Every literal that names such an action.
fn literals(code: &str) -> Vec<String> {
    let lines = code.lines().map(str::trim_start);
    let code = lines.filter(|line| !line.starts_with("//"));
    let code = code.collect::<Vec<_>>().join("\n");
    let names = code.match_indices("\"audit.").filter_map(|(place, _)| {
        let (action, _) = code[place + 1..].split_once('"')?;
        let verb = action.strip_prefix("audit.")?;
        let is_name = !verb.is_empty()
            && verb
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let is_file = matches!(verb, "db" | "jsonl");
        (is_name && !is_file && !verb.ends_with('_')).then(|| action.to_owned())
    });
    names.collect()
}

// Trap Q9: what is listed and what is recorded cannot drift apart.
#[test]
fn the_actions_that_a_trail_records_by_itself_are_those_that_are_declared() {
    let made = made();
    assert!(made.len() > 25 && made.contains("audit.start"), "{made:?}");
    let declared: BTreeSet<String> = Catalogue::own()
        .iter()
        .map(|declared| declared.action.as_str().to_owned())
        .collect();
    let missing: Vec<_> = made.difference(&declared).collect();
    assert!(
        missing.is_empty(),
        "declare them in src/record/catalogue/own.rs: {missing:?}"
    );
    let unknown: Vec<_> = declared.difference(&made).collect();
    assert!(unknown.is_empty(), "nothing records them: {unknown:?}");
}

#[test]
fn the_reference_in_the_documents_is_that_of_the_code() {
    let page = read("docs/actions.md");
    let (_, reference) = page.split_once("\n## ").unwrap();
    assert_eq!(format!("## {reference}"), Catalogue::own().to_markdown());
}
