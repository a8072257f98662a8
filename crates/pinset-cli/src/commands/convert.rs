//! `pinset convert`: conversion of other lists to CSV files.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use indicatif::ProgressBar;
use pinset::list::format::csv::Column;
use pinset::list::open;

use crate::common::atomic_file::contents;
use crate::common::csv_list::CsvList;
use crate::common::error::{note, At, CommandError};
use crate::common::new_row_args::NewCallerRowArgs;
use crate::common::pin_list::{DatabaseArgs, PinList};
use crate::common::reach::warn_out_of_reach;
use crate::common::secret_args::progress;
use crate::common::secret_maker::{SecretForm, SecretMaker};
use crate::pin_files::import::{
    AppendError, Import, SkipReason, SkippedLine, SourceFormat, SourceOptions,
};
use crate::pin_files::RowRules;

/// The exit code if lines were skipped.
const SOME_SKIPPED: u8 = 1;

/// Converts a PIN file of another format to a CSV file with hashed secrets.
///
/// Skipped lines are reported by number, without the PIN.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Accounts: those of the source (MD5, CSV; accountcode of FusionPBX, the name of a
Cisco code), else the line number. PINs are hashed; existing hashes are kept. Of
duplicate PINs, the first is converted, enabled ones before disabled ones. Rows of
FusionPBX's PINs that are not enabled get enabled=no.

With --database, all rows are added to the PIN set OUT in one transaction, or none:
a line that would be skipped is an error. With --from database as well, the PIN set
IN becomes the file OUT; numbers of uses are not in it.

Exit code: 0 all converted; 1 lines were skipped; 3 an error, or nothing was
converted: no file is created.")]
pub(crate) struct Convert {
    /// File to convert
    #[arg(value_name = "IN")]
    file: PathBuf,
    /// Format of the file
    #[arg(long, value_enum, default_value_t)]
    from: SourceFormatArg,
    /// Convert all PINs of a FusionPBX export without the column enabled
    #[arg(long)]
    assume_enabled: bool,
    /// New CSV file, with mode 0640; the file must not exist yet
    #[arg(long, value_name = "OUT")]
    to: PathBuf,
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    new_rows: NewCallerRowArgs,
}

/// The format of a list to convert.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
enum SourceFormatArg {
    /// Detect the format
    #[default]
    Auto,
    /// One PIN per line
    Plain,
    /// account:md5 per line
    Md5,
    /// account,secret and more columns
    Csv,
    /// /etc/asterisk/pinset_1: one PIN per line
    Freepbx,
    /// Output of asterisk -rx 'database show PINSETS/1'
    DatabaseShow,
    /// FusionPBX's export of pin numbers
    Fusionpbx,
    /// Cisco's export (BAT) of forced authorization codes, with or without header
    CiscoFac,
    /// account,pin and more columns, with or without header
    AccountPin,
    /// A PIN set in the database of --database
    Database,
}

impl From<SourceFormatArg> for SourceFormat {
    fn from(format: SourceFormatArg) -> Self {
        match format {
            SourceFormatArg::Auto => Self::Auto,
            SourceFormatArg::Plain | SourceFormatArg::Freepbx => Self::Plain,
            SourceFormatArg::Md5 => Self::Md5,
            SourceFormatArg::Csv | SourceFormatArg::Database => Self::Csv,
            SourceFormatArg::DatabaseShow => Self::DatabaseShow,
            SourceFormatArg::Fusionpbx => Self::Fusionpbx,
            SourceFormatArg::CiscoFac => Self::CiscoFac,
            SourceFormatArg::AccountPin => Self::AccountPin,
        }
    }
}

impl SourceFormatArg {
    /// Returns the names of all formats, for `--from`.
    fn names() -> String {
        let values = Self::value_variants().iter();
        let values =
            values.filter_map(|form| Some(form.to_possible_value()?.get_name().to_owned()));
        values.collect::<Vec<_>>().join(", ")
    }
}

pub(crate) fn run(arguments: &Convert) -> Result<u8, CommandError> {
    let is_export = matches!(arguments.from, SourceFormatArg::Database);
    if is_export && arguments.database.database.is_none() {
        return Err(CommandError::new("--from database: requires --database"));
    }
    let is_import = !is_export && arguments.database.database.is_some();
    if is_import {
        arguments
            .database
            .check_form(arguments.new_rows.rows.form())?;
    }
    let (numbering, maker) = arguments.new_rows.read()?;
    let rules = RowRules {
        numbering: &numbering,
        maker: &maker,
        shared_pins: !is_import,
    };
    if is_import {
        return import(arguments, &rules);
    }
    let Convert { file, to, .. } = arguments;
    let mut source = match is_export {
        true => Some(PinList::lock(file, &arguments.database, &numbering)?),
        false => None,
    };
    let text = match &mut source {
        Some(source) => source.text()?,
        None => contents(&open(file).at(file)?).at(file)?,
    };
    let import = arguments.read(&text, &rules)?;
    let print_skipped = || {
        for SkippedLine { line, reason } in &import.skipped {
            let row = match &source {
                Some(source) => source.row_name(*line),
                None => format!("line {line}"),
            };
            note(format!("{}: {row}: skipped: {reason}", file.display()));
        }
    };
    if import.rows.is_empty() {
        print_skipped();
        return Err(arguments.nothing_converted());
    }
    arguments.warn_of_argon2id(&import, &maker);
    let list = CsvList::new(&[Column::Account, Column::Secret]);
    let imported = import.append(&list, &rules, progress(&maker, import.pins()));
    let imported = imported.map_err(|error| match error {
        AppendError::Secret(error) => CommandError::new(error),
        AppendError::Table(error) => CommandError::at(to, error),
    })?;
    warn_out_of_reach(imported.out_of_reach);
    if !arguments.new_rows.rows.create(to, &imported.text)? {
        return Err(CommandError::at(to, "file exists already"));
    }
    print_skipped();
    let (rows, left) = (import.rows.len(), import.skipped.len());
    note(format!(
        "{}: {rows} converted, {left} skipped",
        to.display()
    ));
    Ok(if left == 0 { 0 } else { SOME_SKIPPED })
}

/// Adds all rows of a file to a PIN set in a database, or none.
fn import(arguments: &Convert, rules: &RowRules<'_>) -> Result<u8, CommandError> {
    let Convert { file, to, .. } = arguments;
    let maker = rules.maker;
    let text = contents(&open(file).at(file)?).at(file)?;
    let mut import = arguments.read(&text, rules)?;
    drop(text);
    let numbering = arguments.new_rows.pbx_numbering(rules.numbering);
    import.skip_unusable(&maker.pepper, numbering);
    refuse_skipped(file, &import, |line| format!("line {line}"))?;
    if import.rows.is_empty() {
        return Err(arguments.nothing_converted());
    }
    arguments.warn_of_argon2id(&import, maker);
    // Before the PIN set is locked, so that other commands don't wait for the hashes.
    let secrets = import.secrets(maker, progress(maker, import.pins()));
    let secrets = secrets.map_err(CommandError::new)?;
    let mut pins = PinList::lock(to, &arguments.database, rules.numbering)?;
    let list = CsvList::read(pins.text()?).at(to)?;
    for rows in import.skip_known(&list, rules).at(to)? {
        note(format!("warning: {}: {rows}", to.display()));
    }
    refuse_skipped(file, &import, |line| pins.row_name(line))?;
    let imported = import.append_with(&list, &secrets, rules.numbering);
    let imported = imported.map_err(|error| CommandError::at(to, pins.message(error)))?;
    drop((list, secrets));
    warn_out_of_reach(imported.out_of_reach);
    let rows = import.rows.len();
    let bar = ProgressBar::new(rows as u64);
    pins.save(
        imported.text,
        |_, _| Ok(false),
        |copied| bar.set_position(copied),
    )?;
    bar.finish_and_clear();
    note(format!("{}: {rows} imported", to.display()));
    Ok(0)
}

/// Prints the first skipped lines, if there are any, and returns an error then. `row`
/// returns the name of a row of the list that the rows are for.
fn refuse_skipped(
    file: &Path,
    import: &Import,
    row: impl Fn(u64) -> String,
) -> Result<(), CommandError> {
    /// Number of lines that are printed.
    const MAX_PRINTED: usize = 20;
    let count = import.skipped.len();
    if count == 0 {
        return Ok(());
    }
    for SkippedLine { line, reason } in import.skipped.iter().take(MAX_PRINTED) {
        let reason = match reason {
            SkipReason::InList(duplicate) => duplicate.text(row(duplicate.line())),
            SkipReason::Incomparable(other) => {
                let other = row(*other);
                format!("{other} is of this account, and its hash can't be compared")
            }
            reason => reason.to_string(),
        };
        note(format!("{}: line {line}: {reason}", file.display()));
    }
    if count > MAX_PRINTED {
        note(format!("and {} more lines", count - MAX_PRINTED));
    }
    Err(CommandError::at(
        file,
        "nothing is imported: correct these lines, or let 'pinset convert' without --database \
         skip them, and import the file that it makes",
    ))
}

impl Convert {
    /// Reads the rows of the file.
    fn read(&self, text: &[u8], rules: &RowRules<'_>) -> Result<Import, CommandError> {
        let options = SourceOptions {
            format: self.from.into(),
            assume_enabled: self.assume_enabled,
            shared_pins: false,
        };
        Import::read(text, options, rules.numbering).at(&self.file)
    }

    fn nothing_converted(&self) -> CommandError {
        let forms = SourceFormatArg::names();
        CommandError::at(
            &self.file,
            format!("nothing converted: if the format is wrong, set it with --from: {forms}"),
        )
    }

    fn warn_of_argon2id(&self, import: &Import, maker: &SecretMaker) {
        if maker.form == SecretForm::Argon2id && import.pins() > 0 {
            note("Argon2id rows are found by caller or account only; use --hmac-sha256 for identify = pin");
        }
    }
}
