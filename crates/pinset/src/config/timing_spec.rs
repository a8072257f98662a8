//! `times`: an Asterisk timing specification,
//! `times of day,weekdays,days,months[,zone]`.
//!
//! It is decided by Asterisk (`ast_build_timing`, `main/pbx_timing.c`), which
//! skips what it does not understand with a warning and takes a zone it does
//! not know for UTC. So it is understood here first, and only what Asterisk
//! reads as it is meant gets there.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::error::OptionError;

/// Where Asterisk has its time zones (`TZDIR`, `main/stdtime/localtime.c`).
const ZONES: &str = "/usr/share/zoneinfo";

const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const LONGEST_MONTHS: [u32; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// A timing specification that Asterisk reads as it is meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Times(String);

impl Times {
    /// Reads the value of the option.
    ///
    /// # Errors
    ///
    /// The field that is wrong; or no date fits the days and the months.
    pub fn parse(value: &[u8]) -> Result<Self, OptionError> {
        let text = std::str::from_utf8(value).map_err(|_| OptionError::InvalidTimes)?;
        let mut fields: Vec<String> = Vec::new();
        for field in text.split(',') {
            fields.push(without_blanks(field));
        }
        let (mut days, mut months) = (all(31), all(12));
        for (at, field) in fields.iter().enumerate() {
            match at {
                0 => times_of_day(field)?,
                1 => drop(mask(field, 7, &WEEKDAYS).ok_or(OptionError::InvalidWeekday)?),
                2 => days = mask(field, 31, &[]).ok_or(OptionError::InvalidDayOfMonth)?,
                3 => months = mask(field, 12, &MONTHS).ok_or(OptionError::InvalidMonth)?,
                4 => zone(field).ok_or(OptionError::UnknownTimeZone)?,
                _ => return Err(OptionError::InvalidTimes),
            }
        }
        let mut lengths = LONGEST_MONTHS.iter().enumerate();
        let possible =
            lengths.any(|(month, length)| months & (1 << month) != 0 && days & all(*length) != 0);
        if possible {
            Ok(Self(fields.join(",")))
        } else {
            Err(OptionError::NoSuchDate)
        }
    }

    /// For `ast_build_timing`: without blanks.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A field without the blanks around it, and around its `-` and `&`, which
/// Asterisk does not skip. Others stay and make it wrong.
fn without_blanks(field: &str) -> String {
    let around = |text: &str, sign: &str| -> String {
        let parts: Vec<&str> = text.split(sign).map(str::trim).collect();
        parts.join(sign)
    };
    around(&around(field, "&"), "-")
}

/// The lowest `bits` bits.
fn all(bits: u32) -> u32 {
    (1 << bits) - 1
}

/// Whether a field is times of day. An end before its start is on the next
/// day; a time alone is its minute.
fn times_of_day(field: &str) -> Result<(), OptionError> {
    let right = |part: &str| match part.split_once('-') {
        Some((start, end)) => is_time(start) && is_time(end),
        None => is_time(part),
    };
    if field == "*" || field.split('&').all(right) {
        Ok(())
    } else {
        Err(OptionError::InvalidTimeOfDay)
    }
}

/// `9:00`, `09:00`.
fn is_time(text: &str) -> bool {
    let Some((hours, minutes)) = text.split_once(':') else {
        return false;
    };
    let below = |limit| move |number: u32| number < limit;
    minutes.len() == 2
        && number(hours).is_some_and(below(24))
        && number(minutes).is_some_and(below(60))
}

/// One or two digits.
fn number(text: &str) -> Option<u32> {
    let digits = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// The elements of a field as bits, the first one the lowest. Ranges go round:
/// `sat-mon` is three days.
fn mask(field: &str, most: u32, names: &[&str]) -> Option<u32> {
    if field == "*" {
        return Some(all(most));
    }
    let element = |text: &str| {
        let named = names
            .iter()
            .position(|name| name.eq_ignore_ascii_case(text));
        match named {
            Some(at) => u32::try_from(at).ok(),
            None => number(text)
                .filter(|number| (1..=most).contains(number))
                .map(|number| number - 1),
        }
    };
    field.split('&').try_fold(0, |mask, part| {
        let (start, end) = part.split_once('-').unwrap_or((part, part));
        let (mut at, end) = (element(start)?, element(end)?);
        let mut mask = mask | 1 << end;
        while at != end {
            mask |= 1 << at;
            at = (at + 1) % most;
        }
        Some(mask)
    })
}

/// Whether Asterisk has this time zone: it would take an unknown one for UTC.
fn zone(name: &str) -> Option<()> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-+/".contains(&byte);
    let within = !name.starts_with('/') && name.bytes().all(plain);
    let mut magic = [0; 4];
    let mut file = within.then(|| File::open(Path::new(ZONES).join(name)).ok())??;
    file.read_exact(&mut magic).ok()?;
    (magic == *b"TZif").then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(value: &str) -> Result<String, OptionError> {
        Times::parse(value.as_bytes()).map(|times| times.0)
    }

    #[test]
    fn times_that_asterisk_reads_as_meant_are_accepted() {
        let right = [
            ("*", "*"),
            ("*,*,*,*", "*,*,*,*"),
            ("09:00-17:30", "09:00-17:30"),
            ("9:00-17:30,mon-fri", "9:00-17:30,mon-fri"),
            ("22:00-06:00", "22:00-06:00"),
            ("00:00-23:59", "00:00-23:59"),
            ("12:34", "12:34"),
            ("08:00-12:00&13:00-17:00", "08:00-12:00&13:00-17:00"),
            ("*,Sat-MON&wed", "*,Sat-MON&wed"),
            ("*,1-7", "*,1-7"),
            ("*,*,1-15&31", "*,*,1-15&31"),
            ("*,*,25-5,dec-jan", "*,*,25-5,dec-jan"),
            ("*,*,*,1-12", "*,*,*,1-12"),
            ("*,*,29,feb", "*,*,29,feb"),
            ("*,*,31,feb&mar", "*,*,31,feb&mar"),
            ("*,*,*,*,Europe/Istanbul", "*,*,*,*,Europe/Istanbul"),
            ("*,*,*,*,UTC", "*,*,*,*,UTC"),
            (
                " 09:00 - 17:00 & 18:00 , mon - fri , * , jan & feb",
                "09:00-17:00&18:00,mon-fri,*,jan&feb",
            ),
        ];
        for (value, text) in right {
            assert_eq!(read(value).as_deref(), Ok(text), "{value:?}");
        }
    }

    #[test]
    fn times_that_asterisk_would_read_differently_are_refused() {
        use OptionError::*;
        let wrong = [
            ("", InvalidTimeOfDay),
            ("garbage", InvalidTimeOfDay),
            ("9-17", InvalidTimeOfDay),
            ("24:00", InvalidTimeOfDay),
            ("09:00-24:00", InvalidTimeOfDay),
            ("09:60", InvalidTimeOfDay),
            ("09:0", InvalidTimeOfDay),
            ("009:00", InvalidTimeOfDay),
            ("-1:00", InvalidTimeOfDay),
            ("09:00-", InvalidTimeOfDay),
            ("09:00-x17:00", InvalidTimeOfDay),
            ("09:00-10:00-11:00", InvalidTimeOfDay),
            ("09:00&", InvalidTimeOfDay),
            ("09:00|mon", InvalidTimeOfDay),
            ("0 9:00", InvalidTimeOfDay),
            ("*-*", InvalidTimeOfDay),
            ("*,", InvalidWeekday),
            ("*,monday", InvalidWeekday),
            ("*,mo-fr", InvalidWeekday),
            ("*,0", InvalidWeekday),
            ("*,8", InvalidWeekday),
            ("*,mon-", InvalidWeekday),
            ("*,mon-fri-sat", InvalidWeekday),
            ("*,mon;tue", InvalidWeekday),
            ("*,jan", InvalidWeekday),
            ("*,*,0", InvalidDayOfMonth),
            ("*,*,32", InvalidDayOfMonth),
            ("*,*,001", InvalidDayOfMonth),
            ("*,*,mon", InvalidDayOfMonth),
            ("*,*,*,13", InvalidMonth),
            ("*,*,*,march", InvalidMonth),
            ("*,*,*,", InvalidMonth),
            ("*,*,*,*,", UnknownTimeZone),
            ("*,*,*,*,Nowhere/Else", UnknownTimeZone),
            ("*,*,*,*,europe/istanbul", UnknownTimeZone),
            ("*,*,*,*,Europe", UnknownTimeZone),
            ("*,*,*,*,tzdata.zi", UnknownTimeZone),
            // A file there that is no zone.
            ("*,*,*,*,leapseconds", UnknownTimeZone),
            ("*,*,*,*,/usr/share/zoneinfo/UTC", UnknownTimeZone),
            ("*,*,*,*,../zoneinfo/UTC", UnknownTimeZone),
            ("*,*,*,*,<+03>-3", UnknownTimeZone),
            ("*,*,*,*,UTC,", InvalidTimes),
            ("*,*,30-31,feb", NoSuchDate),
            ("*,*,31,apr&jun&sep&nov", NoSuchDate),
        ];
        for (value, error) in wrong {
            assert_eq!(read(value), Err(error), "{value:?}");
        }
        assert_eq!(Times::parse(b"\xff"), Err(InvalidTimes));
    }

    #[test]
    fn ranges_go_round() {
        assert_eq!(mask("sat-mon", 7, &WEEKDAYS), Some(0b100_0011));
        assert_eq!(mask("mon-mon", 7, &WEEKDAYS), Some(0b000_0010));
        assert_eq!(mask("2-4&7", 7, &WEEKDAYS), Some(0b100_1110));
        assert_eq!(mask("30-2", 31, &[]), Some(0x6000_0003));
        assert_eq!(mask("*", 31, &[]), Some(0x7fff_ffff));
    }

    proptest! {
        #[test]
        fn any_text_is_read_and_what_is_taken_stays_as_it_is(
            value in "[0-9:*,&a-z -]{0,40}|[0-2][0-9]:[0-5][0-9](-[0-2][0-9]:[0-5][0-9])?(,[a-z1-9]{1,3})?"
        ) {
            if let Ok(text) = read(&value) {
                prop_assert!(!text.contains(' '));
                prop_assert_eq!(read(&text), Ok(text.clone()));
            }
        }
    }
}
