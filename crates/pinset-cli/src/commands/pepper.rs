//! `pinset pepper`: keys of the pepper file.

use std::path::PathBuf;

use clap::Subcommand;
use nix::unistd::Gid;
use pinset::credential::pepper::KeyId;
use pinset::Pepper;
use zeroize::Zeroizing;

use crate::common::atomic_file::{create, Access, LockedFile};
use crate::common::error::{note, At, CommandError};
use crate::common::secret_args::check_permissions;

/// Manages the pepper file, which has the keys of hmac-sha256 secrets.
#[derive(Debug, clap::Args)]
pub(crate) struct PepperCommand {
    #[command(subcommand)]
    action: PepperAction,
}

#[derive(Debug, Subcommand)]
enum PepperAction {
    New(New),
}

/// Creates a pepper file, or adds a new first key to an existing one.
///
/// New secrets use the first key. Keep the others as long as lists have secrets that
/// use them.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A new file belongs to the user who runs this, with mode 0600, or 0640 with --group.
Owner, group and mode of an existing file stay unchanged.

Exit code: 0 done; 3 an error.")]
struct New {
    /// Pepper file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Name of the new key: 1 to 32 letters, digits, _ and - [default: k and
    /// eight random hexadecimal digits]
    #[arg(long, value_name = "KEYID")]
    id: Option<String>,
    /// Group with read access to a new file, such as asterisk
    #[arg(long, value_name = "NAME", value_parser = crate::common::new_list::group)]
    group: Option<Gid>,
}

pub(crate) fn run(arguments: &PepperCommand) -> Result<u8, CommandError> {
    let PepperAction::New(New { file, id, group }) = &arguments.action;
    let id = match id {
        Some(id) => id.clone(),
        None => format!("k{}", &*random_hex::<4>()?),
    };
    if KeyId::new(id.as_bytes()).is_none() {
        return Err(CommandError::new(
            "--id: must be 1 to 32 letters, digits, _ and -",
        ));
    }
    let key = random_hex::<32>()?;
    let mut line = Zeroizing::new(Vec::with_capacity(id.len() + key.len() + 2));
    for part in [&id, ":", &key, "\n"] {
        line.extend_from_slice(part.as_bytes());
    }
    loop {
        let Some(old) = LockedFile::open(file).at(file)? else {
            if create(file, &line, Access::of(*group, Access::Owner)).at(file)? {
                break;
            }
            // Another process has created it meanwhile.
            continue;
        };
        check_permissions(old.metadata()).at(file)?;
        let keys = old.contents().at(file)?;
        Pepper::parse(&keys).at(file)?;
        let rest = keys.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&keys);
        let mut all = Zeroizing::new(Vec::with_capacity(line.len() + rest.len()));
        all.extend_from_slice(&line);
        all.extend_from_slice(rest);
        if Pepper::parse(&all).is_err() {
            return Err(CommandError::at(file, format!("key {id} exists already")));
        }
        old.replace(&all).at(file)?;
        break;
    }
    note(format!("{}: new secrets use key {id}", file.display()));
    Ok(0)
}

/// Returns random bytes in hexadecimal.
fn random_hex<const N: usize>() -> Result<Zeroizing<String>, CommandError> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(&mut *bytes).map_err(CommandError::new)?;
    let mut text = Zeroizing::new(String::with_capacity(2 * N));
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    text.extend(digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)));
    Ok(text)
}
