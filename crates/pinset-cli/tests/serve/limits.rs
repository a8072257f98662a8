//! What no client may do.

use std::time::Instant;

use crate::client::{request, Connection, PATIENCE};
use crate::server::{configure, lab, Server, INGRESS, SEED};

const CALL: &str = r#"{"caller":"+905060508169","data":{}}"#;

#[test]
fn what_is_no_call() {
    let lab = lab();
    let server = Server::seed(&lab);
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
    // The query is no part of the path.
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
fn a_body_has_a_size_and_a_time() {
    let lab = lab();
    configure(&lab, "[limits]\nbody = 1000\nbody_timeout = 1", SEED);
    let server = Server::start(&lab);
    let fits = format!("{CALL}{}", " ".repeat(1000 - CALL.len()));
    assert_eq!(server.post(&fits).status, 200);
    assert_eq!(server.post(&format!("{fits} ")).status, 413);
    // As it is found out where it is not told.
    let mut connection = Connection::new(server.address);
    connection.send(
        format!("POST {INGRESS} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
            .as_bytes(),
    );
    connection.send(format!("400\r\n{}", " ".repeat(1024)).as_bytes());
    assert_eq!(connection.response().unwrap().status, 413);
    // A part of it, and nothing more.
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

/// A connection without a request does not stay, whatever trickles in on it.
#[test]
fn slow_clients_are_dropped() {
    let lab = lab();
    configure(&lab, "[limits]\nidle_timeout = 1", SEED);
    let server = Server::start(&lab);
    let silent = Connection::new(server.address);
    let mut dripping = Connection::new(server.address);
    let mut preface = Connection::new(server.address);
    preface.send(b"PRI * HT");
    let mut used = Connection::new(server.address);
    used.send(&request("POST", INGRESS, &[], CALL));
    assert_eq!(used.response().unwrap().status, 200);
    // A byte at a time, for ever.
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

/// Those who come above the limit wait; they are not lost.
#[test]
fn connections_are_limited() {
    let lab = lab();
    configure(&lab, "[limits]\nconnections = 2\nidle_timeout = 1", SEED);
    let server = Server::start(&lab);
    let mut held: Vec<_> = (0..2).map(|_| Connection::new(server.address)).collect();
    for connection in &mut held {
        connection.send(&request("POST", INGRESS, &[], CALL));
        assert_eq!(connection.response().unwrap().status, 200);
    }
    let metrics = |connection: &mut Connection| {
        connection.send(&request("GET", "/metrics", &[], ""));
        connection.response().unwrap().text()
    };
    let mut third = Connection::new(server.address);
    third.send(&request("POST", INGRESS, &[], CALL));
    let first = held.first_mut().unwrap();
    let counted = "pinset_requests_total{service=\"hipcall\",status=\"200\"} 2";
    assert!(metrics(first).contains(counted));
    // Those who idle make room.
    assert_eq!(third.response().unwrap().status, 200);
}
