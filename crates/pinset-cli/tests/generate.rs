//! Tests of `pinset generate`.
#![allow(clippy::unwrap_used)]

mod lab;

use std::collections::BTreeSet;

use lab::{Lab, PIN};

/// Returns the accounts and PINs of a file.
fn pins(text: &str) -> Vec<(String, String)> {
    assert!(text.starts_with("account,pin\n"), "{text}");
    let rows = text.lines().skip(1).map(|row| row.split_once(',').unwrap());
    rows.map(|(account, pin)| (account.to_owned(), pin.to_owned()))
        .collect()
}

#[test]
fn pins_are_written_and_hashes_added() {
    let lab = Lab::new();
    lab.pepper();
    let hmac = ["--hmac-sha256", "--pepper", "pepper"];
    let make = [
        "generate", "-n", "200", "-d", "4", "--into", "list", "--pins", "clear",
    ];
    let ran = lab.run(&[&make[..], &hmac].concat(), "");
    assert_eq!((ran.out.as_str(), ran.err.as_str(), ran.code), ("", "", 0));
    assert_eq!((lab.mode("clear"), lab.mode("list")), (0o600, 0o640));
    let made = pins(&lab.text("clear"));
    let different: BTreeSet<_> = made.iter().map(|(_, pin)| pin).collect();
    assert_eq!((made.len(), different.len()), (200, 200));
    assert!(made.iter().all(|(_, pin)| pin.len() == 4));
    for (account, pin) in made.iter().take(3) {
        let verify = ["verify", "list", "--pepper", "pepper"];
        let ran = lab.run(&verify, &format!("{pin}\n"));
        assert!(
            ran.out.ends_with(&format!(", account {account}\n")),
            "{}",
            ran.out
        );
    }
    // No PIN is weak, because check would find it in a plain list.
    let plain: String = made.iter().map(|(_, pin)| format!("{pin}\n")).collect();
    lab.list("plain", plain);
    let ran = lab.run(&["check", "--json", "plain"], "");
    assert!(
        ran.out.contains("\"weak\": {\n          \"count\": 0"),
        "{}",
        ran.out
    );
    // Neither file is overwritten, and the list is not changed.
    let list = lab.text("list");
    lab.list("more", "x\ny\n");
    let again = [
        "generate",
        "-d",
        "4",
        "--accounts",
        "more",
        "--into",
        "list",
        "--pins",
        "clear",
    ];
    assert_eq!(lab.run(&[&again[..], &hmac].concat(), "").code, 3);
    assert_eq!(lab.text("list"), list);
    assert_eq!(lab.files(), ["clear", "list", "more", "pepper", "plain"]);
}

#[test]
fn pins_in_the_list_are_not_generated() {
    let lab = Lab::new();
    lab.pepper();
    // All two-digit PINs but those in the thirties.
    let mut list = "account,secret\n".to_owned();
    let there = (0..100).filter(|pin| !(30..40).contains(pin));
    for (number, pin) in there.enumerate().filter(|(number, _)| number % 9 < 4) {
        list += &format!("a{number},plain:{pin:02}\n");
    }
    lab.list("list", &list);
    let make = [
        "generate", "-n", "9", "-d", "2", "--into", "list", "--print", "--md5",
    ];
    let ran = lab.run(&make, "");
    assert_eq!(ran.code, 0, "{}", ran.err);
    let made = pins(&ran.out);
    assert_eq!(made.len(), 9);
    for (_, pin) in &made {
        assert!(!list.contains(&format!("plain:{pin}\n")), "{pin}");
        assert_ne!(pin[..1], pin[1..]);
    }
    // At most half of all PINs are generated.
    let ran = lab.run(
        &[
            "generate", "-n", "51", "-d", "2", "--into", "new", "--print",
        ],
        "",
    );
    assert!(ran.code == 3 && ran.err.contains("too few"), "{}", ran.err);
    // Rows that can't be compared are an error.
    let secret = lab
        .run(
            &["hash", "--hmac-sha256", "--pepper", "pepper"],
            &format!("{PIN}\n"),
        )
        .out;
    lab.list("list", format!("account,secret\nx,{secret}"));
    let ran = lab.run(
        &[
            "generate", "-n", "1", "-d", "6", "--into", "list", "--print",
        ],
        "",
    );
    assert!(ran.code == 3 && ran.err.contains("key main"), "{}", ran.err);
}

#[test]
fn accounts_are_read_from_file() {
    let lab = Lab::new();
    lab.list("names", "alice\n\n bob \"b\" \n");
    let make = [
        "generate",
        "-d",
        "6",
        "--accounts",
        "names",
        "--into",
        "list",
        "--print",
    ];
    let ran = lab.run(&make, "");
    assert!(
        ran.code == 0 && ran.err.contains("--hmac-sha256"),
        "{}",
        ran.err
    );
    let made = pins(&ran.out);
    assert_eq!(made[1].0, "\"bob \"\"b\"\"\"");
    assert_eq!(lab.verify("list", &["--account", "alice"], &made[0].1), 0);
    assert!(!lab.text("list").contains(&made[0].1));
    // The accounts have a PIN now.
    assert_eq!(lab.run(&make, "").code, 3);
    for names in ["alice\nalice\n", "x\u{7}\n", &"y".repeat(80)] {
        lab.list("names", names);
        let make = [
            "generate",
            "-d",
            "6",
            "--accounts",
            "names",
            "--into",
            "new",
            "--print",
        ];
        assert_eq!(lab.run(&make, "").code, 3, "{names}");
        assert!(!lab.path("new").exists());
    }
    // The same in a list with many invalid rows.
    let wrong = "account,secret\n".to_owned() + &"w,nothing\n".repeat(50);
    lab.list("wrong", &wrong);
    let make = [
        "generate",
        "-d",
        "6",
        "--accounts",
        "names",
        "--into",
        "wrong",
        "--print",
    ];
    let ran = lab.run(&make, "");
    assert!(
        ran.code == 3 && ran.err.contains("account 1: over 79"),
        "{}",
        ran.err
    );
    assert_eq!(lab.text("wrong"), wrong);
    // Either --pins or --print is required.
    assert_eq!(
        lab.run(&["generate", "-n", "1", "-d", "6", "--into", "new"], "")
            .code,
        3
    );
}
