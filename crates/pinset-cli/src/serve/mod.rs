//! `pinset serve`: verification of callers for PBXs over HTTP (External Management).

mod app;
mod auth;
mod checks;
mod client;
mod config;
mod connection;
mod connections;
mod database;
mod log;
mod metrics;
mod pages;
mod plain_http;
mod prompt_limit;
mod redact;
mod reply;
mod request;
mod routes;
mod secret_file;
mod state;
mod tally;
mod tls;
mod verify;
mod workers;

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener as Listener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use listenfd::ListenFd;
use sd_notify::NotifyState;
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{signal, Signal, SignalKind};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::common::error::{note, At, CommandError};
use app::App;
use config::Config;
use connection::ConnectionShared;
use connections::{ConnectionLimits, Connections};
use metrics::Metrics;
use verify::{PinFiles, VerifyResources};
use workers::Workers;

/// Maximum number of connections that wait to be accepted.
const LISTEN_BACKLOG: u32 = 1024;
/// Time in which pending requests must be answered when the service stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum number of threads that read sounds.
const MAX_SOUND_THREADS: usize = 64;
/// Delay after a failure to accept a connection.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// Verifies callers for PBXs over HTTP (External Management).
///
/// Entries are verified by the code of the module; failed attempts are counted in a
/// file of their own. Stops at SIGTERM once pending requests are answered, and reloads
/// the configuration at SIGHUP. Supports socket activation by systemd.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code: 0 stopped, or no errors found (--check); 3 an error.")]
pub(crate) struct Serve {
    /// Configuration file (TOML; see docs/pinset.md)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Check the configuration and print what would be served
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(arguments: &Serve) -> Result<u8, CommandError> {
    let inherited = inherited()?;
    let bound = inherited.as_ref().map(Listener::local_addr);
    let bound = bound.transpose().map_err(CommandError::new)?;
    let config = Config::read(&arguments.config, bound)?;
    if arguments.check {
        let address = bound.unwrap_or(config.listen);
        return check(config, address);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // These threads only read sounds.
        .max_blocking_threads(MAX_SOUND_THREADS)
        .build()
        .map_err(CommandError::new)?;
    let (state, state_writer) = state::State::open(&config.state)?;
    let (log, log_writer) = match &config.log {
        Some(log) => {
            let (log, writer) = log::RequestLog::open(&log.file, log.days, log.rows)?;
            (Some(log), Some(writer))
        }
        None => (None, None),
    };
    let app = Arc::new(App::new(config, state, log));
    let metrics = Arc::clone(&app.metrics);
    let served = runtime.block_on(serve(app, inherited, &arguments.config));
    // Requests that are not answered by now are dropped.
    runtime.shutdown_background();
    state_writer.finish();
    if let Some(writer) = log_writer {
        writer.finish();
    }
    metrics.flush();
    served.map(|()| 0)
}

/// Prints what would be served.
fn check(config: Config, address: SocketAddr) -> Result<u8, CommandError> {
    let pin_files = PinFiles {
        config: Arc::new(config),
        resources: Arc::new(VerifyResources::new()),
        metrics: Arc::new(Metrics::new()),
    };
    let config = &pin_files.config;
    let mut out = io::stdout().lock();
    let scheme = if config.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let mut wrong = 0;
    for service in config.services.values() {
        writeln!(
            out,
            "{}: {scheme}://{}{}",
            service.name, address, service.path
        )
        .map_err(CommandError::Output)?;
        match pin_files.check(service) {
            Ok(warnings) => warnings
                .iter()
                .for_each(|warning| note(format!("service '{}': {warning}", service.name))),
            Err(why) => {
                note(format!(
                    "service '{}' would admit nobody: {why}",
                    service.name
                ));
                wrong += 1;
            }
        }
    }
    pin_files.metrics.flush();
    out.flush().map_err(CommandError::Output)?;
    match wrong {
        0 => Ok(0),
        _ => Err(CommandError::new("some services would admit nobody")),
    }
}

async fn serve(
    app: Arc<App>,
    inherited: Option<Listener>,
    path: &Path,
) -> Result<(), CommandError> {
    let config = app.config();
    let reload = signal(SignalKind::hangup()).map_err(CommandError::new)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(CommandError::new)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(CommandError::new)?;
    let listener = listen(&config, inherited)?;
    let address = listener.local_addr().map_err(CommandError::new)?;
    let scheme = if config.tls.is_some() {
        "https"
    } else {
        "http"
    };
    report_pin_files(&app, &config);
    let mut out = io::stdout().lock();
    writeln!(out, "listening on {scheme}://{address}")
        .and_then(|()| out.flush())
        .map_err(CommandError::Output)?;
    drop(out);
    // Without systemd, there is nothing to notify.
    let _ = sd_notify::notify(false, &[NotifyState::Ready]);
    let (stop, stopping) = watch::channel(false);
    drop(config);
    let connections = Arc::new(Connections::default());
    let shared = ConnectionShared {
        app: Arc::clone(&app),
        router: routes::router(Arc::clone(&app)),
        stopping,
    };
    let accepting = tokio::spawn(accept(listener, Arc::clone(&connections), shared));
    // A hung file delays only the next reload, not the other signals.
    let reloading = tokio::spawn(reload_at_signal(reload, app, path.to_owned(), address));
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    reloading.abort();
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

/// Returns the socket that systemd passed, if there is one.
fn inherited() -> Result<Option<Listener>, CommandError> {
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
fn listen(config: &Config, inherited: Option<Listener>) -> Result<TcpListener, CommandError> {
    if let Some(listener) = inherited {
        return into_tokio(listener).map_err(CommandError::new);
    }
    let bind = || {
        let socket = match config.listen.is_ipv4() {
            true => TcpSocket::new_v4(),
            false => TcpSocket::new_v6(),
        }?;
        socket.set_reuseaddr(true)?;
        socket.bind(config.listen)?;
        socket.listen(LISTEN_BACKLOG)
    };
    bind().at(Path::new(&config.listen.to_string()))
}

fn into_tokio(listener: Listener) -> io::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

async fn accept(listener: TcpListener, connections: Arc<Connections>, shared: ConnectionShared) {
    let app = Arc::clone(&shared.app);
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let config = app.config();
                let limits = ConnectionLimits {
                    all: config.limits.connections,
                    of_client: config.limits.connections_per_address,
                };
                let client = connections::client(peer.ip(), &config.trusted_proxies);
                let ended = |reason| app.metrics.connection_evicted(reason);
                // While all connections have requests, new ones wait in the socket.
                let Some(slot) = connections.slot(client, limits, ended).await else {
                    app.metrics.connection_refused();
                    continue;
                };
                tokio::spawn(connection::serve(shared.clone(), stream, peer, slot));
            }
            Err(error) => {
                let why = format!("connections can't be accepted: {error}");
                shared.app.metrics.warn(&why);
                sleep(ACCEPT_RETRY_DELAY).await;
            }
        }
    }
}

/// Reloads the configuration at each SIGHUP. Signals during a reload cause one more.
async fn reload_at_signal(mut reload: Signal, app: Arc<App>, path: PathBuf, bound: SocketAddr) {
    let reader = Workers::new(1, 1);
    while reload.recv().await.is_some() {
        reload_once(&app, &path, bound, &reader).await;
    }
}

/// Reloads the configuration. An invalid one is not put in force.
async fn reload_once(app: &Arc<App>, path: &Path, bound: SocketAddr, reader: &Workers) {
    let ours = path.to_owned();
    let Ok(read) = reader.run(move || Config::read(&ours, Some(bound))) else {
        let why = "the configuration can't be read: the system has no more threads";
        return app.metrics.note(why.to_owned());
    };
    let read = read.await;
    match read {
        Ok(Ok(config)) => {
            let before = app.config();
            let same = before.listen == config.listen
                && before.state == config.state
                && before.log.as_ref().map(config::Log::place)
                    == config.log.as_ref().map(config::Log::place);
            app.put(config);
            report_pin_files(app, &app.config());
            app.metrics.note(format!("{}: loaded", path.display()));
            if !same {
                let why = "changes of listen, state and [log] take effect after a restart";
                app.metrics.note(why.to_owned());
            }
        }
        Ok(Err(why)) => {
            let why = format!("{why}; the previous configuration stays in force");
            app.metrics.note(why);
        }
        Err(_) => {
            let why = format!(
                "{}: internal error; the previous configuration stays in force",
                path.display()
            );
            app.metrics.note(why);
        }
    }
}

/// Reports PIN files that can't be used, while the others are served.
fn report_pin_files(app: &Arc<App>, config: &Arc<Config>) {
    for service in config.services.values() {
        let (pin_files, service) = (app.pin_files(config), Arc::clone(service));
        tokio::spawn(async move {
            let (metrics, name) = (Arc::clone(&pin_files.metrics), service.name.clone());
            match pin_files.health(service).await {
                Ok(warnings) => warnings
                    .iter()
                    .for_each(|warning| metrics.warn(&format!("service '{name}': {warning}"))),
                Err(why) => metrics.warn(&format!("service '{name}' admits nobody: {why}")),
            }
        });
    }
}
