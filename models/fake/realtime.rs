//! Asterisk's Realtime.

use std::time::Duration;

pub(crate) fn busy() -> Option<(String, Duration)> {
    None
}

pub(crate) fn clear() {}
