//! Errors of a line of a plain or MD5 list.

use thiserror::Error;

/// Why a line gives nobody a PIN. The message holds nothing of the line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum LineError {
    /// The line is longer than a PIN, or than any line may be.
    #[error("too long")]
    TooLong,
    /// A plain list has a NUL in this line.
    #[error("a NUL character")]
    Nul,
    /// A plain list has another character in this line that no telephone keypad
    /// has.
    #[error("a character that telephones do not have")]
    NotOnKeypad,
    /// An MD5 list has no `:` in this line.
    #[error("no account and no ':'")]
    MissingColon,
    /// Nothing precedes the `:`.
    #[error("no account in front of the ':'")]
    MissingAccount,
    /// No MD5 follows the first `:`.
    #[error("no MD5 stands behind its first ':'")]
    MissingDigest,
    /// The MD5 of an empty text, which an empty shell variable leaves behind.
    #[error("its MD5 is that of nothing")]
    EmptyTextDigest,
}
