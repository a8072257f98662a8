//! `pinset console user`.

use crate::fixture::{lab, user, PASSWORD};
use crate::lab::Lab;

#[test]
fn users_are_added_changed_listed_and_removed() {
    let lab = lab("");
    assert_eq!(lab.mode("console.users"), 0o640);
    assert_eq!(user(&lab, &["add", "bob"]).code, 0);
    let text = lab.text("console.users");
    assert!(
        text.starts_with("ada:admin:$argon2id$v=19$m=19456,t=2,p=1$"),
        "{text}"
    );
    assert!(text.contains("\nbob:viewer:$argon2id$"), "{text}");
    assert!(!text.contains(PASSWORD));
    assert_eq!(user(&lab, &["list"]).out, "ada admin\nbob viewer\n");
    lab.file("console.users", format!("# ours\n{text}"), 0o600);
    let changed = user(&lab, &["passwd", "bob"]);
    assert_eq!(changed.code, 0, "{}", changed.err);
    let after = lab.text("console.users");
    assert!(
        after.starts_with("# ours\nada:admin:$argon2id$") && after != format!("# ours\n{text}")
    );
    assert_eq!(lab.mode("console.users"), 0o600);
    assert_eq!(user(&lab, &["remove", "bob"]).code, 0);
    assert_eq!(user(&lab, &["list"]).out, "ada admin\n");
    assert_eq!(lab.files(), ["console.toml", "console.users", "pins"]);
}

#[test]
fn refused_user_changes_nothing_and_says_why() {
    let lab = lab("");
    let before = lab.text("console.users");
    let users = lab.path("console.users");
    let run = |lab: &Lab, arguments: &[&str], input: &str| {
        let more = ["--users", users.to_str().unwrap()];
        lab.run(&[&["console", "user"], arguments, &more].concat(), input)
    };
    for (arguments, input, message) in [
        (&["add", "ada"][..], PASSWORD, "there is a user ada already"),
        (&["passwd", "bob"], PASSWORD, "there is no user bob"),
        (&["remove", "bob"], "", "there is no user bob"),
        (
            &["add", "b:b"],
            PASSWORD,
            "'b:b': the name of a user must be",
        ),
        (&["add", "bob"], "short", "must have at least 12 characters"),
        (&["add", "bob"], "", "must have at least 12 characters"),
        (
            &["add", "bob"],
            "four words\nof it all",
            "more than one line",
        ),
        (
            &["add", "bob"],
            "I am Bob myself",
            "must not contain the user's name",
        ),
        (
            &["add", "bob"],
            &"x".repeat(201),
            "must have at most 200 bytes",
        ),
    ] {
        let ran = run(&lab, arguments, input);
        assert_eq!(ran.code, 3, "{arguments:?}");
        assert!(ran.err.contains(message), "{}", ran.err);
        assert_eq!(lab.text("console.users"), before);
    }
    lab.file("console.users", "ada:admin\n", 0o640);
    let ran = run(&lab, &["add", "bob"], PASSWORD);
    assert!(
        ran.err.contains("line 1: must be name:role:hash"),
        "{}",
        ran.err
    );
    assert_eq!(lab.text("console.users"), "ada:admin\n");
}
