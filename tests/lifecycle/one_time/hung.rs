//! A hung disk under Asterisk's database and under the journal. Accesses block and
//! can't be interrupted, so no channel's thread may do them.

use std::cell::Cell;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};
use harness::{Ami, Builder, Call, Module, Outcome, Pbx, Report};

use super::{press, try_pin, FAMILY};
use crate::lists::hung::{is_timed_out, is_timed_out_as, LIMIT, MAX_UNBLOCKED_TIME, SLACK};
use crate::lists::mount::Mount;
use crate::module::{load_by_ami, module_action, unload_wholly, use_count, OURS};
use crate::support::{eventually, has_no_pin, on, Shell, UNLIMITED};

/// Asterisk's `astdbdir`.
const FOLDER: &str = "/harness/db";

/// Writes to the journal of uses, and nothing else.
const JOURNAL_WRITES: &str = "write:app_authenticate_rs.journal";

const CONF: &str = "
[keys]
source = astdb:pins
hide_digits = no

[counted]
source = file:/pins/counted.csv
format = csv
hide_digits = no
";

const DIALPLAN: &str = "
[verify]
exten => s,1,Set(VERDICT=${AUTHENTICATE_VERIFY(keys,TRY)})
 same => n,NoOp(${VERDICT})
 same => n,Hangup()
include => harness-h
";

/// An Asterisk with PIN sets that need its database.
fn with_disk() -> Builder {
    Pbx::builder()
        .module(Module::Ours)
        .file_systems()
        .file("authenticate.conf", format!("{CONF}{UNLIMITED}"))
        .pin_file("counted.csv", "account,secret,max_uses\nada,plain:1234,1\n")
        .dialplan(DIALPLAN)
}

/// Has Asterisk's database on a disk of the test's, with PINs in it.
fn on_disk(pbx: &Pbx) -> Result<Mount> {
    pbx.stop()?;
    let mount = Mount::at(pbx, FOLDER)?;
    pbx.start_again()?;
    for (family, pin) in [(FAMILY, "7531"), (FAMILY, "8642"), ("pins", "4711")] {
        pbx.db_put(family, pin, "1")?;
    }
    passes(&pbx.call(&lookup("/pins,dq"))?)?;
    Ok(mount)
}

fn passes(report: &Report) -> Result<()> {
    ensure!(report.outcome == Outcome::Passed, "{report:#?}");
    Ok(())
}

/// A caller whose PIN is a key of the database; the fourth key ends the entry.
fn lookup(arguments: &str) -> Call {
    Call::new(format!("{arguments},4")).keys("4711")
}

/// A caller who makes the same entry three times.
fn three_entries(arguments: &str, pin: &str) -> Call {
    Call::new(format!("{arguments},4"))
        .keys(&format!("{pin} {pin} {pin}"))
        .deadline(Duration::from_secs(40))
}

/// A call that needs nothing of what hangs.
fn is_served_at_once(pbx: &Pbx, call: &Call) -> Result<()> {
    let report = pbx.call(call)?;
    passes(&report)?;
    let wait = report.last_key_to_answer.context("no answer")?;
    ensure!(
        wait < MAX_UNBLOCKED_TIME.as_secs_f64(),
        "held up for {wait} s"
    );
    Ok(())
}

/// Hangs up during the verification, as the caller and from outside.
fn hang_ups_are_noticed(pbx: &Pbx, arguments: &str, pin: &str) -> Result<()> {
    for by_caller in [true, false] {
        let then = if by_caller { "<wait 0.5><hangup>" } else { "" };
        let call = Call::new(format!("{arguments},4")).keys(&format!("{pin}{then}"));
        let mut call = pbx.place(&call.deadline(Duration::from_secs(20)))?;
        let digits = Cell::new(0);
        call.until("the last key", |frame| {
            digits.set(digits.get() + usize::from(frame.event() == Some("DTMFEnd")));
            digits.get() == pin.len()
        })?;
        let entered = Instant::now();
        if !by_caller {
            call.hang_up()?;
        }
        let report = call.finish()?;
        ensure!(
            entered.elapsed() < MAX_UNBLOCKED_TIME,
            "{:?}",
            entered.elapsed()
        );
        ensure!(report.status() == "HANGUP", "{report:#?}");
    }
    Ok(())
}

/// A use that nobody waits for any more when the disk is back is given back.
#[test]
fn one_time_pin_with_a_hung_journal_is_refused_in_time_and_admits_once_later() {
    on(with_disk().debug(1), |pbx| {
        let mut mount = on_disk(pbx)?;
        mount.hang(JOURNAL_WRITES)?;
        let waits = pbx.call(&three_entries("/once,drq", "7531"))?;
        is_timed_out_as("FAILURE", &waits, LIMIT)?;
        mount.until_asked()?;
        // One thread hangs with it, and the database does not.
        hang_ups_are_noticed(pbx, "/once,drq", "8642")?;
        is_served_at_once(pbx, &Call::new("1234,q,4").keys("1234"))?;
        is_served_at_once(pbx, &lookup("/pins,dq"))?;
        is_served_at_once(pbx, &lookup("pinset:keys,q"))?;
        let waits = pbx.call(&three_entries("pinset:counted,q", "1234"))?;
        is_timed_out_as("FAILURE", &waits, LIMIT)?;
        ensure!(mount.asked() == 0, "more than one thread hangs");
        mount.go()?;
        for pin in ["7531", "8642"] {
            passes(&try_pin(pbx, pin)?)?;
            let again = try_pin(pbx, pin)?;
            ensure!(again.sounds == ["auth-incorrect"], "{again:#?}");
        }
        let counted = Call::new("pinset:counted,q,4,&").keys("<now>1234 <hangup>");
        passes(&pbx.call(&counted)?)?;
        let again = pbx.call(&counted)?;
        ensure!(again.sounds == ["auth-incorrect"], "{again:#?}");
        has_no_pin(&pbx.log()?, "7531")
    });
}

/// Of two callers with one PIN, one waits when the disk is back in time.
#[test]
fn one_time_pin_with_a_journal_that_hangs_for_a_moment_admits_one_of_two() {
    on(with_disk(), |pbx| {
        let mut mount = on_disk(pbx)?;
        mount.hang(JOURNAL_WRITES)?;
        let call = Call::new("/once,drqc,4").keys("<silence> <hangup>");
        let mut calls = [pbx.place(&call)?, pbx.place(&call)?];
        for call in &mut calls {
            call.until_sound("agent-pass")?;
        }
        for key in ["7", "5", "3", "1"] {
            for call in &calls {
                press(pbx, call, key)?;
            }
        }
        mount.until_asked()?;
        mount.go()?;
        let [one, other] = calls;
        let reports = [one.finish()?, other.finish()?];
        let passed = |report: &&Report| report.outcome == Outcome::Passed;
        ensure!(reports.iter().filter(passed).count() == 1, "{reports:#?}");
        Ok(())
    });
}

/// Asterisk's own lock over its database is held by whatever hangs in it.
#[test]
fn hung_database_delays_only_its_own_callers_and_not_for_long() {
    on(with_disk(), |pbx| {
        let mut mount = on_disk(pbx)?;
        pbx.pin_file("there", "1234\n")?;
        let writer = Writer::hung(pbx, &mut mount)?;
        for arguments in ["/pins,dq", "pinset:keys,q"] {
            let report = pbx.call(&three_entries(arguments, "4711"))?;
            is_timed_out(&report, LIMIT).context(arguments)?;
        }
        hang_ups_are_noticed(pbx, "/pins,dq", "4711")?;
        is_served_at_once(pbx, &Call::new("/pins/there,q,4").keys("1234"))?;
        let limit = Duration::from_secs_f64(LIMIT + SLACK);
        let asked = Instant::now();
        let call = Call::to("verify", "s").variable("TRY", "4711");
        let report = pbx.call(&call.deadline(Duration::from_secs(20)))?;
        ensure!(report.status() == "ERROR", "{report:#?}");
        ensure!(asked.elapsed() < limit, "{:?}", asked.elapsed());
        let ami = pbx.ami()?;
        let asked = Instant::now();
        let headers = [("PinSet", "keys"), ("Secret", "4711"), ("Caller", "1")];
        let answer = ami.action("AuthenticateVerify", &headers)?;
        ensure!(answer.has("Status", "ERROR"), "{answer:?}");
        ensure!(asked.elapsed() < limit, "{:?}", asked.elapsed());
        let asked = Instant::now();
        for command in ["pinsets", "pinset keys", "lockouts", "stats"] {
            ami.command(&format!("authenticate show {command}"))?;
        }
        ensure!(
            asked.elapsed() < MAX_UNBLOCKED_TIME,
            "{:?}",
            asked.elapsed()
        );
        mount.go()?;
        writer.finish()?;
        passes(&pbx.call(&lookup("/pins,dq"))?)
    });
}

/// Asterisk holds a lock over all its modules while it unloads one.
#[test]
fn unload_with_a_hung_disk_is_refused_soon_and_works_once_the_disk_answers() {
    on(with_disk(), |pbx| {
        let mut mount = on_disk(pbx)?;
        let (ami, mut shell) = (pbx.ami()?, Shell::open(pbx)?);
        load_by_ami(&ami, &mut shell)?;
        mount.hang(JOURNAL_WRITES)?;
        hang_ups_are_noticed(pbx, "/once,drq", "7531")?;
        mount.until_asked()?;
        ensure!(!is_unloaded_soon(&ami)?, "with a thread of its own inside");
        is_served_at_once(pbx, &Call::new("1234,q,4").keys("1234"))?;
        mount.go()?;
        eventually("the thread's end", || Ok(use_count(&ami)? == 0))?;
        // A use that is still to be retired.
        passes(&try_pin(pbx, "7531")?)?;
        let writer = Writer::hung(pbx, &mut mount)?;
        let unloaded = is_unloaded_soon(&ami)?;
        mount.go()?;
        writer.finish()?;
        if unloaded {
            module_action(&ami, "load", OURS)?;
        }
        eventually("the thread's end", || Ok(use_count(&ami)? == 0))?;
        unload_wholly(pbx, &ami, &mut shell)
    });
}

/// A write of lockouts is short, unless the disk hangs: an unload waits for it, rather
/// than being refused because the module is in use.
#[test]
fn unload_waits_for_a_write_of_lockouts() {
    on(with_disk().file("authenticate.conf", CONF), |pbx| {
        let mut mount = on_disk(pbx)?;
        let (ami, mut shell) = (pbx.ami()?, Shell::open(pbx)?);
        load_by_ami(&ami, &mut shell)?;
        let writer = Writer::hung(pbx, &mut mount)?;
        let headers = [("PinSet", "counted"), ("Secret", "9999"), ("Caller", "1")];
        let answer = ami.action("AuthenticateVerify", &headers)?;
        ensure!(answer.has("Status", "FAILURE"), "{answer:?}");
        eventually("an unload that waits for the write", || {
            ensure!(!is_unloaded_soon(&ami)?, "before the write");
            let log = pbx.log()?;
            ensure!(!log.contains("has use count"), "{log}");
            Ok(log.contains("not unloaded: work in progress has not ended within 1 s"))
        })?;
        mount.go()?;
        writer.finish()?;
        unload_wholly(pbx, &ami, &mut shell)
    });
}

/// Whether the module can be unloaded, which is known soon.
fn is_unloaded_soon(ami: &Ami) -> Result<bool> {
    let asked = Instant::now();
    let unloaded = module_action(ami, "unload", OURS).is_ok();
    let took = asked.elapsed();
    ensure!(took < Duration::from_secs_f64(LIMIT), "{took:?}");
    Ok(unloaded)
}

/// Somebody else who writes to Asterisk's database.
struct Writer(Child);

impl Writer {
    /// One who hangs, with Asterisk's lock over its database.
    fn hung(pbx: &Pbx, mount: &mut Mount) -> Result<Self> {
        mount.hang("create write sync")?;
        let put = ["asterisk", "-rx", "database put other key 1"];
        let writer = pbx.exec_command(&put).stdout(Stdio::null()).spawn()?;
        mount.until_asked()?;
        Ok(Self(writer))
    }

    fn finish(mut self) -> Result<()> {
        ensure!(self.0.wait()?.success(), "the writer has failed");
        Ok(())
    }
}
