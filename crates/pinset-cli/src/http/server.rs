//! The socket, from its start to the stop by a signal.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener as Listener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use listenfd::ListenFd;
use sd_notify::NotifyState;
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{signal, Signal, SignalKind};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::common::error::{note, At, CommandError};
use crate::http::connection::{self, ConnectionShared};
use crate::http::connections::{self, CloseReason, ConnectionLimits, Connections};
use crate::http::options::Transport;

/// Maximum number of connections that wait to be accepted.
const LISTEN_BACKLOG: u32 = 1024;
/// Time in which pending requests must be answered when the server stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// Delay after a failure to accept a connection.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// The program that a server belongs to.
pub(crate) trait Host: Send + Sync + 'static {
    /// Returns how connections are accepted, as configured now.
    fn transport(&self) -> Arc<Transport>;

    /// Takes note that a connection was closed for another.
    fn connection_evicted(&self, _reason: CloseReason) {}

    /// Takes note that a connection was refused, because its client has too many.
    fn connection_refused(&self) {}

    /// Reports a failure on standard error.
    fn warn(&self, why: &str);
}

/// The signals that end a server. From its creation on, they are not missed.
pub(crate) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    pub(crate) fn new() -> Result<Self, CommandError> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).map_err(CommandError::new)?,
            interrupt: signal(SignalKind::interrupt()).map_err(CommandError::new)?,
        })
    }
}

/// Returns the socket that systemd passed, if there is one.
pub(crate) fn inherited() -> Result<Option<Listener>, CommandError> {
    let mut sockets = ListenFd::from_env();
    if sockets.len() > 1 {
        let why = format!(
            "{} sockets are inherited, but only one is supported: the socket unit must have one \
             ListenStream=",
            sockets.len()
        );
        return Err(CommandError::new(why));
    }
    let why = |why| format!("the inherited socket can't be used: {why}");
    sockets
        .take_tcp_listener(0)
        .map_err(|error| CommandError::new(why(error)))
}

/// Listens on the inherited socket, or on a new one.
pub(crate) fn listen(
    address: SocketAddr,
    inherited: Option<Listener>,
) -> Result<TcpListener, CommandError> {
    if let Some(listener) = inherited {
        return into_tokio(listener).map_err(CommandError::new);
    }
    let bind = || {
        let socket = match address.is_ipv4() {
            true => TcpSocket::new_v4(),
            false => TcpSocket::new_v6(),
        }?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(LISTEN_BACKLOG)
    };
    bind().at(Path::new(&address.to_string()))
}

fn into_tokio(listener: Listener) -> io::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// Serves until a signal, and then until pending requests are answered. Reports the
/// address on standard output, and to systemd that the service has started.
pub(crate) async fn serve(
    host: Arc<dyn Host>,
    router: Router,
    listener: TcpListener,
    mut signals: StopSignals,
) -> Result<(), CommandError> {
    let address = listener.local_addr().map_err(CommandError::new)?;
    let mut out = io::stdout().lock();
    let scheme = host.transport().scheme();
    writeln!(out, "listening on {scheme}://{address}")
        .and_then(|()| out.flush())
        .map_err(CommandError::Output)?;
    drop(out);
    // Without systemd, there is nothing to notify.
    let _ = sd_notify::notify(false, &[NotifyState::Ready]);
    let (stop, stopping) = watch::channel(false);
    let connections = Arc::new(Connections::default());
    let shared = ConnectionShared {
        host,
        router,
        stopping,
    };
    let accepting = tokio::spawn(accept(listener, Arc::clone(&connections), shared));
    tokio::select! {
        _ = signals.terminate.recv() => {}
        _ = signals.interrupt.recv() => {}
    }
    let _ = sd_notify::notify(false, &[NotifyState::Stopping]);
    accepting.abort();
    // Accepted connections are served.
    let _ = accepting.await;
    let _ = stop.send(true);
    if timeout(STOP_TIMEOUT, connections.ended()).await.is_err() {
        note("some connections did not end in time");
    }
    Ok(())
}

async fn accept(listener: TcpListener, connections: Arc<Connections>, shared: ConnectionShared) {
    let host = Arc::clone(&shared.host);
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let transport = host.transport();
                let limits = ConnectionLimits {
                    all: transport.limits.connections,
                    of_client: transport.limits.connections_per_address,
                };
                let client = connections::client(peer.ip(), &transport.trusted_proxies);
                let ended = |reason| host.connection_evicted(reason);
                // While all connections have requests, new ones wait in the socket.
                let Some(slot) = connections.slot(client, limits, ended).await else {
                    host.connection_refused();
                    continue;
                };
                tokio::spawn(connection::serve(shared.clone(), stream, peer, slot));
            }
            Err(error) => {
                host.warn(&format!("connections can't be accepted: {error}"));
                sleep(ACCEPT_RETRY_DELAY).await;
            }
        }
    }
}
