//! Detection of the kind of a list.

use std::io::{self, Read};

use super::csv;
use super::line::{Format, Gives};
use super::line_error::LineError;
use super::lines;

/// The kind of a list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum FileKind {
    /// An entry a line.
    Lines(Format),
    /// Columns, with a header.
    Csv,
}

/// Finds out what a list is by its first line that holds an entry or is a
/// header: csv if it is a header with `account` and `secret`, md5 if an MD5
/// stands behind its first `:`, plain if it is a PIN, also with no such line.
/// Lines that are none of these, such as comments, say nothing. A header with
/// another separator than the comma is one as well, so that the csv reader can
/// name the separator. For `settled`, see [`read`](crate::list::read).
///
/// # Errors
///
/// The list can't be read.
pub fn sniff(list: impl Read, settled: bool) -> io::Result<FileKind> {
    let kind = lines::find(list, settled, |line| match line.text {
        Some(text) if !text.is_empty() && csv::is_header(text) => Some(FileKind::Csv),
        text => match Gives::of(text, Format::Md5) {
            Gives::Account(..)
            | Gives::Invalid(LineError::MissingAccount | LineError::EmptyTextDigest) => {
                Some(FileKind::Lines(Format::Md5))
            }
            _ => match Gives::of(text, Format::Plain) {
                Gives::Pin(_) => Some(FileKind::Lines(Format::Plain)),
                _ => None,
            },
        },
    })?;
    Ok(kind.unwrap_or(FileKind::Lines(Format::Plain)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_with_an_entry_says_it() {
        let plain = FileKind::Lines(Format::Plain);
        let md5 = FileKind::Lines(Format::Md5);
        let digest = "81dc9bdb52d04dc20036dbd8313ed055";
        let of_nothing = "d41d8cd98f00b204e9800998ecf8427e";
        for (list, kind) in [
            ("account,secret\n", FileKind::Csv),
            ("\n \r\naccount,secret\n", FileKind::Csv),
            ("\u{feff}account,secret\r\n1,2\n", FileKind::Csv),
            ("Secret , name,\"ACCOUNT\"\n", FileKind::Csv),
            // Its errors are reported when it is read.
            ("account,secret,colour\n", FileKind::Csv),
            ("account,secret,secret\n", FileKind::Csv),
            ("account,name\n", plain),
            ("secret\n", plain),
            // Refused when it is read, with the separator.
            ("account;secret\n", FileKind::Csv),
            ("\"Account\"\t\"Secret\"\tcaller\r\n", FileKind::Csv),
            ("account;name\n", plain),
            ("account;secret,caller\n", plain),
            (
                include_str!("../../../../pinset-cli/tests/cases/excel-semicolon.csv"),
                FileKind::Csv,
            ),
            (
                include_str!("../../../../pinset-cli/tests/cases/md5-with-comments.conf"),
                md5,
            ),
            (&format!("; accounts\nalice:{digest}\n"), md5),
            (&format!("; PINs\n1234\nalice:{digest}\n"), plain),
            ("; PINs\n", plain),
            // The csv reader names the comment.
            ("; customers\naccount,secret\n", FileKind::Csv),
            ("accounts,secrets\n", plain),
            ("1234\naccount,secret\n", plain),
            ("1234\n", plain),
            ("", plain),
            ("\n\n", plain),
            (&format!("alice:{digest}\n"), md5),
            (&format!("\n{}:{digest}  -\n", "alice"), md5),
            (&format!(":{digest}\n"), md5),
            (&format!("alice:{of_nothing}\n"), md5),
            (&format!("{digest}\n"), plain),
            (&format!("1234\nalice:{digest}\n"), plain),
            (&format!("account,secret:{digest}\n"), md5),
            (
                &format!("{}\naccount,secret\n", "x".repeat(2000)),
                FileKind::Csv,
            ),
        ] {
            assert_eq!(sniff(list.as_bytes(), true).ok(), Some(kind), "{list:?}");
        }
    }

    #[test]
    fn an_unended_line_says_nothing_yet() {
        let header = b"account,secret";
        assert_eq!(sniff(&header[..], true).ok(), Some(FileKind::Csv));
        let plain = Some(FileKind::Lines(Format::Plain));
        assert_eq!(sniff(&header[..], false).ok(), plain);
    }
}
