//! Tests of `pinset change`.
#![allow(clippy::unwrap_used)]

mod lab;

use lab::{Lab, Ran, OTHER, PIN};

fn change(lab: &Lab, options: &[&str], input: &str) -> Ran {
    lab.run(&[&["change", "list"], options].concat(), input)
}

/// A list with an invalid row and various ways to write rows.
fn list(lab: &Lab) -> String {
    let list = format!(
        "account,secret,caller,level\r\n\
         ada, plain:{OTHER} ,+905060508169,3\r\n\
         ada,plain:2468013,+902121234567,\r\n\
         \r\n\
         \"bob, \"\"b\"\"\",\"plain:1357902\",,0\r\n\
         carl,plain:9081726,,high\r\n"
    );
    lab.file("list", &list, 0o600);
    list
}

#[test]
fn row_is_changed_in_place_and_others_stay_byte_for_byte() {
    for (options, old, new) in [
        (
            &[
                "--caller",
                "05060508169",
                "--country-code",
                "90",
                "--level",
                "7",
            ][..],
            "+905060508169,3\r",
            "+905060508169,7\r",
        ),
        (
            &[
                "--account",
                "ada",
                "--line",
                "2",
                "--new-account",
                "eve",
                "--level",
                "",
            ],
            &format!("ada, plain:{OTHER} ,+905060508169,3"),
            &format!("eve, plain:{OTHER} ,+905060508169,"),
        ),
        (
            &[
                "--account",
                "bob, \"b\"",
                "--new-caller",
                "00902127654321",
                "--country-code",
                "90",
            ],
            "\"plain:1357902\",,0",
            "\"plain:1357902\",00902127654321,0",
        ),
        // A row that is invalid until then.
        (&["--account", "carl", "--level", "1"], ",high\r", ",1\r"),
    ] {
        let lab = Lab::new();
        let before = list(&lab);
        let ran = change(&lab, options, "");
        assert_eq!(ran.code, 0, "{options:?}: {}", ran.err);
        assert!(ran.out.starts_with("list: line "), "{}", ran.out);
        assert!(before.contains(old), "{old}");
        assert_eq!(lab.text("list"), before.replacen(old, new, 1));
        assert_eq!(
            (lab.mode("list"), lab.files()),
            (0o600, vec!["list".to_owned()])
        );
    }
}

#[test]
fn missing_columns_are_added_unless_they_stay_empty() {
    let lab = Lab::new();
    let list = format!("account,secret\nada,plain:{PIN}\nbob,plain:{OTHER}\n");
    lab.list("list", &list);
    let bob = ["--account", "bob", "--max-uses", ""];
    assert_eq!(change(&lab, &bob, "").code, 0);
    assert_eq!(lab.text("list"), list);
    let all = [
        "--account",
        "bob",
        "--name",
        "Bob, \"b\"",
        "--valid-from",
        "2026-01-01",
        "--valid-until",
        "2099-12-31",
        "--max-uses",
        "3",
        "--context",
        "out",
    ];
    let ran = change(&lab, &all, "");
    assert_eq!((ran.out.as_str(), ran.code), ("list: line 3 changed\n", 0));
    assert_eq!(
        lab.text("list"),
        format!(
            "account,secret,name,valid_from,valid_until,max_uses,context\n\
             ada,plain:{PIN},,,,,\n\
             bob,plain:{OTHER},\"Bob, \"\"b\"\"\",2026-01-01,2099-12-31,3,out\n"
        )
    );
}

#[test]
fn row_is_disabled_and_enabled_again() {
    let lab = Lab::new();
    let list = format!("account,secret\nada,plain:{PIN}\nbob,plain:{OTHER}\n");
    lab.list("list", &list);
    for (enabled, text, verdict) in [
        (
            "no",
            format!("account,secret,enabled\nada,plain:{PIN},no\nbob,plain:{OTHER},\n"),
            2,
        ),
        (
            "yes",
            format!("account,secret,enabled\nada,plain:{PIN},yes\nbob,plain:{OTHER},\n"),
            0,
        ),
    ] {
        let ran = change(&lab, &["--account", "ada", "--enabled", enabled], "");
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert_eq!(lab.text("list"), text);
        assert_eq!(lab.verify("list", &[], PIN), verdict, "{enabled}");
        assert_eq!(lab.verify("list", &[], OTHER), 0);
    }
}

#[test]
fn new_pin_replaces_the_old_one() {
    let lab = Lab::new();
    lab.pepper();
    let list = format!("secret,account\nplain:{OTHER},ada\nplain:2468013,bob\n");
    let hmac = ["--hmac-sha256", "--pepper", "pepper"];
    for (form, by) in [
        (&["--plain"][..], &[][..]),
        (&["--md5"], &[]),
        (&hmac, &["--pepper", "pepper"]),
        (&[], &["--account", "ada"]),
    ] {
        lab.list("list", &list);
        let options = [&["--account", "ada", "--new-pin"], form].concat();
        let ran = change(&lab, &options, &format!("{PIN}\n"));
        assert_eq!(ran.code, 0, "{form:?}: {}", ran.err);
        assert_eq!(
            ran.err.contains("identify = pin"),
            form.is_empty(),
            "{}",
            ran.err
        );
        let by = by.to_vec();
        assert_eq!(lab.verify("list", &by, PIN), 0, "{form:?}");
        assert_eq!(lab.verify("list", &by, OTHER), 1, "{form:?}");
        assert!(lab.text("list").ends_with(",ada\nplain:2468013,bob\n"));
    }
    assert!(lab.text("list").starts_with("secret,account\n\"$argon2id$"));
}

#[test]
fn duplicate_pin_is_refused_unless_it_is_of_the_row_itself() {
    let lab = Lab::new();
    let list = format!(
        "account,secret,caller\n\
         ada,plain:{PIN},+905060508169\n\
         ada,plain:2468013,+902121234567\n\
         bob,plain:{OTHER},\n"
    );
    for (options, pin, code, said) in [
        // The same PIN as another secret.
        (&["--line", "2", "--md5"][..], PIN, 0, ""),
        (
            &["--line", "4"],
            PIN,
            1,
            "line 2 has the same PIN for another account (--force",
        ),
        (&["--line", "4", "--force"], PIN, 0, ""),
        // Another number of the account may have it, the same number may not.
        (&["--line", "3"], PIN, 0, ""),
        (
            &["--line", "3", "--new-caller", "+905060508169", "--force"],
            PIN,
            1,
            "line 2 has the same PIN already",
        ),
        (&["--line", "4", "--new-account", "ada"], PIN, 0, ""),
        (
            &[
                "--line",
                "4",
                "--new-account",
                "ada",
                "--new-caller",
                "+905060508169",
            ],
            PIN,
            1,
            "line 2 has the same PIN already",
        ),
    ] {
        lab.list("list", &list);
        let options = [&["--new-pin"], options].concat();
        let ran = change(&lab, &options, &format!("{pin}\n"));
        assert_eq!(ran.code, code, "{options:?}: {}", ran.err);
        assert!(ran.err.contains(said), "{options:?}: {}", ran.err);
        assert_eq!(lab.text("list") == list, code == 1, "{options:?}");
    }
}

#[test]
fn error_leaves_the_list_unchanged() {
    let lab = Lab::new();
    let list = list(&lab);
    for (options, code, said) in [
        (
            &["--account", "ada", "--level", "1"][..],
            3,
            "list: 2 rows, in lines 2, 3: select one with --caller or --line",
        ),
        (
            &["--account", "Ada", "--level", "1"],
            1,
            "list: no such row",
        ),
        (
            &["--account", "ada", "--line", "5", "--level", "1"],
            1,
            "no such row",
        ),
        (&["--line", "2"], 3, "nothing to change"),
        (
            &["--line", "2", "--level", "1", "--plain"],
            3,
            "--new-pin: required",
        ),
        (
            &["--line", "2", "--level", "256"],
            3,
            "pinset: --level: must be a whole number from 0 to 255",
        ),
        (
            &["--line", "2", "--new-account", ""],
            3,
            "pinset: --new-account: empty",
        ),
        (
            &["--line", "2", "--new-caller", "101"],
            3,
            "pinset: --new-caller: not a usable",
        ),
        (
            &["--line", "2", "--valid-until", "soon"],
            3,
            "pinset: --valid-until: must",
        ),
        (
            &["--line", "2", "--enabled", "No"],
            3,
            "pinset: --enabled: must be yes or no, or nothing",
        ),
        (
            &["--line", "6", "--name", "Carl"],
            3,
            "list: line 6, level: must",
        ),
        (&["--level", "1"], 3, "--account"),
    ] {
        let ran = change(&lab, options, "");
        assert_eq!(ran.code, code, "{options:?}: {}", ran.err);
        assert!(ran.err.contains(said), "{options:?}: {}", ran.err);
        assert_eq!(lab.text("list"), list);
    }
    for (text, said) in [
        ("4711\n", "list: not a CSV file: pinset convert"),
        ("", "list: not a CSV file"),
        (
            "account,secret\nada\n",
            "list: line 2: more or fewer fields",
        ),
    ] {
        lab.list("list", text);
        let ran = change(&lab, &["--line", "2", "--level", "1"], "");
        assert!(ran.code == 3 && ran.err.contains(said), "{}", ran.err);
        assert_eq!(lab.text("list"), text);
    }
}

/// The list as a whole is refused by the module if an account has a ninth Argon2id row.
#[test]
fn ninth_argon2id_row_of_an_account_is_refused() {
    let lab = Lab::new();
    let hash = lab.run(&["hash"], &format!("{OTHER}\n")).out;
    let mut list = "account,secret\n".to_owned();
    for account in [&["ada"; 8][..], &["bob"]].concat() {
        list += &format!("{account},{hash}");
    }
    lab.list("list", &list);
    let ran = change(&lab, &["--account", "bob", "--new-account", "ada"], "");
    assert!(
        ran.code == 3 && ran.err.contains("line 10: there are more than 8"),
        "{}",
        ran.err
    );
    assert_eq!(lab.text("list"), list);
    let ran = change(&lab, &["--account", "bob", "--new-account", "eve"], "");
    assert_eq!(ran.code, 0);
    assert!(ran.err.contains("the row admits nobody"), "{}", ran.err);
}

/// Such a list can be mended row by row.
#[test]
fn ninth_argon2id_row_can_be_given_to_another_account() {
    let lab = Lab::new();
    let hash = lab.run(&["hash"], &format!("{OTHER}\n")).out;
    let list = format!("account,secret\n{}", format!("ada,{hash}").repeat(9));
    lab.list("list", &list);
    let ran = change(&lab, &["--line", "10", "--new-account", "eve"], "");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(lab.text("list").ends_with(&format!("eve,{hash}")));
}
