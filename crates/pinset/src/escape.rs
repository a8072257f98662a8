//! Escapes untrusted text for terminals, AMI, reports and the audit log.
//!
//! All escapes are `\xNN`, byte by byte. The three functions differ in which characters
//! they leave as they are, because each result is read by something else:
//!
//! | | `\` and `"` | characters left as they are | hexadecimal digits |
//! |---|---|---|---|
//! | [`escape()`] | escapes `\` | visible ones | lower case |
//! | [`escape_invisible`] | escapes neither | visible ones | lower case |
//! | [`escape_audit_value`] | escapes both | printable, non-combining ones | upper case |

/// The longest value in the audit log in bytes, escaped; the rest is cut off. All
/// fields of a line together stay well below Asterisk's limit for one (8 KiB).
pub const MAX_AUDIT_VALUE_BYTES: usize = 256;

/// Escapes text for a terminal or AMI: control characters, bytes that are not UTF-8,
/// characters that reorder or hide the text around them, and `\`, so that no two texts
/// have the same escaped form.
pub fn escape(text: &[u8]) -> String {
    let is_plain = |character: char| character != '\\' && is_visible(character);
    escape_unless(is_plain, text, LOWER_CASE, usize::MAX)
}

/// Escapes text for a report: like [`escape()`], but leaves `\` as it is, because the
/// text may come from the audit log and be escaped already.
pub fn escape_invisible(text: &[u8]) -> String {
    escape_unless(is_visible, text, LOWER_CASE, usize::MAX)
}

/// Escapes a value of the audit log: `"`, `\`, bytes that are not UTF-8, and
/// characters that are not printable or combine with the one before. Cuts it off after
/// [`MAX_AUDIT_VALUE_BYTES`], never within an escape or a character.
pub fn escape_audit_value(value: &[u8]) -> String {
    escape_unless(is_printable, value, UPPER_CASE, MAX_AUDIT_VALUE_BYTES)
}

const LOWER_CASE: &[u8; 16] = b"0123456789abcdef";
const UPPER_CASE: &[u8; 16] = b"0123456789ABCDEF";

fn escape_unless(
    is_plain: impl Fn(char) -> bool,
    text: &[u8],
    digits: &[u8; 16],
    max_bytes: usize,
) -> String {
    let mut escaped = String::with_capacity(text.len().min(max_bytes));
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            let before = escaped.len();
            if is_plain(character) {
                escaped.push(character);
            } else {
                let mut buffer = [0; 4];
                push_bytes(
                    &mut escaped,
                    character.encode_utf8(&mut buffer).as_bytes(),
                    digits,
                );
            }
            if escaped.len() > max_bytes {
                escaped.truncate(before);
                return escaped;
            }
        }
        let before = escaped.len();
        push_bytes(&mut escaped, chunk.invalid(), digits);
        if escaped.len() > max_bytes {
            escaped.truncate(before);
            return escaped;
        }
    }
    escaped
}

fn push_bytes(escaped: &mut String, bytes: &[u8], digits: &[u8; 16]) {
    for byte in bytes {
        escaped.push_str("\\x");
        let values = [byte >> 4, byte & 15].map(usize::from);
        escaped.extend(values.map(|value| char::from(digits[value])));
    }
}

fn is_visible(character: char) -> bool {
    !character.is_control() && !is_invisible(character)
}

/// Returns whether a character is printable in the audit log, and no mark that changes
/// the one before it.
fn is_printable(character: char) -> bool {
    match character {
        '"' | '\\' => false,
        ' '..='~' => true,
        // Those that Rust leaves as they are in `{:?}`: no control and format
        // characters, no blanks but ' ', none that combine.
        _ => character.escape_debug().len() == 1,
    }
}

/// Returns whether a character is invisible, but hides or reorders the text around
/// it: Unicode's format characters and line separators.
pub fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn control_and_invisible_characters_are_escaped() {
        for (text, shown) in [
            (b"+90 (555) \"x\"".as_slice(), "+90 (555) \"x\""),
            ("müşteri".as_bytes(), "müşteri"),
            (b"a\r\nEvent: b", "a\\x0d\\x0aEvent: b"),
            (b"\x1b[2J", "\\x1b[2J"),
            (b"a\\x0a", "a\\x5cx0a"),
            (b"a\xff\xfe", "a\\xff\\xfe"),
            ("\u{9b}2J".as_bytes(), "\\xc2\\x9b2J"),
            ("a\u{202e}b".as_bytes(), "a\\xe2\\x80\\xaeb"),
            (b"\0", "\\x00"),
            (b"%s%n", "%s%n"),
        ] {
            assert_eq!(escape(text), shown);
        }
    }

    #[test]
    fn invisible_characters_in_a_report_are_escaped() {
        let bytes = b"a\x1b[31m\t\r\n\0\xff\xc3\xa9\xe2\x80\xae\xc2\x85\x7f";
        let text = r"a\x1b[31m\x09\x0d\x0a\x00\xffé\xe2\x80\xae\xc2\x85\x7f";
        assert_eq!(escape_invisible(bytes), text);
    }

    proptest! {
        #[test]
        fn different_texts_have_different_escaped_forms(
            one in proptest::collection::vec(any::<u8>(), 0..20),
            other in proptest::collection::vec(any::<u8>(), 0..20),
        ) {
            let shown = escape(&one);
            let controls = shown.chars().any(char::is_control);
            prop_assert!(!controls, "{:?}", shown);
            prop_assert_eq!(shown == escape(&other), one == other);
        }
    }
}
