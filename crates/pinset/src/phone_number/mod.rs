//! Comparison of telephone numbers: `docs/pin-sets.md`.
//!
//! Rows and callers go through [`Numbering::normalize`] alike, so that every
//! spelling of a number finds the same row. What a number is, is decided by
//! the first of these that fits:
//!
//! 1. `+` and a number, the country code first: as it is.
//! 2. `international_prefix` and a number: as it is.
//! 3. `country_code` and as many digits as `national_length` says: as it is.
//! 4. `national_prefix` and as many digits: the prefix goes, the country code
//!    comes before them.
//! 5. As many digits: the country code comes before them.
//!
//! Digits behind the own `country_code`, in 1 to 3, must have `national_length`.
//! If they do not, `national_prefix` in front of them is dropped if the rest
//! has; `+90 0506…` is `+90506…`. A prefix in parentheses, `+49 (0)30…`, is
//! always dropped.
//!
//! Anything else is no usable number. What fits 2 is never anything else, so
//! a national number that begins with the international prefix must be spelled
//! with its country code. With one `national_length`, 3 to 5 never make two
//! numbers of one text, not even where the national prefix is the country code,
//! as in North America. With a range they can: of 9-11 digits in country 90,
//! `90506050816` may be a number of eleven digits, or 90 and one of nine. Then 3
//! comes before 4, and 4 before 5: the more must fit, the less it does by chance.

use std::fmt;
use std::ops::RangeInclusive;

use thiserror::Error;

use crate::escape::is_invisible;

/// The most digits a number has, its country code among them: ITU-T E.164.
pub const MAX_NUMBER_DIGITS: usize = 15;

/// The most digits a country code has: ITU-T E.164.
const MAX_COUNTRY_CODE_DIGITS: usize = 3;

/// The most digits a prefix may have: the longest in use, which choose a
/// carrier as well, have six.
const MAX_PREFIX_DIGITS: usize = 8;

/// The most digits a number is spelled with: `+` or the international prefix, the national
/// prefix, and its own.
const MAX_SPELLED_DIGITS: usize = MAX_NUMBER_DIGITS + 2 * MAX_PREFIX_DIGITS + 1;

/// The options that say how numbers are compared, each with its default until
/// it is set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Numbering {
    country_code: Vec<u8>,
    national_prefix: Vec<u8>,
    international_prefix: Vec<u8>,
    national_length: RangeInclusive<usize>,
}

impl Default for Numbering {
    fn default() -> Self {
        Self {
            country_code: Vec::new(),
            national_prefix: b"0".to_vec(),
            international_prefix: b"00".to_vec(),
            national_length: 10..=10,
        }
    }
}

/// An error in a numbering option, or with several together. The message
/// holds neither the name of a single option nor its value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum NumberingError {
    /// No option has this name.
    #[error("there is no such option")]
    UnknownOption,
    /// The value is not a country code.
    #[error(
        "must be a country code of one to three digits, the first not 0, \
         without + or 00 before it"
    )]
    InvalidCountryCode,
    /// The value is not a prefix.
    #[error("must be a prefix of at most eight digits, or empty")]
    InvalidPrefix,
    /// The value is neither a length nor a range of lengths.
    #[error("must be a number of digits from 1 to 14, or a range such as 9-11")]
    InvalidLength,
    /// The country code and the longest national number are over [`MAX_NUMBER_DIGITS`].
    #[error("country_code and national_length together must not be over 15 digits")]
    TooManyDigits,
    /// A number that begins with the national prefix is taken for international.
    #[error("national_prefix must not begin with international_prefix")]
    AmbiguousPrefixes,
}

impl Numbering {
    /// Sets the option `name` to what `value` says: `country_code`,
    /// `national_prefix`, `international_prefix` (each may be empty) or
    /// `national_length`. The name may be in upper or lower case, as with
    /// Asterisk's own options; the blanks around both have been taken off by
    /// Asterisk.
    ///
    /// # Errors
    ///
    /// There is no such option, or this is no value for it. Then nothing has
    /// changed. Whether the options go together, [`Self::check`] says.
    pub fn set(&mut self, name: &[u8], value: &[u8]) -> Result<(), NumberingError> {
        match name.to_ascii_lowercase().as_slice() {
            b"country_code" => {
                let right = value.len() <= MAX_COUNTRY_CODE_DIGITS && value.first() != Some(&b'0');
                self.country_code = digits(value)
                    .filter(|_| right)
                    .ok_or(NumberingError::InvalidCountryCode)?;
            }
            b"national_prefix" => self.national_prefix = prefix(value)?,
            b"international_prefix" => self.international_prefix = prefix(value)?,
            b"national_length" => {
                self.national_length = lengths(value).ok_or(NumberingError::InvalidLength)?;
            }
            _ => return Err(NumberingError::UnknownOption),
        }
        Ok(())
    }

    /// Whether the options go together; to be asked when all are set.
    ///
    /// # Errors
    ///
    /// Some numbers of the own country could never be used.
    pub fn check(&self) -> Result<(), NumberingError> {
        let hidden = !self.international_prefix.is_empty()
            && self.national_prefix.starts_with(&self.international_prefix);
        if self.country_code.len() + self.national_length.end() > MAX_NUMBER_DIGITS {
            Err(NumberingError::TooManyDigits)
        } else if hidden {
            Err(NumberingError::AmbiguousPrefixes)
        } else {
            Ok(())
        }
    }

    /// Returns the options with their values, as [`Self::set`] takes them.
    pub fn options(&self) -> [(&'static str, String); 4] {
        let text = |digits: &[u8]| String::from_utf8_lossy(digits).into_owned();
        let (shortest, longest) = (self.national_length.start(), self.national_length.end());
        [
            ("country_code", text(&self.country_code)),
            ("national_prefix", text(&self.national_prefix)),
            ("international_prefix", text(&self.international_prefix)),
            ("national_length", format!("{shortest}-{longest}")),
        ]
    }

    /// Returns the number of a caller, its parameters left out: a row has none.
    pub fn normalize_caller(&self, text: &[u8]) -> Option<Number> {
        self.normalize(without_parameters(text))
    }

    /// Returns `country_code`, if it is set.
    pub fn country_code(&self) -> Option<&str> {
        let code = std::str::from_utf8(&self.country_code).ok();
        code.filter(|code| !code.is_empty())
    }

    /// Whether a number begins with `country_code`.
    pub fn is_domestic(&self, number: &Number) -> bool {
        let code = self.country_code();
        number.is_international()
            && code.is_some_and(|code| number.digits().starts_with(code.as_bytes()))
    }

    /// The number that `text` stands for, of a row or of a caller, by the rules
    /// at the top of this file. Blanks, `-`, `.`, `(` and `)` are passed over, and
    /// so are Unicode's blanks, hyphens and invisible characters, which come with
    /// what is copied from elsewhere. Returns `None` if there is no usable number, such
    /// as `anonymous`, an extension, or nothing.
    ///
    /// Without a `country_code` nothing can be completed, and the third rule
    /// fits nothing. The national forms are then compared with each other only:
    /// `0506…` is `506…`, but neither is `+90506…`. So a PBX whose rows and
    /// trunks all spell numbers the national way needs no option, and a number
    /// is never taken for one of another country.
    pub fn normalize(&self, text: &[u8]) -> Option<Number> {
        let spelling = Spelling::read(text, &self.national_prefix)?;
        let spelled = spelling.digits();
        let international_form = spelled
            .strip_prefix(b"+")
            .or_else(|| behind(&self.international_prefix, spelled));
        if let Some(number) = international_form {
            return match behind(&self.country_code, number) {
                Some(national) => self.domestic(national, &spelling),
                None => international(number),
            };
        }
        if let Some(national) = behind(&self.country_code, spelled) {
            let number = self.domestic(national, &spelling);
            if number.is_some() || spelling.marks_prefix_of(national) {
                return number;
            }
        }
        let number = behind(&self.national_prefix, spelled)
            .filter(|number| self.fits(number))
            .or_else(|| Some(spelled).filter(|number| self.fits(number)))?;
        if self.country_code.is_empty() {
            return Number::new(false, &[number]);
        }
        Number::new(true, &[&self.country_code, number])
    }

    /// Whether a number without country code and prefix has as many digits as
    /// `national_length` says.
    fn fits(&self, number: &[u8]) -> bool {
        self.national_length.contains(&number.len())
    }

    /// The number whose digits follow the own country code, perhaps with the
    /// national prefix in front of them, which belongs to the national form only.
    fn domestic(&self, national: &[u8], spelling: &Spelling) -> Option<Number> {
        let without = behind(&self.national_prefix, national).filter(|number| self.fits(number));
        let number = if spelling.marks_prefix_of(national) {
            without
        } else if self.fits(national) {
            Some(national)
        } else {
            without
        };
        Number::new(true, &[&self.country_code, number?])
    }
}

/// The digits of a number, with a `+` in front if there is one.
struct Spelling {
    digits: [u8; MAX_SPELLED_DIGITS],
    len: usize,
    /// Where the national prefix stands in parentheses.
    marked_prefix: Option<usize>,
}

impl Spelling {
    /// Reads the digits of `text`; `None` if there is anything else in it.
    fn read(text: &[u8], national_prefix: &[u8]) -> Option<Self> {
        let mut digits = [0; MAX_SPELLED_DIGITS];
        let mut len = 0;
        let (mut opened, mut marked_prefix) = (None, None);
        for letter in std::str::from_utf8(text).ok()?.chars() {
            match letter {
                '(' => opened = Some(len),
                ')' => {
                    let group = opened.take().filter(|start| {
                        digits.get(*start..len) == Some(national_prefix)
                            && !national_prefix.is_empty()
                    });
                    marked_prefix = marked_prefix.or(group);
                }
                '+' | '0'..='9' if letter != '+' || len == 0 => {
                    *digits.get_mut(len)? = u8::try_from(letter).ok()?;
                    len += 1;
                }
                _ if is_passed_over(letter) => {}
                _ => return None,
            }
        }
        Some(Self {
            digits,
            len,
            marked_prefix,
        })
    }

    fn digits(&self) -> &[u8] {
        self.digits.get(..self.len).unwrap_or_default()
    }

    /// Whether `end`, the last of the digits, begins with the national prefix in
    /// parentheses.
    fn marks_prefix_of(&self, end: &[u8]) -> bool {
        self.marked_prefix == self.len.checked_sub(end.len())
    }
}

/// Whether a character in a number says nothing about it. Control characters,
/// tabs and line ends among them, are no part of a number.
pub fn is_passed_over(letter: char) -> bool {
    matches!(
        letter,
        '-' | '(' | ')' | '.' | '\u{2010}'..='\u{2015}' | '\u{2212}'
    ) || is_invisible(letter)
        || letter.is_whitespace() && !letter.is_control()
}

/// Returns a caller number without the parameters that SIP adds and a dialplan may
/// copy: `+905060508169` of `+905060508169;verstat=TN-Validation-Passed`.
pub fn without_parameters(number: &[u8]) -> &[u8] {
    let mut parts = number.split(|byte| *byte == b';');
    parts.next().unwrap_or_default()
}

/// As the file could have it.
impl fmt::Display for Numbering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, value)) in self.options().iter().enumerate() {
            let separator = if at == 0 { "" } else { ", " };
            write!(f, "{separator}{name} = {value}")?;
        }
        Ok(())
    }
}

/// Returns the rest of `number` behind `prefix`; an empty prefix is none.
fn behind<'a>(prefix: &[u8], number: &'a [u8]) -> Option<&'a [u8]> {
    number.strip_prefix(prefix).filter(|_| !prefix.is_empty())
}

/// A number with its country code. No country code begins with 0.
fn international(number: &[u8]) -> Option<Number> {
    let right = number.first().is_some_and(|digit| *digit != b'0');
    Number::new(true, &[number]).filter(|_| right)
}

fn digits(value: &[u8]) -> Option<Vec<u8>> {
    value.iter().all(u8::is_ascii_digit).then(|| value.to_vec())
}

fn prefix(value: &[u8]) -> Result<Vec<u8>, NumberingError> {
    digits(value)
        .filter(|prefix| prefix.len() <= MAX_PREFIX_DIGITS)
        .ok_or(NumberingError::InvalidPrefix)
}

/// `10`, `9-11`: digits.
fn lengths(value: &[u8]) -> Option<RangeInclusive<usize>> {
    let mut parts = value.split(|byte| *byte == b'-');
    let shortest = length(parts.next()?)?;
    let longest = parts.next().map_or(Some(shortest), length)?;
    (parts.next().is_none() && shortest <= longest).then_some(shortest..=longest)
}

fn length(text: &[u8]) -> Option<usize> {
    let digits = String::from_utf8(digits(text)?).ok()?;
    let length = digits.parse().ok()?;
    (1..MAX_NUMBER_DIGITS).contains(&length).then_some(length)
}

/// A telephone number, as it is compared: two spellings of one are equal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Number {
    international: bool,
    digits: [u8; MAX_NUMBER_DIGITS],
    len: u8,
}

impl Number {
    /// The number of these digits, if it is not over [`MAX_NUMBER_DIGITS`].
    fn new(international: bool, parts: &[&[u8]]) -> Option<Self> {
        let mut digits = [0; MAX_NUMBER_DIGITS];
        let mut len = 0;
        for digit in parts.iter().copied().flatten() {
            *digits.get_mut(len)? = *digit;
            len += 1;
        }
        Some(Self {
            international,
            digits,
            len: u8::try_from(len).ok()?,
        })
    }

    /// Its digits: with the country code, unless [`Self::is_international`]
    /// says that it has none.
    pub fn digits(&self) -> &[u8] {
        self.digits.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Whether it has its country code. All have one where `country_code` is
    /// set.
    pub fn is_international(&self) -> bool {
        self.international
    }
}

/// `+905060508169`, or without a country code `5060508169`.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plus = if self.international { "+" } else { "" };
        write!(f, "{plus}{}", String::from_utf8_lossy(self.digits()))
    }
}

#[cfg(test)]
mod tests;
