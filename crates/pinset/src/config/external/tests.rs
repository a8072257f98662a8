use super::*;
use crate::config::PinSet;

fn set(options: &str) -> Result<External, OptionError> {
    let mut set = PinSet::default();
    for option in options.split_terminator(';') {
        let (name, value) = option.split_once('=').expect("an option");
        set.set(name.as_bytes(), value.as_bytes())?;
    }
    Ok(set.external)
}

fn url(text: &str) -> Url {
    Url::parse(text).expect("a URL")
}

#[test]
fn options_are_what_they_say() {
    let but = |change: fn(&mut External)| {
        let mut external = External::default();
        change(&mut external);
        Ok(external)
    };
    let table = [
        ("auth=None", but(|_| {})),
        ("auth=basic:/f", but(|e| e.auth = Auth::Basic("/f".into()))),
        (
            "auth=Bearer:/a b:c",
            but(|e| e.auth = Auth::Bearer("/a b:c".into())),
        ),
        (
            "auth=header:X-Key:/f:g",
            but(|e| e.auth = Auth::Header("X-Key".into(), "/f:g".into())),
        ),
        ("allow_http=yes", but(|e| e.allow_http = true)),
        (
            "connect_timeout=0.5",
            but(|e| e.connect_timeout = Duration::from_millis(500)),
        ),
        ("timeout=60", but(|e| e.timeout = MAX_TIMEOUT)),
        (
            "max_response=16M",
            but(|e| e.max_response = MAX_RESPONSE_BYTES),
        ),
        ("max_steps=1000", but(|e| e.max_steps = 1000)),
        ("post_silence=no", but(|e| e.post_silence = false)),
        (
            "sound_hosts=A.example, 10.0.0.1 ,[::1]",
            but(|e| {
                e.sound_hosts = vec![
                    Host::Domain("a.example".into()),
                    Host::Ipv4([10, 0, 0, 1].into()),
                    Host::Ipv6(1_u128.into()),
                ];
            }),
        ),
        (
            "connect_context=in",
            but(|e| e.connect_context = Some("in".into())),
        ),
        (
            "connect_pattern=1|2",
            but(|e| e.connect_pattern = Pattern("1|2".into())),
        ),
        (
            "dial_context=out",
            but(|e| e.dial_context = Some("out".into())),
        ),
        (
            "dial_pattern=.",
            but(|e| e.dial_pattern = Some(Pattern(".".into()))),
        ),
        (
            "success_destinations=1091, 1092",
            but(|e| e.success_destinations = vec!["1091".into(), "1092".into()]),
        ),
        (
            "say_app=Festival",
            but(|e| e.say_app = Some("Festival".into())),
        ),
        ("on_error=continue", but(|e| e.on_error = Route::Continue)),
        (
            "external_manager_id=4294967295",
            but(|e| e.external_manager_id = u32::MAX),
        ),
        // An empty value takes it back where the default is nothing.
        (
            "sound_hosts=a;connect_context=a;dial_context=a;dial_pattern=a;\
             success_destinations=a1;say_app=a;sound_hosts=;connect_context=;dial_context=;\
             dial_pattern=;success_destinations=;say_app=",
            but(|_| {}),
        ),
    ];
    for (options, expected) in table {
        assert_eq!(set(options), expected, "{options}");
    }
}

#[test]
fn invalid_options_are_refused_with_a_reason() {
    use OptionError::*;
    let on_error = NotOneOf("hangup, continue, or goto:context,exten,priority");
    let table: &[(&str, &[&str], OptionError)] = &[
        (
            "auth",
            &[
                "",
                "basic",
                "basic:f",
                "bearer:",
                "digest:/f",
                "header:/f",
                "header::/f",
                "header:X Key:/f",
                "header:X-Key:f",
                "header:host:/f",
                "header:Content-length:/f",
                "user:password",
            ],
            InvalidAuth,
        ),
        ("allow_http", &["", "perhaps"], NotOneOf("yes or no")),
        ("connect_timeout", &["", "0", "61", "2s"], InvalidTimeout),
        ("timeout", &["", "-1", "60.5"], InvalidTimeout),
        (
            "max_response",
            &["", "0", "17M", "1G", "64KB", "-1"],
            InvalidMaxResponse,
        ),
        ("max_steps", &["", "0", "1001", "1.5"], OutOfRange(1, 1000)),
        (
            "sound_hosts",
            &[
                ",",
                "a,",
                "a b",
                "a:80",
                "https://a",
                "*.a",
                "::1",
                "é.example",
            ],
            InvalidHosts,
        ),
        ("connect_context", &["a b", "a,b"], InvalidContext),
        ("dial_context", &["a,b"], InvalidContext),
        (
            "connect_pattern",
            &["(", "a)|(b", "[", "*", "(?x)a #", "a{1001}{1001}"],
            InvalidPattern,
        ),
        ("dial_pattern", &[")"], InvalidPattern),
        (
            "success_destinations",
            &[",", "1091,", "s", "H", "fax", "10 91", "_X.", "a@b"],
            InvalidDestinations,
        ),
        (
            "say_app",
            &["Say(a)", "a b", "a,b", "../a"],
            InvalidApplication,
        ),
        ("on_error", &["", "ignore"], on_error),
        (
            "external_manager_id",
            &["", "-1", "4294967296"],
            OutOfRange(0, u32::MAX),
        ),
        (
            "source",
            &["https://", "https://h:99999/", "http://h:x/"],
            InvalidUrl,
        ),
        (
            "source",
            &["https://h/#a", "https://é.example/"],
            InvalidUrl,
        ),
        (
            "source",
            &["https://u@h/", "https://u:p@h/", "http://:p@h/"],
            UserInUrl,
        ),
    ];
    for (name, values, error) in table {
        for value in *values {
            let option = format!("{name}={value}");
            assert_eq!(set(&option), Err(*error), "{option}");
        }
    }
}

#[test]
fn pattern_matches_the_whole_destination() {
    for (pattern, right, wrong) in [
        (
            "[0-9]{2,6}",
            &["10", "123456"][..],
            &["", "1", "1234567", "10a", "a10", "10\n"][..],
        ),
        ("1|22", &["1", "22"], &["12", "122", "221"]),
        ("(?i)ab", &["ab", "AB"], &["abc"]),
        ("(?m)^1$", &["1"], &["1\n2", "2\n1"]),
        ("", &[""], &["1"]),
        ("^1$", &["1"], &["11"]),
    ] {
        let pattern = Pattern::new(pattern.as_bytes()).expect("a pattern");
        for text in right {
            assert!(pattern.matches(text), "{pattern:?} {text}");
        }
        for text in wrong {
            assert!(!pattern.matches(text), "{pattern:?} {text:?}");
        }
    }
}

#[test]
fn http_is_for_this_machine_unless_it_is_allowed() {
    let (strict, loose) = (set("").expect("set"), set("allow_http=yes").expect("set"));
    for (service, safe, allowed) in [
        ("https://h/", true, true),
        ("http://h/", false, true),
        ("http://localhost:5000/", true, true),
        ("http://LOCALHOST/", true, true),
        ("http://127.0.0.1/", true, true),
        ("http://127.9.9.9/", true, true),
        ("http://0x7f.1/", true, true),
        ("http://[::1]/", true, true),
        ("http://localhost.example/", false, true),
        ("http://128.0.0.1/", false, true),
        ("http://[::ffff:10.0.0.1]/", false, true),
        ("ftp://127.0.0.1/", false, false),
    ] {
        let service = url(service);
        assert_eq!(strict.is_safe(&service), safe, "{service}");
        assert_eq!(loose.is_safe(&service), allowed, "{service}");
    }
}

#[test]
fn sounds_come_from_the_service_or_from_where_it_says() {
    let service = url("https://pbx.example:8443/ingress");
    for (options, sound, may) in [
        ("", "https://pbx.example/a.mp3", true),
        ("", "https://PBX.example:1/a.mp3", true),
        ("", "https://cdn.example/a.mp3", false),
        ("", "https://pbx.example.evil/a.mp3", false),
        ("", "https://pbx.example@evil/a.mp3", false),
        ("", "http://pbx.example/a.mp3", false),
        ("allow_http=yes", "http://pbx.example/a.mp3", true),
        ("allow_http=yes", "http://127.0.0.1/a.mp3", false),
        ("sound_hosts=cdn.example", "https://cdn.example/a.mp3", true),
        (
            "sound_hosts=cdn.example",
            "https://pbx.example/a.mp3",
            false,
        ),
        ("sound_hosts=127.0.0.1", "http://127.0.0.1/a.mp3", true),
        (
            "sound_hosts=cdn.example",
            "file://cdn.example/etc/passwd",
            false,
        ),
    ] {
        let external = set(options).expect("set");
        assert_eq!(
            external.may_fetch(&url(sound), &service),
            may,
            "{options} {sound}"
        );
    }
}
