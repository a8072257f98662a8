//! Parsing of values, common to all options.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::error::OptionError;
use crate::dialplan::{is_name, Place, Route};
use crate::prompt::{self, Sound};

/// The words that Asterisk takes for yes and for no (`ast_true`, `ast_false`).
pub(super) const YES: &str = "yes true y t 1 on";
/// See [`YES`].
pub(super) const NO: &str = "no false n f 0 off";

/// A number of digits alone, or with one point: Rust's own parsers also take
/// signs, exponents and `inf`.
pub(super) fn number<T: FromStr>(text: &[u8], point: bool) -> Option<T> {
    let plain = |byte: &u8| byte.is_ascii_digit() || (point && *byte == b'.');
    let text = text.iter().all(plain).then_some(text)?;
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// A whole number within limits.
pub(super) fn from_to(value: &[u8], least: u32, most: u32) -> Result<u32, OptionError> {
    number(value, false)
        .filter(|number| (least..=most).contains(number))
        .ok_or(OptionError::OutOfRange(least, most))
}

/// `1073741824`, `1048576K`, `1024m`, `1G`: bytes, K being 1024.
pub(super) fn memory(value: &[u8]) -> Option<u64> {
    let (digits, unit) = match value {
        [digits @ .., b'k' | b'K'] => (digits, 1 << 10),
        [digits @ .., b'm' | b'M'] => (digits, 1 << 20),
        [digits @ .., b'g' | b'G'] => (digits, 1 << 30),
        digits => (digits, 1_u64),
    };
    number::<u64>(digits, false)?
        .checked_mul(unit)
        .filter(|bytes| *bytes > 0)
}

/// `3`, `0.5`: seconds, above 0.
pub(super) fn seconds(value: &[u8], longest: Duration) -> Option<Duration> {
    let seconds = number(value, true)?;
    let time = Duration::try_from_secs_f64(seconds).ok()?;
    (!time.is_zero() && time <= longest).then_some(time)
}

/// `90s`, `15m`, `24h`, `30d`: above 0.
pub(super) fn span(value: &[u8], longest: Duration) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    let unit = match unit.to_ascii_lowercase() {
        b's' => 1,
        b'm' => 60,
        b'h' => 60 * 60,
        b'd' => 24 * 60 * 60,
        _ => return None,
    };
    let time = Duration::from_secs(number::<u64>(digits, false)?.checked_mul(unit)?);
    (!time.is_zero() && time <= longest).then_some(time)
}

/// Whether a value is one of Asterisk's words for yes, or for no, in upper or
/// lower case.
pub(super) fn yes_or_no(value: &[u8]) -> Option<bool> {
    let among = |words: &str| {
        words
            .split(' ')
            .any(|word| word.as_bytes().eq_ignore_ascii_case(value))
    };
    if among(YES) {
        Some(true)
    } else {
        among(NO).then_some(false)
    }
}

/// An option that is on or off.
pub(super) fn truth(value: &[u8]) -> Result<bool, OptionError> {
    yes_or_no(value).ok_or(OptionError::NotOneOf("yes or no"))
}

/// What belongs to the word that a value is, in upper or lower case.
pub(super) fn word<T: Copy>(value: &[u8], words: &[(&str, T)]) -> Option<T> {
    let (_, meaning) = words
        .iter()
        .find(|(word, _)| word.as_bytes().eq_ignore_ascii_case(value))?;
    Some(*meaning)
}

/// `None` for an empty value, which takes back what `[general]` says.
pub(super) fn unless_empty<T>(
    value: &[u8],
    read: impl FnOnce(&[u8]) -> Result<T, OptionError>,
) -> Result<Option<T>, OptionError> {
    if value.is_empty() {
        Ok(None)
    } else {
        read(value).map(Some)
    }
}

/// The path of a file.
pub(super) fn path(value: &[u8]) -> Result<PathBuf, OptionError> {
    use std::os::unix::ffi::OsStrExt;
    if value.len() > 1 && value.starts_with(b"/") && !value.ends_with(b"/") {
        Ok(std::ffi::OsStr::from_bytes(value).into())
    } else {
        Err(OptionError::InvalidPath)
    }
}

/// The path of a folder, with or without `/` at its end.
pub(super) fn folder(value: &[u8]) -> Result<PathBuf, OptionError> {
    path(value.strip_suffix(b"/").unwrap_or(value)).map_err(|_| OptionError::InvalidFolder)
}

/// An `&`-list; an empty one is silence.
pub(super) fn sounds(value: &[u8]) -> Result<Vec<Sound>, OptionError> {
    let sounds = prompt::split(value);
    if sounds.is_empty() && !value.is_empty() {
        Err(OptionError::InvalidSounds)
    } else {
        Ok(sounds)
    }
}

/// Removes `prefix`, in upper or lower case, from the start of a value.
pub(super) fn strip_prefix<'a>(value: &'a [u8], prefix: &str) -> Option<&'a [u8]> {
    let (start, rest) = value.split_at_checked(prefix.len())?;
    start
        .eq_ignore_ascii_case(prefix.as_bytes())
        .then_some(rest)
}

/// Reads a route that a failed call may take.
pub(super) fn on_failure(value: &[u8]) -> Result<Route, OptionError> {
    route(value)?.ok_or(OptionError::NotOneOf(
        "hangup, continue, or goto:context,exten,priority",
    ))
}

/// Reads a route. Returns `None` if the value names none.
pub(super) fn route(value: &[u8]) -> Result<Option<Route>, OptionError> {
    if let Some(text) = strip_prefix(value, "goto:") {
        let place = place(text).ok_or(OptionError::InvalidPlace)?;
        return Ok(Some(Route::Goto(place)));
    }
    let mut routes = [("continue", Route::Continue), ("hangup", Route::Hangup)].into_iter();
    let route = routes.find(|(word, _)| word.as_bytes().eq_ignore_ascii_case(value));
    Ok(route.map(|(_, route)| route))
}

/// Reads `context,exten,priority`.
fn place(text: &[u8]) -> Option<Place> {
    let text = std::str::from_utf8(text).ok()?;
    let mut parts = text.split(',').map(str::trim);
    let (context, exten, priority) = (parts.next()?, parts.next()?, parts.next()?);
    let names = [context, exten, priority].iter().all(|name| is_name(name));
    let number = priority.bytes().all(|byte| byte.is_ascii_digit());
    let counts = !number || priority.parse::<i32>().is_ok_and(|priority| priority > 0);
    let right = names && counts && !exten.starts_with('_') && parts.next().is_none();
    right.then(|| Place {
        context: context.to_owned(),
        exten: exten.to_owned(),
        priority: priority.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_a_unit() {
        let longest = Duration::from_secs(30 * 24 * 60 * 60);
        for (value, seconds) in [
            ("1s", 1),
            ("90S", 90),
            ("15m", 900),
            ("24h", 86_400),
            ("30d", 2_592_000),
        ] {
            let read = span(value.as_bytes(), longest);
            assert_eq!(read, Some(Duration::from_secs(seconds)), "{value}");
        }
        for value in [
            "",
            "s",
            "15",
            "0m",
            "31d",
            "1.5h",
            "-1s",
            "1w",
            "1ms",
            "1 s",
            "99999999999999999999d",
            "9999999999999999999d",
        ] {
            assert_eq!(span(value.as_bytes(), longest), None, "{value}");
        }
    }

    #[test]
    fn yes_and_no_are_asterisks() {
        for value in ["yes", "YES", "true", "y", "T", "1", "on"] {
            assert_eq!(yes_or_no(value.as_bytes()), Some(true), "{value}");
        }
        for value in ["no", "False", "n", "f", "0", "OFF"] {
            assert_eq!(yes_or_no(value.as_bytes()), Some(false), "{value}");
        }
        for value in ["", "ja", "yes no", " ", "2"] {
            assert_eq!(yes_or_no(value.as_bytes()), None, "{value}");
        }
    }

    #[test]
    fn paths_are_absolute_and_of_files() {
        assert_eq!(path(b"/a/b.csv"), Ok("/a/b.csv".into()));
        for value in ["", "/", "a", "./a", "/a/"] {
            assert_eq!(
                path(value.as_bytes()),
                Err(OptionError::InvalidPath),
                "{value}"
            );
        }
    }
}
