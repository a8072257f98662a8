//! Callers who enter nothing.

use super::*;

#[test]
fn silent_caller_is_posted_as_an_empty_text_at_once() {
    let (outcome, log, posts) = heard("", &[GATHER, &connect("1092")]);
    assert_eq!(outcome, sent(Status::Failure, "1092", 0));
    assert_eq!(log, ["Answer", "ask"]);
    assert_eq!(posts, ["{}", r#"{"pin":""}"#]);
    // A service may admit: "stay on the line for the operator".
    let (outcome, ..) = heard("", &[GATHER, &connect("1091")]);
    assert_eq!(outcome, sent(Status::Success, "1091", 0));
    // After too few digits, too.
    let (_, log, posts) = heard("_1#__", &[GATHER, HANGUP]);
    assert_eq!(log, ["Answer", "ask", "ask"]);
    assert_eq!(posts[1..], [r#"{"pin":""}"#]);
    // The digits that are entered after all take its place.
    let (outcome, _, posts) = heard("___34#", &[GATHER, GATHER, &connect("1091")]);
    assert_eq!(outcome, sent(Status::Success, "1091", 1));
    assert_eq!(posts[1..], [r#"{"pin":""}"#, r#"{"pin":"34"}"#]);
}

#[test]
fn silent_caller_is_not_posted_with_post_silence_no() {
    let (mut phone, mut service) = (Phone::entering(""), Answers::of(&[GATHER, HANGUP]));
    let outcome = call("post_silence=no", &mut phone, &mut service);
    assert_eq!(outcome, refused(Status::Timeout, 0));
    assert_eq!(service.posts, ["{}"]);
    assert_eq!(phone.log, ["Answer", "ask", "ask", "ask"]);
}

#[test]
fn service_that_asks_a_silent_caller_for_ever_is_stopped() {
    let (mut phone, mut service) = (Phone::entering(""), Answers::of(&[GATHER]));
    let outcome = call("attempts=2", &mut phone, &mut service);
    assert_eq!(outcome, refused(Status::Timeout, 0));
    // Two silences are posted; then the digits are asked for twice.
    assert_eq!(service.posts.len(), 3);
    assert_eq!(phone.log, ["Answer", "ask", "ask", "ask", "ask"]);
}
