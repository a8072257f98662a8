//! Whole conversations: by table, and by `proptest` over everything a caller,
//! a channel and a list can do.

mod hang_up;
mod missing;
mod pin_sets;

use std::collections::VecDeque;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::call::driver::{run, Host, Started};
use crate::pin::MAX_DIGITS;
use crate::verdict::PinSource;
use crate::Request;

/// A scripted caller, and a list with one PIN.
///
/// The script: digits, `*` and `#` are entered as soon as the dialog waits for
/// a digit; ` ` lets the sound or the time run out; `!` hangs up; `+`
/// lets three seconds pass. At its end the caller hangs up.
struct Caller {
    script: VecDeque<char>,
    missing: Vec<&'static str>,
    jump_to: bool,
    /// Hung up before the call is answered.
    gone: bool,
    now: Duration,
    heard_of: String,
}

impl Caller {
    fn note(&mut self, what: &str) {
        if !self.heard_of.is_empty() {
            self.heard_of.push(' ');
        }
        self.heard_of.push_str(what);
    }
}

impl Host for Caller {
    fn open(&mut self, how: Opening) -> bool {
        if self.gone {
            return false;
        }
        self.note(match how {
            Opening::Answer => "answer",
            Opening::Progress => "progress",
        });
        true
    }

    fn start_sound(&mut self, sound: &[u8]) -> Started {
        let sound = String::from_utf8_lossy(sound).into_owned();
        if self.missing.iter().any(|name| *name == sound) {
            return Started::Missing;
        }
        self.note(&sound);
        Started::Playing
    }

    fn stop_sound(&mut self) {}

    fn next_key(&mut self, wait: Wait) -> Input {
        while self.script.front() == Some(&'+') {
            self.script.pop_front();
            self.now += Duration::from_secs(3);
        }
        match (self.script.pop_front(), wait) {
            (Some(' '), Wait::Sound) => Input::SoundEnded,
            (Some(' '), _) => {
                self.note(match wait {
                    Wait::BetweenSounds => "(gap)",
                    Wait::FirstKey(None) => "(10s)",
                    Wait::FirstKey(Some(_)) => "(first)",
                    Wait::NextKey(Some(_)) => "(next)",
                    _ => "(5s)",
                });
                Input::Silence
            }
            (Some('!') | None, _) => Input::Gone,
            (Some(key), _) => Input::Key(key as u8),
        }
    }

    fn settle(&mut self, settlement: Settlement<'_>) {
        let text = |bytes: Option<&[u8]>| match bytes {
            Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            None => "-".to_owned(),
        };
        let account = settlement.grant.and_then(|grant| grant.account.as_deref());
        let account = text(account);
        let code = text(settlement.account_code);
        let status = settlement.status.word();
        self.note(&format!(
            "{status}/{}/{account}/{code}",
            settlement.attempts
        ));
    }

    fn jump(&mut self) -> bool {
        self.note("jump?");
        self.jump_to
    }

    fn now(&self) -> Duration {
        self.now
    }
}

/// `1234` is right, `4444` locks, `3333` is locked already, `5555` can't be looked up, `7`
/// belongs to `bob`, `8` has a context and `2222` has expired. While `6666` is looked up the
/// caller goes. Account `100` has PIN `1`.
struct List;

impl<H> PinSource<H> for List {
    fn verify(&mut self, _: &mut H, entry: Entry<'_>) -> Option<Verdict> {
        if let Some(account) = entry.account {
            return Some(match (account.as_bytes(), entry.pin.as_bytes()) {
                (b"100", b"1") => Verdict::Right(Grant::of(Some(b"100".to_vec()))),
                _ => Verdict::Wrong,
            });
        }
        Some(match entry.pin.as_bytes() {
            b"6666" => return None,
            b"1234" => Verdict::Right(Grant::default()),
            b"2222" => Verdict::Expired,
            b"8" => Verdict::Right(Grant {
                context: Some("theirs".to_owned()),
                ..Grant::default()
            }),
            b"7" => Verdict::Right(Grant::of(Some(b"bob".to_vec()))),
            b"3333" => Verdict::Locked { verified: false },
            b"4444" => Verdict::Locked { verified: true },
            b"5555" => Verdict::Unavailable,
            _ => Verdict::Wrong,
        })
    }
}

fn caller(script: &str) -> Caller {
    Caller {
        script: script.chars().collect(),
        missing: Vec::new(),
        jump_to: true,
        gone: false,
        now: Duration::ZERO,
        heard_of: String::new(),
    }
}

fn talk(arguments: &str, caller: &mut Caller) -> Next {
    run(
        Request::parse(arguments.as_bytes()).plan(),
        caller,
        &mut List,
    )
}

#[track_caller]
fn check(arguments: &str, script: &str, want: &str) {
    check_plan(Request::parse(arguments.as_bytes()).plan(), script, want);
}

#[track_caller]
fn check_plan(plan: Plan, script: &str, want: &str) {
    let mut caller = caller(script);
    match run(plan, &mut caller, &mut List) {
        Next::Continue => caller.note("on"),
        Next::HangUp => caller.note("down"),
        Next::Goto(place) => caller.note(&format!("to {}", place.context)),
    }
    assert_eq!(caller.heard_of, want, "{script:?}");
}

#[test]
fn right_pin_is_accepted_during_and_after_the_prompt() {
    // After the prompt, into the prompt, ended by # or by the digit timeout.
    let thanks = "answer agent-pass auth-thankyou SUCCESS/1/-/- on";
    check("1234", " 1234# ", thanks);
    check("1234", "1234# ", thanks);
    check("1234,,4", "1234 ", thanks);
    check(
        "1234",
        " 12",
        "answer agent-pass HANGUP/0/-/- vm-goodbye down",
    );
    check(
        "1234",
        " 1234  ",
        "answer agent-pass (5s) auth-thankyou SUCCESS/1/-/- on",
    );
}

#[test]
fn three_attempts_and_one_goodbye() {
    check(
        "1234",
        "1# 2# 3#  ",
        "answer agent-pass auth-incorrect auth-incorrect FAILURE/3/-/- vm-goodbye down",
    );
    check(
        "1234",
        "1#2#3# ",
        "answer agent-pass auth-incorrect auth-incorrect FAILURE/3/-/- vm-goodbye down",
    );
    check(
        "1234",
        "9#1234# ",
        "answer agent-pass auth-incorrect auth-thankyou SUCCESS/2/-/- on",
    );
}

#[test]
fn silence_is_a_timeout_and_a_lone_hash_is_not() {
    check(
        "1234",
        "       ",
        "answer agent-pass (10s) auth-incorrect (10s) auth-incorrect (10s) \
         TIMEOUT/3/-/- vm-goodbye down",
    );
    check(
        "1234",
        "#     ",
        "answer agent-pass auth-incorrect (10s) auth-incorrect (10s) \
         FAILURE/3/-/- vm-goodbye down",
    );
}

#[test]
fn prompt_lists_play_in_order_with_a_short_gap() {
    check(
        "1234,,,a&b",
        "   1234# ",
        "answer a (gap) b auth-thankyou SUCCESS/1/-/- on",
    );
    // A digit during the first sound: the second is not played.
    check(
        "1234,,,a&b",
        "1234# ",
        "answer a auth-thankyou SUCCESS/1/-/- on",
    );
    // Nothing to play: the wait alone.
    check(
        "1234,,,&",
        "1234# ",
        "answer auth-thankyou SUCCESS/1/-/- on",
    );
}

#[test]
fn the_habitual_hash_is_dropped_once_and_for_two_seconds() {
    // Dropped, and the prompt goes on to its end.
    check(
        "1234,,4",
        "9999# 1234 ",
        "answer agent-pass auth-incorrect auth-thankyou SUCCESS/2/-/- on",
    );
    // The second # is an entry.
    check(
        "1234,,4",
        "9999##1234 ",
        "answer agent-pass auth-incorrect auth-incorrect auth-thankyou SUCCESS/3/-/- on",
    );
    // Too late: an entry too.
    check(
        "1234,,4",
        "9999+#1234 ",
        "answer agent-pass auth-incorrect auth-incorrect auth-thankyou SUCCESS/3/-/- on",
    );
    // A `#` that is not the first digit after a full entry ends the next one.
    check(
        "1234,,4",
        "99991#1234 ",
        "answer agent-pass auth-incorrect auth-incorrect auth-thankyou SUCCESS/3/-/- on",
    );
    // The entry was ended by #, so this one is no habit.
    check(
        "1234,,5",
        "9999##1234# ",
        "answer agent-pass auth-incorrect auth-incorrect auth-thankyou SUCCESS/3/-/- on",
    );
}

#[test]
fn an_unreadable_list_asks_the_same_again_and_is_an_error() {
    check(
        "1234",
        "5555#5555#5555# ",
        "answer agent-pass agent-pass agent-pass ERROR/3/-/- vm-goodbye down",
    );
    // Back in time: a success, or a plain failure.
    check(
        "1234",
        "5555#1234# ",
        "answer agent-pass agent-pass auth-thankyou SUCCESS/2/-/- on",
    );
    check(
        "1234",
        "5555#9#9# ",
        "answer agent-pass agent-pass auth-incorrect FAILURE/3/-/- vm-goodbye down",
    );
}

#[test]
fn hangup_during_verification_is_a_hangup() {
    check(
        "1234",
        "6666#",
        "answer agent-pass HANGUP/1/-/- vm-goodbye down",
    );
    check(
        "1234",
        "9#9#6666#",
        "answer agent-pass auth-incorrect auth-incorrect HANGUP/3/-/- vm-goodbye down",
    );
}

#[test]
fn call_refused_from_the_start_is_not_asked() {
    check(",a", "", "answer ERROR/0/-/- vm-goodbye down");
    check("1234,d", " ", "answer ERROR/0/-/- vm-goodbye down");
    check(",c", "", "answer ERROR/0/-/- on");
    check(",j", "", "answer ERROR/0/-/- jump? on");
    check(",q", "", "answer ERROR/0/-/- down");
}

#[test]
fn account_code_is_set_with_the_verdict() {
    check(
        "1234,a",
        "9#1234# ",
        "answer agent-pass auth-incorrect auth-thankyou SUCCESS/2/-/1234 on",
    );
    check(
        "/f,ma",
        "7# ",
        "answer agent-pass auth-thankyou SUCCESS/1/bob/bob on",
    );
    check(
        "/f,m",
        "7# ",
        "answer agent-pass auth-thankyou SUCCESS/1/bob/- on",
    );
    check(
        "1234,aq",
        "9#9#9#",
        "answer agent-pass auth-incorrect auth-incorrect FAILURE/3/-/- down",
    );
}

#[test]
fn failures_are_routed_j_then_c_then_down() {
    let asked = "answer agent-pass auth-incorrect auth-incorrect FAILURE/3/-/-";
    check("1234,j", "9#9#9#", &format!("{asked} jump? on"));
    check("1234,jc", "9#9#9#", &format!("{asked} jump? on"));
    check("1234,c", "9#9#9#", &format!("{asked} on"));
    check("1234,q", "9#9#9#", &format!("{asked} down"));

    let mut caller = caller("9#9#9# ");
    caller.jump_to = false;
    assert!(talk("1234,j", &mut caller) == Next::HangUp);
    assert_eq!(caller.heard_of, format!("{asked} jump? vm-goodbye"));

    caller = self::caller("9#9#9#");
    caller.jump_to = false;
    assert!(talk("1234,jc", &mut caller) == Next::Continue);
    assert_eq!(caller.heard_of, format!("{asked} jump?"));
}

#[test]
fn quiet_and_early_media() {
    check("1234,qn", "1234#", "progress agent-pass SUCCESS/1/-/- on");
}

/// The possible answers of caller, channel and list to a step.
fn answers() -> impl Strategy<Value = Vec<(u8, u8)>> {
    proptest::collection::vec((0_u8..20, 0_u8..10), 0..400)
}

proptest! {
    #[test]
    fn random_calls_keep_the_invariants(
        options in "[ajcnq]{0,5}",
        max_digits in 0_u32..6,
        prompts in "[pqr&]{0,6}",
        account in any::<bool>(),
        clear in any::<bool>(),
        answers in answers(),
    ) {
        let data = format!("1234,{options},{max_digits},{prompts}");
        let request = Request::parse(data.as_bytes());
        let plan = Plan {
            account: account.then(|| vec![b"agent-user".to_vec()]),
            clear_key: clear.then_some(b'*'),
            ..request.plan()
        };
        let limit = plan.max_digits;
        let carry_on = plan.on_failure == Route::Continue;
        let mut conversation = Conversation::new(plan);
        let mut event = Event::Begin;
        let mut answers = answers.into_iter();
        let (mut verified, mut settled, mut right) = (0, None, false);
        let (mut gone, mut jumped, mut goodbyes) = (false, false, 0);
        let mut now = Duration::ZERO;
        let next = loop {
            // Once the script is over, the caller hangs up.
            let (what, which) = answers.next().unwrap_or((0, 0));
            now += Duration::from_millis(u64::from(which) * 300);
            event = match conversation.step(event, now) {
                Step::Open(_) => Event::Opened,
                Step::Play(sound) => {
                    prop_assert!(!gone, "played after the hang-up");
                    prop_assert!(sound != b"vm-goodbye" && sound != b"auth-thankyou");
                    match what {
                        0 => Event::Input(Input::Gone),
                        1..=4 => Event::Missing,
                        _ => Event::Playing,
                    }
                }
                Step::PlayFinal(sound) => {
                    let goodbye = sound == b"vm-goodbye";
                    goodbyes += usize::from(goodbye);
                    prop_assert!(right != goodbye && !jumped && !(goodbye && carry_on));
                    prop_assert!(settled.is_some() || right);
                    match what {
                        _ if gone => Event::Input(Input::Gone),
                        1..=4 => Event::Missing,
                        _ => Event::Playing,
                    }
                }
                Step::NextKey(wait) => Event::Input(match what {
                    0 => Input::Gone,
                    1..=6 if wait == Wait::Sound => Input::SoundEnded,
                    1..=6 => Input::Silence,
                    7..=9 => Input::Key(b'#'),
                    _ => Input::Key(b"1234567890*A"[usize::from(which)]),
                }),
                Step::Verify(Entry { account: by, pin }) => {
                    verified += 1;
                    prop_assert_eq!(by.is_some(), account);
                    prop_assert!(by.is_none_or(|account| !account.is_empty()));
                    prop_assert!(pin.len() <= limit.min(MAX_DIGITS));
                    prop_assert!(!pin.as_bytes().contains(&b'#'));
                    prop_assert!(!clear || !pin.as_bytes().contains(&b'*'));
                    prop_assert!(verified <= 3 && !right);
                    right = !pin.is_empty() && what > 15;
                    Event::Verified(match what {
                        _ if right => Verdict::Right(Grant::default()),
                        0..=3 => Verdict::Unavailable,
                        4 | 5 => Verdict::Expired,
                        _ => Verdict::Wrong,
                    })
                }
                Step::Settle(settlement) => {
                    prop_assert!(settled.is_none(), "settled twice");
                    prop_assert_eq!(settlement.status == Status::Success, right);
                    prop_assert!(settlement.account_code.is_none() || right);
                    prop_assert!((verified..=3).contains(&settlement.attempts));
                    prop_assert!(account || settlement.attempts == verified);
                    settled = Some(settlement.status);
                    Event::Settled
                }
                Step::Jump => {
                    prop_assert!(!right && !gone);
                    jumped = what > 10;
                    Event::Jumped(jumped)
                }
                Step::Finish(next) => break next,
            };
            gone |= matches!(event, Event::Input(Input::Gone));
        };
        prop_assert!(settled.is_some(), "ended without a verdict");
        prop_assert!(goodbyes <= 1);
        // Past the application only by the right PIN, or because the dialplan
        // asked for control after a failure.
        if next == Next::Continue {
            prop_assert!(right || jumped || carry_on);
        }
    }
}
