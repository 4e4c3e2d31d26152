//! What an address asks for.

use http::Uri;
use jiff::tz::TimeZone;

use super::{
    failure::Failure,
    model::Search,
    page::{self, Edge},
};
use crate::{clock::Timestamp, store::Query};

/// The longest query of an address in bytes.
const MAX_QUERY_BYTES: usize = 16 * 1024;

/// The longest value of a parameter in bytes; the same as for filters.
const MAX_VALUE_BYTES: usize = 1024;

/// The most bytes of an address that the page of its mistake repeats.
pub(super) const MAX_REPEATED_BYTES: usize = 4 * MAX_VALUE_BYTES;

/// The most records of one page.
pub(super) const MAX_LIMIT: usize = 200;

/// What says where a page begins, and is no filter.
const PAGING: [&str; 3] = ["before", "after", "limit"];

/// The parameters of an address that nobody has read yet; decoded, in their order.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    pairs: Vec<(String, String)>,
}

impl Asked {
    pub(super) fn read(uri: &Uri) -> Result<Self, Failure> {
        let query = uri.query().unwrap_or_default();
        if query.len() > MAX_QUERY_BYTES {
            let reason =
                format!("the address is too long: its query may have {MAX_QUERY_BYTES} bytes");
            return Err(Failure::parameter("query", reason));
        }
        let pairs = form_urlencoded::parse(query.as_bytes())
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        Ok(Self { pairs })
    }

    pub(super) fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }

    /// Takes a parameter out; an empty one counts as absent.
    pub(super) fn take(&mut self, name: &'static str) -> Result<Option<String>, Failure> {
        let mut found = None;
        let mut is_double = false;
        self.pairs.retain_mut(|(key, value)| {
            if key != name {
                return true;
            }
            if !value.is_empty() {
                is_double |= found.is_some();
                found = Some(std::mem::take(value));
            }
            false
        });
        if is_double {
            return Err(Failure::parameter(name, "it is there twice; write it once"));
        }
        if found
            .as_ref()
            .is_some_and(|value| value.len() > MAX_VALUE_BYTES)
        {
            let reason = format!("it is longer than {MAX_VALUE_BYTES} bytes");
            return Err(Failure::parameter(name, reason));
        }
        Ok(found)
    }

    /// Takes a parameter out that is a number within these bounds.
    pub(super) fn number(
        &mut self,
        name: &'static str,
        (least, most): (u64, u64),
    ) -> Result<Option<u64>, Failure> {
        let Some(text) = self.take(name)? else {
            return Ok(None);
        };
        match text.parse() {
            Ok(number) if (least..=most).contains(&number) => Ok(Some(number)),
            _ => {
                let reason = format!("write a number from {least} to {most}");
                Err(Failure::parameter(name, reason))
            }
        }
    }

    /// Takes a switch out: `1`, or absent.
    pub(super) fn switch(&mut self, name: &'static str) -> Result<bool, Failure> {
        match self.take(name)?.as_deref() {
            None => Ok(false),
            Some("1") => Ok(true),
            Some(_) => Err(Failure::parameter(name, "write 1, or leave it out")),
        }
    }

    /// Leaves out what is too long to be anything, and everything when it is too much together: each
    /// link of a page repeats it.
    pub(super) fn forget_long(&mut self) {
        let is_short = |text: &str| text.len() <= MAX_VALUE_BYTES;
        self.pairs
            .retain(|(name, value)| is_short(name) && is_short(value));
        let lengths = self.pairs.iter();
        let bytes: usize = lengths.map(|(name, value)| name.len() + value.len()).sum();
        if bytes > MAX_REPEATED_BYTES {
            self.pairs.clear();
        }
    }

    /// Sets a parameter that the path says, such as the actor of its page.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.pairs.retain(|(key, _)| key != name);
        self.pairs.push((name.to_owned(), value.to_owned()));
    }

    /// Nothing may be left: what is not known is a mistake, not a wish to be passed over.
    pub(super) fn end(self) -> Result<(), Failure> {
        match self.pairs.into_iter().next() {
            None => Ok(()),
            Some((name, _)) => {
                let name: String = name.chars().take(64).collect();
                Err(Failure::parameter(name, "there is none of this name here"))
            }
        }
    }

    /// The value of a parameter that is still there; none when it is empty.
    fn value(&self, name: &str) -> Option<&str> {
        let mut pairs = self.pairs.iter();
        let found = pairs.find(|(key, value)| key == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    }

    /// The records of a page, if the address says so. The store would take more, and say so.
    fn limit(&self) -> Result<Option<usize>, Failure> {
        let Some(text) = self.value("limit") else {
            return Ok(None);
        };
        let limit = text.parse().ok();
        let limit = limit.filter(|limit| (1..=MAX_LIMIT).contains(limit));
        let reason = || format!("write a number from 1 to {MAX_LIMIT}");
        limit
            .ok_or_else(|| Failure::parameter("limit", reason()))
            .map(Some)
    }

    /// The rest, as filters. Times of a form, which have no zone, are those of the reader's.
    pub(super) fn search(
        mut self,
        now: Timestamp,
        zone: Option<&TimeZone>,
    ) -> Result<Search, Failure> {
        if let Some(zone) = zone {
            for (name, value) in &mut self.pairs {
                let edge = match name.as_str() {
                    "from" => Edge::From,
                    "to" => Edge::To,
                    _ => continue,
                };
                *value = page::local(value, zone, edge).into_owned();
            }
        }
        let limit = self.limit()?;
        // Who asks for what reading left by its name wants to see it.
        let action = self.value("action");
        if action.is_some_and(|action| action.starts_with("audit."))
            && self.value("reads").is_none()
        {
            self.set("reads", "1");
        }
        let has_times = self.value("from").or_else(|| self.value("to")).is_some();
        let range = if has_times {
            "custom"
        } else {
            self.value("range").unwrap_or("7d")
        };
        let (range, reads) = (range.to_owned(), self.value("reads").is_some());
        let is_upwards = self.value("after").is_some();
        let query = Query::from_params(self.pairs.iter().cloned(), now)?;
        let canonical = query.params();
        let time = |name: &str| {
            let mut pairs = canonical.iter();
            let found = pairs.find(|(key, _)| *key == name);
            found.and_then(|(_, value)| value.parse().ok())
        };
        let is_filter = |name: &str| match name {
            "range" | "reads" => false,
            "from" | "to" => has_times,
            name => !PAGING.contains(&name),
        };
        // In the words of the reader where there are some, so that a relative time stays one.
        let filters = canonical.iter().filter(|(name, _)| is_filter(name));
        let filters = filters.map(|(name, value)| {
            let own = self.value(name).unwrap_or(value);
            (*name, own.to_owned())
        });
        Ok(Search {
            filters: filters.collect(),
            range,
            from: time("from"),
            to: time("to"),
            reads,
            live: false,
            limit,
            is_upwards,
            query,
        })
    }
}

impl Search {
    /// What was asked for, without the page of it: what is recorded of a read, and what makes two of
    /// them the same.
    pub(super) fn filter(&self) -> Vec<(String, String)> {
        let own = |(name, value): &(&'static str, String)| ((*name).to_owned(), value.clone());
        let mut filter: Vec<_> = self.filters.iter().map(own).collect();
        filter.push(("range".to_owned(), self.range.clone()));
        if self.reads {
            filter.push(("reads".to_owned(), "1".to_owned()));
        }
        filter
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::RecordId;

    fn asked(query: &str) -> Asked {
        Asked::read(&format!("/?{query}").parse().unwrap()).unwrap()
    }

    fn parameter(failure: Failure) -> String {
        match failure {
            Failure::Parameter { parameter, .. } => parameter,
            other => panic!("a parameter expected: {other:?}"),
        }
    }

    fn search(query: &str) -> Result<Search, Failure> {
        let now = "2026-11-20T12:00:00Z".parse().unwrap();
        let zone = TimeZone::get("Europe/Paris").unwrap();
        asked(query).search(now, Some(&zone))
    }

    #[test]
    fn a_parameter_is_taken_once_and_named_when_it_is_wrong() {
        let mut given = asked("live=1&max=7&a=&field=x&field=&b=1&b=2&steps=0&live2=yes");
        assert_eq!(given.switch("live"), Ok(true));
        assert_eq!(given.number("max", (1, 10)), Ok(Some(7)));
        assert_eq!(given.take("a"), Ok(None));
        assert_eq!(given.take("field"), Ok(Some("x".into())));
        assert_eq!(parameter(given.take("b").unwrap_err()), "b");
        assert_eq!(
            parameter(given.number("steps", (1, 9)).unwrap_err()),
            "steps"
        );
        assert_eq!(parameter(given.clone().end().unwrap_err()), "live2");
        assert_eq!(parameter(given.switch("live2").unwrap_err()), "live2");
        assert_eq!(given.end(), Ok(()));
        let long = format!("q={}", "x".repeat(MAX_QUERY_BYTES));
        let refused = Asked::read(&format!("/?{long}").parse().unwrap()).unwrap_err();
        assert_eq!(parameter(refused), "query");
        let mut long = asked(&format!("tz={}", "x".repeat(10_000)));
        assert_eq!(parameter(long.take("tz").unwrap_err()), "tz");
    }

    #[test]
    fn a_search_keeps_the_readers_words_and_knows_what_they_mean() {
        let found = search("actor=146&range=24h&limit=20&action=").unwrap();
        assert_eq!(found.filters, [("actor", "146".to_owned())]);
        assert_eq!((found.range.as_str(), found.limit), ("24h", Some(20)));
        let yesterday = "2026-11-19T12:00:00Z".parse().unwrap();
        assert_eq!((found.from, found.to), (Some(yesterday), None));
        // Relative, so that tomorrow it is the same question.
        let expected = [("actor", "146"), ("range", "24h")].map(|(a, b)| (a.into(), b.into()));
        assert_eq!(found.filter(), expected);
        let found = search("from=2026-11-20T01:30&to=2026-11-20T02:00:00Z").unwrap();
        let from = "2026-11-20T00:30:00Z".parse().unwrap();
        assert_eq!((found.from, found.range.as_str()), (Some(from), "custom"));
        assert_eq!(found.filters.len(), 2);
        // The hours before a time are no range of the form, so the times themselves are told.
        let found = search("range=24h&to=2026-11-10").unwrap();
        let times = [
            ("from", "2026-11-09T00:00:00.000000Z"),
            ("to", "2026-11-10"),
        ];
        let times = times.map(|(name, value)| (name, value.to_owned()));
        assert_eq!(
            (found.filters, found.range.as_str()),
            (times.into(), "custom")
        );
        let after = format!("after={}", RecordId::lowest_at(from));
        assert!(search(&after).unwrap().is_upwards && !search("after=").unwrap().is_upwards);
        let found = search("action=audit.read").unwrap();
        assert!(found.reads && !search("action=auditor.x").unwrap().reads);
        assert_eq!(
            found
                .query
                .params()
                .iter()
                .filter(|(name, _)| *name == "reads")
                .count(),
            1
        );
    }

    #[test]
    fn whatever_is_wrong_with_a_limit_the_same_bounds_are_named() {
        for query in [
            "limit=0",
            "limit=201",
            "limit=1000",
            "limit=1001",
            "limit=x",
            "limit=-1",
        ] {
            let reason = "write a number from 1 to 200";
            let expected = Failure::parameter("limit", reason);
            assert_eq!(search(query).unwrap_err(), expected, "{query}");
        }
        assert_eq!(search("limit=200").unwrap().limit, Some(200));
    }

    #[test]
    fn a_search_that_cannot_be_read_names_its_parameter() {
        for (query, expected) in [
            ("limit=201", "limit"),
            ("limit=0", "limit"),
            ("limit=x", "limit"),
            ("from=yesterday", "from"),
            ("before=1", "before"),
            ("colour=red", "colour"),
            ("q=1&q=2", "q"),
            ("range=1y", "range"),
        ] {
            assert_eq!(parameter(search(query).unwrap_err()), expected, "{query}");
        }
    }
}
