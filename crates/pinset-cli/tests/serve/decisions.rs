//! Decisions about calls.

use std::fs;

use crate::server::{configure, lab, noted, Server, HIPCALL};

fn call(caller: &str, uuid: &str, data: &str) -> String {
    format!(r#"{{"caller":"{caller}","uuid":"{uuid}","data":{{{data}}}}}"#)
}

const ALICE: &str = "+905060508169";

#[test]
fn wrong_pin_is_prompted_for_again() {
    let lab = lab();
    let service = format!(
        "attempts = 3\nlockout_caller = \"no\"\n{HIPCALL}gather.ask_again = \"https://h/again.mp3\"\n"
    );
    configure(&lab, "", &service);
    let server = Server::start(&lab);
    let post =
        |uuid: &str, pin: &str| server.post(&call(ALICE, uuid, &format!(r#""pin_code":"{pin}""#)));
    let again = post("one", "1111");
    assert_eq!(again.json()["seq"][0]["args"]["ask"], "https://h/again.mp3");
    assert_eq!(post("two", "1111").destination(), "pin_code");
    assert_eq!(post("one", "2222").destination(), "pin_code");
    assert_eq!(post("one", "3333").destination(), "1092");
    // The call has failed, even if the PBX posts again.
    assert_eq!(post("one", "1234").destination(), "1092");
    assert_eq!(server.post(&call(ALICE, "one", "")).destination(), "1092");
    // Other calls are independent, also after a restart.
    assert!(server.stop().success());
    let server = Server::start(&lab);
    let post =
        |uuid: &str, pin: &str| server.post(&call(ALICE, uuid, &format!(r#""pin_code":"{pin}""#)));
    assert_eq!(post("one", "1234").destination(), "1092");
    assert_eq!(post("two", "1111").destination(), "pin_code");
    assert_eq!(post("two", "1234").destination(), "1091");
    assert_eq!(post("two", "1234").destination(), "1091");
    // Without a uuid, the call has one attempt.
    assert_eq!(server.call(ALICE, "1111"), "1092");
}

#[test]
fn disabled_row_admits_nobody_and_is_logged_as_expired() {
    let lab = lab();
    let list = |enabled: &str| format!("account,secret,enabled\nalice,plain:1234,{enabled}\n");
    configure(&lab, "", &format!("identify = \"pin\"\n{HIPCALL}"));
    lab.list("list.csv", list("no"));
    let server = Server::start(&lab);
    assert_eq!(server.call(ALICE, "1234"), "1092");
    assert_eq!(server.rows("?outcome=expired")[0]["account"], "alice");
    lab.list("list.csv", list("yes"));
    assert_eq!(server.call(ALICE, "1234"), "1091");
}

#[test]
fn pin_alone_identifies_row() {
    let lab = lab();
    lab.list("list.csv", "account,secret\nalice,plain:1234\n");
    configure(&lab, "", &format!("identify = \"pin\"\n{HIPCALL}"));
    let server = Server::start(&lab);
    for (pin, goes) in [("1234", "1091"), ("1235", "1092"), ("", "pin_code")] {
        assert_eq!(server.call("anonymous", pin), goes);
    }
    assert_eq!(server.rows("?outcome=success")[0]["account"], "alice");
    // A plain list has one PIN per line.
    lab.list("list.csv", "4711\n0815\n");
    for (pin, goes) in [("4711", "1091"), ("0815", "1091"), ("1234", "1092")] {
        assert_eq!(server.call("anonymous", pin), goes, "{pin}");
    }
}

#[test]
fn account_is_prompted_for_first() {
    let lab = lab();
    lab.list(
        "list.csv",
        "account,secret\n100,plain:1234\n200,plain:5678\n",
    );
    configure(
        &lab,
        "",
        &format!("identify = \"account\"\n{HIPCALL}[service.hipcall.account]\nmax_digits = 6\n"),
    );
    let server = Server::start(&lab);
    let post = |data: &str| server.post(&call("anonymous", "", data));
    let first = post("");
    assert_eq!(first.destination(), "account_number");
    assert_eq!(first.json()["seq"][0]["args"]["max_digits"], 6);
    assert_eq!(post(r#""account_number":"100""#).destination(), "pin_code");
    for (account, pin, goes) in [
        ("100", "1234", "1091"),
        ("100", "5678", "1092"),
        ("200", "5678", "1091"),
        ("300", "5678", "1092"),
        ("", "1234", "account_number"),
    ] {
        let data = format!(r#""account_number":"{account}","pin_code":"{pin}""#);
        assert_eq!(post(&data).destination(), goes, "{account} {pin}");
    }
}

/// As in the module, and also after a restart.
#[test]
fn too_many_wrong_pins_lock_caller_out() {
    let lab = lab();
    let locked = "locked = [\"hangup\"]\n";
    let list =
        "account,secret,caller\nalice,plain:1234,+905060508169\nbob,plain:1234,+905060508170\n";
    lab.list("list.csv", list);
    configure(
        &lab,
        "",
        &format!("lockout_caller = \"3/15m/30m\"\n{locked}{HIPCALL}"),
    );
    let server = Server::start(&lab);
    assert_eq!(server.call(ALICE, "1111"), "1092");
    assert_eq!(server.call(ALICE, "1111"), "1092");
    // The attempt that causes the lockout.
    assert_eq!(server.call("05060508169", "1111"), "hangup");
    assert_eq!(server.call("905060508169", "1234"), "hangup");
    // The caller is prompted for nothing.
    assert_eq!(server.post(&call(ALICE, "", "")).destination(), "hangup");
    assert_eq!(server.call("+905060508170", "1234"), "1091");
    let metrics = server.get("/metrics").text();
    assert!(
        metrics.contains("pinset_lockouts_total{service=\"hipcall\",kind=\"caller\"} 3"),
        "{metrics}"
    );
    assert!(server.stop().success());
    let server = Server::start(&lab);
    assert_eq!(server.call(ALICE, "1234"), "hangup");
    assert_eq!(server.rows("?outcome=locked").len(), 4);
    // Without actions for it, a lockout is a failure.
    configure(
        &lab,
        "",
        &format!("lockout_caller = \"3/15m/30m\"\n{HIPCALL}"),
    );
    drop(server);
    assert_eq!(Server::start(&lab).call(ALICE, "1234"), "1092");
}

#[test]
fn unusable_list_admits_nobody() {
    let lab = lab();
    configure(
        &lab,
        "",
        &format!("error = [{{ dial = \"0\" }}]\n{HIPCALL}"),
    );
    let server = Server::start(&lab);
    assert_eq!(server.call(ALICE, "1234"), "1091");
    let good = lab.text("list.csv");
    for (text, mode, said) in [
        ("account\nx\n", 0o640, "needs a csv list"),
        (good.as_str(), 0o646, "can be written to by everybody"),
        (
            "account,secret,caller,max_uses\nalice,plain:1234,+905060508169,5\n",
            0o640,
            "counts no uses",
        ),
        // In another row than the caller's.
        (
            "account,secret,caller,max_uses\nalice,plain:1234,+905060508169,\n\
             bob,plain:1234,+905060508170,5\n",
            0o640,
            "line 3: max_uses: ",
        ),
        (
            "account,secret,caller,context\nalice,plain:1234,+905060508169,\n\
             bob,plain:1234,+905060508170,inside\n",
            0o640,
            "line 3: context: ",
        ),
        (
            "account,secret,caller\nalice,hmac-sha256:k:00,+905060508169\n",
            0o640,
            "hmac",
        ),
    ] {
        lab.file("list.csv", text, mode);
        let expected = if text.contains("hmac") {
            "1092"
        } else {
            "dial"
        };
        assert_eq!(server.call(ALICE, "1234"), expected, "{text}");
        crate::server::until(said, || lab.text("err").contains(said));
    }
    fs::remove_file(lab.path("list.csv")).unwrap();
    assert_eq!(server.call(ALICE, "1234"), "dial");
    noted(&lab, "can't be read");
    // The next entry finds the change on the disk.
    lab.list("list.csv", &good);
    assert_eq!(server.call(ALICE, "1234"), "1091");
    assert_eq!(server.rows("?outcome=error").len(), 6);
}

#[test]
fn every_form_of_secret_is_verified() {
    let lab = lab();
    lab.pepper();
    let mut list = "account,secret,caller\n".to_owned();
    for (at, form) in [
        &["--argon2id"][..],
        &["--hmac-sha256", "--pepper", "pepper"],
        &["--md5"],
        &["--plain"],
    ]
    .into_iter()
    .enumerate()
    {
        let ran = lab.run(&[&["hash"], form].concat(), "1234\n");
        assert_eq!(ran.code, 0, "{}", ran.err);
        list.push_str(&format!("a{at},{},+90506050816{at}\n", ran.out.trim()));
    }
    lab.list("list.csv", list);
    configure(&lab, "[lists]\npepper_file = \"LAB/pepper\"", HIPCALL);
    let server = Server::start(&lab);
    for at in 0..4 {
        let caller = format!("+90506050816{at}");
        assert_eq!(server.call(&caller, "1234"), "1091", "{at}");
        assert_eq!(server.call(&caller, "4321"), "1092", "{at}");
    }
}

/// Each path has a list and counts of its own.
#[test]
fn services_have_separate_lists_and_counts() {
    let lab = lab();
    lab.list(
        "other.csv",
        "account,secret,caller\nbob,plain:5678,+905060508169\n",
    );
    let other = HIPCALL
        .replace("LAB/list.csv", "LAB/other.csv")
        .replace("1091", "1093");
    configure(
        &lab,
        "",
        &format!(
            "lockout_caller = \"1/15m/30m\"\n{HIPCALL}[service.other]\npath = \"/other\"\n{other}"
        ),
    );
    let server = Server::start(&lab);
    let post = |path: &str, pin: &str| {
        let data = format!(r#""pin_code":"{pin}""#);
        server
            .ask("POST", path, &[], &call(ALICE, "", &data))
            .destination()
    };
    assert_eq!(post("/other", "5678"), "1093");
    assert_eq!(post("/other", "1234"), "1092");
    assert_eq!(server.call(ALICE, "5678"), "1092");
    assert_eq!(post("/other", "5678"), "1093");
    assert_eq!(server.call(ALICE, "1234"), "1092");
    assert_eq!(server.rows("?path=/other").len(), 3);
}

#[test]
fn unknown_caller_is_prompted_for_nothing() {
    let lab = lab();
    configure(&lab, "", HIPCALL);
    let server = Server::start(&lab);
    for caller in ["\"anonymous\"", "\"\"", "null"] {
        for data in ["", r#""pin_code":"1234""#] {
            let body = format!(r#"{{"caller":{caller},"data":{{{data}}}}}"#);
            assert_eq!(server.post(&body).destination(), "1092", "{body}");
        }
    }
    assert_eq!(server.rows("?outcome=failure").len(), 6);
    // With an account number, any caller may match a row.
    let account = "no_caller = \"account\"\n";
    configure(
        &lab,
        "",
        &format!("{account}{HIPCALL}[service.hipcall.account]\n"),
    );
    drop(server);
    let server = Server::start(&lab);
    let asked = server.post(&call("anonymous", "", ""));
    assert_eq!(asked.destination(), "account_number");
}

#[test]
fn silent_call_is_prompted_as_often_as_attempts_but_at_least_three_times() {
    let lab = lab();
    let again = "gather.ask_again = \"https://h/again.mp3\"\n";
    for (attempts, most) in [(1, 3), (3, 3), (5, 5)] {
        let options = format!("attempts = {attempts}\nlockout_caller = \"no\"\n{HIPCALL}{again}");
        configure(&lab, "", &options);
        let server = Server::start(&lab);
        let ask = |uuid: &str| server.post(&call(ALICE, uuid, ""));
        for at in 0..most {
            let asked = ask("one");
            assert_eq!(asked.destination(), "pin_code", "{at} of {most}");
            let sound = asked.json()["seq"][0]["args"]["ask"].clone();
            let is_again = sound == "https://h/again.mp3";
            assert_eq!(is_again, at > 0, "{sound}");
        }
        for _ in 0..3 {
            assert_eq!(ask("one").destination(), "1092");
        }
        assert_eq!(ask("two").destination(), "pin_code");
        // A late entry is verified anyway.
        let late = server.post(&call(ALICE, "one", r#""pin_code":"1234""#));
        assert_eq!(late.destination(), "1091");
    }
}

#[test]
fn prompts_without_uuid_are_limited() {
    let lab = lab();
    configure(&lab, "", HIPCALL);
    let server = Server::start(&lab);
    // In any spelling of the number.
    let callers = [ALICE, "05060508169", "00905060508169"];
    let asked = || {
        let mut posts = (0..200).map(|at| {
            let caller = callers[at % callers.len()];
            server.post(&call(caller, "", "")).destination()
        });
        posts.position(|answer| answer == "1092")
    };
    assert_eq!(asked(), Some(60));
    // Calls with a uuid are still prompted, because anybody can show the number.
    assert_eq!(
        server.post(&call(ALICE, "one", "")).destination(),
        "pin_code"
    );
    // An entry, even a wrong one, resets the count.
    assert_eq!(server.call(ALICE, "1111"), "1092");
    assert_eq!(asked(), Some(60));
}

/// Only success returns an attempt, because the entry may have been compared.
#[test]
fn error_uses_up_an_attempt_of_the_call() {
    let lab = lab();
    lab.list(
        "list.csv",
        "account,secret,caller\nalice,hmac-sha256:k:\
         0000000000000000000000000000000000000000000000000000000000000000,+905060508169\n",
    );
    let error = "error = [{ dial = \"0\" }]\n";
    configure(&lab, "", &format!("attempts = 2\n{error}{HIPCALL}"));
    let server = Server::start(&lab);
    let post = || server.post(&call(ALICE, "one", r#""pin_code":"1234""#));
    assert_eq!(post().destination(), "dial");
    assert_eq!(post().destination(), "dial");
    assert_eq!(post().destination(), "1092");
}

/// A PBX posts an empty entry for a silent caller.
#[test]
fn empty_entry_is_prompted_for_again_and_is_not_a_failure() {
    let lab = lab();
    configure(
        &lab,
        "",
        &format!("lockout_caller = \"1/15m/30m\"\n{HIPCALL}"),
    );
    let server = Server::start(&lab);
    let post = |uuid: &str, pin: &str| {
        let data = format!(r#""pin_code":"{pin}""#);
        server.post(&call(ALICE, uuid, &data)).destination()
    };
    for _ in 0..3 {
        assert_eq!(post("silent", ""), "pin_code");
    }
    assert_eq!(post("silent", ""), "1092");
    // Neither the only attempt of the call nor a failure was counted.
    assert_eq!(post("late", ""), "pin_code");
    assert_eq!(post("late", "1234"), "1091");
    let rows = server.rows("?uuid=silent");
    let outcomes: Vec<_> = rows.iter().map(|row| row["outcome"].as_str()).collect();
    assert_eq!(
        outcomes,
        [
            Some("failure"),
            Some("gather"),
            Some("gather"),
            Some("gather")
        ]
    );
}

#[test]
fn call_flow_is_handled_like_callflow() {
    let lab = lab();
    let server = Server::hipcall(&lab);
    for name in ["callflow", "call_flow"] {
        let flow = format!(r#""{name}":[{{"timestamp":1729721495,"action":"init"}}]"#);
        let body = format!(r#"{{"caller":"{ALICE}",{flow},"data":{{}}}}"#);
        assert_eq!(server.post(&body).destination(), "pin_code");
        let request = server.rows("")[0]["request"].to_string();
        assert!(request.contains("1729721495"), "{request}");
    }
}

#[test]
fn list_with_too_many_accounts_per_number_is_refused_with_reason() {
    let lab = lab();
    let mut list = "account,secret,caller\n".to_owned();
    for account in 0..501 {
        list.push_str(&format!("a{account},plain:1{account:03},{ALICE}\n"));
    }
    lab.list("list.csv", &list);
    configure(&lab, "", HIPCALL);
    let checked = lab.run(&["serve", "--config", "serve.toml", "--check"], "");
    let why = format!(
        "line 502: more than 500 accounts have rows for the number {ALICE}: \
         leave their caller empty and use identify = pin or account"
    );
    assert_eq!(checked.code, 3);
    let names = |said: &str| said.contains("list.csv") && said.contains(&why);
    assert!(names(&checked.err), "{}", checked.err);
    let checked = lab.run(&["check", "list.csv"], "");
    assert_eq!(checked.code, 2);
    let said = checked.out.clone() + &checked.err;
    assert!(names(&said), "{said}");
    let server = Server::start(&lab);
    assert_eq!(server.call(ALICE, "1001"), "1092");
    assert_eq!(server.rows("")[0]["outcome"], "error");
}
