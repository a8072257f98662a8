//! The sounds that a caller hears, and their order.

use anyhow::ensure;

use super::{
    all_become, becomes, call, impatient, log_lines, on, passed, record, refused, row, with, Want,
};

const CONF: &str = "
[general]
source = file:/pins/list

[own]
prompt = t/prompt
incorrect_prompt = t/incorrect
retry_prompt = t/retry
success_prompt = t/success
failure_prompt = t/failure

[lists]
prompt = t/prompt&t/prompt-2
incorrect_prompt = t/incorrect&t/incorrect-2
retry_prompt = t/retry&t/retry-2
success_prompt = t/success&t/success-2
failure_prompt = t/failure&t/failure-2

[silent]
prompt =
retry_prompt =
success_prompt =
failure_prompt =
attempts = 2

[missing]
prompt = no-such-prompt
incorrect_prompt = no-such-incorrect&t/incorrect
retry_prompt = t/retry&no-such-retry
success_prompt = no-such-success
failure_prompt = no-such-failure

[accounts]
source = file:/pins/people.csv
identify = account
account_prompt = t/account&t/account-2
prompt = t/prompt
incorrect_prompt = t/incorrect
retry_prompt = t/retry

[unasked]
source = file:/pins/people.csv
identify = caller
failure_prompt = t/failure
";

const SOUNDS: [&str; 12] = [
    "t/prompt",
    "t/prompt-2",
    "t/incorrect",
    "t/incorrect-2",
    "t/retry",
    "t/retry-2",
    "t/success",
    "t/success-2",
    "t/failure",
    "t/failure-2",
    "t/account",
    "t/account-2",
];

const PEOPLE: &str = "account,secret\n7,plain:1234\n";

fn heard(want: Want, sounds: &str) -> Want {
    let sounds: Vec<String> = sounds.split(' ').map(|name| format!("t/{name}")).collect();
    let sounds: Vec<&str> = sounds.iter().map(String::as_str).collect();
    want.sounds(&sounds)
}

fn builder() -> harness::Builder {
    with(CONF)
        .pin_file("list", "1234\n")
        .pin_file("people.csv", PEOPLE)
}

#[test]
fn prompts_play_at_their_moment() {
    on(builder(), |pbx| {
        record(pbx, "en", &SOUNDS)?;
        let none = |want: Want| want.sounds(&[]);
        all_become(
            pbx,
            &[
                row(
                    "right",
                    call("own", "1234#"),
                    heard(passed(), "prompt success"),
                ),
                row(
                    "incorrect_prompt, then retry_prompt",
                    call("own", "9# <silence> 1234#"),
                    heard(passed(), "prompt incorrect retry success"),
                ),
                row(
                    "a key stops both",
                    call("own", "9# 1234#"),
                    heard(passed(), "prompt incorrect success"),
                ),
                row(
                    "wrong",
                    call("own", "9# <silence> 9# <silence> 9#"),
                    heard(
                        refused("FAILURE"),
                        "prompt incorrect retry incorrect retry failure",
                    ),
                ),
                row(
                    "nobody there",
                    impatient("own", ""),
                    heard(
                        refused("TIMEOUT"),
                        "prompt incorrect retry incorrect retry failure",
                    ),
                ),
                row(
                    "lists",
                    call("lists", "<silence> 9# <silence> <silence> <silence> 1234#"),
                    heard(
                        passed(),
                        "prompt prompt-2 incorrect incorrect-2 retry retry-2 success success-2",
                    ),
                ),
                row(
                    "lists, wrong",
                    call(
                        "lists",
                        "<silence> 9# <silence> <silence> <silence> 9# <silence> <silence> \
                         <silence> 9#",
                    ),
                    heard(
                        refused("FAILURE"),
                        "prompt prompt-2 incorrect incorrect-2 retry retry-2 incorrect \
                         incorrect-2 retry retry-2 failure failure-2",
                    ),
                ),
                row(
                    "q leaves the last one out",
                    call("own,q", "9# <silence> 1234#"),
                    heard(passed(), "prompt incorrect retry"),
                ),
                row(
                    "the dialplan's prompt takes the place of prompt alone",
                    call("own,,,t/prompt-2", "9# <silence> 1234#"),
                    heard(passed(), "prompt-2 incorrect retry success"),
                ),
                row("none", call("silent", "<now>1234#"), none(passed())),
                row(
                    "none, wrong",
                    call("silent", "<now>9#8#"),
                    none(refused("FAILURE")),
                ),
                row(
                    "of an account",
                    call("accounts", "<silence> 7# 9# <silence> 1234#"),
                    heard(passed(), "account account-2 prompt incorrect retry").sounds(&[
                        "t/account",
                        "t/account-2",
                        "t/prompt",
                        "t/incorrect",
                        "t/retry",
                        "auth-thankyou",
                    ]),
                ),
            ],
        )
    });
}

/// Skipped, said once, and no reason to refuse anybody; in place of a prompt that
/// is missing, `agent-pass` asks.
#[test]
fn missing_sounds_are_skipped() {
    on(builder(), |pbx| {
        record(pbx, "en", &SOUNDS)?;
        for _ in 0..2 {
            becomes(
                pbx,
                &call("missing", "9# <silence> 1234#"),
                &passed()
                    .sounds(&["agent-pass", "t/incorrect", "t/retry"])
                    .attempts("2"),
            )?;
            becomes(
                pbx,
                &impatient("missing", ""),
                &refused("TIMEOUT").sounds(&[
                    "agent-pass",
                    "t/incorrect",
                    "t/retry",
                    "t/incorrect",
                    "t/retry",
                ]),
            )?;
        }
        for name in ["prompt", "incorrect", "retry", "success", "failure"] {
            let logged = log_lines(pbx, &[&format!("'no-such-{name}'")])?;
            let ours: Vec<_> = logged
                .iter()
                .filter(|line| line.contains("skipped"))
                .collect();
            ensure!(ours.len() == 1, "no-such-{name}: {logged:#?}");
        }
        // Recorded later, it is played.
        record(pbx, "en", &["no-such-prompt"])?;
        becomes(
            pbx,
            &call("missing", "1234#"),
            &passed().sounds(&["no-such-prompt"]),
        )
        .map(drop)
    });
}

/// A sound that only Turkish has is heard by callers in Turkish.
#[test]
fn prompts_have_the_channel_language() {
    on(builder(), |pbx| {
        record(pbx, "tr", &SOUNDS)?;
        let call = |keys: &str| call("own", keys);
        becomes(
            pbx,
            &call("9# <silence> 1234#").variable("CHANNEL(language)", "tr"),
            &heard(passed(), "prompt incorrect retry success"),
        )?;
        becomes(
            pbx,
            &call("1234#").variable("CHANNEL(language)", "en"),
            &passed().sounds(&["agent-pass"]),
        )?;
        Ok(())
    });
}
