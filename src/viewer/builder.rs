//! How a viewer is configured.

use std::{fmt, sync::Arc};

use http::request::Parts;

use super::{
    Access, Destination, Viewer,
    access::Authorise,
    answer,
    closing::Closing,
    exports::PastExports,
    hub::Hub,
    reads::{Pen, TakePen},
    refusals::Refusals,
    route::Base,
    share::Questions,
    shared::{ListDestinations, Shared},
    windows::Reads,
};
use crate::{
    clock::{Clock, SystemClock},
    record::Record,
    store::Store,
};

/// Why a viewer cannot be built; whoever wrote the setting must correct it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ViewerError {
    /// The path under which it is mounted.
    #[error("the viewer cannot be at {path:?}: {reason}")]
    Path {
        /// The first 80 characters of what was given.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Where to sign in.
    #[error(
        "{address:?} cannot be where to sign in: write a path of this host, such as /login, or an https:// address"
    )]
    SignIn {
        /// The first 80 characters of what was given.
        address: String,
    },
    /// An origin that may show the viewer in a frame.
    #[error(
        "{origin:?} is no origin that may show the viewer: write https://host or https://host:port"
    )]
    Frame {
        /// The first 80 characters of what was given.
        origin: String,
    },
}

/// The configuration of a [`Viewer`]; made by [`Viewer::builder`], or by
/// [`Audit::viewer`](crate::Audit::viewer), which records what is read in the same trail.
#[must_use = "nothing is served before it is built"]
pub struct ViewerBuilder {
    store: Store,
    authorise: Authorise,
    path: String,
    title: String,
    sign_in: Option<String>,
    frames: Vec<String>,
    pen: TakePen,
    destinations: Option<ListDestinations>,
    clock: Arc<dyn Clock>,
    max_live: usize,
    max_exports: usize,
    live_of_reader: usize,
    exports_of_reader: usize,
    closing: Closing,
}

impl ViewerBuilder {
    /// The default of [`max_live`](Self::max_live).
    pub const MAX_LIVE: usize = 32;
    /// The default of [`max_exports`](Self::max_exports).
    pub const MAX_EXPORTS: usize = 4;
    /// The default of [`max_live_of_reader`](Self::max_live_of_reader).
    pub const MAX_LIVE_OF_READER: usize = 4;
    /// The default of [`max_exports_of_reader`](Self::max_exports_of_reader).
    pub const MAX_EXPORTS_OF_READER: usize = 2;

    pub(super) fn new<F, Fut>(store: Store, authorise: F) -> Self
    where
        F: Fn(Arc<Parts>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Access> + Send + 'static,
    {
        let nowhere = Pen {
            client: String::new(),
            write: Arc::new(drop),
        };
        Self {
            store,
            authorise: Arc::new(move |parts| Box::pin(authorise(parts))),
            path: String::new(),
            title: "Audit trail".to_owned(),
            sign_in: None,
            frames: Vec::new(),
            pen: Arc::new(move |_| nowhere.clone()),
            destinations: None,
            clock: Arc::new(SystemClock::new()),
            max_live: Self::MAX_LIVE,
            max_exports: Self::MAX_EXPORTS,
            live_of_reader: Self::MAX_LIVE_OF_READER,
            exports_of_reader: Self::MAX_EXPORTS_OF_READER,
            closing: Closing::default(),
        }
    }

    /// Where it is mounted, as the browser sees it: `/audit`. Every link begins with it. Default: the
    /// whole host.
    ///
    /// Requests are taken with this path, or with it stripped, as axum's `nest_service` does.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// The name of the service, for the head of the pages. Default: `Audit trail`.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Where to sign in, as the page for those says who may not read: a path of this host, or an
    /// `https://` address. Default: nothing is said.
    pub fn sign_in(mut self, address: impl Into<String>) -> Self {
        self.sign_in = Some(address.into());
        self
    }

    /// An origin whose pages may show the viewer in a frame: `https://admin.example.com`. Default:
    /// none may.
    pub fn frame_ancestor(mut self, origin: impl Into<String>) -> Self {
        self.frames.push(origin.into());
        self
    }

    /// Takes the records of what is read: `audit.read`, one in five minutes for each reader and
    /// filter, and one more at their end if more was shown than it says; `audit.export`, one when an
    /// export begins and one when it ends. What is open is handed over by
    /// [`Viewer::close`](super::Viewer::close). Default: nothing is recorded.
    ///
    /// It must not block. A panic is logged, and the record is lost. A trail gives an action of the
    /// noun `audit` that a service records another first word; [`Audit::viewer`](crate::Audit::viewer)
    /// writes them as its own.
    pub fn on_read(mut self, on_read: impl Fn(Record) + Send + Sync + 'static) -> Self {
        let pen = Pen {
            client: String::new(),
            write: Arc::new(on_read),
        };
        self.pen = Arc::new(move |_| pen.clone());
        self
    }

    /// As [`on_read`](Self::on_read), with what is known of the request.
    pub(crate) fn pen(mut self, take: impl Fn(&Parts) -> Pen + Send + Sync + 'static) -> Self {
        self.pen = Arc::new(take);
        self
    }

    /// Lists the destinations of the trail, for a page of its own that shows how delivery stands.
    /// Default: there is no such page.
    pub fn destinations(
        mut self,
        list: impl Fn() -> Vec<Destination> + Send + Sync + 'static,
    ) -> Self {
        self.destinations = Some(Arc::new(list));
        self
    }

    /// Where the time comes from. Default: the machine's clock.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// How many live views there may be at once; the next one is answered with 429. Default:
    /// [`MAX_LIVE`](Self::MAX_LIVE).
    pub fn max_live(mut self, streams: usize) -> Self {
        self.max_live = streams;
        self
    }

    /// How many exports may run at once; the next one is answered with 429. Default:
    /// [`MAX_EXPORTS`](Self::MAX_EXPORTS).
    pub fn max_exports(mut self, exports: usize) -> Self {
        self.max_exports = exports;
        self
    }

    /// How many live views one reader, an actor with its reach, may have at once; the next one is
    /// answered with 429. Default: [`MAX_LIVE_OF_READER`](Self::MAX_LIVE_OF_READER). Where everybody
    /// reads as one actor, it bounds all of them.
    pub fn max_live_of_reader(mut self, streams: usize) -> Self {
        self.live_of_reader = streams;
        self
    }

    /// How many exports of one reader, an actor with its reach, may run at once; the next one is
    /// answered with 429. Default: [`MAX_EXPORTS_OF_READER`](Self::MAX_EXPORTS_OF_READER).
    pub fn max_exports_of_reader(mut self, exports: usize) -> Self {
        self.exports_of_reader = exports;
        self
    }

    /// What ends the streams of this viewer.
    pub(crate) fn closing(&self) -> Closing {
        self.closing.clone()
    }

    /// The viewer.
    ///
    /// # Errors
    ///
    /// [`ViewerError`] names the setting that is wrong.
    pub fn build(self) -> Result<Viewer, ViewerError> {
        let short = |text: &str| text.chars().take(80).collect::<String>();
        let base = Base::parse(&self.path)?;
        if let Some(address) = self.sign_in.as_deref().filter(|address| !is_link(address)) {
            let address = short(address);
            return Err(ViewerError::SignIn { address });
        }
        if let Some(origin) = self.frames.iter().find(|origin| !is_origin(origin)) {
            let origin = short(origin);
            return Err(ViewerError::Frame { origin });
        }
        let policy = answer::policy(&self.frames).ok_or_else(|| ViewerError::Frame {
            origin: short(&self.frames.join(" ")),
        })?;
        let live = Hub::new(
            self.store.clone(),
            (self.max_live, self.live_of_reader),
            self.closing.clone(),
        );
        let reads = Arc::<Reads>::default();
        self.closing.at_end(&reads);
        Ok(Viewer::of(Shared {
            live,
            exports: PastExports::new(self.max_exports, self.exports_of_reader),
            reads,
            refusals: Refusals::default(),
            questions: Questions::default(),
            store: self.store,
            authorise: self.authorise,
            base,
            title: self.title,
            sign_in: self.sign_in,
            pen: self.pen,
            destinations: self.destinations,
            clock: self.clock,
            policy,
            closing: self.closing,
        }))
    }
}

/// A link that runs no script and leads where it seems to.
fn is_link(address: &str) -> bool {
    let is_plain = address
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let is_path = address.starts_with('/') && !address.starts_with("//");
    is_plain && (is_path || address.starts_with("https://") || address.starts_with("http://"))
}

fn is_origin(origin: &str) -> bool {
    let host = origin
        .strip_prefix("https://")
        .or_else(|| origin.strip_prefix("http://"));
    host.is_some_and(|host| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]*".contains(&byte);
        !host.is_empty() && host.bytes().all(is_plain)
    })
}

impl fmt::Debug for ViewerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ViewerBuilder")
            .field("path", &self.path)
            .field("title", &self.title)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_runs_no_script_and_an_origin_adds_nothing_to_the_policy() {
        for (link, expected) in [
            ("/login", true),
            ("/login?next=/audit", true),
            ("https://id.example.com/x", true),
            ("//evil.example", false),
            ("javascript:alert(1)", false),
            ("login", false),
            ("/a b", false),
            ("/\\evil.example", false),
            ("", false),
        ] {
            assert_eq!(is_link(link), expected, "{link}");
        }
        for (origin, expected) in [
            ("https://admin.example.com", true),
            ("http://[::1]:8080", true),
            ("https://a;script-src *", false),
            ("https://a/b", false),
            ("https://", false),
            ("*", false),
        ] {
            assert_eq!(is_origin(origin), expected, "{origin}");
        }
    }
}
