//! Findings of checks. The names of the fields are those of the JSON of `pinset doctor`,
//! which `docs/operating.md` documents.

use std::fmt::{self, Display};

use serde::Serialize;

/// The level of a finding; the worst is the last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Level {
    Ok,
    Warning,
    Error,
}

impl Level {
    /// Returns the exit code, which is that of monitoring plugins.
    pub(crate) fn exit_code(self) -> u8 {
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
pub(crate) struct Finding {
    pub check: &'static str,
    pub level: Level,
    pub message: String,
    /// What to do about it: a command where there is one.
    pub remedy: Option<String>,
}

impl Finding {
    pub(crate) fn ok(check: &'static str, message: impl Display) -> Self {
        Self {
            check,
            level: Level::Ok,
            message: message.to_string(),
            remedy: None,
        }
    }

    pub(crate) fn warning(
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

    pub(crate) fn error(check: &'static str, message: impl Display, remedy: impl Display) -> Self {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finding_is_one_line_without_control_characters() {
        let finding = Finding::error("c", "two\nlines \x1b[1m", "do");
        assert_eq!(finding.to_string(), "error: c: two; lines \\x1b[1m -> do");
    }
}
