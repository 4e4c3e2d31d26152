//! duplistatus: changes and user actions, with viewer and export.
//!
//! The service here watches backups and manages users; its auditors read in the viewer and take files
//! home.
//!
//! | what duplistatus does | is played by |
//! |---|---|
//! | time, user or "System", action, category, status, target, details, address, user agent, error of each entry | `page::an_entry_has_what_happened_and_nothing_that_is_secret_or_claimed` |
//! | six categories; success, failure, error | `page::offers_what_occurs`, on the day of `service::a_day` |
//! | a viewer in the order of time, with those columns | `page::shows_the_day` |
//! | filters for dates, user, action, category, status, with choices from the data; reset; refresh | `page::offers_what_occurs`, `page::filters_and_resets` |
//! | endless scrolling: here pages, each with an address | `page::walks_through` |
//! | an eye for the details; translated; dates follow the language | `page::shows_the_details` |
//! | CSV with its thirteen columns, and JSON, of what the filters show | `export::a_csv_has_the_thirteen_columns_and_a_json_the_same_field_by_field` |
//! | kept for so many days; daily, and by hand with a dry run; clean-up and change of the retention recorded | `retention::old_entries_go_after_a_dry_run_and_that_is_on_record` |
//!
//! | where it falls short | here |
//! |---|---|
//! | an error of writing is swallowed | `tests/it/strict.rs`, for every service |
//! | an export ends after 10 000 rows | `export::more_than_ten_thousand_rows_are_not_cut` |
//! | whoever is signed in reads everything | `page::only_whoever_is_authorised_reads` |
//! | times of whole seconds; addresses as the client claims; secrets missed in nested and camelCase keys | `page::an_entry_has_what_happened_and_nothing_that_is_secret_or_claimed` |
//! | a database that is restored replaces the history | `tests/it/restore.rs`, for every service |

mod export;
mod page;
mod retention;
mod service;
