//! Escaping of untrusted cells for spreadsheets.

use std::borrow::Cow;

/// Characters that begin a formula in a spreadsheet (OWASP, "CSV Injection"), in both
/// widths.
const FORMULA_STARTS: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// Escapes a cell so that no spreadsheet evaluates it: puts an apostrophe before
/// anything that begins a formula, also after a semicolon, which separates cells in many
/// locales. A number such as `+905060508169` stays unchanged.
pub(crate) fn safe_cell(cell: &str) -> Cow<'_, str> {
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

/// Returns whether a cell that begins with this text may be a formula. A spreadsheet may
/// drop leading blanks and quotes.
fn runs(text: &str) -> bool {
    text.trim_start_matches(|letter: char| letter.is_whitespace() || letter == '"')
        .starts_with(FORMULA_STARTS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn formula_gets_apostrophe_and_number_does_not() {
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
            assert_eq!(safe_cell(text), format!("'{text}"));
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
            assert_eq!(safe_cell(text), text);
        }
        assert_eq!(safe_cell("x;=1; -2;3"), "x;'=1;' -2;3");
        assert_eq!(safe_cell("+905060508169;+1"), "'+905060508169;'+1");
    }

    proptest! {
        #[test]
        fn no_part_of_cell_is_a_formula(bytes in prop::collection::vec(
            prop::sample::select(b";=+-@\"' \t\r\n1a\xef\xbc\x9d".to_vec()), 0..12)) {
            let cell = pinset::escape::escape_invisible(&bytes);
            let safe = safe_cell(&cell);
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
