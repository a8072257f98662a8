//! The AMI user, in a file that `manager.conf` includes.

use std::fs;
use std::path::{Path, PathBuf};

use nix::unistd::Gid;
use zeroize::Zeroizing;

use super::kept;
use crate::common::asterisk::conf::{self, Readable};
use crate::common::atomic_file::{create, Access, LockedFile};
use crate::common::error::{note, At, CommandError};

const USER: &str = "pinset";
const DEFAULT_PORT: u16 = 5038;

/// AMI's configuration, and the file for our user.
pub(super) struct Manager {
    options: Readable,
    conf: PathBuf,
    /// `manager.d/pinset.conf` in Debian, `manager_custom.conf` in FreePBX.
    file: PathBuf,
    /// What the file has now.
    existing: Readable,
}

impl Manager {
    /// Reads `manager.conf`.
    pub(super) fn read(etc: &Path) -> Result<Self, CommandError> {
        let conf = etc.join("manager.conf");
        let text = fs::read(&conf).at(&conf)?;
        let file = included(&String::from_utf8_lossy(&text)).ok_or_else(|| {
            let why = "includes no file for the console's user: add the line #include \
                       \"manager.d/*.conf\", and create the folder manager.d";
            CommandError::at(&conf, why)
        })?;
        let file = etc.join(file);
        let existing = match file.exists() {
            true => conf::read_most(&file)?,
            false => Readable::default(),
        };
        Ok(Self {
            options: conf::read_most_of(&conf, &text)?,
            conf,
            file,
            existing,
        })
    }

    /// Returns AMI's port.
    pub(super) fn port(&self) -> u16 {
        let port = self.options.value("general", "port");
        port.and_then(|port| port.parse().ok())
            .unwrap_or(DEFAULT_PORT)
    }

    /// Returns the secret of the user that is there already.
    pub(super) fn secret(&self) -> Option<Zeroizing<Vec<u8>>> {
        let secret = self.existing.value(USER, "secret")?;
        Some(Zeroizing::new(secret.as_bytes().to_vec()))
    }

    /// Adds the user, unless it is there.
    pub(super) fn add_user(&self, secret: &[u8], asterisk: Gid) -> Result<(), CommandError> {
        if self.existing.section(USER).is_some() {
            kept(&self.file);
            return Ok(());
        }
        let section = section(secret);
        let written = match LockedFile::open(&self.file).at(&self.file)? {
            None => create(&self.file, &section, Access::Group(asterisk)).at(&self.file)?,
            Some(file) => {
                let old = file.contents().at(&self.file)?;
                let gap: &[u8] = if old.ends_with(b"\n") { b"\n" } else { b"\n\n" };
                let all = Zeroizing::new([&*old, gap, &section].concat());
                file.replace(&all).at(&self.file)?;
                true
            }
        };
        match written {
            true => note(format!("wrote {}: AMI user {USER}", self.file.display())),
            // Another process has created it meanwhile.
            false => return Err(CommandError::at(&self.file, "was just created: try again")),
        }
        Ok(())
    }

    /// Warns if AMI is off.
    pub(super) fn warn(&self) {
        let is_on = self.options.value("general", "enabled");
        let words = ["yes", "true", "y", "t", "1", "on"];
        if !is_on.is_some_and(|value| words.iter().any(|word| word.eq_ignore_ascii_case(value))) {
            note(format!(
                "warning: {}: AMI is off: set enabled = yes in [general], and restart Asterisk",
                self.conf.display()
            ));
        }
    }
}

/// Returns the included file that may have our user: that of the distribution.
fn included(text: &str) -> Option<&'static str> {
    let lines = text.lines().map(str::trim);
    let names: Vec<&str> = lines
        .filter_map(|line| {
            line.strip_prefix("#include")
                .or(line.strip_prefix("#tryinclude"))
        })
        .map(|name| name.trim().trim_matches(['"', '<', '>', '\'']))
        .collect();
    let has = |file: &str| names.iter().any(|name| name.ends_with(file));
    match (has("manager.d/*.conf"), has("manager_custom.conf")) {
        (true, _) => Some("manager.d/pinset.conf"),
        (false, true) => Some("manager_custom.conf"),
        (false, false) => None,
    }
}

/// Returns the section of the user: class `security`, which no action of Asterisk has, and
/// no events but ours.
fn section(secret: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(Vec::with_capacity(1024));
    for part in [
        "; The user of pinset console, written by pinset console init. Class security has\n\
         ; Authenticate's actions only.\n[",
        USER,
        "]\nsecret = ",
    ] {
        text.extend_from_slice(part.as_bytes());
    }
    text.extend_from_slice(secret);
    text.extend_from_slice(
        b"\ndeny = 0.0.0.0/0.0.0.0\npermit = 127.0.0.1/255.255.255.255\nread = security\n\
          write = security\neventfilter = Event: Authenticate\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_goes_into_the_file_that_the_distribution_includes() {
        for (text, file) in [
            (
                "[general]\n#include \"manager.d/*.conf\"\n",
                Some("manager.d/pinset.conf"),
            ),
            ("#include manager.d/*.conf", Some("manager.d/pinset.conf")),
            (
                "#include \"/etc/asterisk/manager.d/*.conf\"",
                Some("manager.d/pinset.conf"),
            ),
            (
                "#include manager_additional.conf\n#include manager_custom.conf",
                Some("manager_custom.conf"),
            ),
            ("; #include \"manager.d/*.conf\"\n[general]\n", None),
            ("", None),
        ] {
            assert_eq!(included(text), file, "{text}");
        }
    }
}
