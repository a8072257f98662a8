//! `pinset verify`: verification of a PIN by the rules of the module.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use pinset::credential::table::Candidate;
use pinset::list::{open, FileKind, Format, Stamp};
use pinset::timestamp::Moment;

use crate::common::atomic_file::contents;
use crate::common::config_file::ConfigFileArgs;
use crate::common::csv;
use crate::common::csv_list::{kind, load};
use crate::common::error::{At, CommandError};
use crate::common::numbering_args::NumberingArgs;
use crate::common::pin_input::{self, Prompts};
use crate::common::secret_args;
use crate::pin_files::verify::{verify, IdentifiedBy, PinVerdict};

/// The exit codes of a wrong PIN, and of one whose row is disabled or not valid now.
const WRONG: u8 = 1;
const EXPIRED: u8 = 2;

/// Verifies a PIN, and prints the row that it matches.
///
/// The PIN is entered at the terminal, without echo, or is the only line of standard
/// input. Without --caller and --account, the PIN alone identifies the row, as with
/// identify = pin.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
NumberingArgs, dates and secrets are interpreted as by the module. Uses are not checked,
because they are counted in Asterisk's database, nor are times and required_level
of the PIN set.

Exit code: 0 right; 1 wrong; 2 right, but the row is disabled or not valid now; 3 an
error: the PIN can't be verified, or the module would refuse the file.")]
pub(crate) struct Verify {
    /// PIN file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Caller number, as with identify = caller
    #[arg(long, value_name = "NUMBER", conflicts_with = "account")]
    caller: Option<String>,
    /// Account, as with identify = account
    #[arg(long)]
    account: Option<String>,
    /// Pepper file for hmac-sha256; overrides that of --config
    #[arg(long, value_name = "FILE")]
    pepper: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigFileArgs,
    #[command(flatten)]
    numbers: NumberingArgs,
}

pub(crate) fn run(arguments: &Verify) -> Result<u8, CommandError> {
    let path = &arguments.file;
    let settings = arguments.config.settings()?;
    let numbering = arguments.numbers.numbering(&settings)?;
    let pepper = arguments.pepper.as_ref().or(settings.pepper_file.as_ref());
    let pepper = pepper
        .map(|path| secret_args::read_pepper(path))
        .transpose()?;
    let pepper = pepper.unwrap_or_default();
    let file = open(path).at(path)?;
    if Stamp::of(&file.metadata().at(path)?).is_world_writable() {
        return Err(CommandError::at(path, "world-writable: PIN sets refuse it"));
    }
    let text = contents(&file).at(path)?;
    let kind = kind(&text).unwrap_or(FileKind::Lines(Format::Plain));
    let rows = load(&text, kind, &numbering).at(path)?;
    let by = match (&arguments.caller, &arguments.account) {
        (Some(caller), _) => IdentifiedBy::Caller(
            numbering
                .normalize_caller(caller.as_bytes())
                .ok_or_else(|| CommandError::new("--caller: not a usable number"))?,
        ),
        (None, Some(account)) => IdentifiedBy::Account(account.clone()),
        (None, None) => IdentifiedBy::Pin,
    };
    let pin = pin_input::read_one(Prompts::Once)?;
    let now = Moment::of(SystemTime::now());
    let (verdict, row) = verify(&rows, &by, &pin, &pepper, now).at(path)?;
    let mut out = io::stdout().lock();
    let (name, what) = (path.display(), verdict.text());
    match row {
        None => writeln!(out, "{name}: {what}"),
        Some(row) => writeln!(out, "{name}: {what}: {}", described(&row, kind, &text)?),
    }
    .map_err(CommandError::Output)?;
    Ok(match verdict {
        PinVerdict::Right => 0,
        PinVerdict::Wrong => WRONG,
        PinVerdict::Disabled | PinVerdict::NotYet | PinVerdict::Expired => EXPIRED,
    })
}

/// Returns the non-empty columns of a row, without its secret.
fn described(row: &Candidate, kind: FileKind, text: &[u8]) -> Result<String, CommandError> {
    let mut parts = vec![format!("line {}", row.line)];
    if kind != FileKind::Csv {
        if !row.account.is_empty() {
            let account = String::from_utf8_lossy(&row.account);
            parts.push(format!("account {}", account.escape_debug()));
        }
        return Ok(parts.join(", "));
    }
    let mut names: Vec<String> = Vec::new();
    csv::rows(text, |line, values| {
        if names.is_empty() {
            names = values.iter().map(|name| name.to_lowercase()).collect();
        } else if line == row.line {
            let named = names.iter().zip(values);
            let shown = named.filter(|(name, value)| *name != "secret" && !value.is_empty());
            parts.extend(shown.map(|(name, value)| format!("{name} {}", value.escape_debug())));
        }
        Ok::<_, csv::RowReadError>(())
    })
    .map_err(CommandError::new)?;
    Ok(parts.join(", "))
}
