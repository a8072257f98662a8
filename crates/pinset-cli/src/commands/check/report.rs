//! Reports of `pinset check`, as text and as JSON, whose fields `docs/pin-lists.md`
//! documents.

use std::fmt::{self, Display, Formatter};
use std::io;

use serde::Serialize;

use crate::common::reach::{OUT_OF_REACH, REMEDY};
use crate::pin_files::check::{Findings, List, Verdict, DATABASE};

/// The reports on all lists.
#[derive(Serialize)]
pub(super) struct Reports {
    verdict: Verdict,
    exit_code: u8,
    files: Vec<ListReport>,
}

impl Reports {
    pub(super) fn new(verdict: Verdict, files: Vec<ListReport>) -> Self {
        Self {
            verdict,
            exit_code: verdict.exit_code(),
            files,
        }
    }
}

/// The report on one list.
#[derive(Serialize)]
pub(super) struct ListReport {
    pub file: String,
    pub verdict: Verdict,
    /// The reason why it can't be read.
    pub error: Option<String>,
    /// Its contents, if it can be read.
    pub list: Option<List>,
}

impl ListReport {
    /// Returns the report on a list, or on the error that refuses it.
    pub(super) fn new(file: String, examined: io::Result<List>) -> Self {
        match examined {
            Ok(list) => Self {
                file,
                verdict: list.verdict(),
                error: None,
                list: Some(list),
            },
            Err(error) => Self {
                file,
                verdict: Verdict::Broken,
                error: Some(error.to_string()),
                list: None,
            },
        }
    }
}

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
            let kind = match list.format {
                DATABASE => "in the database".to_owned(),
                format => format!("{format} file"),
            };
            writeln!(f, "{file}: {kind}, {} {entries}", list.entries)?;
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
    let place = if list.format == DATABASE {
        "id"
    } else {
        "line"
    };
    lines(f, place, &list.broken, "invalid", |broken| {
        (broken.line, broken.reason.to_string())
    })?;
    let same = if matches!(list.format, "csv" | DATABASE) {
        "account and caller"
    } else {
        "PIN"
    };
    lines(f, place, &list.duplicates, "duplicate", |duplicate| {
        (
            duplicate.line,
            format!("same {same} as {place} {}", duplicate.first),
        )
    })?;
    lines(f, place, &list.weak, "weak", |weak| {
        (weak.line, weak.reason.to_string())
    })?;
    lines(f, place, &list.unreachable, "admits nobody", |row| {
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
    place: &str,
    findings: &Findings<T>,
    what: &str,
    describe: impl Fn(&T) -> (u64, String),
) -> fmt::Result {
    for finding in &findings.lines {
        let (line, why) = describe(finding);
        writeln!(f, "  {place} {line}: {what}: {why}")?;
    }
    match findings.count - findings.lines.len() as u64 {
        0 => Ok(()),
        more if findings.lines.is_empty() => writeln!(f, "  {what}: {more} lines"),
        more => writeln!(f, "  {what}: {more} more lines"),
    }
}
