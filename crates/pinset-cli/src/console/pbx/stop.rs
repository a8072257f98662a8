//! The end of the console.

use tokio::sync::watch;

/// Waits until the console stops.
pub(super) async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // A sender that is dropped can't report the stop any more.
    let _ = stopping.wait_for(|stops| *stops).await;
}
