//! Pages about several PBXs.

use std::net::TcpListener;
use std::sync::{Arc, Barrier};

use super::fake_pbx::{FakePbx, SECRET};
use crate::fixture::{configure, lab, start, Browser};

/// A PBX that is slow must not be waited for before the next one is asked.
#[test]
fn pbxs_are_asked_at_the_same_time() {
    let barrier = Arc::new(Barrier::new(2));
    let lab = lab("");
    let folder = lab.path("pins");
    let start_one = |name| {
        (
            name,
            FakePbx::meeting(folder.to_str().unwrap(), Arc::clone(&barrier)),
        )
    };
    let pbxs = ["east", "west"].map(start_one);
    lab.file("ami.secret", format!("{SECRET}\n"), 0o600);
    let sections = pbxs.iter().map(|(name, pbx)| pbx.section(name));
    configure(&lab, &sections.collect::<String>());
    lab.list("pins/doors", "account,secret\nada,plain:1\n");
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    let mut missing = Vec::new();
    for (path, part) in [
        ("/setup", ": connected, 2 PIN sets"),
        ("/", ": PIN sets; calls since the module was loaded"),
        ("/locked", ": lockouts in force: 120"),
        ("/callers?q=%2B4930", ": not locked out"),
        ("/pin-file?name=doors", "Uses: of PIN set doors of east."),
    ] {
        let text = browser.get(path).text();
        let parts = pbxs.iter().map(|(name, _)| match part.strip_prefix(": ") {
            Some(_) => format!("{name}{part}"),
            None => part.to_owned(),
        });
        missing.extend(
            parts
                .filter(|part| !text.contains(part))
                .map(|part| (path, part)),
        );
    }
    assert_eq!(missing, []);
}

#[test]
fn pages_of_one_pbx_work_while_another_one_does_not_answer() {
    let pbx = FakePbx::start(None);
    let lab = lab("");
    lab.file("ami.secret", format!("{SECRET}\n"), 0o600);
    // Nobody listens there.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let down = format!("[pbx.down]\naddress = \"{address}\"\nsecret = \"LAB/ami.secret\"\n");
    configure(&lab, &format!("{down}{}", pbx.section("main")));
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    // The first attempt to connect has ended.
    let text = browser.get("/setup").text();
    assert!(text.contains("<td>down does not answer since "), "{text}");
    for (path, part) in [
        ("/", "main: PIN sets"),
        ("/locked", "main: lockouts in force: 120"),
        ("/callers?q=%2B4930", "main: not locked out"),
        ("/live", "SIP/a-1"),
    ] {
        let page = browser.get(path);
        assert_eq!(page.status, 200, "{path}");
        let text = page.text();
        for part in ["down does not answer since ", "(connection refused)", part] {
            assert!(text.contains(part), "{path}, {part}: {text}");
        }
    }
    for (path, fields) in [
        ("/reload", &[("pbx", "down")][..]),
        (
            "/locked/unlock",
            &[
                ("pbx", "down"),
                ("kind", "caller"),
                ("value", "1"),
                ("pin_set", ""),
            ],
        ),
    ] {
        let answer = browser.post(path, fields);
        assert_eq!(answer.status, 502, "{path}");
        let text = answer.text();
        assert!(text.contains("down does not answer since "), "{text}");
    }
}
