//! `harness`: Asterisk in a container, to try calls, run demonstrations, or explore.

#![forbid(unsafe_code)]

mod commands;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Places calls of Authenticate() on an Asterisk in a container of its own.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Places one call and tells what became of it.
    Call(commands::call::Arguments),
    /// Places a handful of calls and explains them.
    Demo(commands::demo::Arguments),
    /// Measures what a call costs, on the stock module and on ours.
    Bench(commands::bench::Arguments),
    /// Counts the instructions of a call, on the stock module and on ours.
    BenchInstructions(commands::bench_instructions::Arguments),
    /// Measures what a web service adds to a call, beside libcurl alone.
    BenchExternal(commands::external::Arguments),
    /// Measures PIN sets in PostgreSQL, beside Realtime, ODBC and pgbench.
    BenchCluster(commands::bench_cluster::Arguments),
    /// Measures load and reload of the module with many PIN sets.
    BenchStart(commands::bench_start::Arguments),
    /// Places many calls in one PBX while much else happens, and checks each.
    Soak(commands::soak::Arguments),
    /// Starts a PBX for a SIP phone of yours and opens its console.
    Shell(commands::shell::Arguments),
    /// Starts the web console beside a PBX with sample PIN sets and calls.
    Console(commands::console::Arguments),
    /// Starts two PBXs with PIN sets in one PostgreSQL, and places calls on both.
    Cluster(commands::cluster::Arguments),
    /// Builds the container image unless it is there, and names it.
    Image(commands::image::Arguments),
    /// Removes what harnesses that were killed have left.
    Clean,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    ctrlc::set_handler(|| {
        if let Ok(engine) = harness::Engine::find() {
            harness::remove_own(&engine);
        }
        std::process::exit(130);
    })?;
    match arguments.command {
        Command::Call(arguments) => commands::call::run(&arguments),
        Command::Demo(arguments) => commands::demo::run(&arguments),
        Command::Bench(arguments) => commands::bench::run(&arguments),
        Command::BenchInstructions(arguments) => commands::bench_instructions::run(&arguments),
        Command::BenchExternal(arguments) => commands::external::run(&arguments),
        Command::BenchCluster(arguments) => commands::bench_cluster::run(&arguments),
        Command::BenchStart(arguments) => commands::bench_start::run(&arguments),
        Command::Soak(arguments) => commands::soak::run(&arguments),
        Command::Shell(arguments) => commands::shell::run(&arguments),
        Command::Console(arguments) => commands::console::run(&arguments),
        Command::Cluster(arguments) => commands::cluster::run(&arguments),
        Command::Image(arguments) => commands::image::run(&arguments),
        Command::Clean => commands::image::clean(),
    }
}
