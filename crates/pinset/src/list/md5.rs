//! `account:md5` a line: the MD5 of the PIN's digits, in hexadecimal.

use ::md5::{Digest, Md5};

use crate::pin::Pin;

/// The MD5 of nothing, which an empty shell variable leaves in a list.
const OF_NOTHING: [u8; 16] = [
    0xd4, 0x1d, 0x8c, 0xd9, 0x8f, 0x00, 0xb2, 0x04, 0xe9, 0x80, 0x09, 0x98, 0xec, 0xf8, 0x42, 0x7e,
];

/// The MD5 of an entry.
pub fn digest(pin: &Pin) -> [u8; 16] {
    Md5::digest(pin.as_bytes()).into()
}

/// Reads a line: `None` if it gives nobody a PIN, which is the case without
/// an account, without exactly one MD5 behind the first `:` (what `md5sum`
/// prints behind it is passed over), or with the MD5 of nothing.
pub fn parse(line: &[u8]) -> Option<(&[u8], [u8; 16])> {
    let colon = memchr::memchr(b':', line)?;
    let account = line.get(..colon)?.trim_ascii();
    let hash = line.get(colon + 1..)?.trim_ascii_start();
    let (hex, rest) = hash.split_at_checked(32)?;
    let ends = rest.first().is_none_or(u8::is_ascii_whitespace);
    let mut digest = [0; 16];
    for (byte, pair) in digest.iter_mut().zip(hex.chunks_exact(2)) {
        *byte = pair.iter().try_fold(0, |sum, c| {
            let digit = char::from(*c).to_digit(16)?;
            Some(sum << 4 | digit as u8)
        })?;
    }
    (!account.is_empty() && ends && digest != OF_NOTHING).then_some((account, digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MD5_OF_1234: &str = "81dc9bdb52d04dc20036dbd8313ed055";

    fn account_of(line: &str) -> Option<String> {
        let mut pin = Pin::new();
        b"1234".iter().for_each(|key| pin.push(*key));
        let (account, hash) = parse(line.as_bytes())?;
        assert_eq!(hash, digest(&pin));
        Some(String::from_utf8_lossy(account).into_owned())
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
            assert_eq!(account_of(&line).as_deref(), Some("alice"), "{line}");
        }
    }

    #[test]
    fn lines_that_give_none() {
        for line in [
            String::new(),
            MD5_OF_1234.to_owned(),
            format!(":{MD5_OF_1234}"),
            format!("  :{MD5_OF_1234}"),
            format!("a:b:{MD5_OF_1234}"),
            format!("alice:{}", &MD5_OF_1234[1..]),
            format!("alice:{MD5_OF_1234}0"),
            format!("alice:{}g", &MD5_OF_1234[1..]),
            "alice:d41d8cd98f00b204e9800998ecf8427e".to_owned(),
        ] {
            assert_eq!(account_of(&line), None, "{line}");
        }
    }
}
