//! Columns of a CSV file other than the secret, and `times`.

use std::process::Command;

use anyhow::{ensure, Context, Result};

use super::{
    all_become, becomes, call, is_logged, log_lines, on, passed, refused, row, shell, with,
    with_lockouts, Want,
};
use crate::support::eventually;
use crate::unprivileged::install_pinset;

const STAFF: &str = "account,secret,caller,name,level,valid_from,valid_until,context\n\
    low,plain:1111,,Ada,1,,,\n\
    high,plain:2222,,\"Bob, the other\",200,,,vip\n\
    none,plain:3333,,,,,,\n\
    gone,plain:4444,,,7,,2000-12-31,vip\n\
    coming,plain:5555,,,7,2099-01-01,,\n\
    now,plain:6666,,,7,2000-01-01 00:00,2099-12-31T23:59:59Z,\n\
    before,plain:7777,,,7,,2000-12-31,\n\
    after,plain:7777,,,8,2001-01-01,2099-12-31,\n\
    junior,plain:8888,,,1,,,\n\
    senior,plain:8888,,,9,,,\n";

#[test]
fn level_and_context_are_applied() {
    let conf = "[general]\n\
        source = file:/pins/staff.csv\n\
        [staff]\n\
        on_success = goto:internal,1091,1\n\
        [on-by-itself]\n\
        [level-2]\n\
        required_level = 2\n\
        [level-200]\n\
        required_level = 200\n\
        [level-201]\n\
        required_level = 201\n";
    let wrong = || {
        refused("FAILURE").account("").context("").sounds(&[
            "agent-pass",
            "auth-incorrect",
            "auth-incorrect",
            "vm-goodbye",
        ])
    };
    on(with(conf).pin_file("staff.csv", STAFF), |pbx| {
        all_become(
            pbx,
            &[
                row(
                    "a level",
                    call("staff", "1111#"),
                    passed()
                        .went("internal,1091,1")
                        .account("low")
                        .level("1")
                        .context(""),
                ),
                row(
                    "a context",
                    call("staff", "2222#"),
                    passed()
                        .went("vip,1091,1")
                        .account("high")
                        .level("200")
                        .context("vip"),
                ),
                row(
                    "neither",
                    call("staff", "3333#"),
                    passed()
                        .went("internal,1091,1")
                        .account("none")
                        .level("0")
                        .context(""),
                ),
                row(
                    "a context, and no goto for it",
                    call("on-by-itself", "2222#"),
                    passed().context("vip"),
                ),
                row("too low", call("level-2", "1111# 3333# 1111#"), wrong()),
                row(
                    "just enough",
                    call("level-200", "2222#"),
                    passed().level("200"),
                ),
                row("just not", call("level-201", "2222# 2222# 2222#"), wrong()),
                row(
                    "too low, then high enough",
                    call("level-2", "1111# 2222#"),
                    passed().account("high").attempts("2"),
                ),
                row(
                    "of two rows the first that is high enough",
                    call("level-2", "8888#"),
                    passed().account("senior").level("9"),
                ),
                row(
                    "or the first",
                    call("on-by-itself", "8888#"),
                    passed().account("junior").level("1"),
                ),
            ],
        )?;
        // A name is for people; the log is no place for it.
        let named = log_lines(pbx, &["Ada"])?;
        ensure!(named.is_empty(), "{named:#?}");
        Ok(())
    });
}

/// The PIN was right, and its time is not now.
fn expired() -> Want {
    refused("EXPIRED").account("").context("").sounds(&[
        "agent-pass",
        "auth-incorrect",
        "auth-incorrect",
        "vm-goodbye",
    ])
}

#[test]
fn pin_outside_its_dates_is_expired() {
    let conf = "[general]\n\
        source = file:/pins/staff.csv\n\
        [staff]\n\
        [hourly]\n\
        source = file:/pins/hourly.csv\n";
    on(with(conf).pin_file("staff.csv", STAFF), |pbx| {
        // The clock and the zone are the container's.
        let hourly = "at() { date -d \"$1\" '+%F %T'; }; utc() { date -u -d \"$1\" +%FT%TZ; }; \
            echo account,secret,valid_from,valid_until; \
            echo \"a,plain:11,$(at '-1 hour'),$(at '+1 hour')\"; \
            echo \"b,plain:22,$(at '+1 hour'),\"; \
            echo \"c,plain:33,,$(at '-1 second')\"; \
            echo \"d,plain:44,$(utc '-1 hour'),$(utc '+1 hour')\"; \
            echo \"e,plain:55,$(utc '+1 hour'),\"; \
            echo \"f,plain:66,$(date -d '-1 day' +%F),$(date -d '+1 day' +%F)\"";
        pbx.pin_file("hourly.csv", shell(pbx, hourly)?)?;
        let three = |set, pin: &str| call(set, &format!("{pin}# {pin}# {pin}#"));
        all_become(
            pbx,
            &[
                row("no longer", three("staff", "4444"), expired()),
                row("not yet", three("staff", "5555"), expired()),
                row(
                    "now",
                    call("staff", "6666#"),
                    passed().account("now").level("7"),
                ),
                row(
                    "of two rows the one that is valid",
                    call("staff", "7777#"),
                    passed().account("after").level("8"),
                ),
                row(
                    "the last entry counts",
                    call("staff", "1# 2# 4444#"),
                    expired(),
                ),
                row(
                    "and not those before",
                    call("staff", "4444# 4444# 1#"),
                    refused("FAILURE"),
                ),
                row(
                    "no longer, then another",
                    call("staff", "4444# 1111#"),
                    passed().account("low").attempts("2"),
                ),
                row(
                    "since an hour",
                    call("hourly", "11#"),
                    passed().account("a"),
                ),
                row("in an hour", three("hourly", "22"), expired()),
                row("a second ago", three("hourly", "33"), expired()),
                row(
                    "since an hour, UTC",
                    call("hourly", "44#"),
                    passed().account("d"),
                ),
                row("in an hour, UTC", three("hourly", "55"), expired()),
                row("between days", call("hourly", "66#"), passed().account("f")),
            ],
        )
    });
}

/// The clock is looked at for each entry, not when the list is read.
#[test]
fn row_becomes_valid_without_a_reload() {
    let conf = "[soon]\nsource = file:/pins/soon.csv\nattempts = 1\n";
    on(with(conf), |pbx| {
        let list = "echo account,secret,valid_from; \
            echo \"a,plain:1234,$(date -d '+5 seconds' '+%F %T')\"";
        pbx.pin_file("soon.csv", shell(pbx, list)?)?;
        let call = call("soon,q,4", "1234");
        becomes(pbx, &call, &refused("EXPIRED"))?;
        eventually("the row is valid", || {
            Ok(pbx.call(&call)?.status() == "SUCCESS")
        })
    });
}

/// A change of `enabled` counts at the next attempt, without a reload.
#[test]
fn disabled_row_is_expired_until_pinset_enables_it() {
    let conf = "[staff]\nsource = file:/pins/staff.csv\nattempts = 1\n";
    let list = "account,secret\nada,plain:1111\nbob,plain:2222\n";
    on(with(conf).pin_file("staff.csv", list), |pbx| {
        install_pinset(pbx)?;
        let enable = |enabled| {
            let change = "pinset change /pins/staff.csv --account ada --enabled";
            shell(pbx, &format!("{change} {enabled}"))
        };
        let ada = call("staff", "1111#");
        becomes(pbx, &ada, &passed().account("ada"))?;
        enable("no")?;
        let expired = refused("EXPIRED").account("").attempts("1");
        becomes(pbx, &ada, &expired)?;
        becomes(pbx, &call("staff", "2222#"), &passed().account("bob"))?;
        ensure!(pbx.log()?.contains("right PIN, but its row is disabled"));
        enable("yes")?;
        becomes(pbx, &ada, &passed().account("ada")).map(drop)
    });
}

/// Attempts with the PIN of a disabled row are counted as those of an expired one.
#[test]
fn disabled_row_locks_its_caller_out_as_an_expired_one() {
    let conf = "[disabled]\nsource = file:/pins/disabled.csv\n\
        [over]\nsource = file:/pins/over.csv\n\
        [general]\nattempts = 1\nlockout_caller = 2/10m/10m\n";
    let builder = with_lockouts(conf)
        .pin_file("disabled.csv", "account,secret,enabled\n1,plain:1234,no\n")
        .pin_file(
            "over.csv",
            "account,secret,valid_until\n1,plain:1234,2001-01-01\n",
        );
    on(builder, |pbx| {
        for name in ["disabled", "over"] {
            let call = call(name, "1234#").caller("5060508169");
            becomes(pbx, &call, &refused("EXPIRED"))?;
            becomes(pbx, &call, &refused("LOCKED").attempts("1"))?;
        }
        Ok(())
    });
}

/// Months, by number: this one and the two beside it, and the one that is
/// farthest away. No test is so long that it gets there.
fn months() -> Result<(String, String)> {
    let output = Command::new("date").arg("+%m").output()?;
    let now: u32 = String::from_utf8(output.stdout)?.trim().parse()?;
    let month = |after: u32| (now - 1 + after) % 12 + 1;
    Ok((
        format!("*,*,*,{}-{}", month(11), month(1)),
        format!("*,*,*,{}", month(6)),
    ))
}

#[test]
fn pin_outside_the_times_is_expired() -> Result<()> {
    let (now, other) = months().context("the month")?;
    let conf = format!(
        "[general]\n\
         source = file:/pins/staff.csv\n\
         [open]\n\
         times = {now}\n\
         [all-day]\n\
         times = 00:00-23:59,sun-sat,1-31,jan-dec,Europe/Istanbul\n\
         [shut]\n\
         times = {other}\n\
         [shut-door]\n\
         source = file:/pins/doors\n\
         times = {other}\n\
         [shut-family]\n\
         source = astdb:shut\n\
         times = {other}\n\
         one_time = yes\n"
    );
    let builder = with(&conf)
        .pin_file("staff.csv", STAFF)
        .pin_file("doors", "1111\n");
    on(builder, |pbx| {
        pbx.db_put("shut", "1111", "1111")?;
        let three = |set, pin: &str| call(set, &format!("{pin}# {pin}# {pin}#"));
        all_become(
            pbx,
            &[
                row("open", call("open", "1111#"), passed().account("low")),
                row(
                    "open all day",
                    call("all-day", "1111#"),
                    passed().account("low"),
                ),
                row("shut", three("shut", "1111"), expired()),
                row("shut, wrong", three("shut", "9"), refused("FAILURE")),
                row("shut, a plain list", three("shut-door", "1111"), expired()),
                row("shut, a family", three("shut-family", "1111"), expired()),
            ],
        )?;
        ensure!(
            pbx.db_get("shut", "1111")?.is_some(),
            "used up all the same"
        );
        Ok(())
    });
    Ok(())
}

#[test]
fn invalid_row_is_skipped_and_reported() {
    let conf = "[staff]\nsource = file:/pins/staff.csv\n";
    let list = "account,secret,level,valid_from\n\
        a,plain:86420111,256,\n\
        ,plain:86420222,,\n\
        c,plain:86420333,,tomorrow\n\
        d,86420444,,\n\
        e,plain:5555,3,\n\
        f,md5:86420555,,\n";
    on(with(conf).pin_file("staff.csv", list), |pbx| {
        all_become(
            pbx,
            &[
                row(
                    "a good one",
                    call("staff", "5555#"),
                    passed().account("e").level("3"),
                ),
                row(
                    "bad ones",
                    call("staff", "86420111# 86420222# 86420333#"),
                    refused("FAILURE"),
                ),
                row(
                    "a secret of no form",
                    call("staff", "86420444# 86420555# 0#"),
                    refused("FAILURE"),
                ),
            ],
        )?;
        let bad = [
            (2, "level"),
            (3, "account"),
            (4, "valid_from"),
            (5, "secret"),
            (7, "secret"),
        ];
        for (line, column) in bad {
            is_logged(pbx, &["staff.csv", &format!("line {line}"), column])?;
        }
        for value in ["86420", "tomorrow"] {
            let logged = log_lines(pbx, &[value])?;
            ensure!(logged.is_empty(), "a value is in the log: {logged:#?}");
        }
        Ok(())
    });
}
