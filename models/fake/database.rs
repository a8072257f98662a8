//! PIN sets in PostgreSQL: there are none.

use crate::config::InForce;
use crate::pinset::database::Request;
use crate::pinset::verify::{ServiceChannel, SharedLockouts};

pub(crate) enum CallDatabase {}

impl SharedLockouts for CallDatabase {
    fn begin(&self) {
        match *self {}
    }

    fn query(
        &self,
        _: &mut dyn ServiceChannel,
        _: Request,
    ) -> Option<Result<libpq::Reply, String>> {
        match *self {}
    }

    fn send(&self, _: Request) {
        match *self {}
    }
}

pub(crate) fn sync(_: &InForce) {}

pub(crate) fn stop() -> bool {
    true
}

pub(crate) fn clear() {}
