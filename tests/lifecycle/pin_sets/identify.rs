//! `identify`: what identifies the caller.

use harness::Call;

use super::{all_become, call, impatient, on, passed, refused, row, with, Want};

const CONF: &str = "
[general]
country_code = 90
source = file:/pins/people.csv

[by-pin]
identify = pin

[by-caller]
identify = caller

[or-account]
identify = caller
no_caller = account

[by-account]
identify = account
max_digits = 4
clear_key = *

[once]
identify = account
attempts = 1
";

const PEOPLE: &str = "account,secret,caller\n\
    1001,plain:1111,+905060508169\n\
    1002,plain:2222,+905060508169\n\
    1003,plain:3333,+905321112233\n\
    100000004,plain:4444,\n\
    1005,plain:1111,+905321112233\n";

const PIN: &str = "agent-pass";
const ACCOUNT: &str = "agent-user";
const WRONG: &str = "auth-incorrect";
const THANKS: &str = "auth-thankyou";
const GOODBYE: &str = "vm-goodbye";

fn from(number: &str, set: &str, keys: &str) -> Call {
    call(set, keys).caller(number)
}

fn is(account: &str) -> Want {
    passed().account(account)
}

#[test]
fn identify_pin_finds_rows_by_pin() {
    on(with(CONF).pin_file("people.csv", PEOPLE), |pbx| {
        all_become(
            pbx,
            &[
                row("a PIN", call("by-pin", "2222#"), is("1002")),
                row("of two rows the first", call("by-pin", "1111#"), is("1001")),
                row(
                    "any caller",
                    from("+15551234567", "by-pin", "3333#"),
                    is("1003").sounds(&[PIN, THANKS]),
                ),
                row(
                    "anonymous",
                    from("anonymous", "by-pin", "4444#"),
                    is("100000004"),
                ),
                row(
                    "nobody's",
                    call("by-pin", "1# 2# 3#"),
                    refused("FAILURE").account(""),
                ),
                row("the name in any case", call("BY-Pin", "2222#"), is("1002")),
            ],
        )
    });
}

#[test]
fn identify_caller_finds_rows_by_number() {
    const ADA: &str = "+905060508169";
    const BOB: &str = "+905321112233";
    on(with(CONF).pin_file("people.csv", PEOPLE), |pbx| {
        let unasked = || refused("FAILURE").sounds(&[GOODBYE]).account("");
        all_become(
            pbx,
            &[
                // Several share a telephone.
                row("its first row", from(ADA, "by-caller", "1111#"), is("1001")),
                row(
                    "its second row",
                    from(ADA, "by-caller", "2222#"),
                    is("1002"),
                ),
                row(
                    "the same PIN, another",
                    from(BOB, "by-caller", "1111#"),
                    is("1005"),
                ),
                row(
                    "another's PIN",
                    from(ADA, "by-caller", "3333# 4444# 1111#"),
                    is("1001").attempts("3"),
                ),
                row("no number", call("by-caller", ""), unasked()),
                row(
                    "no usable number",
                    from("anonymous", "by-caller", ""),
                    unasked(),
                ),
                row("an extension", from("204", "by-caller", ""), unasked()),
                row(
                    "an unknown number hears what a wrong PIN does",
                    from("+905060508160", "by-caller", "1111# 2222# 3333#"),
                    refused("FAILURE").sounds(&[PIN, WRONG, WRONG, GOODBYE]),
                ),
                row(
                    "a wrong PIN",
                    from(ADA, "by-caller", "9# 9# 9#"),
                    refused("FAILURE").sounds(&[PIN, WRONG, WRONG, GOODBYE]),
                ),
                row(
                    "no_caller = account, a number",
                    from(ADA, "or-account", "2222#"),
                    is("1002").sounds(&[PIN, THANKS]),
                ),
                row(
                    "no_caller = account, a number that nobody has",
                    from("+905060508160", "or-account", "2222# 2222# 2222#"),
                    refused("FAILURE").sounds(&[PIN, WRONG, WRONG, GOODBYE]),
                ),
                row(
                    "no_caller = account, none",
                    from("anonymous", "or-account", "1003# 3333#"),
                    is("1003").sounds(&[ACCOUNT, PIN, THANKS]),
                ),
                row(
                    "no_caller = account, none, another's PIN",
                    call("or-account", "1003# 2222# 3333#"),
                    is("1003").sounds(&[ACCOUNT, PIN, WRONG, THANKS]),
                ),
            ],
        )
    });
}

#[test]
fn identify_account_finds_rows_by_account() {
    on(with(CONF).pin_file("people.csv", PEOPLE), |pbx| {
        let failed = |sounds: &[&str]| refused("FAILURE").sounds(sounds).account("");
        all_become(
            pbx,
            &[
                row(
                    "account, then PIN",
                    call("by-account", "1002# 2222"),
                    is("1002").sounds(&[ACCOUNT, PIN, THANKS]).attempts("1"),
                ),
                row(
                    "an account has as many digits as it has",
                    call("by-account", "100000004# 4444"),
                    is("100000004"),
                ),
                row(
                    "digit_timeout ends it",
                    impatient("by-account", "1002 2222"),
                    is("1002").sounds(&[ACCOUNT, PIN, THANKS]),
                ),
                row(
                    "the account stays",
                    call("by-account", "1002# 9999 2222"),
                    is("1002")
                        .sounds(&[ACCOUNT, PIN, WRONG, THANKS])
                        .attempts("2"),
                ),
                row(
                    "another's PIN",
                    call("by-account", "1003# 1111 2222 4444"),
                    failed(&[ACCOUNT, PIN, WRONG, WRONG, GOODBYE]).attempts("3"),
                ),
                row(
                    "an unknown account hears the same",
                    call("by-account", "1999# 1111 2222 4444"),
                    failed(&[ACCOUNT, PIN, WRONG, WRONG, GOODBYE]).attempts("3"),
                ),
                row(
                    "clear_key without a PIN: another account",
                    call("by-account", "1003# * 1002# 2222"),
                    is("1002")
                        .sounds(&[ACCOUNT, PIN, ACCOUNT, PIN, THANKS])
                        .attempts("1"),
                ),
                row(
                    "clear_key within a PIN: the PIN again",
                    call("by-account", "1002# 22*2222"),
                    is("1002").sounds(&[ACCOUNT, PIN, THANKS]).attempts("1"),
                ),
                row(
                    "clear_key within an account number: the number again",
                    call("by-account", "1003*1002# 2222"),
                    is("1002").sounds(&[ACCOUNT, PIN, THANKS]).attempts("1"),
                ),
                row(
                    "an empty account is a try",
                    call("by-account", "# 1002# 2222"),
                    is("1002")
                        .sounds(&[ACCOUNT, ACCOUNT, PIN, THANKS])
                        .attempts("2"),
                ),
                row(
                    "three of them",
                    call("by-account", "# # #"),
                    failed(&[ACCOUNT, ACCOUNT, ACCOUNT, GOODBYE]).attempts("3"),
                ),
                row(
                    "silence, where the account is asked for",
                    impatient("by-account", ""),
                    refused("TIMEOUT").sounds(&[ACCOUNT, ACCOUNT, ACCOUNT, GOODBYE]),
                ),
                row(
                    "an account number alone is no silence",
                    impatient("once", "1002#"),
                    failed(&[ACCOUNT, PIN, GOODBYE]),
                ),
            ],
        )
    });
}

/// A PIN file from the field: the trunk prefix follows the country code.
#[test]
fn number_with_the_trunk_prefix_admits_its_caller() {
    let conf = "\
        [general]\ncountry_code = 44\n\
        [uk]\nsource = file:/pins/uk.csv\nidentify = caller\n";
    let list = include_str!("../../../crates/pinset-cli/tests/cases/uk.csv");
    on(with(conf).pin_file("uk.csv", list), |pbx| {
        all_become(
            pbx,
            &[
                row(
                    "in brackets",
                    from("02079460123", "uk", "4711#"),
                    is("ann").sounds(&[PIN, THANKS]),
                ),
                row("without", from("+441614960123", "uk", "8150#"), is("ben")),
                row("national", from("+442079460999", "uk", "9034#"), is("cy")),
            ],
        )
    });
}
