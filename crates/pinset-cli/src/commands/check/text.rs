//! Report on a list as text.

use std::fmt::{self, Display, Formatter};

use crate::commands::check::findings::{Findings, List, ListReport};
use crate::common::reach::{OUT_OF_REACH, REMEDY};

impl Display for ListReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let file = &self.file;
        if let Some(error) = &self.error {
            writeln!(f, "{file}: can't be read, admits nobody: {error}")?;
        }
        if let Some(list) = &self.list {
            let entries = if list.entries == 1 {
                "entry"
            } else {
                "entries"
            };
            writeln!(
                f,
                "{file}: {} file, {} {entries}",
                list.format, list.entries
            )?;
            findings(f, list)?;
        }
        Ok(())
    }
}

fn findings(f: &mut Formatter<'_>, list: &List) -> fmt::Result {
    if list.empty {
        writeln!(f, "  warning: admits nobody")?;
    }
    if list.world_writable {
        writeln!(f, "  warning: world-writable")?;
    }
    if list.unended {
        writeln!(
            f,
            "  warning: the last line has no line end: it counts only if the file has not changed \
             for a second, and appended text becomes part of it"
        )?;
    }
    for objection in &list.pin_sets {
        let (pin_set, option) = (&objection.pin_set, objection.option);
        writeln!(f, "  warning: [{pin_set}] {option}: {}", objection.reason)?;
    }
    lines(f, &list.broken, "invalid", |broken| {
        (broken.line, broken.reason.to_string())
    })?;
    let same = if list.format == "csv" {
        "account and caller"
    } else {
        "PIN"
    };
    lines(f, &list.duplicates, "duplicate", |duplicate| {
        (
            duplicate.line,
            format!("same {same} as line {}", duplicate.first),
        )
    })?;
    lines(f, &list.weak, "weak", |weak| {
        (weak.line, weak.reason.to_string())
    })?;
    lines(f, &list.unreachable, "admits nobody", |row| {
        (row.line, format!("{OUT_OF_REACH}: {REMEDY}"))
    })?;
    for odds in &list.odds {
        let warning = if odds.practical { "warning: " } else { "" };
        writeln!(f, "  {warning}{odds}")?;
    }
    if let Some(alphabet) = list.alphabet.filter(|alphabet| *alphabet != "0-9") {
        writeln!(f, "  (odds are for guesses of {alphabet})")?;
    }
    Ok(())
}

/// Prints the kept lines, and the number of others.
fn lines<T>(
    f: &mut Formatter<'_>,
    findings: &Findings<T>,
    what: &str,
    describe: impl Fn(&T) -> (u64, String),
) -> fmt::Result {
    for finding in &findings.lines {
        let (line, why) = describe(finding);
        writeln!(f, "  line {line}: {what}: {why}")?;
    }
    match findings.count - findings.lines.len() as u64 {
        0 => Ok(()),
        more if findings.lines.is_empty() => writeln!(f, "  {what}: {more} lines"),
        more => writeln!(f, "  {what}: {more} more lines"),
    }
}
