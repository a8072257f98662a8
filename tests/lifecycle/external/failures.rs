//! Failures of a service: the caller is never admitted, waits no longer than the
//! limits, and the log has the reason.

use std::time::Duration;

use anyhow::{ensure, Context, Result};
use harness::{Outcome, Pbx};

use super::service::{connect, gather, play, Answer, Service, PORT};
use super::{error, from_outside, on, path, Sets};
use crate::pin_sets::{becomes, log_lines, Want};
use crate::support::side_by_side;

/// A service that fails in one way.
struct Failure {
    name: &'static str,
    answers: Vec<Answer>,
    keys: &'static str,
    /// What the log says of it.
    logged: &'static str,
}

fn failure(name: &'static str, logged: &'static str, answers: Vec<Answer>) -> Failure {
    Failure {
        name,
        answers,
        keys: "",
        logged,
    }
}

fn entered(name: &'static str, logged: &'static str, answers: Vec<Answer>) -> Failure {
    Failure {
        keys: "<now>1# <now>2# <now>3# <now>4# <now>5# <now>6#",
        ..failure(name, logged, answers)
    }
}

/// An answer that would send the call on.
fn good() -> String {
    serde_json::json!({"version": "1", "seq": [connect("1091")]}).to_string()
}

fn failures() -> Vec<Failure> {
    let json = |body: &str| vec![Answer::json(body)];
    let http = |status: &str, headers: &[&str]| vec![Answer::http(status, headers, good())];
    let ok = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    let announced = |length: usize| format!("{ok}Content-Length: {length}\r\n\r\n");
    let blanks = " ".repeat(1 << 20);
    let trap = format!("Location: http://127.0.0.1:{PORT}/trap");
    let ask = |name: &str| Answer::seq(&[gather(name, (1, 4), None)]);
    let sequence = |actions: &str| json(&format!(r#"{{"version":"1","seq":[{actions}]}}"#));
    vec![
        failure("moved", "302", http("302 Found", &[&trap])),
        failure(
            "moved-for-good",
            "308",
            http("308 Permanent Redirect", &[&trap]),
        ),
        failure(
            "unauthorized",
            "401",
            http("401 Unauthorized", &["WWW-Authenticate: Basic"]),
        ),
        failure("not-found", "404", http("404 Not Found", &[])),
        failure("broken", "500", http("500 Internal Server Error", &[])),
        failure(
            "down",
            "503",
            http("503 Service Unavailable", &["Retry-After: 120"]),
        ),
        // No answer, or half of one.
        failure("closes", "", vec![Answer::default().close()]),
        failure(
            "cut-off",
            "",
            vec![Answer::raw(announced(500) + &good()).close()],
        ),
        failure(
            "cut-off-chunk",
            "",
            vec![Answer::raw(format!("{ok}Transfer-Encoding: chunked\r\n\r\nfff\r\n{{")).close()],
        ),
        failure(
            "no-http",
            "",
            vec![Answer::raw("SSH-2.0-OpenSSH_9.2p1\r\n").close()],
        ),
        // Too late.
        failure("silent", "timeout", vec![Answer::default().hang()]),
        failure(
            "dripping-head",
            "timeout",
            vec![Answer::default().drip(ok.repeat(9).as_bytes())],
        ),
        failure(
            "dripping",
            "timeout",
            vec![Answer::raw(announced(good().len())).drip(good().as_bytes())],
        ),
        failure(
            "late",
            "timeout",
            vec![Answer::json(good()).after(Duration::from_secs(3600))],
        ),
        // Too much.
        failure("megabyte", "65536", json(&(good() + &blanks))),
        failure(
            "endless",
            "65536",
            vec![Answer::raw(format!("{ok}\r\n{}{blanks}", good())).hang()],
        ),
        failure(
            "head-of-a-megabyte",
            "",
            vec![Answer::raw(format!(
                "{ok}X-Blanks: {}\r\n\r\n",
                "x".repeat(1 << 20)
            ))],
        ),
        failure("deep", "", json(&"[".repeat(60_000))),
        failure(
            "deep-object",
            "",
            json(&r#"{"version":"1","x":"#.repeat(3000)),
        ),
        // No answer of this protocol.
        failure("empty", "", json("")),
        failure(
            "no-content",
            "",
            vec![Answer::raw("HTTP/1.1 204 No Content\r\n\r\n")],
        ),
        failure(
            "not-json",
            "JSON",
            json("<html><body>It works!</body></html>"),
        ),
        failure(
            "not-utf-8",
            "",
            vec![Answer::json(b"{\"version\":\"1\",\"seq\":[],\"\xff\":1}")],
        ),
        failure("number", "", json("1091")),
        failure("list", "", json("[]")),
        failure("no-sequence", "seq", json(r#"{"version":"1"}"#)),
        failure(
            "other-version",
            "version",
            json(r#"{"version":"2","seq":[]}"#),
        ),
        failure("two-answers", "", json(&good().repeat(2))),
        failure("nothing", "", sequence("")),
        failure(
            "unknown-action",
            "record",
            sequence(r#"{"action":"record","args":{}}"#),
        ),
        failure(
            "no-destination",
            "destination",
            sequence(r#"{"action":"connect","args":{}}"#),
        ),
        failure("no-arguments", "seq[0]", sequence(r#"{"action":"gather"}"#)),
        failure(
            "local-file",
            "seq[0]: url",
            vec![Answer::seq(&[play("file:///etc/passwd"), connect("1091")])],
        ),
        // A good beginning is no promise.
        entered(
            "fails-later",
            "503",
            vec![ask("a"), ask("b"), http("503 Busy", &[]).remove(0)],
        ),
        entered(
            "silent-later",
            "timeout",
            vec![ask("a"), Answer::default().hang()],
        ),
        entered("asks-for-ever", "max_steps", vec![ask("a")]),
    ]
}

/// Hang up, go on, or go there.
const ON_ERROR: [&str; 3] = ["hangup", "continue", "goto:agents,1092,1"];

fn wanted(number: usize) -> Want {
    match number % ON_ERROR.len() {
        0 => error(),
        1 => error().outcome(Outcome::Continued),
        _ => error().went("agents,1092,1"),
    }
}

fn fails(pbx: &Pbx, failure: &Failure, want: &Want) -> Result<()> {
    // Far beyond the limits, and far before a service has dripped it all.
    let call = from_outside(failure.name, failure.keys).deadline(Duration::from_secs(45));
    becomes(pbx, &call, want)?;
    let set = format!("PIN set '{}'", failure.name);
    let lines = log_lines(pbx, &[&set, failure.logged])?;
    ensure!(lines.len() == 1, "the log says: {lines:#?}");
    Ok(())
}

#[test]
fn invalid_answers_end_in_error_with_the_reason_logged() {
    let failures = failures();
    let mut sets = Sets::new();
    for (number, failure) in failures.iter().enumerate() {
        let on_error = ON_ERROR[number % ON_ERROR.len()];
        sets = sets.set(
            failure.name,
            &format!("on_error = {on_error}\nmax_steps = 4"),
        );
    }
    on(sets.builder(), |pbx, service| {
        for failure in &failures {
            service.answers(&path(failure.name), &failure.answers)?;
        }
        service.answers("/trap", &[Answer::json(good())])?;
        let failed = std::sync::Mutex::new(Vec::new());
        side_by_side(failures.len(), 8, |number| {
            let failure = &failures[number];
            if let Err(error) = fails(pbx, failure, &wanted(number)) {
                let mut failed = failed
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                failed.push(format!("{}: {error:#}", failure.name));
            }
            Ok(())
        })?;
        let failed = failed.into_inner().unwrap_or_default();
        ensure!(failed.is_empty(), "{}", failed.join("\n"));
        ensure!(
            service.asked("/trap")?.is_empty(),
            "a redirect was followed"
        );
        asked_no_further(service)
    });
}

/// Checks that a service that fails gets no further request of the same call, and
/// that one that asks for ever gets no more than `max_steps`.
fn asked_no_further(service: &Service) -> Result<()> {
    for (set, times) in [("down", 1), ("fails-later", 3), ("asks-for-ever", 5)] {
        let asked = service.asked(&path(set))?.len();
        ensure!(asked == times, "{set}: asked {asked} times");
    }
    Ok(())
}

/// A port where nothing listens, and a service that reads no request.
#[test]
fn unreachable_service_ends_in_error() {
    const MUTE: u16 = 8081;
    let nowhere = "http://127.0.0.1:9/nowhere";
    let mute = format!("https://127.0.0.1:{MUTE}/mute");
    let sets = Sets::new()
        .at("nowhere", nowhere, "")
        // A handshake is part of the connection.
        .at("mute", &mute, "timeout = 60")
        .at("nameless", "https://no-such-host.invalid/", "");
    on(sets.builder(), |pbx, service| {
        service.listen_mute(MUTE)?;
        for set in ["nowhere", "mute", "nameless"] {
            let call = from_outside(set, "").deadline(Duration::from_secs(45));
            becomes(pbx, &call, &error()).context(set)?;
            let lines = log_lines(pbx, &[set])?;
            ensure!(!lines.is_empty(), "{set}: the log is silent");
        }
        Ok(())
    });
}
