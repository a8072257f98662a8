//! Reading of `authenticate.conf`: the numbering options, `pepper_file` and the PIN sets,
//! with those of the console.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use pinset::config::read_folder;
use pinset::{PinSet, Settings};

use crate::common::asterisk::conf::{self, Section};
use crate::common::error::CommandError;

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
    /// Returns the arguments that name this file.
    pub(crate) fn of(path: PathBuf) -> Self {
        Self { config: Some(path) }
    }

    /// Returns whether a file is given.
    pub(crate) fn is_given(&self) -> bool {
        self.config.is_some()
    }

    /// Reads `[general]`. Returns the defaults if no file is given.
    pub(crate) fn settings(&self) -> Result<Settings, CommandError> {
        general(&self.sections()?)
    }

    /// Reads `[general]` and the sections of PIN sets, also those of the console: their
    /// names and options.
    pub(crate) fn settings_and_pin_sets(&self) -> Result<(Settings, PinSets), CommandError> {
        let sections = self.sections()?;
        let settings = general(&sections)?;
        let pin_sets = sections.iter().filter(|section| !is_general(section));
        let mut pin_sets = pin_sets
            .filter(|section| !section.template)
            .map(|section| {
                let mut set = settings.pin_set.clone();
                apply(section, |name, value| set.set(name, value))?;
                Ok((section.name.clone(), set))
            })
            .collect::<Result<_, CommandError>>()?;
        if let (Some(_), Some(folder)) = (&self.config, &settings.console_sets) {
            let lines = || sections.iter().flat_map(|section| &section.options);
            let is_included = |path: &Path| lines().any(|line| line.file == path);
            add_console_sets(folder, is_included, &settings, &mut pin_sets)?;
        }
        Ok((settings, pin_sets))
    }

    fn sections(&self) -> Result<Vec<Section>, CommandError> {
        match &self.config {
            Some(path) => conf::read_all(path),
            None => Ok(Vec::new()),
        }
    }
}

/// Adds the PIN sets of the console, except from files that `is_included` names.
fn add_console_sets(
    folder: &Path,
    is_included: impl Fn(&Path) -> bool,
    settings: &Settings,
    pin_sets: &mut PinSets,
) -> Result<(), CommandError> {
    for file in read_folder(folder, is_included).map_err(|error| CommandError::at(folder, error))? {
        let at = |line: usize, error: &dyn Display| {
            CommandError::at(Path::new(&file.path), format!("line {line}: {error}"))
        };
        let sections = file.sections.map_err(|error| match error.line {
            Some(line) => at(line, &error),
            None => CommandError::at(Path::new(&file.path), error),
        })?;
        for section in sections {
            let (set, errors) = section.pin_set(&settings.pin_set, &settings.console_lists);
            if let Some((option, error)) = errors.first() {
                return Err(at(option.line, &format_args!("{}: {error}", option.name)));
            }
            let mut others = pin_sets.iter();
            if others.any(|(name, _)| name.eq_ignore_ascii_case(&section.name)) {
                return Err(at(section.line, &"there is another PIN set of this name"));
            }
            pin_sets.push((section.name, set));
        }
    }
    Ok(())
}

fn general(sections: &[Section]) -> Result<Settings, CommandError> {
    let mut settings = Settings::default();
    for section in sections.iter().filter(|section| is_general(section)) {
        apply(section, |name, value| settings.set(name, value))?;
    }
    Ok(settings)
}

fn is_general(section: &Section) -> bool {
    section.is("general")
}

/// Applies the options of a section in order.
fn apply(
    section: &Section,
    mut set: impl FnMut(&[u8], &[u8]) -> Result<(), pinset::config::OptionError>,
) -> Result<(), CommandError> {
    for line in &section.options {
        let at = |error: &dyn Display| {
            CommandError::at(&line.file, format!("line {}: {error}", line.number))
        };
        if line.name.ends_with('+') {
            return Err(at(&"+= is not supported by pinset"));
        }
        set(line.name.as_bytes(), line.value.as_bytes())
            .map_err(|error| at(&format_args!("{}: {error}", line.name)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Reads `authenticate.conf` with this text, next to the files `a` and `b`. Removes
    /// the folder from paths in the error.
    fn read(text: &str, a: &str, b: &str) -> Result<Settings, String> {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in [("authenticate.conf", text), ("a", a), ("b", b)] {
            fs::write(folder.path().join(name), text).expect("written");
        }
        let path = folder.path().join("authenticate.conf");
        let file = ConfigFileArgs::of(path);
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
        let file = ConfigFileArgs::of(path);
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
    fn pin_sets_of_the_console_are_added() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("sets")).expect("a folder");
        let text = format!(
            "[general]\nconsole_sets = {0}/sets\nconsole_lists = {0}/pins\n[staff]\n\
             source = file:/s\n#include sets/own.conf\n",
            folder.path().display()
        );
        fs::write(at("authenticate.conf"), text).expect("written");
        fs::write(at("sets/own.conf"), "attempts = 2\n").expect("written");
        let source = format!("source = file:{}/pins/a\n", folder.path().display());
        let read = |section: &str| {
            fs::write(at("sets/a.conf"), section).expect("written");
            let read = ConfigFileArgs::of(at("authenticate.conf")).settings_and_pin_sets();
            let names = |sets: PinSets| sets.into_iter().map(|(name, _)| name).collect();
            let error = |error: CommandError| {
                let error = error.to_string();
                error.replace(&folder.path().display().to_string(), "")
            };
            read.map(|(_, sets)| names(sets)).map_err(error)
        };
        let names: Result<Vec<String>, String> = read(&format!("[a]\n{source}"));
        assert_eq!(names, Ok(vec!["staff".to_owned(), "a".to_owned()]));
        for (section, error) in [
            (
                format!("[a]\n{source}attempts = 3\n"),
                "/sets/a.conf: line 3: attempts: not allowed",
            ),
            ("#include x\n".to_owned(), "/sets/a.conf: line 1: #include"),
            (
                format!("[STAFF]\n{source}"),
                "/sets/a.conf: line 1: there is another PIN set",
            ),
        ] {
            let read = read(&section);
            assert!(
                read.as_ref().is_err_and(|read| read.starts_with(error)),
                "{read:?}"
            );
        }
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
