//! `pinset convert` to a PIN set in the database, and back.

use std::process::Stdio;

use anyhow::{ensure, Result};
use harness::Pbx;

use super::edits::prints;
use super::{asterisk, is, server};
use crate::pin_sets::{becomes, call, on, passed};
use crate::support::eventually;
use crate::unprivileged::install_pinset;

const ROWS: usize = 101_000;

/// As many as are in flight at once, some times over.
const FEW: usize = 5_000;

const OPTIONS: &str = "--database /pins/database --hmac-sha256 \
                       --config /etc/asterisk/authenticate.conf";

/// Writes a file of so many accounts with PINs in the clear, and returns the command that
/// imports it.
fn import_of(pbx: &Pbx, rows: usize) -> Result<String> {
    let lines = (0..rows).map(|row| format!("c{row},{}\n", pin(row)));
    let text = "account,pin\n".to_owned() + &lines.collect::<String>();
    pbx.write_file(&format!("/pins/{rows}.csv"), text)?;
    Ok(format!("convert /pins/{rows}.csv --to customers {OPTIONS}"))
}

/// A PIN that is weak in no row.
fn pin(row: usize) -> usize {
    // Coprime to the number of PINs, so that no two are the same.
    100_000_000 + row * 7_919 % 900_000_000
}

fn count(server: &harness::Postgres) -> Result<String> {
    server.sql("SELECT count(*) FROM pinset_pins")
}

#[test]
fn imported_rows_are_admitted_and_exported() -> Result<()> {
    let server = server()?;
    on(asterisk(&server), |pbx| {
        install_pinset(pbx)?;
        let (import, few) = (import_of(pbx, ROWS)?, import_of(pbx, FEW)?);
        // The database refuses a row in the middle.
        let row = FEW / 2;
        server.sql(&format!(
            "ALTER TABLE pinset_pins ADD CONSTRAINT refused CHECK (account <> 'c{row}')"
        ))?;
        prints(pbx, ("", &few), 3, &["SQLSTATE 23514 (constraint refused)"])?;
        ensure!(count(&server)? == "0");
        server.sql("ALTER TABLE pinset_pins DROP CONSTRAINT refused")?;
        let imported = format!("customers: {ROWS} imported");
        prints(pbx, ("", &import), 0, &[&imported])?;
        ensure!(count(&server)? == ROWS.to_string());
        let last = ROWS - 1;
        let admitted = passed().account(&format!("c{last}"));
        becomes(
            pbx,
            &call("customers", &format!("{}#", pin(last))),
            &admitted,
        )?;
        is(pbx, "customers", &pin(0).to_string(), "SUCCESS")?;

        // A second time, each row is there already.
        let there = ["has the same PIN already", "nothing is imported"];
        prints(pbx, ("", &few), 3, &there)?;
        ensure!(count(&server)? == ROWS.to_string());

        let export = "convert customers --from database --database /pins/database \
                      --to /pins/out.csv";
        let exported = format!("/pins/out.csv: {ROWS} converted, 0 skipped");
        prints(pbx, ("", export), 0, &[&exported])
    });
    Ok(())
}

#[test]
fn values_of_all_columns_survive_import_and_export() -> Result<()> {
    const LIST: &str = "account,secret,caller,name,level,valid_from,valid_until,max_uses,context,enabled\n\
        \"a\\b\",plain:482913,0506 050 81 69,\"A, \"\"B\"\"\nC\",7,2026-01-01,2026-12-31 10:00,3,vip,no\n\
        bob,$argon2id$v=19$m=19456,,,,,,,,\n";
    let server = server()?;
    let list = LIST.replace("$argon2id$v=19$m=19456", &{
        let slow =
            crate::pin_sets::made::argon2id(crate::pin_sets::made::CHEAP, "salty-salt", "1")?;
        format!("\"{slow}\"")
    });
    on(asterisk(&server).pin_file("list.csv", list), |pbx| {
        install_pinset(pbx)?;
        let import = format!("convert /pins/list.csv --to customers {OPTIONS}");
        prints(pbx, ("", &import), 0, &["customers: 2 imported"])?;
        let row = server.sql(
            "SELECT account, caller, name, level, valid_from AT TIME ZONE 'UTC', \
             valid_until AT TIME ZONE 'UTC', max_uses, context, enabled \
             FROM pinset_pins WHERE id = 1",
        )?;
        let stored = "a\\b|+905060508169|A, \"B\"\nC|7|2026-01-01 00:00:00|2026-12-31 10:00:00|3|\
                      vip|f";
        ensure!(row == stored, "{row}");
        let export = "convert customers --from database --database /pins/database --to /pins/out";
        prints(pbx, ("", export), 0, &["2 converted"])?;
        let again = format!("convert /pins/out --to others {OPTIONS}");
        prints(pbx, ("", &again), 0, &["others: 2 imported"])?;
        let different = "SELECT count(*) FROM pinset_pins a FULL JOIN pinset_pins b ON \
             (a.account, a.secret, a.caller, a.name, a.level, a.enabled, a.valid_from, \
              a.valid_until, a.max_uses, a.context) IS NOT DISTINCT FROM \
             (b.account, b.secret, b.caller, b.name, b.level, b.enabled, b.valid_from, \
              b.valid_until, b.max_uses, b.context) AND a.pinset <> b.pinset \
             WHERE a.id IS NULL OR b.id IS NULL";
        let different = different.replace("FULL JOIN", "LEFT JOIN");
        ensure!(
            server.sql(&different)? == "0",
            "{}",
            server.sql("TABLE pinset_pins")?
        );
        Ok(())
    });
    Ok(())
}

#[test]
fn invalid_lines_import_nothing() -> Result<()> {
    let server = server()?;
    let md5 = format!(
        "account,secret\nada,plain:482913\nbob,md5:{}\n",
        "0".repeat(32)
    );
    let of_old_key = "0".repeat(64);
    let key = format!("account,secret\nada,plain:482913\nbob,hmac-sha256:old:{of_old_key}\n");
    let builder = asterisk(&server)
        .pin_file("lines", "482913\n12x\n660042\n482913\n")
        .pin_file("md5.csv", md5)
        .pin_file(
            "level.csv",
            "account,pin,level\nada,482913,1\nbob,660042,256\n",
        )
        .pin_file("good", "660042\n")
        .pin_file("key.csv", key);
    on(builder, |pbx| {
        install_pinset(pbx)?;
        for (file, parts) in [
            ("lines", &["line 2: ", "line 4: same PIN as line 1"][..]),
            ("md5.csv", &["line 3: an MD5 hash"]),
            ("level.csv", &["line 3: level: must be"]),
            (
                "key.csv",
                &["line 3: secret: key 'old' is not in the pepper file"],
            ),
        ] {
            let import = format!("convert /pins/{file} --to customers {OPTIONS}");
            prints(pbx, ("", &import), 3, parts)?;
            prints(
                pbx,
                ("", &import),
                3,
                &[&format!("/pins/{file}: nothing is imported")],
            )?;
            ensure!(count(&server)? == "0");
        }
        // An HMAC needs the pepper file.
        let import = "convert /pins/good --to customers --database /pins/database --hmac-sha256";
        prints(pbx, ("", import), 3, &["requires --pepper"])?;
        let export = "convert customers --from database --to /pins/out";
        prints(pbx, ("", export), 3, &["requires --database"])
    });
    Ok(())
}

/// What PBXs with a `country_code` would never find is stored only if their configuration
/// has none.
#[test]
fn national_numbers_need_the_numbering_of_the_pbxs() -> Result<()> {
    const NATIONAL: &str = "a national number, and how the PBXs compare those is not known";
    const ROLE: &str = "--database /pins/database --hmac-sha256 --pepper /pins/pepper";
    let server = server()?;
    let builder = asterisk(&server)
        .pin_file(
            "national.csv",
            "account,pin,caller\nada,482913,0506 050 81 69\n",
        )
        .pin_file("none.conf", "[general]\n");
    on(builder, |pbx| {
        install_pinset(pbx)?;
        let import = format!("convert /pins/national.csv --to customers {ROLE}");
        let line = format!("/pins/national.csv: line 2: caller: {NATIONAL}");
        prints(pbx, ("", &import), 3, &[&line, "nothing is imported"])?;
        let add = format!("add customers --account bob {ROLE} --caller");
        let national = format!("{add} 05060508169");
        let option = format!("--caller: {NATIONAL}");
        prints(pbx, ("660042", &national), 3, &[&option, "--country-code"])?;
        ensure!(count(&server)? == "0");

        let international = format!("{add} 00905060508169");
        prints(pbx, ("660042", &international), 0, &[])?;
        let change = "change customers --database /pins/database --account bob --new-caller";
        let option = format!("--new-caller: {NATIONAL}");
        prints(pbx, ("", &format!("{change} 05060508169")), 3, &[&option])?;
        prints(
            pbx,
            ("", &format!("{import} --country-code 90")),
            0,
            &["1 imported"],
        )?;
        let plain = format!("{change} 05060508169 --config /pins/none.conf");
        prints(pbx, ("", &plain), 0, &["changed"])?;
        let stored = server.sql("SELECT account, caller FROM pinset_pins ORDER BY account")?;
        ensure!(stored == "ada|+905060508169\nbob|5060508169", "{stored}");
        Ok(())
    });
    Ok(())
}

/// The import waits in its middle, and is killed there.
#[test]
fn killed_import_leaves_nothing() -> Result<()> {
    let server = server()?;
    let row = FEW / 2;
    server.sql(&format!(
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN PERFORM pg_sleep(600); RETURN NEW; END'; \
         CREATE TRIGGER waits BEFORE INSERT ON pinset_pins FOR EACH ROW \
         WHEN (NEW.account = 'c{row}') EXECUTE FUNCTION wait()"
    ))?;
    on(asterisk(&server), |pbx| {
        install_pinset(pbx)?;
        let import = import_of(pbx, FEW)?;
        let script = format!("echo $$ > /tmp/import.pid; exec pinset {import}");
        let mut importing = pbx
            .exec_command(&["bash", "-c", &script])
            .stdin(Stdio::null())
            .spawn()?;
        eventually("it is in its middle", || {
            let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
            Ok(server.sql(waits)? == "1")
        })?;
        pbx.exec(&["bash", "-c", "kill -9 $(cat /tmp/import.pid)"])?;
        let killed = importing.wait()?;
        ensure!(!killed.success(), "{killed}");
        // The server notices it when the row is there.
        server.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'",
        )?;
        eventually("the session has ended", || {
            let sessions = "SELECT count(*) FROM pg_stat_activity \
                            WHERE application_name = 'pinset'";
            Ok(server.sql(sessions)? == "0")
        })?;
        ensure!(count(&server)? == "0");
        // Nor is the PIN set locked any more.
        server.sql("DROP TRIGGER waits ON pinset_pins")?;
        pbx.write_file("/pins/one", "482913\n")?;
        let import = format!("convert /pins/one --to customers {OPTIONS}");
        prints(pbx, ("", &import), 0, &["customers: 1 imported"])?;
        is(pbx, "customers", "482913", "SUCCESS")
    });
    Ok(())
}
