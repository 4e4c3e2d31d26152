//! What an error of MySQL or MariaDB means for whoever called.

use std::io;

use sqlx::mysql::MySqlDatabaseError;

use crate::sql::fault::{ALTERED, Fault};

/// Why a record is not sent: the server would break the connection off.
pub(super) const TOO_LARGE: &str =
    "a record is larger than what the server takes: raise its max_allowed_packet";

/// Tells what to do about an error.
pub(crate) fn fault(error: &sqlx::Error) -> Fault {
    match error {
        sqlx::Error::Database(error) => error
            .try_downcast_ref::<MySqlDatabaseError>()
            .map_or(Fault::Passing, |error| by_number(error.number())),
        sqlx::Error::Io(error) => by_kind(error.kind()),
        sqlx::Error::Protocol(reason) if reason == TOO_LARGE => Fault::Refused,
        // As the driver says it: another way to log in than a password.
        sqlx::Error::Protocol(reason) if reason.starts_with("unknown authentication plugin") => {
            Fault::Repair(LOGIN)
        }
        sqlx::Error::Encode(_) => Fault::Refused,
        sqlx::Error::Tls(_) => Fault::Repair(TLS),
        sqlx::Error::Configuration(_) => Fault::Repair("correct the sink's address"),
        // The row of the arrivals, or a column, is not there or of another type.
        sqlx::Error::RowNotFound
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::Decode(_) => Fault::Repair(ALTERED),
        _ => Fault::Passing,
    }
}

/// By the server's error number; those that only one of the two servers has are named.
fn by_number(number: u16) -> Fault {
    match number {
        // Access denied, to the server or the database; host not allowed; password expired;
        // account locked; unknown or missing way to log in.
        1044 | 1045 | 1130 | 1251 | 1524 | 1698 | 1820 | 1862 | 3118 | 4151 => Fault::Repair(LOGIN),
        // Too many failed connections from this host.
        1129 => Fault::Repair("unblock this host on the server: FLUSH HOSTS"),
        1049 => Fault::Repair("create the database, or name another one in the address"),
        // Command, column, privilege denied.
        1142 | 1143 | 1227 | 1370 => Fault::Repair(PRIVILEGES),
        // Duplicate key.
        1022 | 1062 | 1169 | 1586 | 1859 => Fault::Constraint,
        // Table or column missing or other than it was; a value does not fit its column; a view.
        1048 | 1051 | 1054 | 1136 | 1146 | 1264 | 1265 | 1288 | 1347 | 1364 | 1366 | 1406
        | 1471 => Fault::Repair(ALTERED),
        // Packet too large; row too large.
        1153 | 1118 => Fault::Refused,
        // Read-only by option, transaction or mode; on a replica.
        1290 | 1792 | 1836 => {
            Fault::Repair("the server only reads: name the primary, or make it writable")
        }
        1665 => Fault::Repair("set the server's binlog_format to ROW or MIXED"),
        3159 => Fault::Repair(
            "the server insists on TLS: give sslmode=require or better in the address",
        ),
        // Syntax, unknown variable, character set, collation or engine; key too long.
        1064 | 1071 | 1115 | 1193 | 1273 | 1286 => Fault::Repair(
            "a server is needed that is as new as MySQL 8.0 or MariaDB 10.6, with InnoDB",
        ),
        // Interrupted; ran too long (MariaDB, MySQL).
        1317 | 1969 | 3024 => Fault::Interrupted,
        // Lock wait, deadlock, disk or table full, out of memory, too many connections, shutdown,
        // killed, and all others.
        _ => Fault::Passing,
    }
}

const LOGIN: &str = "correct the user or the password in the sink's address, \
                     or let the server admit this user from here";
// Not on all tables: a service that may UPDATE the records could rewrite them.
const PRIVILEGES: &str = "let the owner of the tables grant what a service needs, and no more: \
                          tower-audit migrate URL --service-role NAME";
const TLS: &str = "the server's certificate is not trusted here, or it has no TLS: \
                   name its authority with ca=, and its host as in the certificate";

fn by_kind(kind: io::ErrorKind) -> Fault {
    match kind {
        // What TLS says of a certificate.
        io::ErrorKind::InvalidData => Fault::Repair(TLS),
        _ => Fault::Passing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_to_log_in_that_is_not_known_here_is_for_a_person() {
        let error = sqlx::Error::Protocol("unknown authentication plugin: client_ed25519".into());
        assert_eq!(fault(&error), Fault::Repair(LOGIN));
    }

    #[test]
    fn numbers_are_judged_by_who_can_act() {
        let cases = [
            ("ER_LOCK_WAIT_TIMEOUT", 1205, Fault::Passing),
            ("ER_LOCK_DEADLOCK", 1213, Fault::Passing),
            ("ER_RECORD_FILE_FULL", 1114, Fault::Passing),
            ("ER_CON_COUNT_ERROR", 1040, Fault::Passing),
            ("ER_SERVER_SHUTDOWN", 1053, Fault::Passing),
            ("ER_DUP_ENTRY", 1062, Fault::Constraint),
            ("ER_ACCESS_DENIED_ERROR", 1045, Fault::Repair(LOGIN)),
            (
                "ER_TABLEACCESS_DENIED_ERROR",
                1142,
                Fault::Repair(PRIVILEGES),
            ),
            ("ER_NO_SUCH_TABLE", 1146, Fault::Repair(ALTERED)),
            // A narrowed column is no fault of the records: they are not given up.
            ("ER_DATA_TOO_LONG", 1406, Fault::Repair(ALTERED)),
            ("ER_NET_PACKET_TOO_LARGE", 1153, Fault::Refused),
        ];
        for (name, number, expected) in cases {
            assert_eq!(by_number(number), expected, "{name}");
        }
    }
}
