//! `account:md5` a line: the MD5 of the PIN's digits, in hexadecimal.

use ::md5::{Digest, Md5};

use super::line_error::LineError;
use crate::pin::Pin;

/// The MD5 of nothing, which an empty shell variable leaves in a list.
pub(crate) const EMPTY_TEXT_DIGEST: [u8; 16] = [
    0xd4, 0x1d, 0x8c, 0xd9, 0x8f, 0x00, 0xb2, 0x04, 0xe9, 0x80, 0x09, 0x98, 0xec, 0xf8, 0x42, 0x7e,
];

/// The MD5 of an entry.
pub(crate) fn digest(pin: &Pin) -> [u8; 16] {
    Md5::digest(pin.as_bytes()).into()
}

/// The MD5 of an entry and a line end: what `echo PIN | md5sum` makes.
pub(crate) fn digest_with_line_end(pin: &Pin) -> [u8; 16] {
    Md5::new()
        .chain_update(pin.as_bytes())
        .chain_update(b"\n")
        .finalize()
        .into()
}

/// Returns a digest in lower-case hexadecimal.
pub(crate) fn to_hex(digest: &[u8; 16]) -> [u8; 32] {
    let mut hex = [0; 32];
    for (place, digit) in hex.iter_mut().zip(crate::hex::digits(digest)) {
        *place = digit;
    }
    hex
}

/// Reads a line: the account, and the MD5 behind the first `:`. What `md5sum`
/// prints behind it is passed over.
pub(crate) fn parse(line: &[u8]) -> Result<(&[u8], [u8; 16]), LineError> {
    let colon = memchr::memchr(b':', line).ok_or(LineError::MissingColon)?;
    let (account, rest) = line.split_at(colon);
    let account = account.trim_ascii();
    let digest = rest
        .get(1..)
        .and_then(|rest| hex(rest.trim_ascii_start()))
        .ok_or(LineError::MissingDigest)?;
    if digest == EMPTY_TEXT_DIGEST {
        Err(LineError::EmptyTextDigest)
    } else if account.is_empty() {
        Err(LineError::MissingAccount)
    } else {
        Ok((account, digest))
    }
}

/// The MD5 that `text` begins with, if it ends there or a blank follows.
fn hex(text: &[u8]) -> Option<[u8; 16]> {
    let (hex, rest) = text.split_first_chunk::<32>()?;
    let digest = crate::hex::bytes(hex)?;
    let ends = rest.first().is_none_or(u8::is_ascii_whitespace);
    ends.then_some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MD5_OF_1234: &str = "81dc9bdb52d04dc20036dbd8313ed055";

    fn account_of(line: &str) -> Result<String, LineError> {
        let mut pin = Pin::new();
        b"1234".iter().for_each(|key| pin.push(*key));
        let (account, hash) = parse(line.as_bytes())?;
        assert_eq!(hash, digest(&pin));
        Ok(String::from_utf8_lossy(account).into_owned())
    }

    #[test]
    fn lines_that_give_a_pin() {
        let upper = MD5_OF_1234.to_uppercase();
        for line in [
            format!("alice:{MD5_OF_1234}"),
            format!("alice:{upper}"),
            format!("alice: {MD5_OF_1234}"),
            format!("alice :{MD5_OF_1234}  -"),
            format!("alice:{MD5_OF_1234} *pin.txt"),
        ] {
            assert_eq!(account_of(&line).as_deref(), Ok("alice"), "{line}");
        }
    }

    #[test]
    fn lines_that_give_none() {
        let of_nothing = "d41d8cd98f00b204e9800998ecf8427e";
        for (line, fault) in [
            (MD5_OF_1234.to_owned(), LineError::MissingColon),
            (format!(":{MD5_OF_1234}"), LineError::MissingAccount),
            (format!("  :{MD5_OF_1234}"), LineError::MissingAccount),
            ("alice:".to_owned(), LineError::MissingDigest),
            (format!("a:b:{MD5_OF_1234}"), LineError::MissingDigest),
            (
                format!("alice:{}", &MD5_OF_1234[1..]),
                LineError::MissingDigest,
            ),
            (format!("alice:{MD5_OF_1234}0"), LineError::MissingDigest),
            (
                format!("alice:{}g", &MD5_OF_1234[1..]),
                LineError::MissingDigest,
            ),
            (format!("alice:{of_nothing}"), LineError::EmptyTextDigest),
            (format!(":{of_nothing}"), LineError::EmptyTextDigest),
        ] {
            assert_eq!(account_of(&line), Err(fault), "{line}");
        }
    }
}
