//! PBXs: an AMI server in the test.

mod callers;
mod fake_pbx;
mod live;
mod new_pin_set;
mod pages;
mod several;

use crate::fixture::{check, configure, lab, start, Browser};
use fake_pbx::{FakePbx, SECRET};

#[test]
fn check_connects_to_each_pbx_and_lists_what_admits_nobody() {
    let pbx = FakePbx::start(None);
    let lab = lab("");
    pbx.configure(&lab);
    let ran = check(&lab);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for line in [
        "ok: connection: main: connected, 2 PIN sets\n",
        concat!(
            "ok: module_version: main: app_authenticate_rs ",
            env!("PINSET_VERSION"),
            ", built for Asterisk 22\n"
        ),
        "warning: pin_sets: main: staff admits nobody: no <key> \\x1b -> asterisk -rx 'authenticate show pinsets'\n",
    ] {
        assert!(ran.out.contains(line), "{line}: {}", ran.out);
    }
    let actions = pbx.ended.recv().unwrap();
    assert_eq!(actions, ["Login", "AuthenticatePinsets", "Logoff"]);
}

#[test]
fn check_names_the_remedy_if_a_pbx_refuses() {
    let pbx = FakePbx::start(Some("Permission denied"));
    let lab = lab("");
    pbx.configure(&lab);
    let ran = check(&lab);
    let line = "warning: connection: main: the AMI user has no right to AuthenticatePinsets -> \
                write = security for the user in manager.conf of the PBX\n";
    assert!(ran.out.contains(line), "{}", ran.out);
    lab.file("ami.secret", "another 0123456789\n", 0o600);
    let ran = check(&lab);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let line = " (login refused) -> compare user, secret, permit and deny with manager.conf";
    assert!(ran
        .out
        .contains("warning: connection: main does not answer since "));
    assert!(ran.out.contains(line), "{}", ran.out);
    assert!(!ran.out.contains("another") && !ran.err.contains("another"));
}

#[test]
fn ca_file_must_be_a_certificate() {
    let lab = lab("");
    lab.file("ami.secret", format!("{SECRET}\n"), 0o600);
    lab.file("ca.pem", "no certificate", 0o644);
    let options = "[pbx.main]\nsecret = \"LAB/ami.secret\"\nca = \"LAB/ca.pem\"\n";
    configure(&lab, options);
    let ran = check(&lab);
    assert_eq!(ran.code, 3);
    assert!(
        ran.err.contains("console.toml:8: [pbx.main] ca: "),
        "{}",
        ran.err
    );
    assert!(
        ran.err.contains("ca.pem: no certificate found"),
        "{}",
        ran.err
    );
}

#[test]
fn service_shows_connections_and_closes_them_at_its_end() {
    let pbx = FakePbx::start(None);
    let lab = lab("");
    pbx.configure(&lab);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    for _ in 0..2 {
        let text = browser.get("/setup").text();
        for part in [
            "<td>connection</td><td>main: connected, 2 PIN sets</td>",
            "<td>main: staff admits nobody: no &lt;key&gt; \\x1b</td>",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
    assert!(server.stop().success());
    // One connection for both pages.
    let actions = pbx.ended.recv().unwrap();
    assert_eq!(
        actions,
        [
            "Login",
            "AuthenticatePinsets",
            "AuthenticatePinsets",
            "Logoff"
        ]
    );
}
