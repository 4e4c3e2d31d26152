//! `tower-audit verify`, and what `stats` says of the same trails.

use std::fs;

use super::*;

#[test]
fn a_good_journal_and_store_are_verified_with_exit_code_0() {
    let service = Service::after([done("user.login"), done("document.create")]);
    let (dir, store) = (service.dir(), service.store());
    let out = ended(0, &["verify", &dir]);
    assert!(
        out.contains("consistent, not anchored since") && out.contains("all hold"),
        "{out}"
    );
    for args in [
        &["verify", "--store", &store][..],
        &["verify", &dir, "--store", &store],
        &["verify", service.trail().to_str().unwrap()],
    ] {
        ended(0, args);
    }
    let report = json(&ended(0, &["verify", &dir, "--store", &store, "--json"]));
    let (journal, stored) = (&report["trails"][0], &report["trails"][1]);
    assert_eq!(journal["head"], stored["head"], "{report}");
    assert_eq!(journal["records"], stored["records"], "{report}");
}

#[test]
fn a_running_service_is_verified_too() {
    let service = Service::new();
    let audit = service.start();
    audit.commit_blocking(done("user.login")).unwrap();
    ended(0, &["verify", &service.dir()]);
    let stats = json(&ended(0, &["stats", &service.dir(), "--json"]));
    assert_eq!(stats["held"], true, "{stats}");
    stop(&audit);
    drop(audit);
    let stats = json(&ended(0, &["stats", &service.dir(), "--json"]));
    assert_eq!(
        (&stats["held"], &stats["ended"]),
        (&false.into(), &true.into()),
        "{stats}"
    );
}

#[test]
fn a_changed_byte_is_found_with_exit_code_1_and_its_place() {
    let service = Service::after([done("user.login")]);
    let path = service.segment();
    let good = fs::read_to_string(&path).unwrap();
    fs::write(&path, good.replacen("Flapjack", "Flapjuck", 1)).unwrap();
    let out = ended(1, &["verify", &service.dir()]);
    assert!(
        out.contains("wrong: damaged in") && out.contains("at byte") && out.contains("WRONG"),
        "{out}"
    );
    let report = json(&ended(1, &["verify", &service.dir(), "--json"]));
    let finding = &report["trails"][0]["findings"][0];
    assert_eq!(
        (&finding["kind"], &finding["certainty"]),
        (&"damaged".into(), &"certain".into()),
        "{finding}"
    );
    let offset = finding["offset"]
        .as_u64()
        .and_then(|offset| usize::try_from(offset).ok())
        .unwrap();
    assert!(
        good[offset..].starts_with("{\"n\":") && offset <= good.find("Flapjack").unwrap(),
        "{finding}"
    );
}

#[test]
fn a_head_kept_elsewhere_and_a_receipt_are_held_against_the_trail() {
    let service = Service::new();
    let audit = service.start();
    let receipt = audit.commit_blocking(done("user.login")).unwrap();
    let trail = audit.origin().trail;
    stop(&audit);
    let head = format!("{}:{}", receipt.tree_size, receipt.root);
    let given = |number: u64| format!("{trail}:{number}:{}:{head}", receipt.leaf);
    let dir = service.dir();
    let out = ended(
        0,
        &[
            "verify",
            &dir,
            "--expect",
            &format!("{trail}:{head}"),
            "--receipt",
            &given(receipt.number),
        ],
    );
    assert!(
        out.contains(&format!("anchored at size {}", receipt.tree_size)),
        "{out}"
    );
    let out = ended(
        1,
        &[
            "verify",
            &dir,
            "--expect",
            &format!("{trail}:99:{}", receipt.root),
        ],
    );
    assert!(out.contains("cut_short"), "{out}");
    if receipt.number > 0 {
        let out = ended(
            1,
            &["verify", &dir, "--receipt", &given(receipt.number - 1)],
        );
        assert!(out.contains("unexpected"), "{out}");
    }
}

#[test]
fn a_newer_format_is_named_with_exit_code_2() {
    let service = Service::after([done("user.login")]);
    let path = service.segment();
    let good = fs::read_to_string(&path).unwrap();
    let (head, rest) = good.split_once('\n').unwrap();
    let (_, body) = head.split_once("\",").unwrap();
    let body = body
        .strip_suffix('}')
        .unwrap()
        .replace("\"format\":1", "\"format\":7");
    let sum: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(&body).into();
    let sum: String = sum[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    fs::write(&path, format!("{{\"h\":\"{sum}\",{body}}}\n{rest}")).unwrap();
    let output = run(&["verify", &service.dir()]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(text(&output.stderr).contains("format 7"), "{output:?}");
}
