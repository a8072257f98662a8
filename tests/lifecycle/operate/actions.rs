//! AMI actions.

use anyhow::{ensure, Context, Result};
use harness::{Ami, Call, Outcome};

use super::{field, says, some, verify, CONF, CUSTOMERS, PIN};
use crate::module::{module_action, use_count, OURS};
use crate::pin_sets::made::argon2id;
use crate::support::{eventually, on};

#[test]
fn ami_lists_are_complete() {
    on(some(), |pbx| {
        let ami = pbx.manager()?;
        let sets = ami.list("AuthenticatePinsets", &[])?;
        let names: Vec<&str> = sets.iter().map(|set| field(set, "PinSet")).collect();
        ensure!(
            names == ["callers", "customers", "doors", "wrong"],
            "{sets:#?}"
        );
        let customers = &sets[1];
        ensure!(customers.has("Source", "file:/pins/customers.csv"));
        ensure!(customers.has("State", "ok"), "{sets:#?}");
        ensure!(
            sets[3].has("State", "errors in authenticate.conf"),
            "{sets:#?}"
        );
        let one = ami.list("AuthenticatePinset", &[("PinSet", "Doors")])?;
        ensure!(
            one.len() == 1 && one[0].has("Option-one_time", "yes"),
            "{one:#?}"
        );
        ensure!(one[0].has("PepperKeys", "first,second"), "{one:#?}");

        ensure!(ami.list("AuthenticateLockouts", &[])?.is_empty());
        for _ in 0..2 {
            verify(&ami, "customers", "1", "5550101")?;
        }
        let locks = ami.list("AuthenticateLockouts", &[("PinSet", "customers")])?;
        ensure!(locks.len() == 1, "{locks:#?}");
        for (name, value) in [
            ("Event", "AuthenticateLockout"),
            ("PinSet", "customers"),
            ("LockedBy", "caller"),
            ("Value", "5550101"),
            ("Endpoint", "AMI"),
            ("Times", "1"),
        ] {
            ensure!(locks[0].has(name, value), "{name}: {locks:#?}");
        }
        let left: u64 = field(&locks[0], "LockedSeconds").parse()?;
        ensure!((1..=1800).contains(&left), "{left}");
        ensure!(ami
            .list("AuthenticateLockouts", &[("PinSet", "callers")])?
            .is_empty());

        let unlock = [("Type", "caller"), ("Value", "5550101")];
        let answer = ami.action("AuthenticateUnlock", &unlock)?;
        ensure!(answer.has("Unlocked", "1"), "{answer:?}");
        let again = ami.ask("AuthenticateUnlock", &unlock)?;
        ensure!(
            again.has("Message", "no caller '5550101' is locked"),
            "{again:?}"
        );
        ami.list("AuthenticateStats", &[]).map(drop)
    });
}

/// A PIN is verified as one that a caller has entered.
#[test]
fn verify_action_verifies_pins() {
    on(some(), |pbx| {
        let ami = pbx.manager()?;
        let verified = |headers: &[(&str, &str)]| ami.action("AuthenticateVerify", headers);
        let right = [("PinSet", "CUSTOMERS"), ("Secret", PIN), ("Caller", "1")];
        let answer = verified(&right)?;
        for (name, value) in [
            ("Status", "SUCCESS"),
            ("Account", "ada"),
            ("Level", "7"),
            ("Context", "vip"),
            ("Attempts", "1"),
        ] {
            ensure!(answer.has(name, value), "{answer:?}");
        }
        for (secret, status) in [("1", "FAILURE"), (PIN, "SUCCESS"), ("12a", "FAILURE")] {
            ensure!(
                verify(&ami, "customers", secret, "5550102")? == status,
                "{secret}"
            );
        }
        // The number is the one that is given, or that of the channel.
        for (caller, status) in [("+902125550101", "SUCCESS"), ("+902125550102", "FAILURE")] {
            ensure!(verify(&ami, "callers", PIN, caller)? == status, "{caller}");
        }
        let call = Call::new("1234").caller("+902125550101").keys("<wait 60>");
        let mut ongoing = pbx.place(&call)?;
        ongoing.until_sound("agent-pass")?;
        let channel = ongoing.channel().context("no channel")?.to_owned();
        let of_channel = [
            ("PinSet", "callers"),
            ("Secret", PIN),
            ("Channel", &channel),
        ];
        ensure!(verified(&of_channel)?.has("Status", "SUCCESS"));
        let other = [("Caller", "+902125550102")];
        let answer = verified(&[&of_channel[..], &other[..]].concat())?;
        ensure!(answer.has("Status", "FAILURE"), "{answer:?}");
        let locked = [
            ("PinSet", "customers"),
            ("Secret", "1"),
            ("Channel", &channel),
        ];
        verified(&locked)?;
        ensure!(verified(&locked)?.has("Status", "LOCKED"));
        let locks = ami.list("AuthenticateLockouts", &[])?;
        let (endpoint, _) = channel.split_once('-').unwrap_or((&channel, ""));
        ensure!(!field(&locks[0], "Endpoint").is_empty(), "{locks:?}");
        ensure!(field(&locks[0], "Endpoint").split('/').next() == endpoint.split('/').next());
        ongoing.hang_up()?;
        ongoing.finish().map(drop)
    });
}

/// As every other outcome, once: counted, and as an event. What is no attempt
/// is not told.
#[test]
fn verify_action_is_reported_once() {
    on(some(), |pbx| {
        let (ami, listener) = (pbx.ami()?, pbx.ami()?);
        let events = listener.events();
        for secret in [PIN, "1", "2", "3"] {
            verify(&ami, "customers", secret, "5550101")?;
        }
        ami.ask("AuthenticateVerify", &[("PinSet", "customers")])?;
        listener.action("UserEvent", &[("UserEvent", "mark")])?;
        let reported = std::cell::RefCell::new(Vec::new());
        events.wait("mark", std::time::Duration::from_secs(20), |frame| {
            if frame.has("PinSet", "customers") {
                reported.borrow_mut().push(frame.clone());
            }
            frame.has("UserEvent", "mark")
        })?;
        let reported = reported.into_inner();
        let outcomes: Vec<&str> = reported
            .iter()
            .map(|event| field(event, "Outcome"))
            .collect();
        ensure!(
            outcomes == ["SUCCESS", "FAILURE", "LOCKED", "LOCKED"],
            "{reported:#?}"
        );
        // The last one met a lock, and was not verified.
        let attempts: Vec<&str> = reported
            .iter()
            .map(|event| field(event, "Attempts"))
            .collect();
        ensure!(attempts == ["1", "1", "1", "0"], "{reported:#?}");
        let success = &reported[0];
        for (name, value) in [
            ("Event", "AuthenticateSuccess"),
            ("Identity", "ada"),
            ("CallerIDNum", "5550101"),
            ("Channel", "AMI"),
            ("Attempts", "1"),
        ] {
            ensure!(success.has(name, value), "{name}: {success:#?}");
        }
        let stats = ami.list("AuthenticateStats", &[])?;
        let of = stats.iter().find(|of| of.has("PinSet", "customers"));
        let of = of.context("no counts")?;
        for (name, count) in [
            ("Success", "1"),
            ("Failure", "1"),
            ("Locked", "2"),
            ("Timeout", "0"),
            ("Attempts", "3"),
        ] {
            ensure!(of.has(name, count), "{name}: {of:#?}");
        }
        let shown = ami.command("authenticate show stats")?;
        let cells = super::line(&shown, "customers");
        ensure!(
            cells[1..] == ["1", "1", "0", "0", "2", "0", "0", "3"],
            "{shown}"
        );
        Ok(())
    });
}

#[test]
fn invalid_actions_are_errors() {
    on(some(), |pbx| {
        let ami = pbx.manager()?;
        let verify =
            |headers: &[(&'static str, &'static str)]| ("AuthenticateVerify", headers.to_vec());
        let long: &'static str = Box::leak("9".repeat(900).into_boxed_str());
        let cases = [
            verify(&[]),
            verify(&[("PinSet", "customers"), ("Secret", PIN)]),
            verify(&[("PinSet", "customers"), ("Caller", "1")]),
            verify(&[("Secret", PIN), ("Caller", "1")]),
            verify(&[("PinSet", ""), ("Secret", PIN), ("Caller", "1")]),
            verify(&[("PinSet", "none"), ("Secret", PIN), ("Caller", "1")]),
            verify(&[("PinSet", "%s%n"), ("Secret", PIN), ("Caller", "1")]),
            verify(&[("PinSet", long), ("Secret", PIN), ("Caller", "1")]),
            verify(&[
                ("PinSet", "customers"),
                ("Secret", PIN),
                ("Channel", "PJSIP/none"),
            ]),
            verify(&[
                ("PinSet", "customers"),
                ("Secret", PIN),
                ("Secret", "1"),
                ("Caller", "1"),
            ]),
            verify(&[
                ("PinSet", "customers"),
                ("Secret", PIN),
                ("Caller", "1"),
                ("caller", "2"),
            ]),
            ("AuthenticatePinset", vec![]),
            ("AuthenticatePinset", vec![("PinSet", "none")]),
            (
                "AuthenticatePinset",
                vec![("PinSet", "doors"), ("PinSet", "doors")],
            ),
            ("AuthenticateLockouts", vec![("PinSet", "none")]),
            ("AuthenticateUnlock", vec![]),
            ("AuthenticateUnlock", vec![("Type", "caller")]),
            ("AuthenticateUnlock", vec![("Value", "1")]),
            (
                "AuthenticateUnlock",
                vec![("Type", "phone"), ("Value", "1")],
            ),
            (
                "AuthenticateUnlock",
                vec![("Type", "caller"), ("Value", "%s%n")],
            ),
            (
                "AuthenticateUnlock",
                vec![("Type", "pinset"), ("Value", long)],
            ),
        ];
        for (action, headers) in cases {
            let answer = ami.ask(action, &headers)?;
            ensure!(
                answer.has("Response", "Error"),
                "{action} {headers:?}: {answer:?}"
            );
            ensure!(
                !field(&answer, "Message").is_empty(),
                "{action} {headers:?}"
            );
            ensure!(!format!("{answer:?}").contains(PIN), "{answer:?}");
        }
        // More digits than can be entered: wrong, and no error.
        for (secret, caller) in [(long, "1"), ("%s%n", "1"), ("1", long), ("1", "%s%n")] {
            let status = super::verify(&ami, "callers", secret, caller)?;
            ensure!(status == "FAILURE", "{status}");
        }
        // A PIN set with errors admits nobody, and is not unknown.
        ensure!(super::verify(&ami, "wrong", PIN, "1")? == "ERROR");
        ensure!(super::verify(&ami, "customers", PIN, "1")? == "SUCCESS");
        Ok(())
    });
}

/// Not in what Asterisk prints of AMI and debugs, and not in an event.
#[test]
fn pin_of_an_action_appears_nowhere() {
    on(some(), |pbx| {
        pbx.cli("core set debug 10")?;
        pbx.cli("core set verbose 10")?;
        pbx.cli("manager set debug on")?;
        let (ami, listener) = (pbx.ami()?, pbx.ami()?);
        let events = listener.events();
        const WRONG: &str = "8642086420";
        for secret in [PIN, WRONG] {
            verify(&ami, "customers", secret, "5550101")?;
            verify(&ami, "callers", secret, "+902125550101")?;
        }
        listener.action("UserEvent", &[("UserEvent", "mark")])?;
        let seen = std::cell::Cell::new(0);
        let limit = std::time::Duration::from_secs(20);
        events.wait("mark", limit, |frame| {
            let text = format!("{frame:?}");
            if text.contains(PIN) || text.contains(WRONG) {
                seen.set(seen.get() + 1);
            }
            frame.has("UserEvent", "mark")
        })?;
        ensure!(seen.get() == 0, "{} events", seen.get());
        let printed = pbx.log()? + &pbx.console()?;
        // What was printed of the action is there, without it.
        says(
            &printed,
            &["Action: AuthenticateVerify", "Secret: <redacted"],
        )?;
        for line in printed.lines() {
            ensure!(!line.contains(PIN) && !line.contains(WRONG), "{line}");
        }
        Ok(())
    });
}

/// Unloading is refused while a session waits for a hash, by force too.
#[test]
fn unload_is_refused_while_a_session_waits() -> Result<()> {
    let slow = argon2id((65536, 10, 1), "a-salt-of-ours", "9")?;
    let list = format!("{CUSTOMERS}eve,\"{slow}\",+902125550103,,\n");
    let builder = some().pin_file("customers.csv", list);
    on(builder, |pbx| {
        let (ami, other) = (pbx.ami()?, pbx.ami()?);
        let waits = [
            ("PinSet", "callers"),
            ("Secret", "9"),
            ("Caller", "+902125550103"),
        ];
        let answer = std::thread::scope(|scope| -> Result<_> {
            let waiting = scope.spawn(|| ami.action("AuthenticateVerify", &waits));
            // It is inside, or has been.
            eventually("the session inside", || {
                Ok(waiting.is_finished() || use_count(&other)? > 0)
            })?;
            if !waiting.is_finished() {
                let printed = pbx.cli(&format!("module unload -f {OURS}"))?;
                let refused = printed.contains("Unable to unload");
                ensure!(refused || waiting.is_finished(), "{printed}");
            }
            waiting.join().map_err(|_| anyhow::anyhow!("panicked"))?
        })?;
        ensure!(answer.has("Status", "SUCCESS"), "{answer:?}");
        eventually("an unload", || {
            Ok(module_action(&other, "unload", OURS).is_ok() || {
                // The harness's module is a link, which AMI does not touch.
                pbx.cli(&format!("module unload {OURS}"))?;
                use_count(&other).is_err()
            })
        })?;
        let gone = other.ask("AuthenticateVerify", &waits)?;
        says(field(&gone, "Message"), &["Invalid/unknown command"])?;
        let gone = other.command("authenticate show stats")?;
        says(&gone, &["No such command"])?;
        pbx.cli(&format!("module load {OURS}"))?;
        let report = pbx.call(&Call::new("1234,q").keys("1234#"))?;
        ensure!(report.outcome == Outcome::Passed, "{report:#?}");
        ensure!(verify(&other, "customers", PIN, "1")? == "SUCCESS");
        Ok(())
    });
    Ok(())
}

/// A reload shows what it has read.
#[test]
fn reload_changes_the_listed_state() {
    on(some(), |pbx| {
        let ami: &Ami = &*pbx.manager()?;
        let conf = CONF.replace("[wrong]\nattempts = 0", "[right]\nsource = astdb:a");
        pbx.write_file("/etc/asterisk/authenticate.conf", conf)?;
        pbx.cli(&format!("module reload {OURS}"))?;
        let sets = ami.list("AuthenticatePinsets", &[])?;
        let names: Vec<&str> = sets.iter().map(|set| field(set, "PinSet")).collect();
        ensure!(
            names == ["callers", "customers", "doors", "right"],
            "{sets:#?}"
        );
        Ok(())
    });
}
