//! A PIN file on a hung mount. Reads there block and can't be interrupted, so no thread
//! of Asterisk may do them.

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{anyhow, ensure, Context, Result};
use harness::{Builder, Call, Happening, Module, Ongoing, Outcome, Pbx, Report};

use super::mount::Mount;
use super::{hears, threads, Format, Heard, ONE, OTHER};
use crate::module::{load_by_ami, module_action, unload_wholly, use_count, OURS};
use crate::support::{eventually, on, side_by_side, Shell};

/// The default of `source_timeout`, and the tolerance, in seconds.
pub(crate) const LIMIT: f64 = 3.0;
pub(crate) const SLACK: f64 = 2.0;
/// The longest time of an answer that does not wait for the disk, on a busy machine too.
pub(crate) const MAX_UNBLOCKED_TIME: Duration = Duration::from_millis(1500);
const STEPS: [&str; 5] = ["lookup", "getattr", "open", "read", "later"];

/// A call of three entries of one key each.
fn three_keys(list: &str) -> Call {
    Call::new(format!("{list},q,1"))
        .keys("1 1 1")
        .deadline(Duration::from_secs(30))
}

/// Checks that a call was refused because of the hung file, after the timeout and
/// not later.
pub(crate) fn is_timed_out(report: &Report, limit: f64) -> Result<()> {
    is_timed_out_as("ERROR", report, limit)
}

/// The same with another status.
pub(crate) fn is_timed_out_as(status: &str, report: &Report, limit: f64) -> Result<()> {
    ensure!(report.outcome == Outcome::HungUp, "{report:#?}");
    ensure!(report.status() == status, "{report:#?}");
    let mut waits = Vec::new();
    let mut entered = None;
    for (time, happening) in report.timeline() {
        match happening {
            Happening::Keys(_) => entered = Some(time),
            Happening::Plays(_) => waits.extend(entered.take().map(|entered| time - entered)),
        }
    }
    // Nothing is played after the last entry.
    waits.extend(report.last_key_to_answer);
    let (first, most) = (waits[0], waits.iter().copied().fold(0.0, f64::max));
    // Events are timed when they are sent, not when they happen.
    ensure!(first >= limit - 0.05, "too soon: {waits:?}");
    ensure!(most <= limit + SLACK, "too late: {waits:?}");
    Ok(())
}

fn with_mounts() -> Builder {
    Pbx::builder().module(Module::Ours).file_systems()
}

#[test]
fn hung_disk_ends_in_error_at_every_step() {
    on(with_mounts(), |pbx| {
        side_by_side(STEPS.len(), STEPS.len(), |number| {
            let mut mount = Mount::at(pbx, &format!("/mnt/{number}"))?;
            let list = &format!("/mnt/{number}/list");
            let hears = |pin, wanted| hears(pbx, list, Format::Plain, pin, wanted);
            // Longer than what the kernel asks for at a time.
            let lines = "999999\n".repeat(100_000);
            mount.put("list", &(lines.clone() + "1\n1234\n"))?;
            hears(ONE, Heard::Welcome)?;
            mount.put("list", &(lines + "1\n5678\n"))?;
            mount.hang(STEPS[number])?;
            let report = pbx.call(&three_keys(list))?;
            is_timed_out(&report, LIMIT).with_context(|| STEPS[number])?;
            mount.go()?;
            hears(OTHER, Heard::Welcome)?;
            hears(ONE, Heard::Wrong)
        })
    });
}

#[test]
fn hung_disk_is_awaited_for_source_timeout() {
    let conf = "[general]\nsource_timeout = 0.5\n";
    on(with_mounts().file("authenticate.conf", conf), |pbx| {
        let mut mount = Mount::at(pbx, "/mnt/lists")?;
        mount.put("list", "1\n")?;
        mount.hang("lookup getattr open read")?;
        let report = pbx.call(&three_keys("/mnt/lists/list"))?;
        is_timed_out(&report, 0.5)?;
        let printed = "'/mnt/lists/list' admits nobody: the disk has not answered within 0.5 s";
        ensure!(pbx.log()?.contains(printed), "it is not logged");
        Ok(())
    });
}

/// Ten callers on one mount, on two lists, and two of them by a link from
/// elsewhere; ten on another mount. Of each, one thread hangs.
#[test]
fn hung_disk_blocks_one_thread_for_many_callers() {
    const CALLERS: usize = 20;
    on(with_mounts(), |pbx| {
        let ami = pbx.ami()?;
        let mut mounts = [Mount::at(pbx, "/mnt/0")?, Mount::at(pbx, "/mnt/1")?];
        for (number, mount) in mounts.iter_mut().enumerate() {
            mount.put("one", "1\n")?;
            mount.put("two", "1\n")?;
            let link = format!("ln -s /mnt/{number}/one /pins/link-{number}");
            pbx.exec(&["bash", "-ec", &link])?;
            mount.hang("lookup getattr open read later")?;
        }
        pbx.pin_file("there", "1\n")?;
        thread::scope(|scope| -> Result<()> {
            let callers = scope.spawn(|| {
                side_by_side(CALLERS, CALLERS, |number| {
                    let list = match number % 10 {
                        0 | 1 => format!("/pins/link-{}", number / 10),
                        2..=5 => format!("/mnt/{}/one", number / 10),
                        _ => format!("/mnt/{}/two", number / 10),
                    };
                    is_timed_out(&pbx.call(&three_keys(&list))?, LIMIT).context(list)
                })
            });
            for mount in &mut mounts {
                mount.until_asked()?;
            }
            let others = (|| {
                while !callers.is_finished() {
                    let report = pbx.call(&Call::new("/pins/there,q,1").keys("1"))?;
                    ensure!(report.outcome == Outcome::Passed, "{report:#?}");
                    let wait = report.last_key_to_answer.context("no answer")?;
                    ensure!(
                        wait < MAX_UNBLOCKED_TIME.as_secs_f64(),
                        "held up for {wait} s"
                    );
                }
                Ok(())
            })();
            let callers = callers.join();
            callers.map_err(|_| anyhow!("the callers panicked"))??;
            others
        })?;
        // Each request that hangs is a thread that hangs.
        for mount in &mut mounts {
            let more = mount.asked();
            ensure!(more == 0, "{more} threads more than one hang in a mount");
        }
        eventually("one for each mount", || Ok(threads(&ami)? == mounts.len()))?;
        let [near, far] = &mut mounts;
        near.go()?;
        eventually("one less", || Ok(threads(&ami)? == 1))?;
        hears(pbx, "/mnt/0/one", Format::Plain, "1", Heard::Welcome)?;
        hears(pbx, "/pins/link-0", Format::Plain, "1", Heard::Welcome)?;
        far.go()?;
        eventually("none", || Ok(threads(&ami)? == 0))?;
        hears(pbx, "/mnt/1/two", Format::Plain, "1", Heard::Welcome)
    });
}

/// The answer of a list counts if it comes in time, and so do the keys that
/// were pressed before it.
#[test]
fn digits_during_a_hung_read_count() {
    on(with_mounts(), |pbx| {
        let mut mount = Mount::at(pbx, "/mnt/lists")?;
        mount.put("list", "1234\n")?;
        mount.hang("lookup getattr open read")?;
        let call = Call::new("/mnt/lists/list,q,4").deadline(Duration::from_secs(30));
        let mut call = pbx.place(&call)?;
        call.until_sound("agent-pass")?;
        press(&call, "9999")?;
        mount.until_asked()?;
        press(&call, "1234")?;
        mount.go()?;
        let report = call.finish()?;
        ensure!(report.outcome == Outcome::Passed, "{report:#?}");
        ensure!(
            report.variable("AUTHENTICATEATTEMPTS") == "2",
            "{report:#?}"
        );
        Ok(())
    });
}

/// Presses keys, whether or not the call is seen through meanwhile.
fn press(call: &Ongoing<'_>, keys: &str) -> Result<()> {
    for key in keys.chars() {
        call.press(key)?;
        // Asterisk takes no two keys closer together.
        thread::sleep(Duration::from_millis(120));
    }
    Ok(())
}

/// The first entry, a right one, was given up; its answer is for nobody.
#[test]
fn late_answer_admits_nobody() {
    on(with_mounts(), |pbx| {
        let mut mount = Mount::at(pbx, "/mnt/lists")?;
        mount.put("list", "1234\n")?;
        mount.hang("lookup getattr open read")?;
        let call = Call::new("/mnt/lists/list,q,4").keys("1234 9999 9999");
        let mut call = pbx.place(&call.deadline(Duration::from_secs(30)))?;
        let prompts = Cell::new(0);
        call.until("the second prompt", |frame| {
            let prompt = frame.has("State", "PLAYBACK") && frame.has("Message", "agent-pass");
            prompts.set(prompts.get() + usize::from(prompt));
            prompts.get() == 2
        })?;
        mount.go()?;
        let report = call.finish()?;
        ensure!(report.outcome == Outcome::HungUp, "{report:#?}");
        // It is there again for the second entry.
        ensure!(
            report.sounds.contains(&"auth-incorrect".into()),
            "{report:#?}"
        );
        hears(pbx, "/mnt/lists/list", Format::Plain, ONE, Heard::Welcome)
    });
}

#[test]
fn hangup_during_a_hung_read_ends_the_call_at_once() {
    on(with_mounts(), |pbx| {
        let mut mount = Mount::at(pbx, "/mnt/lists")?;
        mount.put("list", "1234\n")?;
        mount.hang("lookup getattr open read")?;
        for by_caller in [true, false] {
            let keys = if by_caller {
                "1<wait 0.5><hangup>"
            } else {
                "1"
            };
            let call = Call::new("/mnt/lists/list,q,1").keys(keys);
            let mut call = pbx.place(&call.deadline(Duration::from_secs(20)))?;
            call.until("the key", |frame| frame.event() == Some("DTMFEnd"))?;
            let entered = Instant::now();
            if by_caller {
                // The other caller finds the mount hanging already.
                mount.until_asked()?;
            } else {
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
        ensure!(mount.asked() == 0, "more than one thread hangs");
        Ok(())
    });
}

/// Refused while one of our threads hangs, by force too, though no call is
/// left; nothing is left of the library once the mount answers, or is gone.
#[test]
fn module_stays_loaded_until_its_thread_returns() {
    on(with_mounts(), |pbx| {
        let ami = pbx.ami()?;
        let mut shell = Shell::open(pbx)?;
        for answers in [true, false] {
            if answers {
                load_by_ami(&ami, &mut shell)?;
            } else {
                module_action(&ami, "load", OURS)?;
            }
            let mut mount = Mount::at(pbx, "/mnt/lists")?;
            mount.put("list", "1\n")?;
            mount.hang("lookup getattr open read")?;
            let call = Call::new("/mnt/lists/list,q,1").keys("1 <hangup>");
            let report = pbx.call(&call.deadline(Duration::from_secs(20)))?;
            ensure!(report.sounds == ["agent-pass"; 2], "{report:#?}");
            ensure!(threads(&ami)? == 1, "no thread hangs");
            ensure!(module_action(&ami, "unload", OURS).is_err());
            let printed = pbx.cli(&format!("module unload -f {OURS}"))?;
            ensure!(printed.contains("Unable to unload"), "{printed}");
            if answers {
                mount.go()?;
            } else {
                drop(mount);
            }
            eventually("the thread's end", || Ok(use_count(&ami)? == 0))?;
            unload_wholly(pbx, &ami, &mut shell)?;
            ensure!(threads(&ami)? == 0, "a thread is left");
        }
        Ok(())
    });
}
