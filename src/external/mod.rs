//! PIN sets whose source is a web service: calls are posted to it, and its answers
//! decide where they go.

mod call;
mod circuit_breakers;
mod client;
mod course;
mod hangups;
mod service_pin_set;

use crate::asterisk::log::log;
use crate::config::InForce;
use crate::http::sound_cache;

pub(crate) use course::authenticate;
pub(crate) use hangups::hold_off as hold_off_hangups;
pub(crate) use service_pin_set::ServicePinSet;

/// Drops the state of services that are no longer configured, and opens the sound
/// cache if any are.
pub(crate) fn sync(in_force: &InForce) {
    circuit_breakers::retain(in_force.services());
    if in_force.services().next().is_some() {
        if let Err(error) = sound_cache::open() {
            log!(
                Warning,
                "sounds of web services can't be stored and are skipped: {error}"
            );
        }
    }
}

/// Clears the state of all services.
pub(crate) fn clear() {
    circuit_breakers::clear();
    sound_cache::clear();
}

/// Stops the reports of calls that have ended. To be called before the threads of the
/// pool end.
pub(crate) fn shutdown() {
    hangups::clear();
}
