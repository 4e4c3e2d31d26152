//! The service: who asks, for what, and which answer that is.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Method, Request, Response, request::Parts};
use tower_service::Service;

use super::{
    Viewer,
    access::{self, Reader},
    answer::Answer,
    api, assets,
    body::ViewerBody,
    exports,
    failure::Failure,
    lens::Lens,
    live, openapi, pages,
    reads::{Pen, reader_key},
    route::{self, Route},
    search::Asked,
    shared::Shared,
};

/// The future of an answer.
type Answering = Pin<Box<dyn Future<Output = Result<Response<ViewerBody>, Infallible>> + Send>>;

impl<B> Service<Request<B>> for Viewer {
    type Response = Response<ViewerBody>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answering {
        // Nobody reads a body here.
        let (parts, _) = request.into_parts();
        let shared = Arc::clone(&self.shared);
        Box::pin(async move { Ok(respond(&shared, Arc::new(parts)).await) })
    }
}

/// A request, and what is known of it before it is answered.
#[derive(Debug)]
pub(super) struct Asking<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) parts: &'a Arc<Parts>,
    /// Below the viewer's own path.
    pub(super) path: &'a str,
    pub(super) pen: Pen,
}

async fn respond(shared: &Arc<Shared>, parts: Arc<Parts>) -> Response<ViewerBody> {
    let path = shared.base.below(parts.uri.path());
    let asking = Asking {
        shared,
        parts: &parts,
        path,
        pen: (shared.pen)(&parts),
    };
    let answer = asking.answer().await;
    answer.into_response(&shared.policy, parts.method == Method::HEAD)
}

impl Asking<'_> {
    async fn answer(&self) -> Answer {
        let found = Route::find(self.path);
        if let Some(Route::Asset(name)) = &found
            && let Some(asset) = assets::asset(name, self.parts.uri.query(), &self.parts.headers)
        {
            return asset;
        }
        if !matches!(self.parts.method, Method::GET | Method::HEAD) {
            return self.refuse(&Failure::Method, None);
        }
        // Before anything else is said, also whether there is such an address.
        let reader = match access::decide(&self.shared.authorise, self.parts).await {
            Ok(Some(reader)) => reader,
            Ok(None) => {
                let page = found.as_ref().map_or("unknown", Route::kind);
                self.shared.refusals.note(&self.pen, page);
                return self.refuse(&Failure::Denied, None);
            }
            Err(access::Undecided) => return self.refuse(&Failure::Undecided, None),
        };
        let answer = match found {
            Some(route) => self.route(route, &reader).await,
            None => Err(Failure::NotFound),
        };
        answer.unwrap_or_else(|failure| self.refuse(&failure, Some(&reader)))
    }

    async fn route(&self, route: Route<'_>, reader: &Reader) -> Result<Answer, Failure> {
        let mut asked = Asked::read(&self.parts.uri)?;
        let shared = self.shared;
        // One reader's questions wait for each other, not everybody's for one reader's.
        let _turn = if route.asks_the_store() {
            shared.questions.turn_in_time(&reader_key(reader)).await?
        } else {
            None
        };
        let told = match route {
            Route::ApiRecords => api::records(shared, reader, asked).await,
            Route::ApiRecord(id) => api::record(shared, reader, &id, asked).await,
            Route::ApiFacets => api::facets(shared, reader, asked).await,
            Route::ApiHistogram => api::histogram(shared, reader, asked).await,
            Route::ApiCount => api::count(shared, reader, asked).await,
            Route::ApiOpenapi => return openapi::answer(&shared.base, asked),
            Route::ApiExport | Route::Export => {
                if matches!(route, Route::Export) {
                    // What every link of a page has.
                    Lens::take(self, &mut asked)?;
                }
                let pen = self.pen.clone();
                let reader = reader.clone();
                return exports::export(shared, pen, self.parts, reader, asked).await;
            }
            Route::Manifest(id) => {
                asked.end()?;
                let manifest = shared.exports.manifest(reader, &id);
                let manifest = manifest.ok_or(Failure::NotFound)?;
                return Ok(Answer::text("application/json", manifest));
            }
            Route::Live => return live::stream(self, reader, asked).await,
            route => return pages::page(self, reader, route, asked).await,
        };
        let (answer, read) = told?;
        shared.reads.note(&self.pen, reader, &read);
        Ok(answer)
    }

    /// The answer to what is not answered: a page for people, JSON for programs.
    fn refuse(&self, failure: &Failure, reader: Option<&Reader>) -> Answer {
        if route::is_api(self.path) {
            return failure.json();
        }
        failure.complete(pages::failure(self, failure, reader))
    }
}
