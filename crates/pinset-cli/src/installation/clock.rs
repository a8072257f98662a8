//! Check of the clock, by which the dates of PINs are compared.

use std::process::{Command, Stdio};
use std::time::SystemTime;

use crate::common::asterisk::modules::Provider;
use crate::common::asterisk::Asterisk;
use crate::common::finding::Finding;

const CHECK: &str = "clock";
const REMEDY: &str = "timedatectl set-ntp true, or install chrony";

pub(crate) fn finding(asterisk: &Asterisk) -> Finding {
    // The clock can't be before the time at which the module was installed.
    let folder = asterisk.module_dir().unwrap_or_default();
    let file = folder.join(Provider::Ours.file());
    let installed = std::fs::metadata(file).and_then(|about| about.modified());
    if installed.is_ok_and(|installed| installed > SystemTime::now()) {
        let message = "the clock is before the time at which the module was installed";
        return Finding::error(CHECK, message, REMEDY);
    }
    assess(timedatectl().as_deref())
}

/// Returns what systemd says about the synchronization, if there is systemd.
fn timedatectl() -> Option<String> {
    let output = Command::new("timedatectl")
        .args(["show", "--property=NTPSynchronized", "--value"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let printed = String::from_utf8_lossy(&output.stdout);
    output.status.success().then(|| printed.trim().to_owned())
}

fn assess(synchronized: Option<&str>) -> Finding {
    match synchronized {
        Some("yes") => Finding::ok(CHECK, "synchronized"),
        Some("no") => Finding::warning(
            CHECK,
            "not synchronized: PINs may be valid too early or too late",
            REMEDY,
        ),
        _ => Finding::ok(CHECK, "not checked: there is no timedatectl (systemd) here"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::finding::Level;

    #[test]
    fn clock_that_is_not_synchronized_is_a_warning() {
        for (answer, level) in [
            (Some("yes"), Level::Ok),
            (Some("no"), Level::Warning),
            (None, Level::Ok),
        ] {
            assert_eq!(assess(answer).level, level, "{answer:?}");
        }
    }
}
