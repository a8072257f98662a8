//! A new PIN set: an empty PIN file, and a section with options in the folder `sets`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use pinset::config::parse_console_file;
use pinset::list::format::csv::Column;
use pinset::PinSet;
use thiserror::Error;

use crate::common::atomic_file::{create, Access};
use crate::common::csv_list::CsvList;

/// The longest description in bytes.
const MAX_DESCRIPTION_BYTES: usize = 200;

/// A PIN set to make, as it was entered.
#[derive(Clone, Default, Debug)]
pub(super) struct NewPinSet {
    pub name: String,
    /// A comment in the file of the section.
    pub description: String,
    /// `pin`, `caller` or `account`.
    pub identify: String,
    /// Number of digits of each PIN, or nothing for any number.
    pub digits: String,
    /// Whether the account of the PIN becomes the account code of the call.
    pub has_account_code: bool,
}

/// A field of the form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum SetField {
    Name,
    Description,
    Identify,
    Digits,
    AccountCode,
}

/// The reason why the files can't be created.
#[derive(Debug, Error)]
pub(super) enum CreateError {
    #[error("{path} exists already: choose another name", path = .0.display())]
    Exists(PathBuf),
    #[error("{path}: {1}", path = .0.display())]
    Io(PathBuf, io::Error),
}

/// The files of a new PIN set.
pub(super) struct CreatedFiles {
    list: PathBuf,
    list_text: Vec<u8>,
    section: Option<PathBuf>,
}

impl NewPinSet {
    /// Returns the path of its PIN file.
    pub(super) fn list(&self, lists: &Path) -> PathBuf {
        lists.join(format!("{}.csv", self.name))
    }

    /// Returns the lines of its section, each with the field that it is made of.
    fn lines(&self, lists: &Path) -> Vec<(SetField, String)> {
        let source = self.list(lists);
        let mut lines = vec![
            (SetField::Description, format!("; {}", self.description)),
            (SetField::Name, format!("[{}]", self.name)),
            (
                SetField::Name,
                format!("source = file:{}", source.display()),
            ),
            (SetField::Identify, format!("identify = {}", self.identify)),
        ];
        if !self.digits.is_empty() {
            for option in ["min_digits", "max_digits"] {
                lines.push((SetField::Digits, format!("{option} = {}", self.digits)));
            }
        }
        let account_code = if self.has_account_code { "yes" } else { "no" };
        lines.push((
            SetField::AccountCode,
            format!("account_code = {account_code}"),
        ));
        lines
    }

    /// Returns its section.
    pub(super) fn section(&self, lists: &Path) -> String {
        let lines = self.lines(lists).into_iter();
        lines.map(|(_, line)| line + "\n").collect()
    }

    /// Returns the errors of fields, as the module finds them. Whether there is a PIN set of
    /// this name is not known yet.
    pub(super) fn errors(&self, lists: &Path) -> BTreeMap<SetField, String> {
        let mut errors = BTreeMap::new();
        for (field, value) in [
            (SetField::Name, &self.name),
            (SetField::Description, &self.description),
            (SetField::Identify, &self.identify),
            (SetField::Digits, &self.digits),
        ] {
            if value.contains(char::is_control) {
                errors.insert(field, "a control character".to_owned());
            }
        }
        if self.name.starts_with('.') {
            errors.insert(SetField::Name, "must not begin with '.'".to_owned());
        }
        if self.description.len() > MAX_DESCRIPTION_BYTES {
            let error = format!("over {MAX_DESCRIPTION_BYTES} bytes");
            errors.insert(SetField::Description, error);
        }
        // With a line end in a value, the lines of the text are not those of the fields.
        if !errors.is_empty() {
            return errors;
        }
        let lines = self.lines(lists);
        let field = |line: usize| lines.get(line.wrapping_sub(1)).map(|(field, _)| *field);
        match parse_console_file(self.section(lists).as_bytes()) {
            Ok(sections) => {
                for section in &sections {
                    let (_, wrong) = section.pin_set(&PinSet::default(), lists);
                    for (option, error) in wrong {
                        let field = field(option.line).unwrap_or(SetField::Name);
                        errors.entry(field).or_insert_with(|| error.to_string());
                    }
                }
            }
            Err(error) => {
                let field = error.line.and_then(field).unwrap_or(SetField::Name);
                errors.insert(field, error.to_string());
            }
        }
        errors
    }

    /// Creates the PIN file, and the section if there is a folder of `sets`. Both are new.
    ///
    /// # Errors
    ///
    /// Then neither is there.
    pub(super) fn create(
        &self,
        lists: &Path,
        sets: Option<&Path>,
    ) -> Result<CreatedFiles, CreateError> {
        let mut columns = vec![Column::Account, Column::Secret];
        if self.identify == "caller" {
            columns.push(Column::Caller);
        }
        let mut files = CreatedFiles {
            list: self.list(lists),
            list_text: CsvList::new(&columns).text().to_vec(),
            section: None,
        };
        new_file(&files.list, &files.list_text)?;
        if let Some(sets) = sets {
            let section = sets.join(format!("{}.conf", self.name));
            if let Err(error) = new_file(&section, self.section(lists).as_bytes()) {
                files.take_back();
                return Err(error);
            }
            files.section = Some(section);
        }
        Ok(files)
    }
}

fn new_file(path: &Path, text: &[u8]) -> Result<(), CreateError> {
    match create(path, text, Access::FolderGroup) {
        Ok(true) => Ok(()),
        Ok(false) => Err(CreateError::Exists(path.to_owned())),
        Err(error) => Err(CreateError::Io(path.to_owned(), error)),
    }
}

impl CreatedFiles {
    /// Removes the files, but no PIN that was added meanwhile. What can't be removed stays.
    pub(super) fn take_back(&self) {
        if let Some(section) = &self.section {
            let _ = fs::remove_file(section);
        }
        if fs::read(&self.list).is_ok_and(|text| text == self.list_text) {
            let _ = fs::remove_file(&self.list);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(name: &str) -> NewPinSet {
        NewPinSet {
            name: name.to_owned(),
            identify: "pin".to_owned(),
            ..NewPinSet::default()
        }
    }

    /// The errors, each as its field and its text.
    fn errors(set: &NewPinSet) -> Vec<String> {
        let errors = set.errors(Path::new("/pins"));
        let errors = errors.iter();
        errors
            .map(|(field, error)| format!("{field:?}: {error}"))
            .collect()
    }

    #[test]
    fn section_has_the_options_of_the_form() {
        let set = NewPinSet {
            name: "customers".to_owned(),
            description: "Customers [of] \u{131}zmir".to_owned(),
            identify: "caller".to_owned(),
            digits: "6".to_owned(),
            has_account_code: true,
        };
        assert_eq!(errors(&set), [""; 0]);
        assert_eq!(
            set.section(Path::new("/pins")),
            "; Customers [of] \u{131}zmir\n[customers]\nsource = file:/pins/customers.csv\n\
             identify = caller\nmin_digits = 6\nmax_digits = 6\naccount_code = yes\n"
        );
        assert_eq!(
            new("a").section(Path::new("/pins")),
            "; \n[a]\nsource = file:/pins/a.csv\nidentify = pin\naccount_code = no\n"
        );
    }

    #[test]
    fn invalid_field_is_named() {
        let right = new("a");
        for (set, wanted) in [
            (new(""), "Name: the name of a PIN set must have 1 to 79"),
            (new("a b"), "Name: the name of a PIN set must"),
            (new("../x"), "Name: must not begin with '.'"),
            (new(".x"), "Name: must not begin with '.'"),
            (new("a/b"), "Name: the name of a PIN set must"),
            (
                new("general"),
                "Name: [general] belongs to authenticate.conf",
            ),
            (new("a]\nsay_app = System\n[b"), "Name: a control character"),
            (
                NewPinSet {
                    description: "a\n[evil]".to_owned(),
                    ..right.clone()
                },
                "Description: a control character",
            ),
            (
                NewPinSet {
                    description: "a ;-- b".to_owned(),
                    ..right.clone()
                },
                "Description: comments with ;--",
            ),
            (
                NewPinSet {
                    description: "\u{e9}".repeat(101),
                    ..right.clone()
                },
                "Description: over 200 bytes",
            ),
            (
                NewPinSet {
                    identify: "name".to_owned(),
                    ..right.clone()
                },
                "Identify: must be pin, caller or account",
            ),
            (
                NewPinSet {
                    digits: "0".to_owned(),
                    ..right.clone()
                },
                "Digits: must be a whole number from 1 to 254",
            ),
        ] {
            let errors = errors(&set);
            assert_eq!(errors.len(), 1, "{errors:?}");
            assert!(errors[0].starts_with(wanted), "{errors:?}");
        }
    }

    #[test]
    fn existing_files_and_added_pins_stay() {
        let folder = tempfile::tempdir().expect("a folder");
        let (lists, sets) = (folder.path().join("pins"), folder.path().join("sets"));
        for path in [&lists, &sets] {
            fs::create_dir(path).expect("a folder");
        }
        let create = |name: &str| new(name).create(&lists, Some(&sets));
        let files = create("a").expect("created");
        assert_eq!(
            fs::read(lists.join("a.csv")).expect("read"),
            b"account,secret\n"
        );
        assert!(create("a").is_err_and(|error| error.to_string().ends_with("choose another name")));
        files.take_back();
        assert!(!lists.join("a.csv").exists() && !sets.join("a.conf").exists());

        // The section is there: its PIN file is not made.
        fs::write(sets.join("b.conf"), "theirs").expect("written");
        assert!(create("b").is_err());
        assert!(!lists.join("b.csv").exists());
        assert_eq!(fs::read(sets.join("b.conf")).expect("read"), b"theirs");

        let files = create("c").expect("created");
        fs::write(lists.join("c.csv"), "account,secret\na,plain:1\n").expect("written");
        files.take_back();
        assert!(lists.join("c.csv").exists() && !sets.join("c.conf").exists());
    }
}
