//! `pinset serve`: verification of callers for PBXs over HTTP (External Management).

mod app;
mod auth;
mod checks;
mod config;
mod database;
mod log;
mod metrics;
mod pages;
mod pin_files;
mod prompt_limit;
mod redact;
mod reply;
mod request;
mod routes;
mod slots;
mod state;
mod stored;
mod tally;
mod verify;

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener as Listener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::signal::unix::{signal, Signal, SignalKind};

use crate::common::error::{note, CommandError};
use crate::common::workers::Workers;
use crate::http::server::{self, StopSignals};
use app::App;
use config::Config;
use metrics::Metrics;
use pin_files::{PinFiles, VerifyResources};

/// Maximum number of threads that read sounds.
const MAX_SOUND_THREADS: usize = 64;

/// Verifies callers for PBXs over HTTP (External Management).
///
/// Entries are verified by the code of the module; failed attempts are counted in a
/// file of their own, or in the database of the PIN set. Stops at SIGTERM once pending
/// requests are answered, and reloads the configuration at SIGHUP. Supports socket
/// activation by systemd.
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
    let inherited = server::inherited()?;
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
    let scheme = config.transport.scheme();
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
    let signals = StopSignals::new()?;
    let listener = server::listen(config.listen, inherited)?;
    let address = listener.local_addr().map_err(CommandError::new)?;
    report_pin_files(&app, &config);
    drop(config);
    let router = routes::router(Arc::clone(&app));
    let host = Arc::clone(&app);
    // A hung file delays only the next reload, not the other signals.
    let reloading = tokio::spawn(reload_at_signal(reload, app, path.to_owned(), address));
    let served = server::serve(host, router, listener, signals).await;
    reloading.abort();
    served
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
