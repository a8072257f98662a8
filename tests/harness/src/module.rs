//! The `Authenticate` module that Asterisk loads, and the path of ours.

use std::path::{Path, PathBuf};

use anyhow::{bail, Result};

/// File name of our module, as Asterisk wants it.
pub(crate) const OURS: &str = "app_authenticate_rs.so";
/// File name of the stock module.
pub(crate) const THEIRS: &str = "app_authenticate.so";

const PATH_VAR: &str = "AUTHENTICATE_MODULE";
const PINSET_VAR: &str = "PINSET";
const UNDER_TEST_VAR: &str = "AUTHENTICATE_UNDER_TEST";

/// The module that provides `Authenticate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Module {
    /// Ours, `app_authenticate_rs.so`.
    Ours,
    /// The stock one, `app_authenticate.so`.
    Theirs,
    /// Neither; our file is not there either until the test puts it there.
    None,
    /// Everything in the module directory, both modules included:
    /// `autoload = yes`, as on a PBX nobody has configured.
    Autoload,
}

impl Module {
    /// The module under test: `AUTHENTICATE_UNDER_TEST` is `theirs` or
    /// `ours`; ours without it.
    pub fn under_test() -> Result<Self> {
        match std::env::var(UNDER_TEST_VAR).as_deref() {
            Ok("theirs") => Ok(Self::Theirs),
            Ok("ours" | "") | Err(_) => Ok(Self::Ours),
            Ok(other) => bail!("{UNDER_TEST_VAR} is theirs or ours, not {other:?}"),
        }
    }

    /// Whether our file is put into the module directory at the start.
    pub(crate) fn wants_ours(self) -> bool {
        matches!(self, Self::Ours | Self::Autoload)
    }
}

/// The workspace this crate was built in.
pub fn workspace() -> PathBuf {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    dir.parent().unwrap_or(dir).to_owned()
}

/// Our module's file: `AUTHENTICATE_MODULE`, else the release build.
pub fn our_module() -> Result<PathBuf> {
    built(PATH_VAR, "our module", "libapp_authenticate_rs.so")
}

/// The program `pinset`: that of the variable `PINSET`, else the release build.
pub fn pinset() -> Result<PathBuf> {
    built(PINSET_VAR, "pinset", "pinset")
}

fn built(variable: &str, what: &str, name: &str) -> Result<PathBuf> {
    let path = match std::env::var_os(variable).filter(|path| !path.is_empty()) {
        Some(path) => PathBuf::from(path),
        None => workspace().join("target/release").join(name),
    };
    if !path.is_file() {
        bail!(
            "{what} is not built: no {} (run make, or name it in {variable})",
            path.display()
        );
    }
    Ok(path)
}

/// Our XML documentation, if it is there.
pub(crate) fn our_documentation() -> Option<PathBuf> {
    let path = workspace().join("packaging/documentation/app_authenticate_rs-en_US.xml");
    path.is_file().then_some(path)
}
