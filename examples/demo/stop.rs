//! When to stop.

use std::time::Duration;

use tower_audit::viewer::Viewer;

/// Ends with Ctrl-C, or with the SIGTERM that supervisors send.
pub(crate) async fn signal() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupted => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    let _ = interrupted.await;
}

/// Ends with the signal; live views would keep the server open.
pub(crate) async fn and_close(viewer: Viewer) {
    signal().await;
    viewer.close();
}

/// Ends when requests had their time after the signal.
pub(crate) async fn overdue(patience: Duration) {
    signal().await;
    tokio::time::sleep(patience).await;
}
