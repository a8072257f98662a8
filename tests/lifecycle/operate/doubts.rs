//! PIN sets that admit nobody and files refused by a reload are shown.

use anyhow::{ensure, Context, Result};
use harness::Pbx;

use super::{field, line, says};
use crate::module::OURS;
use crate::support::on;

const FILE: &str = "/etc/asterisk/authenticate.conf";

const CONF: &str = "[general]
country_code = 90

[callers]
source = file:/pins/names.csv
identify = caller

[accounts]
source = file:/pins/names.csv
identify = account

[foreign]
source = file:/pins/foreign.csv
identify = caller

[slow]
source = file:/pins/slow.csv

[signed]
source = file:/pins/signed.csv

[good]
source = file:/pins/names.csv
";

const NAMES: &str = "account,secret\nada,plain:7351937519\n";
const FOREIGN: &str = "account,secret,caller\nada,plain:7351937519,+4930123456\n";
const SLOW: &str = "account,secret\nada,\
    \"$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$0T8Xv9HzSgy6rOF4gFCBxE5T96ltUdQKB791KA9XTaQ\"\n";
const SIGNED: &str = "account,secret\nada,hmac-sha256:k1:\
    00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n";

/// The lines of the log about the options of the file, at this level.
fn logged(pbx: &Pbx, level: &str) -> Result<Vec<String>> {
    let log = pbx.log()?;
    let (level, file) = (format!("] {level}["), " draft.rs: ");
    let lines = log.lines().filter(|line| line.contains(&level));
    Ok(lines
        .filter_map(|line| Some(line.split_once(file)?.1.to_owned()))
        .collect())
}

#[test]
fn pin_set_that_admits_nobody_is_warned_of_at_load_reload_and_when_shown() {
    let builder = Pbx::builder()
        .file("authenticate.conf", CONF)
        .pin_file("names.csv", NAMES)
        .pin_file("foreign.csv", FOREIGN)
        .pin_file("slow.csv", SLOW)
        .pin_file("signed.csv", SIGNED);
    on(builder, |pbx| {
        let ami = pbx.manager()?;
        let warned = [
            "[callers] identify: rows are found by caller number, but no row has a value in a \
             column 'caller': nobody can be admitted",
            "[accounts] identify: callers enter their account, but no row has an account of \
             digits: nobody can be admitted",
            "[foreign] country_code: no caller number in the list begins with country_code = 90",
        ];
        let refused = [
            "[slow] source: '/pins/slow.csv' can't be used: all rows have Argon2id",
            "[signed] source: '/pins/signed.csv' can't be used: 1 row can't be checked",
        ];
        // Of the load, then of the reload as well.
        for times in 1..=2 {
            for (level, wanted) in [("WARNING", &warned[..]), ("ERROR", &refused[..])] {
                let lines = logged(pbx, level)?;
                for part in wanted {
                    let count = lines.iter().filter(|line| line.contains(part)).count();
                    ensure!(count == times, "{part}: {count} of {times}: {lines:#?}");
                }
            }
            let good = logged(pbx, "WARNING")?;
            ensure!(
                !good.iter().any(|line| line.contains("[good]")),
                "{good:#?}"
            );
            pbx.cli(&format!("module reload {OURS}"))?;
        }

        for (name, parts) in [
            (
                "callers",
                &["; warning: rows are found by caller number"][..],
            ),
            ("accounts", &["; warning: callers enter their account"]),
            (
                "foreign",
                &["; warning: no caller number in the list begins"],
            ),
            ("signed", &["; warning: 1 row can't be checked, line 2"]),
        ] {
            says(
                &ami.command(&format!("authenticate show pinset {name}"))?,
                parts,
            )?;
        }
        let good = ami.command("authenticate show pinset good")?;
        ensure!(!good.contains("warning"), "{good}");

        let sets = ami.list("AuthenticatePinsets", &[])?;
        let shown = ami.command("authenticate show pinsets")?;
        let count = line(&shown, "PIN set").len();
        for (name, usable) in [
            ("callers", "no"),
            ("accounts", "no"),
            ("slow", "no"),
            ("signed", "no"),
            ("foreign", "yes"),
            ("good", "yes"),
        ] {
            let cells = line(&shown, name);
            ensure!(cells.len() == count && cells[8] == usable, "{shown}");
            let set = sets
                .iter()
                .find(|set| set.has("PinSet", name))
                .context(name)?;
            ensure!(field(set, "Usable") == usable, "{set:?}");
            ensure!(field(set, "FormatFound") == "csv", "{set:?}");
            ensure!(
                (field(set, "State") == "ok") == (usable == "yes"),
                "{set:?}"
            );
        }
        Ok(())
    });
}

#[test]
fn file_refused_at_reload_is_shown_and_old_state_admits() {
    let good = "[good]\nsource = file:/pins/names.csv\n";
    let builder = Pbx::builder()
        .file("authenticate.conf", good)
        .pin_file("names.csv", NAMES);
    on(builder, |pbx| {
        let ami = pbx.manager()?;
        let shown = || ami.command("authenticate show pinsets");
        ensure!(!shown()?.contains("refused"), "{}", shown()?);

        pbx.write_file(
            FILE,
            format!("[general]\nlockout_calller = no\n{good}[later]\n"),
        )?;
        pbx.cli(&format!("module reload {OURS}"))?;
        let log = pbx.log()?;
        ensure!(!log.contains("PIN sets admit nobody"), "{log}");
        let error = "authenticate.conf:2: [general] lockout_calller: there is no such option: \
            did you mean 'lockout_caller'?";
        says(&log, &[error, "is not taken over, in force stays"])?;
        let refused = shown()?;
        says(&refused, &["authenticate.conf was rejected at 20", error])?;
        says(&refused, &["[later] source: missing", "1 PIN set\n"])?;
        let status = super::verify(&ami, "good", super::PIN, "5550101")?;
        ensure!(status == "SUCCESS", "{status}");
        // A section that stands in the file, but was not read.
        let missing = ami.command("authenticate show pinset later")?;
        says(
            &missing,
            &["there is no PIN set 'later' in authenticate.conf as it was read at 20"],
        )?;

        pbx.write_file(FILE, good)?;
        pbx.cli(&format!("module reload {OURS}"))?;
        ensure!(!shown()?.contains("refused"), "{}", shown()?);
        Ok(())
    });
}

const FAMILIES: &str = "[general]
astdb_value = account:secret

[accounts]
source = astdb:names
identify = account

[signed]
source = astdb:signed

[good]
source = astdb:names

[none]
source = astdb:none
identify = account
";

#[test]
fn family_that_admits_nobody_is_warned_of_at_a_reload() {
    on(Pbx::builder().file("authenticate.conf", FAMILIES), |pbx| {
        pbx.db_put("names", "1", "ada:plain:7351937519")?;
        let signed = SIGNED.lines().last().context("no row")?.replace(',', ":");
        pbx.db_put("signed", "1", &signed)?;
        pbx.cli(&format!("module reload {OURS}"))?;
        let about = |level| -> Result<Vec<String>> {
            let mut lines = logged(pbx, level)?;
            lines.retain(|line| line.contains(": ["));
            Ok(lines)
        };
        let (warned, refused) = (about("WARNING")?, about("ERROR")?);
        ensure!(
            warned.len() == 1
                && warned[0].contains(
                    "[accounts] identify: callers enter their account, but no row has an account \
                     of digits: nobody can be admitted"
                ),
            "{warned:#?}"
        );
        ensure!(
            refused.len() == 1
                && refused[0].contains("[signed] source: it can't be used: 1 row can't be checked"),
            "{refused:#?}"
        );
        Ok(())
    });
}
