//! What is wrong with an option.

use std::fmt;

use crate::phone_number;

/// What is wrong with an option. The text repeats neither the option nor its
/// value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// No option has this name.
    UnknownOption,
    /// The option belongs to `[general]`, and this is a PIN set.
    GeneralOnly,
    /// The value is no amount of memory, nothing, or more than 64 bits hold.
    NotMemory,
    /// The value is no time, nothing, or longer than
    /// [`LONGEST_TIMEOUT`](super::LONGEST_TIMEOUT).
    NotATimeout,
    /// The value is no time a caller may be waited for.
    NotAWait,
    /// The value is no path that starts with `/`.
    NotAPath,
    /// What is wrong with an option about numbers.
    Number(phone_number::Fault),
    /// The value is none of `file:`, `astdb:` and a URL.
    NotASource,
    /// The value is no URL, or has a fragment.
    NotAUrl,
    /// The URL has a user in it.
    UserInUrl,
    /// The value does not say who we are to a service.
    NotAuth,
    /// The value is no amount of memory, nothing, or more than
    /// [`LARGEST_RESPONSE`](super::LARGEST_RESPONSE).
    NotAResponse,
    /// The value is no list of hosts.
    NotHosts,
    /// The value is no name of a context.
    NotAContext,
    /// The value is no regular expression.
    NotAPattern,
    /// The value is no list of extensions that a call may be sent to.
    NotDestinations,
    /// The value is no name of an application of the dialplan.
    NotAnApplication,
    /// The source is planned, but not there yet.
    SourceNotSupported,
    /// The value is no list of PJSIP endpoints.
    NotEndpoints,
    /// The value is none of these words; the text names them all.
    NotOneOf(&'static str),
    /// The value is no number from the first to the second.
    NotFromTo(u32, u32),
    /// The value is no key that may start an entry over.
    NotAClearKey,
    /// The value is no lockout.
    NotALockout,
    /// The value is an `&`-list without a sound.
    NotSounds,
    /// The value names no place in the dialplan where it should.
    NotAPlace,
    /// The times are not one to five fields.
    TimesFields,
    /// A time of day, or a range of them, is wrong.
    TimesOfDay,
    /// A day of the week is wrong.
    TimesWeekday,
    /// A day of the month is wrong.
    TimesDay,
    /// A month is wrong.
    TimesMonth,
    /// There is no such time zone on this machine.
    TimesZone,
    /// No date is in these months and on these days, such as 30 February.
    TimesNever,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Number(fault) => return fault.fmt(f),
            Self::NotOneOf(words) => return write!(f, "it must be {words}"),
            Self::NotFromTo(least, most) => {
                return write!(f, "it must be a whole number from {least} to {most}")
            }
            Self::UnknownOption => "there is no such option",
            Self::GeneralOnly => "it belongs to [general], for all PIN sets",
            Self::NotMemory => {
                "it must be a whole number of bytes, or one with K, M or G behind it, \
                 above 0 and below 16 EiB"
            }
            Self::NotATimeout => {
                "it must be a number of seconds, whole or decimal, above 0 and at most 60"
            }
            Self::NotAWait => {
                "it must be a number of seconds, whole or decimal, above 0 and at most 600, \
                 or nothing"
            }
            Self::NotAPath => "it must be the path of a file and start with '/'",
            Self::NotEndpoints => {
                "it must be endpoints such as PJSIP/100 with commas between them; * stands for \
                 any text, and only PJSIP tells where a phone is"
            }
            Self::NotASource => {
                "it must be file: and a path that starts with '/', astdb: and a family \
                 without '/' at its ends, or the https:// URL of a web service"
            }
            Self::SourceNotSupported => {
                "lists from realtime are not supported yet: file:, astdb: and https:// are"
            }
            Self::NotAUrl => "it must be the URL of a web service, without a # in it",
            Self::UserInUrl => "users and passwords belong in a file that auth names",
            Self::NotAuth => {
                "it must be none, or basic:, bearer: or header:NAME: and the path of a file, \
                 which starts with '/'; NAME is no header that every request has"
            }
            Self::NotAResponse => {
                "it must be a whole number of bytes, or one with K or M behind it, above 0 and \
                 at most 16M"
            }
            Self::NotHosts => {
                "it must be names or addresses of hosts with commas between them, without ports"
            }
            Self::NotAContext => "it must be the name of a context, or nothing",
            Self::NotAPattern => "it must be a regular expression",
            Self::NotDestinations => {
                "it must be extensions with commas between them, of letters, digits and + * # - _ \
                 . and none that Asterisk goes to by itself, such as s"
            }
            Self::NotAnApplication => {
                "it must be the name of an application of the dialplan, or nothing"
            }
            Self::NotAClearKey => "it must be one of the keys * A B C D, or nothing",
            Self::NotALockout => {
                "it must be failures/window/lock such as 5/15m/30m, the failures from 1 to \
                 1000000, the times whole numbers with s, m, h or d behind them, the window at \
                 most 30d, the lock at most 24h; or no"
            }
            Self::NotSounds => "it must be a sound, or several with '&' between them",
            Self::NotAPlace => {
                "behind goto: a context, an extension and a priority or label must stand, with \
                 commas between them"
            }
            Self::TimesFields => {
                "it must be times of day, weekdays, days, months and a time zone with commas \
                 between them; those at the end may be left out, * is all"
            }
            Self::TimesOfDay => {
                "its first field must be *, or times such as 09:00-17:30 with '&' between them, \
                 from 00:00 to 23:59"
            }
            Self::TimesWeekday => {
                "its second field must be *, or weekdays such as mon-fri with '&' between them, \
                 sun to sat, or 1 (Sunday) to 7"
            }
            Self::TimesDay => {
                "its third field must be *, or days such as 1-15 with '&' between them, 1 to 31"
            }
            Self::TimesMonth => {
                "its fourth field must be *, or months such as jan-mar with '&' between them, \
                 jan to dec, or 1 to 12"
            }
            Self::TimesZone => {
                "its fifth field must be a time zone of /usr/share/zoneinfo, such as \
                 Europe/Istanbul"
            }
            Self::TimesNever => "no date is in these months and on these days",
        })
    }
}
