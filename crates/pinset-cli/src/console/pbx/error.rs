//! Why a PBX is not connected, and why it does not do what it is asked for.

use std::fmt::Write;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ami::{DecodeError, EncodeError};
use thiserror::Error;

use super::state::Outage;

/// The reason why there is no connection.
#[derive(Debug, Error)]
pub(crate) enum ConnectionError {
    #[error("name lookup: {}", reason(.0))]
    Lookup(io::Error),
    #[error("{}", reason(.0))]
    Io(#[from] io::Error),
    #[error("{0} is another machine, and there is no TLS")]
    NotLoopback(SocketAddr),
    #[error("TLS: {0}")]
    Tls(io::Error),
    #[error("the port does not speak TLS")]
    NotTls,
    #[error("its certificate is not the one of fingerprint, but {}", hexadecimal(.0))]
    OtherCertificate([u8; 32]),
    #[error("no answer within {} s", .0.as_secs_f64())]
    Silent(Duration),
    #[error("connection closed by the PBX")]
    Closed,
    #[error(transparent)]
    Message(#[from] DecodeError),
    /// The login can't be encoded.
    #[error(transparent)]
    Login(#[from] EncodeError),
    #[error("login refused")]
    LoginRefused,
}

impl ConnectionError {
    /// Returns what to do about it.
    pub(crate) fn remedy(&self) -> &'static str {
        match self {
            Self::Lookup(_) => "correct address in console.toml",
            Self::NotLoopback(_) => "set ca or fingerprint in console.toml",
            Self::Tls(_) => {
                "compare ca in console.toml with tlscertfile in manager.conf of the PBX; the \
                 certificate must be of X.509 version 3 and name the host of address"
            }
            Self::NotTls => "tlsenable = yes and tlsbindaddr in manager.conf of the PBX",
            Self::OtherCertificate(_) => {
                "compare with openssl x509 -in FILE -noout -fingerprint -sha256 on the PBX"
            }
            Self::Login(_) => "correct user and secret in console.toml",
            Self::LoginRefused => {
                "compare user, secret, permit and deny with manager.conf of the PBX"
            }
            Self::Io(_) | Self::Silent(_) | Self::Closed | Self::Message(_) => {
                "compare address with asterisk -rx 'manager show settings' on the PBX: AMI must be \
                 enabled, and its port with TLS needs ca or fingerprint"
            }
        }
    }
}

/// Returns what went wrong, without Rust's number of it.
fn reason(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(_) => error.kind().to_string(),
        None => error.to_string(),
    }
}

fn hexadecimal(digest: &[u8]) -> String {
    digest.iter().fold(String::new(), |mut text, byte| {
        let colon = if text.is_empty() { "" } else { ":" };
        // Writing into a String does not fail.
        let _ = write!(text, "{colon}{byte:02X}");
        text
    })
}

/// The reason why a request to a PBX has failed.
#[derive(Debug, Error)]
pub(crate) enum RequestError {
    /// The value can't be sent.
    #[error(transparent)]
    Invalid(#[from] EncodeError),
    /// There is no connection; nothing was sent.
    #[error("{0}")]
    Down(Outage),
    #[error("the connection to the PBX is not made yet")]
    Connecting,
    /// The connection was lost before the answer: the request may have been carried out.
    #[error("the connection was lost before the answer")]
    Lost,
    #[error("no answer within {} s", .0.as_secs_f64())]
    TimedOut(Duration),
    #[error("too many requests to the PBX wait")]
    Busy,
    #[error("the AMI user has no right to {0}")]
    NoRight(&'static str),
    #[error("the PBX does not know {0}")]
    UnknownAction(&'static str),
    /// The PBX's own text, escaped.
    #[error("{0}")]
    Refused(String),
    #[error("the answer has over {0} rows")]
    TooManyRows(usize),
    #[error("the lists that the PBX sends are over {0} bytes")]
    TooLarge(usize),
    #[error("the answer should have {announced} rows and has {received}")]
    Incomplete { announced: String, received: usize },
    #[error("the answer is not one to {0}")]
    NoList(&'static str),
    #[error("the answer has no valid {0}")]
    InvalidHeader(&'static str),
}

impl RequestError {
    /// Returns what to do about it.
    pub(crate) fn remedy(&self) -> &'static str {
        match self {
            Self::Down(outage) => outage.why.remedy(),
            Self::NoRight(_) => "write = security for the user in manager.conf of the PBX",
            Self::UnknownAction(_) => {
                "on the PBX: asterisk -rx 'module load app_authenticate_rs.so', or a newer version \
                 of it"
            }
            Self::TooManyRows(_)
            | Self::TooLarge(_)
            | Self::Incomplete { .. }
            | Self::NoList(_)
            | Self::InvalidHeader(_) => "use the same version of the module and of pinset",
            Self::Invalid(_) | Self::Refused(_) => "correct the value",
            Self::Connecting | Self::Lost | Self::TimedOut(_) | Self::Busy => "try again",
        }
    }
}

/// A reason that many wait for.
pub(crate) type SharedConnectionError = Arc<ConnectionError>;
