//! Findings and their output. The names of the fields are those of the JSON, which
//! `docs/operating.md` documents.

use std::fmt::{self, Display};
use std::io::{self, Write};

use serde::Serialize;

/// The level of a finding; the worst is the last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Level {
    Ok,
    Warning,
    Error,
}

impl Level {
    /// Returns the exit code, which is that of monitoring plugins.
    pub(super) fn exit_code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Error => 2,
        }
    }
}

impl Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// The result of one check.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Finding {
    pub check: &'static str,
    pub level: Level,
    pub message: String,
    /// What to do about it: a command where there is one.
    pub remedy: Option<String>,
}

impl Finding {
    pub(super) fn ok(check: &'static str, message: impl Display) -> Self {
        Self {
            check,
            level: Level::Ok,
            message: message.to_string(),
            remedy: None,
        }
    }

    pub(super) fn warning(
        check: &'static str,
        message: impl Display,
        remedy: impl Display,
    ) -> Self {
        Self {
            level: Level::Warning,
            remedy: Some(remedy.to_string()),
            ..Self::ok(check, message)
        }
    }

    pub(super) fn error(check: &'static str, message: impl Display, remedy: impl Display) -> Self {
        Self {
            level: Level::Error,
            ..Self::warning(check, message, remedy)
        }
    }
}

impl Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = one_line(&self.message);
        write!(f, "{}: {}: {message}", self.level, self.check)?;
        if let Some(remedy) = &self.remedy {
            write!(f, " -> {}", one_line(remedy))?;
        }
        Ok(())
    }
}

/// Returns the text in one line, without control characters, because parts of it come from
/// files.
fn one_line(text: &str) -> String {
    pinset::escape::escape_invisible(text.trim().replace('\n', "; ").as_bytes())
}

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

    #[test]
    fn finding_is_one_line_without_control_characters() {
        let finding = Finding::error("c", "two\nlines \x1b[1m", "do");
        assert_eq!(finding.to_string(), "error: c: two; lines \\x1b[1m -> do");
    }
}
