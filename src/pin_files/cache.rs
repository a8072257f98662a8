//! The cache of PIN files, and log lines about what was found while reading them.

use pinset::cache::{Cache, Report};

use crate::asterisk::log::{log, log_once};

pub(super) static CACHE: Cache = Cache::new();

/// Logs what was found in a PIN file.
pub(super) fn log_report(report: &Report) {
    match report {
        Report::TooLarge(..) => log!(Error, "{report}"),
        Report::WorldWritable(_) | Report::LineEnd(..) => log_once!(Warning, "{report}"),
        _ => log!(Warning, "{report}"),
    }
}
