//! The list that a command edits: a PIN file, or a PIN set in a database.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use pinset::Numbering;
use zeroize::Zeroizing;

use crate::common::atomic_file::LockedFile;
use crate::common::error::{At, CommandError};
use crate::common::numbering_args::{PbxNumbering, NATIONAL_CALLER};
use crate::common::secret_maker::SecretForm;
use crate::common::stored_list::{RowFilter, StoredList};

/// The database of a PIN set, if the list is none of a file.
#[derive(Debug, clap::Args)]
pub(crate) struct DatabaseArgs {
    /// Edit a PIN set in PostgreSQL, whose name takes the place of the file's. FILE has
    /// the connection string of a role that may change rows, such as "host=db.example.com
    /// dbname=pins user=pins_owner"
    #[arg(long, value_name = "FILE")]
    pub database: Option<PathBuf>,
}

impl DatabaseArgs {
    /// Refuses forms of new secrets that no database has.
    pub(crate) fn check_form(&self, form: Option<SecretForm>) -> Result<(), CommandError> {
        match form {
            Some(form @ (SecretForm::Plain | SecretForm::Md5)) if self.database.is_some() => {
                Err(CommandError::new(format!(
                    "--{}: a database has no secrets of this form: use --hmac-sha256 or --argon2id",
                    form.name()
                )))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a number of a row, the value of an option, that no caller would match.
    pub(crate) fn check_caller(
        &self,
        option: &str,
        caller: Option<&str>,
        numbering: PbxNumbering<'_>,
    ) -> Result<(), CommandError> {
        let is_stored = self.database.is_some();
        if is_stored && caller.is_some_and(|caller| numbering.is_unclear(caller)) {
            return Err(CommandError::new(format!("{option}: {NATIONAL_CALLER}")));
        }
        Ok(())
    }
}

/// A list, locked for other commands.
pub(crate) enum PinList {
    File {
        path: PathBuf,
        /// `None` if there is no such file.
        old: Option<LockedFile>,
    },
    Database(StoredList),
}

impl PinList {
    /// Locks a list: that of a file, which may be missing, or of a PIN set in a database.
    pub(crate) fn lock(
        place: &Path,
        database: &DatabaseArgs,
        numbering: &Numbering,
    ) -> Result<Self, CommandError> {
        match &database.database {
            Some(connection) => {
                let list = StoredList::lock(connection, place, numbering)?;
                Ok(Self::Database(list))
            }
            None => Ok(Self::File {
                path: place.to_owned(),
                old: LockedFile::open(place).at(place)?,
            }),
        }
    }

    /// Refuses a missing file.
    pub(crate) fn existing(self) -> Result<Self, CommandError> {
        match self {
            Self::File { path, old: None } => Err(CommandError::at(&path, "no such file")),
            list => Ok(list),
        }
    }

    /// Returns the file, if the list is one that exists.
    pub(crate) fn file(&self) -> Option<&LockedFile> {
        match self {
            Self::File { old, .. } => old.as_ref(),
            Self::Database(_) => None,
        }
    }

    /// Returns the text of the whole list; that of a missing file is empty.
    pub(crate) fn text(&mut self) -> Result<Zeroizing<Vec<u8>>, CommandError> {
        match self {
            Self::File { path, old } => match old {
                Some(old) => old.contents().at(path),
                None => Ok(Zeroizing::default()),
            },
            Self::Database(list) => list.read_all(),
        }
    }

    /// Returns the text of what decides about an edit: the whole file, or these rows of a
    /// database.
    pub(crate) fn text_for(
        &mut self,
        filter: &RowFilter<'_>,
    ) -> Result<Zeroizing<Vec<u8>>, CommandError> {
        match self {
            Self::File { .. } => self.text(),
            Self::Database(list) => list.read_some(filter),
        }
    }

    /// Returns what people call the row in a line of the text.
    pub(crate) fn row_name(&self, line: u64) -> String {
        match self {
            Self::File { .. } => format!("line {line}"),
            Self::Database(_) => match self.ids_of(&[line]).as_deref() {
                Some([id]) => format!("id {id}"),
                _ => "the new row".to_owned(),
            },
        }
    }

    /// Returns a message about the list that was read. If it begins with a line, that of a
    /// database has the name of the row in its place.
    pub(crate) fn message(&self, error: impl Display) -> String {
        let text = error.to_string();
        let after = text.strip_prefix("line ");
        let line = after.and_then(|after| after.split_once(':'));
        match line.map(|(line, rest)| (line.parse(), rest)) {
            Some((Ok(line), rest)) => format!("{}:{rest}", self.row_name(line)),
            _ => text,
        }
    }

    /// Returns the line of the text in which the row with this id begins.
    pub(crate) fn line_of(&self, id: u64) -> Option<u64> {
        let mut ids = self.ids().into_iter();
        ids.find_map(|(line, other)| (other == id).then_some(line))
    }

    /// Returns the ids of the rows that were read, by the lines in which they begin; none of
    /// those of a file.
    pub(crate) fn ids(&self) -> Vec<(u64, u64)> {
        match self {
            Self::File { .. } => Vec::new(),
            Self::Database(list) => list.ids(),
        }
    }

    /// Returns the ids of rows by their lines; none of those of a file.
    pub(crate) fn ids_of(&self, lines: &[u64]) -> Option<Vec<u64>> {
        match self {
            Self::File { .. } => None,
            Self::Database(list) => {
                Some(lines.iter().filter_map(|line| list.id_of(*line)).collect())
            }
        }
    }

    /// Saves a text that was made of the one before. `create` makes a file that is
    /// missing. Returns `false` if that exists meanwhile.
    pub(crate) fn save(
        self,
        text: Zeroizing<Vec<u8>>,
        create: impl FnOnce(&Path, &[u8]) -> Result<bool, CommandError>,
        progress: impl FnMut(u64),
    ) -> Result<bool, CommandError> {
        match self {
            Self::File {
                path,
                old: Some(old),
            } => old.replace(&text).at(&path).map(|()| true),
            Self::File { path, old: None } => create(&path, &text),
            Self::Database(list) => list.save(text, progress).map(|()| true),
        }
    }
}
