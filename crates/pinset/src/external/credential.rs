//! Credentials for a service, from the file of `auth`.

use base64ct::{Base64, Encoding};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::config::Auth;

/// Why a credential file is invalid. The message never holds any of its contents.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum CredentialError {
    /// The file is empty.
    #[error("there is nothing in it")]
    Empty,
    /// The file has more than one line.
    #[error("must have one line")]
    SeveralLines,
    /// `basic`: there is no `:`, or a control character.
    #[error("must be user:password, without control characters")]
    InvalidBasic,
    /// A byte that no header takes: a blank in a `bearer` key, a control character,
    /// or one that is not ASCII.
    #[error("must be one key of ASCII characters, for bearer without blanks in it")]
    InvalidKey,
}

/// Returns the header of each request, such as `Authorization: Bearer …`, from the
/// contents of the file: one line, without blanks around it. Returns `None` if there
/// is no `auth`.
///
/// # Errors
///
/// The file holds no valid credentials.
pub fn header(auth: &Auth, contents: &[u8]) -> Result<Option<Zeroizing<String>>, CredentialError> {
    let line = || one_line(contents);
    let visible = |byte: &u8| byte.is_ascii_graphic();
    let (name, scheme, value) = match auth {
        Auth::None => return Ok(None),
        Auth::Basic(_) => {
            let line = line()?;
            let right = line.contains(&b':') && !line.iter().any(u8::is_ascii_control);
            let line = right.then_some(line).ok_or(CredentialError::InvalidBasic)?;
            let value = Zeroizing::new(Base64::encode_string(line));
            ("Authorization", "Basic ", value)
        }
        Auth::Bearer(_) => ("Authorization", "Bearer ", key(line()?, visible)?),
        Auth::Header(name, _) => {
            let plain = |byte: &u8| visible(byte) || *byte == b' ';
            (name.as_str(), "", key(line()?, plain)?)
        }
    };
    let length = name.len() + 2 + scheme.len() + value.len();
    let mut header = Zeroizing::new(String::with_capacity(length));
    for part in [name, ": ", scheme, &value] {
        header.push_str(part);
    }
    Ok(Some(header))
}

fn one_line(contents: &[u8]) -> Result<&[u8], CredentialError> {
    let contents = contents.strip_prefix(b"\xef\xbb\xbf").unwrap_or(contents);
    let line = contents.trim_ascii();
    if line.is_empty() {
        Err(CredentialError::Empty)
    } else if line.contains(&b'\n') {
        Err(CredentialError::SeveralLines)
    } else {
        Ok(line)
    }
}

fn key(line: &[u8], right: impl Fn(&u8) -> bool) -> Result<Zeroizing<String>, CredentialError> {
    let text = std::str::from_utf8(line).map_err(|_| CredentialError::InvalidKey)?;
    let right = line.iter().all(right);
    right
        .then(|| Zeroizing::new(text.to_owned()))
        .ok_or(CredentialError::InvalidKey)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(auth: &Auth, contents: &[u8]) -> Result<Option<String>, CredentialError> {
        header(auth, contents).map(|made| made.map(|made| made.to_string()))
    }

    #[test]
    fn headers_are_made_of_one_line() {
        let basic = Auth::Basic("/f".into());
        let bearer = Auth::Bearer("/f".into());
        let named = Auth::Header("X-Api-Key".to_owned(), "/f".into());
        let is = |text: &str| Ok(Some(text.to_owned()));
        // RFC 7617's own example.
        let right = is("Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(made(&basic, b"Aladdin:open sesame\n"), right);
        assert_eq!(
            made(&basic, b"\xef\xbb\xbfAladdin:open sesame\r\n\n"),
            right
        );
        let colons = is("Authorization: Basic YTpiOmM=");
        assert_eq!(made(&basic, b"a:b:c"), colons);
        assert_eq!(
            made(&bearer, b" k-e_y.1=\n"),
            is("Authorization: Bearer k-e_y.1=")
        );
        assert_eq!(made(&named, b"two words\n"), is("X-Api-Key: two words"));
        assert_eq!(made(&Auth::None, b""), Ok(None));
        for (auth, contents, error) in [
            (&basic, b"".as_slice(), CredentialError::Empty),
            (&bearer, b" \n\r\n", CredentialError::Empty),
            (&basic, b"a:b\nc:d", CredentialError::SeveralLines),
            (&bearer, b"a\nX-Evil: b", CredentialError::SeveralLines),
            (&basic, b"nobody", CredentialError::InvalidBasic),
            (&basic, b"a:b\rc", CredentialError::InvalidBasic),
            (&bearer, b"two words", CredentialError::InvalidKey),
            (&bearer, "schlüssel".as_bytes(), CredentialError::InvalidKey),
            (&named, b"a\rb", CredentialError::InvalidKey),
            (&named, b"a\xff", CredentialError::InvalidKey),
            (&named, b"a\0", CredentialError::InvalidKey),
        ] {
            assert_eq!(made(auth, contents), Err(error), "{contents:?}");
        }
    }
}
