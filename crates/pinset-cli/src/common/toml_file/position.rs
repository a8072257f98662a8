//! Location of an error in the configuration: line, section and option.

use std::fmt;

/// The location of an error in the file.
pub(super) struct Position<'a> {
    /// Counted from 1.
    line: usize,
    /// The header of the section, with its brackets.
    section: Option<&'a str>,
    option: Option<&'a str>,
}

impl<'a> Position<'a> {
    /// Returns the position of the byte `at` in `text`.
    ///
    /// It is found line by line, so that it works for invalid TOML, too. A value over
    /// several lines belongs to the option above.
    pub(super) fn of(text: &'a str, at: usize) -> Self {
        let before = text.get(..at).unwrap_or(text);
        let line = before.matches('\n').count();
        let lines: Vec<&str> = text.lines().take(line + 1).collect();
        let mut position = Self {
            line: line + 1,
            section: None,
            option: None,
        };
        for line in lines.into_iter().rev() {
            position.section = header(line);
            if position.section.is_some() {
                break;
            }
            position.option = position.option.or_else(|| option(line));
        }
        position
    }
}

impl fmt::Display for Position<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.line)?;
        if let Some(section) = self.section {
            write!(f, " {section}")?;
        }
        if let Some(option) = self.option {
            write!(f, " {option}:")?;
        }
        Ok(())
    }
}

/// Returns the header in a line such as `[service.NAME] # the first`.
fn header(line: &str) -> Option<&str> {
    let line = line.trim();
    let end = line.find(']')?;
    let rest = line.get(end + 1..)?.trim_start_matches(']').trim_start();
    let name = line.get(..end)?.strip_prefix('[')?.trim_start_matches('[');
    let is_header = is_key(name) && (rest.is_empty() || rest.starts_with('#'));
    is_header.then(|| line.get(..=end)).flatten()
}

/// Returns the name in a line such as `gather.ask = "…"`.
fn option(line: &str) -> Option<&str> {
    let name = line.split_once('=')?.0.trim();
    is_key(name).then_some(name)
}

/// Returns whether a text is a key of TOML, dotted or not. Quoted keys may contain more
/// than is accepted here.
fn is_key(text: &str) -> bool {
    let quoted = |letter: char| letter == '"' || letter == '\'' || letter == ' ';
    let right = |letter: char| letter.is_alphanumeric() || "-_.".contains(letter) || quoted(letter);
    !text.trim().is_empty() && text.chars().all(right)
}
