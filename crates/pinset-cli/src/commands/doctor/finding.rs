//! The report of all findings. The names of the fields are those of the JSON, which
//! `docs/operating.md` documents.

use std::io::{self, Write};

use serde::Serialize;

use crate::common::finding::{Finding, Level};

/// All findings.
#[derive(Serialize)]
pub(super) struct Report {
    level: Level,
    exit_code: u8,
    findings: Vec<Finding>,
}

impl Report {
    pub(super) fn new(findings: Vec<Finding>) -> Self {
        let levels = findings.iter().map(|finding| finding.level);
        let level = levels.max().unwrap_or(Level::Ok);
        Self {
            level,
            exit_code: level.exit_code(),
            findings,
        }
    }

    fn count(&self, level: Level) -> usize {
        let findings = self.findings.iter();
        findings.filter(|finding| finding.level == level).count()
    }

    /// Prints the report and returns the exit code. The first line of the text is the
    /// summary that monitoring shows.
    pub(super) fn print(&self, json: bool) -> io::Result<u8> {
        let mut out = io::stdout().lock();
        if json {
            serde_json::to_writer_pretty(&mut out, self)?;
            writeln!(out)?;
        } else {
            let (errors, warnings) = (self.count(Level::Error), self.count(Level::Warning));
            let ok = self.count(Level::Ok);
            writeln!(
                out,
                "{}: {errors} errors, {warnings} warnings, {ok} ok",
                self.level.to_string().to_uppercase()
            )?;
            for finding in &self.findings {
                writeln!(out, "{finding}")?;
            }
        }
        out.flush()?;
        Ok(self.exit_code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worst_level_decides_the_exit_code() {
        let ok = || Finding::ok("a", "fine");
        let warning = || Finding::warning("b", "so so", "look");
        let error = || Finding::error("c", "bad", "act");
        for (findings, code) in [
            (vec![], 0),
            (vec![ok()], 0),
            (vec![warning(), ok()], 1),
            (vec![error(), warning()], 2),
        ] {
            assert_eq!(Report::new(findings).exit_code, code);
        }
    }
}
