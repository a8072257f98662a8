//! Text that came from callers, made harmless for whoever looks at it.

use std::borrow::Cow;
use std::fmt::Write;

use pinset::escape::is_invisible;

/// What a spreadsheet takes for the beginning of a formula (OWASP, "CSV
/// Injection"), in the widths it is keyed in.
const FORMULA: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// Text of these bytes: control characters, those that are not seen or change
/// the direction of others, and what is no UTF-8 become `\xNN` a byte, as in
/// the audit log.
pub fn shown(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            if letter.is_control() || is_invisible(letter) {
                escape(&mut text, letter.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                text.push(letter);
            }
        }
        escape(&mut text, chunk.invalid());
    }
    text
}

fn escape(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // A String takes all that is written.
        let _ = write!(text, "\\x{byte:02x}");
    }
}

/// The text as a cell that no spreadsheet runs: an apostrophe stands in front
/// of what would be a formula, also behind a semicolon, where a spreadsheet of
/// many a country begins the next cell. A number such as `+905060508169` stays
/// as it is.
pub fn safe(cell: &str) -> Cow<'_, str> {
    let is_number = cell.strip_prefix('+').is_some_and(|digits| {
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    if is_number || !cell.split(';').any(runs) {
        return Cow::Borrowed(cell);
    }
    let mut safe = String::with_capacity(cell.len() + 1);
    for (at, part) in cell.split(';').enumerate() {
        if at > 0 {
            safe.push(';');
        }
        if runs(part) {
            safe.push('\'');
        }
        safe.push_str(part);
    }
    Cow::Owned(safe)
}

/// Whether a cell that begins so may be a formula: blanks and quotes in front
/// may go.
fn runs(text: &str) -> bool {
    text.trim_start_matches(|letter: char| letter.is_whitespace() || letter == '"')
        .starts_with(FORMULA)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_would_run_gets_an_apostrophe() {
        for text in [
            "=1+1",
            "+1+1",
            "-1",
            "@SUM(A1)",
            "+",
            "+90 506",
            " =1",
            "\u{a0}=1",
            "\u{3000}＝1",
            "\"=1",
            "＋1",
            "－1",
            "＠x",
            "+90506\u{661}",
        ] {
            assert_eq!(safe(text), format!("'{text}"));
        }
        for text in [
            "",
            "alice",
            "a=b",
            "1-2",
            "+905060508169",
            "90;91",
            "'=1",
            "\\x09=1",
        ] {
            assert_eq!(safe(text), text);
        }
        assert_eq!(safe("x;=1; -2;3"), "x;'=1;' -2;3");
        assert_eq!(safe("+905060508169;+1"), "'+905060508169;'+1");
    }

    #[test]
    fn what_is_not_to_be_seen_is_written_out() {
        let bytes = b"a\x1b[31m\t\r\n\0\xff\xc3\xa9\xe2\x80\xae\xc2\x85\x7f";
        let text = r"a\x1b[31m\x09\x0d\x0a\x00\xffé\xe2\x80\xae\xc2\x85\x7f";
        assert_eq!(shown(bytes), text);
    }

    proptest! {
        #[test]
        fn no_part_of_a_cell_runs(bytes in prop::collection::vec(
            prop::sample::select(b";=+-@\"' \t\r\n1a\xef\xbc\x9d".to_vec()), 0..12)) {
            let cell = shown(&bytes);
            let safe = safe(&cell);
            if let Some(number) = safe.strip_prefix('+') {
                prop_assert!(!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()));
            } else {
                for part in safe.split([';', '\t', '\r', '\n']) {
                    let part = part.trim_start_matches([' ', '"']);
                    prop_assert!(!part.starts_with(['=', '+', '-', '@', '＝']), "{safe:?}");
                }
            }
            prop_assert_eq!(safe.replace('\'', ""), cell.replace('\'', ""));
        }
    }
}
