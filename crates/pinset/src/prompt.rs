//! Prompt lists: `sound&sound2&'http://host/a?b=1&c=2'`.

/// The name of a sound, or a URL.
pub type Sound = Vec<u8>;

/// Whether Asterisk would fetch this sound from a URL (it looks for `://`,
/// `main/file.c`).
pub fn is_url(sound: &[u8]) -> bool {
    memchr::memmem::find(sound, b"://").is_some()
}

/// Splits an `&`-list the way `ast_strsep` with STRIP and TRIM does: quotes
/// nest (up to seven deep) and keep an `&` inside them, a backslash takes the
/// next character along, one pair of quotes and the blanks around it go.
///
/// Empty items are left out: they are silence.
pub fn split(list: &[u8]) -> Vec<Sound> {
    const MAX_QUOTE_DEPTH: usize = 7;
    let mut sounds = Vec::new();
    let mut rest = Some(list);
    while let Some(text) = rest.take() {
        let mut quotes: Vec<u8> = Vec::new();
        let mut end = text.len();
        let mut i = 0;
        while i < text.len() {
            if text[i] == b'\\' {
                i += 2;
            }
            match text.get(i) {
                Some(quote @ (b'\'' | b'"')) => {
                    if quotes.last() == Some(quote) {
                        quotes.pop();
                    } else {
                        quotes.push(*quote);
                    }
                }
                Some(b'&') if quotes.is_empty() => {
                    end = i;
                    rest = text.get(i + 1..);
                    break;
                }
                _ => {}
            }
            if quotes.len() > MAX_QUOTE_DEPTH {
                return sounds;
            }
            i += 1;
        }
        let sound = strip(text.get(..end).unwrap_or_default());
        if !sound.is_empty() {
            sounds.push(sound.to_vec());
        }
    }
    sounds
}

fn strip(item: &[u8]) -> &[u8] {
    match item.trim_ascii() {
        [b'\'', inner @ .., b'\''] | [b'"', inner @ .., b'"'] => inner.trim_ascii(),
        plain => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &str) -> Vec<String> {
        split(list.as_bytes())
            .into_iter()
            .map(|s| String::from_utf8_lossy(&s).into_owned())
            .collect()
    }

    #[test]
    fn lists_are_split_as_asterisk_splits_them() {
        let table: &[(&str, &[&str])] = &[
            ("agent-pass", &["agent-pass"]),
            ("a&b&c", &["a", "b", "c"]),
            (" a & b ", &["a", "b"]),
            ("&", &[]),
            ("", &[]),
            ("a&", &["a"]),
            ("&a", &["a"]),
            ("'http://h/a?x=1&y=2'&beep", &["http://h/a?x=1&y=2", "beep"]),
            ("\"q&r\"&s", &["q&r", "s"]),
            ("a\\&b&c", &["a\\&b", "c"]),
            ("a\\", &["a\\"]),
            ("'unclosed&b", &["'unclosed&b"]),
        ];
        for (list, want) in table {
            assert_eq!(names(list), *want, "{list:?}");
        }
    }

    #[test]
    fn a_url_is_known_by_its_slashes() {
        assert!(is_url(b"http://h/a.wav"));
        assert!(!is_url(b"/var/lib/sounds/a"));
    }
}
