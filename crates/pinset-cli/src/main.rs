//! `pinset`, the command for the PIN files of `Authenticate()`.
#![forbid(unsafe_code)]

mod commands;
mod common;
mod console;
mod http;
mod installation;
mod pin_files;
mod reports;
mod serve;

use std::io;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use commands::{
    add, asterisk, change, check, convert, database, doctor, documents, generate, hash, pepper,
    remove, report, verify,
};
use common::core_dumps;
use common::error::{note, CommandError};

/// The exit code of a wrong command line, and of a command that failed.
const FAILED: u8 = 3;

/// Creates, changes and checks the PIN files of Authenticate()
#[derive(Debug, Parser)]
#[command(name = "pinset", version = env!("PINSET_VERSION"))]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Add(add::Add),
    Asterisk(asterisk::AsteriskCommand),
    Change(change::Change),
    Check(check::Check),
    Console(console::Console),
    Convert(convert::Convert),
    Database(database::DatabaseCommand),
    Doctor(doctor::Doctor),
    #[command(hide = true)]
    Documents(documents::Documents),
    Generate(generate::Generate),
    Hash(hash::Hash),
    Pepper(pepper::PepperCommand),
    Remove(remove::Remove),
    Report(report::Report),
    Serve(serve::Serve),
    Verify(verify::Verify),
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() { FAILED } else { 0 };
            // A failure to print can't be reported anywhere.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    if let Err(error) = core_dumps::forbid() {
        note(format!("core dumps can't be disabled: {error}"));
    }
    let done = match &arguments.command {
        Command::Add(add) => add::run(add),
        Command::Asterisk(command) => asterisk::run(command),
        Command::Change(change) => change::run(change),
        Command::Check(check) => check::run(check),
        Command::Console(console) => console::run(console),
        Command::Convert(convert) => convert::run(convert),
        Command::Database(command) => database::run(command),
        Command::Doctor(doctor) => doctor::run(doctor),
        Command::Documents(documents) => documents::run(documents, Arguments::command()),
        Command::Generate(generate) => generate::run(generate),
        Command::Hash(hash) => hash::run(hash),
        Command::Pepper(pepper) => pepper::run(pepper),
        Command::Remove(remove) => remove::run(remove),
        Command::Report(report) => report::run(report),
        Command::Serve(serve) => serve::run(serve),
        Command::Verify(verify) => verify::run(verify),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // A reader that closes the pipe wants no more output.
            let closed = matches!(&error, CommandError::Output(error)
                if error.kind() == io::ErrorKind::BrokenPipe);
            if !closed {
                note(error);
            }
            ExitCode::from(FAILED)
        }
    }
}
