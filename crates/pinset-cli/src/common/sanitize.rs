//! Text that came from callers, made harmless for whoever looks at it.

use std::borrow::Cow;

/// What a spreadsheet takes for the beginning of a formula (OWASP, "CSV
/// Injection"), in the widths it is keyed in.
const FORMULA: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

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

    proptest! {
        #[test]
        fn no_part_of_a_cell_runs(bytes in prop::collection::vec(
            prop::sample::select(b";=+-@\"' \t\r\n1a\xef\xbc\x9d".to_vec()), 0..12)) {
            let cell = pinset::escape::escape_invisible(&bytes);
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
