//! Points in time, as `valid_from` and `valid_until` have them:
//! `2026-11-22`, `2026-11-22 13:30`, `2026-11-22 13:30:05`, with a `T` in place
//! of the blank if wanted (ISO 8601), and with `Z` or `+03:00` behind a time
//! that is not local.

use std::hash::{DefaultHasher, Hasher};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{env, fs};

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ToSpan};

/// A point in time, in whole seconds since 1970 (UTC).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Moment(i64);

/// Returns the time since 1970 (UTC). A clock before that is at its start.
pub fn since_epoch() -> Duration {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default()
}

/// The rules of a place's clocks.
#[derive(Clone, Debug)]
pub struct Zone {
    rules: TimeZone,
    digest: u64,
}

impl Zone {
    /// That of this machine, as it is now: `TZ`, as tzset(3) reads it, or
    /// `/etc/localtime`. UTC if neither can be read.
    ///
    /// Read here: what jiff itself finds, it keeps for ever, and a module that
    /// is unloaded must leave nothing.
    pub fn of_the_machine() -> Self {
        let zone = match env::var("TZ") {
            Ok(named) => zone_named(named.strip_prefix(':').unwrap_or(&named)),
            Err(_) => zone_in(Path::new("/etc/localtime")),
        };
        zone.unwrap_or_else(Self::utc)
    }

    /// Universal time.
    pub fn utc() -> Self {
        Self::of(TimeZone::UTC, b"")
    }

    /// Returns the rules that this text describes.
    fn of(rules: TimeZone, text: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(text);
        Self {
            rules,
            digest: hasher.finish(),
        }
    }

    /// Returns a number that other rules do not have. It tells this version of the program
    /// that times computed with the rules must be computed again.
    pub fn digest(&self) -> u64 {
        self.digest
    }
}

/// The value of `TZ`: `Europe/Istanbul`, `/path/of/a/zone`, `CET-1CEST,M3.5.0,M10.5.0/3`.
fn zone_named(name: &str) -> Option<Zone> {
    if name.is_empty() {
        return None;
    }
    // An absolute path replaces the folder.
    zone_in(&Path::new("/usr/share/zoneinfo").join(name))
        .or_else(|| Some(Zone::of(TimeZone::posix(name).ok()?, name.as_bytes())))
}

/// The zone that a file in the format of tzfile(5) holds.
fn zone_in(path: &Path) -> Option<Zone> {
    let text = fs::read(path).ok()?;
    Some(Zone::of(TimeZone::tzif("Local", &text).ok()?, &text))
}

impl Zone {
    /// Returns a time of the clock as people write it here: `2026-11-28 23:31:05`.
    pub fn text(&self, clock: SystemTime) -> String {
        let seconds = Moment::of(clock).seconds();
        Timestamp::from_second(seconds).map_or_else(
            |_| String::new(),
            |time| {
                time.to_zoned(self.rules.clone())
                    .strftime("%F %T")
                    .to_string()
            },
        )
    }
}

impl Moment {
    /// The moment of the clock. A clock before 1970 is at its start.
    pub fn of(clock: SystemTime) -> Self {
        let seconds = clock
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        Self(i64::try_from(seconds).unwrap_or(i64::MAX))
    }

    /// Returns the moment `seconds` after the start of 1970 (UTC).
    pub(crate) fn at(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since 1970 (UTC).
    pub fn seconds(self) -> i64 {
        self.0
    }

    /// Returns when the validity from `text` begins: at the time, or when the day begins.
    /// Returns `None` if it is no date.
    pub fn from_which(text: &str, zone: &Zone) -> Option<Self> {
        Self::read(text, zone, false)
    }

    /// Returns when the validity until `text` ends: at the time, or when the day is over.
    /// Returns `None` if it is no date.
    pub fn until_which(text: &str, zone: &Zone) -> Option<Self> {
        Self::read(text, zone, true)
    }

    /// With `whole_day`, a date alone stands for the end of its day.
    fn read(text: &str, zone: &Zone, whole_day: bool) -> Option<Self> {
        let (day, rest) = text.split_at_checked(10)?;
        let date = date(day)?;
        if rest.is_empty() {
            let day = if whole_day {
                date.checked_add(1.day()).ok()?
            } else {
                date
            };
            return local(day.to_datetime(Time::midnight()), zone);
        }
        let rest = rest.strip_prefix([' ', 'T', 't'])?;
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != ':')
            .unwrap_or(rest.len());
        let (clock, offset) = rest.split_at_checked(digits)?;
        let at = date.to_datetime(time(clock)?);
        match offset {
            "" => local(at, zone),
            "Z" | "z" => absolute(at, Offset::UTC),
            offset => absolute(at, away(offset)?),
        }
    }
}

/// A local time. One that the clock skips in spring is taken an hour later,
/// of one that it shows twice in autumn the first (RFC 5545, 3.3.5).
fn local(at: DateTime, zone: &Zone) -> Option<Moment> {
    let at = zone.rules.to_ambiguous_timestamp(at).compatible().ok()?;
    Some(Moment(at.as_second()))
}

fn absolute(at: DateTime, offset: Offset) -> Option<Moment> {
    Some(Moment(offset.to_timestamp(at).ok()?.as_second()))
}

/// `YYYY-MM-DD`, a day that there is.
fn date(text: &str) -> Option<Date> {
    let (year, text) = text.split_once('-')?;
    let (month, day) = text.split_once('-')?;
    Date::new(number(year, 4)?, number(month, 2)?, number(day, 2)?).ok()
}

/// `HH:MM`, `HH:MM:SS`.
fn time(text: &str) -> Option<Time> {
    let mut parts = text.split(':');
    let (hour, minute) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let second = parts.next().map_or(Some(0), |second| number(second, 2))?;
    let end = parts.next().is_none();
    let time = Time::new(hour, minute, second, 0).ok();
    time.filter(|_| end)
}

/// `+HH:MM`, `-HH:MM`.
fn away(text: &str) -> Option<Offset> {
    let (sign, text) = text.split_at_checked(1)?;
    let sign = match sign {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes): (i32, i32) = (number(hours, 2)?, number(minutes, 2)?);
    let right = hours < 24 && minutes < 60;
    Offset::from_seconds(sign * (hours * 60 + minutes) * 60)
        .ok()
        .filter(|_| right)
}

/// Parses a number of exactly `digits` digits.
fn number<T: std::str::FromStr>(text: &str, digits: usize) -> Option<T> {
    let right = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    right.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;
    use std::time::Duration;

    /// A place whose summer begins on 29 March 2026 at 02:00, and ends on
    /// 25 October at 03:00.
    fn berlin() -> Zone {
        zone_named("CET-1CEST,M3.5.0,M10.5.0/3").expect("a zone")
    }

    #[test]
    fn zones_are_those_of_the_system() {
        let noon = |zone: Option<Zone>| {
            let zone = zone.expect("a zone");
            let moment = Moment::from_which("2026-11-22 12:00", &zone);
            moment.expect("a date").seconds()
        };
        assert_eq!(noon(Some(Zone::utc())), 1_795_348_800);
        let ahead = 3 * 60 * 60;
        for name in [
            "Europe/Istanbul",
            "/usr/share/zoneinfo/Europe/Istanbul",
            "<+03>-3",
        ] {
            assert_eq!(noon(zone_named(name)), 1_795_348_800 - ahead, "{name}");
        }
        for name in ["", "Nowhere/City", "/etc/passwd", "/usr/share/zoneinfo"] {
            assert!(zone_named(name).is_none(), "{name}");
        }
    }

    #[test]
    fn digest_is_that_of_the_rules() {
        let digest = |name| zone_named(name).map(|zone| zone.digest());
        let names = ["Europe/Istanbul", "Europe/Berlin", "<+03>-3", "<+04>-4"];
        let digests: HashSet<_> = names.iter().map(|name| digest(name)).collect();
        assert_eq!(digests.len(), names.len());
        let path = digest("/usr/share/zoneinfo/Europe/Istanbul");
        assert!(path.is_some() && path == digest("Europe/Istanbul"));
    }

    #[test]
    fn days_and_times() {
        // `date -u -d … +%s` says so; `None` where the whole day plays no part.
        let table = [
            ("1970-01-01 00:00Z", 0, None),
            ("2026-11-22", 1_795_302_000, Some(1_795_388_400)),
            ("2026-11-22 13:30", 1_795_350_600, None),
            ("2026-11-22T13:30", 1_795_350_600, None),
            ("2026-11-22 13:30:05", 1_795_350_605, None),
            ("2026-11-22 13:30Z", 1_795_354_200, None),
            ("2026-11-22t13:30:00z", 1_795_354_200, None),
            ("2026-11-22 13:30+03:00", 1_795_343_400, None),
            ("2026-11-22 13:30:05-05:30", 1_795_374_005, None),
            // Days of 23 and of 25 hours.
            ("2026-03-29", 1_774_738_800, Some(1_774_821_600)),
            ("2026-10-25", 1_792_879_200, Some(1_792_969_200)),
            // Skipped, and shown twice.
            ("2026-03-29 02:30", 1_774_747_800, None),
            ("2026-10-25 02:30", 1_792_888_200, None),
            ("2024-02-29", 1_709_161_200, Some(1_709_247_600)),
            ("2026-12-31", 1_798_671_600, Some(1_798_758_000)),
        ];
        for (text, from, until) in table {
            let read = Moment::from_which(text, &berlin());
            assert_eq!(read, Some(Moment(from)), "from {text}");
            let read = Moment::until_which(text, &berlin());
            assert_eq!(read, Some(Moment(until.unwrap_or(from))), "until {text}");
        }
    }

    #[test]
    fn invalid_dates_are_refused() {
        for text in [
            "",
            "2026",
            "2026-11",
            "2026-1-1",
            "26-11-22",
            "22.11.2026",
            "11/22/2026",
            "2026/11/22",
            "20261122",
            "2026-02-29",
            "2026-00-01",
            "2026-13-01",
            "2026-11-00",
            "2026-11-31",
            "+026-11-22",
            "-026-11-22",
            "2026-11-22 ",
            "2026-11-22T",
            "2026-11-22 13",
            "2026-11-22 1:30",
            "2026-11-22 13:3",
            "2026-11-22 24:00",
            "2026-11-22 13:60",
            "2026-11-22 13:30:60",
            "2026-11-22 13:30:05:00",
            "2026-11-22 13:30:05.5",
            "2026-11-22  13:30",
            "2026-11-22 13:30 Z",
            "2026-11-22 13:30+3",
            "2026-11-22 13:30+0300",
            "2026-11-22 13:30+24:00",
            "2026-11-22 13:30+01:60",
            "2026-11-22 13:30 CET",
            "2026-11-22Z",
            "2026-11-2²",
            "2026-11-22 13:30é",
            "never",
        ] {
            assert_eq!(Moment::from_which(text, &berlin()), None, "{text:?}");
            assert_eq!(Moment::until_which(text, &berlin()), None, "{text:?}");
        }
    }

    #[test]
    fn the_clock_is_in_the_same_seconds() {
        let clock = UNIX_EPOCH + Duration::from_millis(1_795_350_605_999);
        let read = Moment::from_which("2026-11-22 13:30:05", &berlin());
        assert_eq!(Some(Moment::of(clock)), read);
        assert_eq!(Moment::of(UNIX_EPOCH - Duration::from_secs(9)), Moment(0));
    }

    proptest! {
        #[test]
        fn parsing_any_text_does_not_panic(text in ".{0,30}|[0-9TZ:+ -]{8,26}") {
            let zone = berlin();
            let (from, until) = (Moment::from_which(&text, &zone), Moment::until_which(&text, &zone));
            prop_assert!(from.is_some() || until.is_none());
            prop_assert!(until.is_none() || from <= until);
        }

        /// As jiff prints it, with and without an offset.
        #[test]
        fn printed_time_is_read_back(seconds in -10_000_000_000_i64..100_000_000_000) {
            let at = jiff::Timestamp::from_second(seconds).expect("a time");
            prop_assert_eq!(Moment::from_which(&at.to_string(), &berlin()), Some(Moment(seconds)));
            let local = at.to_zoned(TimeZone::fixed(jiff::tz::offset(3))).strftime("%F %T%:z");
            let read = Moment::until_which(&local.to_string(), &berlin());
            prop_assert_eq!(read, Some(Moment(seconds)));
        }
    }
}
