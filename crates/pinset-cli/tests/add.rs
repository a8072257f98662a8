//! Tests of `pinset add` and `pinset remove`.
#![allow(clippy::unwrap_used)]

mod lab;

use std::os::unix::fs::{symlink, MetadataExt};
use std::process::Stdio;

use lab::{Lab, Ran, MD5_OF_PIN, OTHER, PIN};

fn add(lab: &Lab, more: &[&str], pin: &str) -> Ran {
    lab.run(&[&["add", "list"], more].concat(), &format!("{pin}\n"))
}

#[test]
fn list_is_created_and_gets_further_columns() {
    let lab = Lab::new();
    assert_eq!(add(&lab, &["--account", "alice", "--plain"], PIN).code, 0);
    assert_eq!(lab.mode("list"), 0o640);
    assert_eq!(
        lab.text("list"),
        format!("account,secret\nalice,plain:{PIN}\n")
    );
    let all = [
        "--account",
        "bob, \"b\"",
        "--plain",
        "--caller",
        "+905060508169",
        "--name",
        "Bob",
        "--level",
        "7",
        "--valid-from",
        "2026-01-01",
        "--valid-until",
        "2099-12-31 13:30",
        "--max-uses",
        "3",
        "--context",
        "out",
        "--enabled",
        "yes",
    ];
    assert_eq!(add(&lab, &all, OTHER).code, 0);
    assert_eq!(
        lab.text("list"),
        format!(
            "account,secret,caller,name,level,valid_from,valid_until,max_uses,context,enabled\n\
             alice,plain:{PIN},,,,,,,,\n\
             \"bob, \"\"b\"\"\",plain:{OTHER},+905060508169,Bob,7,2026-01-01,2099-12-31 13:30,3,out,yes\n"
        )
    );
    assert_eq!(
        lab.verify("list", &["--caller", "00905060508169"], OTHER),
        0
    );
    assert_eq!(lab.files(), ["list"]);
}

#[test]
fn other_rows_stay_unchanged_byte_for_byte() {
    let lab = Lab::new();
    let list =
        "\u{feff}\r\nsecret , account\r\n\r\n plain:1357902,alice \r\n\"plain:2468013\",\"b\nob\",";
    // Another column, an unended last line, which is broken, CRLF.
    let list = list.replace(",\"b\nob\",", ",\"b,ob\"");
    lab.list("list", &list);
    assert_eq!(
        add(&lab, &["--account", "c", "--md5", "--level", "1"], PIN).code,
        0
    );
    let wanted = list
        .replace(" account", " account,level")
        .replace("alice ", "alice, ")
        + &format!(",\r\nmd5:{MD5_OF_PIN},c,1\r\n");
    assert_eq!(lab.text("list"), wanted);
    assert_eq!(lab.run(&["remove", "list", "--account", "c"], "").code, 0);
    let ran = lab.run(&["remove", "list", "--account", "alice"], "");
    assert_eq!((ran.out.as_str(), ran.code), ("list: 1 row removed\n", 0));
    assert_eq!(
        lab.text("list"),
        "\u{feff}\r\nsecret , account,level\r\n\r\n\"plain:2468013\",\"b,ob\",\r\n"
    );
    assert_eq!(
        lab.run(&["remove", "list", "--account", "alice"], "").code,
        1
    );
}

#[test]
fn invalid_value_names_the_option() {
    let lab = Lab::new();
    let list = format!("account,secret\nalice,plain:{OTHER}\n");
    lab.list("list", &list);
    let long = "x".repeat(80);
    for (options, said) in [
        (&["--account", ""][..], "--account: empty"),
        (&["--account", &long], "--account: over 79"),
        (&["--account", "a\nb"], "--account: a control"),
        (&["--account", "a", "--level", "256"], "--level: must"),
        (
            &["--account", "a", "--caller", "101"],
            "--caller: not a usable",
        ),
        (
            &["--account", "a", "--valid-from", "soon"],
            "--valid-from: must",
        ),
        (
            &[
                "--account",
                "a",
                "--valid-from",
                "2026-02-02",
                "--valid-until",
                "2026-02-01",
            ],
            "--valid-until: not after",
        ),
        (&["--account", "a", "--max-uses", "0"], "--max-uses: must"),
        (&["--account", "a", "--context", "a,b"], "--context: must"),
        (
            &["--account", "a", "--enabled", "true"],
            "--enabled: must be yes or no, or nothing",
        ),
        (
            &["--account", "a", "--country-code", "0"],
            "--country-code: must",
        ),
        (&[], "--account: required for a CSV file"),
        (
            &["--account", "a", "--format", "plain"],
            "--format: the file has another",
        ),
    ] {
        let ran = add(&lab, options, PIN);
        assert_eq!(ran.code, 3, "{options:?}");
        assert!(ran.err.contains(said), "{}", ran.err);
    }
    for input in ["", "\n", "12x\n", "4711471\n4711471\n"] {
        assert_eq!(
            lab.run(&["add", "list", "--account", "a"], input).code,
            3,
            "{input:?}"
        );
    }
    assert_eq!(lab.text("list"), list);
    // An invalid list is not changed.
    let broken = "account,secret\nalice\n";
    lab.list("list", broken);
    let ran = add(&lab, &["--account", "a"], PIN);
    assert!(ran.code == 3 && ran.err.contains("line 2"), "{}", ran.err);
    assert_eq!(lab.text("list"), broken);
}

#[test]
fn duplicate_pin_is_refused_unless_forced() {
    let lab = Lab::new();
    lab.pepper();
    let hmac = ["--hmac-sha256", "--pepper", "pepper"];
    let alice = ["--account", "alice"];
    for form in [&["--plain"][..], &["--md5"], &hmac, &["--argon2id"]] {
        let _ = std::fs::remove_file(lab.path("list"));
        assert_eq!(add(&lab, &[&alice[..], form].concat(), PIN).code, 0);
        let before = lab.text("list");
        let ran = add(&lab, &[&alice[..], &hmac].concat(), PIN);
        assert!(
            ran.code == 1 && ran.err.contains("line 2 has the same PIN"),
            "{form:?} {}",
            ran.err
        );
        assert_eq!(lab.text("list"), before);
        // The PIN of another account, where no caller is identified by the PIN alone.
        let bob = [&["--account", "bob"], &hmac[..]].concat();
        let slow = form == ["--argon2id"];
        assert_eq!(add(&lab, &bob, PIN).code, i32::from(!slow), "{form:?}");
        assert_eq!(
            add(&lab, &[&bob[..], &["--force"]].concat(), PIN).code,
            i32::from(slow)
        );
        // The same account and PIN for another number.
        for (number, code) in [("+905060508169", 0), ("00905060508169", 1)] {
            let number = [&alice[..], &hmac, &["--force", "--caller", number]].concat();
            assert_eq!(add(&lab, &number, PIN).code, code, "{form:?}");
        }
    }
}

#[test]
fn ninth_slow_row_of_caller_is_refused() {
    let lab = Lab::new();
    for pin in 0..8 {
        assert_eq!(
            add(&lab, &["--account", "a"], &format!("{PIN}{pin}")).code,
            0
        );
    }
    let before = lab.text("list");
    let ran = add(&lab, &["--account", "a"], PIN);
    assert!(
        ran.code == 3 && ran.err.contains("more than 8"),
        "{}",
        ran.err
    );
    assert_eq!(lab.text("list"), before);
}

#[test]
fn plain_and_md5_lists_are_edited() {
    let lab = Lab::new();
    assert_eq!(add(&lab, &[], PIN).code, 0);
    lab.list("list", PIN);
    assert_eq!(add(&lab, &[], OTHER).code, 0);
    assert_eq!(lab.text("list"), format!("{PIN}\n{OTHER}\n"));
    assert_eq!(add(&lab, &[], OTHER).code, 1);
    for option in [
        ["--account", "a"],
        ["--level", "1"],
        ["--caller", "5060508169"],
    ] {
        assert_eq!(add(&lab, &option, "4711471").code, 3);
    }
    assert_eq!(add(&lab, &["--md5"], "4711471").code, 3);
    assert_eq!(lab.run(&["remove", "list"], &format!("{PIN}\n")).code, 0);
    assert_eq!(lab.text("list"), format!("{OTHER}\n"));
    assert_eq!(lab.run(&["remove", "list"], &format!("{PIN}\n")).code, 1);
    assert_eq!(lab.run(&["remove", "list", "--account", "a"], "").code, 3);

    std::fs::remove_file(lab.path("list")).unwrap();
    assert_eq!(
        add(&lab, &["--format", "md5", "--account", "alice"], PIN).code,
        0
    );
    assert_eq!(lab.text("list"), format!("alice:{MD5_OF_PIN}\n"));
    assert_eq!(add(&lab, &["--account", "bob"], PIN).code, 1);
    assert_eq!(add(&lab, &["--account", "bob", "--force"], PIN).code, 0);
    assert_eq!(add(&lab, &["--account", "b:b"], OTHER).code, 3);
    assert_eq!(add(&lab, &[], OTHER).code, 3);
    assert_eq!(
        lab.run(&["remove", "list", "--account", "alice"], "").code,
        0
    );
    assert_eq!(lab.text("list"), format!("bob:{MD5_OF_PIN}\n"));
    assert_eq!(lab.run(&["remove", "list"], &format!("{OTHER}\n")).code, 1);
    let ran = lab.run(&["remove", "list"], &format!("{PIN}\n"));
    assert_eq!((ran.out.as_str(), ran.code), ("list: 1 row removed\n", 0));
    assert_eq!(lab.text("list"), "");

    lab.list("list", "account,secret\n");
    let ran = lab.run(&["remove", "list"], &format!("{PIN}\n"));
    assert_eq!(ran.code, 3);
    assert!(
        ran.err.contains("--account: required for this file"),
        "{}",
        ran.err
    );
}

#[test]
fn remove_with_caller_keeps_other_numbers_of_account() {
    let lab = Lab::new();
    let list =
        "account,secret,caller\na,plain:13579,+905060508169\na,plain:24680,\nb,plain:97531,\n";
    lab.list("list", list);
    let remove = [
        "remove",
        "list",
        "--account",
        "a",
        "--caller",
        "00905060508169",
    ];
    assert_eq!(lab.run(&remove, "").out, "list: 1 row removed\n");
    assert_eq!(
        lab.text("list"),
        "account,secret,caller\na,plain:24680,\nb,plain:97531,\n"
    );
}

#[test]
fn owner_permissions_and_links_are_kept() {
    let lab = Lab::new();
    lab.file("real", "", 0o604);
    let owner = if rustix::process::geteuid().is_root() {
        12_345
    } else {
        rustix::process::getuid().as_raw()
    };
    std::os::unix::fs::chown(lab.path("real"), Some(owner), None).unwrap();
    symlink("real", lab.path("list")).unwrap();
    assert_eq!(add(&lab, &[], PIN).code, 0);
    assert!(lab.path("list").is_symlink());
    assert_eq!(lab.mode("real"), 0o604);
    assert_eq!(std::fs::metadata(lab.path("real")).unwrap().uid(), owner);
    assert_eq!(lab.text("real"), format!("{PIN}\n"));
    for odd in ["/dev/null", "."] {
        assert_eq!(lab.run(&["add", odd], &format!("{PIN}\n")).code, 3, "{odd}");
    }
}

#[test]
fn concurrent_additions_are_all_kept() {
    let lab = Lab::new();
    let mut children = Vec::new();
    for number in 0..24 {
        let pin = lab.list(&format!("pin{number}"), format!("{PIN}{number}\n"));
        let account = number.to_string();
        let mut command = lab.command(&["add", "list", "--plain", "--account", &account]);
        let command = command
            .stdin(std::fs::File::open(pin).unwrap())
            .stderr(Stdio::null());
        children.push(command.spawn().unwrap());
    }
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(lab.text("list").lines().count(), 25);
}

/// A row that is valid in the time zone of the machine is removed. In UTC, its end would
/// be before its start.
#[test]
fn rows_with_local_dates_are_removed() {
    let lab = Lab::new();
    let row = "alice,plain:836490217,2026-11-22 23:00Z,2026-11-22 20:00\n";
    let list = format!("account,secret,valid_from,valid_until\n{row}");
    for (zone, text, code) in [
        ("<-05>5", "account,secret,valid_from,valid_until\n", 0),
        ("UTC0", &list, 1),
    ] {
        lab.list("list", &list);
        let mut command = lab.command(&["remove", "list", "--account", "alice"]);
        let output = command.env("TZ", zone).output().unwrap();
        assert_eq!(
            (output.status.code(), lab.text("list").as_str()),
            (Some(code), text),
            "{zone}"
        );
    }
}
