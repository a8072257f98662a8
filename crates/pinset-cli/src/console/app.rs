//! State that all requests share.

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use super::config::Config;
use super::guard::Guard;
use super::pbxs::PbxClients;
use super::sessions::{self, Sessions};
use super::trail::{self, Trail};
use crate::common::database;
use crate::common::error::{note, CommandError};
use crate::http::options::Transport;
use crate::http::server::Host;

/// State that all requests share.
pub(super) struct App {
    pub config: Config,
    /// The address of the socket.
    pub address: SocketAddr,
    pub guard: Guard,
    pub sessions: Sessions,
    pub trail: Trail,
    pub pbxs: PbxClients,
}

impl App {
    /// Opens the database.
    pub(super) fn open(
        config: Config,
        address: SocketAddr,
        pbxs: PbxClients,
    ) -> Result<Self, CommandError> {
        let tables = [sessions::TABLE, trail::TABLE].concat();
        let database = database::open(&config.database, &tables)?;
        let database = Arc::new(Mutex::new(database));
        Ok(Self {
            config,
            address,
            guard: Guard::new(),
            sessions: Sessions::new(Arc::clone(&database)),
            trail: Trail::new(database),
            pbxs,
        })
    }

    /// Returns whether browsers reach the console by HTTPS: its own, or a proxy's.
    pub(super) fn is_https(&self) -> bool {
        let transport = &self.config.transport;
        transport.tls.is_some() || !transport.trusted_proxies.is_empty()
    }
}

impl Host for App {
    fn transport(&self) -> Arc<Transport> {
        Arc::clone(&self.config.transport)
    }

    fn warn(&self, why: &str) {
        note(why);
    }
}
