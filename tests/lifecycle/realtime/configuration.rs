//! The engine of a family is checked when the configuration is read.

use anyhow::Result;
use harness::Pbx;

use super::{make_sqlite3, on_sqlite3, row, sqlite3, CONF, SQLITE3};
use crate::database::is;
use crate::pin_sets::{is_logged, on, reconfigure, reload};

fn extconfig(pbx: &Pbx, lines: &str) -> Result<()> {
    pbx.write_file(
        "/etc/asterisk/extconfig.conf",
        format!("[settings]\n{lines}\n"),
    )
}

#[test]
fn family_without_one_exact_engine_is_refused_by_line() -> Result<()> {
    on(on_sqlite3(), |pbx| {
        make_sqlite3(pbx)?;
        sqlite3(pbx, &row(1, "customers", "ada", "1234", "")?)?;
        is(pbx, "customers", "1234", "SUCCESS")?;
        const RIGHT: &str = "pins => sqlite3,local,pins";
        for (lines, errors) in [
            (
                "others => sqlite3,local,pins",
                &["extconfig.conf has no line 'pins => ENGINE,DATABASE,TABLE' in [settings]"][..],
            ),
            (
                "pins => sqlite3,local,pins,1\nother => odbc,a\nPINS => odbc,a,pins,2",
                &[
                    "extconfig.conf:2: pins: extconfig.conf:4 has another engine",
                    "leave one",
                ],
            ),
            (
                "pins => ldap,\"dc=x,dc=y\",pins",
                &["extconfig.conf:2: pins: the engine must be one of pgsql, odbc, mysql, sqlite3"],
            ),
            (
                "pins => sqlite3,local,pins,2",
                &["extconfig.conf:2: pins: the priority must be 1"],
            ),
            (
                "pins => sqlite3,absent,pins",
                &["extconfig.conf:2: pins: res_config_sqlite3.conf has no section [absent]"],
            ),
        ] {
            extconfig(pbx, lines)?;
            reload(pbx, false)?;
            is_logged(
                pbx,
                &[&["authenticate.conf:8: [customers] source: "], errors].concat(),
            )?;
            is(pbx, "customers", "1234", "SUCCESS")?;
        }
        extconfig(pbx, RIGHT)?;
        let sqlite3_conf = "/etc/asterisk/res_config_sqlite3.conf";
        for (batch, place) in [
            ("batch = 100", ":4"),
            ("batch = 0\nbatch = 5", ":5"),
            ("", ":3"),
        ] {
            pbx.write_file(sqlite3_conf, SQLITE3.replace("batch = 0", batch))?;
            reload(pbx, false)?;
            let error = format!("res_config_sqlite3.conf{place}: [local] batch: must be 0");
            is_logged(pbx, &["extconfig.conf:2: pins: ", &error])?;
        }
        pbx.write_file(sqlite3_conf, SQLITE3)?;
        reload(pbx, true)?;
        let without = CONF.replace("pepper_file", ";pepper_file");
        reconfigure(pbx, &without, false)?;
        is_logged(pbx, &["[customers] source: ", "a key of pepper_file"])?;
        reconfigure(pbx, &CONF.replace("[customers]", "[a^b]"), false)?;
        is_logged(
            pbx,
            &["[a^b] source: the name of a PIN set in Realtime must be"],
        )?;
        reconfigure(pbx, &CONF.replace("realtime:pins", "realtime:"), false)?;
        is_logged(
            pbx,
            &["authenticate.conf:8: [customers] source: behind realtime: "],
        )?;
        is(pbx, "customers", "1234", "SUCCESS")
    });
    Ok(())
}

/// At load, the PIN sets of the family admit nobody, and the others work.
#[test]
fn engine_that_could_give_uses_back_admits_nobody() -> Result<()> {
    let pbx = on_sqlite3().file(
        "res_config_sqlite3.conf",
        SQLITE3.replace("batch = 0", "batch = 100"),
    );
    on(pbx, |pbx| {
        make_sqlite3(pbx)?;
        sqlite3(pbx, &row(1, "customers", "ada", "1234", "")?)?;
        is(pbx, "customers", "1234", "ERROR")?;
        is(pbx, "doors", "7777", "SUCCESS")?;
        is_logged(
            pbx,
            &["PIN set 'customers' has errors in authenticate.conf"],
        )
    });
    Ok(())
}

#[test]
fn engine_that_is_not_loaded_is_named() -> Result<()> {
    on(
        on_sqlite3().modules("noload = res_config_sqlite3.so"),
        |pbx| {
            is(pbx, "doors", "7777", "SUCCESS")?;
            is(pbx, "customers", "1234", "ERROR")?;
            is_logged(
                pbx,
                &[
                    "[customers] source: ",
                    "load res_config_sqlite3.so before this module",
                ],
            )
        },
    );
    Ok(())
}
