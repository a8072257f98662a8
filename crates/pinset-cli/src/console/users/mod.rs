//! Users of the console: the file `console.users`, which the service can only read.

pub(super) mod command;
mod password;

use std::fmt;
use std::path::Path;

use clap::ValueEnum;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::common::secret_file::{self, AllowedGroups, SecretFileError};
pub(super) use password::PasswordHash;

/// Maximum length of a user's name.
const MAX_NAME_BYTES: usize = 32;

/// What a user may do. A later role includes the earlier ones.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, ValueEnum)]
pub(super) enum Role {
    /// Reads.
    Viewer,
    /// Changes and adds rows, makes PINs, unlocks, and sets uses back.
    Operator,
    /// Replaces rows by a list, and reloads `authenticate.conf`.
    Admin,
}

impl Role {
    fn parse(text: &str) -> Option<Self> {
        let all = [Self::Viewer, Self::Operator, Self::Admin];
        all.into_iter().find(|role| role.word() == text)
    }

    fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A user.
#[derive(Clone)]
pub(super) struct User {
    pub name: String,
    pub role: Role,
    pub password: PasswordHash,
}

impl User {
    /// Returns a digest of role and password. A session ends when it changes.
    pub(super) fn tag(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update([self.role as u8]);
        digest.update(self.password.as_str());
        digest.finalize().into()
    }

    /// Returns the user's line in the file.
    fn line(&self) -> String {
        format!("{}:{}:{}\n", self.name, self.role, self.password.as_str())
    }
}

/// The reason why the file of users can't be used. The text contains no hash.
#[derive(Debug, Error)]
pub(super) enum UsersError {
    #[error(transparent)]
    File(#[from] SecretFileError),
    #[error("not UTF-8")]
    Encoding,
    #[error("line {0}: must be name:role:hash, as pinset console user add writes it")]
    Fields(usize),
    #[error("line {0}: the name must be up to 32 letters, digits and . _ - @")]
    Name(usize),
    #[error("line {0}: the role must be viewer, operator or admin")]
    Role(usize),
    #[error("line {0}: the hash must be an Argon2id one ($argon2id$...)")]
    Hash(usize),
    #[error("line {0}: there is a user of this name already")]
    Duplicate(usize),
}

/// All users, in the order of the file.
#[derive(Default)]
pub(super) struct Users(Vec<User>);

impl Users {
    /// Reads the file. Its permissions must keep other users out, as for secrets.
    ///
    /// # Errors
    ///
    /// Fails at the first invalid line: a user who was locked out by an edit must not be
    /// let in by a part of it.
    pub(super) fn read(path: &Path) -> Result<Self, UsersError> {
        let text = secret_file::read(path, AllowedGroups::OfService)?;
        Self::parse(std::str::from_utf8(&text).map_err(|_| UsersError::Encoding)?)
    }

    fn parse(text: &str) -> Result<Self, UsersError> {
        let mut users = Self::default();
        for (at, line) in text.lines().enumerate() {
            let number = at + 1;
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let mut fields = line.splitn(3, ':');
            let (Some(name), Some(role), Some(hash)) =
                (fields.next(), fields.next(), fields.next())
            else {
                return Err(UsersError::Fields(number));
            };
            if !is_name(name) {
                return Err(UsersError::Name(number));
            }
            if users.find(name).is_some() {
                return Err(UsersError::Duplicate(number));
            }
            users.0.push(User {
                name: name.to_owned(),
                role: Role::parse(role).ok_or(UsersError::Role(number))?,
                password: PasswordHash::parse(hash).ok_or(UsersError::Hash(number))?,
            });
        }
        Ok(users)
    }

    /// Returns the user of this name.
    pub(super) fn find(&self, name: &str) -> Option<&User> {
        self.0.iter().find(|user| user.name == name)
    }

    /// Returns whether there is an administrator.
    pub(super) fn has_admin(&self) -> bool {
        self.0.iter().any(|user| user.role == Role::Admin)
    }
}

/// Returns whether a user can have this name.
pub(super) fn is_name(name: &str) -> bool {
    let right = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte);
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$Y2FuJ3QgYmUgcmlnaHQ";

    #[test]
    fn users_file_is_read_as_a_whole_or_not_at_all() {
        let users = Users::parse(&format!(
            "# of ours\n\nada:admin:{HASH}\nbob:viewer:{HASH}\n"
        ));
        let users = users.expect("users");
        assert_eq!(users.find("bob").expect("bob").role, Role::Viewer);
        assert!(users.find("Bob").is_none() && users.has_admin());
        for (line, error) in [
            ("bob:viewer", "line 2: must be name:role:hash"),
            ("b b:viewer:HASH", "line 2: the name"),
            (":viewer:HASH", "line 2: the name"),
            ("bob:root:HASH", "line 2: the role"),
            ("bob:Admin:HASH", "line 2: the role"),
            ("bob:viewer:plain:1234", "line 2: the hash"),
            ("bob:viewer:", "line 2: the hash"),
            (
                "bob:viewer:$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$Y2FuJ3QgYmUgcmlnaHQ",
                "line 2: the hash",
            ),
            ("ada:viewer:HASH", "line 2: there is a user"),
        ] {
            let text = format!("ada:admin:{HASH}\n{}\n", line.replace("HASH", HASH));
            let found = Users::parse(&text).err().expect("an error").to_string();
            assert!(found.starts_with(error), "{line}: {found}");
        }
    }

    #[test]
    fn tag_changes_with_role_and_password() {
        let tag = |line: &str| Users::parse(line).expect("users").0.remove(0).tag();
        let (admin, other) = (format!("ada:admin:{HASH}"), format!("ada:viewer:{HASH}"));
        assert_eq!(tag(&admin), tag(&admin));
        assert_ne!(tag(&admin), tag(&other));
        assert_ne!(
            tag(&admin),
            tag(&admin.replace("c2FsdHNhbHQ", "c2FsdHNhbHR"))
        );
    }
}
