//! How a reader sees a page: language, zone, and what the links of the page carry on.

use http::header;
use jiff::tz::TimeZone;

use super::{
    access::Reader,
    cookies::cookie,
    failure::Failure,
    model::{Entry, View, ZoneFrom},
    page,
    search::{Asked, MAX_REPEATED_BYTES},
    service::Asking,
    shared::Shared,
    words::{self, Words},
};

/// What a [`View`] borrows.
#[derive(Debug)]
pub(super) struct Lens {
    words: &'static Words,
    zone: TimeZone,
    zone_from: ZoneFrom,
    path: String,
    pairs: Vec<(String, String)>,
    kept: Vec<(&'static str, String)>,
}

impl Lens {
    /// Takes `lang` and `tz` out of what was asked for. A language that there is none of is English.
    pub(super) fn take(asking: &Asking<'_>, asked: &mut Asked) -> Result<Self, Failure> {
        let lang = asked.take("lang")?;
        let tz = asked.take("tz")?;
        let lens = Self::new(asking, asked, lang, tz);
        lens.ok_or_else(Failure::no_such_zone)
    }

    /// As well as can be, for the page of a mistake.
    pub(super) fn of_failure(asking: &Asking<'_>) -> Self {
        let mut asked = Asked::read(&asking.parts.uri).unwrap_or_default();
        let lang = asked.take("lang").ok().flatten();
        let tz = asked.take("tz").ok().flatten();
        // The links of the page repeat the rest.
        asked.forget_long();
        let own = Self::new(asking, &asked, lang.clone(), tz);
        let own = own.or_else(|| Self::new(asking, &asked, lang, Some("UTC".to_owned())));
        let mut own = own.unwrap_or_else(|| Self {
            words: words::pick(None, None, None),
            zone: TimeZone::UTC,
            zone_from: ZoneFrom::Default,
            path: asking.path.to_owned(),
            pairs: Vec::new(),
            kept: Vec::new(),
        });
        if own.path.len() > MAX_REPEATED_BYTES {
            "/".clone_into(&mut own.path);
        }
        own
    }

    /// None when there is no such zone.
    fn new(
        asking: &Asking<'_>,
        asked: &Asked,
        lang: Option<String>,
        tz: Option<String>,
    ) -> Option<Self> {
        let headers = &asking.parts.headers;
        let accepted = headers.get(header::ACCEPT_LANGUAGE);
        let accepted = accepted.and_then(|value| value.to_str().ok());
        let words = words::pick(lang.as_deref(), cookie(headers, words::COOKIE), accepted);
        let (zone, zone_from) = page::zone(tz.as_deref(), cookie(headers, page::ZONE_COOKIE))?;
        let kept = [("lang", lang), ("tz", tz)];
        let kept = kept
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        Some(Self {
            words,
            zone,
            zone_from,
            path: asking.path.to_owned(),
            pairs: asked.pairs().to_vec(),
            kept: kept.collect(),
        })
    }

    pub(super) const fn zone(&self) -> &TimeZone {
        &self.zone
    }

    pub(super) fn view<'a>(&'a self, shared: &'a Shared, reader: Option<&'a Reader>) -> View<'a> {
        View {
            base: shared.base.as_str(),
            title: &shared.title,
            words: self.words,
            zone: &self.zone,
            zone_from: self.zone_from,
            now: shared.clock.now(),
            reader: reader.map(|reader| &reader.actor),
            sign_in: shared.sign_in.as_deref(),
            has_destinations: shared.destinations.is_some()
                && reader.is_some_and(|reader| reader.reach.is_everything()),
            path: &self.path,
            pairs: &self.pairs,
            kept: &self.kept,
        }
    }

    /// One row of the table.
    pub(super) fn row(&self, shared: &Shared, reader: &Reader, entry: &Entry) -> String {
        page::row(&self.view(shared, Some(reader)), entry).into_string()
    }
}
