//! Asterisk's configuration files, by the syntax of its `main/config.c`.

use std::fs;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::common::error::{At, CommandError};

/// Maximum depth of included files, as in Asterisk.
const MAX_INCLUDE_DEPTH: usize = 10;

/// Reads a file and those that it includes. Unsupported syntax is an error, so that no
/// option is missed.
pub(crate) fn read_all(path: &Path) -> Result<Vec<Section>, CommandError> {
    let mut reader = ConfigFileReader::new(path, false);
    reader.file(path, 0)?;
    Ok(reader.sections)
}

/// What a file says as far as it can be read without Asterisk.
#[derive(Default)]
pub(crate) struct Readable {
    pub sections: Vec<Section>,
    /// The directives that were not followed, such as `#exec`.
    pub skipped: Vec<Skipped>,
}

impl Readable {
    /// Returns the section that Asterisk uses: the first of this name that is not a
    /// template.
    pub(crate) fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.is(name))
    }

    /// Returns the first value of an option, which is the one that counts.
    pub(crate) fn value(&self, section: &str, option: &str) -> Option<&str> {
        let mut options = self.section(section)?.options.iter();
        let line = options.find(|line| line.name.eq_ignore_ascii_case(option))?;
        Some(&line.value)
    }
}

/// A directive that was not followed, and its position.
#[derive(Clone, Debug)]
pub(crate) struct Skipped {
    pub file: PathBuf,
    pub number: usize,
    pub reason: String,
}

/// Reads a file and those that it includes, and skips what only Asterisk can evaluate.
pub(crate) fn read_most(path: &Path) -> Result<Readable, CommandError> {
    let text = fs::read(path).at(path)?;
    read_most_of(path, &text)
}

/// Reads `text` as the contents of the file at `path`.
pub(crate) fn read_most_of(path: &Path, text: &[u8]) -> Result<Readable, CommandError> {
    let mut reader = ConfigFileReader::new(path, true);
    reader.text(path, text, 0)?;
    let (sections, skipped) = (reader.sections, reader.skipped);
    Ok(Readable { sections, skipped })
}

/// A section, with inherited options first.
pub(crate) struct Section {
    pub name: String,
    /// Whether other sections can only inherit from it.
    pub template: bool,
    pub options: Vec<OptionLine>,
    /// The file and the line of its header.
    pub header: (PathBuf, usize),
}

/// An option and its position.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct OptionLine {
    pub name: String,
    pub value: String,
    pub file: PathBuf,
    /// The line, from 1.
    pub number: usize,
}

impl Section {
    /// Returns whether this is a section of this name, and not a template.
    pub(crate) fn is(&self, name: &str) -> bool {
        !self.template && self.name.eq_ignore_ascii_case(name)
    }
}

/// The state of the reader.
struct ConfigFileReader {
    sections: Vec<Section>,
    /// Whether unsupported directives are skipped.
    lenient: bool,
    skipped: Vec<Skipped>,
    /// The index of the section that options are added to.
    current: Option<usize>,
    /// The folder that the names of included files are relative to.
    folder: PathBuf,
    in_comment: bool,
}

impl ConfigFileReader {
    /// Creates a reader of the file at `path`.
    fn new(path: &Path, lenient: bool) -> Self {
        Self {
            sections: Vec::new(),
            lenient,
            skipped: Vec::new(),
            current: None,
            folder: path.parent().map(Path::to_owned).unwrap_or_default(),
            in_comment: false,
        }
    }

    fn file(&mut self, path: &Path, depth: usize) -> Result<(), CommandError> {
        let text = fs::read(path).at(path)?;
        self.text(path, &text, depth)
    }

    fn text(&mut self, path: &Path, text: &[u8], depth: usize) -> Result<(), CommandError> {
        self.in_comment = false;
        for (line, number) in text.split(|byte| *byte == b'\n').zip(1..) {
            let line = String::from_utf8_lossy(line);
            let text = self.without_comments(&line);
            let done = self.line(text.trim(), (path, number), depth);
            done.map_err(|error| match error {
                ConfigFileError::Included(error) => error,
                error => CommandError::at(path, format!("line {number}: {error}")),
            })?;
        }
        Ok(())
    }

    /// Returns the line without comments: from `;` to its end, and from `;--` to
    /// `--;`, possibly over several lines. `\;` is a semicolon.
    fn without_comments(&mut self, line: &str) -> String {
        let mut text = String::new();
        let mut rest = line;
        loop {
            if self.in_comment {
                let Some((_, behind)) = rest.split_once("--;") else {
                    return text;
                };
                self.in_comment = false;
                rest = behind;
            }
            let Some((front, behind)) = rest.split_once(';') else {
                return text + rest;
            };
            if let Some(front) = front.strip_suffix('\\') {
                text.push_str(front);
                text.push(';');
                rest = behind;
                continue;
            }
            text.push_str(front);
            if !behind.starts_with("--") || behind.starts_with("---") {
                return text;
            }
            self.in_comment = true;
            rest = behind.get(2..).unwrap_or_default();
        }
    }

    fn line(
        &mut self,
        line: &str,
        place: (&Path, usize),
        depth: usize,
    ) -> Result<(), ConfigFileError> {
        if let Some(directive) = line.strip_prefix('#') {
            return match self.directive(directive, depth) {
                Err(error) if self.lenient && error.is_unsupported() => {
                    self.skipped.push(Skipped {
                        file: place.0.to_owned(),
                        number: place.1,
                        reason: error.to_string(),
                    });
                    Ok(())
                }
                done => done,
            };
        }
        if let Some(section) = line.strip_prefix('[') {
            return self.section(section, place);
        }
        let current = self.current.and_then(|at| self.sections.get_mut(at));
        if let (Some((name, value)), Some(section)) = (line.split_once('='), current) {
            let value = value.strip_prefix('>').unwrap_or(value);
            let (file, number) = (place.0.to_owned(), place.1);
            section.options.push(OptionLine {
                name: name.trim().to_owned(),
                value: value.trim().to_owned(),
                file,
                number,
            });
        }
        Ok(())
    }

    /// Reads `name]`, which may be followed by `(!)`, `(+)` or the names of sections to
    /// inherit from.
    fn section(&mut self, text: &str, place: (&Path, usize)) -> Result<(), ConfigFileError> {
        let (name, behind) = text
            .split_once(']')
            .ok_or(ConfigFileError::MissingBracket(']'))?;
        let (mut options, mut template, mut more) = (Vec::new(), false, false);
        if let Some(words) = behind.strip_prefix('(') {
            let (words, _) = words
                .split_once(')')
                .ok_or(ConfigFileError::MissingBracket(')'))?;
            for word in words.split(',') {
                match word {
                    "!" => template = true,
                    "+" => more = true,
                    _ if word.starts_with('+') => {
                        return Err(ConfigFileError::UnsupportedModifier(word.to_owned()));
                    }
                    base => options.extend(self.find(base, true)?.1.options.iter().cloned()),
                }
            }
        }
        if more {
            let at = self.find(name, false)?.0;
            if let Some(section) = self.sections.get_mut(at) {
                section.template |= template;
                section.options.append(&mut options);
            }
            self.current = Some(at);
            return Ok(());
        }
        self.current = Some(self.sections.len());
        self.sections.push(Section {
            name: name.to_owned(),
            template,
            options,
            header: (place.0.to_owned(), place.1),
        });
        Ok(())
    }

    /// Returns the first section of this name.
    fn find(&self, name: &str, or_template: bool) -> Result<(usize, &Section), ConfigFileError> {
        let mut sections = self.sections.iter().enumerate();
        sections
            .find(|(_, section)| {
                (or_template || !section.template) && section.name.eq_ignore_ascii_case(name)
            })
            .ok_or_else(|| ConfigFileError::UnknownSection(name.to_owned()))
    }

    fn directive(&mut self, text: &str, depth: usize) -> Result<(), ConfigFileError> {
        let (name, file) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let required = match name.to_ascii_lowercase().as_str() {
            "include" => true,
            "tryinclude" => false,
            _ => return Err(ConfigFileError::UnsupportedDirective(name.to_owned())),
        };
        let file = file.trim().trim_matches(['"', '<', '>', '\'']);
        if file.is_empty() || file.contains(['*', '?', '[']) {
            return Err(ConfigFileError::IncludePattern);
        }
        if depth == MAX_INCLUDE_DEPTH {
            return Err(ConfigFileError::IncludeDepth);
        }
        let path = self.folder.join(file);
        if !required && !path.exists() {
            return Ok(());
        }
        self.file(&path, depth + 1)
            .map_err(ConfigFileError::Included)
    }
}

/// The reason why a line can't be used.
#[derive(Debug, Error)]
enum ConfigFileError {
    #[error("'{0}' is missing")]
    MissingBracket(char),
    #[error("({0}) is not supported by pinset")]
    UnsupportedModifier(String),
    #[error("there is no section [{0}] above")]
    UnknownSection(String),
    #[error("#{0} is not supported by pinset")]
    UnsupportedDirective(String),
    #[error("#include is supported by pinset for one file only")]
    IncludePattern,
    #[error("too many files include each other")]
    IncludeDepth,
    /// The error of an included file.
    #[error(transparent)]
    Included(CommandError),
}

impl ConfigFileError {
    /// Returns whether Asterisk reads the line, but this reader can't.
    fn is_unsupported(&self) -> bool {
        matches!(self, Self::UnsupportedDirective(_) | Self::IncludePattern)
    }
}
