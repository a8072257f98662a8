//! `authenticate …` on the command line.

use std::collections::BTreeSet;

use anyhow::{ensure, Result};
use harness::{Ami, Pbx};

use super::{line, says, some, verify, with, PIN};
use crate::support::on;

#[test]
fn pin_sets_are_listed() {
    on(some(), |pbx| {
        let ami = pbx.manager()?;
        let shown = ami.command("authenticate show pinsets")?;
        let source = "file:/pins/customers.csv";
        for (name, wanted) in [
            // They are read when the module is loaded.
            ("customers", vec![source, "auto: csv", "pin", "2"]),
            ("callers", vec![source, "auto: csv", "caller", "2"]),
            ("doors", vec!["astdb:doors", "-", "pin", "-"]),
            ("wrong", vec!["-", "-", "-", "-"]),
        ] {
            ensure!(
                line(&shown, name)[1..].starts_with(&wanted),
                "{name}: {shown}"
            );
        }
        says(&shown, &["errors in authenticate.conf", "4 PIN sets"])?;
        ensure!(line(&shown, "doors").last() == Some(&"ok"), "{shown}");
        // Read, the list is known.
        ensure!(verify(&ami, "customers", PIN, "5550101")? == "SUCCESS");
        let shown = ami.command("authenticate show pinsets")?;
        ensure!(line(&shown, "customers")[4] == "2", "{shown}");
        // And found to be none.
        pbx.pin_file("customers.csv", "account,secret,colour\n")?;
        ensure!(verify(&ami, "customers", PIN, "5550101")? == "ERROR");
        let shown = ami.command("authenticate show pinsets")?;
        says(
            line(&shown, "customers").last().unwrap_or(&""),
            &["column 3 of the header"],
        )
    });
}

#[test]
fn pin_set_is_shown_with_options_in_force() {
    on(some(), |pbx| {
        let ami = pbx.manager()?;
        let shown = ami.command("authenticate show pinset DOORS")?;
        says(
            &shown,
            &[
                "[doors]",
                "source = astdb:doors",
                "one_time = yes",
                "prompt = beep&'http://localhost/a?b=1&c=2'",
                "lockout_caller = 5/15m/30m",
                "lockout_account = no",
                "on_failure = hangup",
                "; pepper keys: first, second",
            ],
        )?;
        ensure!(!shown.contains("00112233"), "{shown}");
        ensure!(!shown.contains("; list:"), "{shown}");
        verify(&ami, "customers", PIN, "5550101")?;
        let shown = ami.command("authenticate show pinset customers")?;
        says(&shown, &["; PIN file: 2 entries, last read"])?;
        ensure!(!shown.contains(PIN), "{shown}");
        let shown = ami.command("authenticate show pinset wrong")?;
        says(&shown, &["it has errors"])
    });
}

#[test]
fn lockouts_are_listed_and_ended() {
    on(some(), |pbx| {
        let ami = pbx.manager()?;
        let none = ami.command("authenticate show lockouts")?;
        ensure!(none.ends_with("0 lockouts"), "{none}");
        let hostile = "\u{1b}[2J\\x0d%s";
        for caller in ["5550101", hostile] {
            ensure!(verify(&ami, "customers", "1", caller)? == "FAILURE");
            ensure!(verify(&ami, "customers", "2", caller)? == "LOCKED");
            // The right one, too.
            ensure!(verify(&ami, "customers", PIN, caller)? == "LOCKED");
        }
        let shown = ami.command("authenticate show lockouts")?;
        let by_number = shown.lines().find(|line| line.contains("5550101"));
        let by_number = by_number.unwrap_or_default();
        says(by_number, &["customers", "caller", "AMI", "m", "s  1"])?;
        let escaped = "\\x1b[2J\\x5cx0d%s";
        says(&shown, &[escaped, "2 lockouts"])?;
        ensure!(!shown.contains('\u{1b}'), "{shown:?}");
        let of_one = "authenticate show lockouts pinset";
        says(
            &ami.command(&format!("{of_one} CUSTOMERS"))?,
            &["2 lockouts"],
        )?;
        says(&ami.command(&format!("{of_one} callers"))?, &["0 lockouts"])?;
        says(
            &ami.command(&format!("{of_one} none"))?,
            &["no PIN set 'none'"],
        )?;

        // As it is shown, by the number, in another PIN set, and by the endpoint.
        let unlock = |what: &str| ami.command(&format!("authenticate unlock {what}"));
        says(
            &unlock("caller 5550101 pinset callers")?,
            &["no caller '5550101'"],
        )?;
        says(&unlock("caller 5550101 pinset customers")?, &["1 unlocked"])?;
        says(&unlock("caller 5550101")?, &["no caller"])?;
        says(
            &unlock(&format!("CALLER \"{}\"", escaped.replace('\\', "\\\\")))?,
            &["1 unlocked"],
        )?;
        ensure!(verify(&ami, "customers", PIN, "5550101")? == "SUCCESS");
        for _ in 0..2 {
            verify(&ami, "customers", "1", "5550101")?;
        }
        says(&unlock("caller AMI")?, &["1 unlocked"])?;
        says(&ami.command("authenticate show lockouts")?, &["0 lockouts"])
    });
}

#[test]
fn accounts_and_pin_sets_are_unlocked() {
    let conf = "
[general]
source = file:/pins/customers.csv
lockout_caller = no

[budget]
lockout_pinset = 2/1h/1h

[people]
identify = account
lockout_account = 2/1h/1h
";
    on(with(conf), |pbx| {
        let ami = pbx.manager()?;
        for caller in ["1", "2"] {
            verify(&ami, "budget", "1", caller)?;
            for account in ["ada", "nobody"] {
                let headers = [
                    ("PinSet", "people"),
                    ("Secret", "1"),
                    ("Caller", caller),
                    ("Account", account),
                ];
                ami.action("AuthenticateVerify", &headers)?;
            }
        }
        let shown = ami.command("authenticate show lockouts")?;
        says(&shown, &["3 lockouts", "ada"])?;
        ensure!(
            line(&shown, "budget")[1..3] == ["pinset", "budget"],
            "{shown}"
        );
        // A caller may have entered a PIN there.
        ensure!(!shown.contains("nobody"), "{shown}");
        for (what, printed) in [
            ("account ada pinset people", "1 unlocked"),
            ("account nobody", "1 unlocked"),
            ("pinset Budget", "1 unlocked"),
            ("pinset budget", "no pinset 'budget' is locked"),
            ("pinset none", "no PIN set 'none'"),
        ] {
            says(
                &ami.command(&format!("authenticate unlock {what}"))?,
                &[printed],
            )?;
        }
        ensure!(verify(&ami, "budget", PIN, "3")? == "SUCCESS");
        Ok(())
    });
}

#[test]
fn command_words_are_completed() {
    on(some(), |pbx| {
        let ami = pbx.manager()?;
        for _ in 0..2 {
            verify(&ami, "customers", "1", "5550101")?;
        }
        for (begun, word, offered) in [
            ("authenticate ", "", "show unlock"),
            (
                "authenticate show ",
                "",
                "database lockouts number pinset pinsets stats version",
            ),
            ("authenticate show pinset c", "c", "callers customers"),
            ("authenticate show pinset C", "C", "callers customers"),
            ("authenticate show pinset customers ", "", ""),
            ("authenticate show pinsets ", "", ""),
            ("authenticate show lockouts ", "", "pinset"),
            ("authenticate show lockouts pinset d", "d", "doors"),
            ("authenticate unlock ", "", "account caller pinset"),
            ("authenticate unlock caller ", "", "5550101"),
            ("authenticate unlock account ", "", ""),
            ("authenticate unlock caller 5550101 ", "", "pinset"),
            ("authenticate unlock caller 5550101 pinset w", "w", "wrong"),
        ] {
            let command = format!("_command matchesarray \"{begun}\" \"{word}\"");
            let printed = ami.command(&command)?;
            let mut words: BTreeSet<&str> = printed.split_whitespace().collect();
            words.retain(|word| !["_EOF_", "NULL"].contains(word));
            let offered: BTreeSet<&str> = offered.split_whitespace().collect();
            // The first is what they all begin with.
            if let [_, _, ..] = Vec::from_iter(&offered)[..] {
                words.retain(|word| {
                    offered.contains(word) || !offered.iter().all(|all| all.starts_with(word))
                });
            }
            ensure!(words == offered, "{begun}: {printed}");
        }
        Ok(())
    });
}

/// Whatever is typed is answered by how the command is used, or by what is
/// wrong with it.
#[test]
fn invalid_commands_print_the_reason() {
    on(some(), |pbx| {
        let ami = pbx.manager()?;
        let usage = |command: &str| -> Result<()> {
            says(&ami.command(command)?, &["Usage: authenticate "])
        };
        let long = "x".repeat(900);
        for command in [
            "authenticate show pinsets all",
            "authenticate show pinset",
            "authenticate show pinset a b",
            "authenticate show lockouts customers",
            "authenticate show lockouts pinset",
            "authenticate show lockouts pinset a b",
            "authenticate show number 1",
            "authenticate show number 1 a b",
            "authenticate show stats now",
            "authenticate show database now",
            "authenticate unlock caller",
            "authenticate unlock caller 1 customers",
            "authenticate unlock caller 1 pinset",
            "authenticate unlock caller 1 pinset a b",
        ] {
            usage(command)?;
        }
        for (command, printed) in [
            ("authenticate show pinset %s%n", "'%s%n'"),
            ("authenticate show pinset \"\u{1b}[2J\"", "\\x1b[2J"),
            ("authenticate unlock caller %s%n", "no caller '%s%n'"),
            ("authenticate unlock account \"a b\"", "no account 'a b'"),
            ("authenticate unlock phone 1", "No such command"),
            (&format!("authenticate show pinset {long}"), &long),
            (&format!("authenticate unlock caller {long}"), &long),
        ] {
            says(&ami.command(command)?, &[printed])?;
        }
        let help = ami.command("core show help authenticate")?;
        let commands = help
            .lines()
            .filter(|line| line.trim_start().starts_with("authenticate"));
        ensure!(commands.count() == 8, "{help}");
        lives(pbx, &ami)
    });
}

/// A name of the configuration's may hold anything.
#[test]
fn names_and_values_are_escaped() {
    let conf = "[a\u{1b}b]\nsource = file:/pins/\u{1b}[31m\nprompt = \u{9b}x\n";
    on(with(conf), |pbx| {
        let ami = pbx.manager()?;
        let shown = ami.command("authenticate show pinsets")?;
        says(&shown, &["a\\x1bb", "file:/pins/\\x1b[31m"])?;
        let shown = ami.command("authenticate show pinset a\u{1b}b")?;
        says(&shown, &["[a\\x1bb]", "prompt = \\xc2\\x9bx"])?;
        let list = ami.list("AuthenticatePinsets", &[])?;
        ensure!(list[0].has("PinSet", "a\\x1bb"), "{list:?}");
        Ok(())
    });
}

fn lives(pbx: &Pbx, ami: &Ami) -> Result<()> {
    ensure!(verify(ami, "customers", PIN, "5550101")? == "SUCCESS");
    let console = pbx.console()?;
    ensure!(!console.contains("panicked"), "{console}");
    Ok(())
}
