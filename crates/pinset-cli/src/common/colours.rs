//! Removal of terminal colours from text that was copied from a terminal or logged.

use std::borrow::Cow;

/// Removes the control sequences with which Asterisk colours a line (ECMA-48: `ESC [`,
/// parameters, a letter).
pub(crate) fn without_colours(line: &[u8]) -> Cow<'_, [u8]> {
    let begin = b"\x1b[";
    let Some(mut at) = memchr::memmem::find(line, begin) else {
        return Cow::Borrowed(line);
    };
    let mut text = Vec::with_capacity(line.len());
    let mut rest = line;
    loop {
        let (front, sequence) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        text.extend_from_slice(front);
        let behind = sequence.get(begin.len()..).unwrap_or_default();
        let parameters = behind
            .iter()
            .take_while(|byte| (0x20..0x40).contains(*byte));
        // One more: the letter that ends the sequence.
        rest = behind.get(parameters.count() + 1..).unwrap_or_default();
        match memchr::memmem::find(rest, begin) {
            Some(next) => at = next,
            None => break,
        }
    }
    text.extend_from_slice(rest);
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_sequences_are_removed_and_nothing_else() {
        for (line, plain) in [
            ("", ""),
            ("plain [0m", "plain [0m"),
            ("\x1b[1;33mAUTHENTICATE\x1b[0m[812]", "AUTHENTICATE[812]"),
            ("\x1b[0K\x1b[mx\x1b[", "x"),
            ("a\x1b[1", "a"),
            ("a\x1bb", "a\x1bb"),
        ] {
            assert_eq!(
                &*without_colours(line.as_bytes()),
                plain.as_bytes(),
                "{line:?}"
            );
        }
    }
}
