//! Hashes of passwords.

use argon2::password_hash::{self, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::common::error::CommandError;

/// Bounds of a password's length in bytes.
const MIN_BYTES: usize = 12;
pub(super) const MAX_BYTES: usize = 200;

/// Largest cost of a hash in the file, so that an edit can't make a log-in exhaust the
/// memory: 256 MiB and 16 passes.
const MAX_MEMORY_KIB: u32 = 256 << 10;
const MAX_PASSES: u32 = 16;

/// What hashes begin with, by OWASP's parameters: 19 MiB, two passes.
const PREFIX: &str = "$argon2id$v=19$m=19456,t=2,p=1$";

/// The Argon2id hash of a password.
#[derive(Clone)]
pub(in crate::console) struct PasswordHash(String);

impl PasswordHash {
    /// Reads a hash. Returns `None` if it is none of Argon2id, or too expensive.
    pub(in crate::console) fn parse(text: &str) -> Option<Self> {
        let parsed = password_hash::PasswordHash::new(text).ok()?;
        let params = Params::try_from(&parsed).ok()?;
        let is_right = parsed.algorithm == Algorithm::Argon2id.ident()
            && parsed.salt.is_some()
            && parsed.hash.is_some()
            && params.m_cost() <= MAX_MEMORY_KIB
            && params.t_cost() <= MAX_PASSES;
        is_right.then(|| Self(text.to_owned()))
    }

    /// Hashes a password of the user of this name.
    ///
    /// # Errors
    ///
    /// Fails if it is too short, too long, or contains the name.
    pub(in crate::console) fn make(password: &[u8], name: &str) -> Result<Self, CommandError> {
        let why = match password.len() {
            length if length < MIN_BYTES => format!("must have at least {MIN_BYTES} characters"),
            length if length > MAX_BYTES => format!("must have at most {MAX_BYTES} bytes"),
            _ if contains(password, name) => "must not contain the user's name".to_owned(),
            _ => return Self::of(password),
        };
        Err(CommandError::new(format!("the password {why}")))
    }

    fn of(password: &[u8]) -> Result<Self, CommandError> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(CommandError::new)?;
        let salt = SaltString::encode_b64(&salt).map_err(CommandError::new)?;
        let hash = hasher().hash_password(password, &salt);
        Ok(Self(hash.map_err(CommandError::new)?.to_string()))
    }

    /// Returns whether this is the password. Takes some 50 ms.
    pub(in crate::console) fn is_of(&self, password: &[u8]) -> bool {
        let parsed = password_hash::PasswordHash::new(&self.0);
        parsed.is_ok_and(|hash| hasher().verify_password(password, &hash).is_ok())
    }

    /// Returns the hash for names that no user has. It takes as long as another, so that
    /// the response time does not reveal whether a user exists.
    pub(in crate::console) fn nobodys() -> Self {
        Self(format!("{PREFIX}bm9ib2R5J3Mgc2FsdCAxNg${}", "A".repeat(43)))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns what computes hashes with the parameters of [`PREFIX`].
fn hasher() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT)
}

fn contains(password: &[u8], name: &str) -> bool {
    let (password, name) = (password.to_ascii_lowercase(), name.to_ascii_lowercase());
    password
        .windows(name.len())
        .any(|part| part == name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_itself_verifies() {
        let hash = PasswordHash::make(b"correct horse", "ada").expect("a hash");
        let read = PasswordHash::parse(hash.as_str()).expect("read");
        assert!(read.is_of(b"correct horse"));
        for other in [
            &b"correct horsf"[..],
            b"correct hors",
            b"",
            b"Correct horse",
        ] {
            assert!(!read.is_of(other));
        }
        let again = PasswordHash::make(b"correct horse", "ada").expect("a hash");
        assert_ne!(again.as_str(), hash.as_str());
    }

    #[test]
    fn hash_of_nobody_is_valid_and_costs_the_same() {
        let hash = PasswordHash::make(b"correct horse", "ada").expect("a hash");
        let nobodys = PasswordHash::nobodys();
        for hash in [hash.as_str(), nobodys.as_str()] {
            assert!(hash.starts_with(PREFIX), "{hash}");
            assert!(PasswordHash::parse(hash).is_some(), "{hash}");
        }
        // It is computed, not refused at once.
        let parsed = password_hash::PasswordHash::new(nobodys.as_str()).expect("a hash");
        let verified = hasher().verify_password(b"correct horse", &parsed);
        assert_eq!(verified, Err(password_hash::Error::Password));
    }

    #[test]
    fn hash_that_would_exhaust_the_machine_is_refused() {
        for (cost, is_read) in [
            ("m=19456,t=2,p=1", true),
            ("m=262144,t=16,p=1", true),
            ("m=262145,t=2,p=1", false),
            ("m=19456,t=17,p=1", false),
        ] {
            let text = format!("$argon2id$v=19${cost}$c2FsdHNhbHQ$Y2FuJ3QgYmUgcmlnaHQ");
            assert_eq!(PasswordHash::parse(&text).is_some(), is_read, "{cost}");
        }
    }
}
