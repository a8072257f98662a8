//! Paths of services.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use pinset::Settings;
use toml::Spanned;

use super::raw::Raw;
use super::read::ConfigReader;
use super::sequence::Base;
use super::{Paths, PostKind, Service, AUDIO, HEALTH, LOGS, LOGS_JSON, LOGS_STYLE, METRICS};
use crate::common::error::CommandError;

impl ConfigReader<'_> {
    /// Returns the services by the paths where calls are posted, and all paths.
    pub(super) fn services(
        &self,
        raw: &Raw,
        settings: &Settings,
        address: SocketAddr,
    ) -> Result<(BTreeMap<String, Arc<Service>>, Paths), CommandError> {
        let (mut services, mut paths) = (BTreeMap::new(), Paths::new());
        let url = raw.public_url.as_ref();
        let base = Base::new(url.map(|url| url.get_ref().as_str()));
        let base = base.map_err(|why| match url {
            Some(url) => self.file.at(url, why),
            None => CommandError::at(self.file.path, why),
        })?;
        for (name, raw) in &raw.service {
            let service = Arc::new(self.service(name, raw, settings, (address, base))?);
            let webhooks = raw.hangup_path.as_ref();
            let webhooks = webhooks.map(|path| self.service_path(path)).transpose()?;
            let of_service = [
                (Some(service.path.clone()), PostKind::Call),
                (webhooks, PostKind::Webhook),
            ];
            for (path, kind) in of_service {
                let Some(path) = path else { continue };
                let other = paths.insert(path, (Arc::clone(&service), kind));
                if let Some((other, _)) = other {
                    let why = format!("service '{}' has the same path", other.name);
                    return Err(self.file.at(name, why));
                }
            }
            services.insert(service.path.clone(), service);
        }
        Ok((services, paths))
    }

    pub(super) fn service_path(&self, path: &Spanned<String>) -> Result<String, CommandError> {
        let text = path.get_ref();
        let right = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
        let taken = [HEALTH, METRICS, LOGS, LOGS_JSON, LOGS_STYLE];
        if !text.starts_with('/') || !text.bytes().all(right) {
            let why = "must be a path such as /api/pins: letters, digits and / - . _ ~";
            return Err(self.file.at(path, why));
        }
        if taken.contains(&text.as_str()) || text.starts_with(AUDIO) {
            return Err(self.file.at(path, "this path is reserved"));
        }
        Ok(text.clone())
    }
}
