//! Which numbers of uses belong to no row of a list any more.
//!
//! A number of uses that is deleted lets its row admit again, so a row counts as
//! absent only if it certainly is: not if anything in the list can't be read, for
//! that may be the row, to be corrected later.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Read;

use super::{credential, digest, TableError};
use crate::credential::secret::Secret;
use crate::hex;
use crate::list::format::csv;
use crate::list::format::lines::{first_line, trimmed};
use crate::list::{Blocks, FileKind, Format, Gives};
use crate::timestamp::Zone;

/// On how many days a row must have been absent until its number of uses is
/// deleted.
pub const DAYS_KEPT: u32 = 90;

/// Removes from `digests` those that belong to a row of `list`. Returns whether
/// all of the list could be read as rows: if not, nothing is known of the rest.
///
/// # Errors
///
/// The list can't be read, or is no list: nothing is known either.
pub fn retain_absent(
    list: impl Read,
    kind: FileKind,
    zone: &Zone,
    digests: &mut BTreeSet<[u8; 16]>,
) -> Result<bool, TableError> {
    match kind {
        FileKind::Csv => {
            let mut reader = csv::Reader::new(list, true, zone);
            while let Some(row) = reader.next_row()? {
                let Ok(row) = row else { return Ok(false) };
                if Secret::parse(row.secret.as_bytes()).is_err() {
                    return Ok(false);
                }
                digests.remove(&digest(row.account.as_bytes(), row.secret.as_bytes()));
            }
            Ok(true)
        }
        FileKind::Lines(format) => {
            let mut blocks = Blocks::new(list, true);
            while let Some(block) = blocks.next_block().map_err(TableError::Unreadable)? {
                if !retain_absent_lines(block.lines, format, digests) {
                    return Ok(false);
                }
            }
            Ok(true)
        }
    }
}

/// The same for whole lines of a plain or md5 list.
fn retain_absent_lines(lines: &[u8], format: Format, digests: &mut BTreeSet<[u8; 16]>) -> bool {
    let mut rest = lines;
    while let Some((line, _, behind)) = first_line(rest) {
        rest = behind;
        match Gives::of(trimmed(line), format) {
            Gives::Invalid(_) => return false,
            gives => {
                if let Some((account, secret)) = credential(&gives) {
                    digests.remove(&digest(account, &secret));
                }
            }
        }
    }
    true
}

/// On how many days a row was looked for and was absent, and on which day, since
/// 1970, it was last. It is counted in days with a look rather than by a date, so
/// that a clock which is set does not end it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Absence {
    days: u32,
    last: u64,
}

impl Absence {
    /// Parses what [`fmt::Display`] has written.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (days, last) = std::str::from_utf8(text).ok()?.split_once(' ')?;
        Some(Self {
            days: days.parse().ok()?,
            last: last.parse().ok()?,
        })
    }

    /// The absence after a look on this day that has not found the row.
    pub fn after(earlier: Option<Self>, today: u64) -> Self {
        match earlier {
            Some(earlier) if earlier.last == today => earlier,
            Some(earlier) => Self {
                days: earlier.days.saturating_add(1),
                last: today,
            },
            None => Self {
                days: 1,
                last: today,
            },
        }
    }

    /// Whether the number of uses is to be deleted.
    pub fn is_over(self) -> bool {
        self.days > DAYS_KEPT
    }
}

impl fmt::Display for Absence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.days, self.last)
    }
}

/// The digest in the key of a number of uses, `[ACCOUNT/]DIGEST`.
pub fn digest_of_key(key: &[u8]) -> Option<[u8; 16]> {
    let hex = key.rsplit(|byte| *byte == b'/').next()?;
    let hex = std::str::from_utf8(hex)
        .ok()
        .filter(|hex| hex.len() == 32)?;
    let number = u128::from_str_radix(hex, 16).ok()?;
    Some(number.to_be_bytes())
}

/// The account in such a key, from the form that [`<[u8]>::escape_ascii`] has given it;
/// empty if the list has no accounts, or it is in no such form.
pub fn account_of_key(key: &[u8]) -> Vec<u8> {
    let mut rest = match key.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => &key[..slash],
        None => b"",
    };
    let mut account = Vec::new();
    while let [first, behind @ ..] = rest {
        let (byte, behind) = match (first, behind) {
            (b'\\', [b'x', high, low, behind @ ..]) => match hex::bytes(&[*high, *low]) {
                Some([byte]) => (byte, behind),
                None => return Vec::new(),
            },
            (b'\\', [escaped, behind @ ..]) => match escaped {
                b'n' => (b'\n', behind),
                b'r' => (b'\r', behind),
                b't' => (b'\t', behind),
                other => (*other, behind),
            },
            _ => (*first, behind),
        };
        account.push(byte);
        rest = behind;
    }
    account
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn account_of_a_key_is_the_one_it_was_made_of(account: Vec<u8>) {
            let digest = "0".repeat(32);
            let key = format!("{}/{digest}", account.escape_ascii());
            prop_assert_eq!(account_of_key(key.as_bytes()), account);
        }
    }

    #[test]
    fn key_without_an_account_has_none() {
        for key in ["", "00", "\\xg0/00"] {
            assert_eq!(account_of_key(key.as_bytes()), b"", "{key}");
        }
    }

    use crate::pin::Pin;
    use crate::verify::admission::digest_of_entry;

    fn absent(list: &str, kind: FileKind, digests: &[[u8; 16]]) -> Option<Vec<[u8; 16]>> {
        let mut left: BTreeSet<_> = digests.iter().copied().collect();
        let whole = retain_absent(list.as_bytes(), kind, &Zone::utc(), &mut left);
        matches!(whole, Ok(true)).then(|| left.into_iter().collect())
    }

    #[test]
    fn rows_of_every_format_are_present_others_absent() {
        let pin = Pin::parse(b"1234").expect("a PIN");
        let gone = digest(b"bob", b"plain:9");
        let csv = digest(b"ada", b"plain:1234");
        let list = "account,secret,valid_until,max_uses\nada,plain:1234,2001-01-01,\n";
        assert_eq!(absent(list, FileKind::Csv, &[csv, gone]), Some(vec![gone]));
        let plain = digest_of_entry(Format::Plain, b"", &pin);
        let kind = FileKind::Lines(Format::Plain);
        // A last line without an end may be a row.
        for list in ["1\n\n1234\n", "1\n1234"] {
            assert_eq!(absent(list, kind, &[plain, gone]), Some(vec![gone]));
        }
        let md5 = digest_of_entry(Format::Md5, b"ada", &pin);
        let list = "ada:81DC9BDB52D04DC20036DBD8313ED055\n";
        let kind = FileKind::Lines(Format::Md5);
        assert_eq!(absent(list, kind, &[md5, gone]), Some(vec![gone]));
        assert_eq!(
            absent("", FileKind::Lines(Format::Plain), &[gone]),
            Some(vec![gone])
        );
    }

    #[test]
    fn lists_with_an_invalid_row_tell_nothing() {
        let gone = [digest(b"bob", b"plain:9")];
        for list in [
            "account\nada\n",
            "account,secret\nada\n",
            "account,secret\nbob,plane:9\n",
            "account,secret,valid_until\nbob,plain:9,tomorrow\n",
            "account,secret\n,plain:9\n",
            "account,secret\nada,\"plain:9\n",
        ] {
            assert_eq!(absent(list, FileKind::Csv, &gone), None, "{list:?}");
        }
        let long = "9".repeat(2000);
        for list in ["9 # bob's\n", &long] {
            let kind = FileKind::Lines(Format::Plain);
            assert_eq!(absent(list, kind, &gone), None, "{list:?}");
        }
        let kind = FileKind::Lines(Format::Md5);
        assert_eq!(absent("bob\n", kind, &gone), None);
    }

    #[test]
    fn absence_counts_days_with_a_look_whatever_the_clock_says() {
        let mut absence = Absence::after(None, 5);
        for today in [5, 5, 20_000, 20_000, 3] {
            absence = Absence::after(Some(absence), today);
        }
        assert_eq!(absence.to_string(), "3 3");
        assert_eq!(Absence::parse(b"3 3"), Some(absence));
        for today in 4..=DAYS_KEPT {
            absence = Absence::after(Some(absence), today.into());
            assert!(!absence.is_over(), "{absence}");
        }
        assert!(Absence::after(Some(absence), 0).is_over());
        for text in ["", "3", "3 x", "-1 3", "a 3"] {
            assert_eq!(Absence::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn keys_hold_the_digest_behind_the_account() {
        let digest = [0xb6; 16];
        for key in ["b6".repeat(16), format!("a/b/{}", "b6".repeat(16))] {
            assert_eq!(digest_of_key(key.as_bytes()), Some(digest), "{key}");
        }
        for key in [
            "",
            "ada",
            "ada/",
            &"b6".repeat(17),
            &format!("{}/ada", "b6".repeat(16)),
        ] {
            assert_eq!(digest_of_key(key.as_bytes()), None, "{key}");
        }
    }
}
