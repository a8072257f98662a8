//! `pinset console`: web pages on which administrators manage PIN sets.

mod access;
mod app;
mod calls;
mod checked;
mod checks;
mod config;
mod contents;
mod cookie;
mod edits;
mod form;
mod guard;
mod hand_out;
mod headers;
mod held;
mod indexes;
mod init;
mod jobs;
mod lists;
mod local_checks;
mod new_pin_set;
mod once;
mod origin;
mod pages;
mod pbx;
mod pbxs;
mod pin_tries;
mod routes;
mod rows;
mod sessions;
mod trail;
mod users;

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener as Listener};
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use clap::Subcommand;

use crate::common::error::{note, CommandError};
use crate::common::finding::Level;
use crate::http::server::{self, StopSignals};
use app::App;
use config::Config;

/// Interval in which what was held long enough is wiped.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(10);

/// Serves the web console, on which administrators manage PIN sets.
///
/// Listens on the loopback address until TLS or a trusted proxy is configured. Stops at
/// SIGTERM once pending requests are answered.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Exit code: 0 stopped, done, or no errors found (--check); 3 an error."
)]
pub(crate) struct Console {
    #[command(subcommand)]
    action: Option<ConsoleAction>,
    /// Configuration file (TOML; see docs/console.md)
    #[arg(long, value_name = "FILE", default_value = config::DEFAULT_FILE)]
    config: PathBuf,
    /// Check the configuration and print what was found
    #[arg(long)]
    check: bool,
}

#[derive(Debug, Subcommand)]
enum ConsoleAction {
    Init(init::Init),
    User(users::command::UserCommand),
}

pub(crate) fn run(arguments: &Console) -> Result<u8, CommandError> {
    match &arguments.action {
        Some(ConsoleAction::Init(arguments)) => init::run(arguments),
        Some(ConsoleAction::User(arguments)) => users::command::run(arguments),
        None => serve_or_check(arguments),
    }
}

fn serve_or_check(arguments: &Console) -> Result<u8, CommandError> {
    let inherited = server::inherited()?;
    let bound = inherited.as_ref().map(Listener::local_addr);
    let bound = bound.transpose().map_err(CommandError::new)?;
    let config = Config::read(&arguments.config, bound)?;
    if arguments.check {
        return check(&config, bound.unwrap_or(config.listen));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(CommandError::new)?;
    let served = runtime.block_on(serve(config, inherited));
    // Requests that are not answered by now are dropped.
    runtime.shutdown_background();
    served.map(|()| 0)
}

/// Prints the URL and the result of each check.
fn check(config: &Config, address: SocketAddr) -> Result<u8, CommandError> {
    let mut findings = checks::findings(config);
    findings.extend(pbxs::check(config)?);
    let has_failed = findings.iter().any(|found| found.level == Level::Error);
    // The console works without the Asterisk on this machine.
    findings.extend(local_checks::findings(config));
    let mut text = format!("{}://{address}\n", config.transport.scheme());
    for finding in &findings {
        text.push_str(&format!("{finding}\n"));
    }
    let mut out = io::stdout().lock();
    let printed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    printed.map_err(CommandError::Output)?;
    match has_failed {
        false => Ok(0),
        true => Err(CommandError::new("some checks have failed")),
    }
}

async fn serve(config: Config, inherited: Option<Listener>) -> Result<(), CommandError> {
    let signals = StopSignals::new()?;
    let listener = server::listen(config.listen, inherited)?;
    let address = listener.local_addr().map_err(CommandError::new)?;
    for finding in checks::findings(&config) {
        if finding.level != Level::Ok {
            note(finding);
        }
    }
    let (pbxs, tasks) = pbxs::start(&config);
    let app = Arc::new(App::open(config, address, pbxs)?);
    let following = app.calls.follow(&app.config)?;
    let router = routes::router(&app);
    tokio::spawn(expire(Arc::downgrade(&app)));
    let served = server::serve(app, router, listener, signals).await;
    tasks.stop().await;
    following.stop();
    served
}

/// Wipes in time what is held, also if nobody comes back for it.
async fn expire(app: Weak<App>) {
    let mut interval = tokio::time::interval(EXPIRY_INTERVAL);
    loop {
        interval.tick().await;
        match app.upgrade() {
            Some(app) => app.expire(Instant::now()),
            None => return,
        }
    }
}
