//! What all clones of a viewer share.

use std::{fmt, sync::Arc};

use http::HeaderValue;

use super::{
    Destination, access::Authorise, closing::Closing, exports::PastExports, hub::Hub,
    reads::TakePen, refusals::Refusals, route::Base, share::Questions, windows::Reads,
};
use crate::{clock::Clock, store::Store};

/// Lists the destinations of the trail.
pub(super) type ListDestinations = Arc<dyn Fn() -> Vec<Destination> + Send + Sync>;

pub(super) struct Shared {
    pub(super) store: Store,
    pub(super) authorise: Authorise,
    pub(super) base: Base,
    pub(super) title: String,
    pub(super) sign_in: Option<String>,
    pub(super) pen: TakePen,
    pub(super) destinations: Option<ListDestinations>,
    pub(super) clock: Arc<dyn Clock>,
    /// The content security policy of all answers.
    pub(super) policy: HeaderValue,
    pub(super) live: Arc<Hub>,
    pub(super) exports: PastExports,
    pub(super) reads: Arc<Reads>,
    pub(super) refusals: Refusals,
    pub(super) questions: Questions,
    pub(super) closing: Closing,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}
