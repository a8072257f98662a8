//! Sources of PINs: files of each format, astdb, and unusable files.

use anyhow::{ensure, Context, Result};
use harness::Pbx;

use super::made::{argon2id, hex, hmac, CHEAP};
use super::{all_become, becomes, broken, call, is_logged, on, passed, refused, row, shell, with};
use crate::support::eventually;

#[test]
fn file_formats_admit_their_pins() {
    let conf = "
[plain]
source = file:/pins/plain
format = plain
account_code = pin

[plain-auto]
source = file:/pins/plain

[md5]
source = file:/pins/md5
format = md5
account_code = yes

[md5-auto]
source = file:/pins/md5
identify = account

[csv]
source = file:/pins/people.csv
format = csv

[csv-auto]
source = file:/pins/people.csv
account_code = yes

[csv-as-plain]
source = file:/pins/people.csv
format = plain

[plain-as-csv]
source = file:/pins/plain
format = csv
";
    let conf = with(conf).pin_file("plain", "1234\n5678\n");
    on(conf, |pbx| {
        let md5 =
            "for n in 1234 5678; do echo \"acct-$n:$(echo -n $n | md5sum | cut -c1-32)\"; done; \
            echo \"7001:$(echo -n 2468 | md5sum | cut -c1-32)\"";
        pbx.pin_file("md5", shell(pbx, md5)?)?;
        // A mark, capitals, blanks, and the columns the other way round.
        pbx.pin_file(
            "people.csv",
            "\u{feff}Secret , ACCOUNT\r\nplain:1234, ada \r\n\r\n\"plain:5678\",\"b, c\"\r\n",
        )?;
        let orig = |call: harness::Call| call.variable("CHANNEL(accountcode)", "orig");
        all_become(
            pbx,
            &[
                row(
                    "plain",
                    orig(call("plain", "5678#")),
                    passed().account("").level("").account_code("5678"),
                ),
                row(
                    "plain, found out",
                    orig(call("plain-auto", "5678#")),
                    passed().account("").level("").account_code("orig"),
                ),
                row(
                    "plain, option a",
                    call("plain-auto,a", "5678#"),
                    // There is no account that it could become, and the PIN
                    // it must not be.
                    passed().account("").account_code(""),
                ),
                row(
                    "plain, wrong",
                    call("plain", "1# 2# 3#"),
                    refused("FAILURE"),
                ),
                row(
                    "md5",
                    orig(call("md5", "5678#")),
                    passed()
                        .account("acct-5678")
                        .level("")
                        .account_code("acct-5678"),
                ),
                row(
                    "md5, option a",
                    orig(call("md5,a", "5678#")),
                    passed().account("acct-5678").account_code("acct-5678"),
                ),
                row(
                    "md5, found out, by account",
                    orig(call("md5-auto", "7001# 1234# 2468#")),
                    passed()
                        .account("7001")
                        .level("")
                        .account_code("orig")
                        .attempts("2"),
                ),
                row("md5, wrong", call("md5", "1# 2# 3#"), refused("FAILURE")),
                row(
                    "csv",
                    orig(call("csv", "5678#")),
                    passed().account("b, c").level("0").account_code("orig"),
                ),
                row(
                    "csv, option a",
                    orig(call("csv,a", "1234#")),
                    passed().account("ada").account_code("ada"),
                ),
                row(
                    "csv, found out",
                    orig(call("csv-auto", "1234#")),
                    passed().account("ada").account_code("ada"),
                ),
                row("csv, wrong", call("csv", "1# 2# 3#"), refused("FAILURE")),
                row(
                    "a csv list taken for a plain one admits nobody",
                    call("csv-as-plain", "1234# 5678# 1#"),
                    refused("FAILURE"),
                ),
                row(
                    "a plain one taken for csv is broken",
                    call("plain-as-csv", "1234# 5678# 1#"),
                    broken(),
                ),
            ],
        )
    });
}

#[test]
fn database_families_admit_their_pins() -> Result<()> {
    const KEY: [u8; 32] = [0x5c; 32];
    let signed = hmac("key", &KEY, "1111")?;
    let slow = argon2id(CHEAP, "a-salt-of-ours", "2222")?;
    let conf = "
[general]
pepper_file = /pins/pepper

[freepbx]
source = astdb:PINSETS/1
account_code = pin

[once]
source = astdb:once
one_time = yes

[pairs]
source = astdb:pairs
astdb_value = account:secret
account_code = yes

[pairs-by-account]
source = astdb:pairs
astdb_value = account:secret
identify = account

[hashes]
source = astdb:hashes
astdb_value = account:secret

[hashes-by-account]
source = astdb:hashes
astdb_value = account:secret
identify = account

[pairs-once]
source = astdb:pairs-once
astdb_value = account:secret
one_time = yes
";
    let pepper = format!("key:{}\n", hex(&KEY));
    on(
        with(conf).pin_file_of_mode("pepper", pepper, 0o600),
        |pbx| {
            pbx.db_put("hashes", "a", &format!("1:{signed}"))?;
            pbx.db_put("hashes", "b", &format!("2:{slow}"))?;
            pbx.db_put("PINSETS/1", "482913", "482913")?;
            let md5 = shell(pbx, "echo -n 5678 | md5sum | cut -c1-32")?;
            let md5 = md5.trim();
            pbx.db_put("pairs", "handle-1", "ada:plain:1234")?;
            pbx.db_put("pairs", "handle-2", &format!("bob:md5:{md5}"))?;
            pbx.db_put("pairs", "2468", "carl:nothing")?;
            pbx.db_put("pairs", "1357", "plain:1357")?;
            all_become(
                pbx,
                &[
                    row(
                        "the key is the PIN",
                        call("freepbx", "111111# 482913#"),
                        passed()
                            .account("")
                            .level("")
                            .account_code("482913")
                            .attempts("2"),
                    ),
                    row(
                        "no such key",
                        call("freepbx", "1# 2# 3#"),
                        refused("FAILURE"),
                    ),
                    row(
                        "another family's key",
                        call("freepbx", "2468# 1234# 1#"),
                        refused("FAILURE"),
                    ),
                    row(
                        "the value is account and secret",
                        call("pairs", "1234#"),
                        passed().level("").account("ada").account_code("ada"),
                    ),
                    row(
                        "of any form",
                        call("pairs", "5678#"),
                        passed().account("bob"),
                    ),
                    row("signed", call("hashes", "1111#"), passed().account("1")),
                    row(
                        "signed, by account",
                        call("hashes-by-account", "1# 2222# 1111#"),
                        passed().account("1").attempts("2"),
                    ),
                    row(
                        "a slow one, which no PIN alone finds",
                        call("hashes", "2222# 2222# 2222#"),
                        refused("FAILURE"),
                    ),
                    row(
                        "a slow one, by account",
                        call("hashes-by-account", "2# 1111# 2222#"),
                        passed().account("2").attempts("2"),
                    ),
                    row(
                        "and not the key",
                        call("pairs", "2468# 1357# 9#"),
                        refused("FAILURE"),
                    ),
                ],
            )?;
            // Read again each time.
            pbx.db_put("pairs", "handle-3", "7003:plain:9753")?;
            becomes(pbx, &call("pairs", "9753#"), &passed().account("7003"))?;
            becomes(
                pbx,
                &call("pairs-by-account", "7003# 1234# 9753#"),
                &passed().account("7003").attempts("2"),
            )?;
            pbx.manager()?
                .action("DBDel", &[("Family", "pairs"), ("Key", "handle-3")])?;
            becomes(
                pbx,
                &call("pairs", "9753# 9753# 9753#"),
                &refused("FAILURE"),
            )?;

            // Each admits one call, and is gone.
            pbx.db_put("once", "4711", "1")?;
            pbx.db_put("pairs-once", "handle", "ada:plain:4711")?;
            for (set, key) in [("once", "4711"), ("pairs-once", "handle")] {
                becomes(pbx, &call(set, "4711#"), &passed())?;
                ensure!(
                    pbx.db_get(set, key)?.is_none(),
                    "{set}/{key} is still there"
                );
                becomes(pbx, &call(set, "4711# 4711# 4711#"), &refused("FAILURE"))?;
            }
            let keys = pbx.manager()?.command("database show pairs")?;
            ensure!(keys.contains("handle-1"), "gone, too: {keys}");
            Ok(())
        },
    );
    Ok(())
}

const LIST: &str = "account,secret\nada,plain:1234\n";

/// The set that works all the time, beside those that do not.
fn works(pbx: &Pbx) -> Result<()> {
    becomes(pbx, &call("good", "1234#"), &passed().account("ada")).map(drop)
}

#[test]
fn unusable_pin_files_admit_nobody() {
    // What the script makes of the list, and what the log says.
    let ways: &[(&str, &[&str])] = &[
        ("chmod 666 $1", &["can be written to by everybody"]),
        ("chmod 646 $1", &["can be written to by everybody"]),
        ("rm $1", &["No such file"]),
        ("rm $1; mkdir $1", &[]),
        ("rm $1; mkfifo $1", &[]),
        ("ln -sf /nowhere $1", &[]),
        ("echo 'bob,plain:1234,3' >>$1", &["line 3"]),
        ("echo 'bob' >>$1", &["line 3"]),
        (
            "printf 'account,secret,colour\\na,plain:1234,red\\n' >$1",
            &["line 1"],
        ),
        (
            "printf 'account,secret,account\\na,plain:1234,b\\n' >$1",
            &["line 1"],
        ),
        ("printf 'bob,plain:\\xff\\n' >>$1", &["line 3"]),
    ];
    let mut conf = "[good]\nsource = file:/pins/good.csv\n".to_owned();
    for number in 0..ways.len() {
        conf += &format!("[bad-{number}]\nsource = file:/pins/bad-{number}.csv\nformat = csv\n");
    }
    let mut builder = with(&conf).pin_file("good.csv", LIST);
    for number in 0..ways.len() {
        builder = builder.pin_file(&format!("bad-{number}.csv"), LIST);
    }
    on(builder, |pbx| {
        crate::support::side_by_side(ways.len(), super::CONCURRENT_CALLS, |number| {
            let (script, says) = ways[number];
            let list = &format!("/pins/bad-{number}.csv");
            let set = format!("bad-{number}");
            let what = || script.to_owned();
            becomes(pbx, &call(&set, "1234#"), &passed()).with_context(what)?;
            pbx.exec(&["bash", "-ec", script, "bash", list])?;
            let report = becomes(pbx, &call(&set, "1234# 1234# 1234#"), &broken());
            let report = report.with_context(what)?;
            ensure!(
                report.variable("AUTHENTICATEACCOUNT").is_empty(),
                "{script}"
            );
            let mut parts = vec![list.as_str()];
            parts.extend(says);
            is_logged(pbx, &parts).with_context(what)?;
            // Mended, it counts again.
            pbx.exec(&["bash", "-ec", "rm -rf $1", "bash", list])?;
            pbx.write_file(list, LIST)?;
            becomes(pbx, &call(&set, "1234#"), &passed().account("ada")).with_context(what)?;
            Ok(())
        })?;
        works(pbx)
    });
}

#[test]
fn pin_file_missing_at_load_counts_once_created() {
    let conf = "[good]\n\
        source = file:/pins/good.csv\n\
        [missing]\n\
        source = file:/pins/missing.csv\n";
    on(with(conf).pin_file("good.csv", LIST), |pbx| {
        works(pbx)?;
        becomes(pbx, &call("missing", "1234# 1234# 1234#"), &broken())?;
        is_logged(pbx, &["missing.csv"])?;
        works(pbx)
    });
}

/// What it is, is found out again each time it changes.
#[test]
fn pin_file_that_changes_format_is_detected_again() {
    let conf = "[by-caller]\n\
        source = file:/pins/people\n\
        identify = caller\n\
        [by-pin]\n\
        source = file:/pins/people\n";
    let numbers = "account,secret,caller\nada,plain:1234,+905060508169\n";
    on(with(conf).pin_file("people", numbers), |pbx| {
        let right = call("by-caller", "1234#").caller("+905060508169");
        let wrong = call("by-caller", "1234# 1234# 1234#").caller("+905060508169");
        let by_pin = call("by-pin", "1234#");
        becomes(pbx, &right, &passed().account("ada"))?;
        becomes(pbx, &by_pin, &passed().account("ada"))?;
        // No numbers: no caller is identified.
        pbx.pin_file("people", "1234\n")?;
        becomes(pbx, &wrong, &broken())?;
        is_logged(pbx, &["by-caller", "needs a csv list"])?;
        becomes(pbx, &by_pin, &passed().account("").level(""))?;
        let md5 = shell(pbx, "echo bob:$(echo -n 1234 | md5sum | cut -c1-32)")?;
        pbx.pin_file("people", md5)?;
        becomes(pbx, &wrong, &broken())?;
        becomes(pbx, &by_pin, &passed().account("bob").level(""))?;
        pbx.pin_file("people", numbers)?;
        becomes(pbx, &right, &passed().account("ada"))?;
        becomes(pbx, &by_pin, &passed().account("ada").level("0")).map(drop)
    });
}

/// What is in the file counts at the next entry, without a reload.
#[test]
fn changed_pin_file_counts_at_once() {
    let conf = "[people]\nsource = file:/pins/people.csv\n";
    on(with(conf).pin_file("people.csv", LIST), |pbx| {
        let refused = || refused("FAILURE");
        let (old, new) = (call("people", "1234#"), call("people", "5678#"));
        let (no_old, no_new) = (call("people", "1234# 1# 2#"), call("people", "5678# 1# 2#"));
        becomes(pbx, &old, &passed().account("ada"))?;
        becomes(pbx, &no_new, &refused())?;
        shell(pbx, "echo bob,plain:5678 >>/pins/people.csv")?;
        becomes(pbx, &new, &passed().account("bob")).context("added")?;
        becomes(pbx, &old, &passed().account("ada"))?;
        shell(pbx, "sed -i /ada/d /pins/people.csv")?;
        becomes(pbx, &no_old, &refused()).context("removed")?;
        becomes(pbx, &new, &passed().account("bob"))?;
        shell(
            pbx,
            "cd /pins; printf 'account,secret\\ncarl,plain:1234\\n' >p.new; mv p.new people.csv",
        )?;
        becomes(pbx, &old, &passed().account("carl")).context("renamed over it")?;
        becomes(pbx, &no_new, &refused())?;
        shell(pbx, ": >/pins/people.csv")?;
        becomes(pbx, &no_old, &refused()).context("emptied")?;

        // Between two entries of a call.
        pbx.pin_file("people.csv", LIST)?;
        let mut ongoing = pbx.place(&call("people", "9# 5678#"))?;
        ongoing.until_sound("auth-incorrect")?;
        pbx.pin_file("people.csv", "account,secret\nbob,plain:5678\n")?;
        passed().account("bob").check(&ongoing.finish()?)?;

        // A last row counts once nobody has been at the file for a second.
        shell(
            pbx,
            "printf 'account,secret\\nada,plain:1234' >/pins/people.csv",
        )?;
        eventually("the last row", || {
            Ok(pbx.call(&no_old)?.status() == "SUCCESS")
        })?;
        // Nor does a quote that is not closed spoil it before.
        shell(
            pbx,
            "printf 'account,secret\nada,plain:1234\nbob,\"plain:5678\n' >/pins/people.csv",
        )?;
        becomes(pbx, &old, &passed().account("ada")).context("half a row")?;
        eventually("a broken list", || {
            Ok(pbx.call(&no_old)?.status() == "ERROR")
        })?;
        is_logged(pbx, &["people.csv", "line 3", "quote"])
    });
}
