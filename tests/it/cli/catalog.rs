//! `tower-audit catalog`, and `stats` of a store.

use super::*;

fn service() -> Service {
    let denied = done("user.login").denied("bad password");
    Service::after([
        done("user.login"),
        denied,
        done("document.create"),
        done("a|b`<c>"),
    ])
}

#[test]
fn without_a_store_it_is_the_reference_of_what_every_trail_records() {
    let page = ended(0, &["catalog"]);
    assert!(
        page.starts_with("# What every trail records by itself\n\n## audit\n"),
        "{page}"
    );
    let lines = ended(0, &["catalog", "--json"]);
    let lines: Vec<_> = lines.lines().map(json).collect();
    let start = lines
        .iter()
        .find(|line| line["action"] == "audit.start")
        .unwrap();
    assert_eq!(start["category"], "audit");
    for line in &lines {
        let action = line["action"].as_str().unwrap();
        assert!(page.contains(&format!("\n| `{action}` | ")), "{action}");
    }
}

#[test]
fn of_a_store_it_lists_what_was_seen_how_often_and_how_it_ended() {
    let service = service();
    let store = service.store();
    let lines = ended(0, &["catalog", "--store", &store, "--json"]);
    let seen: Vec<_> = lines.lines().map(json).collect();
    let of = |action: &str| seen.iter().find(|line| line["action"] == action).unwrap();
    let login = of("user.login");
    assert_eq!(
        login["outcomes"],
        serde_json::json!({"denied": 1, "success": 1})
    );
    assert_eq!(
        (&login["records"], &login["is_exact"]),
        (&2.into(), &true.into())
    );
    assert!(login["first"].as_str() < login["last"].as_str(), "{login}");
    assert_eq!(
        of("document.create")["first"],
        of("document.create")["last"]
    );

    let page = ended(0, &["catalog", "--store", &store]);
    assert!(
        page.contains("| user.login | 2 | denied 1, success 1 | 20"),
        "{page}"
    );
    assert!(page.contains("| a\\|b\\`&lt;c> | 1 |"), "{page}");
}

#[test]
fn stats_of_a_store_count_and_name_its_trails() {
    let service = service();
    let stats = json(&ended(0, &["stats", "--store", &service.store(), "--json"]));
    let query = [
        "query",
        "--all",
        "--reads",
        "--limit",
        "none",
        "--store",
        &service.store(),
    ];
    let records = ended(0, &query).lines().count();
    assert_eq!(stats["seen"]["records"], records);
    assert_eq!(stats["last_arrival"], records);
    assert_eq!(stats["services"], serde_json::json!(["docs"]));
    let trail = stats["trails"][0]["trail"].as_str().unwrap();
    assert!(
        service.trail().ends_with(format!("trail-{trail}")),
        "{trail}"
    );
    let shown = ended(0, &["stats", "--store", &service.store()]);
    let expected = [
        format!("  records {records}\n"),
        format!("trail {trail}  docs"),
        "  denied: 1\n".to_owned(),
    ];
    for expected in expected {
        assert!(shown.contains(&expected), "{expected}: {shown}");
    }
    let err = refused(&["stats"]);
    assert!(err.contains("--store"), "{err}");

    let empty = Service::new();
    stop(
        &Audit::builder("docs")
            .dir(empty.dir())
            .start_blocking()
            .unwrap(),
    );
    ended(0, &["migrate", &empty.store()]);
    assert!(ended(0, &["stats", "--store", &empty.store()]).contains("no records"));
    assert_eq!(
        ended(0, &["catalog", "--store", &empty.store(), "--json"]),
        ""
    );
}
