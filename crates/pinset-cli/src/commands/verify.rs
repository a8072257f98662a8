//! `pinset verify`: whether a PIN is right, by the rules of the module.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use pinset::credential::table::Candidate;
use pinset::list::{open, Format, Kind, Stamp};
use pinset::timestamp::Moment;
use pinset::{Pepper, Pin};

use crate::common::atomic_file::contents;
use crate::common::config_file::ConfigFile;
use crate::common::csv;
use crate::common::csv_list::{in_memory, kind};
use crate::common::error::{At, CommandError};
use crate::common::numbering_args::Numbers;
use crate::common::pin_input::{self, Asked};
use crate::common::secret_args;

/// The exit codes of a PIN that is wrong, and of one that is right at another
/// time.
const WRONG: u8 = 1;
const EXPIRED: u8 = 2;

/// Tells whether a PIN is right, and which row of a list it is.
///
/// The PIN is asked for at the terminal, without being shown, or is the one
/// line of standard input. With neither --caller nor --account the PIN alone
/// says who it is, as with identify = pin.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Numbers, dates and secrets are read as the module reads them. Uses are counted
in Asterisk's database, which is not looked at; times and required_level of the
PIN set are not known here.

Exit code: 0 right; 1 wrong; 2 right, but not valid now; 3 an error: nobody can
say, or the module would refuse the list.")]
pub struct Verify {
    /// The list
    #[arg(value_name = "LIST")]
    file: PathBuf,
    /// The number that calls, as with identify = caller
    #[arg(long, value_name = "NUMBER", conflicts_with = "account")]
    caller: Option<String>,
    /// The account, as with identify = account
    #[arg(long)]
    account: Option<String>,
    /// The pepper file, for secrets of hmac-sha256; it overrides that of --config
    #[arg(long, value_name = "FILE")]
    pepper: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigFile,
    #[command(flatten)]
    numbers: Numbers,
}

pub fn run(arguments: &Verify) -> Result<u8, CommandError> {
    let path = &arguments.file;
    let settings = arguments.config.settings()?;
    let numbering = arguments.numbers.numbering(&settings)?;
    let pepper = arguments.pepper.as_ref().or(settings.pepper_file.as_ref());
    let pepper = pepper.map(|path| secret_args::pepper(path)).transpose()?;
    let pepper = pepper.unwrap_or_default();
    let file = open(path).at(path)?;
    if Stamp::of(&file.metadata().at(path)?).is_world_writable() {
        return Err(CommandError::at(
            path,
            "everybody may write to it: PIN sets refuse it",
        ));
    }
    let text = contents(&file).at(path)?;
    let kind = kind(&text).unwrap_or(Kind::Lines(Format::Plain));
    let rows = in_memory(&text, kind, &numbering).at(path)?;
    let number = match &arguments.caller {
        Some(caller) => Some(
            numbering
                .normalize_caller(caller.as_bytes())
                .ok_or_else(|| CommandError::new("--caller: it is no usable number"))?,
        ),
        None => None,
    };
    let pin = pin_input::one(Asked::Once)?;
    let mut unsaid = None;
    let found: Vec<Candidate> = if let Some(number) = &number {
        right(rows.by_caller(number), &pin, &pepper, &mut unsaid)
    } else if let Some(account) = &arguments.account {
        right(
            rows.by_account(account.as_bytes()),
            &pin,
            &pepper,
            &mut unsaid,
        )
    } else {
        let found = rows.by_pin(&pin, &pepper);
        let missing = found.missing().first();
        unsaid = missing.map(|id| format!("the pepper file has no key {id}"));
        found.collect()
    };
    let now = Moment::of(SystemTime::now());
    let (verdict, row) = match found.iter().find(|row| valid(row, now)) {
        Some(row) => (0, Some(row)),
        None if !found.is_empty() => (EXPIRED, found.first()),
        None => (WRONG, None),
    };
    if let (None, Some(why)) = (row, unsaid) {
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

/// Those rows whose PIN it is; and why of some it can't be said.
fn right(
    rows: impl Iterator<Item = Candidate>,
    pin: &Pin,
    pepper: &Pepper,
    unsaid: &mut Option<String>,
) -> Vec<Candidate> {
    rows.filter(|row| match row.secret.verify(pin, pepper) {
        Ok(right) => right,
        Err(why) => {
            *unsaid = Some(why.to_string());
            false
        }
    })
    .collect()
}

fn valid(row: &Candidate, now: Moment) -> bool {
    row.from.is_none_or(|from| from <= now) && row.until.is_none_or(|until| now < until)
}

/// A row without its secret: the columns that have a value.
fn described(row: &Candidate, kind: Kind, text: &[u8]) -> Result<String, CommandError> {
    let mut parts = vec![format!("line {}", row.line)];
    if kind != Kind::Csv {
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
        Ok(())
    })?;
    Ok(parts.join(", "))
}
