//! What the account of a service may do on MySQL, and what its session is set to.

use tower_audit::sink::{Sink, tables};

use super::mysql_faults::{blocked, sink};
use crate::support::{
    batches::{batch, origin, plain, record},
    mariadb::Scratch,
};

#[tokio::test]
async fn a_role_inserts_and_selects_and_can_do_no_more() {
    let Some(scratch) = Scratch::new() else {
        return;
    };
    let role = scratch.name();
    scratch
        .run(&format!(
            "DROP USER IF EXISTS {role}; CREATE USER {role} IDENTIFIED BY 'x'"
        ))
        .await;
    let address = scratch.url_as(&format!("{role}:x"), "");
    let reason = blocked(sink(&address).probe().await, &scratch);
    assert!(reason.contains("correct the user"), "{reason}");

    let migrated = tables::migrate(&scratch.url(""), Some(role)).await.unwrap();
    assert_eq!(
        (migrated.before.as_deref(), migrated.now.as_str()),
        (None, "1.1")
    );
    assert!(
        matches!(migrated.done.as_slice(), [one] if one.contains("change only what counts")),
        "{migrated:?}"
    );
    let everything = format!("ALL PRIVILEGES ON {}.*", scratch.name());
    scratch.run(&format!("GRANT {everything} TO {role}")).await;
    let told = tables::migrate(&scratch.url(""), Some(role)).await.unwrap();
    assert!(
        matches!(told.done.as_slice(), [one] if one.contains("ALL PRIVILEGES ON `") && !one.contains("only")),
        "{told:?}"
    );
    scratch
        .run(&format!("REVOKE {everything} FROM {role}"))
        .await;
    let mut sink = sink(&address);
    let with_target = record(0, "a.b", r#","targets":[{"type":"document","id":"1"}]"#);
    sink.deliver(&batch(&origin(1), vec![with_target]))
        .await
        .unwrap();
    sink.deliver(&plain(&origin(1), 1..5)).await.unwrap();
    let mut connection = <sqlx::MySqlConnection as sqlx::Connection>::connect(&address)
        .await
        .unwrap();
    for forbidden in [
        "DELETE FROM audit_records",
        "UPDATE audit_records SET action = 'x'",
        "DROP TABLE audit_records",
        "INSERT INTO audit_schema VALUES (9, 'x', 9, 9, 9)",
    ] {
        let done = sqlx::raw_sql(forbidden).execute(&mut connection).await;
        assert!(done.is_err(), "{forbidden}");
    }
    scratch
        .run(&format!("REVOKE INSERT ON audit_records FROM {role}"))
        .await;
    let reason = blocked(sink.deliver(&plain(&origin(1), 5..6)).await, &scratch);
    assert!(
        reason.contains("tower-audit migrate URL --service-role"),
        "{reason}"
    );
    scratch.run(&format!("DROP USER {role}")).await;
}

#[tokio::test]
async fn rights_for_an_unknown_account_are_refused_and_make_none() {
    let Some(scratch) = Scratch::new() else {
        return;
    };
    for host in ["", "@10.9.%"] {
        let role = format!("nobody_{}{host}", scratch.name());
        let refused = tables::migrate(&scratch.url(""), Some(&role)).await;
        let reason = refused.unwrap_err().to_string();
        assert!(
            reason.contains("there is no account 'nobody_") && reason.contains("create it first"),
            "{reason}"
        );
    }
    let made = scratch.number("SELECT COUNT(*) FROM mysql.user WHERE user LIKE 'nobody_%'");
    assert_eq!(made.await, 0);
}

#[tokio::test]
async fn an_owner_who_may_not_read_all_accounts_grants_too_and_says_what_is_not_known() {
    let Some(scratch) = Scratch::new() else {
        return;
    };
    let (owner, role) = (
        format!("o_{}", scratch.name()),
        format!("r_{}", scratch.name()),
    );
    scratch
        .run(&format!(
            "CREATE USER {owner} IDENTIFIED BY 'x'; CREATE ROLE {role}; \
             GRANT ALL ON {}.* TO {owner} WITH GRANT OPTION",
            scratch.name()
        ))
        .await;
    let as_owner = scratch.url_as(&format!("{owner}:x"), "");
    let unknown = tables::migrate(&as_owner, Some("nobody_at_all")).await;
    let reason = unknown.unwrap_err().to_string();
    assert!(reason.contains("there is no account"), "{reason}");
    for (address, said) in [
        (as_owner, "this user may not ask"),
        (scratch.url(""), "change only what counts"),
    ] {
        let told = tables::migrate(&address, Some(&role)).await.unwrap();
        assert!(
            matches!(told.done.as_slice(), [one] if one.contains(said)),
            "{told:?}"
        );
    }
    scratch
        .run(&format!("DROP USER {owner}; DROP ROLE {role}"))
        .await;
}

#[tokio::test]
async fn a_session_that_falls_silent_ends_whatever_the_server_says() {
    let Some(scratch) = Scratch::new() else {
        return;
    };
    let mut sink = sink(&scratch.url(""));
    sink.probe().await.unwrap();
    // What the sink's own session is set to, noted by a trigger in it.
    scratch
        .run(
            "CREATE TABLE noted (wait INT, idle INT, locks INT, statements INT); \
             CREATE TRIGGER note AFTER INSERT ON audit_trails FOR EACH ROW INSERT INTO noted VALUES \
             (@@wait_timeout, @@idle_transaction_timeout, @@lock_wait_timeout, @@max_statement_time)",
        )
        .await;
    sink.deliver(&plain(&origin(1), 0..1)).await.unwrap();
    let noted = "SELECT COUNT(*) FROM noted WHERE wait = 180 AND idle = 60 AND locks = 10 AND statements = 0";
    assert_eq!(scratch.number(noted).await, 1);
    assert_eq!(sink.concerns().await, Ok(vec![]));
}
