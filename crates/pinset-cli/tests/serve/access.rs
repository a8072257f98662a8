//! Credentials of requests.

use crate::client::basic;
use crate::server::{configure, lab, noted, write, Server, HIPCALL, INGRESS};

const CALL: &str = r#"{"caller":"+905060508169","data":{"pin_code":"1234"}}"#;

#[test]
fn request_requires_the_credential() {
    let lab = lab();
    lab.file("basic.cred", "pbx:four words: of it\n", 0o600);
    lab.file("token.cred", "t0ken-of-the-pbx\n", 0o600);
    let right = basic("pbx:four words: of it");
    let wrong = basic("pbx:other");
    let (right, wrong) = ((right.0, right.1.as_str()), (wrong.0, wrong.1.as_str()));
    let bearer = ("Authorization", "Bearer t0ken-of-the-pbx");
    let header = ("X-Api-Key", "t0ken-of-the-pbx");
    for (auth, admitted, refused) in [
        (
            "basic:LAB/basic.cred",
            right,
            [Some(wrong), Some(bearer), None],
        ),
        (
            "bearer:LAB/token.cred",
            bearer,
            [
                Some(("Authorization", "Bearer t0ken-of-the-pby")),
                Some(header),
                None,
            ],
        ),
        (
            "header:X-Api-Key:LAB/token.cred",
            header,
            [Some(("X-Api-Key", "other-key")), Some(bearer), None],
        ),
    ] {
        configure(&lab, "", &format!("auth = \"{auth}\"\n{HIPCALL}"));
        let server = Server::start(&lab);
        assert_eq!(
            server.ask("POST", INGRESS, &[admitted], CALL).destination(),
            "1091"
        );
        for credential in refused {
            let headers: Vec<_> = credential.into_iter().collect();
            let response = server.ask("POST", INGRESS, &headers, CALL);
            assert_eq!(response.status, 401, "{auth} {credential:?}");
            assert!(!response.text().contains("1091"));
            let challenge = response.header("www-authenticate");
            assert_eq!(challenge.is_some(), !auth.starts_with("header"), "{auth}");
        }
        let rows = server.rows("?status=401");
        assert!(rows.len() >= 3, "{rows:?}");
        for row in rows {
            // The log has nothing of the body.
            assert_eq!(row["request"], "");
            assert_eq!(row["caller"], "");
            assert_eq!(row["outcome"], "unauthorized");
            assert_eq!(row["client"], "127.0.0.1");
        }
        assert!(server.stop().success());
    }
    for file in ["err", "log.db", "log.db-wal"] {
        let bytes = std::fs::read(lab.path(file)).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        assert!(
            !text.contains("t0ken-of") && !text.contains("four words"),
            "{file}"
        );
        assert!(!text.contains("other-key"), "{file}");
    }
}

/// It needs the loopback address or explicit configuration.
#[test]
fn service_without_auth_is_never_accidental() {
    let lab = lab();
    let check = |listen: &str, auth: &str| {
        write(
            &lab,
            &format!(
                "listen = \"{listen}\"\nallow_plain_http = true\n[service.a]\n{auth}\n{HIPCALL}"
            ),
        );
        lab.run(&["serve", "--config", "serve.toml", "--check"], "")
    };
    for (listen, auth, code) in [
        ("127.0.0.1:5000", "", 0),
        ("[::1]:5000", "", 0),
        ("0.0.0.0:5000", "", 3),
        ("[::]:5000", "", 3),
        ("0.0.0.0:5000", "auth = \"none\"", 0),
        ("0.0.0.0:5000", "auth = \"basic:LAB/logs.cred\"", 0),
    ] {
        let ran = check(listen, auth);
        assert_eq!(ran.code, code, "{listen} {auth} {}", ran.err);
        assert_eq!(
            ran.err.contains("auth is missing"),
            code == 3,
            "{}",
            ran.err
        );
    }
}

#[test]
fn credential_file_needs_permissions_of_pepper_file() {
    let lab = lab();
    for (text, mode, said) in [
        ("a:b", 0o600, ""),
        ("a:b", 0o400, ""),
        ("a:b", 0o604, "others have rights"),
        ("a:b", 0o660, "its group may do more"),
        ("ab", 0o600, "must be user:password"),
        ("", 0o600, "one line"),
        ("a:b\nc:d\n", 0o600, "one line"),
    ] {
        lab.file("a.cred", text, mode);
        configure(&lab, "", &format!("auth = \"basic:LAB/a.cred\"\n{HIPCALL}"));
        let ran = lab.run(&["serve", "--config", "serve.toml", "--check"], "");
        assert_eq!(ran.code, if said.is_empty() { 0 } else { 3 }, "{}", ran.err);
        assert!(ran.err.contains(said), "{}", ran.err);
    }
    configure(
        &lab,
        "",
        &format!("auth = \"basic:LAB/none.cred\"\n{HIPCALL}"),
    );
    let ran = lab.run(&["serve", "--config", "serve.toml", "--check"], "");
    assert!(
        ran.code == 3 && ran.err.contains("serve.toml:10: [service.hipcall] auth: "),
        "{}",
        ran.err
    );
}

/// The log has the address that a trusted proxy forwards, and no other forwarded one.
#[test]
fn log_has_client_address_from_trusted_proxy_only() {
    let lab = lab();
    let forwarded = [("X-Forwarded-For", "198.51.100.7, 203.0.113.9")];
    for (proxies, client) in [
        ("", "127.0.0.1"),
        ("trusted_proxies = [\"127.0.0.0/8\"]", "203.0.113.9"),
    ] {
        configure(&lab, proxies, HIPCALL);
        let server = Server::start(&lab);
        server.ask("POST", INGRESS, &forwarded, CALL);
        assert_eq!(server.rows("")[0]["client"], client);
    }
}

/// A tunnel such as ngrok makes a service on the loopback address public.
#[test]
fn forwarded_request_needs_auth_unless_auth_is_none() {
    let lab = lab();
    let server = Server::hipcall(&lab);
    assert_eq!(server.ask("POST", INGRESS, &[], CALL).destination(), "1091");
    let headers = [
        ("X-Forwarded-For", "203.0.113.9"),
        ("Forwarded", "for=203.0.113.9"),
    ];
    for header in headers {
        let response = server.ask("POST", INGRESS, &[header], CALL);
        assert_eq!(response.status, 403, "{header:?}");
        assert!(response.text().contains("auth"), "{}", response.text());
    }
    noted(&lab, "service 'hipcall': forwarded by a proxy or tunnel");
    assert!(server.stop().success());
    assert_eq!(lab.text("err").matches("tunnel").count(), 1);

    configure(&lab, "", &format!("auth = \"none\"\n{HIPCALL}"));
    let server = Server::start(&lab);
    for header in headers {
        assert_eq!(
            server.ask("POST", INGRESS, &[header], CALL).destination(),
            "1091"
        );
    }
    assert!(server.stop().success());

    lab.file("pbx.cred", "pbx:four words", 0o600);
    configure(
        &lab,
        "",
        &format!("auth = \"basic:LAB/pbx.cred\"\n{HIPCALL}"),
    );
    let server = Server::start(&lab);
    let right = basic("pbx:four words");
    let headers = [headers[0], (right.0, right.1.as_str())];
    assert_eq!(
        server.ask("POST", INGRESS, &headers, CALL).destination(),
        "1091"
    );
}
