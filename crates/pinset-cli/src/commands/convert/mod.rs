//! `pinset convert`: conversion of other lists to CSV files.

pub(crate) mod importers;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use pinset::credential::secret;
use pinset::list::format::csv::Column;
use pinset::list::{open, FileKind};
use pinset::pin::{is_key, MAX_DIGITS};
use pinset::{Pepper, Secret};

use crate::common::atomic_file::contents;
use crate::common::csv_list::{check_values, load, CsvList, RowValues};
use crate::common::error::{note, At, CommandError};
use crate::common::new_row_args::NewCallerRowArgs;
use crate::common::pin_input::pin_from_digits;
use crate::common::reach::{is_out_of_reach, warn_out_of_reach};
use crate::common::secret_args::make_all;
use crate::common::secret_maker::SecretForm;
use importers::{SourceFormat, SourceSecret};

/// The exit code if lines were skipped.
const SOME_SKIPPED: u8 = 1;

/// Converts a PIN file of another format to a CSV file with hashed secrets.
///
/// Skipped lines are reported by number, without the PIN.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Accounts: those of the source (MD5, CSV; accountcode of FusionPBX, the name of a
Cisco code), else the line number. PINs are hashed; existing hashes are kept. Of
duplicate PINs, the first is converted. FusionPBX's PINs are skipped unless they
are enabled.

Exit code: 0 all converted; 1 lines were skipped; 3 an error, or nothing was
converted: no file is created.")]
pub(crate) struct Convert {
    /// File to convert
    #[arg(value_name = "IN")]
    file: PathBuf,
    /// Format of the file
    #[arg(long, value_enum, default_value_t)]
    from: SourceFormat,
    /// Convert all PINs of a FusionPBX export without the column enabled
    #[arg(long)]
    assume_enabled: bool,
    /// New CSV file, with mode 0640; the file must not exist yet
    #[arg(long, value_name = "OUT")]
    to: PathBuf,
    #[command(flatten)]
    new_rows: NewCallerRowArgs,
}

pub(crate) fn run(arguments: &Convert) -> Result<u8, CommandError> {
    let Convert { file, to, .. } = arguments;
    let (numbering, maker) = arguments.new_rows.read()?;
    let text = contents(&open(file).at(file)?).at(file)?;
    let source = arguments
        .from
        .read(&text, arguments.assume_enabled)
        .at(file)?;
    let mut skipped = source.skipped;
    // The lines of converted PINs, to find duplicates.
    let mut first = HashMap::new();
    let (mut kept, mut pins) = (Vec::new(), Vec::new());
    for item in source.items {
        if let SourceSecret::Pin(pin) = &item.secret {
            if let Some(why) = invalid_pin(pin) {
                skipped.push((item.line, why.to_owned()));
                continue;
            }
        }
        // The form of the secret does not matter for checking the other values.
        let mut values: Vec<(Column, &str)> = Vec::new();
        values.extend(
            item.values
                .iter()
                .map(|(column, value)| (*column, value.as_str())),
        );
        values.push((
            Column::Secret,
            match &item.secret {
                SourceSecret::Pin(_) => "plain:0",
                SourceSecret::Secret(secret) => secret,
            },
        ));
        // A row without an account is refused below.
        if !values.iter().any(|(column, _)| *column == Column::Account) {
            values.push((Column::Account, ""));
        }
        if let Some(broken) = check_values(&values, &numbering).map_err(CommandError::new)? {
            let name = broken.column.map_or("", Column::name);
            skipped.push((item.line, format!("{name}: {}", broken.error)));
            continue;
        }
        if let SourceSecret::Pin(pin) = &item.secret {
            let pin = pin_from_digits(pin.as_bytes());
            let key = secret::Form::Plain.index_key(&pin, &Pepper::default());
            let key = key.ok().flatten().filter(|_| !source.doubles);
            if let Some(key) = key {
                let line = *first.entry(key).or_insert(item.line);
                if line != item.line {
                    skipped.push((item.line, format!("same PIN as line {line}")));
                    continue;
                }
            }
            pins.push(pin);
        }
        kept.push(item);
    }
    skipped.sort();
    if kept.is_empty() {
        name_skipped(file, &skipped);
        let forms = SourceFormat::names();
        return Err(CommandError::at(
            file,
            format!("nothing converted: if the format is wrong, set it with --from: {forms}"),
        ));
    }
    if maker.form == SecretForm::Argon2id && !pins.is_empty() {
        note("Argon2id rows are found by caller or account only; use --hmac-sha256 for identify = pin");
    }
    let made = make_all(&maker, &pins).map_err(CommandError::new)?;
    let mut made = made.iter();
    let mut rows = Vec::with_capacity(kept.len());
    for item in &kept {
        let secret = match &item.secret {
            SourceSecret::Pin(_) => made
                .next()
                .map(|secret| secret.as_str())
                .unwrap_or_default(),
            SourceSecret::Secret(secret) => secret,
        };
        let mut values = vec![(Column::Secret, secret)];
        values.extend(
            item.values
                .iter()
                .map(|(column, value)| (*column, value.as_str())),
        );
        rows.push(values);
    }
    let list = CsvList::new(&[Column::Account, Column::Secret]).with_rows(&rows);
    warn_out_of_reach(rows.iter().filter(|values| is_unreachable(values)).count());
    load(&list, FileKind::Csv, &numbering).at(to)?;
    if !arguments.new_rows.rows.create(to, &list)? {
        return Err(CommandError::at(to, "file exists already"));
    }
    name_skipped(file, &skipped);
    let (rows, left) = (rows.len(), skipped.len());
    note(format!(
        "{}: {rows} converted, {left} skipped",
        to.display()
    ));
    Ok(if skipped.is_empty() { 0 } else { SOME_SKIPPED })
}

/// Returns whether nobody can use the row with these values.
fn is_unreachable(values: &RowValues<'_>) -> bool {
    let value = |wanted| {
        let found = values.iter().find(|(column, _)| *column == wanted);
        found.map(|(_, value)| *value)
    };
    let secret = value(Column::Secret).map(|secret| Secret::parse(secret.as_bytes()));
    let is_argon2id =
        secret.is_some_and(|secret| secret.is_ok_and(|secret| secret.form().is_slow()));
    let account = value(Column::Account).unwrap_or_default();
    is_out_of_reach(account, value(Column::Caller), is_argon2id)
}

/// Reports the skipped lines.
fn name_skipped(file: &Path, skipped: &[(u64, String)]) {
    for (line, why) in skipped {
        note(format!("{}: line {line}: skipped: {why}", file.display()));
    }
}

/// Returns why this PIN can't be entered, or `None` if it can.
fn invalid_pin(pin: &str) -> Option<&'static str> {
    if pin.is_empty() {
        Some("no PIN")
    } else if pin.len() > MAX_DIGITS {
        Some("PIN too long")
    } else if !pin.bytes().all(is_key) {
        Some("PIN with a character that can't be entered on a telephone")
    } else {
        None
    }
}
