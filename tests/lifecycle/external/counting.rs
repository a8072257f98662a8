//! Which attempts at a web service count as wrong, and when.

use std::time::Duration;

use anyhow::{ensure, Context, Result};
use harness::{Ongoing, Pbx};

use super::service::{connect, gather, Answer, Service};
use super::{error, from_outside, on, path, Sets};
use crate::pin_sets::{becomes, call, passed, refused, Want};
use crate::support::side_by_side;

/// One wrong entry locks the caller out.
const ONE: &str = "lockout_caller = 1/10m/10m\nsuccess_destinations = 1091";
const TWO: &str = "lockout_caller = 2/10m/10m\nsuccess_destinations = 1091";

fn ask(variable: &str) -> Answer {
    Answer::seq(&[gather(variable, (1, 4), None)])
}

fn right() -> Answer {
    Answer::seq(&[connect("1091")])
}

fn admitted() -> Want {
    passed().went("agents,1091,1")
}

fn locked() -> Want {
    refused("LOCKED").whatever_keyed()
}

/// Places a call that enters a digit at the first prompt, and waits until that
/// is posted.
fn posted<'a>(pbx: &'a Pbx, service: &Service, set: &str) -> Result<Ongoing<'a>> {
    let asked = service.asked(&path(set))?.len();
    let mut ongoing = pbx.place(&from_outside(set, "<now>1#"))?;
    ongoing.until("its digits", |frame| {
        frame.event() == Some("DTMFEnd") && frame.has("Digit", "#")
    })?;
    service.until_asked(&path(set), asked + 2)?;
    Ok(ongoing)
}

fn hang_up(ongoing: Ongoing<'_>) -> Result<()> {
    ongoing.hang_up()?;
    refused("HANGUP").check(&ongoing.finish()?)
}

/// The answers to a wrong entry by services of all kinds, and whether they count.
fn answers_to_an_entry() -> Vec<(&'static str, Answer, bool)> {
    let ok = "HTTP/1.1 200 OK\r\n";
    let announced = format!("{ok}Content-Length: 1000\r\n\r\n");
    let http = |status| Answer::http(status, &[], "");
    vec![
        ("no-content", http("204 No Content"), true),
        ("moved", http("302 Found"), true),
        ("unauthorized", http("401 Unauthorized"), true),
        ("missing", http("404 Not Found"), true),
        ("failing", http("500 Internal Server Error"), true),
        ("busy", http("503 Service Unavailable"), true),
        ("no-json", Answer::json("wrong PIN"), true),
        ("too-large", Answer::json(" ".repeat(1 << 20)), true),
        ("cut-off", Answer::raw(&announced).close(), true),
        ("dripping", Answer::raw(&announced).drip(&[b' '; 100]), true),
        ("status-line-only", Answer::raw(ok).hang(), true),
        ("closed", Answer::default().close(), false),
        ("silent", Answer::default().hang(), false),
        ("half-a-line", Answer::raw("HTTP/1.").hang(), false),
        (
            "interim",
            Answer::raw("HTTP/1.1 100 Continue\r\n\r\n").hang(),
            false,
        ),
        (
            "no-http",
            Answer::raw("SSH-2.0-OpenSSH_9.2p1\r\n").close(),
            false,
        ),
    ]
}

#[test]
fn any_http_answer_to_an_entry_counts_and_no_answer_does_not() {
    let answers = answers_to_an_entry();
    let mut sets = Sets::new();
    for (set, ..) in &answers {
        sets = sets.set(set, ONE);
    }
    on(sets.builder(), |pbx, service| {
        side_by_side(answers.len(), 8, |number| {
            let (set, answer, counts) = &answers[number];
            let enter = |answer: &Answer, want: &Want| {
                service.answers(&path(set), &[ask("pin"), answer.clone()])?;
                let call = from_outside(set, "<now>12#").deadline(Duration::from_secs(45));
                becomes(pbx, &call, want).context(*set)
            };
            enter(answer, &error())?;
            let next = if *counts { locked() } else { admitted() };
            enter(&right(), &next).map(drop)
        })
    });
}

#[test]
fn caller_who_dawdles_at_the_second_step_shuts_out_nobody() {
    let options = format!("{ONE}\nhide_digits = no\nfirst_digit_timeout = 60");
    let sets = Sets::new().set("two", &options);
    on(sets.builder(), |pbx, service| {
        let script = [ask("a"), ask("b"), ask("a"), ask("b"), right()];
        service.answers("/two", &script)?;
        let dawdling = posted(pbx, service, "two")?;
        let other = from_outside("two", "<now>1# <now>2#").deadline(Duration::from_secs(45));
        becomes(pbx, &other, &admitted())?;
        // What the first one has guessed counts in the end.
        hang_up(dawdling)?;
        becomes(pbx, &other, &locked())?;
        ensure!(service.asked("/two")?.len() == script.len());
        Ok(())
    });
}

#[test]
fn each_step_of_a_call_that_is_not_admitted_counts() {
    let sets = Sets::new()
        .set("elsewhere", TWO)
        .set("silent", &format!("{ONE}\npost_silence = no"))
        .set("posted", ONE)
        .set("renames", TWO);
    on(sets.builder(), |pbx, service| {
        let wrong = || Answer::seq(&[connect("1092")]);
        let sent = refused("FAILURE").went("agents,1092,1");
        let keys = "<now>1# <now>2#";
        let two = |set: &str, last: Answer, want: &Want| {
            service.answers(&path(set), &[ask("a"), ask("b"), last])?;
            becomes(pbx, &from_outside(set, keys), want).with_context(|| set.to_owned())
        };
        for _ in 0..3 {
            two("elsewhere", right(), &admitted())?;
        }
        two("elsewhere", wrong(), &sent)?;
        two("elsewhere", right(), &locked())?;
        // Nothing is entered at the second step.
        service.answers("/silent", &[ask("a"), ask("b"), right()])?;
        let silent = from_outside("silent", "<now>1#");
        becomes(pbx, &silent, &refused("TIMEOUT"))?;
        becomes(pbx, &silent, &locked())?;
        // That is posted, and not counted: the service may admit the caller.
        let posted = from_outside("posted", "<now>1#");
        for answer in [right(), right(), wrong()] {
            service.answers("/posted", &[ask("a"), ask("b"), answer])?;
            let asked = service.asked("/posted")?.len();
            pbx.call(&posted)?;
            ensure!(service.asked("/posted")?.len() == asked + 3);
        }
        becomes(pbx, &posted, &locked())?;
        // A service that gives the same digits another name at each retry.
        service.answers("/renames", &[ask("a"), ask("b"), ask("c")])?;
        let twice = from_outside("renames", keys);
        becomes(pbx, &twice, &refused("TIMEOUT"))?;
        becomes(pbx, &twice, &locked())?;
        let other = call("renames", "<now>1#").caller("+905060508169");
        service.answers("/renames", &[ask("a"), right()])?;
        becomes(pbx, &other, &admitted()).map(drop)
    });
}

#[test]
fn hang_up_counts_if_an_entry_is_posted_and_not_answered() {
    let patient = "hide_digits = no\ntimeout = 60\nconnect_timeout = 60";
    let sets = Sets::new().set("entered", &format!("{ONE}\n{patient}"));
    on(sets.builder(), |pbx, service| {
        let entry = from_outside("entered", "<now>1#");
        // Nothing is entered yet.
        service.answers("/entered", &[Answer::default().hang()])?;
        let mut ongoing = pbx.place(&from_outside("entered", ""))?;
        ongoing.until("its application", |frame| {
            frame.event() == Some("Newexten") && frame.has("Application", "Authenticate")
        })?;
        service.until_asked("/entered", 1)?;
        hang_up(ongoing)?;
        service.answers("/entered", &[ask("pin"), right()])?;
        becomes(pbx, &entry, &admitted())?;
        service.answers("/entered", &[ask("pin"), Answer::default().hang()])?;
        hang_up(posted(pbx, service, "entered")?)?;
        service.answers("/entered", &[ask("pin"), right()])?;
        becomes(pbx, &entry, &locked()).map(drop)
    });
}
