//! `pinset asterisk`: the switch between the stock module and ours.

mod modules_conf;
mod status;
mod switch;

use clap::Subcommand;

use crate::common::asterisk::modules::Provider;
use crate::common::asterisk::{Asterisk, AsteriskArgs};
use crate::common::error::CommandError;
pub(crate) use modules_conf::Selection;
use switch::SwitchArgs;

/// Chooses the module that provides Authenticate: the stock one or this project's.
#[derive(Debug, clap::Args)]
pub(crate) struct AsteriskCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Replaces the stock module by app_authenticate_rs.so
    Enable(SwitchArgs),
    /// Goes back to the stock module, app_authenticate.so
    Disable(SwitchArgs),
    Status(Status),
}

/// Shows which module is configured and which one runs.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit code: 0 app_authenticate_rs.so is configured, and runs if Asterisk does;
1 the stock module; 2 configured and running modules differ, or there is none;
3 an error.")]
struct Status {
    #[command(flatten)]
    asterisk: AsteriskArgs,
}

pub(crate) fn run(command: &AsteriskCommand) -> Result<u8, CommandError> {
    match &command.action {
        Action::Enable(arguments) => switch::run(arguments, Provider::Ours),
        Action::Disable(arguments) => switch::run(arguments, Provider::Stock),
        Action::Status(status) => status::run(&status.asterisk.find()?),
    }
}

/// Returns what `modules.conf` selects.
pub(crate) fn read_modules_conf(asterisk: &Asterisk) -> Result<Selection, CommandError> {
    status::read(asterisk).map(|(_, selection)| selection)
}
