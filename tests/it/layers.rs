//! Holds the tables of `docs/architecture.md`, "Modules", against the sources: which module may
//! import which, and where a foreign crate may be named.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::{
    namings::{Kind, Naming, namings},
    project::{code_words, files, read, root, table},
};

/// What one row allows.
struct Row {
    level: u32,
    may_import: Allowed,
    built: bool,
}

enum Allowed {
    Everything,
    These(BTreeSet<String>),
}

struct Tables {
    modules: BTreeMap<String, Row>,
    /// Foreign crate → the path prefixes below `src/` that may name it.
    foreign: BTreeMap<String, BTreeSet<String>>,
}

impl Tables {
    fn parse(markdown: &str) -> Self {
        let mut tables = Self {
            modules: BTreeMap::new(),
            foreign: BTreeMap::new(),
        };
        for row in table(markdown, "### Which module may import which") {
            let [level, name, may_import, state] = row.as_slice() else {
                panic!("four cells expected: {row:?}");
            };
            let may_import = match may_import.as_str() {
                "everything" => Allowed::Everything,
                cell => Allowed::These(code_words(cell)),
            };
            let row = Row {
                level: level.parse().expect("a level is a number"),
                may_import,
                built: state == "built",
            };
            let name = name.trim_matches('`').to_owned();
            assert!(
                tables.modules.insert(name.clone(), row).is_none(),
                "two rows for {name}"
            );
        }
        for row in table(markdown, "### Where a foreign crate may be named") {
            tables
                .foreign
                .insert(row[0].trim_matches('`').to_owned(), code_words(&row[1]));
        }
        tables
    }

    /// What is wrong with one name of a module or crate in a source file.
    fn fault(&self, module: Option<&str>, file: &str, naming: &Naming) -> Option<String> {
        let Naming { kind, name, line } = naming;
        let reason = match (kind, module) {
            (Kind::Foreign, _) => {
                let places = self.foreign.get(name)?;
                if places.iter().any(|place| file.starts_with(place.as_str())) {
                    return None;
                }
                format!("names the crate `{name}`, which only {places:?} may")
            }
            // The root itself declares and re-exports.
            (Kind::Ours, None) => return None,
            (Kind::Ours, Some(module)) => match &self.modules.get(module)?.may_import {
                Allowed::Everything => return None,
                Allowed::These(_) if name == module => return None,
                Allowed::These(names) if names.contains(name) => return None,
                Allowed::These(_) if !self.modules.contains_key(name) => {
                    format!("`crate::{name}` is no module: name the module it lives in")
                }
                Allowed::These(names) => format!("`{module}` may import {names:?}, not `{name}`"),
            },
        };
        Some(format!("src/{file}:{line}: {reason}"))
    }
}

/// The sources of the library; the program in `bin` sees the public API only.
fn sources() -> Vec<String> {
    let folder = root().join("src");
    let below = files(&folder, "rs").into_iter().map(|path| {
        let below = path.strip_prefix(&folder).expect("below src");
        below.to_string_lossy().replace('\\', "/")
    });
    below.filter(|file| !file.starts_with("bin/")).collect()
}

/// The path of the module that a file below `src/` holds: `journal/writer.rs` is journal, writer.
fn module_path(file: &str) -> Vec<&str> {
    let mut path: Vec<_> = file.trim_end_matches(".rs").split('/').collect();
    if matches!(path.last(), Some(&("mod" | "lib"))) {
        path.pop();
    }
    path
}

/// The paths of modules that are declared with `#[cfg(test)]` and live in files of their own.
fn test_modules(sources: &[String]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in sources {
        let text = read(&format!("src/{file}"));
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        for pair in lines.windows(2) {
            let name = pair[1]
                .strip_prefix("mod ")
                .and_then(|name| name.strip_suffix(';'));
            if let (true, Some(name)) = (pair[0] == "#[cfg(test)]", name) {
                let mut path = module_path(file);
                path.push(name);
                found.insert(path.join("/"));
            }
        }
    }
    found
}

fn tables() -> Tables {
    Tables::parse(&read("docs/architecture.md"))
}

#[test]
fn every_module_imports_only_what_its_row_allows() {
    let tables = tables();
    let mut faults = Vec::new();
    let sources = sources();
    let tests = test_modules(&sources);
    for file in &sources {
        let modules = module_path(file);
        let is_test = |depth: usize| tests.contains(&modules[..depth].join("/"));
        if (1..=modules.len()).any(is_test) {
            continue;
        }
        let namings = namings(&read(&format!("src/{file}")), modules.len());
        let module = modules.first().copied();
        faults.extend(
            namings
                .iter()
                .filter_map(|naming| tables.fault(module, file, naming)),
        );
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn table_lists_exactly_the_modules_that_exist_as_built() {
    let exists = |name: &str| {
        let source = root().join("src");
        source.join(format!("{name}.rs")).exists() || source.join(name).join("mod.rs").exists()
    };
    let tables = tables();
    for (name, row) in &tables.modules {
        assert_eq!(
            row.built,
            exists(name),
            "`{name}`: is its row marked \"built\"?"
        );
    }
    for file in sources() {
        if let Some(module) = module_path(&file).first() {
            assert!(
                tables.modules.contains_key(*module),
                "`{module}` has no row"
            );
        }
    }
}

#[test]
fn a_row_allows_only_lower_levels() {
    let tables = tables();
    for (name, row) in &tables.modules {
        let Allowed::These(allowed) = &row.may_import else {
            continue;
        };
        for other in allowed {
            let below = tables
                .modules
                .get(other)
                .expect("a module of the table")
                .level;
            assert!(
                below < row.level,
                "`{name}` (level {}) allows `{other}` (level {below})",
                row.level
            );
        }
    }
}

#[test]
fn fault_names_file_line_and_rule() {
    let tables = Tables::parse(
        "### Which module may import which\n|level|module|may import|state|\n|---|---|---|---|\n\
         |0|`text`|nothing|built|\n|1|`record`|`text`|built|\n|1|`sql`|nothing|built|\n\
         ### Where a foreign crate may be named\n|crate|only in|\n|---|---|\n|`sqlx`|`sql/`, `sink/sql.rs`|\n",
    );
    let faults = |module, file, source: &str| -> Vec<String> {
        let namings = namings(source, 1);
        namings
            .iter()
            .filter_map(|naming| tables.fault(Some(module), file, naming))
            .collect()
    };
    assert_eq!(
        faults(
            "record",
            "record/mod.rs",
            "use crate::{record::A, text::B};"
        ),
        [""; 0]
    );
    assert_eq!(
        faults("text", "text.rs", "\nuse crate::record::A;"),
        ["src/text.rs:2: `text` may import {}, not `record`"]
    );
    assert_eq!(
        faults("record", "record/mod.rs", "use crate::sql;"),
        ["src/record/mod.rs:1: `record` may import {\"text\"}, not `sql`"]
    );
    assert_eq!(
        faults("record", "record/mod.rs", "use crate::Record;"),
        ["src/record/mod.rs:1: `crate::Record` is no module: name the module it lives in"]
    );
    assert_eq!(faults("sql", "sql/mod.rs", "use sqlx::Row;"), [""; 0]);
    assert_eq!(
        faults("record", "record/mod.rs", "use sqlx::Row;"),
        ["src/record/mod.rs:1: names the crate `sqlx`, which only {\"sink/sql.rs\", \"sql/\"} may"]
    );
}
