//! The harness itself, tried on the stock module.
//!
//! `cargo test -p harness -- --ignored`

#![allow(missing_docs)]
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use harness::{Call, Module, Outcome, Pbx};

fn stock() -> Pbx {
    Pbx::builder().module(Module::Theirs).start().unwrap()
}

#[test]
#[ignore = "needs a container engine"]
fn right_wrong_and_silent_callers() {
    let pbx = stock();
    let report = pbx
        .call(&Call::new("1234,a").keys("1234#").caller("5551234"))
        .unwrap();
    assert_eq!(report.outcome, Outcome::Passed, "{report:#?}");
    assert_eq!(report.sounds, ["agent-pass", "auth-thankyou"]);
    assert_eq!(
        (report.keyed.as_str(), report.account_code()),
        ("1234#", "1234")
    );
    assert!(report.answered);
    let cdr = report.cdr.unwrap();
    assert_eq!(
        (cdr.src.as_str(), cdr.accountcode.as_str()),
        ("5551234", "1234")
    );
    assert!(report.last_key_to_answer.unwrap() < 0.5);

    let report = pbx
        .call(&Call::new("1234").keys("9999# 9999# 9999# 1#"))
        .unwrap();
    assert_eq!(report.outcome, Outcome::HungUp);
    assert_eq!(
        report.sounds,
        [
            "agent-pass",
            "auth-incorrect",
            "auth-incorrect",
            "vm-goodbye"
        ]
    );
    assert_eq!(report.cdr.unwrap().lastdata, "1234");

    let silent = Call::new("1234").timeouts(Duration::from_millis(300), Duration::from_millis(300));
    let report = pbx.call(&silent).unwrap();
    assert_eq!(
        (report.outcome, report.keyed.as_str()),
        (Outcome::HungUp, "")
    );
    assert_eq!(report.sounds.len(), 4);
}

#[test]
#[ignore = "needs a container engine"]
fn scripts_that_hang_up_wait_or_need_no_prompt() {
    let pbx = stock();
    let report = pbx.call(&Call::new("1234,,,&").keys("<now>1234#")).unwrap();
    assert_eq!(report.outcome, Outcome::Passed);
    assert_eq!(report.sounds, ["auth-thankyou"]);

    let report = pbx.call(&Call::new("1234").keys("12<hangup>")).unwrap();
    assert_eq!(report.outcome, Outcome::HungUp);
    assert_eq!(report.keyed, "12");

    let start = Instant::now();
    let report = pbx
        .call(&Call::new("1234").keys("<after-prompt>1234#"))
        .unwrap();
    assert_eq!(report.outcome, Outcome::Passed);
    assert!(report
        .events_named("TestEvent")
        .all(|event| !event.has("Control", "Break")));
    assert!(start.elapsed() > Duration::from_secs(1));

    let odd = "/pins/a \"b\", $x";
    let report = pbx.call(&Call::to("nowhere", "s")).unwrap();
    assert_eq!(report.outcome, Outcome::NotReached);
    let report = pbx
        .call(
            &Call::new(odd)
                .keys("1#")
                .variable("X", "a,b;${c}")
                .report("X"),
        )
        .unwrap();
    assert_eq!(report.variable("X"), "a,b;${c}");
}

#[test]
#[ignore = "needs a container engine"]
fn a_hundred_calls_twenty_at_a_time() {
    let pbx = stock();
    let start = Instant::now();
    std::thread::scope(|scope| {
        for worker in 0..20 {
            let pbx = &pbx;
            scope.spawn(move || {
                for round in 0..5 {
                    let pin = (1000 + worker * 10 + round).to_string();
                    let call = Call::new(format!("{pin},a,,&")).keys(&format!("<now>{pin}#"));
                    let report = pbx.call(&call).unwrap();
                    assert_eq!(report.outcome, Outcome::Passed, "{report:#?}");
                    assert_eq!(report.account_code(), pin);
                    assert_eq!(report.cdr.unwrap().accountcode, pin);
                }
            });
        }
    });
    eprintln!("a hundred calls: {:?}", start.elapsed());
    assert_eq!(
        pbx.cdr_csv()
            .unwrap()
            .iter()
            .filter(|row| row.uniqueid.ends_with("-b"))
            .count(),
        100
    );
}

#[test]
#[ignore = "needs a container engine"]
fn killed_and_started_again_with_its_state() {
    let pbx = stock();
    pbx.db_put("pin", "1234", "1").unwrap();
    assert_eq!(
        pbx.call(&Call::new("/pin,d").keys("1234#"))
            .unwrap()
            .outcome,
        Outcome::Passed
    );
    // Asterisk commits once a second.
    pbx.stop().unwrap();
    pbx.start_again().unwrap();
    let start = Instant::now();
    for _ in 0..10 {
        let before = pbx.pid().unwrap();
        pbx.restart().unwrap();
        assert_ne!(pbx.pid().unwrap(), before);
    }
    eprintln!("ten restarts: {:?}", start.elapsed());
    assert_eq!(pbx.db_get("pin", "1234").unwrap().as_deref(), Some("1"));
    assert_eq!(pbx.db_get("pin", "4321").unwrap(), None);
    assert_eq!(
        pbx.call(&Call::new("/pin,d").keys("1234#"))
            .unwrap()
            .outcome,
        Outcome::Passed
    );
    assert!(pbx
        .cli("module show like app_authenticate")
        .unwrap()
        .contains("Running"));
    assert!(pbx.proc_maps().unwrap().contains("app_authenticate.so"));
    assert!(pbx.rss_kb().unwrap() > 1000);
    assert!(pbx
        .open_fds()
        .unwrap()
        .iter()
        .any(|fd| fd.contains("socket")));
    assert!(pbx.cpu_time().unwrap() > 0);
    assert!(!pbx.ami().unwrap().list("CoreShowChannels", &[]).is_err());
}
