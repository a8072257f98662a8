//! `pinset convert`: lists of other kinds and products.

pub mod importers;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use pinset::credential::secret;
use pinset::list::format::csv::Column;
use pinset::list::{open, Kind};
use pinset::pin::{is_key, MAX_DIGITS};
use pinset::{Pepper, Secret};

use crate::common::atomic_file::contents;
use crate::common::config_file::ConfigFile;
use crate::common::csv_list::{fault, in_memory, Sheet, Values};
use crate::common::error::{note, At, CommandError};
use crate::common::new_list::NewList;
use crate::common::numbering_args::Numbers;
use crate::common::pin_input::pin_of;
use crate::common::reach::{is_out_of_reach, note_out_of_reach};
use crate::common::secret_args::{Form, Forms};
use importers::{From, Given};

/// The exit code when something was left out.
const SKIPPED: u8 = 1;

/// Makes a csv list, with hashed secrets, of a list of another kind.
///
/// What is left out is named by its line, without the PIN.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Accounts: those of the source (md5, csv; accountcode of FusionPBX, the name of
a Cisco code), and where there is none the number of the line. PINs are hashed
anew; what is a hash already stays the hash it is. A PIN that stands in the
source twice counts once, for the first. FusionPBX's PINs are left out unless
they are enabled.

Exit code: 0 all converted; 1 something was left out; 3 an error, or nothing was
converted: no list is made.")]
pub struct Convert {
    /// What is converted
    #[arg(value_name = "IN")]
    file: PathBuf,
    /// What it is
    #[arg(long, value_enum, default_value_t)]
    from: From,
    /// Convert all PINs of a FusionPBX export that has no column enabled
    #[arg(long)]
    assume_enabled: bool,
    /// The new list, with mode 0640; there must be no such file yet
    #[arg(long, value_name = "OUT")]
    to: PathBuf,
    #[command(flatten)]
    new_list: NewList,
    #[command(flatten)]
    config: ConfigFile,
    #[command(flatten)]
    forms: Forms,
    #[command(flatten)]
    numbers: Numbers,
}

pub fn run(arguments: &Convert) -> Result<u8, CommandError> {
    let Convert { file, to, .. } = arguments;
    let settings = arguments.config.settings()?;
    let numbering = arguments.numbers.numbering(&settings)?;
    let maker = arguments.forms.maker(&settings)?;
    let text = contents(&open(file).at(file)?).at(file)?;
    let source = arguments
        .from
        .read(&text, arguments.assume_enabled)
        .at(file)?;
    let mut skipped = source.skipped;
    // The lines of PINs that are converted, to find what is there twice.
    let mut first = HashMap::new();
    let (mut kept, mut pins) = (Vec::new(), Vec::new());
    for item in source.items {
        if let Given::Pin(pin) = &item.secret {
            if let Some(why) = unkeyable(pin) {
                skipped.push((item.line, why.to_owned()));
                continue;
            }
        }
        // What its values are worth is not a matter of the secret's form.
        let mut values: Vec<(Column, &str)> = Vec::new();
        values.extend(
            item.values
                .iter()
                .map(|(column, value)| (*column, value.as_str())),
        );
        values.push((
            Column::Secret,
            match &item.secret {
                Given::Pin(_) => "plain:0",
                Given::Secret(secret) => secret,
            },
        ));
        // Without one it is refused below.
        if !values.iter().any(|(column, _)| *column == Column::Account) {
            values.push((Column::Account, ""));
        }
        if let Some(broken) = fault(&values, &numbering)? {
            let name = broken.column.map_or("", Column::name);
            skipped.push((item.line, format!("{name}: {}", broken.error)));
            continue;
        }
        if let Given::Pin(pin) = &item.secret {
            let pin = pin_of(pin.as_bytes());
            let key = secret::Form::Plain.index_key(&pin, &Pepper::default());
            let key = key.ok().flatten().filter(|_| !source.doubles);
            if let Some(key) = key {
                let line = *first.entry(key).or_insert(item.line);
                if line != item.line {
                    skipped.push((item.line, format!("its PIN is that of line {line}")));
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
        let forms = From::names();
        return Err(CommandError::at(
            file,
            format!("nothing was converted: if it is of another kind, say so with --from: {forms}"),
        ));
    }
    if maker.form == Form::Argon2id && !pins.is_empty() {
        note("Argon2id rows are found by caller or account only; for identify = pin take --hmac-sha256");
    }
    let made = maker.make_all(&pins)?;
    let mut made = made.iter();
    let mut rows = Vec::with_capacity(kept.len());
    for item in &kept {
        let secret = match &item.secret {
            Given::Pin(_) => made
                .next()
                .map(|secret| secret.as_str())
                .unwrap_or_default(),
            Given::Secret(secret) => secret,
        };
        let mut values = vec![(Column::Secret, secret)];
        values.extend(
            item.values
                .iter()
                .map(|(column, value)| (*column, value.as_str())),
        );
        rows.push(values);
    }
    let list = Sheet::new(&[Column::Account, Column::Secret]).with(&rows);
    note_out_of_reach(rows.iter().filter(|values| is_unreachable(values)).count());
    in_memory(&list, Kind::Csv, &numbering).at(to)?;
    if !arguments.new_list.create(to, &list)? {
        return Err(CommandError::at(to, "there is such a file already"));
    }
    name_skipped(file, &skipped);
    let (rows, left) = (rows.len(), skipped.len());
    note(format!(
        "{}: {rows} converted, {left} left out",
        to.display()
    ));
    Ok(if skipped.is_empty() { 0 } else { SKIPPED })
}

/// Whether nobody can use the row of these values.
fn is_unreachable(values: &Values<'_>) -> bool {
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

/// Names the lines that are left out.
fn name_skipped(file: &Path, skipped: &[(u64, String)]) {
    for (line, why) in skipped {
        note(format!("{}: line {line}: left out: {why}", file.display()));
    }
}

/// Why nobody can key this PIN, if so.
fn unkeyable(pin: &str) -> Option<&'static str> {
    if pin.is_empty() {
        Some("there is no PIN in it")
    } else if pin.len() > MAX_DIGITS {
        Some("its PIN is too long")
    } else if !pin.bytes().all(is_key) {
        Some("its PIN has a character that no telephone can key")
    } else {
        None
    }
}
