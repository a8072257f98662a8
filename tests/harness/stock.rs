//! The harness itself, tried on the stock module.
//!
//! `cargo test -p harness -- --ignored`

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};
use harness::{Call, Module, Outcome, Pbx, Report};

fn stock() -> Result<Pbx> {
    Pbx::builder().module(Module::Theirs).start()
}

#[test]
#[ignore = "needs a container engine"]
fn right_wrong_and_silent_callers_have_their_outcome() -> Result<()> {
    let pbx = stock()?;
    let report = pbx.call(&Call::new("1234,a").keys("1234#").caller("5551234"))?;
    assert_eq!(report.outcome, Outcome::Passed, "{report:#?}");
    assert_eq!(report.sounds, ["agent-pass", "auth-thankyou"]);
    assert_eq!(report.entered, "1234#");
    assert_eq!(report.account_code(), "1234");
    assert!(report.answered);
    assert!(report.last_key_to_answer.context("no answer")? < 0.5);
    let cdr = report.cdr.context("no CDR row")?;
    assert_eq!(cdr.src, "5551234");
    assert_eq!(cdr.accountcode, "1234");

    let report = pbx.call(&Call::new("1234").keys("9999# 9999# 9999# 1#"))?;
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
    assert_eq!(report.cdr.context("no CDR row")?.lastdata, "1234");

    let short = Duration::from_millis(300);
    let report = pbx.call(&Call::new("1234").timeouts(short, short))?;
    assert_eq!(report.outcome, Outcome::HungUp);
    assert_eq!(report.entered, "");
    assert_eq!(report.sounds.len(), 4);
    Ok(())
}

#[test]
#[ignore = "needs a container engine"]
fn scripts_hang_up_wait_and_skip_prompts() -> Result<()> {
    let pbx = stock()?;
    let report = pbx.call(&Call::new("1234,,,&").keys("<now>1234#"))?;
    assert_eq!(report.outcome, Outcome::Passed);
    assert_eq!(report.sounds, ["auth-thankyou"]);

    let report = pbx.call(&Call::new("1234").before("Progress()").keys("12<hangup>"))?;
    assert!(report.progress && report.answered);
    assert_eq!(report.outcome, Outcome::HungUp);
    assert_eq!(report.entered, "12");

    let report = pbx.call(&Call::new("1234").keys("<after-prompt><wait 0.5>1234#"))?;
    assert_eq!(report.outcome, Outcome::Passed);
    let mut tests = report.events_named("TestEvent");
    assert!(tests.all(|event| !event.has("Control", "Break")));
    assert!(report.elapsed > 1.0);
    Ok(())
}

#[test]
#[ignore = "needs a container engine"]
fn arguments_of_any_bytes_reach_the_dialplan() -> Result<()> {
    let pbx = stock()?;
    assert_eq!(
        pbx.call(&Call::to("nowhere", "s"))?.outcome,
        Outcome::NotReached
    );
    let call = Call::new("1234")
        .keys("1234#")
        .variable("X", "a,\"b\";${c}\n")
        .report("X");
    assert_eq!(pbx.call(&call)?.variable("X"), "a,\"b\";${c}\n");
    pbx.pin_file("a b;$x", "1234\n")?;
    let report = pbx.call(&Call::new("\"/pins/a b;$x\",a").keys("1234#"))?;
    assert_eq!(report.outcome, Outcome::Passed, "{}", pbx.log()?);
    assert_eq!(pbx.call(&Call::new(""))?.outcome, Outcome::HungUp);
    Ok(())
}

#[test]
#[ignore = "needs a container engine"]
fn call_in_progress_can_be_inspected() -> Result<()> {
    let pbx = stock()?;
    let mut call = pbx.place(&Call::new("1234").keys("9999# 1234#"))?;
    call.until_sound("auth-incorrect")?;
    let refused = pbx.cli("module unload app_authenticate.so")?;
    assert!(refused.contains("Unable to unload"), "{refused}");
    assert_eq!(call.finish()?.outcome, Outcome::Passed);

    let short = Duration::from_millis(300);
    let mut call = pbx.place(&Call::new("1234").timeouts(short, short))?;
    assert!(call.until_sound("no-such-sound").is_err());

    let stuck = Call::new("1234").deadline(Duration::from_secs(2));
    let error = pbx.call(&stuck).err().context("did not give up")?;
    let text = format!("{error:#}");
    ensure!(
        text.contains("agent-pass") && text.contains("Authenticate"),
        text
    );
    Ok(())
}

#[test]
#[ignore = "needs a container engine"]
fn hundred_concurrent_calls_pass() -> Result<()> {
    let pbx = stock()?;
    let start = Instant::now();
    let one = |number: u32| -> Result<()> {
        let pin = number.to_string();
        let call = Call::new(format!("{pin},a")).keys(&format!("{pin}#"));
        let report: Report = pbx.call(&call)?;
        assert_eq!(report.outcome, Outcome::Passed, "{report:#?}");
        assert_eq!(report.account_code(), pin);
        assert_eq!(report.cdr.context("no CDR row")?.accountcode, pin);
        Ok(())
    };
    let one = &one;
    thread::scope(|scope| {
        let workers: Vec<_> = (0..20)
            .map(|worker| scope.spawn(move || (0..5).try_for_each(|n| one(1000 + worker * 5 + n))))
            .collect();
        for worker in workers {
            worker
                .join()
                .map_err(|_| anyhow::anyhow!("a worker has failed"))??;
        }
        Ok::<_, anyhow::Error>(())
    })?;
    eprintln!("a hundred calls: {:?}", start.elapsed());
    let rows = pbx.cdr_csv()?;
    assert_eq!(
        rows.iter()
            .filter(|row| row.uniqueid.ends_with("-b"))
            .count(),
        100
    );
    Ok(())
}

#[test]
#[ignore = "needs a container engine"]
fn killed_asterisk_restarts_with_its_state() -> Result<()> {
    let pbx = stock()?;
    pbx.db_put("pin", "1234", "1")?;
    let call = Call::new("/pin,d").keys("1234#");
    assert_eq!(pbx.call(&call)?.outcome, Outcome::Passed);
    pbx.stop()?;
    pbx.start_again()?;
    let start = Instant::now();
    for _ in 0..10 {
        pbx.restart()?;
    }
    eprintln!("ten restarts: {:?}", start.elapsed());
    assert_eq!(pbx.db_get("pin", "1234")?.as_deref(), Some("1"));
    assert_eq!(pbx.db_get("pin", "4321")?, None);
    assert_eq!(pbx.call(&call)?.outcome, Outcome::Passed);
    assert!(pbx.proc_maps()?.contains("app_authenticate.so"));
    assert!(pbx.rss_kb()? > 1000);
    assert!(pbx.open_fds()?.iter().any(|fd| fd.contains("socket")));
    assert!(pbx.cpu_time()? > 0);
    assert!(pbx.ami()?.list("CoreShowChannels", &[])?.is_empty());
    Ok(())
}

#[test]
#[ignore = "needs a container engine"]
fn sip_phone_with_right_and_wrong_pin_passes_and_fails() -> Result<()> {
    let pbx = Pbx::builder()
        .module(Module::Theirs)
        .pjsip()
        .phone_extension("600", "Authenticate(1234,a)")
        .start()?;
    let passed = pbx.sip_call("600", "9999# 1234#")?;
    assert_eq!(
        passed.report.outcome,
        Outcome::Passed,
        "{:#?}",
        passed.report
    );
    assert_eq!(passed.report.entered, "9999#1234#");
    assert_eq!(passed.report.account_code(), "1234");
    assert!(passed.phone_satisfied);
    assert!(passed.report.cdr.is_some());

    let failed = pbx.sip_call("600", "1# 2# 3#")?;
    assert_eq!(failed.report.outcome, Outcome::HungUp);
    assert_eq!(
        failed.report.sounds.last().map(String::as_str),
        Some("vm-goodbye")
    );
    assert!(failed.phone_satisfied);
    Ok(())
}
