//! Checks of the module's file and version.

use crate::common::asterisk::modules::{check_file, Provider};
use crate::common::asterisk::Asterisk;
use crate::common::error::CommandError;
use crate::common::finding::Finding;

const FILE: &str = "module_file";
/// The name of the check of the version.
pub(crate) const VERSION: &str = "module_version";

/// Compares the module's file with Asterisk.
pub(crate) fn file(asterisk: &Asterisk) -> Result<Finding, CommandError> {
    let folder = asterisk.module_dir()?;
    let version = asterisk.program_version().map_err(CommandError::new)?;
    Ok(match check_file(&folder, Provider::Ours, &version) {
        Ok(()) => Finding::ok(
            FILE,
            format_args!(
                "{} is built for this Asterisk",
                folder.join(Provider::Ours.file()).display()
            ),
        ),
        Err(error) => Finding::error(
            FILE,
            error,
            "build it with the headers of this Asterisk and install it: docs/upgrade.md",
        ),
    })
}

/// Compares the version of a running module, in a text, with that of `pinset`.
pub(crate) fn version(text: &str) -> Finding {
    let ours = env!("PINSET_VERSION");
    if text.contains(ours) {
        return Finding::ok(VERSION, text);
    }
    Finding::warning(
        VERSION,
        format_args!("{text}, but pinset is {ours}"),
        "install module and pinset of the same version",
    )
}
