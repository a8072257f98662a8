//! Classes of AMI users: the actions that they may run, and the events that they get.

use anyhow::{ensure, Result};
use harness::Pbx;

use super::{some, verify, PIN};
use crate::support::{eventually, on};

/// Adds an AMI user for each class, with the class as its name.
fn add_users(pbx: &Pbx, classes: &[&str]) -> Result<()> {
    let conf = "/etc/asterisk/manager.conf";
    let mut text = pbx.exec(&["cat", conf])?;
    for class in classes {
        let name = class.split(',').next().unwrap_or_default();
        text += &format!("[{name}]\nsecret = secret\nread = {class}\nwrite = {class}\n");
        if name == "security" {
            text += "eventfilter = Event: Authenticate\n";
        }
    }
    pbx.write_file(conf, text)?;
    pbx.cli("manager reload").map(drop)
}

const LIST: [&str; 5] = [
    "Action: AuthenticatePinsets",
    "Action: AuthenticatePinset\nPinSet: customers",
    "Action: AuthenticateLockouts",
    "Action: AuthenticateStats",
    "Action: AuthenticateUses\nPinSet: customers",
];
const CHANGE: [&str; 3] = [
    "Action: AuthenticateUnlock\nType: caller\nValue: 1",
    "Action: AuthenticateResetUses\nPinSet: customers\nAccount: ada",
    "Action: AuthenticateReload",
];
const VERIFY: [&str; 1] = ["Action: AuthenticateVerify\nPinSet: customers\nSecret: 1\nCaller: 1"];
/// Of Asterisk, which would read secrets or change PINs.
const DANGEROUS: [&str; 5] = [
    "Action: DBPut\nFamily: doors\nKey: 1\nVal: 1",
    "Action: DBGet\nFamily: doors\nKey: 1",
    "Action: DBGetTree\nFamily: doors",
    "Action: GetConfig\nFilename: manager.conf",
    "Action: Command\nCommand: core show version",
];

#[test]
fn actions_need_their_privilege_class() {
    on(some(), |pbx| {
        let classes = [
            "reporting",
            "call,originate,agent,user",
            "system",
            "security",
        ];
        add_users(pbx, &classes)?;
        for (user, lists, changes, verifies) in [
            ("reporting", true, false, false),
            ("call", false, false, false),
            ("system", true, true, true),
            ("security", true, true, false),
        ] {
            for (actions, may) in [(&LIST[..], lists), (&CHANGE, changes), (&VERIFY, verifies)] {
                for action in actions {
                    ensure!(is_permitted(pbx, user, action)? == may, "{user}: {action}");
                }
            }
        }
        for action in DANGEROUS {
            ensure!(!is_permitted(pbx, "security", action)?, "{action}");
        }
        Ok(())
    });
}

/// Returns whether an AMI user may run an action.
fn is_permitted(pbx: &Pbx, user: &str, action: &str) -> Result<bool> {
    let printed = session(pbx, user, action)?;
    ensure!(printed.contains("Authentication accepted"), "{printed}");
    Ok(!printed.contains("Permission denied"))
}

/// Returns what an AMI session of another user prints for an action.
fn session(pbx: &Pbx, user: &str, action: &str) -> Result<String> {
    let script = "exec 3<>/dev/tcp/127.0.0.1/5038; printf '%b' \"$1\" >&3; cat <&3";
    let login = format!("Action: Login\nUsername: {user}\nSecret: secret\nEvents: off");
    let text = format!("{login}\n\n{action}\n\nAction: Logoff\n\n").replace('\n', "\\r\\n");
    pbx.exec(&["timeout", "20", "bash", "-c", script, "-", &text])
}

/// Prints the events of a user until one matches.
const LISTEN: &str = "exec 3<>/dev/tcp/127.0.0.1/5038; \
    printf 'Action: Login\\r\\nUsername: %s\\r\\nSecret: secret\\r\\n\\r\\n' \"$1\" >&3; \
    while read -r line <&3; do echo \"$line\"; [[ $line == \"Event: $2\"* ]] && exit; done";

#[test]
fn security_readers_get_our_events_and_no_others() {
    on(some(), |pbx| {
        add_users(pbx, &["security"])?;
        let ami = pbx.manager()?;
        for (secret, event) in [("1", "AuthenticateFailure"), (PIN, "AuthenticateSuccess")] {
            let printed = std::thread::scope(|scope| -> Result<String> {
                let command = [
                    "timeout", "20", "bash", "-c", LISTEN, "-", "security", event,
                ];
                let listening = scope.spawn(move || pbx.exec(&command));
                // Until it has logged in, it misses events.
                let mut caller = 0;
                eventually(event, || {
                    caller += 1;
                    verify(&ami, "customers", secret, &caller.to_string())?;
                    Ok(listening.is_finished())
                })?;
                listening.join().map_err(|_| anyhow::anyhow!("panicked"))?
            })?;
            let events = printed.lines().filter(|line| line.starts_with("Event: "));
            let others = events.filter(|line| !line.starts_with("Event: Authenticate"));
            ensure!(others.count() == 0, "{printed}");
        }
        Ok(())
    });
}
