//! Every failed attempt counts, and every check is made for each verdict.

use std::fs;

use crate::server::{configure, lab, noted, Server, HIPCALL};

const ALICE: &str = "+905060508161";

/// Three rows whose key is in the pepper file, and one whose key is not.
fn lab_with_a_missing_key() -> crate::lab::Lab {
    let lab = lab();
    lab.pepper();
    let mut list = "account,secret,caller\n".to_owned();
    for (last, pin) in [(1, "1001"), (2, "1002"), (3, "1003"), (4, "1004")] {
        let arguments = ["hash", "--hmac-sha256", "--pepper", "pepper"];
        let ran = lab.run(&arguments, &format!("{pin}\n"));
        assert_eq!(ran.code, 0, "{}", ran.err);
        let secret = match last {
            4 => ran.out.trim().replace(":main:", ":k0:"),
            _ => ran.out.trim().to_owned(),
        };
        list.push_str(&format!("{last},{secret},+90506050816{last}\n"));
    }
    lab.list("list.csv", list);
    lab
}

const NAMED: &str = "1 row can't be checked, line 5: the pepper file has no key k0";

#[test]
fn missing_pepper_key_leaves_lockouts_in_force() {
    let lab = lab_with_a_missing_key();
    let service = format!("lockout_caller = \"5/15m/30m\"\nlocked = [\"hangup\"]\n{HIPCALL}");
    configure(&lab, "[lists]\npepper_file = \"LAB/pepper\"", &service);
    let server = Server::start(&lab);
    for _ in 0..4 {
        assert_eq!(server.call(ALICE, "9999"), "1092");
    }
    for _ in 0..8 {
        assert_eq!(server.call(ALICE, "9999"), "hangup");
    }
    assert_eq!(server.call(ALICE, "1001"), "hangup");
    assert_eq!(server.call("+905060508162", "1002"), "1091");
    // A number whose row lacks its key is handled like an unknown one.
    for number in ["+905060508164", "+905060508169"] {
        assert_eq!(server.call(number, "1004"), "1092");
    }
    let outcomes: Vec<_> = server
        .rows("")
        .into_iter()
        .map(|row| row["outcome"].clone())
        .collect();
    assert_eq!(outcomes[..2], ["failure", "failure"]);
}

#[test]
fn missing_pepper_key_is_reported_by_health_check_and_at_start() {
    let lab = lab_with_a_missing_key();
    configure(&lab, "[lists]\npepper_file = \"LAB/pepper\"", HIPCALL);
    let ran = lab.run(&["serve", "--config", "serve.toml", "--check"], "");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains(NAMED), "{}", ran.err);
    let server = Server::start(&lab);
    crate::server::until(NAMED, || lab.text("err").contains(NAMED));
    let health = server.get("/health");
    assert_eq!(health.status, 200);
    assert_eq!(
        health.text(),
        format!("ok\nthe list of 'hipcall': {NAMED}\n")
    );
    drop(server);

    // If no row can be checked, nobody is admitted and nothing is counted.
    let text = lab.text("list.csv");
    let lost: Vec<&str> = text
        .lines()
        .filter(|line| !line.contains(":main:"))
        .collect();
    lab.list("list.csv", lost.join("\n") + "\n");
    let service =
        format!("lockout_caller = \"1/15m/30m\"\nerror = [{{ dial = \"0\" }}]\n{HIPCALL}");
    configure(&lab, "[lists]\npepper_file = \"LAB/pepper\"", &service);
    let ran = lab.run(&["serve", "--config", "serve.toml", "--check"], "");
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert!(
        ran.err.contains("the pepper file has no key k0"),
        "{}",
        ran.err
    );
    let server = Server::start(&lab);
    assert_eq!(server.get("/health").status, 503);
    for number in ["+905060508164", "+905060508169"] {
        for _ in 0..2 {
            assert_eq!(server.call(number, "1004"), "dial");
        }
    }
}

/// Two services with the same list: rows loaded by one are checked by the other.
#[test]
fn conflicting_service_is_refused_before_and_after_another_loads_its_list() {
    let why = "required_level above 0 needs a csv list";
    let lab = lab();
    lab.list("list.csv", "1234\n");
    // Old enough to be answered from memory.
    let path = lab.path("list.csv");
    crate::server::until("an old list", || {
        let age = fs::metadata(&path).unwrap().modified().unwrap().elapsed();
        age.unwrap().as_secs() >= 3
    });
    let by_pin = format!("identify = \"pin\"\n{HIPCALL}");
    let other = format!(
        "[service.other]\npath = \"/other\"\nrequired_level = 5\nerror = [{{ dial = \"0\" }}]\n{by_pin}"
    );
    configure(&lab, "", &format!("{by_pin}{other}"));
    let server = Server::start(&lab);
    let body = r#"{"caller":"+905060508169","data":{"pin_code":"1234"}}"#;
    let conflicting = || server.ask("POST", "/other", &[], body).destination();
    assert_eq!(conflicting(), "dial");
    for _ in 0..2 {
        assert_eq!(server.call("+905060508169", "1234"), "1091");
        assert_eq!(conflicting(), "dial");
    }
    noted(&lab, why);
}
