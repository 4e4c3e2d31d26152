//! Grist: a typed stream of events for a SIEM.
//!
//! The service here is small, and records what Grist records: through the layer, into SQLite, and at
//! once to a Splunk collector and to an HTTP endpoint, which get the form that Grist's readers know.
//!
//! | what Grist does | is played by |
//! |---|---|
//! | the envelope, field by field, as in its documentation's sample; Splunk's envelope, or the JSON as it is | `stream::the_documented_sample_arrives_field_by_field_at_both_destinations` |
//! | 40 actions, `resource.verb`, with details typed for each; changes as `previous` and `current` | `actions::each_of_the_forty_actions_arrives_with_the_details_that_it_has_there` |
//! | actors: `user`, `guest`, `system`, `unknown` | `stream::changes_logins_refusals_and_the_system_are_told_as_what_they_are` |
//! | any number of destinations, configured by an administrator | `stage::configured`, and each test with it |
//! | a reference page of all events, from the code | `actions::the_reference_page_of_all_events_is_made_from_the_code` |
//!
//! | where it falls short | here |
//! |---|---|
//! | one request per event, no retry, no spool, at most 100 on the way; no store and no query | `stream::an_outage_of_a_destination_loses_nothing_and_holds_up_nobody` |
//! | no viewer, no export | `logto/console.rs`, `duplistatus/export.rs`, for every service |
//! | no logins, no refusals; the system arrives as `unknown` | `stream::changes_logins_refusals_and_the_system_are_told_as_what_they_are` |
//! | tokens of one destination leak to the others | `stream::no_destination_learns_the_token_of_another` |

mod actions;
mod deeds;
mod documents;
mod service;
mod stage;
mod stream;
