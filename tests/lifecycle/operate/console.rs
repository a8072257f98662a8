//! Actions for consoles: pages of lockouts, and a reload that answers with its errors.

use anyhow::{ensure, Context, Result};
use harness::{Ami, Frame};

use super::{field, some, verify, with, CONF, PIN};
use crate::support::on;

/// A list, and the event that ends it.
fn whole(ami: &Ami, action: &str, headers: &[(&str, &str)]) -> Result<(Vec<Frame>, Frame)> {
    let events = ami.events();
    let mut list = Vec::new();
    ami.action(action, headers)?;
    let complete = format!("{action}Complete");
    let limit = std::time::Duration::from_secs(20);
    loop {
        let frame = events.wait(action, limit, |frame| {
            let name = frame.event().unwrap_or_default();
            frame.get("ActionID").is_some() && name.starts_with("Authenticate")
        })?;
        if frame.event() == Some(&complete) {
            return Ok((list, (*frame).clone()));
        }
        list.push((*frame).clone());
    }
}

#[test]
fn lockouts_are_listed_in_pages() {
    on(some(), |pbx| {
        let ami = pbx.manager()?;
        for caller in 0..5 {
            for _ in 0..2 {
                verify(&ami, "customers", "1", &format!("555010{caller}"))?;
            }
        }
        let (all, end) = whole(&ami, "AuthenticateLockouts", &[])?;
        ensure!(all.len() == 5 && end.has("Total", "5"), "{end:?}");
        let values: Vec<&str> = all.iter().map(|lock| field(lock, "Value")).collect();
        ensure!(values.is_sorted(), "{values:?}");

        let (mut found, mut after) = (Vec::new(), String::new());
        for length in [2, 2, 1, 0] {
            let page = [("Limit", "2"), ("After", after.as_str())];
            let (list, end) = whole(&ami, "AuthenticateLockouts", &page)?;
            ensure!(
                list.len() == length && end.has("Total", "5"),
                "{list:?} {end:?}"
            );
            ensure!(end.has("ListItems", &length.to_string()), "{end:?}");
            found.extend(list.iter().map(|lock| field(lock, "Value").to_owned()));
            let last = list.last().map(|lock| field(lock, "Key").to_owned());
            after = last.unwrap_or(after);
            // One that ends does not move the others.
            if length == 2 && found.len() == 2 {
                let gone = [("Type", "caller"), ("Value", found[0].as_str())];
                ami.action("AuthenticateUnlock", &gone)?;
                verify(&ami, "customers", "1", &found[0])?;
                verify(&ami, "customers", "1", &found[0])?;
            }
        }
        found.sort_unstable();
        ensure!(found == values, "{found:?}");

        let (none, end) = whole(&ami, "AuthenticateLockouts", &[("PinSet", "callers")])?;
        ensure!(none.is_empty() && end.has("Total", "0"), "{end:?}");
        for (name, value) in [
            ("Limit", "0"),
            ("Limit", "10001"),
            ("Limit", "-1"),
            ("Limit", "x"),
            ("After", "1"),
            ("After", "5550101"),
        ] {
            let answer = ami.ask("AuthenticateLockouts", &[(name, value)])?;
            ensure!(
                answer.has("Response", "Error"),
                "{name}: {value}: {answer:?}"
            );
            ensure!(field(&answer, "Message").starts_with(name), "{answer:?}");
        }
        Ok(())
    });
}

/// Digits that a caller has entered as an account can't be found from the key.
#[test]
fn key_of_a_lockout_differs_from_its_stored_digest() {
    on(some(), |pbx| {
        let ami = pbx.manager()?;
        for _ in 0..2 {
            verify(&ami, "customers", "1", "5550101")?;
        }
        let (all, _) = whole(&ami, "AuthenticateLockouts", &[])?;
        let key = field(&all[0], "Key");
        ensure!(key.len() == 32, "{all:?}");
        crate::support::eventually("the stored lock", || {
            let shown = ami.command("database show authenticate-lockouts")?;
            ensure!(!shown.contains(key), "{shown}");
            Ok(shown.contains("/authenticate-lockouts/c"))
        })
    });
}

#[test]
fn reload_answers_with_the_errors() {
    // Without its PIN set with errors.
    let right = CONF.split("[wrong]").next().unwrap_or_default();
    on(with(right), |pbx| {
        let ami = pbx.manager()?;
        let conf = "/etc/asterisk/authenticate.conf";
        let reload = || whole(&ami, "AuthenticateReload", &[]);
        let (errors, end) = reload()?;
        ensure!(
            errors.is_empty() && end.has("Applied", "yes"),
            "{errors:?} {end:?}"
        );
        ensure!(end.has("Total", "0"), "{end:?}");

        pbx.write_file(
            conf,
            "[general]\nlockout_calller = 1\n[doors]\nsource = astdb:doors\nattempts = 0\n",
        )?;
        let (errors, end) = reload()?;
        ensure!(end.has("Applied", "no") && end.has("Total", "2"), "{end:?}");
        ensure!(end.has("ListItems", "2"), "{end:?}");
        for (error, line, section, option) in [
            (&errors[0], "2", "general", "lockout_calller"),
            (&errors[1], "5", "doors", "attempts"),
        ] {
            ensure!(
                error.event() == Some("AuthenticateReloadError"),
                "{error:?}"
            );
            for (name, value) in [
                ("File", "authenticate.conf"),
                ("Line", line),
                ("Section", section),
                ("Option", option),
            ] {
                ensure!(error.has(name, value), "{name}: {error:?}");
            }
        }
        let message = field(&errors[0], "Message");
        ensure!(
            message.contains("did you mean 'lockout_caller'?"),
            "{message}"
        );
        // The old one stays in force.
        ensure!(verify(&ami, "customers", PIN, "1")? == "SUCCESS");
        let shown = pbx.cli("authenticate show pinsets")?;
        ensure!(
            shown.contains("was rejected") && shown.contains("lockout_calller"),
            "{shown}"
        );

        pbx.write_file(conf, "[new\n")?;
        let (errors, end) = reload()?;
        ensure!(errors.len() == 1 && end.has("Applied", "no"), "{errors:?}");

        pbx.write_file(conf, right.replace("[doors]", "[gates]"))?;
        let (errors, end) = reload()?;
        ensure!(
            errors.is_empty() && end.has("Applied", "yes"),
            "{errors:?} {end:?}"
        );
        let sets = ami.list("AuthenticatePinsets", &[])?;
        let gates = sets.iter().find(|set| set.has("PinSet", "gates"));
        gates.context("no new PIN set").map(drop)
    });
}

/// Two reloads at once: each is done, or refused because of the other.
#[test]
fn concurrent_reloads_are_harmless() {
    let right = CONF.split("[wrong]").next().unwrap_or_default();
    on(with(right), |pbx| {
        let done = std::sync::atomic::AtomicUsize::new(0);
        crate::support::side_by_side(4, 4, |_| {
            let ami = pbx.ami()?;
            for _ in 0..10 {
                let answer = ami.ask("AuthenticateReload", &[])?;
                if answer.has("Response", "Success") {
                    done.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                } else {
                    let message = field(&answer, "Message");
                    ensure!(
                        message.contains("another reload is in progress"),
                        "{answer:?}"
                    );
                }
            }
            Ok(())
        })?;
        ensure!(done.into_inner() > 0, "no reload was done");
        let sets = pbx.manager()?.list("AuthenticatePinsets", &[])?;
        ensure!(sets.len() == 3, "{sets:?}");
        Ok(())
    });
}
