//! `pinset asterisk` with a program in Asterisk's place, for what a real one does rarely.
#![allow(clippy::unwrap_used)]

mod lab;

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use lab::{Lab, Ran};

/// Keeps its state in files: `running` has the name of the loaded module, and `log` the
/// commands. The shell code at `HOOK` comes before each command.
const ASTERISK: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 1
if [ "$1" = -V ]; then echo 'Asterisk 22.1.0'; exit; fi
[ "$1" = -C ] && shift 2
[ "$1" = -rx ] || exit 2
echo "$2" >> log
HOOK
case $2 in
    'module show like app_authenticate')
        [ -z "$(cat running)" ] || printf '%s Authentication Application 0 Running core\n' "$(cat running)" ;;
    'module unload '*) : > running ;;
    'module load '*) echo "${2#module load }" > running ;;
esac
"#;

const OURS: &str = "app_authenticate_rs.so";
const STOCK: &str = "app_authenticate.so";
const MODULES: &str = "; mine\n[modules]\nautoload = yes ; all\n";

/// An Asterisk in the folder of the laboratory, whose stock module runs.
fn asterisk(hook: &str) -> Lab {
    let lab = Lab::new();
    lab.file("program", ASTERISK.replace("HOOK", hook), 0o755);
    let folder = lab.path("").display().to_string();
    let conf = format!("[directories]\nastmoddir => {folder}\nastrundir => {folder}\n");
    lab.file("asterisk.conf", conf, 0o644);
    lab.file("modules.conf", MODULES, 0o664);
    let sum = "0123456789abcdef0123456789abcdef";
    lab.file(OURS, format!("authrs-built-for:22:{sum}"), 0o644);
    lab.file(STOCK, sum, 0o644);
    lab.file("running", STOCK, 0o644);
    lab
}

fn words(action: &str) -> [&str; 6] {
    [
        "asterisk",
        action,
        "--config-dir",
        ".",
        "--asterisk",
        "./program",
    ]
}

fn run(lab: &Lab, action: &str) -> Ran {
    lab.run(&words(action), "")
}

#[test]
fn file_is_changed_before_the_modules_and_keeps_mode_and_comments() {
    let lab = asterisk("cat modules.conf > \"at-$(wc -l < log)\"");
    let ran = run(&lab, "enable");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(lab.text("running").trim(), OURS);
    let changed = format!("{MODULES}noload = {STOCK}\n");
    assert_eq!(lab.text("modules.conf"), changed);
    assert_eq!(lab.mode("modules.conf"), 0o664);
    let log = lab.text("log");
    let commands: Vec<&str> = log.lines().filter(|line| !line.contains("show")).collect();
    let wanted = [
        "xmldoc reload",
        "module unload app_authenticate.so",
        "module load app_authenticate_rs.so",
    ];
    assert_eq!(commands, wanted);
    let reload = log
        .lines()
        .position(|line| line == "xmldoc reload")
        .unwrap()
        + 1;
    assert_eq!(lab.text(&format!("at-{reload}")), changed);
    assert_eq!(run(&lab, "status").code, 0);
    assert_eq!(run(&lab, "disable").code, 0);
    assert_eq!(run(&lab, "status").code, 1);
    assert_eq!(
        lab.text("modules.conf"),
        format!("{MODULES}noload = {OURS}\n")
    );
}

/// The same command, which no signal is ignored for: who runs the tests may ignore some.
fn interruptible(command: &Command) -> Command {
    let mut env = Command::new("env");
    env.arg("--default-signal=INT,TERM,HUP")
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(command.get_current_dir().unwrap());
    env
}

/// Otherwise neither module would be loaded, and callers hung up.
#[test]
fn interruption_waits_for_the_new_module() {
    for signal in ["INT", "TERM", "HUP"] {
        let hook = format!("[ \"$2\" = 'module unload {STOCK}' ] && kill -{signal} $PPID");
        let lab = asterisk(&hook);
        let status = interruptible(&lab.command(&words("enable")))
            .status()
            .unwrap();
        assert!(status.signal().is_some(), "{status}");
        assert_eq!(lab.text("running").trim(), OURS, "{signal}");
    }
}

#[test]
fn change_of_another_program_is_kept_when_the_switch_is_taken_back() {
    let hook = format!(
        "if [ \"$2\" = 'module load {OURS}' ]; then echo '[other]' >> modules.conf; \
         echo \"Unable to load module {OURS}\"; exit; fi"
    );
    let lab = asterisk(&hook);
    let ran = run(&lab, "enable");
    assert_eq!(ran.code, 3);
    for wanted in ["not restored", "Unable to load module", "is loaded again"] {
        assert!(ran.err.contains(wanted), "{wanted}: {}", ran.err);
    }
    assert!(lab.text("modules.conf").ends_with("[other]\n"));
    assert_eq!(lab.text("running").trim(), STOCK);
}

/// Otherwise the PBX would have neither module.
#[test]
fn unanswered_command_takes_the_switch_back() {
    for command in [
        format!("module unload {STOCK}"),
        format!("module load {OURS}"),
    ] {
        // The command takes effect, or not, and has no answer.
        let hook =
            format!("if [ \"$2\" = '{command}' ]; then : > running; echo failed >&2; exit 1; fi");
        let lab = asterisk(&hook);
        let ran = run(&lab, "enable");
        assert_eq!(ran.code, 3, "{command}");
        for wanted in ["restored", &command, "is loaded again"] {
            assert!(ran.err.contains(wanted), "{wanted}: {}", ran.err);
        }
        assert_eq!(lab.text("modules.conf"), MODULES, "{command}");
        assert_eq!(lab.text("running").trim(), STOCK, "{command}");
    }
}

#[test]
fn asterisk_that_ends_meanwhile_takes_the_file_back() {
    // It ends while the command waits for a call.
    let hook = "if [ -e log2 ]; then \
         echo 'Unable to connect to remote asterisk' >&2; exit 1; fi; \
         case $2 in 'module show'*) [ \"$(grep -c 'module show' log)\" != 2 ] || { : > log2; \
         echo 'app_authenticate.so x 1 Running core'; exit; } ;; esac";
    let lab = asterisk(hook);
    let ran = run(&lab, "enable");
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert!(ran.err.contains("restored"), "{}", ran.err);
    assert!(ran.err.contains("waiting: calls"), "{}", ran.err);
    assert_eq!(lab.text("modules.conf"), MODULES);
}

#[test]
fn link_to_the_file_stays() {
    let lab = asterisk(":");
    fs::rename(lab.path("modules.conf"), lab.path("target")).unwrap();
    std::os::unix::fs::symlink("target", lab.path("modules.conf")).unwrap();
    assert_eq!(run(&lab, "enable").code, 0);
    assert!(lab.path("modules.conf").is_symlink());
    assert!(lab.text("target").contains("noload"));
}

#[test]
fn refused_module_changes_nothing() {
    let lab = asterisk(":");
    let wrong = "authrs-built-for:22:ffffffffffffffffffffffffffffffff";
    lab.file(OURS, wrong, 0o644);
    let ran = run(&lab, "enable");
    assert!(
        ran.code == 3 && ran.err.contains("other build options"),
        "{}",
        ran.err
    );
    assert_eq!(lab.text("modules.conf"), MODULES);
    assert!(!lab.text("log").contains("module unload"));
}
