//! Limits of clients.

use std::time::Instant;

use crate::client::{request, Connection, PATIENCE};
use crate::server::{configure, lab, noted, Server, HIPCALL, INGRESS};

const CALL: &str = r#"{"caller":"+905060508169","data":{}}"#;

#[test]
fn invalid_request_gets_status_and_reason() {
    let lab = lab();
    let server = Server::hipcall(&lab);
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let nested = format!(r#"{{"data":{deep}}}"#);
    for body in [
        "",
        "x",
        "[]",
        "\"x\"",
        "{",
        "{\"data\":7}",
        "pin_code=1234",
        &deep,
        &nested,
    ] {
        let response = server.post(body);
        assert_eq!(response.status, 400, "{body:.20}");
        assert!(!response.text().contains("1234"));
    }
    assert_eq!(server.ask("GET", INGRESS, &[], "").status, 405);
    assert_eq!(
        server.ask("GET", INGRESS, &[], "").header("allow"),
        Some("POST")
    );
    assert_eq!(server.ask("POST", "/", &[], CALL).status, 404);
    assert_eq!(
        server.ask("POST", &format!("{INGRESS}/"), &[], CALL).status,
        404
    );
    // The query is not part of the path.
    assert_eq!(
        server
            .ask("POST", &format!("{INGRESS}?pin=1234"), &[], CALL)
            .status,
        200
    );
    for row in server.rows("") {
        assert_eq!(row["path"], INGRESS);
        assert!(!row.to_string().contains("1234"), "{row}");
    }
}

#[test]
fn body_is_limited_in_size_and_time() {
    let lab = lab();
    configure(&lab, "[limits]\nbody = 1000\nbody_timeout = 1", HIPCALL);
    let server = Server::start(&lab);
    let fits = format!("{CALL}{}", " ".repeat(1000 - CALL.len()));
    assert_eq!(server.post(&fits).status, 200);
    assert_eq!(server.post(&format!("{fits} ")).status, 413);
    // Without Content-Length, the size is only known at the end.
    let mut connection = Connection::new(server.address);
    connection.send(
        format!("POST {INGRESS} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
            .as_bytes(),
    );
    connection.send(format!("400\r\n{}", " ".repeat(1024)).as_bytes());
    assert_eq!(connection.response().unwrap().status, 413);
    // Sends a part of the body only.
    let mut connection = Connection::new(server.address);
    connection.send(
        format!("POST {INGRESS} HTTP/1.1\r\nHost: h\r\nContent-Length: 30\r\n\r\n{{").as_bytes(),
    );
    assert_eq!(connection.response().unwrap().status, 408);
    let statuses: Vec<_> = server
        .rows("")
        .iter()
        .map(|row| row["status"].clone())
        .collect();
    assert_eq!(statuses, [408, 413, 413, 200]);
}

/// A connection without a complete request is closed, even if bytes trickle in.
#[test]
fn slow_client_is_disconnected() {
    let lab = lab();
    configure(
        &lab,
        "[limits]\nhead_timeout = 1\nidle_timeout = 1",
        HIPCALL,
    );
    let server = Server::start(&lab);
    let silent = Connection::new(server.address);
    let mut dripping = Connection::new(server.address);
    let mut preface = Connection::new(server.address);
    preface.send(b"PRI * HT");
    let mut used = Connection::new(server.address);
    used.send(&request("POST", INGRESS, &[], CALL));
    assert_eq!(used.response().unwrap().status, 200);
    // Sends one byte at a time, endlessly.
    let began = Instant::now();
    for byte in b"POST / HTTP/1.1\r\nX: "
        .iter()
        .chain(std::iter::repeat(&b'x'))
    {
        if dripping.try_send(&[*byte]).is_err() {
            break;
        }
        assert!(began.elapsed() < PATIENCE);
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    for mut connection in [silent, dripping, preface, used] {
        assert!(connection.is_closed());
    }
    assert_eq!(server.post(CALL).status, 200);
}

/// Sends a call and returns whether it was answered.
fn is_served(connection: &mut Connection) -> bool {
    let sent = connection.try_send(&request("POST", INGRESS, &[], CALL));
    sent.is_ok()
        && connection
            .response()
            .is_some_and(|answer| answer.status == 200)
}

fn closed(server: &Server, reason: &str) -> u32 {
    let text = server.get("/metrics").text();
    let name = format!("pinset_connections_closed_total{{reason=\"{reason}\"}} ");
    let count = text.lines().find_map(|line| line.strip_prefix(&name));
    count.map_or(0, |count| count.parse().unwrap())
}

#[test]
fn longest_idle_connection_is_closed_for_new_one() {
    let lab = lab();
    configure(&lab, "[limits]\nconnections = 3", HIPCALL);
    let server = Server::start(&lab);
    let mut held: Vec<_> = (0..3).map(|_| Connection::new(server.address)).collect();
    for at in [0, 1, 2, 0] {
        assert!(is_served(&mut held[at]));
    }
    let mut next = Connection::new(server.address);
    assert!(is_served(&mut next));
    assert!(held[1].is_closed());
    assert!(is_served(&mut held[0]) && is_served(&mut held[2]));
    assert!(is_served(&mut next));
    // Each new connection closes the one before or one of the idle ones.
    for _ in 0..10 {
        assert_eq!(server.post(CALL).status, 200);
    }
    assert!(closed(&server, "full") >= 2);
    noted(&lab, "more than [limits] connections");
}

/// Connections with a request stay open, and the next one waits without being lost.
#[test]
fn connection_above_limit_waits_for_response_of_others() {
    let lab = lab();
    configure(&lab, "[limits]\nconnections = 2", HIPCALL);
    let server = Server::start(&lab);
    let (first, rest) = CALL.split_at(5);
    let head = format!(
        "POST {INGRESS} HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        CALL.len()
    );
    let mut busy: Vec<_> = (0..2).map(|_| Connection::new(server.address)).collect();
    for connection in &mut busy {
        connection.send(head.as_bytes());
        // The service reads the body, so the request has begun.
        assert_eq!(connection.response().unwrap().status, 100);
        connection.send(first.as_bytes());
    }
    let mut third = Connection::new(server.address);
    third.send(&request("POST", INGRESS, &[], CALL));
    for connection in &mut busy {
        connection.send(rest.as_bytes());
        assert_eq!(connection.response().unwrap().status, 200);
    }
    assert_eq!(third.response().unwrap().status, 200);
}

#[test]
fn address_has_limited_share_of_connections() {
    let lab = lab();
    let limits = "[limits]\nconnections = 10\nconnections_per_address = 2";
    configure(&lab, limits, HIPCALL);
    let server = Server::start(&lab);
    let mut held: Vec<_> = (0..3).map(|_| Connection::new(server.address)).collect();
    assert!(is_served(&mut held[2]));
    assert!(held[0].is_closed());
    assert!(is_served(&mut held[1]));
    assert!(closed(&server, "address") >= 1);
    // A trusted proxy has many clients.
    configure(
        &lab,
        &format!("trusted_proxies = [\"127.0.0.1\"]\n{limits}"),
        HIPCALL,
    );
    let server = Server::start(&lab);
    let mut held: Vec<_> = (0..8).map(|_| Connection::new(server.address)).collect();
    assert!(held.iter_mut().all(is_served));
    assert_eq!(closed(&server, "address"), 0);
}

/// This includes a TLS handshake that never starts.
#[test]
fn first_head_has_short_timeout() {
    let lab = lab();
    crate::tls::certify(&lab);
    for tls in ["", crate::tls::TLS] {
        let limits = "[limits]\nhead_timeout = 1\nidle_timeout = 3600";
        configure(&lab, &format!("{limits}\n{tls}"), HIPCALL);
        let server = Server::start(&lab);
        let mut silent = Connection::new(server.address);
        let mut half = Connection::new(server.address);
        half.send(if tls.is_empty() {
            b"POST / HTTP/1.1\r\n"
        } else {
            b"\x16\x03\x01\x02\x00"
        });
        assert!(silent.is_closed() && half.is_closed());
    }
}

#[test]
fn huge_head_is_refused() {
    let lab = lab();
    let server = Server::hipcall(&lab);
    let mut connection = Connection::new(server.address);
    let filler = "x".repeat(200 << 10);
    // The service may close before it has read everything.
    let _ = connection.try_send(format!("GET /health HTTP/1.1\r\nX: {filler}\r\n\r\n").as_bytes());
    let answer = connection.response();
    assert!(answer.is_none_or(|answer| answer.status == 431));
    assert_eq!(server.get("/health").status, 200);
}
