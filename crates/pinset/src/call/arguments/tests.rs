use std::time::Duration;

use super::*;
use proptest::prelude::*;

fn parts(data: &str) -> Vec<String> {
    split(data.as_bytes())
        .iter()
        .map(|part| String::from_utf8_lossy(part).into_owned())
        .collect()
}

#[test]
fn arguments_are_separated_as_asterisk_separates_them() {
    let table = [
        ("1234", ["1234", "", "", ""]),
        (",a", ["", "a", "", ""]),
        ("/PINSETS/1,ad,6)", ["/PINSETS/1", "ad", "6)", ""]),
        ("1,,,a&b,c", ["1", "", "", "a&b,c"]),
        ("\"1,2\",a", ["1,2", "a", "", ""]),
        ("1\\,2,a", ["1,2", "a", "", ""]),
        ("(1,2),a", ["(1,2)", "a", "", ""]),
        ("(1,2,a", ["(1,2,a", "", "", ""]),
        ("[1,2],a", ["[1,2]", "a", "", ""]),
        ("1,a,4,\"q,r\"", ["1", "a", "4", "\"q,r\""]),
        ("1\\", ["1", "", "", ""]),
        ("1,", ["1", "", "", ""]),
    ];
    for (data, want) in table {
        assert_eq!(parts(data), want, "{data:?}");
    }
}

#[test]
fn maxdigits_is_read_as_atoi_reads_it() {
    let table = [
        ("0", 254),
        ("6", 6),
        ("6)", 6),
        (" \t4abc", 4),
        ("+5", 5),
        ("abc", 254),
        ("-1", 254),
        ("254", 254),
        ("255", 254),
        ("99999999999999999999", 254),
        ("4294967300", 4),
    ];
    for (text, want) in table {
        assert_eq!(
            read_max_digits(text.as_bytes(), &mut vec![]),
            want,
            "{text:?}"
        );
    }
}

#[test]
fn an_odd_maxdigits_is_named() {
    let notice = |text: &str| Request::parse(format!("1,,{text}").as_bytes()).warnings;
    assert_eq!(notice("6"), []);
    assert_eq!(notice("0"), []);
    assert_eq!(
        notice("6)"),
        [ArgumentWarning::OddMaxDigits("6)".into(), 6)]
    );
    assert_eq!(
        notice("300"),
        [ArgumentWarning::OddMaxDigits("300".into(), 254)]
    );
}

fn kind(data: &str) -> String {
    match Request::parse(data.as_bytes()).credential {
        Ok(Credential::Literal(secret)) => format!("literal {}", secret.escape_ascii()),
        Ok(Credential::PlainFile(path)) => format!("plain {}", path.escape_ascii()),
        Ok(Credential::Md5File(path)) => format!("md5 {}", path.escape_ascii()),
        Ok(Credential::Family { name, one_time }) => {
            format!("family {} {one_time}", name.escape_ascii())
        }
        Ok(Credential::PinSet(name)) => format!("pinset {name}"),
        Err(refusal) => refusal.to_string(),
    }
}

#[test]
fn options_decide_the_kind_of_password() {
    let not_a_path = |o| ArgumentError::PasswordNotAPath(o).to_string();
    let table = [
        ("1234", "literal 1234".to_owned()),
        ("1234,a", "literal 1234".to_owned()),
        ("/pins/p.txt,a", "plain /pins/p.txt".to_owned()),
        ("/pins/p.txt,ma", "md5 /pins/p.txt".to_owned()),
        ("/PINSETS/1,ad,6)", "family PINSETS/1 false".to_owned()),
        ("/pin,dr", "family pin true".to_owned()),
        ("/pin,dma", "family pin false".to_owned()),
        ("", ArgumentError::EmptyPassword.to_string()),
        (",a", ArgumentError::EmptyPassword.to_string()),
        ("/,d", ArgumentError::EmptyPassword.to_string()),
        ("1234,d", not_a_path('d')),
        ("1234,m", not_a_path('m')),
        ("pinset:staff,ajcnq", "pinset staff".to_owned()),
        ("pinset: staff ", "pinset staff".to_owned()),
        ("pinset:", "pinset ".to_owned()),
        (
            "pinset:s,ad",
            ArgumentError::OptionForPinSet('d').to_string(),
        ),
        (
            "pinset:s,m",
            ArgumentError::OptionForPinSet('m').to_string(),
        ),
        (
            "pinset:s,r",
            ArgumentError::OptionForPinSet('r').to_string(),
        ),
    ];
    for (data, want) in table {
        assert_eq!(kind(data), want, "{data:?}");
    }
}

#[test]
fn options_reach_the_plan() {
    let plan = Request::parse(b"/f,ajcnq,4,x&y").plan();
    assert!(plan.jump && plan.refused.is_none());
    assert_eq!(plan.account_code, AccountCode::Pin);
    assert_eq!(plan.on_failure, Route::Continue);
    assert!(plan.opening == Opening::Progress);
    assert_eq!(plan.prompts, [b"x".to_vec(), b"y".to_vec()]);
    assert!(plan.success.is_empty() && plan.failure.is_empty());
    assert_eq!(plan.max_digits, 4);

    let plan = Request::parse(b"1").plan();
    assert!(!plan.jump && plan.account.is_none());
    assert_eq!(plan.account_code, AccountCode::Keep);
    assert_eq!(plan.on_success, Route::Continue);
    assert_eq!(plan.on_failure, Route::Hangup);
    assert!(plan.opening == Opening::Answer);
    assert_eq!(plan.prompts, [b"agent-pass".to_vec()]);
    assert_eq!(plan.retry, [b"auth-incorrect".to_vec()]);
    assert_eq!(plan.success, [b"auth-thankyou".to_vec()]);
    assert_eq!(plan.failure, [b"vm-goodbye".to_vec()]);
    assert_eq!((plan.attempts, plan.max_digits), (3, MAX_DIGITS));
    assert_eq!(Request::parse(b",c").plan().refused, Some(Status::Error));

    let plan = Request::parse(b"/f,ma").plan();
    assert_eq!(plan.account_code, AccountCode::Account);
}

fn pin_set(options: &[(&str, &str)]) -> PinSet {
    let mut set = PinSet::default();
    for (name, value) in options {
        let set = set.set(name.as_bytes(), value.as_bytes());
        assert_eq!(set, Ok(()), "{name}");
    }
    set
}

#[test]
fn dialplan_arguments_override_the_pin_set() {
    let set = pin_set(&[
        ("attempts", "5"),
        ("max_digits", "6"),
        ("first_digit_timeout", "3"),
        ("digit_timeout", "1.5"),
        ("clear_key", "*"),
        ("prompt", "p"),
        ("incorrect_prompt", "i"),
        ("retry_prompt", "r"),
        ("success_prompt", "s"),
        ("failure_prompt", "f"),
        ("on_success", "goto:in,1,1"),
        ("on_failure", "goto:out,1,1"),
    ]);
    let sound = |name: &str| name.as_bytes().to_vec();
    let plan = Request::parse(b"pinset:x").plan_of(&set, None);
    assert_eq!((plan.attempts, plan.max_digits), (5, 6));
    assert_eq!(plan.first_key, Some(Duration::from_secs(3)));
    assert_eq!(plan.next_key, Some(Duration::from_millis(1500)));
    assert_eq!(plan.clear_key, Some(b'*'));
    assert_eq!(plan.prompts, [sound("p")]);
    assert_eq!(plan.retry, [sound("i"), sound("r")]);
    assert_eq!(
        (plan.success, plan.failure),
        (vec![sound("s")], vec![sound("f")])
    );
    assert_eq!(
        (plan.on_success, plan.on_failure),
        (set.on_success.clone(), set.on_failure.clone())
    );
    assert_eq!(plan.account_code, AccountCode::Keep);

    let plan = Request::parse(b"pinset:x,acq,0,a&b").plan_of(&set, Some(Status::Failure));
    assert_eq!(plan.max_digits, MAX_DIGITS);
    assert_eq!(plan.prompts, [sound("a"), sound("b")]);
    assert!(plan.success.is_empty() && plan.failure.is_empty());
    assert_eq!(
        (plan.on_success, plan.on_failure),
        (set.on_success.clone(), Route::Continue)
    );
    assert_eq!(plan.account_code, AccountCode::Account);
    assert_eq!(plan.refused, Some(Status::Failure));

    let set = pin_set(&[("account_code", "pin")]);
    let plan = Request::parse(b"pinset:x,a").plan_of(&set, None);
    assert_eq!(plan.account_code, AccountCode::Pin);
}

#[test]
fn unknown_options_are_reported_and_the_rest_is_parsed() {
    let request = Request::parse(b"/f,xa(y)z(m");
    assert_eq!(request.plan().account_code, AccountCode::Pin);
    assert_eq!(
        request.warnings,
        [
            ArgumentWarning::UnknownOption('x'),
            ArgumentWarning::UnclosedOption('z')
        ]
    );
}

proptest! {
    #[test]
    fn parsing_any_bytes_keeps_the_invariants(data in proptest::collection::vec(any::<u8>(), 0..200)) {
        let request = Request::parse(&data);
        prop_assert!((1..=MAX_DIGITS).contains(&request.plan().max_digits));
        if let Ok(Credential::Literal(secret)) = &request.credential {
            prop_assert!(!secret.is_empty());
            prop_assert!(!secret.starts_with(b"/"));
        }
    }

    #[test]
    fn warnings_never_hold_the_password(pin in "[0-9]{6,12}", options in "[a-z(]{0,6}") {
        let request = Request::parse(format!("{pin},{options},9x").as_bytes());
        for notice in request.warnings {
            prop_assert!(!notice.to_string().contains(&pin));
        }
    }
}

#[test]
fn only_what_may_be_a_pin_is_hidden() {
    for shown in [
        "/pins/list,a",
        "/family,dr",
        "/list,m,4",
        "pinset:crm,q",
        ",a",
        "\"/list\",a",
    ] {
        assert!(may_be_shown(shown.as_bytes()), "{shown}");
    }
    for hidden in [
        "1234", "1234,d", "1234,m", " /list", "Pinset:x", "pinset", "\\,1",
    ] {
        assert!(!may_be_shown(hidden.as_bytes()), "{hidden}");
    }
}
