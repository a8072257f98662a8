//! Checks of the running Asterisk: the audit log, lockouts, the last reload.

use crate::common::asterisk::{conf, Asterisk, CliError};
use crate::common::finding::Finding;

const AUDIT_LOG: &str = "audit_log";
const LEVEL: &str = "AUTHENTICATE";

/// Reports whether the audit log is written anywhere.
pub(crate) fn audit_log(asterisk: &Asterisk, is_running: bool) -> Option<Finding> {
    let path = asterisk.config_dir().join("logger.conf");
    let remedy = format!(
        "add 'authenticate.log => {LEVEL}' to [logfiles] of {} (FreePBX: to \
         logger_logfiles_custom.conf), then asterisk -rx 'logger reload'",
        path.display()
    );
    let channel = if is_running {
        let shown = asterisk.cli("logger show channels").ok()?;
        channel(&shown).map(str::to_owned)
    } else {
        match conf::read_most(&path) {
            Ok(conf) => configured(&conf),
            Err(error) => return Some(Finding::warning(AUDIT_LOG, error, remedy)),
        }
    };
    Some(match channel {
        Some(channel) => Finding::ok(
            AUDIT_LOG,
            format_args!("level {LEVEL} is logged to {channel}"),
        ),
        None => Finding::warning(
            AUDIT_LOG,
            format_args!("level {LEVEL} is logged nowhere: there is no audit log"),
            remedy,
        ),
    })
}

/// Returns the first enabled channel of `logger show channels` that has the level.
fn channel(shown: &str) -> Option<&str> {
    let mut lines = shown.lines();
    lines.find_map(|line| {
        let (columns, levels) = line.split_once(" - ")?;
        let has_level = levels.split_whitespace().any(|word| word == LEVEL);
        let is_enabled = columns.split_whitespace().any(|word| word == "Enabled");
        (has_level && is_enabled).then(|| columns.split_whitespace().next())?
    })
}

/// Returns the first file of `logger.conf` that gets the level.
fn configured(conf: &conf::Readable) -> Option<String> {
    let section = conf.section("logfiles")?;
    let mut lines = section.options.iter();
    let line = lines.find(|line| {
        // The format may stand before the levels: [json]authenticate.
        let levels = line.value.rsplit(']').next().unwrap_or_default();
        let mut levels = levels.split(',').map(str::trim);
        levels.any(|level| level == "*" || level.eq_ignore_ascii_case(LEVEL))
    })?;
    Some(line.name.clone())
}

/// Reports the lockouts in force, and the last reload if it was refused.
pub(crate) fn module_state(asterisk: &Asterisk) -> Result<[Finding; 2], CliError> {
    let lockouts = asterisk.cli("authenticate show lockouts")?;
    let pin_sets = asterisk.cli("authenticate show pinsets")?;
    Ok([lockouts_finding(&lockouts), reload_finding(&pin_sets)])
}

fn lockouts_finding(shown: &str) -> Finding {
    const CHECK: &str = "lockouts";
    let mut lines = shown.lines().rev();
    let count = lines.find_map(|line| {
        let (count, word) = line.trim().split_once(' ')?;
        word.starts_with("lockout").then(|| count.parse().ok())?
    });
    match count {
        Some(0) => Finding::ok(CHECK, "nobody is locked out"),
        Some(count) => {
            let count: u64 = count;
            Finding::warning(
                CHECK,
                format_args!("lockouts in force: {count}"),
                "asterisk -rx 'authenticate show lockouts'; to unlock: asterisk -rx \
                 'authenticate unlock caller|account|pinset VALUE'",
            )
        }
        None => Finding::warning(
            CHECK,
            format_args!("unexpected answer of Asterisk: {shown}"),
            "asterisk -rx 'authenticate show lockouts'",
        ),
    }
}

fn reload_finding(shown: &str) -> Finding {
    const CHECK: &str = "reload";
    let mut lines = shown
        .lines()
        .skip_while(|line| !line.contains(" was rejected at "));
    let Some(rejected) = lines.next() else {
        return Finding::ok(
            CHECK,
            "the configuration in force is the last one that was read",
        );
    };
    let rejected = rejected.split(", the version").next().unwrap_or(rejected);
    let first = lines.next().unwrap_or_default().trim();
    Finding::error(
        CHECK,
        format_args!("{rejected}, and the version before it is in force: {first}"),
        "correct the line, then asterisk -rx 'module reload app_authenticate_rs.so'",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::finding::Level;
    use std::path::Path;

    #[test]
    fn enabled_channel_with_the_level_is_found() {
        let head = "Logger queue limit: 1000\n\nChannel  Type  Formatter  Status  Configuration\n";
        let row = |status: &str, levels: &str| {
            format!("{head}/var/log/asterisk/authenticate.log File default {status}  - {levels} \n")
        };
        let found = Some("/var/log/asterisk/authenticate.log");
        assert_eq!(channel(&row("Enabled", "NOTICE AUTHENTICATE")), found);
        assert_eq!(channel(&row("Enabled", "NOTICE WARNING")), None);
        assert_eq!(channel(&row("Disabled", "AUTHENTICATE")), None);
    }

    #[test]
    fn configured_log_file_with_the_level_is_found() {
        for (text, wanted) in [
            ("[logfiles]\na.log => notice,authenticate\n", Some("a.log")),
            (
                "[logfiles]\na.log => notice\nb.json = [json]AUTHENTICATE\n",
                Some("b.json"),
            ),
            ("[logfiles]\nfull => *\n", Some("full")),
            ("[logfiles]\nfull => notice\n", None),
            ("[general]\nfull => authenticate\n", None),
        ] {
            let conf = conf::read_most_of(Path::new("logger.conf"), text.as_bytes());
            assert_eq!(
                configured(&conf.expect("read")).as_deref(),
                wanted,
                "{text}"
            );
        }
    }

    #[test]
    fn lockouts_and_refused_reload_are_found() {
        for (shown, level) in [
            ("0 lockouts\n", Level::Ok),
            (
                "PIN set  Locked by\noffice   caller\n1 lockout\n",
                Level::Warning,
            ),
            ("No such command\n", Level::Warning),
        ] {
            assert_eq!(lockouts_finding(shown).level, level, "{shown}");
        }
        let table = "PIN set  Source\n0 PIN sets\n";
        assert_eq!(reload_finding(table).level, Level::Ok);
        let rejected = format!(
            "{table}authenticate.conf was rejected at 2026-11-28 23:31:05, the version before \
             it is shown:\n  authenticate.conf:2: [general] x: there is no such option\n"
        );
        let finding = reload_finding(&rejected);
        assert_eq!(finding.level, Level::Error);
        assert!(finding.message.contains("23:31:05, and"), "{finding}");
        assert!(
            finding.message.contains("authenticate.conf:2:"),
            "{finding}"
        );
    }
}
