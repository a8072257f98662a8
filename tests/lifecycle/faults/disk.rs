//! A disk that is full, broken or read-only under Asterisk's database and the journal of
//! uses, and under a PIN file that is edited.

use anyhow::{ensure, Result};
use harness::{pinset, Call, Module, Outcome, Pbx};

use super::{is_admitted, with_counted_pins, Faults, COUNTED};
use crate::pin_sets::shell;
use crate::support::on;

/// The errors by their numbers on Linux, and what they are called.
const ERRORS: [(u32, &str); 3] = [
    (5, "Input/output error"),
    (28, "No space left on device"),
    (30, "Read-only file system"),
];

/// The files that can't be written, by the beginning of their names; all, if it is empty.
const FILES: [&str; 3] = [JOURNAL, DATABASE, ""];
const JOURNAL: &str = "app_authenticate_rs";
const DATABASE: &str = "astdb";

/// Nobody is admitted whose use is not in the journal. Once the disk works, each PIN has
/// admitted one caller in all, also if Asterisk was killed meanwhile.
#[test]
fn failing_disk_refuses_and_loses_no_use() -> Result<()> {
    let faults = Faults::new()?;
    let pbx = with_counted_pins(&faults, ERRORS.len() * FILES.len())?;
    for (nth, (number, error)) in ERRORS.into_iter().enumerate() {
        for (file, names) in FILES.into_iter().enumerate() {
            let pin = (1000 + nth * FILES.len() + file).to_string();
            let case = format!("{error}, '{names}', {pin}");
            let log_before = pbx.log()?.len();
            faults.fail_writes(names, number)?;
            let mut admitted = Vec::new();
            for counted in COUNTED {
                admitted.push(is_admitted(&pbx.call(&counted.call(&pin))?)?);
            }
            let log = pbx.log()?.split_off(log_before);
            if names == DATABASE {
                pbx.kill9()?;
                faults.fail_writes("", 0)?;
                pbx.start_again()?;
            } else {
                ensure!(admitted == [false; 2], "{case}: {admitted:?}");
                are_logged(&log, error)?;
                faults.fail_writes("", 0)?;
            }
            for (counted, before) in COUNTED.into_iter().zip(admitted) {
                let later = is_admitted(&pbx.call(&counted.call(&pin))?)?;
                ensure!(
                    before != later,
                    "{case}: {counted:?} {before}, then {later}"
                );
                let again = is_admitted(&pbx.call(&counted.call(&pin))?)?;
                ensure!(!again, "{case}: {counted:?} again");
            }
        }
    }
    Ok(())
}

/// The log has the file, the error and the remedy, for both kinds of PINs.
fn are_logged(log: &str, error: &str) -> Result<()> {
    for what in [
        "a one-time PIN of family 'once' can't be used up, so it is refused: ",
        "PIN set 'counted': attempt rejected as wrong: a use can't be counted: ",
    ] {
        let lines: Vec<_> = log.lines().filter(|line| line.contains(what)).collect();
        let [line] = lines[..] else {
            anyhow::bail!("{what}: {lines:?}");
        };
        let journal = line.contains("'/harness/db/app_authenticate_rs.journal'")
            && line.contains(error)
            && line.ends_with("; check its disk and permissions");
        // A commit that has failed, and not yet the journal.
        let database = line.contains("Asterisk's database can't be ")
            && line.ends_with(": check disk and permissions of '/harness/db/astdb.sqlite3'");
        ensure!(journal || database, "{line}");
    }
    Ok(())
}

/// A file system of eight pages, full but for the PIN file.
const FILL: &str = "dd if=/dev/zero of=/mnt/small/fill 2>&1 | grep -q 'No space left'";

#[test]
fn failing_disk_leaves_an_edited_pin_file_as_it_was() {
    on(Pbx::builder().module(Module::Ours).file_systems(), |pbx| {
        pbx.put_program(&pinset()?, "/harness/pinset")?;
        shell(
            pbx,
            "mkdir /mnt/small; mount -t tmpfs -o size=32k small /mnt/small; \
             echo 1234 >/mnt/small/list",
        )?;
        let passes = |pin: &str| -> Result<bool> {
            let call = Call::new("/mnt/small/list,q,4,&").keys(&format!("<now>{pin} <hangup>"));
            Ok(pbx.call(&call)?.outcome == Outcome::Passed)
        };
        const ADD: &str = "echo 5678 | /harness/pinset add /mnt/small/list 2>&1";
        for (fault, error) in [
            (FILL, "No space left on device"),
            (
                "rm /mnt/small/fill; mount -o remount,ro /mnt/small",
                "Read-only file system",
            ),
        ] {
            shell(pbx, fault)?;
            let printed = shell(pbx, &format!("! {ADD}"))?;
            ensure!(printed.contains(error), "{printed}");
            ensure!(shell(pbx, "cat /mnt/small/list")? == "1234\n", "{error}");
            ensure!(passes("1234")? && !passes("5678")?, "{error}");
        }
        shell(pbx, &format!("mount -o remount,rw /mnt/small; {ADD}"))?;
        ensure!(passes("1234")? && passes("5678")?);
        let left = shell(pbx, "ls /mnt/small")?;
        ensure!(left == "list\n", "{left}");
        Ok(())
    });
}
