//! A PIN set whose source is a web service.

use std::sync::Arc;

use pinset::config::Source;
use pinset::lockout::Limits;
use pinset::{Credential, PinSet, Request};
use url::Url;

use crate::config::InForce;

/// A PIN set whose source is a web service.
pub(crate) struct ServicePinSet {
    /// Its name, in small letters.
    pub name: String,
    /// Its options.
    pub set: Arc<PinSet>,
    /// The URL of the service.
    pub url: Url,
}

impl ServicePinSet {
    /// Returns the one that an `Authenticate` names, if it does.
    pub(crate) fn named_by(request: &Request, in_force: &InForce) -> Option<Self> {
        let Ok(Credential::PinSet(name)) = &request.credential else {
            return None;
        };
        let name = name.to_ascii_lowercase();
        let set = in_force.pin_set(&name).ok()?;
        let Some(Source::Url(url)) = &set.source else {
            return None;
        };
        let url = url.clone();
        Some(Self { name, set, url })
    }

    /// Returns the limits of failures. Whether a service has admitted a caller is known
    /// only by the destination of the call.
    pub(crate) fn limits(&self) -> Limits {
        if self.set.external.success_destinations.is_empty() {
            return Limits::default();
        }
        Limits {
            account: None,
            ..Limits::from(&*self.set)
        }
    }
}
