//! Entry of PINs at a terminal.
#![allow(clippy::unwrap_used)]

mod lab;

use std::process::{Command, Stdio};

use lab::{Lab, OTHER, PIN};

/// Runs the command on a terminal of its own, answers each prompt with the next entry,
/// and prints what the terminal showed, then whether echo is on again, and the exit
/// code.
const PTY: &str = r#"
import os, pty, sys, termios
entries = sys.argv[1].split(",")
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
shown, at = b"", 0
while True:
    try:
        more = os.read(terminal, 1000)
    except OSError:
        break
    if not more:
        break
    shown += more
    if shown.endswith(b": ") and at < len(entries):
        os.write(terminal, entries[at].replace("^C", "\x03").replace("^H", "\x7f").replace("^U", "\x15").encode())
        at += 1
echo = bool(termios.tcgetattr(terminal)[3] & termios.ECHO)
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.stdout.write(shown.decode() + "|%s %d" % (echo, code))
"#;

fn enter(entries: &[&str], arguments: &[&str]) -> String {
    let lab = Lab::new();
    let output = Command::new("python3")
        .args(["-c", PTY, &entries.join(","), env!("CARGO_BIN_EXE_pinset")])
        .args(arguments)
        .current_dir(lab.path(""))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    String::from_utf8(output.stdout)
        .unwrap()
        .replace("\r\n", "\n")
}

#[test]
fn entered_pin_is_not_shown() {
    let entry = format!("{PIN}\n");
    let shown = enter(&[&entry, &entry], &["hash", "--md5"]);
    let secret = format!("md5:{}", lab::MD5_OF_PIN);
    assert_eq!(shown, format!("PIN: \nRepeat the PIN: \n{secret}\n|True 0"));
}

#[test]
fn entries_must_match() {
    let shown = enter(
        &[&format!("{PIN}\n"), &format!("{OTHER}\n")],
        &["hash", "--md5"],
    );
    assert!(
        shown.ends_with("pinset: the PINs do not match\n|True 3"),
        "{shown}"
    );
    assert!(!shown.contains(PIN) && !shown.contains(OTHER));
}

#[test]
fn terminal_is_restored_after_failure() {
    for (entry, said) in [
        ("123^C", "cancelled"),
        ("\n", "the PIN is empty"),
        ("12a\n", "a PIN may only contain"),
        (&"7".repeat(300), "at most 254 digits"),
    ] {
        let entry = entry.trim_end().to_owned() + if entry.ends_with("^C") { "" } else { "\n" };
        let shown = enter(&[&entry], &["hash", "--md5"]);
        assert!(
            shown.contains(said) && shown.ends_with("|True 3"),
            "{shown}"
        );
    }
}

#[test]
fn entered_digits_can_be_deleted() {
    let entries = [format!("99^U{PIN}5^H\n"), format!("{PIN}\n")];
    let shown = enter(&[&entries[0], &entries[1]], &["hash", "--md5"]);
    assert!(shown.ends_with("|True 0"), "{shown}");
}
