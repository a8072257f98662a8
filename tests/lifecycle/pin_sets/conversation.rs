//! The number of attempts and digits, and options of the dialplan.

use super::{all_become, call, impatient, on, passed, refused, row, with};

const CONF: &str = "
[general]
source = file:/pins/list

[three]

[one]
attempts = 1

[five]
attempts = 5

[four-digits]
min_digits = 4
max_digits = 4

[up-to-four]
max_digits = 4

[at-least-four]
min_digits = 4

[star]
clear_key = *
max_digits = 4

[key-d]
clear_key = D
";

const LIST: &str = "1234\n12\n123456\n56*78\n";

const PIN: &str = "agent-pass";
const WRONG: &str = "auth-incorrect";
const THANKS: &str = "auth-thankyou";
const GOODBYE: &str = "vm-goodbye";

#[test]
fn attempts_are_limited() {
    on(with(CONF).pin_file("list", LIST), |pbx| {
        all_become(
            pbx,
            &[
                row(
                    "three, unless told",
                    call("three", "1# 2# 3#"),
                    refused("FAILURE")
                        .sounds(&[PIN, WRONG, WRONG, GOODBYE])
                        .attempts("3"),
                ),
                row(
                    "the third",
                    call("three", "1# 2# 1234#"),
                    passed().sounds(&[PIN, WRONG, WRONG, THANKS]).attempts("3"),
                ),
                row(
                    "one",
                    call("one", "1#"),
                    refused("FAILURE").sounds(&[PIN, GOODBYE]).attempts("1"),
                ),
                row(
                    "five",
                    call("five", "1# 2# 3# 4# 5#"),
                    refused("FAILURE")
                        .sounds(&[PIN, WRONG, WRONG, WRONG, WRONG, GOODBYE])
                        .attempts("5"),
                ),
                row(
                    "the fifth",
                    call("five", "1# 2# 3# 4# 1234#"),
                    passed().attempts("5"),
                ),
                row(
                    "an empty entry is one",
                    call("one", "#"),
                    refused("FAILURE").attempts("1"),
                ),
                row(
                    "silence is one",
                    impatient("three", "<silence> 1234#"),
                    passed().sounds(&[PIN, WRONG, THANKS]).attempts("2"),
                ),
                row(
                    "nobody there",
                    impatient("three", ""),
                    refused("TIMEOUT")
                        .sounds(&[PIN, WRONG, WRONG, GOODBYE])
                        .attempts("3"),
                ),
            ],
        )
    });
}

#[test]
fn entry_length_is_limited() {
    on(with(CONF).pin_file("list", LIST), |pbx| {
        let failed = || refused("FAILURE");
        all_become(
            pbx,
            &[
                // Without a # and without waiting for a timeout.
                row("max_digits ends it", call("up-to-four", "1234"), passed()),
                row("fewer, and #", call("up-to-four", "12#"), passed()),
                row(
                    "a # out of habit",
                    call("up-to-four", "9999# 1234"),
                    passed().attempts("2"),
                ),
                row(
                    "too short, though in the list",
                    call("four-digits", "12# 12# 12#"),
                    failed().attempts("3"),
                ),
                row("exactly", call("four-digits", "1234"), passed()),
                row("long enough", call("at-least-four", "123456#"), passed()),
                row(
                    "too short, then not",
                    call("at-least-four", "12# 1234#"),
                    passed().attempts("2"),
                ),
                row("no minimum", call("three", "12#"), passed()),
                row(
                    "the dialplan's maxdigits wins",
                    call("three,,4", "1234"),
                    passed(),
                ),
                row(
                    "over the section's",
                    call("up-to-four,,6", "123456"),
                    passed(),
                ),
                row(
                    "but not over min_digits",
                    call("at-least-four,,2", "12 12 12"),
                    failed(),
                ),
            ],
        )
    });
}

#[test]
fn clear_key_clears_the_entry() {
    on(with(CONF).pin_file("list", LIST), |pbx| {
        all_become(
            pbx,
            &[
                row(
                    "the entry starts over, and nothing is played again",
                    call("star", "99*1234"),
                    passed().sounds(&[PIN, THANKS]).attempts("1"),
                ),
                row("at once", call("star", "*12#"), passed().attempts("1")),
                row("twice", call("star", "9*99*12#"), passed().attempts("1")),
                row(
                    "one of the others",
                    call("key-d", "99D12#"),
                    passed().attempts("1"),
                ),
                row(
                    "another set's is a key like any",
                    call("key-d", "56*78#"),
                    passed().attempts("1"),
                ),
                row(
                    "and so it is without one",
                    call("three", "56*78#"),
                    passed(),
                ),
                row(
                    "cleared, and nothing more",
                    impatient("star", "12* 1234"),
                    passed().sounds(&[PIN, WRONG, THANKS]).attempts("2"),
                ),
            ],
        )
    });
}

#[test]
fn dialplan_options_override_the_section() {
    on(with(CONF).pin_file("list", LIST), |pbx| {
        all_become(
            pbx,
            &[
                row(
                    "q, right",
                    call("three,q", "1234#"),
                    passed().sounds(&[PIN]),
                ),
                row(
                    "q, wrong",
                    call("three,q", "1# 2# 3#"),
                    refused("FAILURE").sounds(&[PIN, WRONG, WRONG]),
                ),
                row(
                    "a prompt of the dialplan's",
                    call("three,,,beep", "1# 1234#"),
                    passed().sounds(&["beep", WRONG, THANKS]),
                ),
                row(
                    "several",
                    call("three,,,beep&beeperr", "<silence> 1234#"),
                    passed().sounds(&["beep", "beeperr", THANKS]),
                ),
                row(
                    "d is for families",
                    call("three,d", "1234# 1234# 1234#"),
                    super::broken(),
                ),
                row(
                    "m is for files",
                    call("three,m", "1234# 1234# 1234#"),
                    super::broken(),
                ),
                row(
                    "r is for families",
                    call("three,r", "1234# 1234# 1234#"),
                    super::broken(),
                ),
            ],
        )?;
        for letter in ["d", "m", "r"] {
            let option = format!("option '{letter}'");
            super::is_logged(pbx, &["PIN set", &option])?;
        }
        for (options, answered) in [("", true), ("n", false), ("nq", false)] {
            let report = pbx.call(&call(&format!("three,{options}"), "1234#"))?;
            passed().check(&report)?;
            anyhow::ensure!(
                report.answered == answered && report.progress != answered,
                "{options:?}: answered {}, progress {}",
                report.answered,
                report.progress
            );
        }
        Ok(())
    });
}
