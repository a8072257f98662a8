//! `pinset serve`: answers PBXs that ask by External Management.

mod app;
mod auth;
mod checks;
mod client;
mod config;
mod connection;
mod database;
mod ingress;
mod judging;
mod log;
mod mask;
mod metrics;
mod secret_file;
mod state;
mod tls;
mod workers;

use std::io::{self, Write};
use std::net::TcpListener as Listener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use listenfd::ListenFd;
use sd_notify::NotifyState;
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{signal, SignalKind};
use tokio::sync::{watch, Semaphore};
use tokio::time::{sleep, timeout};

use crate::failure::{note, At, Failure};
use app::App;
use config::Config;
use connection::Shared;
use judging::{Bench, Lists};
use metrics::Metrics;

/// So many connections wait to be accepted.
const BACKLOG: u32 = 1024;
/// How long what is under way has, when the service stops.
const STOP: Duration = Duration::from_secs(10);
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

pub fn run(arguments: &Serve) -> Result<u8, Failure> {
    let config = Config::read(&arguments.config)?;
    if arguments.check {
        return check(config);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::told)?;
    let (state, state_writer) = state::State::open(&config.state)?;
    let (log, log_writer) = match &config.log {
        Some(log) => {
            let (log, writer) = log::Log::open(&log.file, log.days, log.rows)?;
            (Some(log), Some(writer))
        }
        None => (None, None),
    };
    let app = Arc::new(App::new(config, state, log));
    let served = runtime.block_on(serve(app, &arguments.config));
    // What is not answered by now is given up.
    runtime.shutdown_background();
    state_writer.finish();
    if let Some(writer) = log_writer {
        writer.finish();
    }
    served.map(|()| 0)
}

/// Says what would be served.
fn check(config: Config) -> Result<u8, Failure> {
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
            service.name, config.listen, service.path
        )
        .map_err(Failure::Output)?;
        if let Err(why) = lists.check(service) {
            note(format!(
                "service '{}' would admit nobody: {why}",
                service.name
            ));
            wrong += 1;
        }
    }
    out.flush().map_err(Failure::Output)?;
    match wrong {
        0 => Ok(0),
        _ => Err(Failure::told("some services would admit nobody")),
    }
}

async fn serve(app: Arc<App>, path: &Path) -> Result<(), Failure> {
    let config = app.config();
    let mut reload = signal(SignalKind::hangup()).map_err(Failure::told)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::told)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::told)?;
    let listener = listen(&config)?;
    let address = listener.local_addr().map_err(Failure::told)?;
    let scheme = if config.tls.is_some() {
        "https"
    } else {
        "http"
    };
    tell_lists(&app, &config);
    let mut out = io::stdout().lock();
    writeln!(out, "listening on {scheme}://{address}")
        .and_then(|()| out.flush())
        .map_err(Failure::Output)?;
    drop(out);
    // Without systemd there is nobody to tell.
    let _ = sd_notify::notify(false, &[NotifyState::Ready]);
    let (stop, stopping) = watch::channel(false);
    let most = config.limits.connections;
    drop(config);
    let places = Arc::new(Semaphore::new(most));
    let shared = Shared {
        app: Arc::clone(&app),
        router: app::router(Arc::clone(&app)),
        stopping,
    };
    let accepting = tokio::spawn(accept(listener, Arc::clone(&places), shared));
    loop {
        tokio::select! {
            _ = reload.recv() => read_again(&app, path).await,
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    let _ = sd_notify::notify(false, &[NotifyState::Stopping]);
    accepting.abort();
    // What was accepted is served.
    let _ = accepting.await;
    let _ = stop.send(true);
    let all = u32::try_from(most).unwrap_or(u32::MAX);
    if timeout(STOP, places.acquire_many(all)).await.is_err() {
        note("some connections did not end in time");
    }
    Ok(())
}

/// The socket of systemd, or one of our own.
fn listen(config: &Config) -> Result<TcpListener, Failure> {
    let inherited = ListenFd::from_env().take_tcp_listener(0);
    if let Some(listener) = inherited.map_err(Failure::told)? {
        return taken(listener).map_err(Failure::told);
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

async fn accept(listener: TcpListener, places: Arc<Semaphore>, shared: Shared) {
    loop {
        // Who comes above that waits in the socket.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, peer)) => {
                let shared = shared.clone();
                tokio::spawn(async move {
                    connection::serve(shared, stream, peer).await;
                    drop(place);
                });
            }
            Err(error) => {
                let why = format!("connections can't be accepted: {error}");
                shared.app.metrics.say(&why);
                sleep(AGAIN).await;
            }
        }
    }
}

/// Reads the configuration anew; a wrong one is not taken.
async fn read_again(app: &Arc<App>, path: &Path) {
    let ours = path.to_owned();
    let read = tokio::task::spawn_blocking(move || Config::read(&ours)).await;
    match read {
        Ok(Ok(config)) => {
            let before = app.config();
            let same = before.listen == config.listen
                && before.state == config.state
                && before.limits.connections == config.limits.connections
                && before.log.as_ref().map(config::Log::place)
                    == config.log.as_ref().map(config::Log::place);
            app.put(config);
            tell_lists(app, &app.config());
            note(format!("{}: in force", path.display()));
            if !same {
                note("listen, state, connections and what is logged change with a restart");
            }
        }
        Ok(Err(why)) => note(format!("{why}; what was in force stays so")),
        Err(why) => note(format!("{why}; what was in force stays so")),
    }
}

/// Tells of lists that can't be used, while others are served.
fn tell_lists(app: &Arc<App>, config: &Arc<Config>) {
    for service in config.services.values() {
        let (lists, service) = (app.lists(config), Arc::clone(service));
        tokio::spawn(async move {
            let (metrics, name) = (Arc::clone(&lists.metrics), service.name.clone());
            if let Err(why) = lists.health(service).await {
                metrics.say(&format!("service '{name}' admits nobody: {why}"));
            }
        });
    }
}
