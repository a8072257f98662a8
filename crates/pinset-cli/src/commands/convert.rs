//! `pinset convert`: conversion of other lists to CSV files.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use pinset::list::format::csv::Column;
use pinset::list::open;

use crate::common::atomic_file::contents;
use crate::common::csv_list::CsvList;
use crate::common::error::{note, At, CommandError};
use crate::common::new_row_args::NewCallerRowArgs;
use crate::common::reach::warn_out_of_reach;
use crate::common::secret_args::progress;
use crate::common::secret_maker::SecretForm;
use crate::pin_files::import::{AppendError, Import, SkippedLine, SourceFormat};
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
    from: SourceFormatArg,
    /// Convert all PINs of a FusionPBX export without the column enabled
    #[arg(long)]
    assume_enabled: bool,
    /// New CSV file, with mode 0640; the file must not exist yet
    #[arg(long, value_name = "OUT")]
    to: PathBuf,
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
}

impl From<SourceFormatArg> for SourceFormat {
    fn from(format: SourceFormatArg) -> Self {
        match format {
            SourceFormatArg::Auto => Self::Auto,
            SourceFormatArg::Plain | SourceFormatArg::Freepbx => Self::Plain,
            SourceFormatArg::Md5 => Self::Md5,
            SourceFormatArg::Csv => Self::Csv,
            SourceFormatArg::DatabaseShow => Self::DatabaseShow,
            SourceFormatArg::Fusionpbx => Self::Fusionpbx,
            SourceFormatArg::CiscoFac => Self::CiscoFac,
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
    let Convert { file, to, .. } = arguments;
    let (numbering, maker) = arguments.new_rows.read()?;
    let text = contents(&open(file).at(file)?).at(file)?;
    let import = Import::read(
        &text,
        arguments.from.into(),
        arguments.assume_enabled,
        &numbering,
    )
    .at(file)?;
    if import.rows.is_empty() {
        print_skipped(file, &import.skipped);
        let forms = SourceFormatArg::names();
        return Err(CommandError::at(
            file,
            format!("nothing converted: if the format is wrong, set it with --from: {forms}"),
        ));
    }
    let pins = import.pins();
    if maker.form == SecretForm::Argon2id && pins > 0 {
        note("Argon2id rows are found by caller or account only; use --hmac-sha256 for identify = pin");
    }
    let list = CsvList::new(&[Column::Account, Column::Secret]);
    let rules = RowRules {
        numbering: &numbering,
        maker: &maker,
        shared_pins: true,
    };
    let imported = import.append(&list, &rules, progress(&maker, pins));
    let imported = imported.map_err(|error| match error {
        AppendError::Secret(error) => CommandError::new(error),
        AppendError::Table(error) => CommandError::at(to, error),
    })?;
    warn_out_of_reach(imported.out_of_reach);
    if !arguments.new_rows.rows.create(to, &imported.text)? {
        return Err(CommandError::at(to, "file exists already"));
    }
    print_skipped(file, &import.skipped);
    let (rows, left) = (import.rows.len(), import.skipped.len());
    note(format!(
        "{}: {rows} converted, {left} skipped",
        to.display()
    ));
    Ok(if left == 0 { 0 } else { SOME_SKIPPED })
}

/// Prints the skipped lines.
fn print_skipped(file: &Path, skipped: &[SkippedLine]) {
    for SkippedLine { line, reason } in skipped {
        note(format!(
            "{}: line {line}: skipped: {reason}",
            file.display()
        ));
    }
}
