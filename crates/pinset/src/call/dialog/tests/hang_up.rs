//! Calls whose caller hangs up.

use super::*;

#[test]
fn hang_up_before_verdict_is_no_failure_and_starts_goodbye() {
    for script in ["!", " !", " 1!", " 9#!", " 9# !", "9#9#9!"] {
        for data in ["1234,a", "/l,m", "/f,dr", "1234,n"] {
            let mut caller = caller(script);
            assert!(talk(data, &mut caller) == Next::HangUp);
            let heard_of = &caller.heard_of;
            let (_, end) = heard_of.split_once("HANGUP/").unwrap_or_default();
            assert!(end.ends_with("/-/- vm-goodbye"), "{script:?}: {heard_of}");
            assert_eq!(heard_of.matches("goodbye").count(), 1, "{heard_of}");
        }
        // A call that goes on after a failure gets none, and is not routed.
        for data in ["1234,jca", "1234,c", "1234,j", "1234,q"] {
            let mut caller = caller(script);
            assert!(talk(data, &mut caller) == Next::HangUp);
            let heard_of = &caller.heard_of;
            assert!(heard_of.contains("HANGUP/"), "{script:?}: {heard_of}");
            assert!(!heard_of.contains("jump"), "{script:?}: {heard_of}");
            assert!(!heard_of.contains("goodbye"), "{script:?}: {heard_of}");
        }
    }
    // Nor does one that could not be answered.
    let mut caller = caller("");
    caller.gone = true;
    assert!(talk("1234", &mut caller) == Next::HangUp);
    assert_eq!(caller.heard_of, "HANGUP/0/-/-");
    // After the verdict it changes nothing of it.
    check(
        "1234",
        "1234#!",
        "answer agent-pass auth-thankyou SUCCESS/1/-/- down",
    );
}
