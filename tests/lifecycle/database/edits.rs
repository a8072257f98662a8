//! `pinset add`, `change`, `remove`, `generate` and `check` on a PIN set in the database.

use std::sync::mpsc;
use std::thread;

use anyhow::{anyhow, ensure, Result};
use harness::{Pbx, Postgres};

use super::{asterisk, is, server};
use crate::pin_sets::{becomes, call, on, passed};
use crate::support::eventually;
use crate::unprivileged::install_pinset;

/// The options of commands that make secrets.
const MADE: &str = "--database /pins/database --config /etc/asterisk/authenticate.conf";

/// Runs `pinset` with this standard input, and returns its exit code and output.
pub(super) fn pinset(pbx: &Pbx, input: &str, arguments: &str) -> Result<(Option<i32>, String)> {
    let script = format!("printf '%s\\n' '{input}' | pinset {arguments} 2>&1");
    let output = pbx.exec_command(&["bash", "-c", &script]).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok((output.status.code(), text))
}

/// Checks the exit code of `pinset` and parts of its output.
pub(super) fn prints(
    pbx: &Pbx,
    (input, arguments): (&str, &str),
    code: i32,
    parts: &[&str],
) -> Result<()> {
    let (found, text) = pinset(pbx, input, arguments)?;
    let all = parts.iter().all(|part| text.contains(part));
    ensure!(found == Some(code) && all, "{arguments}: {found:?} {text}");
    ensure!(input.is_empty() || !text.contains(input), "{text}");
    Ok(())
}

/// Runs something while a lock is held that this SQL takes.
fn while_locked(server: &Postgres, sql: &str, what: impl FnOnce() -> Result<()>) -> Result<()> {
    thread::scope(|scope| {
        let held = scope.spawn(|| server.sql(&format!("BEGIN; {sql}; SELECT pg_sleep(600)")));
        eventually("it is held", || {
            let held = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
            Ok(server.sql(held)? == "1")
        })?;
        let done = what();
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE wait_event = 'PgSleep'";
        server.sql(end)?;
        let ended = held.join().map_err(|_| anyhow!("psql"))?;
        ensure!(ended.is_err(), "the lock has ended by itself");
        done
    })
}

#[test]
fn rows_are_added_changed_and_removed() -> Result<()> {
    let server = server()?;
    on(asterisk(&server), |pbx| {
        install_pinset(pbx)?;
        let add = |pin: &str, more: &str, code: i32, parts: &[&str]| {
            let arguments = format!("add Customers {MADE} --hmac-sha256 {more}");
            prints(pbx, (pin, &arguments), code, parts)
        };
        add("482913", "--account ada --level 3 --max-uses 1", 0, &[])?;
        let admitted = passed().account("ada").variable("AUTHENTICATELEVEL", "3");
        becomes(pbx, &call("customers", "482913#"), &admitted)?;
        is(pbx, "customers", "482913", "EXPIRED")?;

        // The rules of PIN files.
        add(
            "482913",
            "--account ada",
            1,
            &["id 1 has the same PIN already"],
        )?;
        let other = ["id 1 has the same PIN for another account", "--force"];
        add("482913", "--account bob", 1, &other)?;
        add("118", "--account bob --level 256", 3, &["--level: must be"])?;
        add(
            "118",
            "--account bob --caller 12x",
            3,
            &["--caller: not a usable"],
        )?;
        add("118", "", 3, &["--account: required"])?;
        let plain = format!("add customers {MADE} --plain --account bob");
        prints(
            pbx,
            ("118", &plain),
            3,
            &["--plain: a database has no secrets"],
        )?;

        // A caller number is stored as the module compares it.
        add("550718", "--account bob --caller '0506 050 81 69'", 0, &[])?;
        let stored = "SELECT pinset, caller FROM pinset_pins WHERE account = 'bob'";
        ensure!(server.sql(stored)? == "customers|+905060508169");

        // Another PIN has all uses; other changes keep the number.
        let change = |pin: &str, more: &str, code: i32, parts: &[&str]| {
            let arguments = format!("change customers {MADE} --hmac-sha256 {more}");
            prints(pbx, (pin, &arguments), code, parts)
        };
        let level = format!("change customers {MADE} --account ada --level 4");
        prints(pbx, ("", &level), 0, &["customers: id 1 changed"])?;
        is(pbx, "customers", "482913", "EXPIRED")?;
        change("660042", "--account ada --new-pin", 0, &["id 1 changed"])?;
        ensure!(
            server.sql("SELECT uses, last_use IS NULL FROM pinset_pins WHERE id = 1")? == "0|t"
        );
        is(pbx, "customers", "482913", "FAILURE")?;
        is(pbx, "customers", "660042", "SUCCESS")?;
        is(pbx, "customers", "660042", "EXPIRED")?;
        change(
            "550718",
            "--account ada --new-pin",
            1,
            &["id 2 has the same PIN"],
        )?;
        change("118", "--account eve --new-pin", 1, &["no such row"])?;

        add("990175", "--account bob", 0, &[])?;
        let both = format!("change customers {MADE} --account bob --enabled no");
        prints(pbx, ("", &both), 3, &["2 rows, with ids 2, 3", "--id"])?;
        prints(pbx, ("", &format!("{both} --id 3")), 0, &["id 3 changed"])?;
        is(pbx, "customers", "990175", "EXPIRED")?;
        is(pbx, "customers", "550718", "SUCCESS")?;

        let check = format!("check customers {MADE}");
        prints(
            pbx,
            ("", &check),
            0,
            &["customers: in the database, 3 entries"],
        )?;
        server.sql("UPDATE pinset_pins SET context = 'two words' WHERE id = 3")?;
        prints(pbx, ("", &check), 2, &["id 3: invalid: context: "])?;
        // A row that the module skips stays.
        server.sql("UPDATE pinset_pins SET context = NULL")?;
        let remove = format!("remove customers {MADE} --account bob");
        let all = format!("remove customers {MADE}");
        prints(pbx, ("", &all), 3, &["--account: required"])?;
        prints(pbx, ("", &remove), 0, &["customers: 2 rows removed"])?;
        prints(pbx, ("", &remove), 1, &["customers: 0 rows removed"])?;
        is(pbx, "customers", "550718", "FAILURE")?;
        server.sql("DELETE FROM pinset_pins")?;
        prints(pbx, ("", &check), 1, &["warning: admits nobody"])?;
        // A row without a number, in a PIN set of two sections.
        super::add(&server, "people", "eve", "1234", "")?;
        let slow = format!("add slow {MADE} --argon2id --account 7");
        for pin in 1001..1009 {
            prints(pbx, (&pin.to_string(), &slow), 0, &[])?;
        }
        let ninth = ["slow: the new row: there are more than 8 rows"];
        prints(pbx, ("482913", &slow), 3, &ninth)?;
        let check = format!("check PEOPLE {MADE}");
        prints(
            pbx,
            ("", &check),
            1,
            &["1 entry", "warning: [by-caller] identify: "],
        )
    });
    Ok(())
}

#[test]
fn generated_pins_are_admitted() -> Result<()> {
    let server = server()?;
    on(asterisk(&server), |pbx| {
        install_pinset(pbx)?;
        let generate = format!("generate -n 3 -d 6 --into customers {MADE} --hmac-sha256 --print");
        let (code, text) = pinset(pbx, "", &generate)?;
        ensure!(code == Some(0), "{text}");
        for line in text.lines().skip(1) {
            let pin = line.split(',').nth(1).unwrap_or_default();
            is(pbx, "customers", pin, "SUCCESS")?;
        }
        ensure!(server.sql("SELECT count(*) FROM pinset_pins")? == "3");
        prints(pbx, ("", &generate), 3, &["account 1 has a row already"])
    });
    Ok(())
}

/// Both wait until the PIN set is unlocked. Of one PIN, the second must see the first's row.
#[test]
fn two_administrators_at_once_lose_nothing() -> Result<()> {
    let server = server()?;
    on(asterisk(&server), |pbx| {
        install_pinset(pbx)?;
        let lock = "SELECT pg_advisory_xact_lock(1886217844, hashtext('customers'))";
        let at_once = |pins: [&str; 2]| -> Result<Vec<Option<i32>>> {
            let (ended, codes) = mpsc::channel();
            thread::scope(|scope| {
                while_locked(&server, lock, || {
                    for (pin, account) in pins.iter().zip(["ada", "bob"]) {
                        let ended = ended.clone();
                        scope.spawn(move || {
                            let add =
                                format!("add customers {MADE} --hmac-sha256 --account {account}");
                            ended
                                .send(pinset(pbx, pin, &add))
                                .expect("a test that waits");
                        });
                    }
                    let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' \
                                   AND NOT granted";
                    eventually("both wait", || Ok(server.sql(waiting)? == "2"))?;
                    // Calls do not wait for it.
                    is(pbx, "customers", "118", "FAILURE")
                })
            })?;
            let mut codes: Vec<_> = codes
                .iter()
                .take(2)
                .map(|ended| Ok(ended?.0))
                .collect::<Result<_>>()?;
            codes.sort_unstable();
            Ok(codes)
        };
        ensure!(at_once(["482913", "660042"])? == [Some(0), Some(0)]);
        ensure!(server.sql("SELECT count(*) FROM pinset_pins")? == "2");
        ensure!(at_once(["719350", "719350"])? == [Some(0), Some(1)]);
        ensure!(server.sql("SELECT count(*) FROM pinset_pins")? == "3");
        Ok(())
    });
    Ok(())
}

/// Errors name the SQLSTATE and the remedy, never a value.
#[test]
fn wrong_password_and_missing_rights_are_reported() -> Result<()> {
    let server = server()?;
    server.sql(
        "CREATE ROLE reader LOGIN; GRANT SELECT ON pinset_pins, pinset_schema TO reader; \
         CREATE ROLE secret LOGIN PASSWORD 'the right one'; \
         COPY (SELECT 'local all secret scram-sha-256' UNION ALL SELECT 'local all all trust') \
         TO '/var/tmp/data/pg_hba.conf'; SELECT pg_reload_conf()",
    )?;
    let string = |role: &str| format!("host=/database dbname=postgres user={role}");
    let wrong = string("secret password=a-wrong-one");
    let builder = asterisk(&server)
        .pin_file_of_mode("reader", string("reader"), 0o600)
        .pin_file_of_mode("secret", wrong, 0o600)
        .pin_file_of_mode("open", string("postgres"), 0o644);
    on(builder, |pbx| {
        install_pinset(pbx)?;
        let add = |file: &str| {
            format!(
                "add customers --database /pins/{file} --hmac-sha256 --pepper /pins/pepper \
                 --account ada"
            )
        };
        let (code, text) = pinset(pbx, "482913", &add("secret"))?;
        ensure!(code == Some(3), "{text}");
        ensure!(text.contains("password authentication failed"), "{text}");
        ensure!(!text.contains("a-wrong-one"), "{text}");
        let rights = ["SQLSTATE 42501", "owner of the tables"];
        prints(pbx, ("482913", &add("reader")), 3, &rights)?;
        prints(pbx, ("482913", &add("open")), 3, &["others have rights"])?;
        prints(pbx, ("482913", &add("none")), 3, &["/pins/none: "])?;
        server.sql(
            "ALTER TABLE pinset_pins ADD CONSTRAINT no_ada CHECK (account <> 'ada'); \
             INSERT INTO pinset_pins (pinset, account, secret) VALUES ('customers', 'bob', \
             'hmac-sha256:k1:' || repeat('0', 64))",
        )?;
        let refused = ["SQLSTATE 23514 (constraint no_ada)"];
        prints(pbx, ("482913", &add("database")), 3, &refused)?;
        let change = "change customers --database /pins/database --account bob --new-account ada";
        prints(pbx, ("", change), 3, &refused)?;
        ensure!(server.sql("SELECT count(*) FROM pinset_pins WHERE account = 'bob'")? == "1");
        // Nor the words of a server that quotes values.
        server.sql(
            "CREATE FUNCTION quote() RETURNS trigger LANGUAGE plpgsql AS \
             'BEGIN RAISE EXCEPTION ''no %'', NEW.secret; END'; \
             CREATE TRIGGER quotes BEFORE INSERT ON pinset_pins FOR EACH ROW \
             EXECUTE FUNCTION quote()",
        )?;
        let (code, text) = pinset(pbx, "482913", &add("database"))?;
        ensure!(code == Some(3) && text.contains("SQLSTATE P0001"), "{text}");
        ensure!(!text.contains("hmac-sha256:"), "{text}");
        server.sql("DROP TABLE pinset_pins, pinset_schema")?;
        let none = ["/pins/database: ", "'pinset database init'"];
        prints(pbx, ("482913", &add("database")), 3, &none)
    });
    Ok(())
}
