//! The syntax of files with PIN sets of the console: sections, options and comments, a part
//! of the syntax of Asterisk's files.

use std::io;

use thiserror::Error;

use super::folder::MAX_FILE_BYTES;
use super::{ConsoleOption, ConsoleSection};
use crate::dialplan::MAX_NAME_BYTES;

/// The most options of a section: more than there are, so that each error is reported, but
/// not thousands of them.
const MAX_OPTIONS: usize = 20;

/// Why a file can't be used. No section of it counts then.
#[derive(Debug, Error)]
#[error("{kind}")]
pub struct ConsoleFileError {
    /// The line, from 1; `None` if the error is the file's.
    pub line: Option<usize>,
    /// The reason.
    pub kind: ConsoleFileErrorKind,
}

/// Why a file or a line can't be used. The message holds nothing of the file.
#[derive(Debug, Error)]
pub enum ConsoleFileErrorKind {
    /// The file's name has other characters.
    #[error("the name of the file must have only letters, digits, '-', '_' and '.'")]
    FileName,
    /// The file can't be read.
    #[error("can't be read: {0}")]
    Unreadable(#[from] io::Error),
    /// The file is a symbolic link.
    #[error("a symbolic link, which is not followed in console_sets")]
    Link,
    /// The file is a folder, a FIFO or a device.
    #[error("not a regular file")]
    NotRegular,
    /// Every user of the machine can change the file.
    #[error("world-writable: take the right to write from other users")]
    WorldWritable,
    /// The file is too large.
    #[error("over {MAX_FILE_BYTES} bytes")]
    TooLarge,
    /// The text is not UTF-8.
    #[error("not in UTF-8")]
    NotUtf8,
    /// The line has a control character.
    #[error("a control character")]
    ControlCharacter,
    /// The line begins with `#`.
    #[error("#include, #exec and the like are not allowed in console_sets")]
    Directive,
    /// A comment that may span lines begins.
    #[error("comments with ;-- are not allowed in console_sets: begin each line with ;")]
    BlockComment,
    /// The line begins with `[` and is not `[name]`.
    #[error("must be [NAME] alone: templates are not allowed in console_sets")]
    Header,
    /// The name of a section has other characters, or is too long.
    #[error(
        "the name of a PIN set must have 1 to {MAX_NAME_BYTES} characters, only letters, \
         digits, '-', '_' and '.'"
    )]
    SectionName,
    /// The section is `[general]`.
    #[error("[general] belongs to authenticate.conf")]
    General,
    /// The option comes before the first section.
    #[error("no [NAME] is above it")]
    OutsideSection,
    /// The line is neither a section nor an option.
    #[error("must be option = value")]
    NotAnOption,
    /// The section has too many options.
    #[error("over {MAX_OPTIONS} options in a section")]
    TooManyOptions,
}

/// Parses the contents of a file.
///
/// # Errors
///
/// Fails with the first line of another syntax.
pub fn parse_console_file(text: &[u8]) -> Result<Vec<ConsoleSection>, ConsoleFileError> {
    let mut sections: Vec<ConsoleSection> = Vec::new();
    for (line, number) in text.split(|byte| *byte == b'\n').zip(1..) {
        parse_line(line, number, &mut sections).map_err(|kind| ConsoleFileError {
            line: Some(number),
            kind,
        })?;
    }
    Ok(sections)
}

fn parse_line(
    line: &[u8],
    number: usize,
    sections: &mut Vec<ConsoleSection>,
) -> Result<(), ConsoleFileErrorKind> {
    let line = std::str::from_utf8(line).map_err(|_| ConsoleFileErrorKind::NotUtf8)?;
    let line = line.trim_matches([' ', '\t', '\r']);
    if line.contains(char::is_control) {
        return Err(ConsoleFileErrorKind::ControlCharacter);
    }
    if line.contains(";--") {
        return Err(ConsoleFileErrorKind::BlockComment);
    }
    if line.starts_with('#') {
        return Err(ConsoleFileErrorKind::Directive);
    }
    let line = line.split_once(';').map_or(line, |(text, _)| text).trim();
    if line.is_empty() {
        return Ok(());
    }
    if line.starts_with('[') {
        sections.push(section(line, number)?);
        return Ok(());
    }
    let section = sections
        .last_mut()
        .ok_or(ConsoleFileErrorKind::OutsideSection)?;
    if section.options.len() == MAX_OPTIONS {
        return Err(ConsoleFileErrorKind::TooManyOptions);
    }
    section.options.push(option(line, number)?);
    Ok(())
}

fn section(line: &str, number: usize) -> Result<ConsoleSection, ConsoleFileErrorKind> {
    let name = line
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .ok_or(ConsoleFileErrorKind::Header)?;
    if name.eq_ignore_ascii_case("general") {
        return Err(ConsoleFileErrorKind::General);
    }
    if !(1..=MAX_NAME_BYTES).contains(&name.len()) || !is_plain_name(name) {
        return Err(ConsoleFileErrorKind::SectionName);
    }
    Ok(ConsoleSection {
        name: name.to_owned(),
        line: number,
        options: Vec::new(),
    })
}

fn option(line: &str, number: usize) -> Result<ConsoleOption, ConsoleFileErrorKind> {
    let (name, value) = line
        .split_once('=')
        .ok_or(ConsoleFileErrorKind::NotAnOption)?;
    let name = name.trim();
    let of_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if !(1..=MAX_NAME_BYTES).contains(&name.len()) || !name.bytes().all(of_name) {
        return Err(ConsoleFileErrorKind::NotAnOption);
    }
    Ok(ConsoleOption {
        name: name.to_ascii_lowercase(),
        value: value.trim().to_owned(),
        line: number,
    })
}

/// Returns whether a name is safe in logs, paths and dialplans.
pub(super) fn is_plain_name(name: &str) -> bool {
    let of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    name.bytes().all(of_name)
}
