//! Exports over HTTP, and what is remembered of them.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use http::{HeaderMap, Method, header, request::Parts};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use super::{
    access::Reader,
    answer::Answer,
    body::ViewerBody,
    exporting::{self, Running},
    failure::Failure,
    model::{ExportState, PastExport},
    reads::{Pen, reader_key},
    search::Asked,
    share::{Share, Shares},
    shared::Shared,
};
use crate::export::{Columns, ColumnsError, Export, ExportFormat};

/// How many exports of one reader are remembered.
const MAX_OF_READER: usize = 100;

/// How many exports are remembered at all; beyond it the oldest are forgotten.
const MAX_REMEMBERED: usize = 5_000;

/// What the viewer knows of exports, until it is dropped.
#[derive(Debug)]
pub(super) struct PastExports {
    running: Arc<Semaphore>,
    of_readers: Arc<Shares>,
    /// Oldest first.
    past: Mutex<VecDeque<Remembered>>,
}

/// What an export holds as long as it runs.
pub(super) type Turn = (OwnedSemaphorePermit, Share);

#[derive(Debug)]
struct Remembered {
    id: Uuid,
    reader: String,
    export: PastExport,
}

impl PastExports {
    pub(super) fn new(max_running: usize, of_reader: usize) -> Self {
        let max_running = max_running.min(Semaphore::MAX_PERMITS);
        Self {
            running: Arc::new(Semaphore::new(max_running)),
            of_readers: Shares::new(of_reader),
            past: Mutex::default(),
        }
    }

    /// A turn among all, and among those of its reader.
    fn turn(&self, key: &str) -> Result<Turn, Failure> {
        let share = self.of_readers.take(key).ok_or(Failure::TooMany)?;
        let turn = Arc::clone(&self.running).try_acquire_owned();
        let turn = turn.map_err(|_| Failure::TooMany)?;
        Ok((turn, share))
    }

    fn past(&self) -> std::sync::MutexGuard<'_, VecDeque<Remembered>> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, id: Uuid, reader: &str, export: PastExport) {
        let mut past = self.past();
        let own = past.iter().filter(|old| old.reader == reader).count();
        if own >= MAX_OF_READER
            && let Some(oldest) = past.iter().position(|old| old.reader == reader)
        {
            past.remove(oldest);
        }
        if past.len() >= MAX_REMEMBERED {
            past.pop_front();
        }
        past.push_back(Remembered {
            id,
            reader: reader.to_owned(),
            export,
        });
    }

    pub(super) fn update(&self, id: Uuid, state: ExportState, manifest: Option<String>) {
        let mut past = self.past();
        // The newest are the ones that run.
        if let Some(found) = past.iter_mut().rev().find(|old| old.id == id) {
            found.export.state = state;
            found.export.manifest = manifest.or_else(|| found.export.manifest.take());
        }
    }

    /// What this reader exported, newest first.
    pub(super) fn of(&self, reader: &Reader) -> Vec<PastExport> {
        let key = reader_key(reader);
        let past = self.past();
        let own = past.iter().rev().filter(|old| old.reader == key);
        own.map(|old| old.export.clone()).collect()
    }

    /// The manifest of an export of this reader, once it has ended or broken off: one that runs has
    /// none yet.
    pub(super) fn manifest(&self, reader: &Reader, id: &str) -> Option<String> {
        let id: Uuid = id.parse().ok()?;
        let key = reader_key(reader);
        let past = self.past();
        let found = past.iter().find(|old| old.id == id && old.reader == key)?;
        found.export.manifest.clone()
    }
}

/// Whether another site asked: a link there must not make a reader's browser export.
///
/// Over plain HTTP a browser says no `Sec-Fetch-Site`, and a link can make it leave out the rest: then
/// nobody can tell. `host` is this one, where it is not among the headers, as in HTTP/2.
fn is_cross_site(headers: &HeaderMap, host: Option<&str>) -> bool {
    let text = |name: &str| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap_or_default())
    };
    if let Some(site) = text("sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    // An old browser, or a program: what it says of where it comes from must be this host.
    let asked_by = text(header::ORIGIN.as_str()).or_else(|| text(header::REFERER.as_str()));
    let Some(asked_by) = asked_by else {
        return false;
    };
    let authority = asked_by.split_once("://").map(|(_, rest)| rest);
    let authority = authority.and_then(|rest| rest.split(['/', '?', '#']).next());
    authority.is_none() || authority != text(header::HOST.as_str()).or(host)
}

/// How an export is to be written.
fn form(asked: &mut Asked) -> Result<(ExportFormat, Columns), Failure> {
    let wrong = || Failure::parameter("format", "write csv, json or jsonl");
    let format = asked.take("format")?.ok_or_else(wrong)?;
    let format = format.parse().map_err(|_says_the_same| wrong())?;
    let columns = match asked.take("columns")? {
        None => Columns::default(),
        Some(list) => list
            .parse()
            .map_err(|error: ColumnsError| Failure::parameter("columns", error.to_string()))?,
    };
    Ok((format, columns))
}

/// Answers with an export.
pub(super) async fn export(
    shared: &Arc<Shared>,
    pen: Pen,
    parts: &Arc<Parts>,
    reader: Reader,
    mut asked: Asked,
) -> Result<Answer, Failure> {
    let host = parts.uri.authority().map(http::uri::Authority::as_str);
    if is_cross_site(&parts.headers, host) {
        return Err(Failure::CrossSite);
    }
    let mut params = asked.pairs().to_vec();
    params.retain(|(name, _)| name != "format");
    let (format, columns) = form(&mut asked)?;
    let now = shared.clock.now();
    let search = asked.search(now, None)?;
    if shared.closing.is_closed() {
        return Err(Failure::Store);
    }
    let day = now.to_string();
    let day = day.split('T').next().unwrap_or_default();
    let name = format!("attachment; filename=\"audit-{day}.{}\"", format.as_str());
    let answer = |body| {
        let answer = Answer::new(media_type(format), body);
        answer.header(header::CONTENT_DISPOSITION, &name)
    };
    if parts.method == Method::HEAD {
        return Ok(answer(ViewerBody::empty()));
    }
    let key = reader_key(&reader);
    let turn = shared.exports.turn(&key)?;
    let query = search.query.clone().within(reader.reach.clone());
    let export = Export::begin(shared.store.clone(), query, format, columns).await?;
    let id = Uuid::new_v4();
    let past = PastExport {
        at: now,
        format: format.as_str(),
        params,
        state: ExportState::Running(0),
        manifest: None,
    };
    shared.exports.remember(id, &key, past);
    let running = Running {
        shared: Arc::clone(shared),
        pen,
        reader,
        filter: search.filter(),
        id,
        format,
        manifest: export.manifest(),
        outcome: None,
        turn,
    };
    running.begin();
    let body = exporting::body(running, parts, export);
    let base = shared.base.as_str();
    let manifest = format!("<{base}/exports/{id}>; rel=\"describedby\"");
    Ok(answer(body).header(header::LINK, &manifest))
}

const fn media_type(format: ExportFormat) -> &'static str {
    match format {
        ExportFormat::Csv => "text/csv; charset=utf-8; header=present",
        ExportFormat::Json => "application/json",
        ExportFormat::JsonLines => "application/jsonl",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Actor;

    #[test]
    fn only_this_host_and_programs_may_ask_for_an_export() {
        for (headers, expected) in [
            (&[][..], false),
            (&[("sec-fetch-site", "same-origin")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("sec-fetch-site", "cross-site")], true),
            (&[("sec-fetch-site", "same-site")], true),
            (&[("sec-fetch-site", "\u{7f}")], true),
            (
                &[("host", "a.example"), ("origin", "https://a.example")],
                false,
            ),
            (
                &[("host", "a.example"), ("origin", "https://b.example")],
                true,
            ),
            (&[("host", "a.example"), ("origin", "null")], true),
            (
                &[("host", "a.example"), ("referer", "https://a.example/x?y")],
                false,
            ),
            (
                &[
                    ("host", "a.example"),
                    ("referer", "https://a.example.evil/"),
                ],
                true,
            ),
            (&[("origin", "https://a.example")], true),
        ] {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                let value = http::HeaderValue::from_bytes(value.as_bytes());
                map.insert(*name, value.unwrap_or(http::HeaderValue::from_static("?")));
            }
            assert_eq!(is_cross_site(&map, None), expected, "{headers:?}");
        }
    }

    #[test]
    fn the_host_of_http_2_is_the_one_of_its_address() {
        let mut headers = HeaderMap::new();
        let referer = http::HeaderValue::from_static("https://a.example/x");
        headers.insert(header::REFERER, referer);
        assert!(!is_cross_site(&headers, Some("a.example")));
        assert!(is_cross_site(&headers, Some("b.example")));
        // What the client says of itself is not the other way round.
        headers.insert(header::HOST, http::HeaderValue::from_static("b.example"));
        assert!(is_cross_site(&headers, Some("a.example")));
    }

    #[test]
    fn a_reader_sees_a_hundred_exports_and_none_of_others() {
        let exports = PastExports::new(1, 1);
        let reader = |id: &str| Reader {
            actor: Actor::user(id),
            reach: crate::store::Reach::default(),
        };
        let (alice, bob) = (reader("a"), reader("b"));
        let other_tenant = Reader {
            reach: crate::store::Reach::tenant("B"),
            ..alice.clone()
        };
        let past = PastExport {
            at: crate::clock::Timestamp::MIN,
            format: "csv",
            params: Vec::new(),
            state: ExportState::Running(0),
            manifest: None,
        };
        let ids: Vec<Uuid> = (0..=MAX_OF_READER).map(|_| Uuid::new_v4()).collect();
        for id in &ids {
            exports.remember(*id, &reader_key(&alice), past.clone());
            exports.update(*id, ExportState::Complete(7), Some(id.to_string()));
        }
        assert_eq!((exports.of(&alice).len(), exports.of(&bob).len()), (100, 0));
        let manifest = |reader, id: &Uuid| exports.manifest(reader, &id.to_string());
        assert_eq!(manifest(&alice, &ids[100]), Some(ids[100].to_string()));
        assert_eq!(manifest(&alice, &ids[0]), None);
        assert_eq!(manifest(&bob, &ids[100]), None);
        assert_eq!(manifest(&other_tenant, &ids[100]), None);
        assert_eq!(exports.of(&other_tenant).len(), 0);
        assert_eq!(exports.manifest(&alice, "x"), None);
    }
}
