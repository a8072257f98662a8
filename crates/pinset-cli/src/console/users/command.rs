//! `pinset console user`: changes of the file of users, as root.

use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use nix::unistd::Gid;
use zeroize::Zeroizing;

use super::password::{PasswordHash, MAX_BYTES};
use super::{is_name, Role, User, Users, UsersError};
use crate::common::atomic_file::{create, Access, LockedFile};
use crate::common::error::{note, At, CommandError};
use crate::common::new_list;
use crate::common::terminal;

/// Manages the users of the console.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Passwords are asked for at the terminal, or read as one line from standard input. They
have 12 to 200 characters. A change counts at once: the user's sessions end when the
password or the role changes, or the user is removed.

Exit code: 0 done; 3 an error.")]
pub(in crate::console) struct UserCommand {
    #[command(subcommand)]
    action: UserAction,
    /// File of users
    #[arg(long, global = true, value_name = "FILE", default_value = DEFAULT_FILE)]
    users: PathBuf,
    /// Group of the service, which reads a new file
    #[arg(long, global = true, value_name = "NAME", default_value = "pinset")]
    group: String,
}

/// The file that the service reads by default.
pub(in crate::console) const DEFAULT_FILE: &str = "/etc/pinset/console.users";

#[derive(Debug, Subcommand)]
enum UserAction {
    /// Add a user
    Add {
        /// Name: up to 32 letters, digits and . _ - @
        name: String,
        /// viewer reads; operator also unlocks, and sets uses back; admin also reloads
        /// authenticate.conf
        #[arg(long, value_name = "ROLE", default_value = "viewer")]
        role: Role,
    },
    /// Change the password of a user, and end the user's sessions
    Passwd {
        /// Name of the user
        name: String,
    },
    /// Remove a user, and end the user's sessions
    Remove {
        /// Name of the user
        name: String,
    },
    /// Print names and roles
    List,
}

pub(in crate::console) fn run(arguments: &UserCommand) -> Result<u8, CommandError> {
    let file = &arguments.users;
    match &arguments.action {
        UserAction::Add { name, role } => {
            check_name(name)?;
            if Users::read_or_none(file)?.find(name).is_some() {
                return Err(exists(file, name));
            }
            let user = User::ask(name, *role)?;
            add(file, &user, || {
                new_list::group(&arguments.group).map_err(|error| {
                    CommandError::new(format!("--group {}: {error}", arguments.group))
                })
            })?;
            note(format!("{}: {name} ({role}) added", file.display()));
        }
        UserAction::Passwd { name } => {
            let users = Users::read(file).at(file)?;
            let role = users.find(name).ok_or_else(|| unknown(file, name))?.role;
            let new = User::ask(name, role)?;
            change(file, name, Some(&new))?;
            note(format!("{}: password of {name} changed", file.display()));
        }
        UserAction::Remove { name } => {
            change(file, name, None)?;
            note(format!("{}: {name} removed", file.display()));
        }
        UserAction::List => {
            let mut out = io::stdout().lock();
            for user in &Users::read(file).at(file)?.0 {
                writeln!(out, "{} {}", user.name, user.role).map_err(CommandError::Output)?;
            }
        }
    }
    Ok(0)
}

/// Refuses a name that no user can have.
pub(in crate::console) fn check_name(name: &str) -> Result<(), CommandError> {
    match is_name(name) {
        true => Ok(()),
        false => Err(CommandError::new(format!(
            "'{}': the name of a user must be up to 32 letters, digits and . _ - @",
            pinset::escape::escape_invisible(name.as_bytes())
        ))),
    }
}

impl User {
    /// Asks for the password of a user.
    pub(in crate::console) fn ask(name: &str, role: Role) -> Result<Self, CommandError> {
        Ok(Self {
            name: name.to_owned(),
            role,
            password: PasswordHash::make(&read_password(name)?, name)?,
        })
    }
}

impl Users {
    /// Reads the file. A missing one has no users.
    pub(in crate::console) fn read_or_none(path: &Path) -> Result<Self, CommandError> {
        match path.exists() {
            true => Self::read(path).at(path),
            false => Ok(Self::default()),
        }
    }
}

/// Adds a user, and creates the file for the group of the service if it is missing.
pub(in crate::console) fn add(
    path: &Path,
    user: &User,
    group: impl Fn() -> Result<Gid, CommandError>,
) -> Result<(), CommandError> {
    loop {
        let Some(file) = LockedFile::open(path).at(path)? else {
            let access = Access::Group(group()?);
            if create(path, user.line().as_bytes(), access).at(path)? {
                return Ok(());
            }
            // Another process has created it meanwhile.
            continue;
        };
        let (mut text, users) = contents(&file, path)?;
        if users.find(&user.name).is_some() {
            return Err(exists(path, &user.name));
        }
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&user.line());
        return file.replace(text.as_bytes()).at(path);
    }
}

/// Replaces the line of a user, or removes it. Other lines stay as they are.
fn change(path: &Path, name: &str, new: Option<&User>) -> Result<(), CommandError> {
    let file = LockedFile::open(path).at(path)?;
    let file = file.ok_or_else(|| CommandError::at(path, "there is no such file"))?;
    let (text, users) = contents(&file, path)?;
    if users.find(name).is_none() {
        return Err(unknown(path, name));
    }
    let is_theirs = |line: &str| line.split(':').next() == Some(name);
    let line = new.map(User::line).unwrap_or_default();
    let changed: String = text
        .split_inclusive('\n')
        .map(|old| if is_theirs(old) { line.as_str() } else { old })
        .collect();
    file.replace(changed.as_bytes()).at(path)
}

fn contents(file: &LockedFile, path: &Path) -> Result<(String, Users), CommandError> {
    let text = file.contents().at(path)?;
    let text = std::str::from_utf8(&text).map_err(|_| UsersError::Encoding);
    let text = text.at(path)?.to_owned();
    let users = Users::parse(&text).at(path)?;
    Ok((text, users))
}

fn exists(path: &Path, name: &str) -> CommandError {
    let why = format!("there is a user {name} already: passwd changes the password");
    CommandError::at(path, why)
}

fn unknown(path: &Path, name: &str) -> CommandError {
    CommandError::at(path, format!("there is no user {name}"))
}

/// Asks for a password twice at the terminal, or reads one line of standard input.
fn read_password(name: &str) -> Result<Zeroizing<Vec<u8>>, CommandError> {
    if io::stdin().is_terminal() {
        let first = terminal::read_secret(&format!("Password of {name}: "), MAX_BYTES)?;
        let second = terminal::read_secret("Repeat the password: ", MAX_BYTES)?;
        return match first == second {
            true => Ok(first),
            false => Err(CommandError::new("the passwords do not match")),
        };
    }
    // One byte more than allowed, and the line end.
    let mut line = Zeroizing::new(Vec::with_capacity(MAX_BYTES + 3));
    let mut input = io::stdin().take(MAX_BYTES as u64 + 2);
    let failed = |error| CommandError::new(format!("standard input: {error}"));
    input.read_to_end(&mut line).map_err(failed)?;
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    match line.contains(&b'\n') {
        true => Err(CommandError::new("standard input: more than one line")),
        false => Ok(line),
    }
}
