//! Escapes untrusted text for terminals and AMI.

use std::fmt::Write;

/// The same text, with `\` and all that could be more than a letter written as
/// `\xNN`, byte by byte: control characters, bytes that are not UTF-8, and what
/// reorders or hides the text around it.
pub fn escape(text: &[u8]) -> String {
    let mut shown = String::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        for letter in chunk.valid().chars() {
            if is_plain(letter) {
                shown.push(letter);
            } else {
                let mut buffer = [0; 4];
                bytes(&mut shown, letter.encode_utf8(&mut buffer).as_bytes());
            }
        }
        bytes(&mut shown, chunk.invalid());
    }
    shown
}

fn bytes(shown: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing into a String does not fail.
        let _ = write!(shown, "\\x{byte:02x}");
    }
}

/// Whether it stands for itself, wherever it is shown.
fn is_plain(letter: char) -> bool {
    letter != '\\' && !letter.is_control() && !is_invisible(letter)
}

/// Whether a character is not seen itself, but hides or reorders the text around
/// it: Unicode's format characters and line separators.
pub fn is_invisible(letter: char) -> bool {
    matches!(
        letter,
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
    fn what_is_more_than_a_letter_is_written_out() {
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

    proptest! {
        #[test]
        fn no_two_texts_are_shown_alike(
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
