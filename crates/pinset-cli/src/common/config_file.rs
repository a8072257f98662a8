//! ConfigFileReader of `authenticate.conf`: the numbering options, `pepper_file` and the PIN sets.
//!
//! Asterisk reads the file for the module; this reader follows the syntax of
//! `main/config.c` of Asterisk. Unsupported syntax is an error, so that no option is
//! missed.

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};

use pinset::{PinSet, Settings};
use thiserror::Error;

use crate::common::error::{At, CommandError};

/// Maximum depth of included files, as in Asterisk.
const MAX_INCLUDE_DEPTH: usize = 10;

/// The module's configuration.
#[derive(Debug, clap::Args)]
pub(crate) struct ConfigFileArgs {
    /// Read the numbering options and pepper_file from [general] of this
    /// authenticate.conf; options on the command line take precedence
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// The names and options of PIN sets.
pub(crate) type PinSets = Vec<(String, PinSet)>;

impl ConfigFileArgs {
    /// Reads `[general]`. Returns the defaults if no file is given.
    pub(crate) fn settings(&self) -> Result<Settings, CommandError> {
        general(&self.sections()?)
    }

    /// Reads `[general]` and the sections of PIN sets: their names and options.
    pub(crate) fn settings_and_pin_sets(&self) -> Result<(Settings, PinSets), CommandError> {
        let sections = self.sections()?;
        let settings = general(&sections)?;
        let pin_sets = sections.iter().filter(|section| !section.is_general());
        let pin_sets = pin_sets
            .filter(|section| !section.template)
            .map(|section| {
                let mut set = settings.pin_set.clone();
                section.apply(|name, value| set.set(name, value))?;
                Ok((section.name.clone(), set))
            })
            .collect::<Result<_, CommandError>>()?;
        Ok((settings, pin_sets))
    }

    fn sections(&self) -> Result<Vec<Section>, CommandError> {
        let mut reader = ConfigFileReader::default();
        if let Some(path) = &self.config {
            reader.folder = path.parent().map(Path::to_owned).unwrap_or_default();
            reader.file(path, 0)?;
        }
        Ok(reader.sections)
    }
}

fn general(sections: &[Section]) -> Result<Settings, CommandError> {
    let mut settings = Settings::default();
    for section in sections.iter().filter(|section| section.is_general()) {
        section.apply(|name, value| settings.set(name, value))?;
    }
    Ok(settings)
}

/// A section, with inherited options first.
struct Section {
    name: String,
    /// Whether other sections can only inherit from it.
    template: bool,
    options: Vec<OptionLine>,
}

/// An option and its position.
#[derive(Clone)]
struct OptionLine {
    name: String,
    value: String,
    file: PathBuf,
    number: usize,
}

impl Section {
    fn is_general(&self) -> bool {
        !self.template && self.name.eq_ignore_ascii_case("general")
    }

    /// Applies the options in order.
    fn apply(
        &self,
        mut set: impl FnMut(&[u8], &[u8]) -> Result<(), pinset::config::OptionError>,
    ) -> Result<(), CommandError> {
        for line in &self.options {
            let at = |error: &dyn Display| {
                CommandError::at(&line.file, format!("line {}: {error}", line.number))
            };
            if line.name.ends_with('+') {
                return Err(at(&ConfigFileError::Append));
            }
            set(line.name.as_bytes(), line.value.as_bytes())
                .map_err(|error| at(&format_args!("{}: {error}", line.name)))?;
        }
        Ok(())
    }
}

/// The state of the reader.
#[derive(Default)]
struct ConfigFileReader {
    sections: Vec<Section>,
    /// The index of the section that options are added to.
    current: Option<usize>,
    /// The folder that the names of included files are relative to.
    folder: PathBuf,
    in_comment: bool,
}

impl ConfigFileReader {
    fn file(&mut self, path: &Path, depth: usize) -> Result<(), CommandError> {
        let text = fs::read(path).at(path)?;
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
            return self.directive(directive, depth);
        }
        if let Some(section) = line.strip_prefix('[') {
            return self.section(section);
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
    fn section(&mut self, text: &str) -> Result<(), ConfigFileError> {
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
    #[error("+= is not supported by pinset")]
    Append,
    /// The error of an included file.
    #[error(transparent)]
    Included(CommandError),
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `authenticate.conf` with this text, next to the files `a` and `b`. Removes
    /// the folder from paths in the error.
    fn read(text: &str, a: &str, b: &str) -> Result<Settings, String> {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in [("authenticate.conf", text), ("a", a), ("b", b)] {
            fs::write(folder.path().join(name), text).expect("written");
        }
        let path = folder.path().join("authenticate.conf");
        let file = ConfigFileArgs { config: Some(path) };
        file.settings().map_err(|failure| {
            let folder = format!("{}/", folder.path().display());
            failure.to_string().replace(&folder, "")
        })
    }

    fn settings(options: &[(&str, &str)]) -> Settings {
        let mut settings = Settings::default();
        for (name, value) in options {
            settings
                .set(name.as_bytes(), value.as_bytes())
                .expect("set");
        }
        settings
    }

    #[test]
    fn general_options_are_read_as_by_asterisk() {
        for text in [
            "[general]\ncountry_code = 90\npepper_file=/p\n",
            "[GENERAL]\r\n  country_code=>90 ; Turkey\r\nPepper_File => /p\r\n",
            "[set]\nsource = file:/x\n[general]\n[general](+)\ncountry_code = 1\ncountry_code = 90\npepper_file = /p",
            "[general]\n;-- country_code = 1\npepper_file = /q --; country_code = 90\npepper_file = /p\n;--- x\n",
            "[general]\npepper_file = /p\n[set]\nattempts = 2\n[general]\ncountry_code = 90\n",
            "[base](!)\ncountry_code = 1\n[general](base)\ncountry_code = 90\npepper_file = /p\n",
            "[general](!)\ncountry_code = 1\n[general]\ncountry_code = 90\npepper_file = /p\n",
            "[general]\n#include \"a\"\n#tryinclude <missing>\n",
            "#include a\n",
        ] {
            let a = "[general]\ncountry_code = 90\n#include b\n";
            let read = read(text, a, "pepper_file = /p\n");
            let wanted = settings(&[("country_code", "90"), ("pepper_file", "/p")]);
            assert_eq!(read, Ok(wanted), "{text}");
        }
        let escaped = read("[general]\npepper_file = /p\\;q\n", "", "");
        assert_eq!(escaped, Ok(settings(&[("pepper_file", "/p;q")])));
    }

    #[test]
    fn pin_sets_inherit_from_general_and_templates() {
        let text = "[base](!)\nattempts = 5\nidentify = caller\n\
                    [callers](base)\nsource = file:/c\nattempts = 4\n\
                    [other]\nsource = file:/o\n\
                    [callers](+)\nmin_digits = 6\n\
                    [general]\nmax_digits = 9\n";
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("authenticate.conf");
        fs::write(&path, text).expect("written");
        let file = ConfigFileArgs { config: Some(path) };
        let (_, sets) = file.settings_and_pin_sets().expect("read");
        let set = |options: &[(&str, &str)]| {
            let mut set = settings(&[("max_digits", "9")]).pin_set;
            for (name, value) in options {
                set.set(name.as_bytes(), value.as_bytes()).expect("set");
            }
            set
        };
        let callers = set(&[
            ("attempts", "4"),
            ("identify", "caller"),
            ("source", "file:/c"),
            ("min_digits", "6"),
        ]);
        let wanted = vec![
            ("callers".to_owned(), callers),
            ("other".to_owned(), set(&[("source", "file:/o")])),
        ];
        assert_eq!(sets, wanted);
    }

    #[test]
    fn invalid_line_is_reported_with_file_and_number() {
        let many = "#include a\n";
        for (text, why) in [
            (
                "[general]\ncountry_code = x",
                "authenticate.conf: line 2: country_code: ",
            ),
            (
                "[general]\nno_option = 1",
                "authenticate.conf: line 2: no_option: ",
            ),
            (
                "[general](base)\n",
                "authenticate.conf: line 1: there is no section [base] above",
            ),
            (
                "[general](+)\n",
                "authenticate.conf: line 1: there is no section [general] above",
            ),
            (
                "[general](base\n",
                "authenticate.conf: line 1: ')' is missing",
            ),
            ("[general\n", "authenticate.conf: line 1: ']' is missing"),
            (
                "\n#exec /bin/true\n",
                "authenticate.conf: line 2: #exec is not",
            ),
            ("#include missing\n", "missing: No such file"),
            (
                "#include *.conf\n",
                "authenticate.conf: line 1: #include is",
            ),
            (
                "[general]\npepper_file += x\n",
                "authenticate.conf: line 2: += is",
            ),
            (
                "#include a\n",
                "a: line 1: too many files include each other",
            ),
        ] {
            let read = read(text, many, "");
            assert!(
                read.as_ref().is_err_and(|read| read.starts_with(why)),
                "{read:?}"
            );
        }
    }
}
