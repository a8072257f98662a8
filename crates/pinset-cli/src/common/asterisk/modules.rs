//! The two modules that provide `Authenticate`: their files, and what Asterisk has loaded.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use memchr::memmem;
use pinset::asterisk_version;
use thiserror::Error;

use crate::common::asterisk::{Asterisk, CliError};

/// A module that provides `Authenticate`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Provider {
    /// The module of this project.
    Ours,
    /// Asterisk's own module.
    Stock,
}

impl Provider {
    /// Returns the name of the module's file.
    pub(crate) fn file(self) -> &'static str {
        match self {
            Self::Ours => "app_authenticate_rs.so",
            Self::Stock => "app_authenticate.so",
        }
    }

    pub(crate) fn other(self) -> Self {
        match self {
            Self::Ours => Self::Stock,
            Self::Stock => Self::Ours,
        }
    }

    /// Returns whether a name in `modules.conf` means this module. Case and `.so` don't
    /// matter to Asterisk.
    pub(crate) fn is_named(self, name: &str) -> bool {
        let base = |name: &str| {
            let lower = name.to_ascii_lowercase();
            lower.strip_suffix(".so").unwrap_or(&lower).to_owned()
        };
        base(name) == base(self.file())
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.file())
    }
}

/// The modules that the running Asterisk has started, each with the number of calls in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Started {
    pub ours: Option<u64>,
    pub stock: Option<u64>,
}

impl Started {
    /// Asks the running Asterisk.
    pub(crate) fn ask(asterisk: &Asterisk) -> Result<Self, CliError> {
        let shown = asterisk.cli("module show like app_authenticate")?;
        Ok(Self::parse(&shown))
    }

    /// Reads the table of `module show`, whose third last column has the number of uses.
    fn parse(shown: &str) -> Self {
        let mut started = Self::default();
        for line in shown.lines() {
            let mut words = line.split_whitespace();
            let Some(name) = words.next() else { continue };
            let last: Vec<&str> = words.rev().take(4).collect();
            // The support level, "Running" or "Not Running", the number.
            let [_, "Running", uses, ..] = *last.as_slice() else {
                continue;
            };
            let Ok(uses) = uses.parse() else { continue };
            match name {
                _ if name == Provider::Ours.file() => started.ours = Some(uses),
                _ if name == Provider::Stock.file() => started.stock = Some(uses),
                _ => {}
            }
        }
        started
    }

    /// Returns the number of calls in a module, or `None` if it is not started.
    pub(crate) fn uses(self, module: Provider) -> Option<u64> {
        match module {
            Provider::Ours => self.ours,
            Provider::Stock => self.stock,
        }
    }

    /// Returns the module that provides `Authenticate`: only one can register it.
    pub(crate) fn provider(self) -> Option<Provider> {
        match self {
            Self { ours: Some(_), .. } => Some(Provider::Ours),
            Self { stock: Some(_), .. } => Some(Provider::Stock),
            Self { .. } => None,
        }
    }
}

/// The reason why Asterisk will not load a module's file.
#[derive(Debug, Error)]
pub(crate) enum ModuleFileError {
    #[error("{}: {error}", path.display())]
    Unreadable {
        path: PathBuf,
        error: std::io::Error,
    },
    #[error("{} is not this module", .0.display())]
    Foreign(PathBuf),
    #[error("{}: {reason}", path.display())]
    Version { path: PathBuf, reason: String },
    #[error(
        "{} is built with other build options (sum {sum}) than {}",
        path.display(), other.display()
    )]
    Options {
        path: PathBuf,
        sum: String,
        other: PathBuf,
    },
}

/// The marker in our module's file: `authrs-built-for:MAJOR:SUM`.
const MARKER: &[u8] = b"authrs-built-for:";

/// The Asterisk that our module's file was built for.
#[derive(Clone, PartialEq, Eq, Debug)]
struct BuiltFor {
    major: String,
    sum: String,
}

impl BuiltFor {
    fn find(file: &[u8]) -> Option<Self> {
        memmem::find_iter(file, MARKER).find_map(|at| {
            let text = file.get(at + MARKER.len()..)?;
            let text = String::from_utf8_lossy(text.get(..text.len().min(64))?).into_owned();
            let (major, rest) = text.split_once(':')?;
            let digits = major.bytes().all(|byte| byte.is_ascii_digit());
            let sum = rest.get(..32)?;
            let hex = sum.bytes().all(|byte| byte.is_ascii_hexdigit());
            (digits && hex && !major.is_empty()).then(|| Self {
                major: major.to_owned(),
                sum: sum.to_owned(),
            })
        })
    }
}

/// Checks whether Asterisk of this version can load a module's file from this folder. Our
/// module must have been built for the version and with the options of the others there.
pub(crate) fn check_file(
    folder: &Path,
    module: Provider,
    version: &str,
) -> Result<(), ModuleFileError> {
    let path = folder.join(module.file());
    let read = |path: &Path| {
        fs::read(path).map_err(|error| ModuleFileError::Unreadable {
            path: path.to_owned(),
            error,
        })
    };
    let file = read(&path)?;
    if module == Provider::Stock {
        return Ok(());
    }
    let Some(BuiltFor { major: built, sum }) = BuiltFor::find(&file) else {
        return Err(ModuleFileError::Foreign(path));
    };
    let version = version.trim().trim_start_matches("Asterisk ");
    if let Some(reason) = asterisk_version::mismatch(&built, version) {
        return Err(ModuleFileError::Version { path, reason });
    }
    // Every module of Asterisk's has the sum of the build options.
    match other_module(folder, &path) {
        Some(other) if memmem::find(&read(&other)?, sum.as_bytes()).is_none() => {
            Err(ModuleFileError::Options { path, sum, other })
        }
        _ => Ok(()),
    }
}

/// Returns a module of Asterisk's in the folder: the stock one if it is there, because
/// others may be from other sources.
fn other_module(folder: &Path, ours: &Path) -> Option<PathBuf> {
    let stock = folder.join(Provider::Stock.file());
    if stock.is_file() {
        return Some(stock);
    }
    let entries = fs::read_dir(folder).ok()?;
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|other| other.extension().is_some_and(|extension| extension == "so"))
        .filter(|other| other != ours)
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn module_table_is_parsed() {
        let head = "Module                         Description                              \
                    Use Count  Status      Support Level\n";
        let row = |name: &str, uses: u64, status: &str, level: &str| {
            format!(
                "{name:<30} {:<40.40} {uses:<10} {status:<11} {level:>13}\n",
                "Version 1 of it"
            )
        };
        let end = "1 modules loaded\n";
        let parsed = |rows: String| Started::parse(&format!("{head}{rows}{end}"));
        let ours = row("app_authenticate_rs.so", 3, "Running", "extended");
        let stock = row("app_authenticate.so", 0, "Running", "core");
        assert_eq!(parsed(ours).ours, Some(3));
        assert_eq!(parsed(stock).provider(), Some(Provider::Stock));
        let declined = row("app_authenticate_rs.so", 0, "Not Running", "extended");
        assert_eq!(parsed(declined), Started::default());
        assert_eq!(parsed(String::new()).provider(), None);
    }

    #[test]
    fn names_match_without_extension_and_case() {
        for name in [
            "app_authenticate.so",
            "app_authenticate",
            "APP_Authenticate.SO",
        ] {
            assert!(Provider::Stock.is_named(name), "{name}");
            assert!(!Provider::Ours.is_named(name), "{name}");
        }
        assert!(Provider::Ours.is_named("app_authenticate_rs"));
        assert!(!Provider::Stock.is_named("app_authenticate.so.old"));
    }

    #[test]
    fn module_file_for_another_asterisk_is_rejected() {
        let sum = "0123456789abcdef0123456789abcdef";
        let folder = tempfile::tempdir().expect("a folder");
        let check = |contents: &str, other: &str, version: &str| {
            let write = |name, text| fs::write(folder.path().join(name), text).expect("written");
            write("app_authenticate_rs.so", contents);
            write("app_dial.so", other);
            check_file(folder.path(), Provider::Ours, version)
        };
        let ours = format!("\0authrs-built-for:\0authrs-built-for:22:{sum}\0");
        let right = format!("\x01{sum}\x02");
        let check_all = [
            check(&ours, &right, "Asterisk 22.1.0"),
            check(&ours, &right, "Asterisk 21.1.0"),
            check(&ours, "another", "Asterisk 22.1.0"),
            check("nothing", &right, "Asterisk 22.1.0"),
        ];
        use ModuleFileError::{Foreign, Options, Version};
        assert!(matches!(
            check_all,
            [
                Ok(()),
                Err(Version { .. }),
                Err(Options { .. }),
                Err(Foreign(_))
            ]
        ));
        let stock = check_file(folder.path(), Provider::Stock, "Asterisk 22.1.0");
        assert!(matches!(stock, Err(ModuleFileError::Unreadable { .. })));
    }
}
