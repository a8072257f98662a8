//! Lockouts after wrong PINs: by caller, by PIN set, by account.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{ensure, Result};
use harness::{Builder, Call, Outcome, Pbx, Report};

use super::{
    becomes, call, impatient, is_logged, log_lines, on, passed, refused, shell, with_lockouts,
    Want, CONCURRENT_CALLS,
};
use crate::module::OURS;
use crate::support::{eventually, side_by_side};

/// How long an event may take.
const TELL: Duration = Duration::from_secs(20);

const ADA: &str = "+905060508169";
const BOB: &str = "+905060508170";

/// PINs 1234 (ada) and 5678 (bob).
fn people(conf: &str) -> Builder {
    let list = format!("account,secret,caller\n100,plain:1234,{ADA}\n200,plain:5678,{BOB}\n");
    let conf = format!("[general]\nsource = file:/pins/people.csv\ncountry_code = 90\n{conf}");
    with_lockouts(&conf).pin_file("people.csv", list)
}

/// Locked out before anything is asked: one goodbye.
fn locked() -> Want {
    refused("LOCKED").attempts("0").sounds(&["vm-goodbye"])
}

/// One wrong entry, of an attempt a call.
fn wrong(pbx: &Pbx, name: &str, caller: &str, want: &Want) -> Result<Report> {
    becomes(pbx, &call(name, "9999#").caller(caller), want)
}

#[test]
fn wrong_pins_lock_out_the_caller() {
    let conf = "[people]\nattempts = 2\nlockout_caller = 3/10m/10m\n\
        [others]\nattempts = 1\nlockout_caller = 3/10m/10m\n";
    on(people(conf), |pbx| {
        let guess = call("people", "9999# 9998#").caller(ADA);
        becomes(pbx, &guess, &refused("FAILURE").attempts("2"))?;
        // The third one is one too many, however the number is spelled.
        let third = call("people", "9997# 1234#").caller("05060508169");
        let crossing = refused("LOCKED")
            .attempts("1")
            .sounds(&["agent-pass", "vm-goodbye"])
            .whatever_keyed();
        becomes(pbx, &third, &crossing)?;
        // From now on nothing is asked, be it the right one.
        let right = call("people", "1234#").caller(ADA);
        becomes(pbx, &right, &locked().whatever_keyed())?;
        // Others are not concerned, nor is he in other PIN sets.
        becomes(pbx, &call("people", "1234#").caller(BOB), &passed())?;
        becomes(pbx, &call("people", "1234#"), &passed())?;
        becomes(pbx, &call("others", "1234#").caller(ADA), &passed()).map(drop)
    });
}

#[test]
fn locked_call_goes_by_on_locked() {
    let conf = "[general]\nattempts = 1\nlockout_caller = 1/10m/10m\nlocked_prompt = beep\n\
        on_failure = goto:internal,1091,1\n\
        [elsewhere]\non_locked = goto:internal,1092,1\n\
        [on]\non_locked = continue\n\
        [jump]\n[carry-on]\n[quiet]\n[default]\n";
    on(people(conf), |pbx| {
        let sounds: &[&str] = &["agent-pass", "beep"];
        let locked = refused("LOCKED").attempts("1");
        let rows = [
            (
                "elsewhere",
                locked.clone().went("internal,1092,1").sounds(sounds),
            ),
            (
                "on",
                locked
                    .clone()
                    .outcome(Outcome::Continued)
                    .sounds(&["agent-pass"]),
            ),
            (
                "carry-on,c",
                locked
                    .clone()
                    .outcome(Outcome::Continued)
                    .sounds(&["agent-pass"]),
            ),
            ("quiet,q", locked.clone().sounds(&["agent-pass"])),
            ("default", locked.clone().sounds(sounds)),
        ];
        for (args, want) in rows {
            wrong(pbx, args, ADA, &want)?;
            // Again, and now before anything is asked.
            let only: Vec<&str> = match &want.sounds {
                Some(sounds) if sounds.len() > 1 => vec!["beep"],
                _ => vec![],
            };
            let again = want.attempts("0").sounds(&only).whatever_keyed();
            wrong(pbx, args, ADA, &again)?;
        }
        Ok(())
    });
}

/// Silence, and hanging up while a PIN is being entered, are not counted; a right PIN
/// that has expired is.
#[test]
fn only_compared_attempts_count() {
    let conf = "[people]\nlockout_caller = 2/10m/10m\nlockout_pinset = 2/10m/10m\nattempts = 1\n\
        [old]\nsource = file:/pins/old.csv\nattempts = 1\nlockout_caller = 2/10m/10m\n";
    let old = "account,secret,valid_until\n1,plain:1234,2001-01-01\n";
    on(people(conf).pin_file("old.csv", old), |pbx| {
        for _ in 0..3 {
            let silent = impatient("people", "<silence>").caller(ADA);
            becomes(pbx, &silent, &refused("TIMEOUT"))?;
            let gone = call("people", "12<hangup>").caller(ADA);
            becomes(pbx, &gone, &refused("HANGUP").outcome(Outcome::HungUp))?;
            let hash = call("people", "#").caller(ADA);
            becomes(pbx, &hash, &refused("FAILURE"))?;
            becomes(pbx, &call("people", "1234#").caller(ADA), &passed())?;
        }
        let expired = call("old", "1234#").caller(ADA);
        becomes(pbx, &expired, &refused("EXPIRED"))?;
        becomes(pbx, &expired, &refused("LOCKED").attempts("1"))?;
        // A right one does not set a caller's count back.
        wrong(pbx, "people", ADA, &refused("FAILURE"))?;
        becomes(pbx, &call("people", "1234#").caller(ADA), &passed())?;
        wrong(pbx, "people", ADA, &refused("LOCKED").attempts("1")).map(drop)
    });
}

#[test]
fn locked_pin_set_admits_only_trusted_callers() {
    let conf = "[people]\nlockout_caller = no\nlockout_pinset = 4/10m/10m\nattempts = 2\n";
    on(people(conf), |pbx| {
        becomes(pbx, &call("people", "1234#").caller(ADA), &passed())?;
        for caller in ["+905060000001", "+905060000002"] {
            let guess = call("people", "9999# 9998#").caller(caller);
            let last = caller.ends_with('2');
            let want = refused(if last { "LOCKED" } else { "FAILURE" });
            becomes(pbx, &guess, &want.attempts("2"))?;
        }
        is_logged(pbx, &["] WARNING[", "'people'", "too many wrong entries"])?;
        // Strangers are not asked, whoever they are.
        becomes(
            pbx,
            &call("people", "5678#").caller(BOB),
            &locked().whatever_keyed(),
        )?;
        becomes(pbx, &call("people", "5678#"), &locked().whatever_keyed())?;
        // Ada is, once a call.
        let once = call("people", "9999# 1234#").caller(ADA);
        let want = refused("FAILURE").attempts("1").whatever_keyed();
        becomes(pbx, &once, &want)?;
        becomes(pbx, &call("people", "1234#").caller(ADA), &passed()).map(drop)
    });
}

#[test]
fn account_is_locked_for_all_callers() {
    let conf = "[general]\nattempts = 1\nlockout_caller = no\nlockout_account = 3/10m/10m\n\
        [asked]\nidentify = account\n\
        [by-number]\nidentify = caller\n";
    on(people(conf), |pbx| {
        let ask = |account: &str, pin: &str, caller: &str| {
            call("asked", &format!("{account}# {pin}#")).caller(caller)
        };
        let callers = ["+905060000001", "+905060000002", "+905060000003"];
        // A right one in between sets it back.
        for caller in &callers[..2] {
            becomes(pbx, &ask("100", "9999", caller), &refused("FAILURE"))?;
        }
        becomes(pbx, &ask("100", "1234", BOB), &passed().account("100"))?;
        // An existing account can't be distinguished from one that does not exist.
        for account in ["100", "777"] {
            for (number, caller) in callers.iter().enumerate() {
                let want = refused(if number < 2 { "FAILURE" } else { "LOCKED" });
                becomes(pbx, &ask(account, "9999", caller), &want)?;
            }
            let again = refused("LOCKED").sounds(&["agent-user", "agent-pass", "vm-goodbye"]);
            becomes(pbx, &ask(account, "1234", "+905060000004"), &again)?;
        }
        becomes(pbx, &ask("200", "5678", BOB), &passed().account("200"))?;
        // The number that calls stands for its account, in its own PIN set.
        for number in 0..3 {
            let want = refused(if number < 2 { "FAILURE" } else { "LOCKED" });
            wrong(pbx, "by-number", ADA, &want)?;
        }
        let right = call("by-number", "1234#").caller(ADA);
        becomes(pbx, &right, &refused("LOCKED").attempts("0"))?;
        becomes(pbx, &call("by-number", "5678#").caller(BOB), &passed()).map(drop)
    });
}

/// Concurrent calls have as many verified attempts as sequential ones.
#[test]
fn concurrent_calls_have_no_more_attempts() {
    const CALLS: usize = 40;
    const LIMIT: u32 = 10;
    let conf = format!("[people]\nattempts = 1\nlockout_caller = {LIMIT}/10m/10m\n");
    on(people(&conf), |pbx| {
        let (judged, failed) = (AtomicU32::new(0), AtomicU32::new(0));
        side_by_side(CALLS, CONCURRENT_CALLS, |_| {
            let report = pbx.call(&call("people", "9999#").caller(ADA))?;
            judged.fetch_add(
                report.variable("AUTHENTICATEATTEMPTS").parse()?,
                Ordering::Relaxed,
            );
            match report.status() {
                "FAILURE" => failed.fetch_add(1, Ordering::Relaxed),
                status => {
                    ensure!(status == "LOCKED", "{status}");
                    0
                }
            };
            Ok(())
        })?;
        let judged = judged.into_inner();
        ensure!(judged == LIMIT, "{judged} entries");
        let failed = failed.into_inner();
        ensure!(failed == LIMIT - 1, "{failed} failed");
        Ok(())
    });
}

#[test]
fn locks_survive_restart_crash_and_unload() {
    let conf = "[people]\nattempts = 1\nlockout_caller = 2/10m/10m\n\
        lockout_pinset = 3/10m/10m\n";
    on(people(conf), |pbx| {
        let still = |caller: &str| {
            let right = call("people", "1234#").caller(caller);
            becomes(pbx, &right, &locked().whatever_keyed())
        };
        becomes(pbx, &call("people", "5678#").caller(BOB), &passed())?;
        wrong(pbx, "people", ADA, &refused("FAILURE"))?;
        wrong(pbx, "people", ADA, &refused("LOCKED"))?;
        still(ADA)?;
        for command in ["unload", "load"] {
            pbx.cli(&format!("module {command} {OURS}"))?;
        }
        still(ADA)?;
        // A stop, which unloads nothing.
        pbx.stop()?;
        pbx.start_again()?;
        still(ADA)?;
        wrong(pbx, "people", "+905060000009", &refused("LOCKED"))?;
        // A crash, once it is on disk: a second for us, one for Asterisk. Until the journal is
        // gone, SQLite would take it back.
        const LOCKED: &str = "grep -acE \
            'authenticate-lockouts/p[0-9a-f]{32}[^}]*\"times\":1' /harness/db/astdb.sqlite3 \
            && test ! -e /harness/db/astdb.sqlite3-journal && echo committed || true";
        let budget = || Ok(shell(pbx, LOCKED)?.contains("committed"));
        eventually("the budget is on disk", budget)?;
        pbx.restart()?;
        still(ADA)?;
        still("+905060000010")?;
        becomes(pbx, &call("people", "5678#").caller(BOB), &passed())?;
        let none = log_lines(pbx, &["invalid values are ignored"])?;
        ensure!(none.is_empty(), "{none:?}");
        // What somebody else has put there is no lock, and does no harm.
        pbx.db_put("authenticate-lockouts", "c00", "locked")?;
        pbx.stop()?;
        pbx.start_again()?;
        is_logged(pbx, &["database: 1 invalid values are ignored"])?;
        still(ADA).map(drop)
    });
}

#[test]
fn lock_ends_after_its_time() {
    let conf = "[people]\nattempts = 1\nlockout_caller = 1/1m/2s\n";
    on(people(conf), |pbx| {
        wrong(pbx, "people", ADA, &refused("LOCKED").attempts("1"))?;
        eventually("Ada is asked again", || {
            let report = pbx.call(&call("people", "1234#").caller(ADA))?;
            let status = report.status();
            ensure!(["LOCKED", "SUCCESS"].contains(&status), "{status}");
            Ok(status == "SUCCESS")
        })
    });
}

#[test]
fn function_obeys_lockouts() {
    let conf = "[people]\nattempts = 1\nlockout_caller = 2/10m/10m\n";
    let dialplan = "[verify]\n\
        exten => s,1,Set(TRY=9999)\n \
        same => n,Set(SAID=${AUTHENTICATE_VERIFY(people,TRY)})\n \
        same => n,Hangup()\n\
        include => harness-h\n";
    on(people(conf).dialplan(dialplan), |pbx| {
        for (want, attempts) in [("FAILURE", "1"), ("LOCKED", "1"), ("LOCKED", "0")] {
            let call = Call::to("verify", "s").report("SAID").caller(ADA);
            let report = pbx.call(&call)?;
            let printed = report.variable("SAID");
            ensure!(printed == want, "{printed} for {want}");
            let judged = report.variable("AUTHENTICATEATTEMPTS");
            ensure!(judged == attempts, "{want}: {judged} judged");
        }
        // The same count: it is the caller's.
        let right = call("people", "1234#").caller(ADA);
        becomes(pbx, &right, &locked().whatever_keyed()).map(drop)
    });
}

/// Literals, files and families: two lines of configuration guard them all.
#[test]
fn stock_lockouts_guard_calls_without_pin_sets() {
    const LISTS: [(&str, &str); 4] = [
        ("1234", "literal@harness-call"),
        ("/pins/doors", "/pins/doors"),
        ("/pins/md5,m", "/pins/md5"),
        ("/doors,d", "astdb:/doors"),
    ];
    let md5 = "ada:81dc9bdb52d04dc20036dbd8313ed055\n";
    let builder = |conf: &str| {
        with_lockouts(conf)
            .pin_file("doors", "1234\n")
            .pin_file("md5", md5)
    };
    let plain = |args: &str, keys: &str, caller: &str| Call::new(args).keys(keys).caller(caller);
    let conf = "[general]\nstock_lockout_caller = 2/10m/10m\nstock_lockout_list = 4/10m/10m\n";
    on(builder(conf), |pbx| {
        pbx.db_put("doors", "1234", "1")?;
        for (args, _) in LISTS {
            becomes(pbx, &plain(args, "1234#", BOB), &passed())?;
            let guess = plain(args, "9999# 9998# 1234#", ADA);
            let crossing = refused("LOCKED").attempts("2").whatever_keyed();
            becomes(pbx, &guess, &crossing)?;
            becomes(pbx, &plain(args, "1234#", ADA), &locked().whatever_keyed())?;
        }
        // Each counts for itself, and its budget for all callers: two are left.
        let by_pin = |caller: &str| plain("/pins/doors", "9999# 9998# 9997#", caller);
        let crossing = refused("LOCKED").attempts("2").whatever_keyed();
        becomes(pbx, &by_pin("+905060000001"), &crossing)?;
        let stranger = plain("/pins/doors", "1234#", "+905060000002");
        becomes(pbx, &stranger, &locked().whatever_keyed())?;
        becomes(pbx, &plain("/pins/doors", "1234#", BOB), &passed())?;
        let events = pbx.manager()?.events();
        becomes(
            pbx,
            &plain("1234", "1234#", ADA),
            &locked().whatever_keyed(),
        )?;
        let event = events.wait("AuthenticateLocked", TELL, |frame| {
            frame.event() == Some("AuthenticateLocked")
        })?;
        ensure!(event.has("PinSet", LISTS[0].1), "{event:?}");
        ensure!(event.has("LockedBy", "caller"), "{event:?}");
        Ok(())
    });
    // Without them, nobody is ever locked out.
    on(builder("[general]\n"), |pbx| {
        pbx.db_put("doors", "1234", "1")?;
        for (args, _) in LISTS {
            for _ in 0..3 {
                let guess = plain(args, "9999# 9998# 9997#", ADA);
                becomes(pbx, &guess, &refused("FAILURE"))?;
            }
            becomes(pbx, &plain(args, "1234#", ADA), &passed())?;
        }
        Ok(())
    });
}
