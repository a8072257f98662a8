//! `harness console`.

use std::io::{self, IsTerminal};
use std::thread;

use anyhow::Result;
use harness::Console;

/// Nothing to choose.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {}

pub(crate) fn run(_: &Arguments) -> Result<()> {
    let console = Console::start()?;
    println!("Placing sample calls.");
    console.place_calls()?;
    println!("\n  URL       {}", console.url("/"));
    println!("  user      {}", Console::ADMIN);
    println!("  password  {}\n", console.password());
    if io::stdin().is_terminal() {
        println!("Ctrl-C ends the console and Asterisk.");
        loop {
            thread::park();
        }
    }
    println!("The console runs until stdin ends.");
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(())
}
