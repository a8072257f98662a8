//! Reading of `authenticate.conf`: the numbering options, `pepper_file` and the PIN sets.

use std::fmt::Display;
use std::path::PathBuf;

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

    /// Reads `[general]`. Returns the defaults if no file is given.
    pub(crate) fn settings(&self) -> Result<Settings, CommandError> {
        general(&self.sections()?)
    }

    /// Reads `[general]` and the sections of PIN sets: their names and options.
    pub(crate) fn settings_and_pin_sets(&self) -> Result<(Settings, PinSets), CommandError> {
        let sections = self.sections()?;
        let settings = general(&sections)?;
        let pin_sets = sections.iter().filter(|section| !is_general(section));
        let pin_sets = pin_sets
            .filter(|section| !section.template)
            .map(|section| {
                let mut set = settings.pin_set.clone();
                apply(section, |name, value| set.set(name, value))?;
                Ok((section.name.clone(), set))
            })
            .collect::<Result<_, CommandError>>()?;
        Ok((settings, pin_sets))
    }

    fn sections(&self) -> Result<Vec<Section>, CommandError> {
        match &self.config {
            Some(path) => conf::read_all(path),
            None => Ok(Vec::new()),
        }
    }
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
