//! Requests that come from elsewhere, or that are no browser's.

use crate::fixture::{lab, start, Browser, PASSWORD};
use crate::lab::http::{request, Connection};

const LOG_IN: &str = "name=ada&password=correct+horse";

#[test]
fn form_of_another_site_is_refused() {
    let lab = lab("");
    let server = start(&lab);
    let own = format!("http://{}", server.address);
    let mut browser = Browser::new(&server);
    for (headers, status) in [
        (&[("Sec-Fetch-Site", "cross-site")][..], 403),
        (&[("Sec-Fetch-Site", "same-site")], 403),
        (&[("Origin", "http://evil.example.net")], 403),
        (&[("Origin", "null")], 403),
        (&[("Origin", "http://127.0.0.1:1")], 403),
        (&[("Sec-Fetch-Site", "cross-site"), ("Origin", &own)], 403),
        (&[("Sec-Fetch-Site", "same-origin")], 303),
        (&[("Origin", &own)], 303),
    ] {
        let response = browser.send("POST", "/login", headers, LOG_IN);
        assert_eq!(response.status, status, "{headers:?}");
        if status == 403 {
            assert!(response.text().contains("sent from another site"));
            assert!(response.header("content-security-policy").is_some());
        }
    }
    let out = browser.send(
        "POST",
        "/logout",
        &[("Origin", "http://evil.example.net")],
        "",
    );
    assert_eq!(out.status, 403);
    assert_eq!(browser.get("/").status, 200);
}

#[test]
fn rebound_host_is_refused() {
    let lab = lab("hosts = [\"pbx.example.com\"]\n");
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    for (host, status) in [
        ("evil.example.net", 421),
        ("127.0.0.1.evil.example.net:5100", 421),
        ("", 421),
        ("localhost:5100", 200),
        ("pbx.example.com", 200),
    ] {
        let response = browser.send("GET", "/", &[("Host", host)], "");
        assert_eq!(response.status, status, "{host}");
        assert_eq!(
            response.text().contains("Add the name to hosts"),
            status == 421
        );
    }
    // Two hosts.
    let mut connection = Connection::new(server.address);
    let host = server.address.to_string();
    let headers = [("Host", host.as_str()), ("Host", "evil.example.net")];
    connection.send(&request("GET", "/login", &headers, ""));
    assert!([400, 421].contains(&connection.response().unwrap().status));
}

#[test]
fn every_answer_has_the_headers() {
    let lab = lab("");
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/login"),
        ("GET", "/style.css"),
        ("GET", "/changes.csv"),
        ("GET", "/none"),
        ("DELETE", "/"),
    ] {
        let response = browser.send(method, path, &[], "");
        for (name, value) in [
            (
                "content-security-policy",
                "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                 img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
            ),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cache-control", "no-store"),
            ("referrer-policy", "same-origin"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
        ] {
            assert_eq!(response.header(name), Some(value), "{method} {path}");
        }
    }
}

/// A link or an image of another site is a GET with the cookie.
#[test]
fn get_changes_nothing() {
    let lab = lab("");
    let server = start(&lab);
    let mut browser = Browser::logged_in(&server, "ada");
    for path in ["/logout", "/account/end-sessions"] {
        let response = browser.get(path);
        assert_eq!(response.status, 405, "{path}");
        assert!(response.text().contains("Use the button on the page."));
    }
    let query = format!("/login?{LOG_IN}");
    assert_eq!(browser.get(&query).header("set-cookie"), None);
    assert_eq!(browser.get("/").status, 200);
}

#[test]
fn body_that_is_no_form_or_too_large_is_refused() {
    let lab = lab("");
    let server = start(&lab);
    let mut browser = Browser::new(&server);
    let headers = [("Sec-Fetch-Site", "same-origin")];
    let long = format!("{LOG_IN}&next={}", "x".repeat(64 << 10));
    for (body, status) in [(LOG_IN, 303), (&long, 413), ("name=ada", 400), ("%", 400)] {
        let response = browser.send("POST", "/login", &headers, body);
        assert_eq!(response.status, status);
    }
    let json = [
        ("Sec-Fetch-Site", "same-origin"),
        ("Content-Type", "application/json"),
    ];
    let body = format!("{{\"name\":\"ada\",\"password\":\"{PASSWORD}\"}}");
    assert_eq!(browser.send("POST", "/login", &json, &body).status, 400);
}
