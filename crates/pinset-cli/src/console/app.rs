//! State that all requests share.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use super::calls::Calls;
use super::checked::CheckedFiles;
use super::config::Config;
use super::edits::Edits;
use super::guard::Guard;
use super::held::Held;
use super::indexes::Indexes;
use super::jobs::Job;
use super::lists;
use super::once::OnceNumbers;
use super::pages::paste::Paste;
use super::pages::pin_file::saving::RowSave;
use super::pbxs::PbxClients;
use super::pin_tries::PinTries;
use super::sessions::{self, SessionError, SessionId, Sessions};
use super::trail::{self, Trail};
use crate::common::database;
use crate::common::error::{note, CommandError};
use crate::common::secret_maker::{SecretForm, SecretMaker};
use crate::common::workers::Workers;
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
    pub edits: Edits,
    pub once: OnceNumbers,
    /// Lists that were pasted and wait for their save.
    pub pastes: Held<Paste>,
    /// Saves that run, and new PINs that wait to be handed out.
    pub jobs: Held<Job>,
    /// Saves of a row in a large file.
    pub saves: Held<RowSave>,
    /// Computes the hashes of long jobs, one job after the other, so that log-ins have a
    /// processor.
    pub hashing: Workers,
    pub calls: Calls,
    pub indexes: Indexes,
    pub checked: CheckedFiles,
    pub pin_tries: PinTries,
}

/// Maximum number of bytes of all pasted lists, and of all new PINs.
const MAX_PASTED_BYTES: usize = 160 << 20;
const MAX_JOB_BYTES: usize = 64 << 20;
/// The same of saves of a row.
const MAX_SAVE_BYTES: usize = 16 << 20;
/// Maximum number of long jobs that wait.
const MAX_WAITING_JOBS: usize = 8;

impl App {
    /// Opens the databases.
    pub(super) fn open(
        config: Config,
        address: SocketAddr,
        pbxs: PbxClients,
    ) -> Result<Self, CommandError> {
        let tables = [sessions::TABLE, trail::TABLE].concat();
        let database = database::open(&config.database, &tables)?;
        let database = Arc::new(Mutex::new(database));
        Ok(Self {
            calls: Calls::open(&config)?,
            indexes: Indexes::open(&config.database)?,
            checked: CheckedFiles::default(),
            pin_tries: PinTries::new(),
            config,
            address,
            guard: Guard::new(),
            sessions: Sessions::new(Arc::clone(&database)),
            trail: Trail::new(database),
            pbxs,
            edits: Edits::new().map_err(CommandError::new)?,
            once: OnceNumbers::new().map_err(CommandError::new)?,
            pastes: Held::new(MAX_PASTED_BYTES),
            jobs: Held::new(MAX_JOB_BYTES),
            saves: Held::new(MAX_SAVE_BYTES),
            hashing: Workers::new(1, MAX_WAITING_JOBS),
        })
    }

    /// Returns a maker of secrets of this form, with the pepper of the configuration.
    pub(super) fn secret_maker(&self, form: SecretForm) -> SecretMaker {
        SecretMaker {
            form,
            pepper: Arc::clone(&self.config.pepper),
        }
    }

    /// Ends a session, and wipes what it holds.
    pub(super) fn end_session(&self, id: SessionId) -> Result<(), SessionError> {
        self.pastes.end(id);
        self.jobs.end(id);
        self.edits.end(id);
        self.saves.end(id);
        self.sessions.end(id)
    }

    /// Ends all sessions of a user, and wipes what they hold. Returns how many there were.
    pub(super) fn end_sessions_of(&self, user: &str) -> Result<usize, SessionError> {
        self.pastes.end_all(user);
        self.jobs.end_all(user);
        self.edits.end_all(user);
        self.saves.end_all(user);
        self.sessions.end_all(user)
    }

    /// Wipes what was held long enough, and the indexes of files that are gone.
    pub(super) fn expire(&self, now: Instant) {
        self.pastes.expire(now);
        self.jobs.expire(now);
        self.saves.expire(now);
        // A folder that can't be read now keeps its indexes.
        if let Ok(files) = lists::files(&self.config.lists) {
            let names = files.iter().map(|file| file.name.as_str());
            self.indexes.keep_only(names);
        }
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
