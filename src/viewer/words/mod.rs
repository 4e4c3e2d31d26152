//! The texts of the viewer, in each language.
//!
//! A language is a constant of [`Words`], so that one with a text missing does not compile. `{}` in
//! a text is where a name or a number goes.

mod de;
mod en;
mod es;
mod fields;
mod fr;
mod locale;
mod pick;
#[cfg(test)]
mod tests;

pub(super) use self::{
    fields::{FieldWords, FilterWords},
    locale::{Locale, Plural},
    pick::{ALL, COOKIE, pick},
};

/// Every text of one language.
#[derive(Debug)]
pub(super) struct Words {
    /// The language's code, as `lang` has it.
    pub(super) code: &'static str,
    /// What the language calls itself.
    pub(super) name: &'static str,
    /// Its numbers and dates.
    pub(super) locale: Locale,

    pub(super) title: &'static str,
    pub(super) skip: &'static str,
    pub(super) sections: &'static str,
    pub(super) records: &'static str,
    pub(super) destinations: &'static str,
    pub(super) exports: &'static str,
    pub(super) reader: &'static str,
    pub(super) language: &'static str,
    /// `{}` is a zone.
    pub(super) times_in: &'static str,
    pub(super) use_utc: &'static str,
    pub(super) use_own_zone: &'static str,

    pub(super) outcomes: OutcomeWords,
    pub(super) actors: ActorWords,
    pub(super) filters: FilterWords,
    pub(super) fields: FieldWords,

    pub(super) table: &'static str,
    pub(super) more: Plural,
    pub(super) stands_for: Plural,
    pub(super) unreadable: &'static str,
    /// Of a record whose text is not the one that was delivered.
    pub(super) altered: &'static str,
    pub(super) altered_hint: &'static str,
    pub(super) count: Plural,
    /// `{}` is a number.
    pub(super) count_more_than: Plural,
    pub(super) count_page: Plural,
    pub(super) pages: &'static str,
    pub(super) newest: &'static str,
    pub(super) newer: &'static str,
    pub(super) older: &'static str,
    /// `{}` is a time.
    pub(super) searched_until: &'static str,
    /// The same of a search towards newer records; `{}` is a time.
    pub(super) searched_up_to: &'static str,
    pub(super) search_on: &'static str,
    pub(super) empty: &'static str,
    pub(super) empty_period: &'static str,
    pub(super) empty_filters: &'static str,
    pub(super) empty_hint: &'static str,
    /// Stands before [`FilterWords::reads`].
    pub(super) reads_hidden: &'static str,
    pub(super) search_all: &'static str,
    pub(super) beginning: &'static str,
    pub(super) now: &'static str,
    pub(super) refresh: &'static str,

    pub(super) export: &'static str,
    /// `{}` is a format.
    pub(super) export_as: &'static str,

    pub(super) live: LiveWords,
    pub(super) chart: ChartWords,
    pub(super) detail: DetailWords,
    pub(super) sinks: SinkWords,
    pub(super) past: PastWords,
    pub(super) failures: FailureWords,
}

/// The outcomes.
#[derive(Debug)]
pub(super) struct OutcomeWords {
    pub(super) success: &'static str,
    pub(super) failure: &'static str,
    pub(super) denied: &'static str,
    pub(super) error: &'static str,
    pub(super) cancelled: &'static str,
    pub(super) unknown: &'static str,
}

/// The kinds of actors.
#[derive(Debug)]
pub(super) struct ActorWords {
    pub(super) user: &'static str,
    pub(super) service: &'static str,
    pub(super) system: &'static str,
    pub(super) anonymous: &'static str,
    pub(super) unknown: &'static str,
    /// Stands before a name that was not verified.
    pub(super) claims: &'static str,
    /// Stands before the one acted for.
    pub(super) on_behalf_of: &'static str,
}

/// Live mode.
#[derive(Debug)]
pub(super) struct LiveWords {
    pub(super) start: &'static str,
    pub(super) stop: &'static str,
    pub(super) pause: &'static str,
    pub(super) resume: &'static str,
    pub(super) on: &'static str,
    pub(super) paused: &'static str,
    pub(super) lost: &'static str,
    /// The store has gone back.
    pub(super) back: &'static str,
    pub(super) ended: &'static str,
    pub(super) arrived: Plural,
}

/// The histogram.
#[derive(Debug)]
pub(super) struct ChartWords {
    pub(super) title: &'static str,
    pub(super) numbers: &'static str,
    pub(super) period: &'static str,
    /// Of a step that is not whole.
    pub(super) cut: &'static str,
    pub(super) all: &'static str,
    /// `{}` is a time.
    pub(super) counted_from: &'static str,
    pub(super) nothing: &'static str,
    /// `{}` is a time.
    pub(super) none_since: &'static str,
    pub(super) too_long: &'static str,
    /// The store does not answer.
    pub(super) failed: &'static str,
}

/// The page of one record and of one actor.
#[derive(Debug)]
pub(super) struct DetailWords {
    pub(super) back: &'static str,
    pub(super) what: &'static str,
    pub(super) from_where: &'static str,
    pub(super) changes: &'static str,
    pub(super) before: &'static str,
    pub(super) after: &'static str,
    pub(super) not_set: &'static str,
    pub(super) details: &'static str,
    pub(super) evidence: &'static str,
    pub(super) raw: &'static str,
    pub(super) truncated: &'static str,
    pub(super) truncated_hint: &'static str,
    pub(super) bytes: Plural,
    pub(super) same_request: &'static str,
    pub(super) same_request_hint: &'static str,
    pub(super) same_request_more: &'static str,
    pub(super) related: &'static str,
    pub(super) by_actor: &'static str,
    pub(super) by_session: &'static str,
    pub(super) by_ip: &'static str,
    pub(super) by_target: &'static str,
    pub(super) by_request: &'static str,
    pub(super) copy_link: &'static str,
    pub(super) copy_json: &'static str,
    pub(super) copied: &'static str,
    pub(super) link: &'static str,
    pub(super) items: Plural,
    pub(super) left_out: Plural,
    pub(super) actor_page: &'static str,
    /// Of a page that has the records of user 7 and of service 7.
    pub(super) several_kinds: &'static str,
}

/// The page of destinations.
#[derive(Debug)]
pub(super) struct SinkWords {
    pub(super) intro: &'static str,
    pub(super) none: &'static str,
    pub(super) name: &'static str,
    pub(super) state: &'static str,
    pub(super) waiting: &'static str,
    pub(super) oldest: &'static str,
    pub(super) delivered: &'static str,
    pub(super) dead: &'static str,
    pub(super) missed: &'static str,
    pub(super) last_success: &'static str,
    pub(super) last_error: &'static str,
    pub(super) last_refusal: &'static str,
    pub(super) concern: &'static str,
    pub(super) never: &'static str,
    pub(super) ok: &'static str,
    pub(super) retrying: &'static str,
    pub(super) blocked: &'static str,
    pub(super) paused: &'static str,
    pub(super) stopped: &'static str,
}

/// The page of exports.
#[derive(Debug)]
pub(super) struct PastWords {
    pub(super) intro: &'static str,
    pub(super) none: &'static str,
    pub(super) begun: &'static str,
    pub(super) format: &'static str,
    pub(super) asked: &'static str,
    pub(super) state: &'static str,
    pub(super) manifest: &'static str,
    pub(super) running: &'static str,
    pub(super) complete: &'static str,
    pub(super) incomplete: &'static str,
}

/// What is said when there is no page: a heading, and what to do.
#[derive(Debug)]
pub(super) struct FailureWords {
    pub(super) parameter: (&'static str, &'static str),
    pub(super) denied: (&'static str, &'static str),
    pub(super) cross_site: (&'static str, &'static str),
    pub(super) not_found: (&'static str, &'static str),
    pub(super) method: (&'static str, &'static str),
    pub(super) too_many: (&'static str, &'static str),
    pub(super) internal: (&'static str, &'static str),
    pub(super) store: (&'static str, &'static str),
    pub(super) timeout: (&'static str, &'static str),
    pub(super) parameter_name: &'static str,
    pub(super) reason: &'static str,
    pub(super) sign_in: &'static str,
    pub(super) try_again: &'static str,
    pub(super) to_records: &'static str,
}
