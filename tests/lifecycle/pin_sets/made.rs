//! Secrets for CSV files as another program would make them: by the documentation of
//! each kind, not with our code.

use std::fmt::Write;

use anyhow::{anyhow, Result};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::prelude::{Engine as _, BASE64_STANDARD_NO_PAD};
use hmac::{Hmac, Mac};
use md5::{Digest, Md5};
use sha2::Sha256;

/// Argon2id that takes no time to speak of: m in KiB, t, p.
pub(crate) const CHEAP: (u32, u32, u32) = (64, 1, 1);

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(crate) fn md5(pin: &str) -> String {
    format!("md5:{}", hex(&Md5::digest(pin)))
}

/// `key`: 32 bytes, in the pepper file as 64 hexadecimal digits.
pub(crate) fn hmac(id: &str, key: &[u8], pin: &str) -> Result<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key)?;
    mac.update(b"authenticate-v1\0");
    mac.update(pin.as_bytes());
    let digest = mac.finalize().into_bytes();
    Ok(format!("hmac-sha256:{id}:{}", hex(&digest)))
}

/// A PHC string; `salt` of at least eight bytes.
pub(crate) fn argon2id((m, t, p): (u32, u32, u32), salt: &str, pin: &str) -> Result<String> {
    let fault = |error: argon2::Error| anyhow!("{error}");
    let params = Params::new(m, t, p, Some(32)).map_err(fault)?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut hash = [0; 32];
    argon2
        .hash_password_into(pin.as_bytes(), salt.as_bytes(), &mut hash)
        .map_err(fault)?;
    let base64 = |bytes: &[u8]| BASE64_STANDARD_NO_PAD.encode(bytes);
    Ok(format!(
        "$argon2id$v=19$m={m},t={t},p={p}${}${}",
        base64(salt.as_bytes()),
        base64(&hash)
    ))
}

/// A csv list; a PHC string has commas in it.
pub(crate) fn csv(header: &str, rows: &[&[&str]]) -> String {
    let mut text = format!("{header}\n");
    for row in rows {
        let fields: Vec<String> = row.iter().map(|field| format!("\"{field}\"")).collect();
        text += &fields.join(",");
        text.push('\n');
    }
    text
}
