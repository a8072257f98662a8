//! Import into plain and MD5 files, which have no columns.

use std::collections::{BTreeSet, HashMap, HashSet};

use pinset::credential::table::digest;
use pinset::hex;
use pinset::list::format::csv::Column;
use pinset::list::{read, FileKind, Format, Gives};
use zeroize::Zeroizing;

use super::known::Comparison;
use super::sources::{SourceRow, SourceSecret};
use super::{Import, ImportError, SkipReason, SkippedLine};
use crate::common::csv_list::load;
use crate::pin_files::add::{line, line_of_md5, AddError};
use crate::pin_files::remove::without_lines;
use crate::pin_files::RowRules;

/// The text of a plain or MD5 file.
pub(crate) struct LineList {
    pub text: Zeroizing<Vec<u8>>,
    pub format: Format,
}

/// A file without the lines that an import lacks.
pub(crate) struct LineReplacement {
    pub list: LineList,
    /// The accounts of the removed lines, or their numbers in a plain file.
    pub removed: Vec<String>,
    /// Number of lines with a PIN that stay as they are.
    pub kept: usize,
}

impl Import {
    /// Skips the rows that a file has already, and those that have no place in it, as
    /// [`Import::skip_known`] does for a CSV file.
    pub(crate) fn skip_known_lines(
        &mut self,
        list: &LineList,
        rules: &RowRules<'_>,
    ) -> Result<(), ImportError> {
        self.skip_unfit(list.format);
        let comparison = Comparison::of_lines(list, rules)?;
        self.skip_present(&comparison);
        self.number_apart(&list.accounts()?);
        Ok(())
    }

    /// Removes the lines of a file whose PINs the import lacks, and the rows of the import
    /// that the file has, as [`Import::replace`] does for a CSV file. Lines without a PIN,
    /// such as comments, stay.
    pub(crate) fn replace_lines(
        &mut self,
        list: &LineList,
        rules: &RowRules<'_>,
    ) -> Result<LineReplacement, ImportError> {
        self.skip_unfit(list.format);
        let kept = self.take_present(&Comparison::of_lines(list, rules)?);
        let mut removed = Vec::new();
        let mut gone = BTreeSet::new();
        list.each(|number, account| {
            if !kept.contains(&number) {
                gone.insert(number);
                removed.push(account.map_or_else(|| format!("line {number}"), ToOwned::to_owned));
            }
        })?;
        let list = LineList {
            text: without_lines(&list.text, &gone).0,
            format: list.format,
        };
        self.number_apart(&list.accounts()?);
        Ok(LineReplacement {
            removed,
            kept: kept.len(),
            list,
        })
    }

    /// Returns the file with these rows, which [`Import::skip_known_lines`] or
    /// [`Import::replace_lines`] has left.
    pub(crate) fn append_lines(
        &self,
        list: &LineList,
        rules: &RowRules<'_>,
    ) -> Result<Zeroizing<Vec<u8>>, AddError> {
        let LineList { text, format } = list;
        let lines: Vec<_> = self
            .rows
            .iter()
            .map(|row| row.line_in(*format))
            .collect::<Result<_, _>>()?;
        let room = lines.iter().map(|line| line.len()).sum::<usize>();
        let mut new = Zeroizing::new(Vec::with_capacity(text.len() + room + 1));
        new.extend_from_slice(text);
        if !matches!(new.last(), None | Some(b'\n')) {
            new.push(b'\n');
        }
        for line in &lines {
            new.extend_from_slice(line);
        }
        load(&new, FileKind::Lines(*format), rules.numbering)?;
        Ok(new)
    }

    /// Skips the rows that no file of this format can have.
    fn skip_unfit(&mut self, format: Format) {
        let skipped = &mut self.skipped;
        self.rows.retain(|row| {
            let reason = row.unfit(format);
            skipped.extend(reason.map(|reason| SkippedLine {
                line: row.line,
                reason,
            }));
            reason.is_none()
        });
        self.skipped.sort_by_key(|skipped| skipped.line);
    }
}

impl SourceRow {
    /// Returns why no file of this format can have the row, or `None` if it can. A value
    /// that is left out could admit more callers than the row does.
    fn unfit(&self, format: Format) -> Option<SkipReason> {
        let has = |column| column == Column::Account && (format == Format::Md5 || self.is_numbered);
        let mut columns = self.values.iter().map(|(column, _)| *column);
        if let Some(column) = columns.find(|column| !has(*column)) {
            return Some(SkipReason::NoSuchColumn(format, column));
        }
        match self.line_in(format) {
            Ok(_) => None,
            Err(AddError::InvalidMd5Account) => Some(SkipReason::InvalidMd5Account),
            Err(_) => Some(SkipReason::NoSuchForm(format)),
        }
    }

    /// Returns the line of the row.
    fn line_in(&self, format: Format) -> Result<Zeroizing<Vec<u8>>, AddError> {
        let no_such_form = || AddError::NoSuchForm(format);
        match &self.secret {
            SourceSecret::Pin(_) => {
                let pin = self.pin().ok_or_else(no_such_form)?;
                line(self.account(), &pin, format)
            }
            SourceSecret::Secret(secret) => {
                let digest = secret.strip_prefix("md5:");
                let digest = digest.filter(|_| format == Format::Md5);
                line_of_md5(self.account(), digest.ok_or_else(no_such_form)?)
            }
        }
    }
}

impl LineList {
    /// Calls `look` with the number and the account of each line that has a PIN.
    fn each(&self, mut look: impl FnMut(u64, Option<&str>)) -> Result<(), ImportError> {
        read(self.text.as_slice(), self.format, true, |line| {
            match line.gives {
                Gives::Pin(_) => look(line.number, None),
                Gives::Account(account, _) => {
                    look(line.number, Some(&String::from_utf8_lossy(account)));
                }
                Gives::Blank | Gives::Invalid(_) => {}
            }
            None::<()>
        })?;
        Ok(())
    }

    fn accounts(&self) -> Result<HashSet<String>, ImportError> {
        let mut accounts = HashSet::new();
        self.each(|_, account| accounts.extend(account.map(ToOwned::to_owned)))?;
        Ok(accounts)
    }
}

impl<'a> Comparison<'a> {
    fn of_lines(list: &LineList, rules: &'a RowRules<'a>) -> Result<Self, ImportError> {
        let rows = load(&list.text, FileKind::Lines(list.format), rules.numbering)?;
        let mut secrets = HashMap::new();
        read(list.text.as_slice(), list.format, true, |line| {
            if let Gives::Account(account, md5) = line.gives {
                let mut secret = "md5:".to_owned();
                hex::append(&mut secret, &md5);
                secrets.insert(digest(account, secret.as_bytes()), line.number);
            }
            None::<()>
        })?;
        Ok(Self::without_columns(rows, secrets, rules))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pinset::Numbering;

    use super::*;
    use crate::common::secret_maker::{SecretForm, SecretMaker};
    use crate::pin_files::import::{SourceFormat, SourceOptions};

    /// Of 1234.
    const MD5: &str = "81dc9bdb52d04dc20036dbd8313ed055";
    /// Of 2002.
    const OTHER_MD5: &str = "4ba29b9f9e5732ed33761840f4ba6c53";

    fn list(text: &str, format: Format) -> LineList {
        LineList {
            text: Zeroizing::new(text.as_bytes().to_vec()),
            format,
        }
    }

    fn import(text: &str) -> Import {
        let options = SourceOptions {
            format: SourceFormat::Auto,
            assume_enabled: false,
            shared_pins: false,
        };
        Import::read(text.as_bytes(), options, &Numbering::default()).expect("a source")
    }

    fn with_rules<T>(run: impl FnOnce(&RowRules<'_>) -> T) -> T {
        let maker = SecretMaker {
            form: SecretForm::Plain,
            pepper: Arc::default(),
        };
        run(&RowRules {
            numbering: &Numbering::default(),
            maker: &maker,
            shared_pins: false,
        })
    }

    fn skipped(import: &Import) -> Vec<String> {
        let skipped = import.skipped.iter();
        let text = |skipped: &SkippedLine| format!("{}: {}", skipped.line, skipped.reason);
        skipped.map(text).collect()
    }

    /// Returns the text of the file with the new rows of a list, and the other lines of it.
    fn added(old: &LineList, new: &str) -> (String, Vec<String>) {
        let mut import = import(new);
        with_rules(|rules| {
            import.skip_known_lines(old, rules).expect("compared");
            let text = import.append_lines(old, rules).expect("appended");
            let text = String::from_utf8(text.to_vec()).expect("text");
            (text, skipped(&import))
        })
    }

    #[test]
    fn plain_file_gets_pins_that_it_lacks() {
        let old = list("; staff\n1001\n2002", Format::Plain);
        let (text, skipped) = added(&old, "2002\n3003\n3003\n12x\n");
        assert_eq!(text, "; staff\n1001\n2002\n3003\n");
        let reasons = [
            "1: PIN file: line 3 has the same PIN already",
            "3: same PIN as line 2",
            "4: a character that telephones do not have",
        ];
        assert_eq!(skipped, reasons);
    }

    /// A disabled row must not become a line that admits.
    #[test]
    fn rows_with_values_that_a_file_lacks_are_skipped() {
        let plain = list("1001\n", Format::Plain);
        let (text, skipped) = added(
            &plain,
            "account,secret,enabled\nada,plain:3003,\nbob,plain:4004,no\n",
        );
        assert_eq!(text, "1001\n");
        let reason = "a plain file has no column account: make it a CSV file first";
        assert_eq!(skipped, [format!("2: {reason}"), format!("3: {reason}")]);
        let md5 = list(&format!("ada:{MD5}\n"), Format::Md5);
        let hmac = format!("hmac-sha256:main:{}", "0".repeat(64));
        let (text, skipped) = added(
            &md5,
            &format!(
                "account,secret,enabled\nbob,plain:4004,no\nmax,{hmac},\n\"a:b\",plain:5005,\n\
                 eve,md5:{OTHER_MD5},\n"
            ),
        );
        assert_eq!(text, format!("ada:{MD5}\neve:{OTHER_MD5}\n"));
        let reasons = [
            "2: an MD5 file has no column enabled: make it a CSV file first",
            "3: an MD5 file has no secrets of this form",
            "4: account with : or a line end, which an MD5 file can't have",
        ];
        assert_eq!(skipped, reasons);
    }

    #[test]
    fn md5_file_gets_hashes_and_numbers_apart_from_its_accounts() {
        let old = list(&format!("1:{MD5}\n"), Format::Md5);
        let (text, skipped) = added(&old, "2002\n1234\n");
        assert_eq!(text, format!("1:{MD5}\n2:{OTHER_MD5}\n"));
        assert_eq!(skipped, ["2: PIN file: line 1 has the same PIN already"]);
        let (_, skipped) = added(&old, "account,pin\nada,1234\n");
        assert_eq!(
            skipped,
            ["2: PIN file: line 1 has the same PIN for another account"]
        );
        let (text, skipped) = added(&old, &format!("1:{}\n", MD5.to_uppercase()));
        assert_eq!((text, skipped.len()), (format!("1:{MD5}\n"), 1));
    }

    #[test]
    fn replaced_file_keeps_its_comments_and_known_lines() {
        let old = list("; staff\n1001\n2002\n\n3003\n", Format::Plain);
        let mut new = import("2002\n4004\n");
        with_rules(|rules| {
            let replaced = new.replace_lines(&old, rules).expect("compared");
            assert_eq!(replaced.removed, ["line 2", "line 5"]);
            assert_eq!(replaced.kept, 1);
            let text = new.append_lines(&replaced.list, rules).expect("appended");
            assert_eq!(text.as_slice(), b"; staff\n2002\n\n4004\n");
        });
        let old = list(&format!("ada:{MD5}\nbob:{OTHER_MD5}\n"), Format::Md5);
        let mut new = import("account,pin\nada,1234\n");
        with_rules(|rules| {
            let replaced = new.replace_lines(&old, rules).expect("compared");
            assert_eq!(replaced.removed, ["bob"]);
            assert_eq!(
                replaced.list.text.as_slice(),
                format!("ada:{MD5}\n").as_bytes()
            );
            assert!(new.rows.is_empty());
        });
    }
}
