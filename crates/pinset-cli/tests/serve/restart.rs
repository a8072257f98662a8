//! Restarts under load.

use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::thread;

use rustix::process::Signal;

use crate::client::{request, Connection};
use crate::lab::Lab;
use crate::server::{configure, lab, Server, HIPCALL, INGRESS};

const RESTARTS: u32 = 4;
const CALL: &str = r#"{"caller":"+905060508169","data":{"pin_code":"1234"}}"#;

/// Starts `pinset serve` with inherited sockets, as systemd does. `SOCKETS` is their
/// number.
pub(crate) fn inherit(lab: &Lab, listener: &TcpListener, arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            "LISTEN_PID=$$ LISTEN_FDS=${SOCKETS:-1} exec \"$0\" serve \"$@\" 3<&0 4<&0 </dev/null",
            env!("CARGO_BIN_EXE_pinset"),
        ])
        .args(arguments)
        .current_dir(lab.path(""))
        .stdin(Stdio::from(std::os::fd::OwnedFd::from(
            listener.try_clone().unwrap(),
        )));
    command
}

fn start(lab: &Lab, listener: &TcpListener) -> Server {
    Server::run(lab, inherit(lab, listener, &["--config", "serve.toml"]))
}

fn call(connection: &mut Connection) -> Option<String> {
    connection
        .try_send(&request("POST", INGRESS, &[], CALL))
        .ok()?;
    Some(connection.response()?.destination())
}

#[test]
fn restart_under_load_loses_no_call() {
    let lab = lab();
    configure(&lab, "", HIPCALL);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let mut server = start(&lab, &listener);
    assert_eq!(server.address, address);
    let (over, calls) = (AtomicBool::new(false), AtomicU32::new(0));
    thread::scope(|scope| {
        // Clients that connect for each call, and clients that keep a connection until
        // the service announces its end.
        for keeps in [false, false, true, true] {
            let (over, calls) = (&over, &calls);
            scope.spawn(move || {
                let mut kept: Option<Connection> = None;
                while !over.load(Relaxed) {
                    let mut connection = kept.take().unwrap_or_else(|| Connection::new(address));
                    connection
                        .try_send(&request("POST", INGRESS, &[], CALL))
                        .unwrap();
                    let response = connection.response().expect("an answer");
                    assert_eq!(response.destination(), "1091");
                    calls.fetch_add(1, Relaxed);
                    let ends = response.header("connection") == Some("close");
                    kept = Some(connection).filter(|_| keeps && !ends);
                }
            });
        }
        for _ in 0..RESTARTS {
            let before = calls.load(Relaxed);
            crate::server::until("calls", || calls.load(Relaxed) > before + 100);
            server.signal(Signal::TERM);
            assert!(server.wait().success());
            server = start(&lab, &listener);
        }
        over.store(true, Relaxed);
    });
    // The log has all calls.
    assert!(server.stop().success());
    let database = rusqlite::Connection::open(lab.path("log.db")).unwrap();
    let rows: u32 = database
        .query_row("SELECT count(*) FROM log", [], |row| row.get(0))
        .unwrap();
    assert_eq!(rows, calls.load(Relaxed));
}

#[test]
fn idle_connection_does_not_delay_stop() {
    let lab = lab();
    let mut server = Server::hipcall(&lab);
    let mut idle = Connection::new(server.address);
    assert_eq!(call(&mut idle).as_deref(), Some("1091"));
    let mut silent = Connection::new(server.address);
    assert_eq!(server.get("/health").status, 200);
    server.signal(Signal::TERM);
    assert!(server.wait().success());
    assert!(idle.is_closed() && silent.is_closed());
    assert!(!lab.text("err").contains("did not end in time"));
}
