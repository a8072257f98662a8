//! Sounds that are missing.

use super::*;

#[test]
fn missing_sound_does_not_change_the_verdict() {
    let mut caller = caller(" 1234# ");
    caller.missing = vec!["agent-pass", "auth-thankyou"];
    assert!(talk("1234", &mut caller) == Next::Continue);
    assert_eq!(caller.heard_of, "answer (10s) auth-incorrect SUCCESS/2/-/-");

    caller = self::caller("9#9#9#");
    caller.missing = vec!["auth-incorrect", "vm-goodbye"];
    assert!(talk("1234", &mut caller) == Next::HangUp);
    assert_eq!(caller.heard_of, "answer agent-pass FAILURE/3/-/-");

    caller = self::caller(" 1234#");
    caller.missing = vec!["b"];
    talk("1234,,,a&b", &mut caller);
    assert_eq!(caller.heard_of, "answer a auth-thankyou SUCCESS/1/-/-");
}

#[test]
fn fallback_prompt_asks_where_every_prompt_is_missing() {
    let heard = |data: &str, missing: &[&'static str], script: &str| {
        let mut caller = caller(script);
        caller.missing = missing.to_vec();
        talk(data, &mut caller);
        caller.heard_of
    };
    let fallback = "answer agent-pass auth-thankyou SUCCESS/1/-/-";
    assert_eq!(heard("1234,,,a&b", &["a", "b"], "1234#"), fallback);
    assert_eq!(heard("1234,,,a", &["a"], " 1234#"), fallback);
    let first = heard("1234,,,a&b", &["b"], " 1234#");
    assert_eq!(first, "answer a auth-thankyou SUCCESS/1/-/-");
    let none = heard("1234,,,a", &["a", "agent-pass"], "1234#");
    assert_eq!(none, "answer auth-thankyou SUCCESS/1/-/-");
    // Where nothing is to be played, nothing is.
    let silent = heard("1234,,,&", &[], "1234#");
    assert_eq!(silent, "answer auth-thankyou SUCCESS/1/-/-");
    // Nor after a wrong entry.
    let wrong = heard("1234", &["auth-incorrect"], "9#1234#");
    assert_eq!(wrong, "answer agent-pass auth-thankyou SUCCESS/2/-/-");
}
