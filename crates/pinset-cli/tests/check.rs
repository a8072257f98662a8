//! Tests of `pinset check`: output and exit code.
// clippy.toml allows it in tests, but does not see that helpers are part of them.
#![allow(clippy::unwrap_used)]

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// PINs and parts of lines that no run may print. They are no count, no line number and
/// in no path.
const SECRET: &str = "83649";
const OTHER_SECRET: &str = "*57204";
const ACCOUNT: &str = "mallory";

const MD5_OF_1234: &str = "81dc9bdb52d04dc20036dbd8313ed055";
/// `echo 83649 | md5sum`
const WITH_LINE_END: &str = "63bede98811684f6ce2d75d89d422326";
const OF_SECRET: &str = "38a0a81d6d18d262d52e128a603e52e1";

struct Lab(tempfile::TempDir);

impl Lab {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn list(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        path
    }
}

/// Returns a list without findings.
fn clean_list() -> String {
    format!("{SECRET}170\n{OTHER_SECRET}81\n")
}

fn pinset(arguments: &[&str], files: &[&Path]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_pinset"))
        .arg("check")
        .args(arguments)
        .args(files)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let printed = [&output.stdout[..], &output.stderr[..]].concat();
    let printed = String::from_utf8(printed).unwrap().to_lowercase();
    for secret in [
        SECRET,
        OTHER_SECRET,
        ACCOUNT,
        MD5_OF_1234,
        WITH_LINE_END,
        OF_SECRET,
    ] {
        assert!(!printed.contains(secret), "{printed}");
    }
    output
}

fn text(arguments: &[&str], path: &Path) -> (String, i32) {
    let output = pinset(arguments, &[path]);
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    let text = String::from_utf8(output.stdout).unwrap();
    (text, output.status.code().unwrap())
}

fn json(arguments: &[&str], files: &[&Path]) -> Value {
    let output = pinset(&[&["--json"], arguments].concat(), files);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["exit_code"], output.status.code().unwrap());
    json
}

fn broken(list: &[u8], format: &str) -> Vec<(u64, String)> {
    let lab = Lab::new();
    let path = lab.list("list", list);
    let report = json(&["--format", format], &[&path]);
    let lines = report["files"][0]["list"]["broken"]["lines"].as_array();
    let lines = lines.unwrap().iter().map(|broken| {
        let reason = broken["reason"].as_str().unwrap().to_owned();
        (broken["line"].as_u64().unwrap(), reason)
    });
    assert_eq!(report["verdict"] == "broken", lines.len() > 0);
    lines.collect()
}

#[test]
fn each_kind_of_invalid_line_is_reported() {
    let plain = [
        (format!("{SECRET}x"), "not_keyable"),
        (format!("{SECRET}#"), "not_keyable"),
        (format!("{SECRET} {SECRET}"), "not_keyable"),
        (format!("{SECRET}\0"), "nul"),
        (SECRET.repeat(51), "too_long"),
        (SECRET.repeat(1000), "too_long"),
    ];
    let md5 = [
        (SECRET.to_owned(), "no_colon"),
        (format!(" :{OF_SECRET}"), "no_account"),
        (format!("{ACCOUNT}:{SECRET}"), "no_digest"),
        (format!("{ACCOUNT}:b:{OF_SECRET}"), "no_digest"),
        (format!("{ACCOUNT}:{OF_SECRET}0"), "no_digest"),
        (
            format!("{ACCOUNT}:d41d8cd98f00b204e9800998ecf8427e"),
            "digest_of_nothing",
        ),
        (format!("{ACCOUNT}:{WITH_LINE_END}"), "digest_with_line_end"),
        (format!("{ACCOUNT}:{}", "0".repeat(1024)), "too_long"),
    ];
    for (lines, format, good) in [
        (&plain[..], "plain", format!("{SECRET}170")),
        (&md5[..], "md5", format!("{ACCOUNT}:{OF_SECRET}  -")),
    ] {
        // Each is preceded by a valid line and a blank one.
        let mut list = String::new();
        let mut wanted = Vec::new();
        for ((line, reason), number) in lines.iter().zip((3..).step_by(3)) {
            list += &format!("\t{good}\r\n\n{line}\n");
            wanted.push((number, (*reason).to_owned()));
        }
        assert_eq!(broken(list.as_bytes(), format), wanted);
        assert_eq!(broken(format!("{good}\n").as_bytes(), format), []);
    }
}

#[test]
fn clean_list_exits_with_0() {
    let lab = Lab::new();
    let path = lab.list("list", clean_list());
    let (text, code) = text(&[], &path);
    assert_eq!(code, 0, "{text}");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines[0],
        format!("{}: plain file, 2 entries", path.display())
    );
    assert!(lines[1].starts_with("  2 PINs of 8 digits: one guess in 107179440 is right; "));
    assert_eq!(lines[2], "  (odds are for guesses of 0-9*)");
    assert_eq!(lines.len(), 3);

    let path = lab.list("md5", format!("{ACCOUNT}:{OF_SECRET}\n"));
    let report = json(&[], &[&path]);
    assert_eq!(report["verdict"], "clean");
    assert_eq!(report["files"][0]["list"]["format"], "md5");
}

#[test]
fn each_warning_is_printed_and_exits_with_1() {
    let lab = Lab::new();
    let good = clean_list();
    for (list, words) in [
        (String::new(), "  warning: admits nobody"),
        (
            good.trim_end().to_owned(),
            "  warning: the last line has no line end",
        ),
        (
            format!("{good}{SECRET}170\n"),
            "  line 3: duplicate: same PIN as line 1",
        ),
        (
            format!("{good}77777777\n"),
            "  line 3: weak: a repeated pattern",
        ),
        (
            format!("{good}23456789\n"),
            "  line 3: weak: a run of digits",
        ),
        (format!("{good}24121984\n"), "  line 3: weak: a date"),
        (format!("{good}1984\n"), "  line 3: weak: a year"),
        (
            format!("{good}11223344\n"),
            "  line 3: weak: one of the most common PINs",
        ),
        (
            "8364\n".to_owned(),
            "  warning: 1 PIN of 4 digits: one guess in 10000 is right; at three attempts per call, \
             half of all fraudsters are admitted after 2311 calls",
        ),
    ] {
        let (text, code) = text(&[], &lab.list("list", &list));
        assert!(text.contains(&format!("\n{words}")), "{words}: {text}");
        assert_eq!(code, 1, "{text}");
        assert!(list.lines().all(|pin| !text.contains(pin)), "{text}");
    }
    let path = lab.list("list", good);
    fs::set_permissions(&path, Permissions::from_mode(0o646)).unwrap();
    let (text, code) = text(&[], &path);
    assert!(text.contains("\n  warning: world-writable\n"));
    assert_eq!(code, 1);
}

#[test]
fn weak_pins_of_md5_lists_are_found() {
    let lab = Lab::new();
    let path = lab.list(
        "list",
        format!(
            "{ACCOUNT}:{OF_SECRET}\nb:{}\nc:{MD5_OF_1234} *-\n",
            MD5_OF_1234.to_uppercase()
        ),
    );
    let (text, code) = text(&[], &path);
    assert_eq!(code, 1);
    assert!(!text.contains("1234"), "{text}");
    assert!(text.contains("\n  line 2: weak: a run of digits\n"));
    assert!(text.contains("\n  line 3: weak: a run of digits\n"));
    assert!(text.contains("\n  line 3: duplicate: same PIN as line 2\n"));
}

#[test]
fn format_is_detected() {
    let lab = Lab::new();
    for (list, format) in [
        (String::new(), "plain"),
        (SECRET.to_owned(), "plain"),
        (format!("\n \n{ACCOUNT}:{OF_SECRET}\n{SECRET}\n"), "md5"),
        (format!(":{OF_SECRET}\n"), "md5"),
        (format!("{ACCOUNT}:{SECRET}\n"), "plain"),
        (format!("{SECRET}\n{ACCOUNT}:{OF_SECRET}\n"), "plain"),
    ] {
        let report = json(&[], &[&lab.list("list", &list)]);
        assert_eq!(report["files"][0]["list"]["format"], format, "{list:?}");
    }
}

#[test]
fn unreadable_file_admits_nobody() {
    let lab = Lab::new();
    let fifo = lab.0.path().join("fifo");
    let made = Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    let missing = lab.0.path().join("missing");
    for path in [lab.0.path(), &fifo, &missing, Path::new("/dev/zero")] {
        let (text, code) = text(&[], path);
        assert!(text.contains(": can't be read, admits nobody: "), "{text}");
        assert_eq!((code, text.lines().count()), (2, 1));
        let report = json(&[], &[path]);
        assert!(report["files"][0]["error"].is_string());
        assert_eq!(report["files"][0]["list"], Value::Null);
    }
    // A link to a list is followed.
    let list = lab.list("list", clean_list());
    let link = lab.0.path().join("link");
    std::os::unix::fs::symlink(list, &link).unwrap();
    assert_eq!(text(&[], &link).1, 0);
}

#[test]
fn json_has_documented_fields() {
    let lab = Lab::new();
    let path = lab.list("list", format!("{SECRET}\n1984\n{SECRET}\nx{SECRET}"));
    let odds = |length: u8, one_in: f64, calls: u64| {
        serde_json::json!({
            "length": length, "pins": 1, "one_in": one_in, "calls": calls,
            "practical": calls < 10_000,
        })
    };
    let wanted = serde_json::json!({
        "verdict": "broken",
        "exit_code": 2,
        "files": [{
            "file": path,
            "verdict": "broken",
            "error": null,
            "list": {
                "format": "plain",
                "entries": 3,
                "broken": {"count": 1, "lines": [{"line": 4, "reason": "not_keyable"}]},
                "duplicates": {"count": 1, "lines": [{"line": 3, "first": 1}]},
                "weak": {"count": 1, "lines": [{"line": 2, "reason": "year"}]},
                "unreachable": {"count": 0, "lines": []},
                "alphabet": "0-9",
                "odds": [odds(4, 10_000.0, 2311), odds(5, 100_000.0, 23_105)],
                "unended": true,
                "empty": false,
                "world_writable": false,
                "pin_sets": [],
            },
        }],
    });
    assert_eq!(json(&[], &[&path]), wanted);
}

#[test]
fn exit_code_is_that_of_worst_list() {
    let lab = Lab::new();
    let clean = lab.list("clean", clean_list());
    let warned = lab.list("warned", "");
    let broken = lab.list("broken", format!("{SECRET}x\n"));
    for (files, code, verdict) in [
        (vec![&*clean, &clean], 0, "clean"),
        (vec![&clean, &warned, &clean], 1, "warnings"),
        (vec![&broken, &warned, &clean], 2, "broken"),
        (vec![&clean, Path::new("/missing")], 2, "broken"),
    ] {
        let output = pinset(&[], &files);
        assert_eq!(output.status.code(), Some(code));
        let printed = String::from_utf8(output.stdout).unwrap();
        let reports = printed.lines().filter(|line| line.starts_with('/'));
        assert_eq!(reports.count(), files.len());
        assert_eq!(json(&[], &files)["verdict"], verdict);
    }
}

#[test]
fn all_findings_are_counted_and_the_first_printed() {
    let lab = Lab::new();
    let path = lab.list("list", format!("{SECRET}x\n").repeat(1000));
    let named = |arguments: &[&str]| {
        let (text, code) = text(arguments, &path);
        assert_eq!(code, 2);
        text.lines().skip(2).map(str::to_owned).collect::<Vec<_>>()
    };
    let lines = named(&[]);
    assert_eq!(lines.len(), 21);
    assert!(lines[19].starts_with("  line 20: invalid: a character"));
    assert_eq!(lines[20], "  invalid: 980 more lines");
    assert_eq!(named(&["--show=0"]), ["  invalid: 1000 lines"]);
    assert_eq!(named(&["--show=5000"]).len(), 1000);
}

/// 20 MB, enough for a progress bar, which must not appear because standard error is not
/// a terminal.
#[test]
#[ignore = "takes long: make unit"]
fn large_list_shows_no_progress_bar_in_a_file() {
    let lab = Lab::new();
    let path = lab.list("list", format!("{}\n", SECRET.repeat(60)).repeat(70_000));
    assert_eq!(text(&[], &path).1, 2);
}

#[test]
fn wrong_command_line_exits_with_3() {
    for arguments in [&["--format=csv", "list"][..], &[], &["--colour", "list"]] {
        let output = pinset(arguments, &[]);
        assert_eq!(output.status.code(), Some(3));
        assert!(output.stdout.is_empty() && !output.stderr.is_empty());
    }
    let help = pinset(&["--help"], &[]);
    assert_eq!(help.status.code(), Some(0));
    assert!(String::from_utf8(help.stdout)
        .unwrap()
        .contains("Exit code: 0 clean"));
}

#[test]
fn output_error_exits_with_3() {
    let lab = Lab::new();
    let path = lab.list("list", clean_list());
    let check = |out: Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pinset"));
        command.arg("check").arg(&path).stdout(out);
        command.output().unwrap()
    };
    let full = check(File::create("/dev/full").unwrap().into());
    assert_eq!(full.status.code(), Some(3));
    assert!(String::from_utf8(full.stderr)
        .unwrap()
        .starts_with("pinset: "));
}

#[test]
fn csv_lists_are_checked() {
    let lab = Lab::new();
    let rows = format!(
        "account,secret,caller,level\n\
         {ACCOUNT},plain:{SECRET}170,,\n\
         {ACCOUNT},md5:{OF_SECRET},,1\n\
         {ACCOUNT},plain:1234,+905060508169,\n\
         b,plain:{SECRET}x,,\n\
         c,md5:{OF_SECRET},,256\n\
         {ACCOUNT},plain:{SECRET}171,+905060508169,"
    );
    let path = lab.list("csv", &rows);
    let (said, code) = text(&[], &path);
    assert_eq!(code, 2);
    let lines: Vec<_> = said.lines().skip(1).collect();
    assert!(said.contains("csv file, 4 entries"), "{said}");
    assert!(lines[0].starts_with("  warning: the last line has no line end"));
    assert_eq!(
        lines[1..],
        [
            "  line 5: invalid: secret: a PIN has the keys 0 to 9, * and A to D only",
            "  line 6: invalid: level: must be a whole number from 0 to 255, or nothing",
            "  line 3: duplicate: same account and caller as line 2",
            "  line 7: duplicate: same account and caller as line 4",
            "  line 4: weak: a run of digits",
        ]
    );
    let report = json(&[], &[&path]);
    let list = &report["files"][0]["list"];
    assert_eq!(list["broken"]["lines"][0]["reason"], "secret");
    assert_eq!(list["broken"]["lines"][1]["reason"], "value");

    // The whole list is refused.
    let path = lab.list("csv", format!("account,secret\n{ACCOUNT}\n"));
    let (said, code) = text(&[], &path);
    assert!(
        code == 2 && said.contains("line 2: more or fewer"),
        "{said}"
    );

    let path = lab.list(
        "csv",
        format!("account,secret\n{ACCOUNT},plain:{SECRET}170\n"),
    );
    assert_eq!(text(&[], &path).1, 0);
    fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
    let (said, code) = text(&[], &path);
    assert!(code == 1 && said.contains("world-writable"), "{said}");
    let path = lab.list("csv", "account,secret\n");
    assert_eq!(text(&[], &path).1, 1);
}

fn case(lab: &Lab, name: &str) -> PathBuf {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    lab.list(name, fs::read(cases.join(name)).unwrap())
}

#[test]
fn unusable_caller_number_is_invalid() {
    let lab = Lab::new();
    let turkey = ["--country-code", "90"];
    let (printed, code) = text(&turkey, &case(&lab, "excel-scientific.csv"));
    assert_eq!(code, 2);
    assert!(
        printed.contains("line 2: invalid: caller: a spreadsheet has rounded"),
        "{printed}"
    );
    // Invisible characters and Unicode blanks are ignored.
    let path = case(&lab, "invisible.csv");
    let (printed, code) = text(&turkey, &path);
    assert!(
        code == 1 && printed.contains("csv file, 2 entries"),
        "{printed}"
    );
    // The result depends on the options.
    let (printed, code) = text(&["--country-code", "44"], &case(&lab, "uk.csv"));
    assert!(
        code == 1 && printed.contains("csv file, 3 entries"),
        "{printed}"
    );
    let rows = "account,secret,caller\n\
                a,plain:836490217,+44 20 7946 012\n\
                b,plain:572048163,\u{2026}44 20 7946 0123\n";
    let path = lab.list("csv", rows);
    let (printed, code) = text(&["--country-code", "44"], &path);
    assert_eq!(code, 2);
    for part in [
        "line 2: invalid: caller: not a usable number: too few",
        "line 3: invalid: caller: not a usable number: contains U+2026",
    ] {
        assert!(printed.contains(part), "{printed}");
    }
    let report = json(&["--country-code", "44"], &[&path]);
    let broken = &report["files"][0]["list"]["broken"];
    assert_eq!(broken["lines"][0]["reason"], "caller");
    let output = pinset(&["--country-code", "0"], &[&path]);
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn lists_with_semicolons_or_comments_are_recognised() {
    let lab = Lab::new();
    let path = case(&lab, "excel-semicolon.csv");
    let (printed, code) = text(&[], &path);
    assert!(
        code == 2 && printed.contains("line 1: the list is separated by ;"),
        "{printed}"
    );
    let (printed, code) = text(&[], &case(&lab, "md5-with-comments.conf"));
    assert!(
        code == 2 && printed.contains("md5 file, 2 entries"),
        "{printed}"
    );
}
