//! Texts for a text-to-speech application of the dialplan.

/// A text as the first argument of an application: what means something to
/// Asterisk where it reads arguments becomes a blank.
pub(super) fn argument(text: &str) -> String {
    let apart = |letter: char| letter.is_control() || ",\"\\${}()|".contains(letter);
    let plain = |letter| if apart(letter) { ' ' } else { letter };
    text.chars().map(plain).collect()
}

/// Whether this names a language, as Asterisk's directories of sounds do: `en`,
/// `en_GB`, `pt-BR`.
pub(super) fn is_language(text: &str) -> bool {
    let mut parts = text.split(['_', '-']);
    let first = parts.next().unwrap_or_default();
    let letters = first.bytes().all(|byte| byte.is_ascii_lowercase());
    let part = |part: &str| {
        (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    (2..=3).contains(&first.len()) && letters && parts.all(part) && text.len() <= 20
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_special_to_asterisk_become_blanks() {
        for (text, said) in [
            ("Merhaba, dünya!", "Merhaba  dünya!"),
            ("${SHELL(id)}", "  SHELL id  "),
            ("a\"b\\c|d\n\0e", "a b c d  e"),
            ("$[1+1] it's 5:30", " [1+1] it's 5:30"),
        ] {
            assert_eq!(argument(text), said);
        }
    }

    #[test]
    fn languages_have_names() {
        for name in ["en", "tr", "en_GB", "pt-BR", "zh-Hans-CN", "ast"] {
            assert!(is_language(name), "{name}");
        }
        let long = ["en"; 20].join("-");
        for name in [
            "", "e", "EN", "en_", "en__GB", "engl", "../en", "en/GB", "e1", "en GB", &long,
        ] {
            assert!(!is_language(name), "{name}");
        }
    }
}
