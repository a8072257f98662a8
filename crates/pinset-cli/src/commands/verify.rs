//! `pinset verify`: verification of a PIN by the rules of the module.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use pinset::credential::table::Candidate;
use pinset::list::{open, FileKind, Format, Stamp};
use pinset::timestamp::Moment;
use pinset::{Pepper, Pin};

use crate::common::atomic_file::contents;
use crate::common::config_file::ConfigFileArgs;
use crate::common::csv;
use crate::common::csv_list::{kind, load};
use crate::common::error::{At, CommandError};
use crate::common::numbering_args::NumberingArgs;
use crate::common::pin_input::{self, Prompts};
use crate::common::secret_args;

/// The exit codes of a wrong PIN, and of one that is not valid now.
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

Exit code: 0 right; 1 wrong; 2 right, but not valid now; 3 an error: the PIN can't
be verified, or the module would refuse the file.")]
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
    let number = match &arguments.caller {
        Some(caller) => Some(
            numbering
                .normalize_caller(caller.as_bytes())
                .ok_or_else(|| CommandError::new("--caller: not a usable number"))?,
        ),
        None => None,
    };
    let pin = pin_input::read_one(Prompts::Once)?;
    let mut undecided = None;
    let found: Vec<Candidate> = if let Some(number) = &number {
        right(rows.by_caller(number), &pin, &pepper, &mut undecided)
    } else if let Some(account) = &arguments.account {
        right(
            rows.by_account(account.as_bytes()),
            &pin,
            &pepper,
            &mut undecided,
        )
    } else {
        let found = rows.by_pin(&pin, &pepper);
        let missing = found.missing().first();
        undecided = missing.map(|id| format!("the pepper file has no key {id}"));
        found.collect()
    };
    let now = Moment::of(SystemTime::now());
    let (verdict, row) = match found.iter().find(|row| valid(row, now)) {
        Some(row) => (0, Some(row)),
        None if !found.is_empty() => (EXPIRED, found.first()),
        None => (WRONG, None),
    };
    if let (None, Some(why)) = (row, undecided) {
        return Err(CommandError::at(path, why));
    }
    let mut out = io::stdout().lock();
    let name = path.display();
    match row {
        None => writeln!(out, "{name}: wrong"),
        Some(row) => {
            let what = match verdict {
                0 => "right",
                _ if row.from.is_some_and(|from| now < from) => "right, but not valid yet",
                _ => "right, but no longer valid",
            };
            writeln!(out, "{name}: {what}: {}", described(row, kind, &text)?)
        }
    }
    .map_err(CommandError::Output)?;
    Ok(verdict)
}

/// Returns the rows with this PIN. Sets `undecided` if some can't be verified.
fn right(
    rows: impl Iterator<Item = Candidate>,
    pin: &Pin,
    pepper: &Pepper,
    undecided: &mut Option<String>,
) -> Vec<Candidate> {
    rows.filter(|row| match row.secret.verify(pin, pepper) {
        Ok(right) => right,
        Err(why) => {
            *undecided = Some(why.to_string());
            false
        }
    })
    .collect()
}

fn valid(row: &Candidate, now: Moment) -> bool {
    row.from.is_none_or(|from| from <= now) && row.until.is_none_or(|until| now < until)
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
