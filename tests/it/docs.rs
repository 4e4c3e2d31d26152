//! Holds what the documents say against the files they speak of.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use crate::support::project::{code_words, files, read, root, table};

/// The `[features]` of `Cargo.toml`: name → the other features that it turns on.
fn features() -> BTreeMap<String, BTreeSet<String>> {
    let manifest = read("Cargo.toml");
    let section = manifest
        .lines()
        .skip_while(|line| *line != "[features]")
        .skip(1);
    let section = section.take_while(|line| !line.starts_with('['));
    section
        .filter_map(|line| line.split_once(" = ["))
        .map(|(name, list)| {
            let features = list.split('"').skip(1).step_by(2);
            // Not crates, nor what begins with `_`: shared parts that nobody turns on by name.
            let features = features
                .filter(|feature| !feature.contains([':', '/']) && !feature.starts_with('_'));
            (name.to_owned(), features.map(str::to_owned).collect())
        })
        .filter(|(name, _): &(String, _)| !name.starts_with('_'))
        .collect()
}

#[test]
fn readme_lists_the_features_of_the_manifest() {
    let mut manifest = features();
    let default = manifest.remove("default").expect("a default feature");
    for row in table(&read("README.md"), "## Features") {
        let [name, on, _, turns_on] = row.as_slice() else {
            panic!("four cells expected: {row:?}");
        };
        let name = name.trim_matches('`');
        let expected = manifest.remove(name);
        assert_eq!(
            expected,
            Some(code_words(turns_on)),
            "what `{name}` turns on"
        );
        assert_eq!(
            on == "yes",
            default.contains(name),
            "whether `{name}` is on by default"
        );
    }
    assert!(
        manifest.is_empty(),
        "features without a row in the README: {manifest:?}"
    );
}

#[test]
fn examples_and_their_index_name_each_other() {
    let index: BTreeSet<_> = code_words(&read("examples/README.md"))
        .into_iter()
        .filter(|word| word.ends_with(".rs"))
        .collect();
    let examples = files(&root().join("examples"), "rs");
    let examples: BTreeSet<_> = examples
        .iter()
        .filter_map(|path| path.strip_prefix(root().join("examples")).ok())
        // Of an example in a folder of its own, the file that cargo runs.
        .filter(|path| path.components().count() == 1 || path.ends_with("main.rs"))
        .map(|path| path.to_string_lossy().into_owned())
        .collect();
    assert_eq!(index, examples);
}

#[test]
fn links_between_documents_lead_to_files() {
    let mut broken = Vec::new();
    let documents = ["", "docs", "examples"].map(|folder| root().join(folder));
    for folder in documents {
        for document in files_here(&folder) {
            let text = std::fs::read_to_string(&document).expect("a document");
            for target in links(&text) {
                if !folder.join(target).exists() {
                    broken.push(format!("{}: {target}", document.display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

/// The Markdown files of one folder, without those below it.
fn files_here(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder of documents");
    let paths = entries.map(|entry| entry.expect("an entry of a folder").path());
    paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect()
}

/// The files that a Markdown text links to, without addresses, modules and places in the same text.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| {
        let target = rest.split([')', '#', ' ']).next()?;
        let is_file = !target.is_empty() && !target.contains("://") && !target.contains("::");
        is_file.then_some(target)
    })
}

#[test]
fn links_are_found_in_markdown() {
    let text = "a [b](docs/c.md), [d](https://e.f/g), [h](#i), ![j](k.png \"l\") and [m](n.md#o)";
    assert_eq!(
        links(text).collect::<Vec<_>>(),
        ["docs/c.md", "k.png", "n.md"]
    );
}

#[test]
fn invariants_name_tests_that_exist() {
    let mut sources = String::new();
    for folder in ["src", "tests"] {
        for file in files(&root().join(folder), "rs") {
            sources += &std::fs::read_to_string(file).expect("a source file");
        }
    }
    for row in table(&read("docs/architecture.md"), "## Invariants") {
        for test in code_words(&row[3]) {
            let exists = sources.contains(&format!("fn {test}("));
            assert!(exists, "invariant {}: no test is called `{test}`", row[0]);
        }
    }
}
