//! Pages about PBXs.

use super::fake_pbx::FakePbx;
use crate::fixture::{add_user, database, lab, start, Browser};

/// Checks that a page has these parts and nothing that the PBX or a caller wrote as HTML.
fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part}: {text}");
    }
    for hostile in ["<b>", "<i>", "<x>", "<key>"] {
        assert!(!text.contains(hostile), "{hostile}: {text}");
    }
}

#[test]
fn pin_sets_and_other_calls_are_listed() {
    let pbx = FakePbx::start(None);
    let lab = lab("");
    pbx.configure(&lab);
    let server = start(&lab);
    let text = Browser::logged_in(&server, "ada").get("/").text();
    let numbers = "<td class=\"number\">412</td><td class=\"number\">96</td>\
                   <td class=\"number\">13</td><td class=\"number\">1</td>";
    has(
        &text,
        &[
            "<a href=\"/pin-set?pbx=main&amp;name=doors\">doors</a>",
            "<td>file:/etc/asterisk/pins/doors</td><td>caller</td>",
            numbers,
            "<td class=\"error\">✗ no &lt;key&gt; \\x1b</td>",
            "<td>/etc/asterisk/other</td><td class=\"number\">96</td>",
        ],
    );
    // A PIN set is not in the table of other calls.
    assert_eq!(text.matches(">doors<").count(), 1, "{text}");
}

#[test]
fn pbx_that_refuses_is_named_with_the_remedy() {
    let pbx = FakePbx::start(Some("Permission denied"));
    let lab = lab("");
    pbx.configure(&lab);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    for path in ["/", "/locked"] {
        let page = browser.get(path);
        assert_eq!(page.status, 200);
        has(
            &page.text(),
            &["main: the AMI user has no right", "write = security"],
        );
    }
    for path in [
        "/pin-set?pbx=main&name=doors",
        "/pin-set?pbx=other&name=doors",
    ] {
        let wanted = if path.contains("main") { 502 } else { 404 };
        assert_eq!(browser.get(path).status, wanted, "{path}");
    }
    for path in ["/locked?pbx=other", "/live?pbx=other"] {
        assert_eq!(browser.get(path).status, 404, "{path}");
    }
}

#[test]
fn operator_unlocks_and_the_trail_says_so() {
    let pbx = FakePbx::start(None);
    let lab = lab("");
    pbx.configure(&lab);
    add_user(&lab, "vic", "viewer");
    let server = start(&lab);
    let viewer = Browser::logged_in(&server, "vic").get("/locked").text();
    assert!(!viewer.contains("/locked/unlock"), "{viewer}");
    let mut browser = Browser::logged_in(&server, "ada");
    let text = browser.get("/locked?pbx=main&after=k0").text();
    has(
        &text,
        &[
            "lockouts in force: 120",
            "<td>29 min</td>",
            "value=\"+4930&lt;b&gt;\"",
            "an account in no PIN file",
            "href=\"/locked?pbx=main&amp;after=k2\"",
        ],
    );
    // An account without a name can't be named for it.
    assert_eq!(text.matches("action=\"/locked/unlock\"").count(), 1);
    let fields = [
        ("pbx", "main"),
        ("kind", "caller"),
        ("value", "+4930<b>"),
        ("pin_set", "doors"),
    ];
    let answer = browser.post("/locked/unlock", &fields);
    assert_eq!(answer.header("location"), Some("/locked?unlocked=1"));
    assert!(browser
        .get("/locked?unlocked=1")
        .text()
        .contains("Unlocked: 1"));
    let changes = browser.get("/changes").text();
    has(
        &changes,
        &["<td>unlock</td><td>doors</td><td></td><td>locked caller +4930&lt;b&gt;</td>"],
    );
    for (at, wrong) in [(1, "everything"), (2, "")] {
        let mut fields = fields;
        fields[at].1 = wrong;
        assert_eq!(browser.post("/locked/unlock", &fields).status, 422);
    }
    database(&lab, "ALTER TABLE changes RENAME TO gone");
    assert_eq!(browser.post("/locked/unlock", &fields).status, 503);
    assert!(server.stop().success());
    let actions = pbx.ended.recv().unwrap();
    let unlocks: Vec<_> = actions
        .iter()
        .filter(|action| action.contains("Unlock "))
        .collect();
    assert_eq!(
        unlocks,
        ["AuthenticateUnlock PinSet=doors Type=caller Value=+4930<b>"]
    );
    let part = "AuthenticateLockouts Limit=50 After=k0";
    assert!(actions.iter().any(|action| action == part), "{actions:?}");
}

#[test]
fn latest_attempts_are_shown_and_newer_ones_waited_for() {
    let pbx = FakePbx::start(None);
    let lab = lab("");
    pbx.configure(&lab);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    // Answered after the event, which comes with the login.
    browser.get("/");
    let text = browser.get("/live").text();
    let row = "<td>Failure</td><td>doors</td><td></td><td>+4930&lt;b&gt;</td><td>SIP/a-1</td>\
               <td>192.0.2.7</td><td class=\"number\">3</td><td>caller locked: 1800 s</td>";
    has(&text, &[row]);
    let newer = text
        .split("href=\"/live?pbx=main&amp;after=")
        .nth(1)
        .unwrap();
    let id = newer.split('"').next().unwrap();
    // An id of an earlier run: all are newer.
    let all = browser.get("/live?pbx=main&after=1-1").text();
    has(&all, &[row]);
    let none = browser.get(&format!("/live?pbx=main&after={id}")).text();
    has(&none, &["There was no attempt."]);
}

#[test]
fn pin_set_shows_options_and_uses_that_are_set_back() {
    let pbx = FakePbx::start(None);
    let lab = lab("");
    pbx.configure(&lab);
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let text = browser.get("/pin-set?pbx=main&name=doors").text();
    has(
        &text,
        &[
            "<code>max_digits</code></td><td>6 &lt;i&gt;</td>",
            "<td>ada &lt;i&gt;</td><td class=\"number\">3</td><td class=\"number\">1</td>",
        ],
    );
    let fields = [
        ("pbx", "main"),
        ("name", "doors"),
        ("account", "ada"),
        ("key", "u1"),
    ];
    let answer = browser.post("/pin-set/reset-uses", &fields);
    assert_eq!(
        answer.header("location"),
        Some("/pin-set?pbx=main&name=doors")
    );
    let changes = browser.get("/changes").text();
    has(
        &changes,
        &["<td>set back uses</td><td>doors</td><td>ada</td>"],
    );
    assert!(server.stop().success());
    let actions = pbx.ended.recv().unwrap();
    let reset = "AuthenticateResetUses PinSet=doors Key=u1";
    assert!(actions.iter().any(|action| action == reset), "{actions:?}");
}

#[test]
fn reload_shows_the_errors() {
    let pbx = FakePbx::start(None);
    let lab = lab("");
    pbx.configure(&lab);
    add_user(&lab, "vic", "viewer");
    let server = start(&lab);
    let mut viewer = Browser::logged_in(&server, "vic");
    assert!(!viewer.get("/setup").text().contains("action=\"/reload\""));
    assert_eq!(viewer.post("/reload", &[("pbx", "main")]).status, 403);
    let mut browser = Browser::logged_in(&server, "ada");
    assert!(browser.get("/setup").text().contains("action=\"/reload\""));
    let page = browser.post("/reload", &[("pbx", "main")]);
    assert_eq!(page.status, 422);
    let row = "<td>authenticate.conf</td><td class=\"number\">7</td><td>doors</td>\
               <td>max_digit</td><td>there is no such option &lt;x&gt;</td>";
    has(&page.text(), &["stays in force. Errors: 1", row]);
}
