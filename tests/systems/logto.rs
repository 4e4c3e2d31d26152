//! Logto: authentication events, with a console.
//!
//! The service here is small: it signs users in, gives tokens, and is managed; its administrators read
//! in the viewer, each tenant's own and nothing else.
//!
//! | what Logto does | is played by |
//! |---|---|
//! | type, application, address, user, id, time, session, result of each event; dotted names of any depth | `events::one_request_writes_several_entries_which_are_complete_and_masked` |
//! | the user agent, raw and parsed: the parsed form is the service's own, in `details` | there, and on the page in `console::opens_a_detail` |
//! | parameters, with secrets masked | there, `has_its_parameters_masked` |
//! | several entries of one request; an exception turns all that are not independent into errors, with the error object | `events::an_exception_turns_entries_that_are_not_independent_into_errors` |
//! | tenants are isolated | `events::is_of_one_tenant`, `console::keeps_tenants_apart` |
//! | a table of event, mark, user, application and time | `console::shows_the_table` |
//! | filters by event and application, kept in the address | `console::filters` |
//! | the last hour, day, 7 days, 30 days, any other time | `console::goes_through_the_time_ranges` |
//! | details and raw JSON by a click | `console::opens_a_detail` |
//! | a user's log, an application's log | `console::goes_to_the_pages_of_user_and_application` |
//! | the list for programs: user, application, event, start, end, pages of 100, a bounded count | `events::the_list_is_filtered_paged_bounded_and_of_one_tenant` |
//!
//! | where it falls short | here |
//! |---|---|
//! | what its management interface does is not recorded | `events::the_list_is_filtered_paged_bounded_and_of_one_tenant` |
//! | lists take seconds at size | counts and pages are bounded: there, and `tests/it/store`; figures are in `docs/performance.md` |
//! | users write their own clean-up job | `duplistatus/retention.rs`, for every service |
//! | no export, no search by address or result | `console::exports_and_searches`, `events::is_filtered_and_paged` |
//! | no streaming | `grist/stream.rs`, for every service |

mod console;
mod events;
mod service;
