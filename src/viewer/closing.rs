//! The end of a viewer: its streams end, and no new one begins.

use tokio::sync::watch;

/// Tells everybody that it is over; every clone is the same.
#[derive(Debug, Clone)]
pub(crate) struct Closing(watch::Sender<bool>);

impl Default for Closing {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Closing {
    pub(crate) fn close(&self) {
        self.0.send_replace(true);
    }

    /// Whether anybody else still listens to it.
    pub(crate) fn is_in_use(&self) -> bool {
        self.0.sender_count() > 1
    }

    pub(super) fn is_closed(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is over.
    pub(super) async fn closed(&self) {
        let mut told = self.0.subscribe();
        // An error would mean that this sender is gone.
        let _ = told.wait_for(|closed| *closed).await;
    }
}
