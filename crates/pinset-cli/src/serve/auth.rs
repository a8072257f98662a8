//! Credentials of requests.

use std::net::IpAddr;
use std::path::Path;

use axum::http::header::{HeaderName, AUTHORIZATION, FORWARDED};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use base64::prelude::{Engine, BASE64_STANDARD};
use ipnet::IpNet;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::common::secret_file::{self, AllowedGroups, SecretFileError};
use crate::http::plain_http::PlainHttp;

/// The credential that a request needs.
pub(super) enum Auth {
    /// Nothing.
    None,
    /// Nothing, but the client must be on this machine: a forwarded request is
    /// refused.
    Direct,
    /// `Authorization` with this scheme.
    Scheme(&'static str, Secret),
    /// A header of its own.
    Header(HeaderName, Secret),
}

/// The digest of a credential. Comparing digests in constant time reveals neither the
/// position of a difference nor the length.
pub(super) struct Secret([u8; 32]);

impl Secret {
    fn of(text: &[u8]) -> Self {
        Self(Sha256::digest(text).into())
    }

    fn is(&self, text: &[u8]) -> bool {
        self.0.ct_eq(&Self::of(text).0).into()
    }
}

/// The reason why the value of `auth` can't be used.
#[derive(Debug, Error)]
pub(super) enum AuthError {
    #[error("must be none, basic:FILE, bearer:FILE or header:NAME:FILE")]
    UnknownKind,
    #[error("header:NAME:FILE must have the name of a header")]
    HeaderName,
    #[error("{path}: must be user:password")]
    MissingColon { path: String },
    #[error("{path}: {error}")]
    File {
        path: String,
        error: SecretFileError,
    },
}

const BASIC: &str = "Basic";
const BEARER: &str = "Bearer";

impl Auth {
    /// Reads `none`, `basic:FILE`, `bearer:FILE` or `header:NAME:FILE`, and the
    /// file.
    ///
    /// # Errors
    ///
    /// Fails if it is none of these or the file can't be used.
    pub(super) fn read(text: &str) -> Result<Self, AuthError> {
        if text == "none" {
            return Ok(Self::None);
        }
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        let line = |path: &str| {
            secret_file::read_line(Path::new(path), AllowedGroups::OfProcess).map_err(|error| {
                AuthError::File {
                    path: path.to_owned(),
                    error,
                }
            })
        };
        match kind {
            "basic" => {
                let line = line(rest)?;
                if !line.contains(&b':') {
                    return Err(AuthError::MissingColon {
                        path: rest.to_owned(),
                    });
                }
                let token = Zeroizing::new(BASE64_STANDARD.encode(&*line));
                Ok(Self::Scheme(BASIC, Secret::of(token.as_bytes())))
            }
            "bearer" => Ok(Self::Scheme(BEARER, Secret::of(&line(rest)?))),
            "header" => {
                let (name, path) = rest.split_once(':').unwrap_or_default();
                let name: HeaderName = name.parse().map_err(|_| AuthError::HeaderName)?;
                Ok(Self::Header(name, Secret::of(&line(path)?)))
            }
            _ => Err(AuthError::UnknownKind),
        }
    }

    /// Returns whether these headers have the credential.
    fn admits(&self, headers: &HeaderMap) -> bool {
        match self {
            Self::None | Self::Direct => true,
            Self::Header(name, secret) => one(headers, name).is_some_and(|text| secret.is(text)),
            Self::Scheme(scheme, secret) => {
                let given = one(headers, &AUTHORIZATION).and_then(|text| {
                    let (word, rest) = text.split_at_checked(scheme.len())?;
                    let fits = word.eq_ignore_ascii_case(scheme.as_bytes());
                    (fits && rest.first() == Some(&b' ')).then(|| rest.trim_ascii())
                });
                given.is_some_and(|token| secret.is(token))
            }
        }
    }

    /// Returns whether these headers have any credential of this kind.
    fn is_tried(&self, headers: &HeaderMap) -> bool {
        match self {
            Self::None | Self::Direct => false,
            Self::Header(name, _) => headers.contains_key(name),
            Self::Scheme(..) => headers.contains_key(AUTHORIZATION),
        }
    }

    /// Returns the challenge for a request without the credential.
    fn challenge(&self) -> Option<HeaderValue> {
        match self {
            Self::Scheme(BASIC, _) => Some(HeaderValue::from_static(
                "Basic realm=\"pinset\", charset=\"UTF-8\"",
            )),
            Self::Scheme(..) => Some(HeaderValue::from_static(BEARER)),
            Self::None | Self::Direct | Self::Header(..) => None,
        }
    }
}

/// The reason why a request is not answered.
pub(super) struct Denied {
    pub status: StatusCode,
    pub why: &'static str,
    /// Whether there was a wrong credential.
    pub is_guess: bool,
    /// The value of `WWW-Authenticate`.
    pub challenge: Option<HeaderValue>,
}

/// Checks the credentials of a request that came from this peer.
///
/// # Errors
///
/// Fails if they are missing or wrong, or must not come over plain HTTP.
pub(super) fn check(
    auth: &Auth,
    (plain_http, proxies): (PlainHttp, &[IpNet]),
    peer: IpAddr,
    headers: &HeaderMap,
) -> Result<(), Denied> {
    let is_open = matches!(auth, Auth::None | Auth::Direct);
    if matches!(auth, Auth::Direct) && is_forwarded(headers) {
        return Err(Denied {
            status: StatusCode::FORBIDDEN,
            is_guess: false,
            why: UNPROTECTED,
            challenge: None,
        });
    }
    if !is_open && !plain_http.admits(peer, proxies) {
        return Err(Denied {
            status: StatusCode::FORBIDDEN,
            is_guess: false,
            why: "credentials over plain HTTP are refused: use HTTPS",
            challenge: None,
        });
    }
    match auth.admits(headers) {
        true => Ok(()),
        false => Err(Denied {
            status: StatusCode::UNAUTHORIZED,
            is_guess: auth.is_tried(headers),
            why: "missing or invalid credentials",
            challenge: auth.challenge(),
        }),
    }
}

/// The answer to a forwarded request to a service without `auth`.
pub(super) const UNPROTECTED: &str =
    "forwarded by a proxy or tunnel, and the service has no auth: set \
    auth, or auth = \"none\" to allow everyone";

/// Returns whether the headers name a proxy or tunnel that forwarded the request.
fn is_forwarded(headers: &HeaderMap) -> bool {
    headers.contains_key(FORWARDED) || headers.contains_key("x-forwarded-for")
}

/// Returns the value of a header that occurs exactly once.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut all = headers.get_all(name).iter();
    let first = all.next()?;
    all.next().is_none().then(|| first.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(all: &[(&'static str, &'static str)]) -> HeaderMap {
        all.iter()
            .map(|(name, value)| {
                let name = HeaderName::from_static(name);
                (name, HeaderValue::from_static(value))
            })
            .collect()
    }

    #[test]
    fn credential_must_match_exactly_and_once() {
        let basic = Auth::Scheme(BASIC, Secret::of(b"cGJ4OnNlY3JldA=="));
        let bearer = Auth::Scheme(BEARER, Secret::of(b"token"));
        let header = Auth::Header(HeaderName::from_static("x-key"), Secret::of(b"k"));
        let right = "Basic cGJ4OnNlY3JldA==";
        for (auth, given, admits) in [
            (&basic, &[("authorization", right)][..], true),
            (
                &basic,
                &[("authorization", "basic  cGJ4OnNlY3JldA==")],
                true,
            ),
            (&basic, &[("authorization", "Basic cGJ4OnNlY3JldA")], false),
            (&basic, &[("authorization", "BasiccGJ4OnNlY3JldA==")], false),
            (
                &basic,
                &[("authorization", "Bearer cGJ4OnNlY3JldA==")],
                false,
            ),
            (
                &basic,
                &[("authorization", right), ("authorization", right)],
                false,
            ),
            (&basic, &[("authorization", "Ba")], false),
            (&basic, &[("authorization", "")], false),
            (&basic, &[], false),
            (&bearer, &[("authorization", "Bearer token")], true),
            (&bearer, &[("authorization", "Bearer tokem")], false),
            (&bearer, &[("authorization", "token")], false),
            (&header, &[("x-key", "k")], true),
            (&header, &[("x-key", "K")], false),
            (&header, &[("x-kez", "k")], false),
            (&Auth::None, &[], true),
        ] {
            assert_eq!(auth.admits(&headers(given)), admits, "{given:?}");
        }
    }
}
