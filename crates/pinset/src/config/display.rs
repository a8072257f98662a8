//! A PIN set as a section of the file could have it.

use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use url::Url;

use super::external::{Auth, Pattern};
use super::pin_set::{AccountCode, AstdbValue, Identify, Lockout, NoCaller, PinSet, Source};
use super::validate::foreign;
use crate::dialplan::{Place, Route};
use crate::list::{FileKind, Format};
use crate::prompt::{self, Sound};

impl PinSet {
    /// The options that say anything of its source, a list or a web service, each
    /// with the value that says what is in force; an empty one where that is
    /// nothing. A value may hold any bytes. None of them is a secret.
    pub fn options(&self) -> Vec<(&'static str, Vec<u8>)> {
        let mut options = self.all_options();
        if let Some(source) = &self.source {
            options.retain(|(option, _)| foreign(source, option).is_none());
        }
        options
    }

    /// Likewise all there are.
    pub(super) fn all_options(&self) -> Vec<(&'static str, Vec<u8>)> {
        let text = |text: &str| text.as_bytes().to_vec();
        let number = |number: usize| number.to_string().into_bytes();
        let optional = |text: &Option<String>| text.clone().unwrap_or_default().into_bytes();
        let web = &self.external;
        let attempts = usize::try_from(self.attempts).unwrap_or(usize::MAX);
        vec![
            ("source", self.source.as_ref().map_or_else(Vec::new, source)),
            ("format", text(self.format.map_or("auto", FileKind::word))),
            ("astdb_value", text(self.astdb_value.word())),
            ("identify", text(self.identify.word())),
            ("no_caller", text(self.no_caller.word())),
            ("account_code", text(self.account_code.word())),
            ("attempts", number(attempts)),
            ("min_digits", number(self.min_digits)),
            ("max_digits", number(self.max_digits)),
            ("first_digit_timeout", seconds(self.first_digit_timeout)),
            ("digit_timeout", seconds(self.digit_timeout)),
            ("clear_key", self.clear_key.into_iter().collect()),
            ("required_level", number(self.required_level.into())),
            (
                "times",
                text(self.times.as_ref().map_or("", |times| times.as_str())),
            ),
            ("one_time", text(yes_or_no(self.one_time))),
            ("lockout_caller", lockout(self.lockout_caller)),
            ("lockout_account", lockout(self.lockout_account)),
            ("lockout_pinset", lockout(self.lockout_pinset)),
            ("hide_digits", text(yes_or_no(self.hide_digits))),
            ("prompt", sounds(&self.prompt)),
            ("incorrect_prompt", sounds(&self.incorrect_prompt)),
            ("retry_prompt", sounds(&self.retry_prompt)),
            ("account_prompt", sounds(&self.account_prompt)),
            ("success_prompt", sounds(&self.success_prompt)),
            ("failure_prompt", sounds(&self.failure_prompt)),
            ("locked_prompt", sounds(&self.locked_prompt)),
            ("on_success", route(&self.on_success)),
            ("on_failure", route(&self.on_failure)),
            ("on_locked", route(&self.on_locked)),
            ("auth", auth(&web.auth)),
            ("allow_http", text(yes_or_no(web.allow_http))),
            ("connect_timeout", seconds(Some(web.connect_timeout))),
            ("timeout", seconds(Some(web.timeout))),
            ("max_response", memory(web.max_response)),
            ("max_steps", text(&web.max_steps.to_string())),
            ("post_silence", text(yes_or_no(web.post_silence))),
            ("sound_hosts", list(&web.sound_hosts)),
            ("connect_context", optional(&web.connect_context)),
            ("connect_pattern", text(web.connect_pattern.as_str())),
            ("dial_context", optional(&web.dial_context)),
            (
                "dial_pattern",
                text(web.dial_pattern.as_ref().map_or("", Pattern::as_str)),
            ),
            ("success_destinations", list(&web.success_destinations)),
            ("say_app", optional(&web.say_app)),
            ("on_error", route(&web.on_error)),
            (
                "external_manager_id",
                text(&web.external_manager_id.to_string()),
            ),
            (
                "hangup_url",
                text(web.hangup_url.as_ref().map_or("", Url::as_str)),
            ),
        ]
    }
}

impl Source {
    /// `file:/path`, `astdb:FAMILY`, `https://…`.
    pub fn to_bytes(&self) -> Vec<u8> {
        source(self)
    }
}

impl FileKind {
    /// The word for it in the file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Lines(Format::Plain) => "plain",
            Self::Lines(Format::Md5) => "md5",
            Self::Csv => "csv",
        }
    }
}

impl AstdbValue {
    fn word(self) -> &'static str {
        match self {
            Self::Ignore => "ignore",
            Self::AccountSecret => "account:secret",
        }
    }
}

impl Identify {
    /// The word for it in the file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pin => "pin",
            Self::Caller => "caller",
            Self::Account => "account",
        }
    }
}

impl NoCaller {
    fn word(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::AskAccount => "account",
        }
    }
}

impl AccountCode {
    fn word(self) -> &'static str {
        match self {
            Self::Keep => "no",
            Self::Account => "yes",
            Self::Pin => "pin",
        }
    }
}

fn source(source: &Source) -> Vec<u8> {
    match source {
        Source::File(path) => [b"file:", path.as_os_str().as_bytes()].concat(),
        Source::Astdb(family) => format!("astdb:{family}").into_bytes(),
        Source::Database(None) => b"database".to_vec(),
        Source::Database(Some(name)) => format!("database:{name}").into_bytes(),
        Source::Realtime(family) => format!("realtime:{family}").into_bytes(),
        Source::Url(url) => url.as_str().as_bytes().to_vec(),
    }
}

fn auth(auth: &Auth) -> Vec<u8> {
    let head = match auth {
        Auth::None => "none".to_owned(),
        Auth::Basic(_) => "basic:".to_owned(),
        Auth::Bearer(_) => "bearer:".to_owned(),
        Auth::Header(name, _) => format!("header:{name}:"),
    };
    let file = auth.file().map(|file| file.as_os_str().as_bytes());
    [head.as_bytes(), file.unwrap_or_default()].concat()
}

/// In the largest unit that says it exactly.
fn memory(bytes: u64) -> Vec<u8> {
    let units = [(1 << 20, "M"), (1 << 10, "K"), (1, "")];
    let unit = units.iter().find(|(unit, _)| bytes % unit == 0);
    let (unit, name) = unit.copied().unwrap_or((1, ""));
    format!("{}{name}", bytes / unit).into_bytes()
}

fn list(items: &[impl ToString]) -> Vec<u8> {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    items.join(",").into_bytes()
}

fn yes_or_no(is: bool) -> &'static str {
    if is {
        "yes"
    } else {
        "no"
    }
}

fn seconds(time: Option<Duration>) -> Vec<u8> {
    time.map_or_else(Vec::new, |time| time.as_secs_f64().to_string().into_bytes())
}

fn lockout(lockout: Option<Lockout>) -> Vec<u8> {
    let text = match lockout {
        Some(Lockout {
            failures,
            window,
            lock,
        }) => format!("{failures}/{}/{}", span(window), span(lock)),
        None => "no".to_owned(),
    };
    text.into_bytes()
}

/// `90s`, `15m`, `24h`: in the largest unit that says it exactly. Of a day it
/// is 24 hours, as the defaults are written.
pub fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds % 3600, seconds % 60) {
        (0, _) if seconds > 0 => format!("{}h", seconds / 3600),
        (_, 0) if seconds > 0 => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}

fn sounds(sounds: &[Sound]) -> Vec<u8> {
    let mut items = Vec::new();
    for (at, sound) in sounds.iter().enumerate() {
        items.push(item(sound, at + 1 == sounds.len()));
    }
    items.join(b"&".as_slice())
}

/// A sound as an item of a list: it was one, so that one of three ways is read as it.
fn item(sound: &Sound, is_last: bool) -> Vec<u8> {
    let in_quotes = |quote: &[u8]| [quote, sound, quote].concat();
    let is_read = |item: &Vec<u8>| {
        let (next, sounds) = match is_last {
            true => (&b""[..], 1),
            false => (&b"&next"[..], 2),
        };
        let read = prompt::split(&[item, next].concat());
        read.len() == sounds && read.first() == Some(sound)
    };
    let is_plain = !sound.iter().any(|byte| b"&'\"\\ ".contains(byte));
    let ways = [in_quotes(b"'"), in_quotes(b"\""), sound.clone()];
    let mut right = ways.into_iter().filter(|item| !is_plain && is_read(item));
    right.next().unwrap_or_else(|| sound.clone())
}

fn route(route: &Route) -> Vec<u8> {
    let text = match route {
        Route::Continue => "continue".to_owned(),
        Route::Hangup => "hangup".to_owned(),
        Route::Goto(Place {
            context,
            exten,
            priority,
        }) => format!("goto:{context},{exten},{priority}"),
    };
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::value;

    /// Sets `lines`, shows the PIN set, and sets what was shown.
    fn shown_and_read(lines: &[(&str, &str)]) -> (PinSet, PinSet) {
        let mut set = PinSet::default();
        for (name, value) in lines {
            assert_eq!(
                set.set(name.as_bytes(), value.as_bytes()),
                Ok(()),
                "{name} = {value}"
            );
        }
        let mut read = PinSet::default();
        for (name, value) in set.all_options() {
            if name != "source" || !value.is_empty() {
                assert_eq!(read.set(name.as_bytes(), &value), Ok(()), "{name}");
            }
        }
        (set, read)
    }

    #[test]
    fn displayed_options_are_read_back() {
        let (set, read) = shown_and_read(&[]);
        assert_eq!(set, read);
        let all = [
            ("source", "file:/etc/a b,c.csv"),
            ("format", "md5"),
            ("astdb_value", "account:secret"),
            ("identify", "caller"),
            ("no_caller", "account"),
            ("account_code", "pin"),
            ("attempts", "7"),
            ("min_digits", "4"),
            ("max_digits", "12"),
            ("first_digit_timeout", "2.5"),
            ("digit_timeout", "0.25"),
            ("clear_key", "*"),
            ("required_level", "9"),
            ("times", "9:00-17:00,mon-fri,*,*"),
            ("one_time", "yes"),
            ("lockout_caller", "3/90s/2h"),
            ("lockout_account", "no"),
            ("lockout_pinset", "7/30d/24h"),
            ("hide_digits", "no"),
            ("prompt", "a&'http://h/?a=1&b=2'&\"c'd'\""),
            ("incorrect_prompt", "\"&'"),
            ("retry_prompt", ""),
            ("account_prompt", "it's"),
            ("success_prompt", "hello"),
            ("failure_prompt", "bye"),
            ("locked_prompt", "locked"),
            ("on_success", "goto:a,1091,1"),
            ("on_failure", "continue"),
            ("on_locked", "goto:b,s,label"),
            ("auth", "header:X-Key:/etc/a b:c"),
            ("allow_http", "yes"),
            ("connect_timeout", "0.5"),
            ("timeout", "60"),
            ("max_response", "1500"),
            ("max_steps", "3"),
            ("post_silence", "no"),
            ("sound_hosts", "a.example,10.0.0.1,[::1]"),
            ("connect_context", "in"),
            ("connect_pattern", "1|2"),
            ("dial_context", "out"),
            ("dial_pattern", "00[0-9]+"),
            ("success_destinations", "1091,1092"),
            ("say_app", "Festival"),
            ("on_error", "goto:c,s,1"),
            ("external_manager_id", "7"),
            ("hangup_url", "https://h/hangup"),
        ];
        let (set, read) = shown_and_read(&all);
        assert_eq!(set, read);
        // None is left out, each has another value than its default, and they
        // stand in the order of the documentation.
        let (shown, defaults) = (set.all_options(), PinSet::default().all_options());
        assert_eq!(shown.len(), all.len());
        for ((name, value), ((of, default), (wanted, _))) in
            shown.iter().zip(defaults.iter().zip(&all))
        {
            assert_eq!((name, name), (of, wanted));
            assert_ne!(value, default, "{name}");
        }
    }

    #[test]
    fn sources_and_credentials_are_shown_as_they_are_read() {
        for (name, value) in [
            ("source", "astdb:PINSETS/1"),
            ("source", "https://h/a?b=c"),
            ("auth", "basic:/f"),
            ("auth", "bearer:/f"),
            ("max_response", "64K"),
            ("max_response", "2M"),
        ] {
            let (set, read) = shown_and_read(&[(name, value)]);
            assert_eq!(set, read);
            let options = set.all_options();
            let shown = options.iter().find(|(of, _)| *of == name);
            assert_eq!(shown, Some(&(name, value.as_bytes().to_vec())));
        }
    }

    #[test]
    fn options_for_other_sources_are_not_shown() {
        let names = |source| {
            let mut set = PinSet::default();
            assert_eq!(set.set(b"source", source), Ok(()));
            let options = set.options().into_iter();
            options.map(|(name, _)| name).collect::<Vec<_>>()
        };
        let web = names(b"https://h/");
        let list = names(b"file:/p");
        assert_eq!(list, names(b"astdb:P"));
        for (name, of_web, of_list) in [
            ("source", true, true),
            ("attempts", true, true),
            ("locked_prompt", true, true),
            ("format", false, true),
            ("on_success", false, true),
            ("auth", true, false),
            ("on_error", true, false),
        ] {
            assert_eq!(web.contains(&name), of_web, "{name}");
            assert_eq!(list.contains(&name), of_list, "{name}");
        }
    }

    #[test]
    fn every_documented_option_of_a_pin_set_is_shown() {
        const SAMPLE: &str = include_str!("../../../../packaging/samples/authenticate.conf.sample");
        let options = PinSet::default().all_options();
        let names: Vec<&str> = options.iter().map(|(name, _)| *name).collect();
        for line in SAMPLE.lines().filter_map(|line| line.strip_prefix(';')) {
            let Some((name, _)) = line.split_once(" =") else {
                continue;
            };
            let is_one = PinSet::default().set(name.as_bytes(), b"?")
                != Err(crate::config::OptionError::UnknownOption)
                && !crate::config::GENERAL_ONLY_OPTIONS.contains(&name);
            assert_eq!(is_one, names.contains(&name), "{name}");
        }
    }

    #[test]
    fn duration_is_shown_in_its_largest_unit() {
        for (seconds, said) in [
            (1, "1s"),
            (59, "59s"),
            (60, "1m"),
            (90, "90s"),
            (3600, "1h"),
            (5400, "90m"),
            (86_400, "24h"),
        ] {
            let time = Duration::from_secs(seconds);
            assert_eq!(span(time), said);
            let read = value::span(said.as_bytes(), time);
            assert_eq!(read, Some(time));
        }
    }
}
