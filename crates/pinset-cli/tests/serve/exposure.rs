//! Protection of a service that other machines can reach. The address of the socket
//! determines that, not `listen`.

use std::net::TcpListener;

use rustix::process::Signal;

use crate::client::basic;
use crate::lab::Lab;
use crate::restart::inherit;
use crate::server::{configure, lab, until, write, Server, HIPCALL, INGRESS, LOGS_AUTH};

const CALL: &str = r#"{"caller":"+905060508169","data":{"pin_code":"1234"}}"#;
const AUTH: &str = "auth = \"basic:LAB/logs.cred\"";

/// Writes the configuration of these tests with another address.
fn listen_on(lab: &Lab, address: &str, general: &str, service: &str) {
    configure(lab, general, service);
    let text = lab.text("serve.toml");
    write(lab, &text.replace("127.0.0.1:0", address));
}

fn check(lab: &Lab) -> crate::lab::Ran {
    lab.run(&["serve", "--config", "serve.toml", "--check"], "")
}

#[test]
fn inherited_public_socket_without_auth_is_refused() {
    let lab = lab();
    configure(&lab, "", HIPCALL);
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let ran = inherit(&lab, &listener, &["--config", "serve.toml"])
        .output()
        .unwrap();
    let err = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(3), "{err}");
    assert!(
        err.contains("serve.toml:9: [service.hipcall] auth is missing"),
        "{err}"
    );
}

#[test]
fn two_inherited_sockets_are_refused() {
    let lab = lab();
    configure(&lab, "", HIPCALL);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = inherit(&lab, &listener, &["--config", "serve.toml"]);
    command.env("SOCKETS", "2");
    let ran = command.output().unwrap();
    let err = String::from_utf8(ran.stderr).unwrap();
    assert!(
        ran.status.code() == Some(3) && err.contains("2 sockets"),
        "{err}"
    );
}

#[test]
fn reload_without_auth_on_public_socket_is_refused() {
    let lab = lab();
    let plain = "allow_plain_http = true";
    listen_on(&lab, "0.0.0.0:0", plain, &format!("{AUTH}\n{HIPCALL}"));
    let server = Server::start(&lab);
    assert_eq!(server.post(CALL).status, 401);
    configure(&lab, plain, HIPCALL);
    server.signal(Signal::HUP);
    until("a note", || {
        lab.text("err")
            .contains("the previous configuration stays in force")
    });
    let err = lab.text("err");
    assert!(
        err.contains("serve.toml:9: [service.hipcall] auth is missing"),
        "{err}"
    );
    assert_eq!(server.post(CALL).status, 401);
    // Plain HTTP is refused unless it is allowed.
    configure(&lab, "", &format!("{AUTH}\n{HIPCALL}"));
    server.signal(Signal::HUP);
    until("a note", || {
        lab.text("err")
            .contains("[service.hipcall] auth: credentials over plain HTTP")
    });
    let (name, value) = basic(LOGS_AUTH);
    let answer = server.ask("POST", INGRESS, &[(name, &value)], CALL);
    assert_eq!(answer.destination(), "1091");
}

#[test]
fn credentials_over_plain_http_require_permission() {
    let lab = lab();
    let logs = "[log] logs_auth: credentials over plain HTTP";
    let auth = "[service.hipcall] auth: credentials over plain HTTP";
    let bearer = "auth = \"bearer:LAB/logs.cred\"";
    let header = "auth = \"header:X-Key:LAB/logs.cred\"";
    for (address, general, service, said) in [
        ("0.0.0.0:0", "", AUTH, auth),
        ("[::]:0", "", bearer, auth),
        ("192.0.2.1:0", "", header, auth),
        ("0.0.0.0:0", "", "auth = \"none\"", logs),
        ("0.0.0.0:0", "allow_plain_http = false", AUTH, auth),
        ("0.0.0.0:0", "allow_plain_http = true", AUTH, ""),
        (
            "0.0.0.0:0",
            "trusted_proxies = [\"192.0.2.0/24\"]",
            AUTH,
            "",
        ),
        ("127.0.0.1:0", "", AUTH, ""),
        ("[::1]:0", "", AUTH, ""),
        ("[::ffff:127.0.0.1]:0", "", AUTH, ""),
    ] {
        listen_on(&lab, address, general, &format!("{service}\n{HIPCALL}"));
        let ran = check(&lab);
        let code = if said.is_empty() { 0 } else { 3 };
        assert_eq!(ran.code, code, "{address} {general}: {}", ran.err);
        assert!(ran.err.contains(said), "{address} {general}: {}", ran.err);
    }
}

/// With `trusted_proxies`, clients must use the proxy. A client on this machine is
/// trusted like the proxy.
#[test]
fn plain_http_bypassing_the_proxy_is_refused() {
    let lab = lab();
    let Some(address) = own_address() else {
        eprintln!("skipped: this machine has the loopback address only");
        return;
    };
    let proxy = "trusted_proxies = [\"203.0.113.1\"]";
    listen_on(
        &lab,
        &format!("{address}:0"),
        proxy,
        &format!("{AUTH}\n{HIPCALL}"),
    );
    let server = Server::start(&lab);
    let (name, value) = basic(LOGS_AUTH);
    for (method, path) in [("POST", INGRESS), ("GET", "/logs"), ("GET", "/logs.json")] {
        let answer = server.ask(method, path, &[(name, &value)], CALL);
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.text().contains("HTTPS"), "{}", answer.text());
    }
    assert_eq!(server.get("/health").status, 200);
    let proxy = format!("trusted_proxies = [\"{address}\"]");
    listen_on(
        &lab,
        &format!("{address}:0"),
        &proxy,
        &format!("{AUTH}\n{HIPCALL}"),
    );
    server.signal(Signal::HUP);
    until("a note", || lab.text("err").contains("serve.toml: loaded"));
    let answer = server.ask("POST", INGRESS, &[(name, &value)], CALL);
    assert_eq!(answer.destination(), "1091");
}

/// Returns an address of this machine that is not the loopback address.
fn own_address() -> Option<std::net::IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    // Connecting a UDP socket sends nothing.
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}
