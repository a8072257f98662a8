use super::*;
use proptest::prelude::*;

/// The answer in Hipcall's guide, without its blanks.
const ASK: &str = r#"{"version":"1","seq":[{"action":"gather","args":{"min_digits":1,"max_digits":4,"ask":"https://your-server.example.com/static/audio/pin_prompt.mp3","variable_name":"pin_code"}}]}"#;
const RIGHT: &str = r#"{"version":"1","seq":[{"action":"play","args":{"url":"https://your-server.example.com/static/audio/success.mp3"}},{"action":"connect","args":{"destination":"1091"}}]}"#;

fn hipcall() -> [(&'static str, Vec<Action>); 2] {
    let sound = |name: &str| format!("https://your-server.example.com/static/audio/{name}.mp3");
    [
        (
            ASK,
            vec![Action::Gather(Gather {
                min_digits: 1,
                max_digits: 4,
                ask: Some(sound("pin_prompt")),
                variable_name: "pin_code".to_owned(),
            })],
        ),
        (
            RIGHT,
            vec![
                Action::Play {
                    url: sound("success"),
                },
                Action::Connect {
                    destination: "1091".to_owned(),
                },
            ],
        ),
    ]
}

fn parse(body: &str) -> Result<Vec<Action>, String> {
    let answer = ServiceAnswer::parse(body.as_bytes());
    let answer = answer.map(|answer| answer.actions);
    answer.map_err(|broken| broken.to_string())
}

/// The actions of a sequence.
fn seq(actions: &str) -> Result<Vec<Action>, String> {
    parse(&format!(r#"{{"version":"1","seq":[{actions}]}}"#))
}

#[test]
fn answers_of_hipcalls_guide_are_read_and_written_byte_for_byte() {
    for (json, actions) in hipcall() {
        assert_eq!(parse(json), Ok(actions.clone()));
        assert_eq!(ServiceAnswer { actions }.to_json(), json);
    }
}

#[test]
fn the_other_actions_are_written_and_read() {
    let say = |language: Option<&str>| Action::Say {
        text: "a \"b\"".to_owned(),
        language: language.map(str::to_owned),
    };
    let destination = "00905550000000".to_owned();
    let actions = vec![
        say(None),
        say(Some("tr")),
        Action::Dial { destination },
        Action::Hangup,
    ];
    let json = r#"{"version":"1","seq":[{"action":"say","args":{"text":"a \"b\""}},{"action":"say","args":{"text":"a \"b\"","language":"tr"}},{"action":"dial","args":{"destination":"00905550000000"}},{"action":"hangup"}]}"#;
    assert_eq!(parse(json), Ok(actions.clone()));
    assert_eq!(ServiceAnswer { actions }.to_json(), json);
}

#[test]
fn lenient_parsing_accepts_odd_answers() {
    for version in [r#""1""#, r#""1.0""#, "1", "1.0"] {
        let json = format!(r#"{{"seq":[],"version":{version},"more":[{{}}]}}"#);
        assert_eq!(parse(&json), Ok(vec![]), "{version}");
    }
    assert_eq!(parse("\u{feff} {\"version\":1,\"seq\":[]}\r\n"), Ok(vec![]));
    let hangup = Ok(vec![Action::Hangup]);
    for json in [
        r#"{"action":"hangup"}"#,
        r#"{"action":"hangup","args":null}"#,
        r#"{"action":"hangup","args":[]}"#,
        r#"{"action":"hangup","args":{"cause":17},"id":4}"#,
        r#"{"action":"play","action":"hangup"}"#,
    ] {
        assert_eq!(seq(json), hangup, "{json}");
    }
    let connect = |destination: &str| {
        let destination = destination.to_owned();
        Ok(vec![Action::Connect { destination }])
    };
    let json = r#"{"action":"connect","args":{"destination":1091,"timeout":30}}"#;
    assert_eq!(seq(json), connect("1091"));
    let gathered = |min_digits, max_digits| {
        Ok(vec![Action::Gather(Gather {
            min_digits,
            max_digits,
            ask: None,
            variable_name: "p".to_owned(),
        })])
    };
    for (args, min, max) in [
        ("", 1, MAX_DIGITS),
        (r#""min_digits":"2","max_digits":"8","#, 2, 8),
        (r#""min_digits":2.0,"max_digits":"8.00","#, 2, 8),
        (r#""min_digits":0,"max_digits":1,"ask":"","#, 0, 1),
        (r#""max_digits":9999999999,"ask":null,"#, 1, MAX_DIGITS),
    ] {
        let json = format!(r#"{{"action":"gather","args":{{{args}"variable_name":"p"}}}}"#);
        assert_eq!(seq(&json), gathered(min, max), "{args}");
    }
}

#[test]
fn parse_errors_name_the_place_of_the_error() {
    for (json, why) in [
        ("", "empty"),
        (" \n", "empty"),
        ("<html>", "not JSON: expected value at line 1 column 1"),
        ("[]", "not a JSON object"),
        ("null", "not a JSON object"),
        ("{}", "version is missing"),
        (r#"{"version":2,"seq":[]}"#, "version is not 1"),
        (r#"{"version":"1.1","seq":[]}"#, "version is not 1"),
        (r#"{"version":[],"seq":[]}"#, "version must be text"),
        (r#"{"version":1}"#, "seq is missing"),
        (r#"{"version":1,"seq":{}}"#, "seq must be an array"),
        (
            r#"{"version":1,"seq":["#,
            "not JSON: EOF while parsing a list at line 1 column 20",
        ),
    ] {
        assert_eq!(parse(json), Err(why.to_owned()), "{json}");
    }
    let whys = [
        (r#"1"#, "not an object"),
        (r#"{}"#, "action is missing"),
        (r#"{"action":7}"#, "action is missing"),
        (r#"{"action":"record"}"#, "unknown action 'record'"),
        (r#"{"action":"Hangup"}"#, "unknown action 'Hangup'"),
        // The name could be entered digits.
        (r#"{"action":"1234"}"#, "unknown action"),
        (r#"{"action":"a\nb"}"#, "unknown action"),
        (r#"{"action":"play"}"#, "url is missing"),
        (r#"{"action":"play","args":7}"#, "args must be an object"),
        (
            r#"{"action":"play","args":{"url":"beep"}}"#,
            "url must be an http or https URL",
        ),
        (
            r#"{"action":"play","args":{"url":"file:///etc/passwd"}}"#,
            "url must be an http or https URL",
        ),
        (
            r#"{"action":"play","args":{"url":["a"]}}"#,
            "url must be text",
        ),
        (
            r#"{"action":"say","args":{"language":"tr"}}"#,
            "text is missing",
        ),
        (
            r#"{"action":"connect","args":{}}"#,
            "destination is missing",
        ),
        (
            r#"{"action":"dial","args":{"destination":null}}"#,
            "destination is missing",
        ),
        (
            r#"{"action":"dial","args":{"destination":true}}"#,
            "destination must be text",
        ),
        (r#"{"action":"gather"}"#, "variable_name is missing"),
        (
            r#"{"action":"gather","args":{"variable_name":""}}"#,
            "variable_name is missing",
        ),
        (
            r#"{"action":"gather","args":{"variable_name":"p","ask":"pin_prompt"}}"#,
            "ask must be an http or https URL",
        ),
        (
            r#"{"action":"gather","args":{"variable_name":"p","max_digits":0}}"#,
            "max_digits is 0",
        ),
        (
            r#"{"action":"gather","args":{"variable_name":"p","min_digits":5,"max_digits":4}}"#,
            "min_digits is above max_digits, or above 254",
        ),
        (
            r#"{"action":"gather","args":{"variable_name":"p","min_digits":255}}"#,
            "min_digits is above max_digits, or above 254",
        ),
    ];
    for (json, why) in whys {
        assert_eq!(seq(json), Err(format!("seq[0]: {why}")), "{json}");
        let second = seq(&format!(r#"{{"action":"hangup"}},{json}"#));
        assert_eq!(second, Err(format!("seq[1]: {why}")), "{json}");
    }
    for digits in [
        "-1",
        "1.5",
        r#""four""#,
        r#""""#,
        r#""1e2""#,
        "[]",
        "true",
        "99999999999999999999",
        r#""1.""#,
    ] {
        let json = format!(
            r#"{{"action":"gather","args":{{"variable_name":"p","min_digits":{digits}}}}}"#
        );
        let why = "seq[0]: min_digits must be a whole number".to_owned();
        assert_eq!(seq(&json), Err(why), "{digits}");
    }
}

/// A JSON value of any form, some of them like those of answers.
fn value() -> impl Strategy<Value = Value> {
    let words = "(1|1\\.0|gather|play|say|connect|dial|hangup|https://h/a|[0-9a-z]{0,9}|.{0,9})";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        words.prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        let names = "(version|seq|action|args|url|ask|text|destination|variable_name|min_digits|max_digits|[a-z]{0,3})";
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            proptest::collection::hash_map(names, inner, 0..8)
                .prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn parsing_any_bytes_does_not_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = ServiceAnswer::parse(&body);
    }

    /// A parsed answer is written so that it parses to the same, and can be carried out.
    #[test]
    fn parsed_answer_is_written_and_read_back(
        seq in proptest::collection::vec(
            (value(), proptest::sample::select(vec!["gather", "play", "say", "connect", "dial", "hangup"])),
            0..4,
        ),
        whole in proptest::option::weighted(0.2, value()),
    ) {
        let seq: Vec<Value> = seq.into_iter().map(|(args, action)| serde_json::json!({"action": action, "args": args})).collect();
        let json = whole.unwrap_or_else(|| serde_json::json!({"version": 1, "seq": seq}));
        if let Ok(answer) = ServiceAnswer::parse(json.to_string().as_bytes()) {
            let again = ServiceAnswer::parse(answer.to_json().as_bytes());
            prop_assert_eq!(again.as_ref(), Ok(&answer));
            for action in &answer.actions {
                if let Action::Gather(gather) = action {
                    prop_assert!(gather.min_digits <= gather.max_digits);
                    prop_assert!((1..=MAX_DIGITS).contains(&gather.max_digits));
                }
            }
        }
    }

    /// The error for an invalid answer holds none of its digits.
    #[test]
    fn parse_errors_never_repeat_digits(
        entered in "[0-9]{4,8}",
        at in 0..4_usize,
    ) {
        let json = match at {
            0 => format!(r#"{{"version":"{entered}9","seq":[]}}"#),
            1 => format!(r#"{{"version":1,"seq":[{{"action":"{entered}"}}]}}"#),
            2 => format!(r#"{{"version":1,"seq":[{{"action":"play","args":{{"url":"{entered}"}}}}]}}"#),
            _ => format!(r#"{{"version":1,"seq":[{{"action":"gather","args":{{"min_digits":"x{entered}"}}}}]}}"#),
        };
        let why = parse(&json).expect_err("broken");
        prop_assert!(!why.contains(&entered), "{}", why);
    }
}

#[test]
fn hostile_answers_are_refused() {
    let deep = |open: &str, close: &str| {
        let nested = open.repeat(100_000) + &close.repeat(100_000);
        parse(&format!(r#"{{"version":1,"seq":[],"deep":{nested}}}"#))
    };
    for why in [deep("[", "]"), deep(r#"{"a":"#, "}")] {
        let why = why.expect_err("too deep");
        assert!(why.contains("recursion limit exceeded"), "{why}");
    }
    assert!(ServiceAnswer::parse(b"{\"version\":1,\"seq\":[],\"a\":\"\xff\"}").is_err());
    assert!(ServiceAnswer::parse(b"{\"version\":1,\"seq\":[]}\0").is_err());
    assert!(parse(r#"{"version":1,"seq":[],"a":1e999}"#).is_err());
    assert!(parse(r#"{"version":1,"seq":[]}{}"#).is_err());
    let action = r#"{"action":"say","args":{"text":"aaaaaaaaaa"}},"#.repeat(20_000);
    let many = seq(&format!(r#"{action}{{"action":"hangup"}}"#));
    assert_eq!(many.map(|actions| actions.len()), Ok(20_001));
    let cut = r#"{"version":1,"seq":["#.to_owned() + &action;
    assert!(parse(&cut).is_err());
}
