//! The kinds of secrets, and the pepper file.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use anyhow::{bail, ensure, Context, Result};
use harness::{Builder, Call, Pbx};

use super::made::{argon2id, csv, hex, hmac, md5, CHEAP};
use super::{
    all_become, becomes, broken, call, is_logged, on, passed, reconfigure, refused, reload,
};
use super::{log_lines, row, with};

const FIRST: [u8; 32] = [0x11; 32];
const SECOND: [u8; 32] = [0xa7; 32];

fn pepper() -> String {
    format!(
        "; two keys\n\nnew:{}\nold-1:{}\n",
        hex(&FIRST),
        hex(&SECOND).to_uppercase()
    )
}

const HEADER: &str = "account,secret,caller";

const CONF: &str = "
[general]
country_code = 90
pepper_file = /pins/pepper
source = file:/pins/people.csv

[by-pin]

[by-caller]
identify = caller

[by-account]
identify = account
";

fn people() -> Result<String> {
    Ok(csv(
        HEADER,
        &[
            &["1", "plain:1001", "+905060508161"],
            &["2", &md5("1002"), "+905060508162"],
            &["3", md5("1003").trim_start_matches("md5:"), ""],
            &["4", &hmac("new", &FIRST, "1004")?, "+905060508164"],
            &["5", &hmac("old-1", &SECOND, "1005")?, "+905060508165"],
            &[
                "6",
                &argon2id(CHEAP, "salt-of-six", "1006")?,
                "+905060508166",
            ],
            &[
                "7",
                &argon2id((32, 3, 4), "salt-of-seven", "1007")?,
                "+905060508166",
            ],
        ],
    ))
}

fn people_and_pepper(builder: Builder) -> Result<Builder> {
    Ok(builder
        .pin_file("people.csv", people()?)
        .pin_file_of_mode("pepper", pepper(), 0o600))
}

#[test]
fn secrets_of_each_kind_admit_by_each_identify() -> Result<()> {
    on(people_and_pepper(with(CONF))?, |pbx| {
        let mut rows = Vec::new();
        for number in [1, 2, 4, 5, 6, 7] {
            let account = number.to_string();
            let pin = format!("100{number}#");
            // The last two share a telephone.
            let caller = format!("+90506050816{}", number.min(6));
            let from = |call: Call| call.caller(&caller);
            let is = || passed().account(&account).attempts("1");
            let name = |way: &str| format!("{number} by {way}");
            let wrong = |text: String| text.replace("100", "200");
            if number < 6 {
                rows.push(row(&name("PIN"), call("by-pin", &pin), is()));
            } else {
                rows.push(row(
                    &name("PIN, which can't be"),
                    call("by-pin", &format!("{pin} {pin} {pin}")),
                    refused("FAILURE"),
                ));
            }
            rows.push(row(&name("caller"), from(call("by-caller", &pin)), is()));
            rows.push(row(
                &name("account"),
                call("by-account", &format!("{number}# {pin}")),
                is(),
            ));
            rows.push(row(
                &name("caller, wrong"),
                from(call("by-caller", &wrong(format!("{pin} {pin} {pin}")))),
                refused("FAILURE"),
            ));
            rows.push(row(
                &name("account, wrong"),
                call("by-account", &wrong(format!("{number}# {pin} {pin} {pin}"))),
                refused("FAILURE"),
            ));
        }
        all_become(pbx, &rows)?;
        // A hash without its form.
        is_logged(pbx, &["people.csv", "line 4", "secret"])?;
        // However many callers try it.
        let logged = log_lines(pbx, &["by-pin", "rgon2id"])?;
        ensure!(
            logged.len() == 1,
            "of argon2id with identify = pin: {logged:#?}"
        );
        Ok(())
    });
    Ok(())
}

/// A hash is not a PIN, and no part of a list is.
#[test]
fn stored_secret_is_not_a_pin() -> Result<()> {
    let list = csv(
        HEADER,
        &[&["2", &md5("1002"), ""], &["8", "plain:*12A", ""]],
    );
    on(with(CONF).pin_file("people.csv", list), |pbx| {
        pbx.write_file(super::CONF, CONF.replace("pepper_file", ";pepper_file"))?;
        reload(pbx, true)?;
        all_become(
            pbx,
            &[
                row("every key", call("by-pin", "*12A#"), passed().account("8")),
                row("an account", call("by-pin", "2# 8# 2#"), refused("FAILURE")),
                row("nothing", call("by-pin", "# # #"), refused("FAILURE")),
            ],
        )
    });
    Ok(())
}

/// The key of a row that the pepper file does not have.
#[test]
fn row_without_its_pepper_key_matches_nothing() -> Result<()> {
    let list = csv(
        HEADER,
        &[
            &["1", "plain:1001", ""],
            &["4", &hmac("new", &FIRST, "1004")?, ""],
            &["9", &hmac("lost", &SECOND, "1009")?, ""],
        ],
    );
    let builder =
        with(CONF)
            .pin_file("people.csv", list)
            .pin_file_of_mode("pepper", pepper(), 0o600);
    on(builder, |pbx| {
        all_become(
            pbx,
            &[
                row(
                    "another form fits",
                    call("by-pin", "1001#"),
                    passed().account("1"),
                ),
                row(
                    "another key fits",
                    call("by-pin", "1004#"),
                    passed().account("4"),
                ),
                row(
                    "its key is missing",
                    call("by-pin", "1009# 1009# 1009#"),
                    refused("FAILURE"),
                ),
                row(
                    "nor of this one",
                    call("by-pin", "7# 7# 7#"),
                    refused("FAILURE"),
                ),
                row(
                    "a row of another account is no matter",
                    call("by-account", "4# 7# 7# 1004#"),
                    passed().account("4"),
                ),
                row(
                    "but this one is",
                    call("by-account", "9# 1009# 1009# 1009#"),
                    refused("FAILURE"),
                ),
            ],
        )?;
        is_logged(pbx, &["lost"])?;
        // With the key, and after a reload, it is a PIN.
        let with_lost = format!("{}lost:{}\n", pepper(), hex(&SECOND));
        fs::write(pbx.outside("/pins/pepper").context("no way in")?, with_lost)?;
        reload(pbx, true)?;
        becomes(pbx, &call("by-pin", "1009#"), &passed().account("9")).map(drop)
    });
    Ok(())
}

/// The mode of the file, and the log line about it; the files are root's, as
/// Asterisk is.
const RIGHTS: &[(u32, &str, &str)] = &[
    (0o644, "root:root", "others have rights to it"),
    (0o602, "root:root", "others have rights to it"),
    (0o660, "root:root", "its group may do more than read it"),
    (0o640, "root:daemon", "a group that is not Asterisk's"),
    (
        0o600,
        "daemon:root",
        "must belong to root or to Asterisk's user",
    ),
];

#[test]
fn pepper_file_with_open_permissions_is_refused() -> Result<()> {
    let plain = "\n[plain]\nsource = file:/pins/plain\n";
    let builder = with(&(CONF.to_owned() + plain))
        .pin_file("people.csv", people()?)
        .pin_file("plain", "1234\n")
        .pin_file_of_mode("pepper", pepper(), 0o644);
    on(builder, |pbx| {
        // At load: what needs no key works.
        is_logged(pbx, &["] ERROR[", "pepper_file", RIGHTS[0].2])?;
        let signed = call("by-pin", "1004# 1004# 1004#");
        let works = |pbx: &Pbx| becomes(pbx, &call("plain", "1234#"), &passed()).map(drop);
        becomes(pbx, &signed, &refused("FAILURE"))?;
        works(pbx)?;
        set_rights(pbx, 0o600, "root:root")?;
        reload(pbx, true)?;
        becomes(pbx, &call("by-pin", "1004#"), &passed().account("4"))?;
        // At a reload: what was in force stays.
        for (mode, owner, fault) in RIGHTS {
            set_rights(pbx, *mode, owner)?;
            let conf = format!("{CONF}{plain}; {mode:o} {owner}\n");
            reconfigure(pbx, &conf, false).with_context(|| format!("{mode:o} {owner}"))?;
            is_logged(pbx, &["] ERROR[", "pepper_file", fault])?;
            becomes(pbx, &call("by-pin", "1004#"), &passed().account("4"))?;
        }
        for (mode, owner) in [(0o640, "root:root"), (0o400, "root:daemon")] {
            set_rights(pbx, mode, owner)?;
            reload(pbx, true).with_context(|| format!("{mode:o} {owner}"))?;
        }
        works(pbx)
    });
    Ok(())
}

fn set_rights(pbx: &Pbx, mode: u32, owner: &str) -> Result<()> {
    let path = pbx.outside("/pins/pepper").context("no way in")?;
    fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
    pbx.exec(&["chown", owner, "/pins/pepper"]).map(drop)
}

#[test]
fn invalid_pepper_file_is_refused() -> Result<()> {
    on(people_and_pepper(with(CONF))?, |pbx| {
        let path = pbx.outside("/pins/pepper").context("no way in")?;
        let signs = || becomes(pbx, &call("by-pin", "1004#"), &passed().account("4"));
        signs()?;
        let twice = format!("new:{0}\nnew:{0}\n", hex(&FIRST));
        for (contents, logged) in [
            ("new\n", "line 1"),
            ("; no key\n", "there is no key in it"),
            ("new:1234\n", "line 1"),
            (twice.as_str(), "line 2"),
        ] {
            fs::write(&path, contents)?;
            reload(pbx, false).with_context(|| contents.to_owned())?;
            is_logged(pbx, &["] ERROR[", "pepper_file", logged])?;
            signs()?;
        }
        fs::remove_file(&path)?;
        reload(pbx, false)?;
        signs()?;
        let logged = log_lines(pbx, &[&hex(&FIRST)])?;
        ensure!(logged.is_empty(), "a key is in the log: {logged:#?}");
        Ok(())
    });
    Ok(())
}

#[test]
fn ninth_argon2id_row_of_a_caller_or_account_is_refused() -> Result<()> {
    let row_of = |number: u32, account: &str, caller: &str| -> Result<[String; 3]> {
        let secret = argon2id(CHEAP, &format!("some-salt-{number}"), &format!("{number}"))?;
        Ok([account.to_owned(), secret, caller.to_owned()])
    };
    let list = |rows: &[[String; 3]]| {
        let rows: Vec<Vec<&str>> = rows
            .iter()
            .map(|row| row.iter().map(String::as_str).collect())
            .collect();
        let rows: Vec<&[&str]> = rows.iter().map(Vec::as_slice).collect();
        csv(HEADER, &rows)
    };
    // A number in all its spellings is one.
    let spelled = |number: u32| ["+905060508169", "05060508169"][(number % 2) as usize];
    let of_number: Vec<_> = (1..=9)
        .map(|number| row_of(number, &format!("a{number}"), spelled(number)))
        .collect::<Result<_>>()?;
    let of_account: Vec<_> = (1..=9)
        .map(|number| row_of(number, "77", ""))
        .collect::<Result<_>>()?;
    let conf = "[general]\ncountry_code = 90\n\
        [by-caller]\nsource = file:/pins/numbers.csv\nidentify = caller\n\
        [by-account]\nsource = file:/pins/accounts.csv\nidentify = account\n";
    let builder = with(conf)
        .pin_file("numbers.csv", list(&of_number[..8]))
        .pin_file("accounts.csv", list(&of_account[..8]));
    on(builder, |pbx| {
        let caller = call("by-caller", "9# 8#").caller("5060508169");
        let account = call("by-account", "77# 9# 8#");
        becomes(pbx, &caller, &passed().account("a8"))?;
        becomes(pbx, &account, &passed().account("77"))?;
        pbx.pin_file("numbers.csv", list(&of_number))?;
        pbx.pin_file("accounts.csv", list(&of_account))?;
        let caller = call("by-caller", "8# 9# 1#").caller("5060508169");
        becomes(pbx, &caller, &broken())?;
        becomes(pbx, &call("by-account", "77# 8# 9# 1#"), &broken())?;
        for name in ["numbers.csv", "accounts.csv"] {
            is_logged(pbx, &[name, "line 10"])?;
        }
        Ok(())
    });
    Ok(())
}

/// Right, and still not admitted; or only once.
#[test]
fn argon2id_row_obeys_dates_levels_and_uses() -> Result<()> {
    let header = "account,secret,level,valid_until,max_uses";
    let slow = |pin: &str| argon2id(CHEAP, "a-salt-of-ours", pin);
    let list = csv(
        header,
        &[
            &["1", &slow("1001")?, "5", "2000-12-31", ""],
            &["2", &slow("1002")?, "4", "", ""],
            &["3", &slow("1003")?, "5", "", "1"],
            // Of two that fit, the first that admits.
            &["4", &slow("1004")?, "6", "2000-12-31", ""],
            &["4", &slow("1004")?, "7", "2099-12-31", ""],
        ],
    );
    let conf = "[people]\nsource = file:/pins/people.csv\nidentify = account\n\
        required_level = 5\nattempts = 1\n";
    on(with(conf).pin_file("people.csv", list), |pbx| {
        let once = call("people", "3# 1003#");
        all_become(
            pbx,
            &[
                row("no longer", call("people", "1# 1001#"), refused("EXPIRED")),
                row("no level", call("people", "2# 1002#"), refused("FAILURE")),
                row("a use", once.clone(), passed().account("3").level("5")),
                row(
                    "the second",
                    call("people", "4# 1004#"),
                    passed().account("4").level("7"),
                ),
            ],
        )?;
        becomes(pbx, &once, &refused("EXPIRED")).map(drop)
    });
    Ok(())
}

/// How long a caller with one wrong PIN, whose digits are shown, waits for the
/// answer.
fn answered(pbx: &Pbx, call: &Call) -> Result<f64> {
    let report = pbx.call(&call.clone().hidden_digits(false))?;
    refused("HANGUP").check(&report)?;
    report.last_key_to_answer.context("no answer")
}

/// How long the answer takes does not say whether the number, or the account,
/// is known.
#[test]
fn unknown_caller_waits_as_long_as_a_known_one() -> Result<()> {
    const MIN_ROUNDS: usize = 3;
    const MAX_ROUNDS: usize = 10;
    let slow = argon2id((65536, 2, 1), "a-salt-of-ours", "1006")?;
    let list = csv(
        HEADER,
        &[
            &["6", &slow, "+905060508166"],
            &["1", "plain:1001", "+905060508161"],
        ],
    );
    let conf = CONF.replace("pepper_file", "hide_digits = no\n;pepper_file");
    on(with(&conf).pin_file("people.csv", list), |pbx| {
        let wrong = |account: &str| call("by-account", &format!("{account}# 7# <hangup>"));
        let from = |number: &str| call("by-caller", "7# <hangup>").caller(number);
        let calls = [
            ("a known number", from("+905060508166")),
            ("an unknown one", from("+905060508160")),
            ("one with a plain PIN", from("+905060508161")),
            ("a known account", wrong("6")),
            ("an unknown one", wrong("5")),
            ("one with a plain PIN", wrong("1")),
        ];
        let plain = call("by-pin", "7# <hangup>");
        // The quickest of some: a busy machine may make each of them slow.
        let mut quickest = [f64::INFINITY; 6];
        let mut quickest_plain = f64::INFINITY;
        for round in 1..=MAX_ROUNDS {
            for ((_, call), quickest) in calls.iter().zip(&mut quickest) {
                *quickest = quickest.min(answered(pbx, call)?);
            }
            quickest_plain = quickest_plain.min(answered(pbx, &plain)?);
            let alike = quickest.chunks(3).all(|group| {
                let mut ratios = group[1..].iter().map(|other| other / group[0]);
                ratios.all(|ratio| (0.5..2.0).contains(&ratio))
            });
            // So a difference would show.
            let slow = quickest_plain * 2.0 < quickest[0];
            if round >= MIN_ROUNDS && alike && slow {
                return Ok(());
            }
        }
        let names = calls.iter().map(|(name, _)| *name);
        let logged: Vec<_> = names.zip(quickest).collect();
        bail!("{logged:?}, with plain PINs alone {quickest_plain}");
    });
    Ok(())
}
