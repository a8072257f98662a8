//! New secrets. The module makes none; `pinset` does.

use std::fmt::Write;

use password_hash::Encoding;
use thiserror::Error;
use zeroize::Zeroizing;

use super::argon2id::{compute, Cost};
use crate::credential::pepper::{KeyId, PepperKey};
use crate::hex;
use crate::list::format::md5;
use crate::pin::{is_key, Pin};

/// The length of the salt of a new Argon2id hash, as RFC 9106 recommends.
pub const SALT_BYTES: usize = 16;

/// The length of a new Argon2id hash.
const HASH_BYTES: usize = 32;

/// The longest secret: no buffer grows and leaves a copy in memory.
const MAX_SECRET_BYTES: usize = 320;

/// The form and the parameters of a secret to be generated.
pub enum Recipe<'a> {
    /// [`super::Form::Plain`], without parameters.
    Plain,
    /// [`super::Form::Md5`], without parameters.
    Md5,
    /// [`super::Form::Hmac`], with the first key of the pepper.
    Hmac(KeyId, &'a PepperKey),
    /// [`super::Form::Argon2id`], with a cost and a salt that no other secret has.
    Argon2id(Cost, [u8; SALT_BYTES]),
}

/// Why no secret can be made of a PIN.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum GenerateError {
    /// The PIN is empty, which never admits anybody.
    #[error("the PIN is empty")]
    Empty,
    /// The PIN has a character that no telephone keypad has.
    #[error("a PIN has the keys 0 to 9, * and A to D only")]
    NotOnKeypad,
    /// There is no memory for Argon2.
    #[error("there is no memory for Argon2id")]
    Argon2,
}

impl Recipe<'_> {
    /// The secret of an entry, as [`super::Secret::parse`] reads it.
    ///
    /// # Errors
    ///
    /// The entry is no PIN, or there is no memory.
    pub fn make(&self, pin: &Pin) -> Result<Zeroizing<String>, GenerateError> {
        if pin.is_empty() {
            return Err(GenerateError::Empty);
        }
        if !pin.as_bytes().iter().all(|key| is_key(*key)) {
            return Err(GenerateError::NotOnKeypad);
        }
        let mut text = Zeroizing::new(String::with_capacity(MAX_SECRET_BYTES));
        match self {
            Self::Plain => {
                text.push_str("plain:");
                text.extend(pin.as_bytes().iter().map(|key| char::from(*key)));
            }
            Self::Md5 => {
                text.push_str("md5:");
                hex::append(&mut text, &*Zeroizing::new(md5::digest(pin)));
            }
            Self::Hmac(id, key) => {
                // Writing to a string does not fail.
                let _ = write!(text, "hmac-sha256:{id}:");
                hex::append(&mut text, &*key.sign(pin));
            }
            Self::Argon2id(cost, salt) => argon2id(&mut text, pin, cost, salt)?,
        }
        Ok(text)
    }
}

fn argon2id(
    text: &mut String,
    pin: &Pin,
    cost: &Cost,
    salt: &[u8; SALT_BYTES],
) -> Result<(), GenerateError> {
    let mut hash = Zeroizing::new([0; HASH_BYTES]);
    compute(cost.params(), pin, salt, &mut *hash).map_err(|_| GenerateError::Argon2)?;
    let (memory, passes, lanes) = cost.parts();
    // Writing to a string does not fail.
    let _ = write!(text, "$argon2id$v=19$m={memory},t={passes},p={lanes}");
    for part in [&salt[..], &hash[..]] {
        let mut room = Zeroizing::new([0; 2 * HASH_BYTES]);
        // There is room for it.
        if let Ok(part) = Encoding::B64.encode(part, &mut *room) {
            text.push('$');
            text.push_str(part);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::pepper::Pepper;
    use crate::credential::secret::tests::{entered, TEST_KEY};
    use crate::credential::secret::Secret;
    use crate::pin::MAX_DIGITS;
    use proptest::prelude::*;

    fn pepper(name: &str) -> Pepper {
        Pepper::parse(format!("{name}:{TEST_KEY}").as_bytes()).expect("a pepper")
    }

    fn cheap() -> Cost {
        let text =
            "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$0T8Xv9HzSgy6rOF4gFCBxE5T96ltUdQKB791KA9XTaQ";
        let secret = Secret::parse(text.as_bytes()).ok();
        secret.and_then(|secret| secret.cost()).expect("a cost")
    }

    #[test]
    fn secrets_equal_those_of_other_programs() {
        let pepper = pepper("main");
        let (id, key) = pepper.signing().expect("a key");
        let made = |recipe: Recipe<'_>| recipe.make(&entered("1234")).map(|text| text.to_string());
        assert_eq!(made(Recipe::Plain).as_deref(), Ok("plain:1234"));
        assert_eq!(
            made(Recipe::Md5).as_deref(),
            Ok("md5:81dc9bdb52d04dc20036dbd8313ed055")
        );
        assert_eq!(
            made(Recipe::Hmac(id, key)).as_deref(),
            Ok("hmac-sha256:main:7adf01a8404b07ff05314115b48a8fdafa11d2480b14ceadd375350da4f8e3bf")
        );
        // The hash itself is that of the reference: super::tests.
        let salt = *b"saltsaltsaltsalt";
        let text = made(Recipe::Argon2id(cheap(), salt)).unwrap_or_default();
        assert!(
            text.starts_with("$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$"),
            "{text}"
        );
        let default = made(Recipe::Argon2id(Cost::default(), salt)).unwrap_or_default();
        assert!(
            default.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{default}"
        );
    }

    #[test]
    fn invalid_pin_has_no_secret() {
        for (pin, why) in [
            ("", GenerateError::Empty),
            ("12#4", GenerateError::NotOnKeypad),
            ("12a", GenerateError::NotOnKeypad),
        ] {
            assert_eq!(Recipe::Plain.make(&entered(pin)).err(), Some(why), "{pin}");
        }
    }

    #[test]
    fn no_buffer_grows() {
        let name = "k".repeat(32);
        let pepper = pepper(&name);
        let (id, key) = pepper.signing().expect("a key");
        let longest = entered(&"9".repeat(MAX_DIGITS));
        for recipe in [
            Recipe::Plain,
            Recipe::Md5,
            Recipe::Hmac(id, key),
            Recipe::Argon2id(Cost::default(), [255; SALT_BYTES]),
        ] {
            let text = recipe.make(&longest).expect("a secret");
            assert_eq!(text.capacity(), MAX_SECRET_BYTES);
        }
    }

    proptest! {
        #[test]
        fn generated_secret_verifies_its_pin_alone(pin in "[0-9*A-D]{1,254}", other in "[0-9*A-D]{1,9}", salt: [u8; SALT_BYTES]) {
            let pepper = pepper("main");
            let (id, key) = pepper.signing().expect("a key");
            for recipe in [
                Recipe::Plain,
                Recipe::Md5,
                Recipe::Hmac(id, key),
                Recipe::Argon2id(cheap(), salt),
            ] {
                let text = recipe.make(&entered(&pin)).expect("a secret");
                let secret = Secret::parse(text.as_bytes());
                let secret = secret.map_err(|error| error.to_string()).unwrap();
                prop_assert_eq!(secret.verify(&entered(&pin), &pepper), Ok(true));
                prop_assert_eq!(secret.verify(&entered(&other), &pepper), Ok(pin == other));
            }
        }
    }
}
