//! The pages: what each asks of the store before it is drawn.

use std::sync::Arc;

use super::{
    access::Reader,
    answer::Answer,
    api::{self, FIELDS},
    body::ViewerBody,
    failure::Failure,
    lens::Lens,
    model::{ActorPage, Destinations, Detail, Entry, Exports, Search, Table},
    page,
    reads::{Read, reader_key},
    route::Route,
    search::Asked,
    service::Asking,
    shared::Shared,
    steps,
};
use crate::{
    clock::RecordId,
    store::{Choices, Field, StoreError},
};

/// The most choices of a field; one with more is a plain text field.
const MAX_CHOICES: usize = 100;

/// The most bars of the histogram of a page: an hour has sixty whole minutes, and one more that is cut.
const STEPS: usize = 61;

/// What a table is drawn of.
struct Found {
    search: Search,
    entries: Vec<Entry>,
    older: Option<RecordId>,
    newer: Option<RecordId>,
    searched_until: Option<crate::clock::Timestamp>,
    choices: Vec<(Field, Choices)>,
    arrival: u64,
}

impl Found {
    fn table(&self) -> Table<'_> {
        Table {
            search: &self.search,
            entries: &self.entries,
            older: self.older,
            newer: self.newer,
            searched_until: self.searched_until,
            choices: &self.choices,
            count: None,
            arrival: self.arrival,
        }
    }
}

/// Answers with a page.
pub(super) async fn page(
    asking: &Asking<'_>,
    reader: &Reader,
    route: Route<'_>,
    mut asked: Asked,
) -> Result<Answer, Failure> {
    let shared = asking.shared;
    let lens = Lens::take(asking, &mut asked)?;
    match route {
        Route::Table => table(asking, reader, lens, asked, None).await,
        Route::Actor(id) => table(asking, reader, lens, asked, Some(id)).await,
        Route::Record(id) => {
            asked.end()?;
            record(asking, reader, &lens, &id).await
        }
        Route::Destinations => {
            asked.end()?;
            // What delivery holds and says of itself is about everybody's records.
            let list = shared.destinations.as_ref();
            let list = list.filter(|_| reader.reach.is_everything());
            let destinations = &list.ok_or(Failure::NotFound)?();
            let read = Read::of("destinations");
            shared.reads.note(&asking.pen, reader, &read);
            let view = lens.view(shared, Some(reader));
            Ok(drawn(page::destinations(
                &view,
                &Destinations { destinations },
            )))
        }
        Route::Exports => {
            asked.end()?;
            let exports = &shared.exports.of(reader);
            let view = lens.view(shared, Some(reader));
            Ok(drawn(page::exports(&view, &Exports { exports })))
        }
        _ => Err(Failure::NotFound),
    }
}

fn drawn(markup: maud::Markup) -> Answer {
    Answer::html(ViewerBody::whole(markup.into_string()))
}

async fn table(
    asking: &Asking<'_>,
    reader: &Reader,
    lens: Lens,
    mut asked: Asked,
    actor: Option<String>,
) -> Result<Answer, Failure> {
    let shared = asking.shared;
    let live = asked.switch("live")?;
    if let Some(actor) = &actor {
        // The page is about one actor, whatever else its address says.
        asked.set("actor", actor);
    }
    let mut search = asked.search(shared.clock.now(), Some(lens.zone()))?;
    search.live = live;
    let found = find(shared, reader, search).await?;
    let mut read = Read::of(if actor.is_some() { "actor" } else { "table" });
    read.filter = found.search.filter();
    read.records = Some(found.entries.len());
    shared.reads.note(&asking.pen, reader, &read);
    let view = lens.view(shared, Some(reader));
    let first = match &actor {
        None => page::head_and_table(&view, &found.table()),
        Some(id) => {
            let table = found.table();
            page::actor(&view, &ActorPage { id, table })
        }
    };
    let (shared, reader) = (Arc::clone(shared), reader.clone());
    // Counting can take long: what is there already is shown meanwhile.
    let body = ViewerBody::pieces(move |outlet| async move {
        outlet.send(first.into_string()).await;
        let query = found.search.query.clone().within(reader.reach.clone());
        let cut = |extent| steps::round(extent, STEPS, lens.zone());
        let turn = shared.questions.turn(&reader_key(&reader)).await;
        let histogram = shared.store.histogram_in(&query, cut).await;
        drop(turn);
        let histogram = histogram.map_err(Failure::from);
        let histogram = histogram.as_ref().map_err(Failure::shown);
        let view = lens.view(&shared, Some(&reader));
        let last = page::histogram(&view, &found.search, histogram);
        outlet.send(last.into_string()).await;
        Ok(())
    });
    Ok(Answer::html(body))
}

async fn find(shared: &Shared, reader: &Reader, search: Search) -> Result<Found, Failure> {
    // Before the page is read: live mode goes on from here, and must not leave a gap.
    let arrival = shared.store.last_arrival().await?;
    let query = search.query.clone().within(reader.reach.clone());
    let page = shared.store.browse(&query).await?;
    let mut choices = Vec::new();
    for (_, field) in FIELDS {
        match shared
            .store
            .choices(field, &reader.reach, MAX_CHOICES)
            .await
        {
            Ok(found) if found.is_complete => choices.push((field, found)),
            // Too many, or too slow: it can still be typed.
            Ok(_) | Err(StoreError::Timeout { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Found {
        search,
        entries: page.records.into_iter().map(Entry::new).collect(),
        older: page.older,
        newer: page.newer,
        searched_until: page.searched_until,
        choices,
        arrival,
    })
}

async fn record(
    asking: &Asking<'_>,
    reader: &Reader,
    lens: &Lens,
    id: &str,
) -> Result<Answer, Failure> {
    let shared = asking.shared;
    let (stored, same) = api::opened(shared, reader, id).await?;
    let mut read = Read::of("record");
    read.record = Some(stored.id.to_string());
    read.others = Some(same.records.len());
    shared.reads.note(&asking.pen, reader, &read);
    let entry = &Entry::new(stored);
    let same_request: Vec<Entry> = same.records.into_iter().map(Entry::new).collect();
    let view = lens.view(shared, Some(reader));
    Ok(drawn(page::detail(
        &view,
        &Detail {
            entry,
            same_request: &same_request,
            same_request_is_complete: same.is_complete,
        },
    )))
}

/// The page that says why there is none.
pub(super) fn failure(asking: &Asking<'_>, failure: &Failure, reader: Option<&Reader>) -> Answer {
    let lens = Lens::of_failure(asking);
    let view = lens.view(asking.shared, reader);
    drawn(page::failure(&view, failure.shown()))
}
