//! Who may read what.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use http::request::Parts;

use crate::{record::Actor, store::Reach};

/// How often the authoriser is asked again about what streams.
pub(super) const AUTHORISE: Duration = Duration::from_secs(60);

/// What a request may read, as the authoriser of the service decides.
///
/// A reader has a name: what is read is recorded with it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Access {
    /// Nothing.
    Denied,
    /// Everything.
    All(Actor),
    /// What is in reach, and nothing else: nothing outside is counted, offered, exported or found.
    Within(Actor, Reach),
}

/// Somebody who may read.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    pub(super) actor: Actor,
    pub(super) reach: Reach,
}

impl Access {
    pub(super) fn reader(self) -> Option<Reader> {
        match self {
            Self::Denied => None,
            Self::All(actor) => Some(Reader {
                actor,
                reach: Reach::default(),
            }),
            Self::Within(actor, reach) => Some(Reader { actor, reach }),
        }
    }
}

type Deciding = Pin<Box<dyn Future<Output = Access> + Send>>;

/// The authoriser of the service.
pub(super) type Authorise = Arc<dyn Fn(Arc<Parts>) -> Deciding + Send + Sync>;

/// The authoriser panicked: nobody knows who this is, so nothing is shown.
#[derive(Debug)]
pub(super) struct Undecided;

/// Asks the authoriser. What it panics with is kept here.
pub(super) async fn decide(
    authorise: &Authorise,
    parts: &Arc<Parts>,
) -> Result<Option<Reader>, Undecided> {
    let undecided = |_panic| {
        tracing::error!(target: "tower_audit", "the authoriser of the viewer panicked; nothing was shown");
        Undecided
    };
    let call = AssertUnwindSafe(|| authorise(Arc::clone(parts)));
    let mut deciding = catch_unwind(call).map_err(undecided)?;
    let access = std::future::poll_fn(|cx| {
        let poll = AssertUnwindSafe(|| deciding.as_mut().poll(cx));
        match catch_unwind(poll) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(access)) => Poll::Ready(Ok(access)),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    });
    access.await.map(Access::reader).map_err(undecided)
}
