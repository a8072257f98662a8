mod concluding;
mod counting;
mod phone;
mod silence;

use std::rc::Rc;
use std::time::Duration;

use super::*;
use crate::call::arguments::Request;
use crate::config::PinSet;
use crate::lockout::Limits;
use counting::Books;
use phone::{Answers, Cue, Phone};

const GATHER: &str = r#"{"action":"gather","args":{"min_digits":2,"max_digits":4,"ask":"https://h/ask","variable_name":"pin"}}"#;
const PLAY: &str = r#"{"action":"play","args":{"url":"https://h/sound"}}"#;
const SAY: &str = r#"{"action":"say","args":{"text":"Hi, you","language":"en_GB"}}"#;
const HANGUP: &str = r#"{"action":"hangup"}"#;

fn connect(destination: &str) -> String {
    format!(r#"{{"action":"connect","args":{{"destination":"{destination}"}}}}"#)
}

fn dial(destination: &str) -> String {
    format!(r#"{{"action":"dial","args":{{"destination":"{destination}"}}}}"#)
}

fn set(options: &str) -> PinSet {
    let mut set = PinSet::default();
    let usual = "source=https://h/;connect_context=in;success_destinations=1091;max_steps=8;";
    for option in (usual.to_owned() + options).split_terminator(';') {
        let (name, value) = option.split_once('=').expect("an option");
        let set = set.set(name.as_bytes(), value.as_bytes());
        assert_eq!(set, Ok(()), "{option}");
    }
    set
}

/// Runs a call in which nothing is counted.
fn call(options: &str, phone: &mut Phone, service: &mut Answers) -> FlowOutcome {
    let counter = Books::counter(&Rc::new(Books::new()), Limits::default());
    counted(options, phone, &counter, service)
}

/// Runs a call.
fn counted(
    options: &str,
    phone: &mut Phone,
    counter: &Counter<Rc<Books>>,
    service: &mut impl Service<Phone>,
) -> FlowOutcome {
    let set = set(options);
    let plan = Request::parse(b"pinset:x").plan_of(&set, None);
    let order = Order {
        plan: &plan,
        external: &set.external,
    };
    run(order, phone, counter, service)
}

/// Runs a call with these digits and answers of the service. Returns its outcome,
/// the log of the line, and the posts.
fn heard(entered: &str, answers: &[&str]) -> (FlowOutcome, Vec<String>, Vec<String>) {
    let (mut phone, mut service) = (Phone::entering(entered), Answers::of(answers));
    let outcome = call("", &mut phone, &mut service);
    (outcome, phone.log, service.posts)
}

fn sent(status: Status, exten: &str, attempts: u32) -> FlowOutcome {
    let place = Place {
        context: "in".to_owned(),
        exten: exten.to_owned(),
        priority: "1".to_owned(),
    };
    FlowOutcome::Sent {
        status,
        place,
        attempts,
    }
}

fn refused(status: Status, attempts: u32) -> FlowOutcome {
    FlowOutcome::Refused {
        status,
        attempts,
        silent: false,
        trouble: None,
    }
}

fn trouble(outcome: FlowOutcome) -> String {
    match outcome {
        FlowOutcome::Refused {
            status: Status::Error,
            silent: false,
            trouble: Some(trouble),
            ..
        } => trouble.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_call_of_hipcalls_guide() {
    let admitted = format!("{PLAY},{}", connect("1091"));
    let (outcome, log, posts) = heard("_1234", &[GATHER, &admitted]);
    assert_eq!(outcome, sent(Status::Success, "1091", 1));
    assert_eq!(log, ["Answer", "ask", "sound"]);
    assert_eq!(posts, ["{}", r#"{"pin":"1234"}"#]);

    let (outcome, _, _) = heard("_12#", &[GATHER, &connect("1092")]);
    assert_eq!(outcome, sent(Status::Failure, "1092", 1));
}

#[test]
fn a_call_that_is_sent_on_at_once_is_not_answered() {
    let (outcome, log, posts) = heard("", &[&connect("1091")]);
    assert_eq!(outcome, sent(Status::Success, "1091", 0));
    assert_eq!((log, posts.len()), (vec![], 1));
    let (outcome, log, _) = heard("", &[HANGUP]);
    let hung_up = FlowOutcome::Refused {
        status: Status::Failure,
        attempts: 0,
        silent: true,
        trouble: None,
    };
    assert_eq!((outcome, log), (hung_up, vec![]));
}

#[test]
fn gathered_digits_stay_until_the_variable_is_gathered_again() {
    let second = GATHER.replace("pin", "again");
    let (outcome, _, posts) = heard(
        "_12#_345#_6789",
        &[GATHER, &second, GATHER, &connect("1091")],
    );
    assert_eq!(outcome, sent(Status::Success, "1091", 3));
    assert_eq!(
        posts[1..],
        [
            r#"{"pin":"12"}"#,
            r#"{"again":"345","pin":"12"}"#,
            r#"{"again":"345","pin":"6789"}"#,
        ]
    );
}

#[test]
fn actions_after_a_gather_are_dropped() {
    let both = format!("{SAY},{GATHER},{}", connect("1091"));
    let (outcome, log, _) = heard("_1234", &[&both, HANGUP]);
    assert_eq!(outcome.status(), Status::Failure);
    assert_eq!(log, ["Answer", "say \"Hi  you\" Some(\"en_GB\")", "ask"]);
}

#[test]
fn too_few_digits_are_asked_for_again() {
    let (outcome, log, posts) = heard("_1#_2__34#", &[GATHER, &connect("1091")]);
    assert_eq!(outcome, sent(Status::Success, "1091", 1));
    assert_eq!(log, ["Answer", "ask", "ask", "ask"]);
    assert_eq!(posts.len(), 2, "what is too short is not posted");
    // Too few each time, and nothing at all.
    let (outcome, _, posts) = heard("_1#_2#_3#_44#", &[GATHER, HANGUP]);
    assert_eq!((outcome, posts.len()), (refused(Status::Failure, 0), 1));
    // The PIN set's attempts, and those of each gather.
    let (mut phone, mut service) = (Phone::entering("_1#"), Answers::of(&[GATHER]));
    let outcome = call("attempts=1", &mut phone, &mut service);
    assert_eq!(outcome, refused(Status::Failure, 0));
    let (outcome, ..) = heard("_1#_2#_33#_1#_2#_33#", &[GATHER, GATHER, &connect("1091")]);
    assert_eq!(outcome, sent(Status::Success, "1091", 2));
}

#[test]
fn min_digits_zero_accepts_a_lone_hash() {
    let gather = GATHER.replace("\"min_digits\":2", "\"min_digits\":0");
    let (outcome, _, posts) = heard("_#", &[&gather, &connect("1091")]);
    assert_eq!(outcome, sent(Status::Success, "1091", 1));
    assert_eq!(posts[1], r#"{"pin":""}"#);
    let (outcome, ..) = heard("", &[&gather, &connect("1091")]);
    assert_eq!(outcome, sent(Status::Success, "1091", 0));
}

#[test]
fn gather_uses_the_waits_and_clear_key_of_the_pin_set() {
    let (mut phone, mut service) = (Phone::entering("_9*123#"), Answers::of(&[GATHER, HANGUP]));
    call("clear_key=*", &mut phone, &mut service);
    assert_eq!(service.posts[1], r#"{"pin":"123"}"#);
}

#[test]
fn digits_during_playback_are_kept() {
    let answer = format!("{PLAY},{PLAY},{GATHER}");
    // 1 in the first sound, 2 in the second; the rest as it asks.
    let (outcome, log, posts) = heard("1_2_3#", &[&answer, &connect("1091")]);
    assert_eq!(outcome, sent(Status::Success, "1091", 1));
    assert_eq!(posts[1], r#"{"pin":"123"}"#);
    assert_eq!(log, ["Answer", "sound", "sound", "ask"]);
}

#[test]
fn habitual_hash_after_a_full_entry_is_ignored() {
    let again = format!("{PLAY},{GATHER}");
    let (mut phone, mut service) = (
        Phone::entering("_1234#__56#"),
        Answers::of(&[GATHER, &again, &connect("1091")]),
    );
    let outcome = call("attempts=1", &mut phone, &mut service);
    assert_eq!(outcome, sent(Status::Success, "1091", 2));
    assert_eq!(service.posts[2], r#"{"pin":"56"}"#);
    // A late `#` is an entry, and so is a second one after an entry that `#` ended.
    let mut late = Phone::entering("_1234");
    late.script
        .push_back(Cue::Pass(Duration::from_millis(2001)));
    late.script.extend([Cue::Key(b'#')]);
    for mut phone in [late, Phone::entering("_12##")] {
        let mut service = Answers::of(&[GATHER]);
        let outcome = call("attempts=1", &mut phone, &mut service);
        assert_eq!(outcome, refused(Status::Failure, 1));
    }
}

#[test]
fn missing_sounds_do_not_change_the_outcome() {
    let answer = format!("{PLAY},{GATHER}");
    let mut phone = Phone {
        missing: true,
        ..Phone::entering("12#")
    };
    let mut service = Answers::of(&[&answer, &connect("1091")]);
    let outcome = call("", &mut phone, &mut service);
    assert_eq!(outcome, sent(Status::Success, "1091", 1));
}

#[test]
fn invalid_languages_are_left_out() {
    for language in ["", "../x", "EN"] {
        let say = SAY.replace("en_GB", language);
        let (_, log, _) = heard("", &[&format!("{say},{HANGUP}")]);
        assert_eq!(log[1], "say \"Hi  you\" None", "{language}");
    }
}

#[test]
fn hangup_at_any_operation_ends_the_call() {
    let first = format!("{PLAY},{SAY},{GATHER}");
    let last = format!("{PLAY},{}", connect("1091"));
    let mut ends = 0;
    for patience in 0.. {
        let mut phone = Phone {
            patience: Some(patience),
            ..Phone::entering("__1#_2345")
        };
        // Nothing more is posted or played: the two assert that.
        let mut service = Answers::of(&[&first, &last]);
        match call("", &mut phone, &mut service) {
            FlowOutcome::Gone { attempts } => {
                let posted = service.posts.len() as u32;
                assert_eq!(attempts, posted - 1, "{patience}");
            }
            outcome => {
                assert_eq!(outcome, sent(Status::Success, "1091", 1));
                ends = patience;
                break;
            }
        }
    }
    assert!(ends > 15, "{ends} dealings");
}

#[test]
fn endless_gathers_are_stopped_by_max_steps() {
    let (outcome, _, posts) = heard(&"_12#".repeat(50), &[GATHER]);
    assert_eq!(outcome.attempts(), 8);
    assert_eq!(posts.len(), 9);
    assert_eq!(trouble(outcome), "max_steps = 8, and it goes on");
    let sounds = [PLAY; 50].join(",");
    let (outcome, log, _) = heard("", &[&sounds]);
    assert_eq!(trouble(outcome), "max_steps = 8, and it goes on");
    assert_eq!(log.len(), 9);
    // All of them may be used.
    let seven = [PLAY; 7].join(",");
    let (outcome, ..) = heard("", &[&format!("{seven},{}", connect("1091"))]);
    assert_eq!(outcome, sent(Status::Success, "1091", 0));
}

#[test]
fn sequence_without_a_destination_is_an_error() {
    for seq in ["", PLAY, SAY] {
        let (outcome, ..) = heard("", &[seq]);
        let why = "it ends without sending the call anywhere";
        assert_eq!(trouble(outcome), why, "{seq}");
    }
}

#[test]
fn destination_that_is_not_allowed_is_refused() {
    let wide = "connect_pattern=.*;dial_context=out;dial_pattern=.*";
    for destination in [
        "h", "i", "t", "s", "e", "T", "o", "a", "H", "FAX", "fax", "hang", "_X.", "1091,1", "1&2",
        "1@in", "${EXTEN}", "1 2", "", "1\\n", "é",
    ] {
        for action in [connect(destination), dial(destination)] {
            let (mut phone, mut service) = (Phone::default(), Answers::of(&[&action]));
            let outcome = call(wide, &mut phone, &mut service);
            assert!(trouble(outcome).contains("is refused"), "{destination}");
        }
    }
    for (options, action, allowed) in [
        ("", connect("1091"), true),
        ("", connect("1"), false),
        ("", connect("1234567"), false),
        ("", connect("12a"), false),
        ("connect_context=", connect("1091"), false),
        ("connect_pattern=1|22", connect("1"), true),
        ("connect_pattern=1|22", connect("22"), true),
        ("connect_pattern=1|22", connect("12"), false),
        ("connect_pattern=1|22", connect("122"), false),
        ("", dial("00905550000000"), false),
        ("dial_context=in", dial("00905550000000"), false),
        ("dial_pattern=00[0-9]*", dial("00905550000000"), false),
        (
            "dial_context=in;dial_pattern=00[0-9]*",
            dial("00905550000000"),
            true,
        ),
        (
            "dial_context=in;dial_pattern=0[1-9][0-9]*",
            dial("00905550000000"),
            false,
        ),
        (
            "dial_context=in;dial_pattern=\\+90[0-9]+",
            dial("+905550000000"),
            true,
        ),
    ] {
        let (mut phone, mut service) = (Phone::default(), Answers::of(&[&action]));
        let outcome = call(options, &mut phone, &mut service);
        let sent = matches!(outcome, FlowOutcome::Sent { .. });
        assert_eq!(sent, allowed, "{options} {action}");
    }
}

#[test]
fn missing_extension_is_an_error() {
    let mut phone = Phone {
        no_place: true,
        ..Phone::default()
    };
    let outcome = call("", &mut phone, &mut Answers::of(&[&connect("1091")]));
    assert_eq!(trouble(outcome), "context 'in' has no extension '1091'");
}

#[test]
fn refused_destination_never_repeats_entered_digits() {
    for (entered, destination, said) in [
        ("_1234", "1234", "connect to the entered digits is refused"),
        (
            "_1234",
            "x1234y",
            "connect to the entered digits is refused",
        ),
        ("_123#", "9123", "connect to the entered digits is refused"),
        ("_12#", "12", "connect to the entered digits is refused"),
        ("_12#", "9123x", "connect to '9123x' is refused"),
        ("_12#", "12x\\u001b", "connect to '12x\\x1b' is refused"),
    ] {
        let (mut phone, mut service) = (
            Phone::entering(entered),
            Answers::of(&[GATHER, &connect(destination)]),
        );
        let outcome = call("connect_pattern=00", &mut phone, &mut service);
        let why = trouble(outcome);
        assert!(why.starts_with(said), "{why}");
    }
    let long = "x".repeat(60_000);
    let (outcome, ..) = heard("", &[&connect(&long)]);
    assert!(trouble(outcome).len() < 300);
}

#[test]
fn service_without_an_answer_is_an_error() {
    for result in [Posted::NoAnswer, Posted::Unusable] {
        let mut service = Answers::of(&[GATHER]).then(result);
        let outcome = call("", &mut Phone::entering("_1234"), &mut service);
        assert_eq!(outcome, refused(Status::Error, 1));
    }
}
