//! One PIN a line.

use super::line::Fault;
use crate::pin::{is_key, MAX_DIGITS};

/// Reads a line that is not blank: the PIN it gives.
pub fn parse(line: &[u8]) -> Result<&[u8], Fault> {
    if line.contains(&0) {
        Err(Fault::Nul)
    } else if line.len() > MAX_DIGITS {
        Err(Fault::TooLong)
    } else if line.iter().all(|key| is_key(*key)) {
        Ok(line)
    } else {
        Err(Fault::NotKeyable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        assert_eq!(parse(b"1234"), Ok(&b"1234"[..]));
        assert_eq!(parse(b"*12AD"), Ok(&b"*12AD"[..]));
        assert_eq!(parse(&[b'1'; 254]), Ok(&[b'1'; 254][..]));
        assert_eq!(parse(b"secret"), Err(Fault::NotKeyable));
        assert_eq!(parse(b"12#34"), Err(Fault::NotKeyable));
        assert_eq!(parse(b"12 34"), Err(Fault::NotKeyable));
        assert_eq!(parse(b"12\x0034"), Err(Fault::Nul));
        assert_eq!(parse(&[b'1'; 255]), Err(Fault::TooLong));
    }
}
