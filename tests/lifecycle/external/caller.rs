//! Callers during a request to the service: they hang up, enter digits, are redirected,
//! are locked out. And what others see of it.

use std::time::Duration;

use anyhow::{ensure, Context, Result};
use harness::{Ongoing, Outcome};
use serde_json::json;

use super::service::{connect, gather, hangup, play, Answer, Service, PORT};
use super::{answers, error, from_outside, on, path, Sets};
use crate::module::use_count;
use crate::pin_sets::hidden::Eyes;
use crate::pin_sets::{becomes, call, is_logged, passed, refused};

/// Timeouts longer than any test.
const LONG_TIMEOUTS: &str = "timeout = 60\nconnect_timeout = 60";

/// A set whose service says nothing.
fn silent(service: &Service, set: &str) -> Result<()> {
    service.answers(&path(set), &[Answer::default().hang()])
}

/// Follows a call until its application runs: then it has a channel.
fn begun(call: &mut Ongoing<'_>) -> Result<()> {
    call.until("its application", |frame| {
        frame.event() == Some("Newexten") && frame.has("Application", "Authenticate")
    })
}

/// Whoever hangs up while the service thinks: the request ends with the call.
#[test]
fn hangup_cancels_the_request() {
    let sets = Sets::new()
        .set("silent", LONG_TIMEOUTS)
        .set("later", LONG_TIMEOUTS);
    on(sets.builder(), |pbx, service| {
        silent(service, "silent")?;
        let mut ongoing = pbx.place(&from_outside("silent", ""))?;
        begun(&mut ongoing)?;
        service.until_asked("/silent", 1)?;
        ongoing.hang_up()?;
        let report = ongoing.finish()?;
        refused("HANGUP").check(&report)?;
        service.until_closed("/silent")?;
        // With digits entered, too.
        let ask = Answer::seq(&[gather("pin_code", (1, 4), None)]);
        service.answers("/later", &[ask, Answer::default().hang()])?;
        let mut ongoing = pbx.place(&from_outside("later", ""))?;
        begun(&mut ongoing)?;
        let mut asked = 0;
        while asked < 2 {
            ongoing.press('1')?;
            asked = service.asked("/later")?.len();
            std::thread::sleep(Duration::from_millis(100));
        }
        ongoing.hang_up()?;
        refused("HANGUP").check(&ongoing.finish()?)?;
        service.until_closed("/later")?;
        ensure!(use_count(&*pbx.manager()?)? == 0);
        Ok(())
    });
}

/// Hung up while digits are gathered or a sound plays, the service hears no
/// more of the call.
#[test]
fn hangup_between_requests_ends_the_call() {
    let sets = Sets::new().set("gathers", "").set("plays", "");
    on(sets.builder(), |pbx, service| {
        let sound = format!("http://127.0.0.1:{PORT}/sound.wav");
        let second = super::sounds::wav(Duration::from_secs(20));
        service.answers("/sound.wav", &[Answer::sound("audio/wav", &second)])?;
        answers(service, "gathers", &[&[gather("pin_code", (2, 4), None)]])?;
        answers(service, "plays", &[&[play(&sound), connect("1091")]])?;
        let gathers = from_outside("gathers", "<now>1<wait 0.2><hangup>");
        let plays = from_outside("plays", "<wait 0.2><hangup>");
        for (set, call) in [("gathers", gathers), ("plays", plays)] {
            becomes(pbx, &call, &refused("HANGUP").whatever_keyed())?;
            ensure!(service.asked(&path(set))?.len() == 1, "{set}");
        }
        ensure!(service.asked("/sound.wav")?.len() == 1);
        Ok(())
    });
}

/// An operator takes the caller out while the service thinks.
#[test]
fn redirected_call_leaves_the_service() {
    let sets = Sets::new().set("silent", LONG_TIMEOUTS);
    on(sets.builder(), |pbx, service| {
        silent(service, "silent")?;
        let mut ongoing = pbx.place(&from_outside("silent", ""))?;
        begun(&mut ongoing)?;
        service.until_asked("/silent", 1)?;
        let headers = [
            ("Channel", ongoing.channel().context("no channel")?),
            ("Context", "agents"),
            ("Exten", "1092"),
            ("Priority", "1"),
        ];
        pbx.manager()?.action("Redirect", &headers)?;
        let report = ongoing.finish()?;
        let there = Outcome::Went("agents,1092,1".into());
        ensure!(report.outcome == there, "{:?}", report.outcome);
        ensure!(report.status() == "HANGUP", "{}", report.status());
        service.until_closed("/silent")
    });
}

/// Not to be met in a time, an address or an identity.
const PIN: &str = "7351937519";

/// What is gathered is for the service, and for nobody else.
#[test]
fn gathered_digits_appear_nowhere() {
    let sets = Sets::new()
        .set("people", "success_destinations = 1091")
        .set("echoes", "")
        .set("fails", "");
    on(sets.builder().debug(1), |pbx, service| {
        let ask = || Answer::seq(&[gather("pin_code", (4, 10), None)]);
        let mut eyes = Eyes::open(pbx)?;
        service.answers("/people", &[ask(), Answer::seq(&[connect("1091")])])?;
        // A service that is out of its mind says it to the log's face.
        let echo = format!("unknown pin_code {PIN}");
        service.answers("/echoes", &[ask(), Answer::json(echo)])?;
        let head = format!("X-Digits: {PIN}");
        let failure = Answer::http(&format!("500 No {PIN}"), &[&head], "");
        service.answers("/fails", &[ask(), failure])?;
        let keys = format!("<now>{PIN}");
        let admitted = passed().went("agents,1091,1");
        for (set, want) in [
            ("people", admitted),
            ("echoes", error()),
            ("fails", error()),
        ] {
            becomes(pbx, &from_outside(set, &keys), &want).context(set)?;
            let posts = service.posts(&path(set))?;
            let gathered = posts.last().map(|post| &post["data"]);
            ensure!(gathered == Some(&json!({"pin_code": PIN})), "{gathered:?}");
        }
        let places = eyes.see(PIN)?;
        ensure!(places.is_empty(), "{places:#?}");
        ensure!(pbx.log()?.contains("DEBUG"), "there is no debug level");
        Ok(())
    });
}

/// Wrong digits count; that the service is not reached, or has asked for none,
/// does not.
#[test]
fn failures_at_the_service_lock_out() {
    const LOCK: &str = "lockout_caller = 3/10m/10m";
    let sets = Sets::new()
        .set("people", &format!("{LOCK}\nsuccess_destinations = 1091"))
        .set("uncounted", LOCK);
    on(sets.builder(), |pbx, service| {
        let ask = || Answer::seq(&[gather("pin_code", (1, 4), None)]);
        let calls = |set: &str, times: usize, answers: &[Answer], want: &_| -> Result<()> {
            for time in 0..times {
                service.answers(&path(set), answers)?;
                let called = becomes(pbx, &from_outside(set, "<now>12#"), want);
                called.with_context(|| format!("{time}, {answers:?}"))?;
            }
            Ok(())
        };
        let sent = refused("FAILURE").went("agents,1092,1");
        let wrong = [ask(), Answer::seq(&[connect("1092")])];
        let down = [ask(), Answer::default().close()];
        let unasked = [Answer::seq(&[hangup()])];
        calls("people", 3, &down, &error())?;
        calls("people", 3, &unasked, &refused("FAILURE").whatever_keyed())?;
        calls("people", 1, &wrong, &sent)?;
        // What was right since takes nothing back.
        let right = [ask(), Answer::seq(&[connect("1091")])];
        calls("people", 1, &right, &passed().went("agents,1091,1"))?;
        calls("people", 2, &wrong, &sent)?;
        let posted = service.asked("/people")?.len();
        let locked = refused("LOCKED").whatever_keyed();
        calls("people", 2, &right, &locked)?;
        ensure!(
            service.asked("/people")?.len() == posted,
            "asked for a locked caller"
        );
        let other = call("people", "<now>12#").caller("+905060508169");
        service.answers("/people", &right)?;
        becomes(pbx, &other, &passed().went("agents,1091,1"))?;
        // Without success destinations there are no failures.
        calls("uncounted", 4, &wrong, &sent)
    });
}

/// There is no call, and so nothing to gather from.
#[test]
fn function_with_a_web_service_is_refused() {
    let sets = Sets::new().set("people", "");
    let verify = "Set(VERIFIED=${AUTHENTICATE_VERIFY(people,TRY)})";
    on(sets.builder(), |pbx, service| {
        answers(service, "people", &[&[hangup()]])?;
        let call = from_outside("people", "")
            .variable("TRY", "1234")
            .before(verify)
            .report("VERIFIED");
        becomes(
            pbx,
            &call,
            &refused("FAILURE").variable("VERIFIED", "ERROR"),
        )?;
        ensure!(service.asked("/people")?.len() == 1);
        is_logged(pbx, &["people", "call"])
    });
}
