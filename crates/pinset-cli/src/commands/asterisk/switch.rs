//! `pinset asterisk enable` and `disable`: first the file, then the running Asterisk. If
//! the new module can't be loaded, both are taken back.

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, SigmaskHow, Signal};

use crate::commands::asterisk::modules_conf::ModulesConf;
use crate::common::asterisk::modules::{check_file, Provider, Started};
use crate::common::asterisk::{Asterisk, AsteriskArgs, CliError};
use crate::common::atomic_file::LockedFile;
use crate::common::error::{note, At, CommandError};

/// The exit code if the file is changed, but Asterisk still runs the other module.
const PENDING: u8 = 1;

/// How often Asterisk is asked whether a call is in the module: it announces no event.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// How often an edit is repeated if another program changes the file meanwhile.
const MAX_EDITS: usize = 10;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Changes modules.conf: 'noload' for the one module and, without autoload=yes, 'load'
for the other one. All other lines, owner and mode stay. Then waits until no call is
in Authenticate, unloads the one module and loads the other one. If that fails,
everything is taken back. If Asterisk does not run, the change takes effect when it
starts.

Exit code: 0 done; 1 modules.conf is changed, but a call is still in Authenticate,
so that the change takes effect at the next restart of Asterisk, or if the command
is repeated; 3 an error, nothing has changed.")]
pub(super) struct SwitchArgs {
    /// Longest wait, in seconds, until no call is in Authenticate
    #[arg(long, value_name = "SECONDS", default_value_t = 300, conflicts_with_all = ["now", "no_reload"])]
    wait: u64,
    /// Do not wait for calls; a module that a call is using is never unloaded
    #[arg(long, conflicts_with = "no_reload")]
    now: bool,
    /// Change modules.conf only; a restart of Asterisk activates the change
    #[arg(long)]
    no_reload: bool,
    #[command(flatten)]
    asterisk: AsteriskArgs,
}

pub(super) fn run(arguments: &SwitchArgs, module: Provider) -> Result<u8, CommandError> {
    let asterisk = arguments.asterisk.find()?;
    let started = match Started::ask(&asterisk) {
        Ok(started) => Some(started),
        Err(CliError::NotRunning) => None,
        Err(CliError::Program { .. }) if arguments.no_reload => None,
        Err(error) => return Err(CommandError::new(error)),
    };
    // Before anything is changed: a module that can't be loaded.
    check(&asterisk, module)?;
    let edit = Edit::apply(&asterisk.config_dir().join("modules.conf"), module)?;
    if arguments.no_reload {
        note("a restart of Asterisk activates this");
        return Ok(0);
    }
    if started.is_none() {
        note("Asterisk is not running: this takes effect when it starts");
        return Ok(0);
    }
    let wait = Duration::from_secs(if arguments.now { 0 } else { arguments.wait });
    let replaced = replace(&asterisk, module, wait);
    if replaced.is_err() {
        if let Err(error) = edit.take_back() {
            note(error);
        }
    }
    if replaced? {
        note(format!("{module} provides Authenticate"));
        return Ok(0);
    }
    note(format!(
        "a call is in Authenticate: {} still runs; the next restart of Asterisk loads \
         {module}, or repeat this command",
        module.other()
    ));
    Ok(PENDING)
}

/// Checks that Asterisk can load the module's file. Without Asterisk's program, only
/// whether it is there.
fn check(asterisk: &Asterisk, module: Provider) -> Result<(), CommandError> {
    let folder = asterisk.module_dir()?;
    match asterisk.program_version() {
        Ok(version) => check_file(&folder, module, &version).map_err(CommandError::new),
        Err(CliError::Program { .. }) if folder.join(module.file()).is_file() => Ok(()),
        Err(error) => Err(CommandError::new(error)),
    }
}

/// A change of `modules.conf`.
struct Edit {
    path: PathBuf,
    before: Vec<u8>,
    after: Vec<u8>,
}

impl Edit {
    /// Changes the file so that it selects `module`.
    fn apply(path: &Path, module: Provider) -> Result<Self, CommandError> {
        for _ in 0..MAX_EDITS {
            let locked = LockedFile::open(path).at(path)?;
            let locked = locked.ok_or_else(|| CommandError::at(path, "no such file"))?;
            let conf = ModulesConf::parse(path, &locked.contents().at(path)?)?;
            for skipped in conf.skipped() {
                let place = (skipped.file.display(), skipped.number);
                note(format!("{}:{}: {}", place.0, place.1, skipped.reason));
            }
            let after = conf.select(module).at(path)?;
            let edit = Self {
                path: path.to_owned(),
                before: conf.text().to_vec(),
                after,
            };
            if edit.after == edit.before {
                note(format!("{}: selects {module} already", path.display()));
                return Ok(edit);
            }
            if locked
                .replace_unchanged(&edit.before, &edit.after)
                .at(path)?
            {
                note(format!("{}: selects {module}", path.display()));
                if conf.is_of_freepbx() {
                    note("FreePBX maintains this file, and keeps these lines");
                }
                return Ok(edit);
            }
        }
        Err(CommandError::at(path, "another program keeps changing it"))
    }

    /// Restores the file, unless another program has changed it.
    fn take_back(&self) -> Result<(), CommandError> {
        let path = &self.path;
        if self.before == self.after {
            return Ok(());
        }
        let locked = LockedFile::open(path).at(path)?;
        let restored = match locked {
            Some(locked) => locked
                .replace_unchanged(&self.after, &self.before)
                .at(path)?,
            None => false,
        };
        note(if restored {
            format!("{}: restored", path.display())
        } else {
            format!(
                "{}: not restored, because another program has changed it: \
                 'pinset asterisk status' shows what it selects",
                path.display()
            )
        });
        Ok(())
    }
}

/// Makes the running Asterisk use `module`. Returns `false` if calls have kept the other
/// module in use for `wait`.
fn replace(asterisk: &Asterisk, module: Provider, wait: Duration) -> Result<bool, CommandError> {
    let other = module.other();
    let end = Instant::now() + wait;
    let mut reported = false;
    loop {
        let started = ask(asterisk)?;
        match started.uses(other) {
            None if started.uses(module).is_some() => return Ok(true),
            None | Some(0) => {
                // A PBX without either module hangs up callers.
                let _uninterrupted = Uninterrupted::begin()?;
                if exchange(asterisk, module, started)? {
                    return Ok(true);
                }
            }
            Some(calls) if !reported && !wait.is_zero() => {
                note(format!("waiting: calls in Authenticate: {calls}"));
                reported = true;
            }
            Some(_) => {}
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        sleep(left.min(POLL_INTERVAL));
    }
}

/// Unloads the other module and loads `module`. Returns `false` if a call has entered the
/// other module meanwhile. After any failure, loads the other one again.
fn exchange(asterisk: &Asterisk, module: Provider, started: Started) -> Result<bool, CommandError> {
    asterisk.cli("xmldoc reload").map_err(CommandError::new)?;
    let other = module.other();
    if started.uses(other).is_none() {
        return load(asterisk, module).map(|()| true);
    }
    unload(asterisk, other)
        .and_then(|unloaded| {
            if unloaded {
                load(asterisk, module)?;
            }
            Ok(unloaded)
        })
        .map_err(|error| {
            CommandError::new(match load(asterisk, other) {
                Ok(()) => format!("{error}; {other} is loaded again"),
                Err(again) => format!("{error}; {again}"),
            })
        })
}

/// Returns `false` if a call uses the module, which Asterisk then keeps.
fn unload(asterisk: &Asterisk, module: Provider) -> Result<bool, CommandError> {
    asterisk
        .cli(&format!("module unload {module}"))
        .map_err(CommandError::new)?;
    Ok(ask(asterisk)?.uses(module).is_none())
}

fn load(asterisk: &Asterisk, module: Provider) -> Result<(), CommandError> {
    let answer = asterisk.cli(&format!("module load {module}"));
    // Asterisk may have loaded it even if it has not answered in time.
    if ask(asterisk)?.provider() == Some(module) {
        return Ok(());
    }
    let answer = answer.map_err(CommandError::new)?;
    Err(CommandError::new(format!(
        "Asterisk can't load {module}: {}: Asterisk's log has the reason",
        last_line(&answer)
    )))
}

fn ask(asterisk: &Asterisk) -> Result<Started, CommandError> {
    Started::ask(asterisk).map_err(CommandError::new)
}

/// Delays signals that would end this program, such as Ctrl-C, until it is dropped. The
/// programs that it starts inherit this.
struct Uninterrupted {
    before: SigSet,
}

impl Uninterrupted {
    fn begin() -> Result<Self, CommandError> {
        let signals = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM];
        let signals: SigSet = signals.into_iter().collect();
        let before = signals.thread_swap_mask(SigmaskHow::SIG_BLOCK);
        let before = before.map_err(CommandError::new)?;
        Ok(Self { before })
    }
}

impl Drop for Uninterrupted {
    fn drop(&mut self) {
        // Fails only for an invalid argument.
        let _ = self.before.thread_set_mask();
    }
}

fn last_line(text: &str) -> &str {
    let mut lines = text.lines().map(str::trim);
    lines.rfind(|line| !line.is_empty()).unwrap_or("no answer")
}
