//! What a pasted list would change in a PIN file.

use std::ops::ControlFlow;

use pinset::credential::table::{SignedRows, TableError};
use pinset::list::format::csv::Column;
use pinset::list::{FileKind, Format};
use pinset::Numbering;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::common::csv_list::{kind, CsvList, CsvListError};
use crate::common::secret_maker::{SecretForm, SecretMaker};
use crate::console::app::App;
use crate::console::held::{Hold, MAX_ROWS};
use crate::console::jobs::JobError;
use crate::pin_files::import::{AppendError, Import, ImportError, LineList, SourceOptions};
use crate::pin_files::RowRules;

/// A pasted list, until it is saved.
pub(in crate::console) struct Paste {
    /// The name of the PIN file that it is for.
    pub name: String,
    pub text: Zeroizing<Vec<u8>>,
    pub options: SourceOptions,
}

impl Hold for Paste {
    fn bytes(&self) -> usize {
        self.text.len()
    }
}

/// The reason why a pasted list can't be used.
#[derive(Debug, Error)]
pub(super) enum PasteError {
    #[error("The list is empty.")]
    Empty,
    #[error("The list is no text.")]
    Binary,
    #[error("The list has more than {MAX_ROWS} rows.")]
    TooManyRows,
    #[error("The list can't be read: {0}.")]
    Import(#[from] ImportError),
}

impl PasteError {
    /// Returns what to do.
    pub(super) fn remedy(&self) -> &'static str {
        match self {
            Self::Empty => "Paste one PIN a line, or choose a file that contains some.",
            Self::Binary => "Save a spreadsheet as CSV with UTF-8, and choose that file.",
            Self::TooManyRows => {
                "Use the command pinset convert on the PBX, or paste the list in parts."
            }
            Self::Import(_) => "Correct the list, or choose its format.",
        }
    }
}

/// The reason why there is no plan.
#[derive(Debug, Error)]
pub(super) enum PlanError {
    #[error(transparent)]
    Paste(#[from] PasteError),
    #[error("It is no valid CSV file: {0}.")]
    Csv(#[from] CsvListError),
    #[error("It can't be compared: {0}.")]
    Table(#[from] TableError),
}

impl From<ImportError> for PlanError {
    fn from(error: ImportError) -> Self {
        Self::Paste(error.into())
    }
}

impl Paste {
    /// Reads the rows.
    pub(super) fn import(&self, numbering: &Numbering) -> Result<Import, PasteError> {
        if self.text.trim_ascii().is_empty() {
            return Err(PasteError::Empty);
        }
        if memchr::memchr(0, &self.text).is_some() {
            return Err(PasteError::Binary);
        }
        if memchr::memchr_iter(b'\n', &self.text).count() > MAX_ROWS {
            return Err(PasteError::TooManyRows);
        }
        let import = Import::read(&self.text, self.options, numbering)?;
        match import.rows.is_empty() && import.skipped.is_empty() {
            true => Err(PasteError::Empty),
            false => Ok(import),
        }
    }

    /// Returns the rules for its rows.
    pub(super) fn rules<'a>(&self, app: &'a App, maker: &'a SecretMaker) -> RowRules<'a> {
        RowRules {
            numbering: &app.config.numbering,
            maker,
            shared_pins: self.options.shared_pins,
        }
    }
}

/// Whether rows of the file stay that the pasted list does not have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum PasteMode {
    Add,
    Replace,
}

/// The PIN file to which rows are appended.
pub(super) enum Target {
    Csv(CsvList),
    Lines(LineList),
}

/// The rows that a save appends, and those to which.
pub(super) struct Plan {
    pub import: Import,
    pub target: Target,
    /// The accounts of the rows that go, or the lines of PINs in a plain file.
    pub removed: Vec<String>,
    /// Number of rows of the list that stay because the import has them.
    pub kept: usize,
    /// Rows that can't be compared, because their key is missing.
    pub unchecked: Vec<SignedRows>,
}

impl Plan {
    /// Compares a pasted list with the text of its file.
    pub(super) fn new(
        paste: &Paste,
        text: Zeroizing<Vec<u8>>,
        mode: PasteMode,
        rules: &RowRules<'_>,
    ) -> Result<Self, PlanError> {
        let import = paste.import(rules.numbering)?;
        match kind(&text) {
            Some(FileKind::Csv) => Self::of_csv(import, CsvList::read(text)?, mode, rules),
            Some(FileKind::Lines(format)) => {
                Self::of_lines(import, LineList { text, format }, mode, rules)
            }
            None => {
                let list = CsvList::new(&[Column::Account, Column::Secret]);
                Self::of_csv(import, list, mode, rules)
            }
        }
    }

    fn of_csv(
        mut import: Import,
        list: CsvList,
        mode: PasteMode,
        rules: &RowRules<'_>,
    ) -> Result<Self, PlanError> {
        Ok(match mode {
            PasteMode::Add => {
                let unchecked = import.skip_known(&list, rules)?;
                Self {
                    import,
                    target: Target::Csv(list),
                    removed: Vec::new(),
                    kept: 0,
                    unchecked,
                }
            }
            PasteMode::Replace => {
                let replaced = import.replace(&list, rules)?;
                Self {
                    import,
                    target: Target::Csv(replaced.list),
                    removed: replaced.removed,
                    kept: replaced.kept,
                    unchecked: Vec::new(),
                }
            }
        })
    }

    fn of_lines(
        mut import: Import,
        list: LineList,
        mode: PasteMode,
        rules: &RowRules<'_>,
    ) -> Result<Self, PlanError> {
        let (list, removed, kept) = match mode {
            PasteMode::Add => {
                import.skip_known_lines(&list, rules)?;
                (list, Vec::new(), 0)
            }
            PasteMode::Replace => {
                let replaced = import.replace_lines(&list, rules)?;
                (replaced.list, replaced.removed, replaced.kept)
            }
        };
        Ok(Self {
            import,
            target: Target::Lines(list),
            removed,
            kept,
            unchecked: Vec::new(),
        })
    }

    /// Returns the format of a file without columns.
    pub(super) fn format(&self) -> Option<Format> {
        match &self.target {
            Target::Csv(_) => None,
            Target::Lines(list) => Some(list.format),
        }
    }

    /// Returns the new text of the file, and the number of new rows that admit nobody.
    pub(super) fn text(
        &self,
        rules: &RowRules<'_>,
        progress: impl FnMut() -> ControlFlow<()>,
    ) -> Result<(Zeroizing<Vec<u8>>, usize), JobError> {
        let invalid = |why: &dyn ToString| JobError::Invalid("", why.to_string());
        match &self.target {
            Target::Csv(list) => match self.import.append(list, rules, progress) {
                Ok(appended) => Ok((appended.text, appended.out_of_reach)),
                Err(AppendError::Secret(why)) => Err(why.into()),
                Err(AppendError::Table(why)) => Err(invalid(&why)),
            },
            Target::Lines(list) => match self.import.append_lines(list, rules) {
                Ok(text) => Ok((text, 0)),
                Err(why) => Err(invalid(&why)),
            },
        }
    }
}

/// Returns the form of the secrets in a file without columns.
pub(super) fn line_form(format: Format) -> SecretForm {
    match format {
        Format::Plain => SecretForm::Plain,
        Format::Md5 => SecretForm::Md5,
    }
}
