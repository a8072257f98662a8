//! `pinset serve`: answers PBXs that ask by External Management.

mod app;
mod asks;
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
use connection::Shared;
use connections::{Connections, Most};
use metrics::Metrics;
use verify::{Bench, Lists};
use workers::Workers;

/// So many connections wait to be accepted.
const BACKLOG: u32 = 1024;
/// How long what is under way has, when the service stops.
const STOP: Duration = Duration::from_secs(10);
/// The most threads that read sounds.
const SOUND_THREADS: usize = 64;
/// How long it is before it is tried again, where the system has no more
/// connections.
const AGAIN: Duration = Duration::from_millis(100);

/// Answers PBXs that ask by External Management whether a caller is admitted.
///
/// Entries are judged by the code of the module; what was wrong is counted in a
/// file of its own. Stops at SIGTERM once what is under way is answered; reads
/// the configuration anew at SIGHUP. Sockets of systemd are taken.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code: 0 stopped, or nothing is wrong (--check); 3 an error.")]
pub struct Serve {
    /// The configuration (TOML; docs/pinset.md)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Read everything, say what would be served, and serve nothing
    #[arg(long)]
    check: bool,
}

pub fn run(arguments: &Serve) -> Result<u8, CommandError> {
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
        // Sounds are read on them, and nothing else is.
        .max_blocking_threads(SOUND_THREADS)
        .build()
        .map_err(CommandError::new)?;
    let (state, state_writer) = state::State::open(&config.state)?;
    let (log, log_writer) = match &config.log {
        Some(log) => {
            let (log, writer) = log::Log::open(&log.file, log.days, log.rows)?;
            (Some(log), Some(writer))
        }
        None => (None, None),
    };
    let app = Arc::new(App::new(config, state, log));
    let metrics = Arc::clone(&app.metrics);
    let served = runtime.block_on(serve(app, inherited, &arguments.config));
    // What is not answered by now is given up.
    runtime.shutdown_background();
    state_writer.finish();
    if let Some(writer) = log_writer {
        writer.finish();
    }
    metrics.flush();
    served.map(|()| 0)
}

/// Says what would be served.
fn check(config: Config, address: SocketAddr) -> Result<u8, CommandError> {
    let lists = Lists {
        config: Arc::new(config),
        bench: Arc::new(Bench::new()),
        metrics: Arc::new(Metrics::new()),
    };
    let config = &lists.config;
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
        match lists.check(service) {
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
    lists.metrics.flush();
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
    tell_lists(&app, &config);
    let mut out = io::stdout().lock();
    writeln!(out, "listening on {scheme}://{address}")
        .and_then(|()| out.flush())
        .map_err(CommandError::Output)?;
    drop(out);
    // Without systemd there is nobody to tell.
    let _ = sd_notify::notify(false, &[NotifyState::Ready]);
    let (stop, stopping) = watch::channel(false);
    drop(config);
    let connections = Arc::new(Connections::default());
    let shared = Shared {
        app: Arc::clone(&app),
        router: routes::router(Arc::clone(&app)),
        stopping,
    };
    let accepting = tokio::spawn(accept(listener, Arc::clone(&connections), shared));
    // A file that hangs keeps no signal waiting but the next of its kind.
    let reloading = tokio::spawn(reload_at(reload, app, path.to_owned(), address));
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    reloading.abort();
    let _ = sd_notify::notify(false, &[NotifyState::Stopping]);
    accepting.abort();
    // What was accepted is served.
    let _ = accepting.await;
    let _ = stop.send(true);
    if timeout(STOP, connections.ended()).await.is_err() {
        note("some connections did not end in time");
    }
    Ok(())
}

/// Returns the socket of systemd, if there is one.
fn inherited() -> Result<Option<Listener>, CommandError> {
    let mut sockets = ListenFd::from_env();
    if sockets.len() > 1 {
        let why = format!(
            "{} sockets are inherited, and one is served: the unit of the socket must have one \
             ListenStream=",
            sockets.len()
        );
        return Err(CommandError::new(why));
    }
    let why = |why| format!("the socket that is inherited can't be used: {why}");
    sockets
        .take_tcp_listener(0)
        .map_err(|error| CommandError::new(why(error)))
}

/// Listens on that socket, or on one of our own.
fn listen(config: &Config, inherited: Option<Listener>) -> Result<TcpListener, CommandError> {
    if let Some(listener) = inherited {
        return taken(listener).map_err(CommandError::new);
    }
    let bind = || {
        let socket = match config.listen.is_ipv4() {
            true => TcpSocket::new_v4(),
            false => TcpSocket::new_v6(),
        }?;
        socket.set_reuseaddr(true)?;
        socket.bind(config.listen)?;
        socket.listen(BACKLOG)
    };
    bind().at(Path::new(&config.listen.to_string()))
}

fn taken(listener: Listener) -> io::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

async fn accept(listener: TcpListener, connections: Arc<Connections>, shared: Shared) {
    let app = Arc::clone(&shared.app);
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let config = app.config();
                let most = Most {
                    all: config.limits.connections,
                    of_client: config.limits.connections_per_address,
                };
                let client = connections::client(peer.ip(), &config.trusted_proxies);
                let ended = |reason| app.metrics.made_room(reason);
                // If all have requests, those that come wait in the socket.
                let Some(place) = connections.place(client, most, ended).await else {
                    app.metrics.refused();
                    continue;
                };
                tokio::spawn(connection::serve(shared.clone(), stream, peer, place));
            }
            Err(error) => {
                let why = format!("connections can't be accepted: {error}");
                shared.app.metrics.say(&why);
                sleep(AGAIN).await;
            }
        }
    }
}

/// Reads the configuration at each SIGHUP. Those that come meanwhile are one.
async fn reload_at(mut reload: Signal, app: Arc<App>, path: PathBuf, bound: SocketAddr) {
    let reader = Workers::new(1, 1);
    while reload.recv().await.is_some() {
        read_again(&app, &path, bound, &reader).await;
    }
}

/// Reads the configuration anew; a wrong one is not taken.
async fn read_again(app: &Arc<App>, path: &Path, bound: SocketAddr, reader: &Workers) {
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
            tell_lists(app, &app.config());
            app.metrics.note(format!("{}: in force", path.display()));
            if !same {
                let why = "listen, state and what is logged change with a restart";
                app.metrics.note(why.to_owned());
            }
        }
        Ok(Err(why)) => {
            let why = format!("{why}; what was in force stays so");
            app.metrics.note(why);
        }
        Err(_) => {
            let why = format!(
                "{}: internal error; what was in force stays so",
                path.display()
            );
            app.metrics.note(why);
        }
    }
}

/// Tells of lists that can't be used, while others are served.
fn tell_lists(app: &Arc<App>, config: &Arc<Config>) {
    for service in config.services.values() {
        let (lists, service) = (app.lists(config), Arc::clone(service));
        tokio::spawn(async move {
            let (metrics, name) = (Arc::clone(&lists.metrics), service.name.clone());
            match lists.health(service).await {
                Ok(warnings) => warnings
                    .iter()
                    .for_each(|warning| metrics.say(&format!("service '{name}': {warning}"))),
                Err(why) => metrics.say(&format!("service '{name}' admits nobody: {why}")),
            }
        });
    }
}
