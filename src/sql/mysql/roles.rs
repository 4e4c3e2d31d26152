//! What the role of a service may do.

use sqlx::{AssertSqlSafe, MySqlConnection, Row, mysql::MySqlDatabaseError};

use crate::sql::{
    TablePrefix,
    fault::{OpenError, foreign},
};

/// Every table, and what a service does with it. Nobody changes or removes a record.
const RIGHTS: [(&str, &str); 9] = [
    ("schema", "SELECT"),
    ("arrival", "SELECT, UPDATE"),
    ("records", "SELECT, INSERT"),
    ("targets", "SELECT, INSERT"),
    ("checkpoints", "SELECT, INSERT"),
    ("trails", "SELECT, INSERT, UPDATE"),
    ("emptied", "SELECT"),
    ("holds", "SELECT"),
    ("prunes", "SELECT"),
];

/// What changes nothing that was recorded, wherever it may be done.
const HARMLESS: [&str; 7] = [
    "USAGE",
    "SELECT",
    "SHOW VIEW",
    "SHOW DATABASES",
    "PROCESS",
    "EXECUTE",
    "REFERENCES",
];

/// How many rights beyond these are told.
const MOST_TOLD: usize = 8;

/// Gives a user or a role, `name` or `name@host`, these rights; takes none away. Says what the account
/// may do, with what else it may.
pub(super) async fn grant(
    connection: &mut MySqlConnection,
    prefix: &TablePrefix,
    role: &str,
) -> Result<String, OpenError> {
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
            granted => granted.map(|_done| ())?,
        }
    }
    Ok(match beyond(connection, prefix, &grantee).await? {
        None => format!(
            "role {role:?} may insert and select; what else, this user may not ask: look at \
             SHOW GRANTS FOR {grantee}"
        ),
        Some(more) if more.is_empty() => format!(
            "role {role:?} may insert and select, and change only what counts arrivals and trails"
        ),
        Some(more) => format!(
            "role {role:?} may insert and select, but still more that was not given to it by \
             tower-audit: {}; take that away, or it can change what it recorded",
            more.join("; ")
        ),
    })
}

/// What the account may do beyond its rights; `None` when this user is not told.
async fn beyond(
    connection: &mut MySqlConnection,
    prefix: &TablePrefix,
    grantee: &str,
) -> sqlx::Result<Option<Vec<String>>> {
    let database: String = sqlx::query("SELECT DATABASE()")
        .fetch_one(&mut *connection)
        .await?
        .try_get(0)?;
    let rows = sqlx::raw_sql(AssertSqlSafe(format!("SHOW GRANTS FOR {grantee}")))
        .fetch_all(connection)
        .await;
    let rows = match rows {
        Err(sqlx::Error::Database(_)) => return Ok(None),
        rows => rows?,
    };
    let mut more = Vec::new();
    for row in rows {
        let line: String = row.try_get(0)?;
        more.extend(remains(&line, &database, prefix).map(|what| foreign(&what)));
    }
    more.truncate(MOST_TOLD);
    Ok(Some(more))
}

/// What a line of `SHOW GRANTS` lets somebody do to these tables beyond [`RIGHTS`], if anything.
fn remains(line: &str, database: &str, prefix: &TablePrefix) -> Option<String> {
    // The rest can hold the hash of a password.
    let (what, _) = line.strip_prefix("GRANT ")?.split_once(" TO ")?;
    let Some((rights, on)) = what.split_once(" ON ") else {
        return Some(format!("whatever the role {what} may"));
    };
    let of_table = |(table, _): &&(&str, &str)| on == format!("`{database}`.`{prefix}{table}`");
    let given = RIGHTS.iter().find(of_table).map_or("", |(_, given)| given);
    let is_fine =
        |right: &str| HARMLESS.contains(&right) || given.split(", ").any(|given| given == right);
    let pattern = on.strip_prefix('`').and_then(|on| on.split_once("`."));
    let is_elsewhere = pattern.is_some_and(|(pattern, _)| !is_like(database, pattern));
    let nothing = is_elsewhere || rights.split(", ").all(is_fine);
    (!nothing).then(|| format!("{rights} ON {on}"))
}

/// Whether a name is meant by a pattern of a grant, with `%`, `_` and `\\`.
fn is_like(name: &str, pattern: &str) -> bool {
    let mut rest = name.chars();
    let mut wanted = pattern.chars();
    match wanted.next() {
        None => name.is_empty(),
        Some('%') => {
            let ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
            let mut tails = ends.filter_map(|at| name.get(at..));
            tails.any(|tail| is_like(tail, wanted.as_str()))
        }
        Some('_') => rest.next().is_some() && is_like(rest.as_str(), wanted.as_str()),
        Some('\\') => {
            let meant = wanted.next();
            meant.is_some() && rest.next() == meant && is_like(rest.as_str(), wanted.as_str())
        }
        Some(plain) => rest.next() == Some(plain) && is_like(rest.as_str(), wanted.as_str()),
    }
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
    fn what_remains_beside_the_rights_is_told_without_a_password() {
        let cases = [
            (
                "GRANT USAGE ON *.* TO `docs`@`%` IDENTIFIED BY PASSWORD '*9f'",
                None,
            ),
            (
                "GRANT SELECT, INSERT ON `d_1`.`audit_records` TO `docs`",
                None,
            ),
            ("GRANT ALL PRIVILEGES ON `other`.* TO `docs`", None),
            ("GRANT SELECT, SHOW VIEW ON `d_1`.* TO `docs`", None),
            (
                "GRANT DELETE ON `d_1`.`audit_records` TO `docs`",
                Some("DELETE ON `d_1`.`audit_records`"),
            ),
            (
                "GRANT SELECT, UPDATE ON `d_1`.`audit_records` TO `docs`",
                Some("SELECT, UPDATE ON `d_1`.`audit_records`"),
            ),
            (
                "GRANT ALL PRIVILEGES ON *.* TO `docs` IDENTIFIED BY PASSWORD '*9f'",
                Some("ALL PRIVILEGES ON *.*"),
            ),
            (
                "GRANT ALL PRIVILEGES ON `d\\_%`.* TO `docs`",
                Some("ALL PRIVILEGES ON `d\\_%`.*"),
            ),
            (
                "GRANT `staff` TO `docs`",
                Some("whatever the role `staff` may"),
            ),
        ];
        for (line, expected) in cases {
            let found = remains(line, "d_1", &TablePrefix::default());
            assert_eq!(found.as_deref(), expected, "{line}");
        }
    }

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
