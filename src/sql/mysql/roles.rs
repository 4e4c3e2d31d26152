//! What the role of a service may do.

use sqlx::{AssertSqlSafe, MySqlConnection, mysql::MySqlDatabaseError};

use crate::sql::{TablePrefix, fault::OpenError};

/// Every table, and what a service does with it. Nobody changes or removes a record.
const RIGHTS: [(&str, &str); 6] = [
    ("schema", "SELECT"),
    ("arrival", "SELECT, UPDATE"),
    ("records", "SELECT, INSERT"),
    ("targets", "SELECT, INSERT"),
    ("checkpoints", "SELECT, INSERT"),
    ("trails", "SELECT, INSERT, UPDATE"),
];

/// Gives a user or a role, `name` or `name@host`, exactly these rights; takes none away.
pub(super) async fn grant(
    connection: &mut MySqlConnection,
    prefix: &TablePrefix,
    role: &str,
) -> Result<(), OpenError> {
    let grantee = grantee(role).ok_or_else(|| {
        OpenError::Repair(
            "a service role is name or name@host, of at most 80 letters, digits, _, -, . and %"
                .to_owned(),
        )
    })?;
    for (table, rights) in RIGHTS {
        // Without a name in front, a table is one of the database that the session uses.
        let sql = format!("GRANT {rights} ON {prefix}{table} TO {grantee}");
        let granted = sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut *connection)
            .await;
        match granted {
            Err(error) if is_unknown(&error) => {
                return Err(OpenError::Repair(format!(
                    "there is no account {grantee}: create it first, such as with \
                     CREATE USER {grantee} IDENTIFIED BY '…', or name its host: {role}@10.0.%"
                )));
            }
            granted => drop(granted?),
        }
    }
    Ok(())
}

/// Whether the server says that the account is not there; it makes none, see `SESSION`.
fn is_unknown(error: &sqlx::Error) -> bool {
    let error = error
        .as_database_error()
        .and_then(|error| error.try_downcast_ref::<MySqlDatabaseError>());
    // No matching row in the table of users (MariaDB); may not make one by a grant (MySQL).
    error.is_some_and(|error| matches!(error.number(), 1133 | 1410))
}

/// The account as it stands in SQL; `None` for what would need escaping.
fn grantee(role: &str) -> Option<String> {
    let (name, host) = match role.split_once('@') {
        Some((name, host)) => (name, Some(host)),
        None => (role, None),
    };
    let is_plain = |text: &str| {
        let plain = |next: char| next.is_ascii_alphanumeric() || "_-.%".contains(next);
        !text.is_empty() && text.len() <= 80 && text.chars().all(plain)
    };
    let plain = is_plain(name) && host.is_none_or(is_plain);
    plain.then(|| match host {
        Some(host) => format!("'{name}'@'{host}'"),
        None => format!("'{name}'"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_that_would_need_escaping_is_none() {
        let cases = [
            ("docs", Some("'docs'")),
            ("docs@10.0.%", Some("'docs'@'10.0.%'")),
            ("", None),
            ("a@", None),
            ("a'b", None),
            ("a@b@c", None),
            ("a`; DROP", None),
        ];
        for (role, expected) in cases {
            assert_eq!(grantee(role).as_deref(), expected, "{role:?}");
        }
    }
}
