//! Tests of `pinset verify`.
#![allow(clippy::unwrap_used)]

mod lab;

use lab::{Lab, MD5_OF_PIN, OTHER, PIN};

#[test]
fn matching_row_is_printed() {
    let lab = Lab::new();
    lab.list(
        "list",
        format!(
            "account,secret,caller,name,level,valid_from,valid_until,max_uses,context\n\
             alice,plain:{PIN},+905060508169,A,7,2020-01-01,2099-12-31,3,out\n\
             bob,plain:{OTHER},00905060508170,,,,,,\n"
        ),
    );
    let ran = lab.run(&["verify", "list"], &format!("{PIN}\n"));
    assert_eq!(
        ran.out,
        "list: right: line 2, account alice, caller +905060508169, name A, level 7, \
         valid_from 2020-01-01, valid_until 2099-12-31, max_uses 3, context out\n"
    );
    assert_eq!(ran.code, 0);
    for (more, pin, code) in [
        (&["--caller", "00905060508169"][..], PIN, 0),
        (&["--caller", "05060508169", "--country-code", "90"], PIN, 0),
        (&["--caller", "05060508169"], PIN, 1),
        (&["--caller", "+905060508170"], PIN, 1),
        (&["--caller", "101"], PIN, 3),
        (&["--account", "alice"], PIN, 0),
        (&["--account", "bob"], PIN, 1),
        (&["--account", "carol"], PIN, 1),
        (&[], OTHER, 0),
        (&[], "4711471", 1),
    ] {
        assert_eq!(lab.verify("list", more, pin), code, "{more:?}");
    }
    let ran = lab.run(&["verify", "list"], "4711471\n");
    assert_eq!(ran.out, "list: wrong\n");
}

#[test]
fn dates_determine_validity() {
    let lab = Lab::new();
    for (dates, code, said) in [
        (
            &["2020-01-01,2020-12-31"][..],
            2,
            "right, but no longer valid: line 2",
        ),
        (&["2099-01-01,"], 2, "right, but not valid yet: line 2"),
        (&["2099-01-01,", "2020-01-01,"], 0, "right: line 3"),
        (&["2020-01-01,2099-01-01", ","], 0, "right: line 2"),
    ] {
        let rows: String = dates
            .iter()
            .map(|dates| format!("a,plain:{PIN},{dates}\n"))
            .collect();
        lab.list(
            "list",
            format!("account,secret,valid_from,valid_until\n{rows}"),
        );
        for more in [&[][..], &["--account", "a"]] {
            let ran = lab.run(&[&["verify", "list"], more].concat(), &format!("{PIN}\n"));
            assert_eq!(ran.code, code);
            assert!(ran.out.contains(said), "{}", ran.out);
        }
    }
}

#[test]
fn disabled_row_is_reported_unless_another_admits() {
    let lab = Lab::new();
    for (rows, code, said) in [
        (
            "no,2020-01-01",
            2,
            "list: right, but the row is disabled: line 2, account a, enabled no",
        ),
        ("no,", 2, "right, but the row is disabled: line 2"),
        ("no,\nyes,", 0, "right: line 3"),
        ("yes,", 0, "right: line 2"),
    ] {
        let row = |row: &str| format!("a,plain:{PIN},{row}\n");
        let rows: String = rows.lines().map(row).collect();
        lab.list(
            "list",
            format!("account,secret,enabled,valid_until\n{rows}"),
        );
        for more in [&[][..], &["--account", "a"]] {
            let ran = lab.run(&[&["verify", "list"], more].concat(), &format!("{PIN}\n"));
            assert_eq!(ran.code, code, "{rows}");
            assert!(ran.out.contains(said), "{}", ran.out);
        }
    }
}

#[test]
fn plain_and_md5_lists_are_verified_and_unsafe_ones_refused() {
    let lab = Lab::new();
    lab.list("plain", format!("{OTHER}\n{PIN}\n"));
    let ran = lab.run(&["verify", "plain"], &format!("{PIN}\n"));
    assert_eq!((ran.out.as_str(), ran.code), ("plain: right: line 2\n", 0));
    lab.list("md5", format!("alice:{MD5_OF_PIN}\n"));
    let ran = lab.run(&["verify", "md5"], &format!("{PIN}\n"));
    assert_eq!(
        (ran.out.as_str(), ran.code),
        ("md5: right: line 1, account alice\n", 0)
    );
    lab.file("open", format!("{PIN}\n"), 0o666);
    lab.list("broken", "account,secret\nalice\n");
    for list in ["open", "broken", "missing", "."] {
        assert_eq!(lab.verify(list, &[], PIN), 3, "{list}");
    }
    // Several PINs are an error.
    assert_eq!(lab.verify("plain", &[], &format!("{PIN}\n{OTHER}")), 3);
}
