//! The XML documentation is valid and complete.

use anyhow::ensure;
use harness::Pbx;

use super::says;
use crate::module::provider_is_shown;
use crate::support::on;

const VALIDATE: &str = include_str!("validate.py");

#[test]
fn xml_documentation_is_valid_by_dtd() {
    on(Pbx::builder(), |pbx| {
        pbx.write_file("/harness/validate.py", VALIDATE)?;
        let script = "cd /usr/share/asterisk/documentation; \
            library=$(ldd /usr/sbin/asterisk | sed -n 's/.*=> \\(.*libxml2[^ ]*\\).*/\\1/p'); \
            for name in thirdparty/app_authenticate_rs-en_US.xml \"$1\"; do \
            python3 /harness/validate.py \"$library\" appdocsxml.dtd \"$name\"; done";
        let ours = "packaging/documentation/app_authenticate_rs-en_US.xml";
        let document = std::fs::read_to_string(harness::workspace().join(ours))?;
        // The test of the test: an element that is none.
        let wrong = document.replace("synopsis>", "synopsi>");
        pbx.write_file("/harness/wrong.xml", wrong)?;
        let printed = pbx.exec(&["bash", "-c", script, "-", "/harness/wrong.xml"])?;
        ensure!(printed == "valid\ninvalid\n", "{printed}");
        Ok(())
    });
}

const ACTIONS: [(&str, &[&str]); 10] = [
    ("AuthenticatePinsets", &["system,reporting,security,all"]),
    (
        "AuthenticatePinset",
        &["PinSet", "system,reporting,security,all"],
    ),
    (
        "AuthenticateLockouts",
        &["PinSet", "Limit", "After", "system,reporting,security,all"],
    ),
    (
        "AuthenticateUses",
        &["PinSet", "Limit", "After", "system,reporting,security,all"],
    ),
    (
        "AuthenticateResetUses",
        &["PinSet", "Account", "Key", "system,security,all"],
    ),
    ("AuthenticateDatabase", &["system,reporting,security,all"]),
    ("AuthenticateReload", &["system,security,all"]),
    ("AuthenticateStats", &["system,reporting,security,all"]),
    (
        "AuthenticateUnlock",
        &["Type", "Value", "PinSet", "system,security,all"],
    ),
    (
        "AuthenticateVerify",
        &[
            "PinSet",
            "Secret",
            "Caller",
            "Channel",
            "Account",
            "system,all",
        ],
    ),
];

const OUTCOME_FIELDS: &[&str] = &[
    "Outcome",
    "PinSet",
    "Identity",
    "CallerIDNum",
    "Channel",
    "Uniqueid",
    "Linkedid",
    "Attempts",
    "RemoteAddress",
];

#[test]
fn asterisk_shows_the_documentation() {
    on(Pbx::builder(), |pbx| {
        let ami = pbx.manager()?;
        for (action, parts) in ACTIONS {
            let shown = ami.command(&format!("manager show command {action}"))?;
            says(&shown, parts)?;
            says(&shown, &["ActionID"])?;
            provider_is_shown(pbx, &shown)?;
            for part in ["Synopsis", "Description", "Syntax"] {
                let missing = format!("[{part}]\nNot available");
                ensure!(!shown.contains(&missing), "{shown}");
            }
        }
        for event in [
            "AuthenticateSuccess",
            "AuthenticateFailure",
            "AuthenticateLocked",
        ] {
            let shown = ami.command(&format!("manager show event {event}"))?;
            says(&shown, OUTCOME_FIELDS)?;
        }
        let shown = ami.command("manager show event AuthenticateLocked")?;
        says(&shown, &["LockedBy", "LockedSeconds", "by hand"])?;
        for event in ["AuthenticateUnlocked", "AuthenticateUsesReset"] {
            let shown = ami.command(&format!("manager show event {event}"))?;
            says(
                &shown,
                &["Action", "Type", "Value", "Count", "By", "User", "Address"],
            )?;
        }
        for (event, field) in [("Lost", "Reason"), ("Reached", "Server")] {
            let event = format!("manager show event AuthenticateDatabase{event}");
            says(&ami.command(&event)?, &[field])?;
        }
        let shown = ami.command("manager show event AuthenticateReloadError")?;
        says(&shown, &["File", "Line", "Section", "Option", "Message"])?;
        for event in ["Pinset", "PinsetDetail", "Lockout", "Stat", "Use"] {
            let shown = ami.command(&format!("manager show event Authenticate{event}"))?;
            says(&shown, &["PinSet"])?;
        }
        let shown = ami.command("core show application Authenticate")?;
        says(&shown, &["LOCKED", "/srv/sounds/LANGUAGE/pin"])?;
        // Asterisk shows it since 22.2.
        if pbx.version()? >= (22, 2) {
            says(&shown, &["[Since]\n0.4.0"])?;
        }
        let shown = ami.command("core show function AUTHENTICATE_VERIFY")?;
        says(&shown, &["LOCKED"])?;
        // What Asterisk says of what has no documentation.
        let log = pbx.log()?;
        ensure!(!log.contains("in XML documentation"), "{log}");
        Ok(())
    });
}

/// Each field of our events is documented, and each documented one is there.
#[test]
fn event_fields_match_the_documentation() {
    let guests = "[guests]\nsource = file:/pins/customers.csv\none_time = yes\n";
    on(super::with(&format!("{}{guests}", super::CONF)), |pbx| {
        let ami = pbx.manager()?;
        for _ in 0..2 {
            super::verify(&ami, "customers", "1", "5550101")?;
        }
        super::verify(&ami, "guests", super::PIN, "5550101")?;
        super::verify(&ami, "callers", "1", "+902125550101")?;
        for (action, headers, event, left_out) in [
            ("AuthenticatePinsets", vec![], "AuthenticatePinset", &[][..]),
            (
                "AuthenticatePinset",
                vec![("PinSet", "callers")],
                "AuthenticatePinsetDetail",
                // Of each option there is one.
                &["Option-name"],
            ),
            ("AuthenticateLockouts", vec![], "AuthenticateLockout", &[]),
            (
                "AuthenticateUses",
                vec![("PinSet", "guests")],
                "AuthenticateUse",
                &[],
            ),
        ] {
            let list = ami.list(action, &headers)?;
            ensure!(!list.is_empty(), "{action}");
            let shown = ami.command(&format!("manager show event {event}"))?;
            let documented: Vec<&str> = documented(&shown);
            ensure!(!documented.is_empty(), "{shown}");
            for name in documented.iter().filter(|name| !left_out.contains(name)) {
                ensure!(list[0].get(name).is_some(), "{event}: {name}: {list:?}");
            }
            for (name, _) in &list[0].headers {
                let name = name.as_str();
                let of_option = name.starts_with("Option-");
                let known = ["Event", "ActionID"].contains(&name) || of_option;
                ensure!(known || documented.contains(&name), "{event}: {name}");
            }
        }
        Ok(())
    });
}

/// The names in the syntax that Asterisk shows of an event: `Name: <value>`.
fn documented(shown: &str) -> Vec<&str> {
    let (_, syntax) = shown.split_once("[Syntax]").unwrap_or_default();
    let (syntax, _) = syntax.split_once("\n\n").unwrap_or((syntax, ""));
    let names = syntax.lines().filter_map(|line| line.split_once(": "));
    let names = names.map(|(name, _)| name.trim().trim_matches(['[', ']']));
    names.filter(|name| *name != "Event").collect()
}
