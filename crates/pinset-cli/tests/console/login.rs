//! Log-in, sessions and their end.

use crate::fixture::{add_user, database, lab, start, user, Browser, PASSWORD};
use crate::lab::server::noted;

#[test]
fn password_opens_a_session_and_nothing_else_does() {
    let lab = lab("");
    let server = start(&lab);
    let mut browser = Browser::new(&server);
    let page = browser.get("/changes?before=7");
    assert_eq!(page.status, 303);
    let next = "/login?next=%2Fchanges%3Fbefore%3D7";
    assert_eq!(page.header("location"), Some(next));
    assert!(browser
        .get(next)
        .text()
        .contains("value=\"/changes?before=7\""));
    for (name, password) in [
        ("ada", "correct horsf"),
        ("ada", ""),
        ("Ada", PASSWORD),
        ("", PASSWORD),
    ] {
        let response = browser.log_in(name, password);
        assert_eq!(response.status, 401, "{name} {password}");
        assert!(response
            .text()
            .contains("The name or the password is wrong."));
        assert_eq!(response.header("set-cookie"), None);
    }
    for cookie in ["pinset-0=x", &format!("pinset-{}=x", server.address.port())] {
        browser.cookie = Some(cookie.to_owned());
        assert_eq!(browser.get("/").status, 303);
    }
    let fields = [
        ("name", "ada"),
        ("password", PASSWORD),
        ("next", "/changes"),
    ];
    let response = browser.post("/login", &fields);
    assert_eq!(
        (response.status, response.header("location")),
        (303, Some("/changes"))
    );
    let page = browser.get("/");
    assert_eq!(page.status, 200);
    assert!(page.text().contains("ada (admin)"), "{}", page.text());
    let away = [
        ("name", "ada"),
        ("password", PASSWORD),
        ("next", "//evil.example.net"),
    ];
    assert_eq!(browser.post("/login", &away).header("location"), Some("/"));
}

#[test]
fn cookie_is_for_this_server_only_and_changes_with_each_log_in() {
    let lab = lab("");
    let server = start(&lab);
    let mut browser = Browser::new(&server);
    let response = browser.log_in("ada", PASSWORD);
    let cookie = response.header("set-cookie").unwrap();
    let (pair, attributes) = cookie.split_once("; ").unwrap();
    assert_eq!(attributes, "HttpOnly; SameSite=Lax; Path=/");
    let name = format!("pinset-{}", server.address.port());
    assert_eq!(pair.split('=').next(), Some(name.as_str()));
    let old = browser.cookie.clone();
    browser.log_in("ada", PASSWORD);
    assert_ne!(browser.cookie, old);
    // The session before the log-in is no longer one.
    browser.cookie = old;
    assert_eq!(browser.get("/").status, 303);
}

#[test]
fn cookie_behind_a_proxy_with_tls_is_secure() {
    let lab = lab("trusted_proxies = [\"127.0.0.1\"]\n");
    let server = start(&lab);
    let response = Browser::new(&server).log_in("ada", PASSWORD);
    let cookie = response.header("set-cookie").unwrap();
    let name = format!("__Host-pinset-{}=", server.address.port());
    assert!(cookie.starts_with(&name), "{cookie}");
    assert!(
        cookie.ends_with("; HttpOnly; SameSite=Lax; Secure; Path=/"),
        "{cookie}"
    );
}

#[test]
fn five_wrong_passwords_lock_the_name_at_the_address() {
    let lab = lab("trusted_proxies = [\"127.0.0.1\"]\n");
    let server = start(&lab);
    let mut browser = Browser::new(&server);
    let mut from = |address: &str, password: &str| {
        let body = format!("name=ada&password={password}");
        let headers = [
            ("X-Forwarded-For", address),
            ("Sec-Fetch-Site", "same-origin"),
        ];
        browser.send("POST", "/login", &headers, &body)
    };
    for _ in 0..4 {
        assert_eq!(from("192.0.2.1", "wrong").status, 401);
    }
    for password in ["wrong", "correct+horse"] {
        let locked = from("192.0.2.1", password);
        assert_eq!(locked.status, 429);
        assert!(locked
            .text()
            .contains("Too many wrong passwords. Try again in 30 min."));
        let seconds: u64 = locked.header("retry-after").unwrap().parse().unwrap();
        assert!((1700..=1800).contains(&seconds), "{seconds}");
    }
    assert_eq!(from("192.0.2.2", "correct+horse").status, 303);
    noted(
        &lab,
        "wrong password, locked out: user=ada client=192.0.2.1",
    );
}

#[test]
fn session_ends_after_30_minutes_idle_or_12_hours() {
    let lab = lab("");
    let server = start(&lab);
    for (column, seconds, status) in [
        ("seen", 1790, 200),
        ("seen", 1801, 303),
        ("began", 43_190, 200),
        ("began", 43_201, 303),
    ] {
        let mut browser = Browser::logged_in(&server, "ada");
        let shift = format!("UPDATE sessions SET {column} = {column} - {seconds}");
        assert!(database(&lab, &shift) > 0);
        assert_eq!(browser.get("/").status, status, "{column} {seconds}");
        let _ = browser.post("/logout", &[]);
    }
}

#[test]
fn session_ends_with_the_log_out_and_everywhere() {
    let lab = lab("");
    let server = start(&lab);
    let mut first = Browser::logged_in(&server, "ada");
    let mut second = Browser::logged_in(&server, "ada");
    let cookie = first.cookie.clone();
    let out = first.post("/logout", &[]);
    assert_eq!((out.status, out.header("location")), (303, Some("/login")));
    assert_eq!(first.cookie, None);
    first.cookie = cookie;
    assert_eq!(first.get("/").status, 303);
    assert_eq!(second.get("/").status, 200);
    let mut third = Browser::logged_in(&server, "ada");
    assert_eq!(third.post("/account/end-sessions", &[]).status, 303);
    assert_eq!(second.get("/").status, 303);
}

#[test]
fn session_ends_when_the_user_changes_or_goes() {
    let lab = lab("");
    for name in ["bob", "eve", "max"] {
        add_user(&lab, name, "viewer");
    }
    let server = start(&lab);
    let changes: [(&str, &dyn Fn()); 3] = [
        ("bob", &|| {
            assert_eq!(user(&lab, &["passwd", "bob"]).code, 0);
        }),
        ("eve", &|| {
            assert_eq!(user(&lab, &["remove", "eve"]).code, 0);
        }),
        ("max", &|| {
            let text = lab
                .text("console.users")
                .replace("max:viewer", "max:operator");
            std::fs::write(lab.path("console.users"), text).unwrap();
        }),
    ];
    let mut ada = Browser::logged_in(&server, "ada");
    for (name, change) in changes {
        let mut browser = Browser::logged_in(&server, name);
        assert_eq!(browser.get("/").status, 200);
        change();
        assert_eq!(browser.get("/").status, 303, "{name}");
    }
    assert_eq!(ada.get("/").status, 200);
    // Nobody is let in by a file that is not valid.
    lab.file("console.users", "ada:admin:plain:1234\n", 0o640);
    assert_eq!(ada.get("/").status, 503);
    assert_eq!(Browser::new(&server).log_in("ada", "1234").status, 401);
    noted(
        &lab,
        "users file: nobody can log in: line 1: the hash must be an Argon2id one",
    );
}

#[test]
fn password_is_needed_again_after_five_minutes() {
    let lab = lab("");
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    database(&lab, "UPDATE sessions SET confirmed = confirmed - 301");
    let headers = [
        ("Sec-Fetch-Site", "same-origin"),
        ("Referer", &*format!("http://{}/account", server.address)),
    ];
    let needed = browser.send("POST", "/account/end-sessions", &headers, "");
    assert_eq!(needed.status, 403);
    assert!(needed.text().contains("This needs your password again."));
    assert!(
        needed.text().contains("value=\"/account\""),
        "{}",
        needed.text()
    );
    assert_eq!(browser.get("/").status, 200);
    let confirm = |browser: &mut Browser<'_>, password| {
        browser.post("/confirm", &[("password", password), ("next", "/account")])
    };
    assert_eq!(confirm(&mut browser, "wrong").status, 401);
    let again = browser.post("/account/end-sessions", &[]);
    assert_eq!(again.status, 403);
    let confirmed = confirm(&mut browser, PASSWORD);
    assert_eq!(
        (confirmed.status, confirmed.header("location")),
        (303, Some("/account"))
    );
    assert_eq!(browser.post("/account/end-sessions", &[]).status, 303);
    assert_eq!(browser.get("/").status, 303);
}

/// The trail of changes is a condition of the log-in, too.
#[test]
fn log_in_that_can_not_be_recorded_is_refused() {
    let lab = lab("");
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    database(&lab, "ALTER TABLE changes RENAME TO gone");
    assert_eq!(Browser::new(&server).log_in("ada", PASSWORD).status, 503);
    // Sessions are not ended unrecorded.
    assert_eq!(browser.post("/account/end-sessions", &[]).status, 503);
    assert_eq!(browser.get("/").status, 200);
    noted(
        &lab,
        "the trail of changes can't be written, so nothing was changed",
    );
}

#[test]
fn password_and_token_are_stored_nowhere() {
    let lab = lab("");
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    // A password that is entered as the name.
    let _ = Browser::new(&server).log_in(PASSWORD, "ada");
    let cookie = browser.cookie.clone().unwrap();
    let token = cookie.split('=').next_back().unwrap().to_owned();
    assert!(!browser.get("/changes").text().contains(PASSWORD));
    assert!(server.stop().success());
    for file in ["err", "console.db", "console.db-wal", "console.users"] {
        let bytes = std::fs::read(lab.path(file)).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(PASSWORD) && !text.contains(&token), "{file}");
    }
}
