//! `hangup_url`: the end of a call is reported, off the call's path.

use anyhow::{ensure, Result};
use serde_json::Value;

use super::service::{connect, gather, hangup, Answer, Service, PORT};
use super::{answers, from_outside, on, Sets, CALLEE, CALLER};
use crate::pin_sets::{becomes, log_lines, passed, refused};
use crate::support::{eventually, side_by_side};

const SECRET: &str = "Hunter2-Swordfish";

fn options(path: &str) -> String {
    format!("success_destinations = 1091\nhangup_url = http://127.0.0.1:{PORT}/{path}")
}

/// Waits for this many reports. Returns what they say of the calls.
fn reports(service: &Service, path: &str, count: usize) -> Result<Vec<Value>> {
    service.until_asked(path, count)?;
    let posts = service.posts(path)?;
    ensure!(posts.len() == count, "{posts:#?}");
    for post in &posts {
        ensure!(post["event"] == "call_hangup", "{post}");
    }
    Ok(posts
        .into_iter()
        .map(|mut post| post["data"].take())
        .collect())
}

#[test]
fn call_that_has_ended_is_reported_with_uuid_outcome_and_destination() {
    let sets = Sets::new()
        .set(
            "in",
            &format!("auth = bearer:/pins/key\n{}", options("ended")),
        )
        .set("out", &options("ended-out"))
        .set(
            "elsewhere",
            &format!(
                "auth = bearer:/pins/key\nhangup_url = http://localhost:{PORT}/ended-elsewhere"
            ),
        )
        .set("down", &options("ended-down"));
    let builder = sets.builder().pin_file_of_mode("key", SECRET, 0o600);
    on(builder, |pbx, service| {
        for path in ["/ended", "/ended-out", "/ended-elsewhere"] {
            service.answers(path, &[Answer::http("204 No Content", &[], "")])?;
        }
        let ask = gather("pin_code", (1, 4), None);
        answers(service, "in", &[&[ask], &[connect("1091")]])?;
        let call = from_outside("in", "<now>7351");
        becomes(pbx, &call, &passed().went("agents,1091,1"))?;
        let report = &reports(service, "/ended", 1)?[0];
        let posts = service.posts("/in")?;
        ensure!(report["uuid"] == posts[0]["uuid"], "{report}");
        ensure!(report["outcome"] == "SUCCESS", "{report}");
        ensure!(
            report["destination"] == "1091" && report["attempts"] == 1,
            "{report}"
        );
        ensure!(report["caller_number"] == CALLER, "{report}");
        ensure!(report["callee_number"] == CALLEE, "{report}");
        ensure!(report["call_duration"].is_u64(), "{report}");
        ensure!(!report.to_string().contains("7351"), "{report}");
        // The credential goes to the service's own host and port, and no further.
        let asked = service.asked("/ended")?;
        ensure!(asked[0].header("authorization") == format!("Bearer {SECRET}"));

        answers(service, "out", &[&[hangup()]])?;
        becomes(pbx, &from_outside("out", ""), &refused("FAILURE"))?;
        let report = &reports(service, "/ended-out", 1)?[0];
        ensure!(report["outcome"] == "FAILURE", "{report}");
        ensure!(report["destination"].is_null(), "{report}");

        answers(service, "elsewhere", &[&[connect("1092")]])?;
        let sales = refused("FAILURE").went("agents,1092,1");
        becomes(pbx, &from_outside("elsewhere", ""), &sales)?;
        reports(service, "/ended-elsewhere", 1)?;
        let asked = service.asked("/ended-elsewhere")?;
        ensure!(asked[0].header("authorization").is_empty());

        // A receiver that is down changes nothing for the call; the log says so once.
        service.answers(
            "/ended-down",
            &[Answer::http("503 Service Unavailable", &[], "")],
        )?;
        for count in 1..=2 {
            answers(service, "down", &[&[connect("1091")]])?;
            let call = from_outside("down", "");
            becomes(pbx, &call, &passed().went("agents,1091,1"))?;
            service.until_asked("/ended-down", count)?;
        }
        eventually("a line in the log", || {
            Ok(!log_lines(pbx, &["call_hangup is lost: HTTP 503"])?.is_empty())
        })?;
        let lines = log_lines(pbx, &["call_hangup is lost"])?;
        ensure!(lines.len() == 1, "{lines:#?}");
        Ok(())
    });
}

#[test]
fn destination_that_shows_the_pin_is_not_reported() {
    let sets = Sets::new().set("echo", &options("ended"));
    on(sets.builder(), |pbx, service| {
        service.answers("/ended", &[Answer::json("{}")])?;
        let ask = gather("pin_code", (1, 4), None);
        answers(service, "echo", &[&[ask], &[connect("735100")]])?;
        let call = from_outside("echo", "<now>7351");
        becomes(pbx, &call, &refused("FAILURE").went("agents,735100,1"))?;
        let report = &reports(service, "/ended", 1)?[0];
        ensure!(report["destination"].is_null(), "{report}");
        ensure!(!report.to_string().contains("7351"), "{report}");
        Ok(())
    });
}

/// More calls end than reports may be under way; the receiver answers none of them.
#[test]
fn receiver_that_hangs_delays_neither_calls_nor_the_unload() {
    const CALLS: usize = 30;
    const CONCURRENT: usize = 20;
    let sets = Sets::new().set("mute", &format!("{}\ntimeout = 60", options("ended")));
    on(sets.builder(), |pbx, service| {
        service.answers("/ended", &[Answer::default().hang()])?;
        answers(service, "mute", &[&[connect("1091")]])?;
        let call = from_outside("mute", "");
        side_by_side(CALLS, 10, |_| {
            becomes(pbx, &call, &passed().went("agents,1091,1")).map(drop)
        })?;
        service.until_asked("/ended", CONCURRENT)?;
        let asked = service.asked("/ended")?.len();
        ensure!(asked == CONCURRENT, "{asked} at a time");
        // The first unload gives the reports up; they end at once, not with the timeout.
        eventually("the module is unloaded", || {
            let printed = pbx.cli("module unload app_authenticate_rs.so")?;
            Ok(printed.contains("Unloaded"))
        })?;
        ensure!(service.asked("/ended")?.len() == CONCURRENT);
        Ok(())
    });
}
