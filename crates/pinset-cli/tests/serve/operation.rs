//! Health, metrics and signals.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use rustix::process::Signal;

use crate::client::{request, Connection};
use crate::server::{configure, lab, until, Server, HIPCALL, INGRESS};

const ALICE: &str = "+905060508169";

#[test]
fn health_covers_lists_and_log() {
    let lab = lab();
    let server = Server::hipcall(&lab);
    assert_eq!(server.get("/health").status, 200);
    std::fs::remove_file(lab.path("list.csv")).unwrap();
    let health = server.get("/health");
    assert_eq!(health.status, 503);
    assert_eq!(health.text(), "the list of 'hipcall' can't be used\n");
    lab.list("list.csv", "account,secret,caller\n");
    assert_eq!(server.get("/health").status, 200);
}

#[test]
fn metrics_count_requests_and_outcomes() {
    let lab = lab();
    let server = Server::hipcall(&lab);
    server.call(ALICE, "1234");
    server.call(ALICE, "1234");
    server.call(ALICE, "1");
    server.post("x");
    server.get("/none");
    let text = server.get("/metrics").text();
    for line in [
        "pinset_requests_total{service=\"hipcall\",status=\"200\"} 3",
        "pinset_requests_total{service=\"hipcall\",status=\"400\"} 1",
        "pinset_requests_total{service=\"\",status=\"404\"} 1",
        "pinset_outcomes_total{service=\"hipcall\",outcome=\"success\"} 2",
        "pinset_outcomes_total{service=\"hipcall\",outcome=\"failure\"} 1",
        "pinset_outcomes_total{service=\"hipcall\",outcome=\"error\"} 0",
        "pinset_lockouts_total{service=\"hipcall\",kind=\"pinset\"} 0",
        "pinset_request_duration_seconds_count 5",
        "pinset_log_lost_total 0",
        "# EOF",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

/// `increase()` of Prometheus misses what a counter has when it is first seen.
#[test]
fn counters_begin_at_0() {
    let lab = lab();
    let text = Server::hipcall(&lab).get("/metrics").text();
    let outcomes = ["success", "failure", "expired", "locked", "error"];
    let outcomes = outcomes
        .map(|word| format!("pinset_outcomes_total{{service=\"hipcall\",outcome=\"{word}\"}} 0"));
    let kinds = ["caller", "account", "pinset"];
    let kinds =
        kinds.map(|word| format!("pinset_lockouts_total{{service=\"hipcall\",kind=\"{word}\"}} 0"));
    let reasons = ["full", "address", "refused"];
    let reasons =
        reasons.map(|word| format!("pinset_connections_closed_total{{reason=\"{word}\"}} 0"));
    for line in outcomes.iter().chain(&kinds).chain(&reasons) {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

/// An invalid configuration is refused, a valid one is put in force, and no connection
/// is lost.
#[test]
fn sighup_reloads_configuration() {
    let lab = lab();
    let server = Server::hipcall(&lab);
    let mut kept = Connection::new(server.address);
    let ask = |connection: &mut Connection| {
        let body = format!(r#"{{"caller":"{ALICE}","data":{{"pin_code":"1234"}}}}"#);
        connection.send(&request("POST", INGRESS, &[], &body));
        connection.response().unwrap().destination()
    };
    assert_eq!(ask(&mut kept), "1091");
    configure(
        &lab,
        "",
        &HIPCALL
            .replace("1091", "1095")
            .replace("gather.ask", "gather.aks"),
    );
    server.signal(Signal::HUP);
    until("a note", || {
        lab.text("err")
            .contains("the previous configuration stays in force")
    });
    assert!(
        lab.text("err")
            .contains("serve.toml:14: [service.hipcall] gather.aks: unknown field `aks`"),
        "{}",
        lab.text("err")
    );
    assert_eq!(ask(&mut kept), "1091");
    configure(&lab, "", &HIPCALL.replace("1091", "1095"));
    server.signal(Signal::HUP);
    until("a note", || lab.text("err").contains("serve.toml: loaded"));
    assert_eq!(ask(&mut kept), "1095");
    assert_eq!(server.call(ALICE, "1234"), "1095");
}

/// Pending requests are answered, idle connections closed, and the log is complete.
#[test]
fn sigterm_answers_pending_requests() {
    for signal in [Signal::TERM, Signal::INT] {
        let lab = lab();
        let mut server = Server::hipcall(&lab);
        let mut idle = Connection::new(server.address);
        idle.send(&request("GET", "/health", &[], ""));
        assert_eq!(idle.response().unwrap().status, 200);
        let body = format!(r#"{{"caller":"{ALICE}","data":{{"pin_code":"1234"}}}}"#);
        let whole = request("POST", INGRESS, &[], &body);
        let (first, rest) = whole.split_at(whole.len() - 5);
        let mut half = Connection::new(server.address);
        half.send(first);
        let mut fresh = Connection::new(server.address);
        // They have been accepted, because a later connection has been.
        assert_eq!(server.get("/health").status, 200);
        server.signal(signal);
        assert!(idle.is_closed());
        half.send(rest);
        // This request is on its way when the service stops.
        fresh.send(&whole);
        for mut connection in [half, fresh] {
            let response = connection.response().unwrap();
            assert_eq!(response.header("connection"), Some("close"));
            assert_eq!(response.destination(), "1091");
            assert!(connection.is_closed());
        }
        assert!(server.wait().success());
        let database = rusqlite::Connection::open(lab.path("log.db")).unwrap();
        let rows: i64 = database
            .query_row("SELECT count(*) FROM log", [], |row| row.get(0))
            .unwrap();
        assert_eq!(rows, 2);
    }
}

/// The reader of the messages may hang, which fills the pipe.
#[test]
fn blocked_standard_error_does_not_stop_service() {
    let lab = lab();
    let pipe = lab.path("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let mut full = File::options();
    let full = full.read(true).write(true).custom_flags(nonblocking);
    let mut full = full.open(&pipe).unwrap();
    while full.write(&[b'x'; 4096]).is_ok() {}
    configure(&lab, "", HIPCALL);
    let err = File::options().write(true).open(&pipe).unwrap();
    let command = lab.command(&["serve", "--config", "serve.toml"]);
    let server = Server::run_with(&lab, command, err);
    let (name, value) = crate::client::basic("admin:other");
    for page in ["/logs", "/logs.json"] {
        assert_eq!(server.ask("GET", page, &[(name, &value)], "").status, 401);
    }
    // Waits for the check at the start of the service.
    assert_eq!(server.get("/health").status, 200);
    std::fs::remove_file(lab.path("list.csv")).unwrap();
    assert_eq!(server.get("/health").status, 503);
    assert_eq!(server.call(ALICE, "1234"), "1092");
    server.signal(Signal::HUP);
    lab.list("list.csv", crate::server::LIST);
    assert_eq!(server.call(ALICE, "1234"), "1091");
}
