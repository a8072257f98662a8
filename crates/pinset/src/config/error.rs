//! Errors of options in `authenticate.conf`.

use thiserror::Error;

use crate::phone_number::NumberingError;

/// An error in an option. The message holds neither the option nor its
/// value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum OptionError {
    /// No option has this name.
    #[error("there is no such option")]
    UnknownOption,
    /// The option belongs to `[general]`, and this is a PIN set.
    #[error("belongs to [general], for all PIN sets")]
    GeneralOnly,
    /// The value is not a memory size, is 0, or is more than 64 bits hold.
    #[error(
        "must be a whole number of bytes, or one with K, M or G behind it, \
         above 0 and below 16 EiB"
    )]
    InvalidMemorySize,
    /// The value is not a duration, is 0, or is longer than
    /// [`MAX_TIMEOUT`](super::MAX_TIMEOUT).
    #[error("must be a number of seconds, whole or decimal, above 0 and at most 60")]
    InvalidTimeout,
    /// The value is not a duration that a caller may be waited for.
    #[error(
        "must be a number of seconds, whole or decimal, above 0 and at most 600, \
         or nothing"
    )]
    InvalidDigitTimeout,
    /// The value is not a path that starts with `/`.
    #[error("must be the path of a file and start with '/'")]
    InvalidPath,
    /// The value is not a path that starts with `/` and has a name.
    #[error("must be the path of a folder and start with '/'")]
    InvalidFolder,
    /// A numbering option is invalid.
    #[error("{0}")]
    Numbering(NumberingError),
    /// The value is none of `file:`, `astdb:`, `database`, `realtime:` and a URL.
    #[error(
        "must be file: and a path that starts with '/', astdb: and a family \
         without '/' at its ends, database for PostgreSQL, realtime: and a family of \
         extconfig.conf, or the https:// URL of a web service"
    )]
    InvalidSource,
    /// What follows `realtime:` is not the name of a family.
    #[error(
        "behind realtime: there must be the name of a family in extconfig.conf, of letters, \
         digits, '_', '-' and '.'"
    )]
    InvalidRealtimeFamily,
    /// What follows `database:` is not the name of a PIN set.
    #[error(
        "behind database: there must be the name that the PIN set has in the database, without \
         capital letters other than A to Z"
    )]
    InvalidDatabaseName,
    /// The value is not a URL, or has a fragment.
    #[error("must be the URL of a web service, without a # in it")]
    InvalidUrl,
    /// The URL contains a user or password.
    #[error("users and passwords belong in a file that auth names")]
    UserInUrl,
    /// The value is not a way to authenticate to a service.
    #[error(
        "must be none, or basic:, bearer: or header:NAME: and the path of a file, \
         which starts with '/'; NAME is no header that every request has"
    )]
    InvalidAuth,
    /// The value is not a memory size, is 0, or is more than
    /// [`MAX_RESPONSE_BYTES`](super::MAX_RESPONSE_BYTES).
    #[error(
        "must be a whole number of bytes, or one with K or M behind it, above 0 and \
         at most 16M"
    )]
    InvalidMaxResponse,
    /// The value is not a list of hosts.
    #[error("must be names or addresses of hosts with commas between them, without ports")]
    InvalidHosts,
    /// The value is not the name of a context.
    #[error("must be the name of a context, or nothing")]
    InvalidContext,
    /// The value is not a regular expression.
    #[error("must be a regular expression")]
    InvalidPattern,
    /// The value is not a list of extensions that a call may be sent to.
    #[error(
        "must be extensions with commas between them, of letters, digits and + * # - _ \
         . and none that Asterisk goes to by itself, such as s"
    )]
    InvalidDestinations,
    /// The value is not the name of a dialplan application.
    #[error("must be the name of an application of the dialplan, or nothing")]
    InvalidApplication,
    /// The value is not a list of PJSIP endpoints.
    #[error(
        "must be endpoints such as PJSIP/100 with commas between them; * stands for \
         any text, and only PJSIP tells where a phone is"
    )]
    InvalidEndpoints,
    /// The value is none of these words; the message names them all.
    #[error("must be {0}")]
    NotOneOf(&'static str),
    /// The value is not a number from the first to the second.
    #[error("must be a whole number from {0} to {1}")]
    OutOfRange(u32, u32),
    /// The value is not a key that may start an entry over.
    #[error("must be one of the keys * A B C D, or nothing")]
    InvalidClearKey,
    /// The value is not a lockout.
    #[error(
        "must be failures/window/lock such as 5/15m/30m, the failures from 1 to \
         1000000, the times whole numbers with s, m, h or d behind them, the window at \
         most 30d, the lock at most 24h; or no"
    )]
    InvalidLockout,
    /// The value is an `&`-list without a sound.
    #[error("must be a sound, or several with '&' between them")]
    InvalidSounds,
    /// The value after `goto:` is not a place in the dialplan.
    #[error(
        "behind goto: a context, an extension and a priority or label must stand, with \
         commas between them"
    )]
    InvalidPlace,
    /// The times are not one to five fields.
    #[error(
        "must be times of day, weekdays, days, months and a time zone with commas \
         between them; those at the end may be left out, * is all"
    )]
    InvalidTimes,
    /// A time of day, or a range of them, is invalid.
    #[error(
        "its first field must be *, or times such as 09:00-17:30 with '&' between them, \
         from 00:00 to 23:59"
    )]
    InvalidTimeOfDay,
    /// A day of the week is invalid.
    #[error(
        "its second field must be *, or weekdays such as mon-fri with '&' between them, \
         sun to sat, or 1 (Sunday) to 7"
    )]
    InvalidWeekday,
    /// A day of the month is invalid.
    #[error("its third field must be *, or days such as 1-15 with '&' between them, 1 to 31")]
    InvalidDayOfMonth,
    /// A month is invalid.
    #[error(
        "its fourth field must be *, or months such as jan-mar with '&' between them, \
         jan to dec, or 1 to 12"
    )]
    InvalidMonth,
    /// There is no such time zone on this machine.
    #[error(
        "its fifth field must be a time zone of /usr/share/zoneinfo, such as \
         Europe/Istanbul"
    )]
    UnknownTimeZone,
    /// No date is in these months and on these days, such as 30 February.
    #[error("no date is in these months and on these days")]
    NoSuchDate,
}
