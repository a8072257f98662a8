//! PIN files that are replaced by something else or become unreadable: cached content
//! admits nobody, and a restored file counts at once.

use anyhow::{ensure, Result};
use harness::{Call, Module, Outcome, Pbx};

use super::mount::Mount;
use super::{hears, one_entry, Format, Heard, ONE, OTHER};
use crate::support::{on, side_by_side};

/// What comes in the list's place, and how: the list is `$1`.
const PLACES: &[(&str, &str)] = &[
    ("nothing", "rm $1"),
    ("a directory", "rm $1; mkdir $1"),
    ("a fifo", "rm $1; mkfifo $1"),
    (
        "a socket",
        "rm $1; python3 -c \"import socket; socket.socket(socket.AF_UNIX).bind('$1')\"",
    ),
    ("a device", "ln -sf /dev/null $1"),
    ("an endless device", "ln -sf /dev/zero $1"),
    ("a link to itself", "rm $1; ln -s $1 $1"),
    ("a link to a directory", "ln -sf /pins $1"),
    ("a link to nothing", "ln -sf /pins/nowhere $1"),
    (
        "a file in place of its directory",
        "rm $1; rmdir ${1%/*}; touch ${1%/*}",
    ),
];

#[test]
fn pin_file_replaced_by_another_kind_of_file_admits_nobody() {
    on(Pbx::builder().module(Module::Ours), |pbx| {
        side_by_side(PLACES.len() * 2, 8, |number| {
            let format = [Format::Plain, Format::Md5][number % 2];
            let (what, script) = PLACES[number / 2];
            let list = &format!("/pins/place-{number}/list");
            let hears = |pin, wanted| hears(pbx, list, format, pin, wanted);
            pbx.write_file(list, format.list(ONE))?;
            hears(ONE, Heard::Welcome)?;
            pbx.exec(&["bash", "-ec", script, "bash", list])?;
            admits_nobody(pbx, list, format).map_err(|error| error.context(what))?;
            pbx.exec(&["bash", "-ec", "rm -rf ${1%/*}", "bash", list])?;
            pbx.write_file(list, format.list(OTHER))?;
            hears(OTHER, Heard::Welcome)?;
            hears(ONE, Heard::Wrong)
        })
    });
}

/// All of a call, in which the PIN is tried that was right.
fn admits_nobody(pbx: &Pbx, list: &str, format: Format) -> Result<()> {
    let args = format!("{list},{},4", format.options());
    let report = pbx.call(&Call::new(args).keys("1234 1234 1234"))?;
    ensure!(report.outcome == Outcome::HungUp, "{report:#?}");
    ensure!(report.status() == "ERROR", "{report:#?}");
    ensure!(report.sounds == ["agent-pass"; 3], "{report:#?}");
    let why = format!("Unable to open file '{list}'");
    ensure!(pbx.log()?.contains(&why), "the log does not say why");
    Ok(())
}

/// Root may read anything, but not what a file system keeps from everybody.
const READ_ERRORS: &[(&str, &str)] = &[
    ("lookup", "EACCES"),
    ("open", "EACCES"),
    ("open", "ESTALE"),
    ("read", "EIO"),
];

#[test]
fn pin_file_without_read_permission_admits_nobody() {
    on(Pbx::builder().module(Module::Ours).file_systems(), |pbx| {
        side_by_side(READ_ERRORS.len(), READ_ERRORS.len(), |number| {
            let (step, error) = READ_ERRORS[number];
            let mut mount = Mount::at(pbx, &format!("/mnt/fault-{number}"))?;
            let list = &format!("/mnt/fault-{number}/list");
            let hears = |pin, wanted| hears(pbx, list, Format::Plain, pin, wanted);
            mount.put("list", "1234\n")?;
            hears(ONE, Heard::Welcome)?;
            mount.fail(step, error)?;
            admits_nobody(pbx, list, Format::Plain)?;
            mount.go()?;
            hears(ONE, Heard::Welcome)
        })
    });
}

/// What was read before the error is no list.
#[test]
fn pin_file_with_a_read_error_admits_nobody() {
    on(Pbx::builder().module(Module::Ours).file_systems(), |pbx| {
        let mut mount = Mount::at(pbx, "/mnt/lists")?;
        let hears = |pin, wanted| hears(pbx, "/mnt/lists/long", Format::Plain, pin, wanted);
        // Longer than what the kernel asks for at a time.
        let mut long = "999999\n".repeat(100_000);
        long.push_str("1234\n");
        mount.put("long", &long)?;
        mount.fail("later", "EIO")?;
        hears(OTHER, Heard::Prompt)?;
        hears(ONE, Heard::Prompt)?;
        mount.go()?;
        hears(OTHER, Heard::Wrong)?;
        hears(ONE, Heard::Welcome)
    });
}

/// A slow answer is an answer.
#[test]
fn slow_pin_file_admits_its_callers() {
    on(Pbx::builder().module(Module::Ours).file_systems(), |pbx| {
        let mut mount = Mount::at(pbx, "/mnt/lists")?;
        for step in ["lookup", "getattr", "open", "read"] {
            // It is read again, despite the cache.
            mount.put("list", "1234\n")?;
            mount.hang(step)?;
            let call = one_entry("/mnt/lists/list", Format::Plain, ONE);
            let mut call = pbx.place(&call)?;
            call.until("the last key", |frame| {
                frame.event() == Some("DTMFEnd") && frame.has("Digit", "4")
            })?;
            mount.until_asked()?;
            ensure!(mount.asked() == 0, "{step}: asked twice");
            mount.go()?;
            let report = call.finish()?;
            ensure!(report.outcome == Outcome::Passed, "{step}: {report:#?}");
        }
        Ok(())
    });
}
