//! Tests with an AMI server in the test.

mod connection;
mod events;
mod requests;
mod security;
mod server;

use std::future::Future;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::state::PbxState;
use super::{PbxClient, PbxOptions, Timing};
use server::FakePbx;

/// Longest wait for something that happens at once.
const DEADLINE: Duration = Duration::from_secs(60);

/// Time limits for tests that wait for what is sent, not for time to pass.
const PATIENT: Timing = Timing {
    connect: DEADLINE,
    answer: DEADLINE,
    idle: DEADLINE,
    first_retry: Duration::from_millis(1),
    last_retry: Duration::from_millis(1),
};

async fn within<T>(work: impl Future<Output = T>) -> T {
    timeout(DEADLINE, work).await.expect("in time")
}

/// A client, and what stops it.
struct Started {
    client: PbxClient,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

fn start(options: PbxOptions) -> Started {
    let (stop, stopping) = watch::channel(false);
    let (client, task) = PbxClient::start(options, stopping);
    Started { client, stop, task }
}

/// Waits for a state.
async fn state(client: &PbxClient, wanted: impl Fn(&PbxState) -> bool) -> PbxState {
    let mut states = client.states();
    let state = within(states.wait_for(wanted)).await.expect("a client");
    PbxState::clone(&state)
}

/// Waits until the PBX is down and returns the reason.
async fn failure(client: &PbxClient) -> String {
    match state(client, |state| matches!(state, PbxState::Down(_))).await {
        PbxState::Down(outage) => outage.why.to_string(),
        other => panic!("{other:?}"),
    }
}

/// Returns a client that is connected, and the other end.
async fn connected(timing: Timing) -> (Started, FakePbx, server::FakeSession) {
    let pbx = FakePbx::new().await;
    let started = start(PbxOptions {
        timing,
        ..pbx.options()
    });
    let session = within(pbx.accept_login()).await;
    state(&started.client, |state| matches!(state, PbxState::Up)).await;
    (started, pbx, session)
}
