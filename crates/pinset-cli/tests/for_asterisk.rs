//! Files for Asterisk, and options from its configuration.
#![allow(clippy::unwrap_used)]

mod lab;

use std::fs;
use std::os::unix::fs::{chown, MetadataExt};

use lab::{Lab, Ran, OTHER, PIN};

fn group_of(lab: &Lab, name: &str) -> u32 {
    fs::metadata(lab.path(name)).unwrap().gid()
}

/// Runs a command that creates `new`.
fn make(lab: &Lab, arguments: &[&str], group: &[&str]) -> Ran {
    let _ = fs::remove_file(lab.path("new"));
    let _ = fs::remove_file(lab.path("clear"));
    let ran = lab.run(&[arguments, group].concat(), &format!("{PIN}\n"));
    assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.err);
    ran
}

const MAKE_A_LIST: [&[&str]; 3] = [
    &["add", "new", "--plain", "--account", "a"],
    &["convert", "old", "--to", "new", "--plain"],
    &[
        "generate", "-n1", "-d6", "--into", "new", "--pins", "clear", "--plain",
    ],
];

#[test]
fn new_list_takes_the_group_of_its_folder() {
    let lab = Lab::new();
    let group = group_of(&lab, ".");
    lab.list("old", format!("{PIN}\n"));
    for arguments in MAKE_A_LIST {
        make(&lab, arguments, &[]);
        assert_eq!(group_of(&lab, "new"), group, "{arguments:?}");
        assert_eq!(lab.mode("new"), 0o640, "{arguments:?}");
    }
    assert_eq!(lab.mode("clear"), 0o600);
}

#[test]
fn new_file_takes_the_group_of_the_option() {
    let lab = Lab::new();
    lab.list("old", format!("{PIN}\n"));
    let group = if rustix::process::geteuid().is_root() {
        54_321
    } else {
        rustix::process::getegid().as_raw()
    };
    let option = ["--group", &group.to_string()];
    let pepper: &[&str] = &["pepper", "new", "new"];
    for arguments in MAKE_A_LIST.into_iter().chain([pepper]) {
        make(&lab, arguments, &option);
        assert_eq!(group_of(&lab, "new"), group, "{arguments:?}");
        assert_eq!(lab.mode("new"), 0o640, "{arguments:?}");
    }
    make(&lab, pepper, &[]);
    assert_eq!(lab.mode("new"), 0o600);
    let ran = lab.run(&["add", "x", "--group", "no such group"], "");
    assert!(
        ran.code == 3 && ran.err.contains("no such group"),
        "{}",
        ran.err
    );
    assert!(!lab.path("x").exists());
}

/// Asterisk can only read such a list if it runs as root.
#[test]
fn new_list_of_group_root_causes_warning() {
    let lab = Lab::new();
    if !rustix::process::geteuid().is_root() {
        return;
    }
    lab.list("old", format!("{PIN}\n"));
    for arguments in MAKE_A_LIST {
        chown(lab.path("."), None, Some(0)).unwrap();
        let ran = make(&lab, arguments, &[]);
        assert!(ran.err.contains("new: owned by group root"), "{}", ran.err);
        lab.give_a_group();
        let ran = make(&lab, arguments, &[]);
        assert!(!ran.err.contains("group root"), "{}", ran.err);
    }
}

const NUMBER: &str = "0506 050 81 69";

/// The options that commands share with the module.
#[test]
fn numbering_and_pepper_are_read_from_the_configuration() {
    let lab = Lab::new();
    let pepper = lab.pepper();
    let config = format!(
        "[general]\ncountry_code = 90\npepper_file = {}\n",
        pepper.display()
    );
    lab.list("authenticate.conf", config);
    let config = ["--config", "authenticate.conf"];
    let run = |arguments: &[&str], input: &str| lab.run(&[arguments, &config].concat(), input);
    let pin = format!("{PIN}\n");
    let add = [
        "add",
        "list",
        "--account",
        "a",
        "--hmac-sha256",
        "--caller",
        NUMBER,
    ];
    assert_eq!(run(&add, &pin).code, 0);
    assert!(
        lab.text("list").contains("hmac-sha256:main:"),
        "{}",
        lab.text("list")
    );
    // The same number, and the same PIN hashed with the key.
    let other = [&add[..6], &["+905060508169"]].concat();
    assert_eq!(run(&other, &pin).code, 1);
    assert_eq!(
        run(&["verify", "list", "--caller", "+905060508169"], &pin).code,
        0
    );
    assert_eq!(run(&["hash", "--hmac-sha256"], &pin).code, 0);
    let generate = [
        "generate",
        "-n1",
        "-d6",
        "--into",
        "more",
        "--print",
        "--hmac-sha256",
    ];
    assert_eq!(run(&generate, "").code, 0);
    lab.list("plain", &pin);
    assert_eq!(
        run(&["convert", "plain", "--to", "new", "--hmac-sha256"], "").code,
        0
    );
    // A digit is missing.
    lab.list(
        "short",
        "account,secret,caller\na,plain:83649,+90 506 050 81 6\n",
    );
    assert_eq!(run(&["check", "short"], "").code, 2);
    assert_eq!(lab.run(&["check", "short"], "").code, 0);
    // An option on the command line takes precedence.
    assert_eq!(run(&["check", "short", "--country-code", "1"], "").code, 0);
    let remove = [
        "remove",
        "list",
        "--account",
        "a",
        "--caller",
        "+905060508169",
    ];
    assert_eq!(run(&remove, "").code, 0);
}

#[test]
fn unusable_configuration_changes_nothing() {
    let lab = Lab::new();
    lab.list("authenticate.conf", "[general]\ncountry_code = x\n");
    let pin = format!("{PIN}\n");
    let add = ["add", "list", "--plain", "--config"];
    for (file, why) in [
        (
            "authenticate.conf",
            "authenticate.conf: line 2: country_code: ",
        ),
        ("missing", "missing: No such file"),
    ] {
        let ran = lab.run(&[&add[..], &[file]].concat(), &pin);
        assert!(ran.code == 3 && ran.err.contains(why), "{}", ran.err);
    }
    let ran = lab.run(&["add", "list", "--hmac-sha256", "--account", "a"], &pin);
    assert!(ran.code == 3 && ran.err.contains("--pepper"), "{}", ran.err);
    assert_eq!(lab.files(), ["authenticate.conf"]);
}

const NOBODY: &str = "nobody: an Argon2id hash is found by caller number or account";

/// Rows that are only found by accounts that can't be entered on a telephone.
#[test]
fn row_that_admits_nobody_causes_warning() {
    let lab = Lab::new();
    lab.list("names", "ada\n4711\nbob\n");
    lab.list("digits", "4711\n4712\n");
    lab.list(
        "plain",
        format!("account,secret,caller\nada,plain:{PIN},\nbob,plain:{OTHER},+905060508169\n"),
    );
    let generate = |names: &'static str| {
        [
            "generate",
            "-d6",
            "--accounts",
            names,
            "--into",
            "new",
            "--print",
        ]
    };
    let convert = ["convert", "plain", "--to", "new"];
    let add = ["add", "new", "--account", "ada"];
    let md5: &[&str] = &["--md5"];
    for (arguments, more, warned) in [
        (
            &generate("names")[..],
            &[][..],
            "warning: 2 new rows admit ",
        ),
        (&generate("names"), md5, ""),
        (&generate("digits"), &[], ""),
        (&convert, &[], "warning: 1 new row admits "),
        (&convert, md5, ""),
        (&add, &[], "warning: the row admits "),
        (&add, md5, ""),
        (&add, &["--caller", "+905060508169"], ""),
    ] {
        let ran = make(&lab, arguments, more);
        let wanted = format!("{warned}{NOBODY}");
        let right = ran.err.contains(&wanted) || warned.is_empty() && !ran.err.contains(NOBODY);
        assert!(right, "{arguments:?} {more:?}: {}", ran.err);
        let ran = lab.run(&["check", "new"], "");
        assert_eq!(
            ran.out.contains(&format!("admits {NOBODY}")),
            !warned.is_empty()
        );
        assert_eq!(ran.code, i32::from(!warned.is_empty()), "{}", ran.out);
    }
}

/// A digest with a key that is in no pepper file.
const UNCHECKED: &str = "hmac-sha256:gone:\
    0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

#[test]
fn check_reports_conflicts_of_pin_sets_with_their_list() {
    let lab = Lab::new();
    lab.pepper();
    let number = "caller,account,secret\n+905321112233,ada,plain:86420\n";
    let hashed = format!("account,secret\nada,{UNCHECKED}\n");
    for (list, options, objection) in [
        (
            "account,secret\nada,plain:86420\n",
            "identify = caller",
            "[set] identify: rows are found by caller number, but no row",
        ),
        (
            "account,secret\nada,plain:86420\n",
            "identify = account",
            "[set] identify: callers enter their account, but no row has an account of digits",
        ),
        (
            number,
            "identify = caller\n[general]\ncountry_code = 49",
            "[set] country_code: no caller number in the list begins with country_code = 49",
        ),
        (&hashed, "identify = pin", "[set] source: "),
        ("86420\n", "identify = caller", "[set] identify: "),
        (
            number,
            "identify = caller\nformat = plain",
            "[set] identify: ",
        ),
        ("86420\n", "identify = pin\nformat = csv", "[set] format: "),
        (number, "identify = caller", ""),
        (number, "identify = pin", ""),
        (
            number,
            "identify = caller\n[set](+)\nsource = file:/other",
            "",
        ),
    ] {
        let path = lab.list("list", list);
        let config = format!(
            "[set]\nsource = file:{}\n{options}\n[general]\npepper_file = {}\n",
            path.display(),
            lab.path("pepper").display()
        );
        lab.list("authenticate.conf", &config);
        let ran = lab.run(&["check", "--config", "authenticate.conf", "list"], "");
        let said: Vec<_> = ran
            .out
            .lines()
            .filter(|line| line.contains("[set]"))
            .collect();
        match objection {
            "" => assert_eq!(said, [""; 0], "{options}: {ran:?}"),
            _ => {
                assert!(
                    said[0].starts_with(&format!("  warning: {objection}")),
                    "{ran:?}"
                );
                assert_eq!((said.len(), ran.code), (1, 1), "{options}: {ran:?}");
            }
        }
    }
    // Without --config, PIN sets are not checked.
    assert!(!lab.run(&["check", "list"], "").out.contains("[set]"));
}
