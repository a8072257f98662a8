//! `pinset console init`: the files of a new console. Existing ones are kept.

mod accounts;
mod manager;

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{chown, PermissionsExt};
use std::path::{Path, PathBuf};

use getrandom::fill;
use nix::unistd::Gid;
use pinset::Numbering;
use zeroize::Zeroizing;

use super::config::Config;
use super::users::{command, Role, User, Users};
use super::{checks, local_checks, pbxs};
use crate::common::asterisk::{AsteriskArgs, CliError};
use crate::common::atomic_file::{create, Access};
use crate::common::config_file::ConfigFileArgs;
use crate::common::error::{note, At, CommandError};
use crate::common::finding::Level;
use crate::common::secret_file::{self, AllowedGroups};
use accounts::Accounts;
use manager::Manager;

/// Creates the files of a new console, and its first administrator.
///
/// Asks for the administrator's password. Writes console.toml, ami.secret and
/// console.users to /etc/pinset, and an AMI user that may only use Authenticate's
/// actions; creates the folders of PIN files and of PIN sets; and reloads AMI. Says each file that it
/// writes. Keeps what is there, so it can be run again.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Run it as root. Then: systemctl enable --now pinset-console

Exit code: 0 done; 3 an error.")]
pub(super) struct Init {
    /// Name of the first administrator
    #[arg(long, value_name = "NAME")]
    admin: String,
    /// Edit PIN files only: leave out the folder in which the console makes PIN sets
    #[arg(long)]
    lists_only: bool,
    /// Folder of the console's files
    #[arg(long, value_name = "DIR", default_value = "/etc/pinset")]
    pinset_dir: PathBuf,
    /// User of the service, which owns the PIN files
    #[arg(long, value_name = "NAME", default_value = "pinset")]
    user: String,
    /// Group of Asterisk, which reads the PIN files
    #[arg(long, value_name = "NAME", default_value = "asterisk")]
    asterisk_group: String,
    #[command(flatten)]
    asterisk: AsteriskArgs,
}

pub(super) fn run(arguments: &Init) -> Result<u8, CommandError> {
    command::check_name(&arguments.admin)?;
    let asterisk = arguments.asterisk.find()?;
    let etc = asterisk.config_dir();
    let accounts = Accounts::find(&arguments.user, &arguments.asterisk_group)?;
    // Everything that can fail for a reason on this machine is looked at before the first
    // file is written.
    let manager = Manager::read(&etc)?;
    let sets = match arguments.lists_only {
        true => None,
        false => Some(etc.join("authenticate.d")),
    };
    if let Some(sets) = &sets {
        check_includes(&etc.join("authenticate.conf"), sets)?;
    }
    let users = arguments.pinset_dir.join("console.users");
    let admin = match Users::read_or_none(&users)?.find(&arguments.admin) {
        Some(_) => None,
        None => Some(User::ask(&arguments.admin, Role::Admin)?),
    };
    let files = Files {
        pinset_dir: &arguments.pinset_dir,
        service: accounts.service_group,
    };
    folder(&arguments.pinset_dir, None, accounts.service_group, 0o750)?;
    let secret = files.secret(&manager)?;
    manager.add_user(&secret, accounts.asterisk)?;
    let lists = etc.join("pins");
    let toml = files.configuration(
        &Paths {
            lists: &lists,
            sets: sets.as_deref(),
            users: &users,
            config_dir: arguments.asterisk.config_dir(),
        },
        &numbering(&etc),
        manager.port(),
    )?;
    match admin {
        Some(admin) => {
            command::add(&users, &admin, || Ok(accounts.service_group))?;
            note(format!("wrote {}: {} (admin)", users.display(), admin.name));
        }
        None => kept(&users),
    }
    let owner = Some(accounts.service);
    folder(&lists, owner, accounts.asterisk, 0o2750)?;
    if let Some(sets) = &sets {
        folder(sets, owner, accounts.asterisk, 0o2750)?;
    }
    match asterisk.cli("manager reload") {
        Ok(_) => note("Asterisk has reloaded AMI"),
        Err(CliError::NotRunning) => {
            note("Asterisk is not running: it reads AMI's users when it starts");
        }
        Err(error) => note(format!(
            "warning: AMI was not reloaded: {error}; run: asterisk -rx 'manager reload'"
        )),
    }
    manager.warn();
    report(&toml)
}

/// Reports what is missing, as `--check` does.
fn report(toml: &Path) -> Result<u8, CommandError> {
    let config = Config::read(toml, None)?;
    let mut findings = checks::findings(&config);
    findings.extend(local_checks::findings(&config));
    findings.extend(pbxs::check(&config)?);
    for finding in findings {
        if finding.level != Level::Ok {
            note(finding);
        }
    }
    note(format!(
        "next: systemctl enable --now pinset-console, then http://{}",
        config.listen
    ));
    Ok(0)
}

/// Returns the numbering options of `authenticate.conf`; the defaults if that is invalid,
/// which the checks report.
fn numbering(etc: &Path) -> Numbering {
    let file = ConfigFileArgs::of(etc.join("authenticate.conf"));
    file.settings().unwrap_or_default().numbering
}

/// The paths in `console.toml`.
struct Paths<'a> {
    lists: &'a Path,
    sets: Option<&'a Path>,
    users: &'a Path,
    config_dir: &'a Path,
}

/// The files in the folder of the console.
struct Files<'a> {
    pinset_dir: &'a Path,
    service: Gid,
}

impl Files<'_> {
    /// Returns the secret of the AMI user: the one in `ami.secret`, else the one that the
    /// user has already, else a new one.
    fn secret(&self, manager: &Manager) -> Result<Zeroizing<Vec<u8>>, CommandError> {
        let path = self.pinset_dir.join("ami.secret");
        if path.exists() {
            kept(&path);
            return secret_file::read_line(&path, AllowedGroups::OfService).at(&path);
        }
        let secret = match manager.secret() {
            Some(secret) => secret,
            None => random_secret()?,
        };
        let line = Zeroizing::new([secret.as_slice(), b"\n"].concat());
        self.write(&path, &line)?;
        Ok(secret)
    }

    /// Writes `console.toml`.
    fn configuration(
        &self,
        paths: &Paths<'_>,
        numbering: &Numbering,
        port: u16,
    ) -> Result<PathBuf, CommandError> {
        let path = self.pinset_dir.join("console.toml");
        let quoted = |path: &Path| toml::Value::from(path.to_string_lossy().as_ref()).to_string();
        let sets = paths.sets.map(|sets| format!("sets = {}\n", quoted(sets)));
        let mut numbers = String::new();
        let defaults = Numbering::default().options();
        for (option, default) in numbering.options().into_iter().zip(defaults) {
            if option != default {
                numbers += &format!("{} = {:?}\n", option.0, option.1);
            }
        }
        if !numbers.is_empty() {
            numbers = format!("[numbers]\n{numbers}\n");
        }
        let text = format!(
            "# pinset console: docs/console.md documents all options.\n\
             #listen = \"127.0.0.1:5100\"\n\
             lists = {}\n\
             {}\
             users = {}\n\
             config_dir = {}\n\n\
             {numbers}\
             [pbx.main]\n\
             address = \"127.0.0.1:{port}\"\n\
             secret = {}\n",
            quoted(paths.lists),
            sets.unwrap_or_default(),
            quoted(paths.users),
            quoted(paths.config_dir),
            quoted(&self.pinset_dir.join("ami.secret")),
        );
        self.write(&path, text.as_bytes())?;
        Ok(path)
    }

    /// Writes a file for the service to read, unless it exists.
    fn write(&self, path: &Path, contents: &[u8]) -> Result<(), CommandError> {
        match create(path, contents, Access::Group(self.service)).at(path)? {
            true => note(format!("wrote {}", path.display())),
            false => kept(path),
        }
        Ok(())
    }
}

/// Refuses a folder of PIN sets that `authenticate.conf` includes: what the console writes
/// there would have all options.
fn check_includes(conf: &Path, sets: &Path) -> Result<(), CommandError> {
    let text = match fs::read(conf) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        text => text.at(conf)?,
    };
    let text = String::from_utf8_lossy(&text);
    let name = sets.file_name().unwrap_or_default().to_string_lossy();
    let mut lines = text.lines().zip(1..);
    let includes = lines.find(|(line, _)| line.trim().starts_with('#') && line.contains(&*name));
    match includes {
        None => Ok(()),
        Some((_, number)) => Err(CommandError::at(
            conf,
            format!(
                "line {number}: the console would write files that are included here: remove the \
                 line, or run init with --lists-only"
            ),
        )),
    }
}

/// Creates a folder, unless it exists.
fn folder(
    path: &Path,
    owner: Option<nix::unistd::Uid>,
    group: Gid,
    mode: u32,
) -> Result<(), CommandError> {
    match fs::create_dir(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {
            kept(path);
            return Ok(());
        }
        Err(error) => return Err(CommandError::at(path, error)),
    }
    chown(
        path,
        owner.map(nix::unistd::Uid::as_raw),
        Some(group.as_raw()),
    )
    .at(path)?;
    // After the change of the owner, and whatever the umask is.
    fs::set_permissions(path, Permissions::from_mode(mode)).at(path)?;
    note(format!("wrote {} (folder)", path.display()));
    Ok(())
}

fn kept(path: &Path) {
    note(format!("kept {}", path.display()));
}

/// Returns 64 hexadecimal digits.
fn random_secret() -> Result<Zeroizing<Vec<u8>>, CommandError> {
    let mut bytes = Zeroizing::new([0; 32]);
    fill(&mut *bytes).map_err(CommandError::new)?;
    Ok(Zeroizing::new(pinset::hex::digits(&*bytes).collect()))
}
