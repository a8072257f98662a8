//! Connections to services: kept alive, shared, not opened needlessly, and independent
//! of the environment.

use std::time::Duration;

use anyhow::{ensure, Result};
use harness::Ongoing;

use super::service::{connect, gather, Answer, PORT};
use super::{answers, error, from_outside, on, path, Sets};
use crate::pin_sets::{becomes, is_logged, log_lines, passed, refused};
use crate::support::{eventually, side_by_side};

const SUCCESS: &str = "success_destinations = 1091";

/// One after the other, calls of one service share one connection.
#[test]
fn sequential_calls_share_a_connection() {
    let sets = Sets::new().set("people", SUCCESS).set("others", SUCCESS);
    on(sets.builder(), |pbx, service| {
        let script = [
            Answer::seq(&[gather("pin_code", (1, 1), None)]),
            Answer::seq(&[connect("1091")]),
        ];
        for _ in 0..4 {
            for set in ["people", "others"] {
                service.answers(&format!("/{set}"), &script)?;
                let call = from_outside(set, "<now>7");
                becomes(pbx, &call, &passed().went("agents,1091,1"))?;
            }
        }
        ensure!(service.asked("/people")?.len() == 8);
        let connections = service.connections(PORT)?;
        ensure!(connections == 1, "{connections} connections");
        // A connection that the service has closed meanwhile is opened again.
        service.deafen(PORT)?;
        service.listen(PORT)?;
        answers(service, "people", &[&[connect("1091")]])?;
        let call = from_outside("people", "");
        becomes(pbx, &call, &passed().went("agents,1091,1"))?;
        ensure!(service.connections(PORT)? == 2);
        Ok(())
    });
}

/// One caller's slow answer is no other's: all are asked for at once.
#[test]
fn concurrent_requests_do_not_wait_for_each_other() {
    const CALLS: usize = 50;
    let sets = Sets::new()
        .set("slow", "timeout = 60")
        .set("quick", SUCCESS);
    on(sets.builder(), |pbx, service| {
        service.answers("/slow", &[Answer::default().hang()])?;
        answers(service, "quick", &[&[connect("1091")]])?;
        let slow: Vec<Ongoing<'_>> = (0..CALLS)
            .map(|_| pbx.place(&from_outside("slow", "")))
            .collect::<Result<_>>()?;
        service.until_asked("/slow", CALLS)?;
        let quick = from_outside("quick", "");
        becomes(pbx, &quick, &passed().went("agents,1091,1"))?;
        // Sees that each has its channel, and hangs it up.
        for mut call in slow {
            call.until("its application", |frame| {
                frame.event() == Some("Newexten") && frame.has("Application", "Authenticate")
            })?;
            call.hang_up()?;
            refused("HANGUP").check(&call.finish()?)?;
        }
        Ok(())
    });
}

/// A service that is dead does not hold caller after caller for the whole
/// time; when it is back, so are they.
#[test]
fn failing_service_is_suspended_and_delays_no_call() {
    const OPENS: usize = 5;
    let sets = Sets::new()
        .set("dead", &format!("{SUCCESS}\ntimeout = 2"))
        .set("forbids", "")
        .set("errs", "")
        .set("garbles", "")
        .set("created", SUCCESS)
        .set("bad-gateway", "")
        .set("unavailable", "")
        .set("gateway-timeout", "");
    on(sets.builder(), |pbx, service| {
        service.answers("/dead", &[Answer::default().hang()])?;
        let dead = from_outside("dead", "").deadline(Duration::from_secs(45));
        side_by_side(OPENS, OPENS, |_| becomes(pbx, &dead, &error()).map(drop))?;
        ensure!(service.asked("/dead")?.len() == OPENS);
        for _ in 0..3 {
            becomes(pbx, &dead, &error())?;
        }
        let asked = service.asked("/dead")?.len();
        ensure!(asked == OPENS, "asked {asked} times");
        is_logged(pbx, &["dead"])?;
        // A service that answers with an error is there, unless that says that it
        // is not: what one caller enters can't shut out the others.
        for (set, answer, asked) in [
            ("forbids", Answer::http("403 Forbidden", &[], ""), OPENS + 2),
            (
                "errs",
                Answer::http("500 Internal Server Error", &[], ""),
                OPENS + 2,
            ),
            ("garbles", Answer::json("wrong PIN"), OPENS + 2),
            (
                "bad-gateway",
                Answer::http("502 Bad Gateway", &[], ""),
                OPENS,
            ),
            (
                "unavailable",
                Answer::http("503 Service Unavailable", &[], ""),
                OPENS,
            ),
            (
                "gateway-timeout",
                Answer::http("504 Gateway Timeout", &[], ""),
                OPENS,
            ),
        ] {
            service.answers(&path(set), &[answer])?;
            for _ in 0..OPENS + 2 {
                becomes(pbx, &from_outside(set, ""), &error())?;
            }
            let times = service.asked(&path(set))?.len();
            ensure!(times == asked, "{set}: asked {times} times");
        }
        // Any status of success is an answer.
        let body = serde_json::json!({"version": "1", "seq": [connect("1091")]});
        let created = Answer::http("201 Created", &[], body.to_string());
        service.answers("/created", &[created])?;
        let call = from_outside("created", "");
        becomes(pbx, &call, &passed().went("agents,1091,1"))?;
        answers(service, "dead", &[&[connect("1091")]])?;
        eventually("it is asked again", || {
            Ok(pbx.call(&dead)?.status() == "SUCCESS")
        })?;
        becomes(pbx, &dead, &passed().went("agents,1091,1")).map(drop)
    });
}

const SECRET: &str = "Hunter2-%s-Swordfish";

/// Credentials are sent as configured, and shown to nobody.
#[test]
fn credentials_are_sent_and_never_shown() {
    let sets = Sets::new()
        .set("basic", &format!("auth = basic:/pins/basic\n{SUCCESS}"))
        .set("bearer", &format!("auth = bearer:/pins/key\n{SUCCESS}"))
        .set(
            "header",
            &format!("auth = header:X-Api-Key:/pins/key\n{SUCCESS}"),
        )
        .set("none", &format!("auth = none\n{SUCCESS}"))
        .set("wrong", "auth = bearer:/pins/key")
        .set("readable", "auth = bearer:/pins/readable")
        .set("missing", "auth = bearer:/pins/missing");
    let builder = sets
        .builder()
        .debug(5)
        .pin_file_of_mode("basic", format!("hipcall:{SECRET}\n"), 0o600)
        .pin_file_of_mode("key", format!("{SECRET}\n"), 0o600)
        .pin_file_of_mode("readable", format!("{SECRET}\n"), 0o644);
    on(builder, |pbx, service| {
        use base64::prelude::{Engine as _, BASE64_STANDARD};
        let basic = BASE64_STANDARD.encode(format!("hipcall:{SECRET}"));
        let wanted = [
            ("basic", "authorization", format!("Basic {basic}")),
            ("bearer", "authorization", format!("Bearer {SECRET}")),
            ("header", "x-api-key", SECRET.to_owned()),
            ("none", "authorization", String::new()),
        ];
        for (set, header, value) in &wanted {
            answers(service, set, &[&[connect("1091")]])?;
            becomes(pbx, &from_outside(set, ""), &passed().went("agents,1091,1"))?;
            let asked = service.asked(&format!("/{set}"))?;
            ensure!(asked[0].header(header) == value, "{:?}", asked[0]);
            ensure!(!asked[0].headers.contains_key("cookie"));
        }
        let no = Answer::http("401 Unauthorized", &[], SECRET);
        service.answers("/wrong", &[no])?;
        // Without its credentials, nobody is asked.
        for set in ["wrong", "readable", "missing"] {
            becomes(pbx, &from_outside(set, ""), &error())?;
            ensure!(!log_lines(pbx, &[set])?.is_empty(), "{set}");
        }
        for set in ["readable", "missing"] {
            ensure!(service.asked(&format!("/{set}"))?.is_empty(), "{set}");
        }
        let shown = pbx.cli("authenticate show pinset basic")? + &pbx.log()? + &pbx.console()?;
        for secret in [SECRET, basic.as_str()] {
            ensure!(!shown.contains(secret), "{secret} is shown");
        }
        Ok(())
    });
}

/// What stands in Asterisk's environment and home is for other programs.
#[test]
fn proxy_environment_and_netrc_are_ignored() {
    let sets = Sets::new().set("people", SUCCESS);
    let mut builder = sets.builder();
    for name in [
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "HTTPS_PROXY",
        "ALL_PROXY",
    ] {
        builder = builder.environment(name, "http://127.0.0.1:9");
    }
    on(builder, |pbx, service| {
        let netrc = "machine 127.0.0.1 login somebody password else\n";
        pbx.write_file("/root/.netrc", netrc)?;
        answers(service, "people", &[&[connect("1091")]])?;
        let call = from_outside("people", "");
        becomes(pbx, &call, &passed().went("agents,1091,1"))?;
        let asked = service.asked("/people")?;
        ensure!(asked[0].header("authorization").is_empty(), "{asked:?}");
        Ok(())
    });
}
