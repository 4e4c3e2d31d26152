//! What a file and variables make of a builder, and what each mistake says.

use std::path::Path;
#[cfg(feature = "toml")]
use std::time::Duration;

use super::*;
use crate::{Audit, StartError, testing::sinks::MemoryStore};

const URL: &str = "sqlite://a.db";

fn error(builder: AuditBuilder) -> String {
    match resolve(builder) {
        Err(StartError::Config { setting, reason }) => format!("{setting}: {reason}"),
        Err(error) => panic!("{error}"),
        Ok(builder) => panic!("{builder:?}"),
    }
}

fn docs(variables: &[(&str, &str)]) -> AuditBuilder {
    Audit::builder("docs").variables(variables.iter().copied())
}

fn sinks(builder: &AuditBuilder) -> Vec<String> {
    let show = |sink: &SinkToAdd| format!("{} {}", sink.name, sink.sink.address());
    builder.sinks.iter().map(show).collect()
}

#[test]
fn the_environment_wins_over_code_in_any_order_and_adds_sinks() {
    let variables = [
        ("AUDIT_DIR", "/env"),
        ("AUDIT_INSTANCE", "pod-1"),
        ("AUDIT_SINKS", "copy=file:///{instance}.jsonl file:///b"),
    ];
    let before = docs(&variables).dir("/code").instance("code");
    let after = Audit::builder("docs")
        .dir("/code")
        .sink("copy", MemoryStore::new().sink())
        .variables(variables);
    for (builder, expected) in [
        (before, vec!["copy file:///pod-1.jsonl", "file file:///b"]),
        (after, vec!["copy file:///pod-1.jsonl", "file file:///b"]),
    ] {
        let builder = resolve(builder).unwrap();
        assert_eq!(builder.dir, Path::new("/env"));
        assert_eq!(builder.service.instance.as_ref().unwrap().as_str(), "pod-1");
        assert_eq!(sinks(&builder), expected);
    }
}

#[test]
fn a_sink_of_the_environment_is_served_as_the_one_it_replaces() {
    let options = crate::SinkOptions::new().from_now();
    let builder = docs(&[("AUDIT_SINKS", "copy=file:///a file:///b")]).sink_with(
        "copy",
        Box::new(MemoryStore::new().sink()),
        options,
    );
    let builder = resolve(builder).unwrap();
    let starts: Vec<_> = builder
        .sinks
        .iter()
        .map(|sink| sink.options.start_at)
        .collect();
    assert_eq!(starts, [StartAt::Now, StartAt::Oldest]);
}

#[test]
fn nothing_is_read_that_was_not_asked_for() {
    let builder = resolve(Audit::builder("docs")).unwrap();
    assert_eq!(
        (builder.dir.as_path(), builder.sinks.len()),
        (Path::new("audit"), 0)
    );
}

#[test]
fn a_list_of_sinks_comes_from_a_file_too() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sinks");
    std::fs::write(&path, "# the copy\ncopy=file:///a\nfile:///b\n").unwrap();
    let path = path.to_str().unwrap();
    let builder = resolve(docs(&[("AUDIT_SINKS_FILE", path)])).unwrap();
    assert_eq!(sinks(&builder), ["copy file:///a", "file file:///b"]);
}

#[test]
fn mistakes_name_the_variable_and_the_part_and_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let list = file(
        "list",
        "file:///a\nx=sqlite://u:hunter2@h\n y=flie://hunter2\n",
    );
    let empty = file("empty", "# nothing\n");
    let long = file("long", &"x".repeat(70_000));
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[("AUDIT_DIR", " ")], "AUDIT_DIR: it is set but empty"),
        (&[("AUDIT_SINKS", "")], "AUDIT_SINKS: it is set but empty"),
        (
            &[("AUDIT_INSTANCE", "")],
            "AUDIT_INSTANCE: it is set but empty",
        ),
        (
            &[("AUDIT_SINKS", URL), ("AUDIT_SINKS_FILE", "x")],
            "AUDIT_SINKS: AUDIT_SINKS_FILE is set as well",
        ),
        (
            &[("AUDIT_SINKS", "file:///a file:///b")],
            "AUDIT_SINKS: sink 2 of the list: it is named file as sink 1 is",
        ),
        (
            &[("AUDIT_SINKS", "postgres://u:hunt er2@h/hunter2")],
            "AUDIT_SINKS: sink 2 of the list: write [name=]scheme",
        ),
        (
            &[("AUDIT_SINKS", "pg=file:///a?token=hunter2")],
            "AUDIT_SINKS: sink pg: wrong option in an address: \"token\"",
        ),
        (
            &[("AUDIT_SINKS", "pg=file:///a?rotate=7&rotate=hunter2")],
            "AUDIT_SINKS: sink pg: wrong option rotate in an address",
        ),
        (&[("AUDIT_SINKS_FILE", &list)], "list: sink y: wrong scheme"),
        (&[("AUDIT_SINKS_FILE", &empty)], "it names no sink"),
        (&[("AUDIT_SINKS_FILE", &long)], "it is longer than 64 KiB"),
        (
            &[("AUDIT_SINKS_FILE", "/no/such")],
            "/no/such cannot be read",
        ),
        (&[("AUDIT_CONFIG", "/no/such")], "AUDIT_CONFIG: /no/such: "),
    ];
    for (variables, expected) in cases {
        let said = error(docs(variables));
        assert!(said.contains(expected), "{expected}: {said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn a_variable_that_looks_like_one_of_ours_is_warned_of() {
    let builder = docs(&[
        ("AUDIT_SINK", "hunter2"),
        ("audit_dir", "x"),
        ("AUDIT_SOMETHING_ELSE", "x"),
        ("AUDIT_DIR", "/a"),
        ("HOME", "/"),
    ]);
    let expected = [
        ("AUDIT_SINK", "did you mean AUDIT_SINKS?"),
        ("audit_dir", "did you mean AUDIT_DIR?"),
    ];
    let expected = expected.map(|(name, meant)| (name.to_owned(), meant.to_owned()));
    assert_eq!(builder.given.variables.typos(), expected);
    assert!(!format!("{builder:?}").contains("hunter2"));
}

#[test]
fn the_documentation_lists_every_variable_and_every_key() {
    let setters = include_str!("setters.rs");
    for variable in KNOWN {
        assert!(setters.contains(&format!("`{variable}`")), "{variable}");
    }
    #[cfg(feature = "toml")]
    for key in file::KEYS.iter().chain(&file::SINK) {
        assert!(setters.contains(key), "{key}");
    }
}

#[cfg(feature = "toml")]
mod toml {
    use super::*;

    fn with(text: &str) -> (tempfile::TempDir, AuditBuilder) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("docs.toml");
        std::fs::write(&path, text).unwrap();
        let builder = Audit::builder("code").config_file(path);
        (dir, builder)
    }

    /// The file that the documentation shows.
    fn documented() -> String {
        let setters = include_str!("setters.rs");
        let (_, rest) = setters.split_once("```toml\n").unwrap();
        let (text, _) = rest.split_once("    /// ```\n").unwrap();
        let lines = text
            .lines()
            .map(|line| line.trim_start().trim_start_matches("///"));
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_documented_file_says_what_its_comments_say() {
        // What this build has no sink for is somebody else's test.
        let text = documented().replace("otlp+grpc://collector:4317", "file:///copy.jsonl");
        let text = text.replace("sqlite:///var/lib/docs/audit.db", "file:///a.jsonl");
        let (_dir, builder) = with(&text);
        let builder = resolve(builder).unwrap();
        assert_eq!(builder.service.name.as_str(), "docs");
        assert_eq!(builder.dir, Path::new("/var/lib/docs/audit"));
        assert_eq!(builder.keep.delivered_age, Duration::from_secs(7 * 86_400));
        assert_eq!(builder.keep.undelivered_bytes, 10 << 30);
        assert_eq!(
            sinks(&builder),
            ["sqlite file:///a.jsonl", "collector file:///copy.jsonl"]
        );
        let collector = &builder.sinks[1].options;
        assert_eq!(collector.start_at, StartAt::Now);
        assert_eq!(collector.call_timeout, Duration::from_secs(10));
        assert_eq!(collector.dead_letter_bytes, 64 << 20);
        assert!(
            builder
                .policy
                .rules()
                .any(|rule| rule.name() == "health checks")
        );
    }

    #[test]
    fn every_limit_of_the_builder_can_be_said() {
        let (_dir, builder) = with(
            "on_damage = \"refuse\"\ncommit_timeout = \"2s\"\nbuffered_delay = \"7ms\"\n\
             queue_limit = \"1MiB\"\nmemory_limit = 3000000\nsegment_bytes = \"8MB\"\n\
             reserve_bytes = 0\nadopt_every = \"1m\"\ntidy_every = \"2m\"\nverify_every = \"12h\"",
        );
        let builder = resolve(builder).unwrap();
        let settings = &builder.settings;
        assert_eq!(settings.commit_timeout, Duration::from_secs(2));
        assert_eq!(settings.buffered_delay, Duration::from_millis(7));
        assert_eq!(
            (settings.queue_limit, settings.memory_limit),
            (1 << 20, 3_000_000)
        );
        assert_eq!(
            (settings.segment_bytes, settings.reserve_bytes),
            (8_000_000, 0)
        );
        let rhythm = &builder.rhythm;
        assert_eq!(rhythm.adopt, Duration::from_secs(60));
        assert_eq!(rhythm.tidy, Duration::from_secs(120));
        assert_eq!(rhythm.verify, Duration::from_secs(43_200));
        assert_eq!(builder.on_damage, crate::OnDamage::Refuse);
    }

    #[test]
    fn the_environment_wins_over_the_file_and_that_over_the_code() {
        let (dir, _) = with(
            "dir = \"/file\"\ninstance = \"file\"\n[[sink]]\nname = \"a\"\nurl = \"file:///file\"\nfrom = \"now\"\n",
        );
        let path = dir.path().join("docs.toml");
        let builder = Audit::builder("docs")
            .dir("/code")
            .config_file("/not/this")
            .sink("b", MemoryStore::new().sink())
            .variables([
                ("AUDIT_CONFIG", path.as_os_str()),
                ("AUDIT_SINKS", "a=file:///env".as_ref()),
                ("AUDIT_INSTANCE", "env".as_ref()),
            ]);
        let builder = resolve(builder).unwrap();
        assert_eq!(builder.dir, Path::new("/file"));
        assert_eq!(builder.service.instance.as_ref().unwrap().as_str(), "env");
        assert_eq!(sinks(&builder), ["b memory:", "a file:///env"]);
        assert_eq!(builder.sinks[1].options.start_at, StartAt::Now);
    }

    #[test]
    fn mistakes_name_file_line_and_key_and_no_secret() {
        for (text, expected) in [
            ("dri = \"a\"", ":1:1: dri: unknown key"),
            ("\ndir = 7", ":2:7: dir: a text expected"),
            ("dir = \"\"", ":1:7: dir: it is empty"),
            (
                "commit_timeout = \"5\"",
                ":1:18: commit_timeout: write a time",
            ),
            ("queue_limit = \"5 MB\"", ":1:15: queue_limit: write a size"),
            ("queue_limit = -5", ":1:15: queue_limit: write a size"),
            (
                "keep_delivered = { days = 1 }",
                ":1:20: keep_delivered.days: unknown key",
            ),
            ("on_damage = \"x\"", ":1:13: on_damage: \"x\" is none of"),
            (
                "[[sink]]\nname = \"a\"",
                "sink.url: a sink needs an address",
            ),
            (
                "[[sink]]\nulr = \"file:///hunter2\"",
                "sink.url: a sink needs",
            ),
            (
                "[[sink]]\nurl = \"file:///a?token=hunter2\"",
                ":2: sink.url: wrong option in an address: \"token\"",
            ),
            (
                "[[sink]]\nurl = \"file:///a\"\n[[sink]]\nurl = \"file:///b\"",
                "sink.name: two sinks are named file",
            ),
            (
                "[[sink]]\nurl = \"file:///a\"\nfrom = \"x\"",
                ":3:8: sink.from: \"x\" is none of",
            ),
            ("sink = 7", "sink: a list of tables expected"),
            ("url = file:///hunter2", ":1:7: this is no TOML"),
            (
                "\n[policy]\n[[policy.rule]]\nname = \"a\"\nmethods = \"GET\"",
                ":5:1: methods: unknown key",
            ),
            ("policy = \"/no/such\"", "/no/such: cannot be read"),
        ] {
            let (_dir, builder) = with(text);
            let said = error(builder);
            assert!(said.starts_with("config_file: "), "{said}");
            assert!(said.contains(expected), "{expected}: {said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}
