//! What a list says, in the plainest words: the reference.

use std::collections::HashMap;

use md5::{Digest, Md5};
use pinset::list::{read, Format, Gives};

use crate::case::{Case, MARK};

/// The longest line that is looked at.
const LONGEST: usize = 1024;

/// The longest PIN.
const MAX_KEYS: usize = 254;

/// What the lines of a list say, one after the other.
#[derive(PartialEq, Eq)]
pub struct Said {
    /// Every line, and whether it has an end.
    pub lines: Vec<(Says, bool)>,
    /// Whose a PIN is by the first line that gives it: the PIN, or its MD5 in
    /// an md5 list.
    first: HashMap<Vec<u8>, Option<Vec<u8>>>,
}

/// What a line says.
#[derive(PartialEq, Eq, Clone)]
pub enum Says {
    Nothing,
    Broken,
    /// The PIN, or its MD5 in an md5 list, and whose it is.
    Gives(Vec<u8>, Option<Vec<u8>>),
}

impl Said {
    /// By what `docs/pin-lists.md` says, and nothing of the code under test.
    pub fn by_the_model(case: &Case) -> Self {
        let list = case.list.strip_prefix(MARK).unwrap_or(&case.list);
        let lines = list.split_inclusive(|byte| *byte == b'\n');
        let lines = lines.map(|line| match line.strip_suffix(b"\n") {
            Some(line) => (line, true),
            None => (line, false),
        });
        let counting = lines.filter(|(_, ended)| *ended || case.settled);
        Self::of(counting.map(|(line, ended)| (Says::of(line, case.format), ended)))
    }

    /// By what the list's lines are read as.
    pub fn by_reading(case: &Case) -> Self {
        let mut lines = Vec::new();
        let end = read(case.reader(), case.format, case.settled, |line| {
            let says = match line.gives {
                Gives::Blank => Says::Nothing,
                Gives::Pin(pin) => Says::Gives(pin.to_vec(), None),
                Gives::Account(account, digest) => {
                    Says::Gives(digest.to_vec(), Some(account.to_vec()))
                }
                Gives::Invalid(_) => Says::Broken,
            };
            lines.push((says, line.ended));
            assert_eq!(line.number, lines.len() as u64);
            None::<()>
        });
        assert!(matches!(end, Ok(None)));
        Self::of(lines)
    }

    fn of(lines: impl IntoIterator<Item = (Says, bool)>) -> Self {
        let lines: Vec<_> = lines.into_iter().collect();
        let mut first = HashMap::new();
        for (says, _) in &lines {
            if let Says::Gives(pin, account) = says {
                first.entry(pin.clone()).or_insert_with(|| account.clone());
            }
        }
        Self { lines, first }
    }

    /// Whose a PIN is, if anybody's; nobody's account in a plain list.
    pub fn account_of(&self, format: Format, pin: &[u8]) -> Option<&Option<Vec<u8>>> {
        match format {
            Format::Plain => self.first.get(pin),
            Format::Md5 => self.first.get(Md5::digest(pin).as_slice()),
        }
    }

    /// The PINs, or their MD5s in an md5 list, that the lines give.
    pub fn pins(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.lines.iter().filter_map(|(says, _)| match says {
            Says::Gives(pin, _) => Some(pin.as_slice()),
            _ => None,
        })
    }

    /// The numbers of the broken lines.
    pub fn broken(&self) -> impl Iterator<Item = u64> + '_ {
        let numbered = (1..).zip(&self.lines);
        numbered
            .filter(|(_, (says, _))| *says == Says::Broken)
            .map(|(number, _)| number)
    }
}

impl Says {
    fn of(line: &[u8], format: Format) -> Self {
        let text = line.trim_ascii();
        if line.len() > LONGEST {
            return Self::Broken;
        }
        if text.is_empty() {
            return Self::Nothing;
        }
        match format {
            Format::Plain => {
                let keys = text.iter().all(|key| b"0123456789*ABCD".contains(key));
                if keys && text.len() <= MAX_KEYS {
                    Self::Gives(text.to_vec(), None)
                } else {
                    Self::Broken
                }
            }
            Format::Md5 => Self::of_md5(text).unwrap_or(Self::Broken),
        }
    }

    fn of_md5(text: &[u8]) -> Option<Self> {
        let mut parts = text.splitn(2, |byte| *byte == b':');
        let account = parts.next()?.trim_ascii();
        let behind = parts.next()?.trim_ascii_start();
        let word = behind.split(u8::is_ascii_whitespace).next()?;
        if account.is_empty() || word.len() != 32 || !word.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let digest = u128::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()?;
        let digest = digest.to_be_bytes();
        (digest != <[u8; 16]>::from(Md5::digest(b"")))
            .then(|| Self::Gives(digest.to_vec(), Some(account.to_vec())))
    }
}
