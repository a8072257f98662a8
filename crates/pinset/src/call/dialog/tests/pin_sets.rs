//! Options of PIN sets in a conversation.

use super::*;
use crate::config::PinSet;

/// The plan of a PIN set with these options, and `account` asked for or not.
fn plan_of(options: &str, account: bool) -> Plan {
    let mut set = PinSet::default();
    for option in options.split(';').filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=').expect("an option");
        let set = set.set(name.as_bytes(), value.as_bytes());
        assert_eq!(set, Ok(()), "{option}");
    }
    Plan {
        account: account.then(|| set.account_prompt.clone()),
        ..Request::parse(b"pinset:x").plan_of(&set, None)
    }
}

#[test]
fn dialog_follows_the_options_of_a_pin_set() {
    check_plan(
        plan_of(
            "prompt=p;incorrect_prompt=i;retry_prompt=r;failure_prompt=f;attempts=2",
            false,
        ),
        "1#  2# ",
        "answer p i (gap) r FAILURE/2/-/- f down",
    );
    check_plan(
        plan_of("first_digit_timeout=3;digit_timeout=1;attempts=2", false),
        "  1   ",
        "answer agent-pass (first) auth-incorrect (next) FAILURE/2/-/- vm-goodbye down",
    );
    check_plan(
        plan_of("account_code=pin;success_prompt=s", false),
        "1234# ",
        "answer agent-pass s SUCCESS/1/-/1234 on",
    );
    check_plan(
        plan_of("account_code=yes", false),
        "1234# ",
        "answer agent-pass auth-thankyou SUCCESS/1/-/- on",
    );
}

#[test]
fn clear_key_starts_the_entry_over() {
    let plan = || plan_of("clear_key=*;attempts=1", false);
    check_plan(
        plan(),
        "99*1234# ",
        "answer agent-pass auth-thankyou SUCCESS/1/-/- on",
    );
    // After the clear key, the wait is that for a first digit.
    check_plan(
        plan(),
        "99*  ",
        "answer agent-pass (10s) FAILURE/1/-/- vm-goodbye down",
    );
    // Without `clear_key`, `*` is a digit like others.
    check_plan(
        plan_of("attempts=1", false),
        "99*1234# ",
        "answer agent-pass FAILURE/1/-/- vm-goodbye down",
    );
    check_plan(
        plan(),
        &"1*".repeat(200),
        "answer agent-pass FAILURE/1/-/- vm-goodbye down",
    );
}

#[test]
fn account_number_is_asked_for_first() {
    let plan = |attempts: u32| plan_of(&format!("clear_key=*;attempts={attempts}"), true);
    check_plan(
        plan(3),
        " 100# 1# ",
        "answer agent-user agent-pass auth-thankyou SUCCESS/1/100/- on",
    );
    // The account stays, and with the clear key it is asked for again.
    check_plan(
        plan(3),
        "100#9#1# ",
        "answer agent-user agent-pass auth-incorrect auth-thankyou SUCCESS/2/100/- on",
    );
    check_plan(
        plan(3),
        "10#9#*100#1# ",
        "answer agent-user agent-pass auth-incorrect agent-user auth-incorrect \
         auth-thankyou SUCCESS/2/100/- on",
    );
    // As often as there are attempts; then it clears nothing.
    check_plan(
        plan(1),
        "10#*1# ",
        "answer agent-user agent-pass FAILURE/1/-/- vm-goodbye down",
    );
    // No account: an attempt.
    check_plan(
        plan(3),
        "#100#1# ",
        "answer agent-user agent-user agent-pass auth-thankyou SUCCESS/2/100/- on",
    );
    check_plan(
        plan(2),
        "     ",
        "answer agent-user (10s) agent-user (10s) TIMEOUT/2/-/- vm-goodbye down",
    );
}

#[test]
fn last_entry_decides_between_expired_and_failure() {
    check(
        "1234",
        "9#9#2222# ",
        "answer agent-pass auth-incorrect auth-incorrect EXPIRED/3/-/- vm-goodbye down",
    );
    check(
        "1234",
        "2222#2222#9# ",
        "answer agent-pass auth-incorrect auth-incorrect FAILURE/3/-/- vm-goodbye down",
    );
}

#[test]
fn call_goes_to_the_destinations_of_its_pin_set() {
    let options = "on_success=goto:in,1,1;on_failure=goto:out,1,1;attempts=1";
    check_plan(
        plan_of(options, false),
        "1234# ",
        "answer agent-pass auth-thankyou SUCCESS/1/-/- to in",
    );
    check_plan(
        plan_of(options, false),
        "8# ",
        "answer agent-pass auth-thankyou SUCCESS/1/-/- to theirs",
    );
    check_plan(
        plan_of(options, false),
        "9# ",
        "answer agent-pass FAILURE/1/-/- vm-goodbye to out",
    );
    check_plan(
        plan_of("on_failure=continue;attempts=1", false),
        "9#",
        "answer agent-pass FAILURE/1/-/- on",
    );
    // What the dialplan says comes first.
    let mut plan = plan_of(options, false);
    plan.jump = true;
    check_plan(plan, "9#", "answer agent-pass FAILURE/1/-/- jump? on");
    let mut plan = plan_of(options, false);
    plan.refused = Some(Status::Failure);
    check_plan(plan, " ", "answer FAILURE/0/-/- vm-goodbye to out");
}

#[test]
fn locked_out_caller_is_not_asked_again() {
    check_plan(
        plan_of("locked_prompt=l;on_locked=goto:out,1,1", false),
        "9#4444# ",
        "answer agent-pass auth-incorrect LOCKED/2/-/- l to out",
    );
    check_plan(
        plan_of("on_locked=continue;on_failure=goto:out,1,1", false),
        "4444#",
        "answer agent-pass LOCKED/1/-/- on",
    );
    check_plan(
        plan_of("", false),
        "9#3333# ",
        "answer agent-pass auth-incorrect LOCKED/1/-/- vm-goodbye down",
    );
    // Nor before the first entry.
    let refused = |options| Plan {
        refused: Some(Status::Locked),
        ..plan_of(options, true)
    };
    check_plan(
        refused("on_failure=continue"),
        " ",
        "answer LOCKED/0/-/- vm-goodbye down",
    );
    // What the dialplan says comes first.
    let mut plan = refused("locked_prompt=l;on_locked=goto:out,1,1");
    plan.jump = true;
    check_plan(plan, "", "answer LOCKED/0/-/- jump? on");
    let options = Request::parse(b"pinset:x,c").plan_of(&PinSet::default(), Some(Status::Locked));
    check_plan(options, "", "answer LOCKED/0/-/- on");
    let options = Request::parse(b"pinset:x,q").plan_of(&PinSet::default(), Some(Status::Locked));
    check_plan(options, "", "answer LOCKED/0/-/- down");
}
