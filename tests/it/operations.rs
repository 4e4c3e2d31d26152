//! Holds `docs/operations.md` against the code: metrics, reasons, alerts, the manifest.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tower_audit::{
    Record,
    sink::url,
    testing::{TestTrail, sinks::MemoryStore},
};

use crate::support::project::{files, read, root, table};

const PAGE: &str = "docs/operations.md";

/// The YAML blocks of the page.
fn blocks() -> Vec<String> {
    let page = read(PAGE);
    let blocks = page.split("```yaml\n").skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap().to_owned())
        .collect()
}

/// The values of a YAML text by their paths, such as `spec.containers.0.image`; enough of YAML for
/// this page: maps and lists in blocks, `{a: b}` and `[a]` on one line, texts with or without quotes.
fn values(yaml: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut path: Vec<(usize, String)> = Vec::new();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for line in yaml.lines() {
        let text = line.trim_start();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let (mut indent, mut text) = (line.len() - text.len(), text);
        assert!(indent % 2 == 0 && !line.contains('\t'), "{line}");
        path.retain(|(depth, _)| *depth < indent);
        while let Some(rest) = text.strip_prefix("- ") {
            let count = counts.entry(joined(&path)).or_default();
            path.push((indent, count.to_string()));
            *count += 1;
            (indent, text) = (indent + 2, rest);
        }
        let Some((key, value)) = text
            .split_once(": ")
            .or_else(|| text.strip_suffix(':').map(|key| (key, "")))
        else {
            panic!("neither `key: value` nor a list: {line}")
        };
        path.push((indent, key.to_owned()));
        flow(&mut found, &joined(&path), value);
    }
    found
}

fn joined(path: &[(usize, String)]) -> String {
    path.iter()
        .map(|(_, key)| key.as_str())
        .collect::<Vec<_>>()
        .join(".")
}

fn flow(found: &mut BTreeMap<String, String>, path: &str, value: &str) {
    if let Some(inner) = value.strip_prefix('{').and_then(|it| it.strip_suffix('}')) {
        // None of the page has two maps in one.
        let pairs = if inner.contains('{') {
            vec![inner]
        } else {
            inner.split(", ").collect()
        };
        for pair in pairs {
            let (key, value) = pair.split_once(": ").expect("key: value");
            flow(found, &format!("{path}.{key}"), value);
        }
    } else {
        assert_eq!(value.matches('"').count() % 2, 0, "{value}");
        found.insert(path.to_owned(), value.trim_matches('"').to_owned());
    }
}

/// The text for Prometheus of a trail with a sink that has got something.
fn metrics() -> BTreeSet<String> {
    let trail = TestTrail::with(|builder| builder.sink("memory", MemoryStore::new().sink()));
    trail
        .audit()
        .commit_blocking(Record::new("user.login"))
        .unwrap();
    let text = trail.audit().prometheus();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.split([' ', '{']).next().unwrap().to_owned())
        .collect()
}

/// The words of a text that are called as metrics are.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !(letter.is_ascii_lowercase() || letter == '_'));
    let words = words.filter(|word| word.starts_with("audit_"));
    words.map(str::to_owned).collect()
}

#[test]
fn there_are_six_alerts_and_every_metric_that_the_page_names_exists() {
    let metrics = metrics();
    let unknown: Vec<_> = named(&read(PAGE)).difference(&metrics).cloned().collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    let alerts = values(&blocks()[1]);
    let rule = |number: usize, key: &str| {
        alerts
            .get(&format!("groups.0.rules.{number}.{key}"))
            .cloned()
            .unwrap_or_default()
    };
    for number in 0..6 {
        assert!(rule(number, "alert").starts_with("Audit"), "{alerts:?}");
        let expression = rule(number, "expr");
        assert!(!named(&expression).is_empty(), "{expression}");
        assert_eq!(
            expression.matches('(').count(),
            expression.matches(')').count()
        );
        assert!(["page", "ticket"].contains(&rule(number, "labels.severity").as_str()));
        assert!(!rule(number, "annotations.summary").is_empty());
    }
    assert_eq!(rule(6, "alert"), "", "six are promised");
}

#[test]
fn every_reason_of_the_page_is_one_that_health_gives() {
    let mut sources = String::new();
    for file in files(&root().join("src/audit"), "rs") {
        sources += &std::fs::read_to_string(file).unwrap();
    }
    for row in table(
        &read(PAGE),
        "What to do at three in the morning, by how the reason begins:",
    ) {
        let reason = row[0].trim_matches('`').trim();
        for part in reason.split("<name>").map(str::trim) {
            assert!(sources.contains(part), "{reason}");
        }
    }
}

#[test]
fn the_manifest_keeps_its_promises() {
    let manifest = values(&blocks()[2]);
    let container = "spec.template.spec.containers.0";
    let at = |path: &str| {
        let value = manifest.get(path);
        value
            .unwrap_or_else(|| panic!("{path}: {manifest:#?}"))
            .as_str()
    };
    let of = |path: &str| at(&format!("{container}.{path}"));
    assert_eq!(of("securityContext.readOnlyRootFilesystem"), "true");
    assert_eq!(of("readinessProbe.httpGet.path"), "/ready");
    assert_ne!(of("livenessProbe.httpGet.path"), "/ready");
    let grace: u64 = at("spec.template.spec.terminationGracePeriodSeconds")
        .parse()
        .unwrap();
    assert!(grace > 2 * 10, "the demo takes twice 10 seconds at most");

    let list = |prefix: &str, key: &str| -> Vec<String> {
        let values = (0..).map_while(|number| manifest.get(&format!("{prefix}.{number}.{key}")));
        values.cloned().collect()
    };
    let volumes = list("spec.template.spec.volumes", "name");
    let claims = list("spec.volumeClaimTemplates", "metadata.name");
    let mounts = list(&format!("{container}.volumeMounts"), "name");
    for mount in &mounts {
        assert!(volumes.contains(mount) || claims.contains(mount), "{mount}");
    }
    let paths = list(&format!("{container}.volumeMounts"), "mountPath");
    let env = list(&format!("{container}.env"), "name");
    let value = |name: &str| {
        let number = env.iter().position(|other| other == name).unwrap();
        of(&format!("env.{number}.value"))
    };
    let claimed = mounts
        .iter()
        .position(|mount| claims.contains(mount))
        .unwrap();
    assert!(value("AUDIT_DIR").starts_with(&paths[claimed]), "it lasts");
    let secrets = &paths[mounts
        .iter()
        .position(|mount| mount == "audit-secrets")
        .unwrap()];
    assert!(value("AUDIT_SESSION_KEY_FILE").starts_with(secrets.as_str()));
    let sinks = url::named(value("AUDIT_SINKS")).unwrap();
    for sink in &sinks {
        let files = sink.address.split("_file=").skip(1);
        for file in files {
            assert!(file.starts_with(secrets.as_str()), "{}: {file}", sink.name);
        }
        let (_, rest) = sink.address.split_once("://").unwrap();
        let login = rest.split_once('@').map_or("", |(login, _)| login);
        assert!(
            !login.contains(':') && !rest.contains("token="),
            "a secret in the manifest"
        );
    }
    let names: Vec<_> = sinks.iter().map(|sink| sink.name.as_str()).collect();
    assert_eq!(names, ["postgres", "collector", "siem"]);
}

#[cfg(all(feature = "http", feature = "otlp", feature = "postgres"))]
#[test]
fn the_sinks_of_the_manifest_are_addresses() {
    let manifest = values(&blocks()[2]);
    let list = manifest
        .values()
        .find(|value| value.contains("://"))
        .unwrap();
    for sink in url::named(list).unwrap() {
        let parsed = url::parse(&sink.address);
        assert!(parsed.is_ok(), "{}: {:?}", sink.name, parsed.err());
    }
}

#[test]
fn the_variables_of_the_page_are_read() {
    for row in table(&read(PAGE), "## What to set") {
        let name = row[0].trim_matches('`').to_owned();
        if name == "AUDIT_SESSION_KEY_FILE" {
            continue;
        }
        let builder = tower_audit::Audit::builder("docs").variables([(name.as_str(), " ")]);
        let error = builder.start_blocking().unwrap_err().to_string();
        assert!(
            error.contains(&name) && error.contains("set but empty"),
            "{error}"
        );
    }
}

#[test]
fn yaml_is_read_by_its_paths() {
    let read = values("a:\n  - b: 1\n    c: {d: e}\n  # no\n  - b: \"x: y\"\nf: [G]\n");
    let expected = [
        ("a.0.b", "1"),
        ("a.0.c.d", "e"),
        ("a.1.b", "x: y"),
        ("f", "[G]"),
    ];
    for (path, value) in expected {
        assert_eq!(read.get(path).map(String::as_str), Some(value), "{read:?}");
    }
}

// The page's promise about how long a blocked sink waits.
#[test]
fn a_blocked_sink_is_helped_by_a_test() {
    use tower_audit::testing::sinks::{Answer, Script};
    let (script, store) = (Script::new(), MemoryStore::new());
    script.always(Answer::Block);
    let trail = TestTrail::with(|builder| builder.sink("bad", script.around(store.sink())));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let sinks = trail.audit().sinks();
        assert!(
            sinks.report(Duration::from_secs(30)).await[0]
                .problem
                .is_some()
        );
        script.heal();
        sinks.test("bad").await.unwrap();
        store.wait_until("the trail's first record", |contents| {
            contents.records.len() > 1
        });
    });
}
