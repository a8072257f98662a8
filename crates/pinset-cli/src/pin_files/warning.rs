//! Warnings about a change that is made nevertheless.

use pinset::credential::pepper::KeyId;
use thiserror::Error;

use crate::common::reach::{OUT_OF_REACH, REMEDY};

/// A warning about a new or changed row.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub(crate) enum Warning {
    #[error("rows with secrets of key {0} can't be compared without it (--pepper)")]
    MissingKey(KeyId),
    #[error("the row admits nobody: {OUT_OF_REACH}: {REMEDY}")]
    OutOfReach,
    #[error("no other row is hashed with Argon2id: identify = pin does not find this one")]
    OnlyArgon2id,
}
