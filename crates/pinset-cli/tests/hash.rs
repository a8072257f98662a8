//! Tests of `pinset hash` and `pinset pepper`.
#![allow(clippy::unwrap_used)]

mod lab;

use std::os::unix::fs::symlink;

use lab::{Lab, MD5_OF_PIN, OTHER, PIN};

#[test]
fn secret_of_each_form_is_verified() {
    let lab = Lab::new();
    lab.pepper();
    for (form, start) in [
        (&[][..], "\"$argon2id$v=19$m=19456,t=2,p=1$"),
        (&["--argon2id"], "\"$argon2id$"),
        (
            &["--hmac-sha256", "--pepper", "pepper"],
            "hmac-sha256:main:",
        ),
        (&["--md5"], MD5_OF_PIN),
        (&["--plain"], PIN),
    ] {
        let ran = lab.run(&[&["hash"], form].concat(), &format!("{PIN}\n"));
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{form:?}");
        let secret = ran.out.strip_prefix("md5:").unwrap_or(&ran.out);
        let secret = secret.strip_prefix("plain:").unwrap_or(secret);
        assert!(secret.starts_with(start), "{}", ran.out);
        assert_eq!(ran.out.lines().count(), 1);
        lab.list("list", format!("account,secret\nalice,{}", ran.out));
        let alice = ["--account", "alice", "--pepper", "pepper"];
        assert_eq!(lab.verify("list", &alice, PIN), 0, "{}", ran.out);
        assert_eq!(lab.verify("list", &alice, OTHER), 1, "{}", ran.out);
    }
}

#[test]
fn salts_differ() {
    let lab = Lab::new();
    let ran = lab.run(&["hash", "--unquoted"], &format!("{PIN}\n{PIN}"));
    let lines: Vec<_> = ran.out.lines().collect();
    assert_eq!(lines.len(), 2);
    assert_ne!(lines[0], lines[1]);
    assert!(lines[0].starts_with("$argon2id$"));
}

#[test]
fn invalid_pin_is_reported_by_line() {
    let lab = Lab::new();
    for (input, said) in [
        ("\n".to_owned(), "line 1: no PIN"),
        (format!("{PIN}\n\n{PIN}\n"), "line 2: no PIN"),
        (format!("{PIN}#\n"), "line 1: a character"),
        (format!("{PIN}\n{PIN}x\n"), "line 2: a character"),
        (PIN.repeat(29), "line 1: too long"),
    ] {
        let ran = lab.run(&["hash", "--md5"], &input);
        assert_eq!(ran.code, 3, "{input}");
        assert!(ran.err.contains(said), "{}", ran.err);
    }
    // PINs are not accepted on the command line.
    assert_eq!(lab.run(&["hash", "--md5", "4711"], "").code, 3);
}

#[test]
fn weak_pin_causes_warning() {
    let lab = Lab::new();
    let ran = lab.run(&["hash", "--md5"], "1234\n");
    assert_eq!(ran.code, 0);
    assert!(ran.err.contains("weak: a run"), "{}", ran.err);
    assert!(!ran.err.contains("1234"));
}

#[test]
fn pepper_file_is_created_and_rotated() {
    let lab = Lab::new();
    let new = |more: &[&str]| lab.run(&[&["pepper", "new", "pepper"], more].concat(), "");
    assert_eq!(new(&["--id", "a"]).code, 0);
    assert_eq!(lab.mode("pepper"), 0o600);
    let first = lab.text("pepper");
    assert_eq!(first.len(), 2 + 64 + 1);
    let pepper = ["hash", "--hmac-sha256", "--pepper", "pepper"];
    let old = lab.run(&pepper, &format!("{PIN}\n")).out;
    lab.list("list", format!("account,secret\nalice,{old}"));

    lab.file("pepper", &first, 0o440);
    let ran = new(&[]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let second = lab.text("pepper");
    let (line, rest) = second.split_once('\n').unwrap();
    assert_eq!(rest, first);
    assert!(!ran.err.contains(&line[10..]), "{}", ran.err);
    assert_eq!(lab.mode("pepper"), 0o440);
    // The new key signs, the old one still verifies.
    assert!(lab
        .run(&pepper, &format!("{PIN}\n"))
        .out
        .starts_with("hmac-sha256:k"));
    assert_eq!(lab.verify("list", &["--pepper", "pepper"], PIN), 0);
    assert_eq!(lab.verify("list", &[], PIN), 3);

    // A refused command leaves the file unchanged.
    for id in ["a", "x y", ""] {
        assert_eq!(new(&["--id", id]).code, 3, "{id}");
    }
    assert_eq!(lab.text("pepper"), second);
    lab.file("pepper", &first, 0o644);
    assert_eq!(new(&[]).code, 3);
    assert_eq!(lab.run(&pepper, &format!("{PIN}\n")).code, 3);
    lab.file("pepper", "nonsense", 0o600);
    assert_eq!(new(&[]).code, 3);
    assert_eq!(lab.text("pepper"), "nonsense");
    assert_eq!(lab.files(), ["list", "pepper"]);
}

#[test]
fn link_is_followed_and_its_target_changed() {
    let lab = Lab::new();
    lab.pepper();
    symlink("pepper", lab.path("link")).unwrap();
    assert_eq!(lab.run(&["pepper", "new", "link"], "").code, 0);
    assert!(lab.path("link").is_symlink());
    assert_eq!(lab.text("pepper").lines().count(), 2);
    symlink("nowhere", lab.path("dangling")).unwrap();
    assert_eq!(lab.run(&["pepper", "new", "dangling"], "").code, 3);
    assert!(!lab.path("nowhere").exists());
}
