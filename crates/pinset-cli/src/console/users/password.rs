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

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Takes as long as verifying a password against a hash of [`PasswordHash::make`], so
/// that the response time does not reveal whether a user exists.
pub(in crate::console) fn spend(password: &[u8]) {
    let mut out = [0; Params::DEFAULT_OUTPUT_LEN];
    let done = hasher().hash_password_into(password, b"nobody's salt 16", &mut out);
    // Else the compiler may see that it can be left out.
    let _ = std::hint::black_box((done, out));
}

/// OWASP's parameters: 19 MiB, two passes.
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
