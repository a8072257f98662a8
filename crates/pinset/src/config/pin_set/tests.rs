use super::*;
use crate::config::Settings;
use crate::dialplan::{Place, MAX_NAME_BYTES};
use proptest::prelude::*;

fn set(name: &str, value: &str) -> Result<PinSet, OptionError> {
    let mut set = PinSet::default();
    set.set(name.as_bytes(), value.as_bytes())?;
    Ok(set)
}

/// The default but for what `change` changes.
fn but(change: impl FnOnce(&mut PinSet)) -> PinSet {
    let mut set = PinSet::default();
    change(&mut set);
    set
}

/// Each option with its default as the file could have it.
const DEFAULTS: [(&str, &str); 45] = [
    ("source", ""),
    ("format", "auto"),
    ("astdb_value", "ignore"),
    ("identify", "pin"),
    ("no_caller", "refuse"),
    ("account_code", "no"),
    ("attempts", "3"),
    ("min_digits", "1"),
    ("max_digits", "254"),
    ("first_digit_timeout", ""),
    ("digit_timeout", ""),
    ("clear_key", ""),
    ("required_level", "0"),
    ("times", ""),
    ("one_time", "no"),
    ("lockout_caller", "5/15m/30m"),
    ("lockout_account", "10/1h/1h"),
    ("lockout_pinset", "100/1h/15m"),
    ("hide_digits", "yes"),
    ("prompt", "agent-pass"),
    ("incorrect_prompt", ""),
    ("retry_prompt", "auth-incorrect"),
    ("account_prompt", "agent-user"),
    ("success_prompt", "auth-thankyou"),
    ("failure_prompt", "vm-goodbye"),
    ("locked_prompt", "vm-goodbye"),
    ("on_success", "continue"),
    ("on_failure", "hangup"),
    ("on_locked", "hangup"),
    ("auth", "none"),
    ("allow_http", "no"),
    ("connect_timeout", "2"),
    ("timeout", "5"),
    ("max_response", "64K"),
    ("max_steps", "20"),
    ("post_silence", "yes"),
    ("sound_hosts", ""),
    ("connect_context", ""),
    ("connect_pattern", "[0-9]{2,6}"),
    ("dial_context", ""),
    ("dial_pattern", ""),
    ("success_destinations", ""),
    ("say_app", ""),
    ("on_error", "hangup"),
    ("external_manager_id", "1"),
];

#[test]
fn the_defaults_are_those_of_the_documentation() {
    for (name, value) in DEFAULTS {
        assert_eq!(set(name, value), Ok(PinSet::default()), "{name}");
        // Names in any case.
        assert_eq!(set(&name.to_uppercase(), value), Ok(PinSet::default()));
    }
}

fn goto(context: &str, exten: &str, priority: &str) -> Route {
    Route::Goto(Place {
        context: context.into(),
        exten: exten.into(),
        priority: priority.into(),
    })
}

#[test]
fn options_are_what_they_say() {
    let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
    let lockout = |failures, window, lock| {
        Some(Lockout {
            failures,
            window: minutes(window),
            lock: minutes(lock),
        })
    };
    let file = |path: &str| Some(Source::File(path.into()));
    let astdb = |family: &str| Some(Source::Astdb(family.into()));
    let sounds = |names: &[&str]| {
        names
            .iter()
            .map(|n| n.as_bytes().to_vec())
            .collect::<Vec<_>>()
    };
    let times = Times::parse(b"9:00-17:00,mon-fri").ok();
    let table = [
        (
            "source",
            "file:/a b/c.csv",
            but(|s| s.source = file("/a b/c.csv")),
        ),
        ("source", "FILE:/a", but(|s| s.source = file("/a"))),
        (
            "source",
            "astdb:PINSETS/1",
            but(|s| s.source = astdb("PINSETS/1")),
        ),
        (
            "source",
            "Database",
            but(|s| s.source = Some(Source::Database(None))),
        ),
        (
            "source",
            "database:Eva",
            but(|s| s.source = Some(Source::Database(Some("eva".to_owned())))),
        ),
        (
            "source",
            "Realtime:Pins_1",
            but(|s| s.source = Some(Source::Realtime("Pins_1".to_owned()))),
        ),
        (
            "source",
            "HTTPS://H/a?b",
            but(|s| s.source = Url::parse("https://h/a?b").ok().map(Source::Url)),
        ),
        (
            "format",
            "Plain",
            but(|s| s.format = Some(FileKind::Lines(Format::Plain))),
        ),
        (
            "format",
            "md5",
            but(|s| s.format = Some(FileKind::Lines(Format::Md5))),
        ),
        ("format", "csv", but(|s| s.format = Some(FileKind::Csv))),
        (
            "astdb_value",
            "account:secret",
            but(|s| s.astdb_value = AstdbValue::AccountSecret),
        ),
        ("identify", "caller", but(|s| s.identify = Identify::Caller)),
        (
            "identify",
            "account",
            but(|s| s.identify = Identify::Account),
        ),
        (
            "no_caller",
            "account",
            but(|s| s.no_caller = NoCaller::AskAccount),
        ),
        (
            "account_code",
            "yes",
            but(|s| s.account_code = AccountCode::Account),
        ),
        (
            "account_code",
            "on",
            but(|s| s.account_code = AccountCode::Account),
        ),
        (
            "account_code",
            "PIN",
            but(|s| s.account_code = AccountCode::Pin),
        ),
        ("attempts", "1", but(|s| s.attempts = 1)),
        ("attempts", "99", but(|s| s.attempts = 99)),
        ("min_digits", "254", but(|s| s.min_digits = 254)),
        ("max_digits", "6", but(|s| s.max_digits = 6)),
        (
            "first_digit_timeout",
            "7.5",
            but(|s| s.first_digit_timeout = Some(Duration::from_millis(7500))),
        ),
        (
            "digit_timeout",
            "600",
            but(|s| s.digit_timeout = Some(MAX_DIGIT_TIMEOUT)),
        ),
        ("clear_key", "*", but(|s| s.clear_key = Some(b'*'))),
        ("clear_key", "d", but(|s| s.clear_key = Some(b'D'))),
        ("required_level", "255", but(|s| s.required_level = 255)),
        ("times", "9:00-17:00,mon-fri", but(|s| s.times = times)),
        ("one_time", "yes", but(|s| s.one_time = true)),
        ("lockout_caller", "no", but(|s| s.lockout_caller = None)),
        (
            "lockout_account",
            "3/90m/24h",
            but(|s| s.lockout_account = lockout(3, 90, 1440)),
        ),
        (
            "lockout_pinset",
            "1000000 / 30d / 1d",
            but(|s| s.lockout_pinset = lockout(1_000_000, 43_200, 1440)),
        ),
        ("hide_digits", "off", but(|s| s.hide_digits = false)),
        ("prompt", "a&b", but(|s| s.prompt = sounds(&["a", "b"]))),
        ("prompt", "", but(|s| s.prompt = sounds(&[]))),
        (
            "incorrect_prompt",
            "'http://h/a?b=1&c=2'",
            but(|s| s.incorrect_prompt = sounds(&["http://h/a?b=1&c=2"])),
        ),
        (
            "retry_prompt",
            "r",
            but(|s| s.retry_prompt = sounds(&["r"])),
        ),
        (
            "account_prompt",
            "p",
            but(|s| s.account_prompt = sounds(&["p"])),
        ),
        (
            "success_prompt",
            "",
            but(|s| s.success_prompt = sounds(&[])),
        ),
        (
            "failure_prompt",
            "f",
            but(|s| s.failure_prompt = sounds(&["f"])),
        ),
        (
            "locked_prompt",
            "l",
            but(|s| s.locked_prompt = sounds(&["l"])),
        ),
        (
            "on_success",
            "goto:in,s,1",
            but(|s| s.on_success = goto("in", "s", "1")),
        ),
        (
            "on_failure",
            "Continue",
            but(|s| s.on_failure = Route::Continue),
        ),
        (
            "on_failure",
            "GOTO: in , +90*# , bad",
            but(|s| s.on_failure = goto("in", "+90*#", "bad")),
        ),
        (
            "on_locked",
            "goto:a,1091,2147483647",
            but(|s| s.on_locked = goto("a", "1091", "2147483647")),
        ),
    ];
    for (name, value, expected) in table {
        assert_eq!(set(name, value), Ok(expected), "{name} = {value}");
    }
}

#[test]
fn invalid_options_are_refused_with_a_reason() {
    use OptionError::*;
    let long = format!("goto:{},s,1", "x".repeat(MAX_NAME_BYTES + 1));
    let table: &[(&str, &[&str], OptionError)] = &[
        (
            "source",
            &[
                "file",
                "file:",
                "file:a",
                "file:/",
                "file:/a/",
                "/a",
                "astdb:",
                "astdb:/a",
                "astdb:a/",
                "astdb:a//b",
                "astdb:a\tb",
                "sqlite:/a",
                "auto",
                "ftp://h/a",
            ],
            InvalidSource,
        ),
        (
            "source",
            &["realtime:", "realtime:a b", "realtime:a,b", "realtime:ü"],
            InvalidRealtimeFamily,
        ),
        (
            "source",
            &["database:", "database:a\tb", "database:Ärzte"],
            InvalidDatabaseName,
        ),
        (
            "format",
            &["", "txt", "csv ", "plain,csv"],
            NotOneOf("auto, plain, md5 or csv"),
        ),
        (
            "astdb_value",
            &["", "secret", "yes"],
            NotOneOf("ignore or account:secret"),
        ),
        (
            "identify",
            &["", "number"],
            NotOneOf("pin, caller or account"),
        ),
        (
            "no_caller",
            &["", "ask", "no"],
            NotOneOf("refuse or account"),
        ),
        (
            "account_code",
            &["", "account", "pins"],
            NotOneOf("no, yes or pin"),
        ),
        (
            "attempts",
            &["", "0", "100", "-1", "3.0", "three", "+3"],
            OutOfRange(1, 99),
        ),
        (
            "min_digits",
            &["", "0", "255", "4294967297"],
            OutOfRange(1, 254),
        ),
        ("max_digits", &["", "0", "255", "6)"], OutOfRange(1, 254)),
        (
            "first_digit_timeout",
            &["0", "600.1", "-1", "5s", "1e2"],
            InvalidDigitTimeout,
        ),
        ("digit_timeout", &["0", "601", "inf"], InvalidDigitTimeout),
        ("clear_key", &["#", "1", "E", "**", "no"], InvalidClearKey),
        (
            "required_level",
            &["", "256", "-1", "1.5", "high"],
            OutOfRange(0, 255),
        ),
        ("times", &["always"], InvalidTimeOfDay),
        ("one_time", &["", "once"], NotOneOf("yes or no")),
        ("hide_digits", &["", "maybe"], NotOneOf("yes or no")),
        (
            "lockout_caller",
            &[
                "",
                "yes",
                "5",
                "5/15m",
                "5/15m/30m/1h",
                "0/15m/30m",
                "1000001/1m/1m",
                "5/15/30",
                "5/31d/1h",
                "5/0s/1h",
                "5/1h/25h",
                "/1h/1h",
                "5/15m/",
            ],
            InvalidLockout,
        ),
        ("lockout_account", &["on", "-"], InvalidLockout),
        ("lockout_pinset", &["5 15m 30m"], InvalidLockout),
        ("prompt", &["&", " & ", "''"], InvalidSounds),
        ("locked_prompt", &["&&"], InvalidSounds),
        (
            "on_success",
            &["", "hangup", "goto", "in,s,1"],
            NotOneOf("continue, or goto:context,exten,priority"),
        ),
        (
            "on_failure",
            &["", "goto", "in,s,1", "answer"],
            NotOneOf("hangup, continue, or goto:context,exten,priority"),
        ),
        (
            "on_locked",
            &[
                "goto:",
                "goto:s",
                "goto:s,1",
                "goto:a,s,0",
                "goto:a,s,2147483648",
                "goto:a,s,1,",
                "goto:a,,1",
                "goto:,s,1",
                "goto:a b,s,1",
                "goto:a,_X.,1",
                &long,
            ],
            InvalidPlace,
        ),
        ("max_list_memory", &["1G"], GeneralOnly),
        ("Pepper_File", &["/p"], GeneralOnly),
        ("", &["1"], UnknownOption),
        ("sources", &["1"], UnknownOption),
        ("source ", &["1"], UnknownOption),
    ];
    for (name, values, error) in table {
        for value in *values {
            assert_eq!(set(name, value), Err(*error), "{name} = {value}");
        }
    }
    assert_eq!(
        PinSet::default().set(b"source", b"astdb:\xff"),
        Err(InvalidSource)
    );
}

/// An empty value takes back what `[general]` says.
#[test]
fn empty_value_resets_an_option_with_an_empty_default() {
    let mut set = PinSet::default();
    let values = [
        ("source", "file:/a"),
        ("first_digit_timeout", "1"),
        ("digit_timeout", "1"),
        ("clear_key", "*"),
        ("times", "*"),
        ("incorrect_prompt", "a"),
    ];
    for (name, value) in values {
        assert_eq!(set.set(name.as_bytes(), value.as_bytes()), Ok(()));
    }
    assert_ne!(set, PinSet::default());
    for (name, _) in values {
        assert_eq!(set.set(name.as_bytes(), b""), Ok(()));
    }
    assert_eq!(set, PinSet::default());
}

proptest! {
    #[test]
    fn parsing_any_bytes_does_not_panic(
        name in 0..DEFAULTS.len(),
        value in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..40),
            "(file:|astdb:|goto:)?[a-z0-9/,:&'. -]{0,30}".prop_map(String::into_bytes),
            "[0-9]{0,7}(/[0-9]{1,3}[smhd]){0,3}".prop_map(String::into_bytes),
        ],
    ) {
        let name = DEFAULTS[name].0.as_bytes();
        let mut set = PinSet::default();
        if set.set(name, &value).is_err() {
            prop_assert_eq!(&set, &PinSet::default());
        }
        prop_assert!((1..=99).contains(&set.attempts));
        prop_assert!((1..=MAX_DIGITS).contains(&set.min_digits));
        prop_assert!((1..=MAX_DIGITS).contains(&set.max_digits));
        prop_assert_ne!(&set.on_success, &Route::Hangup);
        for lockout in [set.lockout_caller, set.lockout_account, set.lockout_pinset].iter().flatten() {
            prop_assert!(lockout.failures > 0 && !lockout.window.is_zero() && !lockout.lock.is_zero());
        }
        // The same in [general].
        let mut settings = Settings::default();
        let _ = settings.set(name, &value);
        prop_assert_eq!(settings.pin_set, set);
    }

    #[test]
    fn errors_never_repeat_the_value(name in 0..DEFAULTS.len(), value in "[qxz]{4,12}[0-9]{4}") {
        if let Err(error) = set(DEFAULTS[name].0, &value) {
            prop_assert!(!error.to_string().contains(&value));
        }
    }
}
