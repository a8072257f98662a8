//! Files that Asterisk may not read: whom it runs as, and the commands that let
//! it read them.

use std::fmt;
use std::io;
use std::path::Path;

/// The user and the group that Asterisk runs as.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AsteriskUser {
    /// The name of the user, or its number if it has none.
    pub user: String,
    /// The name of the group, or its number if it has none.
    pub group: String,
}

impl fmt::Display for AsteriskUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "user {}, group {}", self.user, self.group)
    }
}

/// Adds to a denied permission who was denied it, and the commands that change
/// that. Other errors stay as they are, and so does one of root, whom no mode of a
/// file keeps out.
pub fn explain(error: io::Error, path: &Path, account: &AsteriskUser) -> io::Error {
    if error.kind() != io::ErrorKind::PermissionDenied || account.user == "root" {
        return error;
    }
    let group = &account.group;
    let file = quoted(&path.display().to_string());
    let text = format!(
        "{error}: Asterisk runs as {account}: chgrp {group} {file} && chmod g+r {file}; \
         it must be able to enter the folders, too: namei -l {file} shows them"
    );
    io::Error::new(io::ErrorKind::PermissionDenied, text)
}

/// Returns a word of a shell's command line.
pub fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    if text.bytes().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(error: io::Error, path: &str, user: &str) -> String {
        let account = AsteriskUser {
            user: user.to_owned(),
            group: "voip".to_owned(),
        };
        explain(error, Path::new(path), &account).to_string()
    }

    #[test]
    fn denied_permission_names_user_and_command() {
        let denied = || io::Error::from_raw_os_error(libc::EACCES);
        assert_eq!(
            explained(denied(), "/etc/asterisk/pins.txt", "asterisk"),
            "Permission denied (os error 13): Asterisk runs as user asterisk, group voip: \
             chgrp voip /etc/asterisk/pins.txt && chmod g+r /etc/asterisk/pins.txt; \
             it must be able to enter the folders, too: namei -l /etc/asterisk/pins.txt shows them"
        );
        let text = explained(denied(), "/a b/it's", "asterisk");
        assert!(text.contains(r"chgrp voip '/a b/it'\''s' &&"), "{text}");
        let missing = io::Error::from_raw_os_error(libc::ENOENT);
        let missing = explained(missing, "/p", "asterisk");
        assert_eq!(missing, "No such file or directory (os error 2)");
        let of_root = explained(denied(), "/p", "root");
        assert_eq!(of_root, "Permission denied (os error 13)");
    }
}
