//! Lists on a hung disk, and the cost of health checks.

use std::process::Command;

use crate::client::{request, Connection};
use crate::lab::Lab;
use crate::server::{configure, lab, until, Server, HIPCALL, INGRESS};

const CALL: &str = r#"{"caller":"+905060508169","data":{"pin_code":"1234"}}"#;
/// More than the service verifies concurrently.
const CALLS: usize = 100;

/// Starts the service with `hung.c` between it and the disk. That counts how often the
/// list is opened, and blocks while there is a FIFO at the gate.
fn start(lab: &Lab) -> Server {
    let library = lab.path("hung.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/serve/hung.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(&library);
    assert!(compiler.arg(source).status().unwrap().success());
    let mut command = lab.command(&["serve", "--config", "serve.toml"]);
    command
        .env("LD_PRELOAD", library)
        .env("SLOW_FILE", lab.path("list.csv"))
        .env("SLOW_OPENED", lab.path("opened"))
        .env("SLOW_GATE", lab.path("gate"));
    Server::run(lab, command)
}

/// Returns how often the list was opened.
fn opened(lab: &Lab) -> u64 {
    std::fs::metadata(lab.path("opened")).map_or(0, |about| about.len())
}

#[test]
fn hung_list_blocks_no_other_service() {
    let lab = lab();
    lab.list("other.csv", lab.text("list.csv"));
    let other = HIPCALL.replace("list.csv", "other.csv");
    let both = format!("{HIPCALL}[service.other]\npath = \"/other\"\n{other}");
    configure(&lab, "[lists]\nsource_timeout = 1", &both);
    let made = Command::new("mkfifo").arg(lab.path("gate")).status();
    assert!(made.unwrap().success());
    let server = start(&lab);
    let mut calls: Vec<_> = (0..CALLS)
        .map(|_| Connection::new(server.address))
        .collect();
    for call in &mut calls {
        call.send(&request("POST", INGRESS, &[], CALL));
    }
    // The service has abandoned these calls, but its threads still hang.
    for call in &mut calls {
        assert_eq!(call.response().unwrap().destination(), "1092");
    }
    assert!(opened(&lab) > 0);
    let answer = server.ask("POST", "/other", &[], CALL);
    assert_eq!(answer.destination(), "1091");
    let health = server.get("/health");
    assert_eq!(
        (health.status, health.text().as_str()),
        (503, "the list of 'hipcall' did not respond in time\n")
    );
    // Further health checks do not wait and start nothing.
    let before = opened(&lab);
    for _ in 0..CALLS {
        assert_eq!(server.get("/health").status, 503);
    }
    assert_eq!(opened(&lab), before);
    assert_eq!(server.rows("?outcome=error").len(), 50);
    // The disk responds again.
    let gate = std::fs::File::options().write(true).open(lab.path("gate"));
    std::fs::remove_file(lab.path("gate")).unwrap();
    drop(gate.unwrap());
    until("health", || server.get("/health").status == 200);
    assert_eq!(server.post(CALL).destination(), "1091");
}

/// The kernel knows without the disk that the list is still the one that was read.
#[test]
fn rows_in_memory_admit_while_the_disk_hangs() {
    let lab = lab();
    configure(&lab, "[lists]\nsource_timeout = 1", HIPCALL);
    let server = start(&lab);
    let known = || {
        let before = opened(&lab);
        assert_eq!(server.post(CALL).destination(), "1091");
        opened(&lab) == before
    };
    // A change within the last two seconds may not be visible in the stamp.
    until("a list that is known", known);
    let made = Command::new("mkfifo").arg(lab.path("gate")).status();
    assert!(made.unwrap().success());
    assert_eq!(server.post(CALL).destination(), "1091");
    // A list that has changed must be read.
    lab.list("list.csv", "account,secret,caller\n");
    assert_eq!(server.post(CALL).destination(), "1092");
    assert_eq!(server.rows("?outcome=error").len(), 1);
}

#[test]
fn call_of_disconnected_client_is_logged() {
    let lab = lab();
    configure(&lab, "[lists]\nsource_timeout = 1", HIPCALL);
    let server = start(&lab);
    assert_eq!(server.post(CALL).destination(), "1091");
    let made = Command::new("mkfifo").arg(lab.path("gate")).status();
    assert!(made.unwrap().success());
    // The list is read again.
    lab.list("list.csv", lab.text("list.csv"));
    let before = opened(&lab);
    let mut call = Connection::new(server.address);
    call.send(&request("POST", INGRESS, &[], CALL));
    until("a call", || opened(&lab) > before);
    drop(call);
    until("its row", || server.rows("?outcome=error").len() == 1);
}

/// Anybody can request health checks, so an unchanged list is not read again.
#[test]
fn health_check_does_not_reread_unchanged_list() {
    let lab = lab();
    configure(&lab, "", HIPCALL);
    let server = start(&lab);
    let asked = || {
        let before = opened(&lab);
        for _ in 0..20 {
            assert_eq!(server.get("/health").status, 200);
        }
        opened(&lab) == before
    };
    // A change within the last two seconds may not be visible in the stamp.
    until("a list that is known", asked);
    assert!(opened(&lab) > 0 && asked() && asked());
    lab.list("list.csv", "account,secret\nalice\n");
    assert_eq!(server.get("/health").status, 503);
}
