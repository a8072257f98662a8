//! Configuration of a test Asterisk before it starts.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::config::{report_step, Config};
use crate::module::{our_documentation, our_module, Module};
use crate::pbx::Pbx;
use crate::postgres::{self, Postgres};

/// Chooses what to start: `Pbx::builder().module(Module::Ours).start()`.
#[derive(Debug)]
pub struct Builder {
    pub(crate) config: Config,
    pub(crate) network: String,
    pub(crate) file_systems: bool,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) pins: Vec<(String, Vec<u8>, u32)>,
    pub(crate) volumes: Vec<(PathBuf, &'static str)>,
    module_file: Option<PathBuf>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            config: Config {
                module: Module::Ours,
                modules: String::new(),
                dialplan: String::new(),
                phones: String::new(),
                files: Vec::new(),
                pjsip: false,
                pjsip_bind: "127.0.0.1:5060".into(),
                pjsip_account: None,
                debug: 0,
                ami_port: 5038,
                ami_secret: random_word(),
            },
            network: "none".into(),
            file_systems: false,
            environment: Vec::new(),
            pins: Vec::new(),
            volumes: Vec::new(),
            module_file: None,
        }
    }
}

impl Builder {
    /// Which `Authenticate` is loaded; ours unless told.
    pub fn module(mut self, module: Module) -> Self {
        self.config.module = module;
        self
    }

    /// Another build of our module, in place of `AUTHENTICATE_MODULE` or the
    /// release build.
    pub fn module_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.module_file = Some(file.into());
        self
    }

    /// Lines at the end of `modules.conf`, such as `load = cel_manager.so`.
    pub fn modules(mut self, lines: &str) -> Self {
        self.config.modules.push_str(lines);
        self.config.modules.push('\n');
        self
    }

    /// Contexts at the end of `extensions.conf`. A context that has
    /// `include => harness-h` reports the variables at the end of its calls.
    pub fn dialplan(mut self, text: &str) -> Self {
        self.config.dialplan.push_str(text);
        self.config.dialplan.push('\n');
        self
    }

    /// An extension SIP phones can call: it runs this application, such as
    /// `Authenticate(1234)`, reports, and hangs up.
    pub fn phone_extension(mut self, extension: &str, application: &str) -> Self {
        self.config.phones.push_str(&format!(
            "exten => {extension},1,{application}\n \
             same => n,{}\n \
             same => n,Hangup()\n",
            report_step()
        ));
        self
    }

    /// Extensions of the context SIP phones call into, as in
    /// `extensions.conf`.
    pub fn phone_dialplan(mut self, text: &str) -> Self {
        self.config.phones.push_str(text);
        self.config.phones.push('\n');
        self
    }

    /// A file in `/etc/asterisk`, in place of the harness's own of that name.
    pub fn file(mut self, name: &str, contents: impl Into<Vec<u8>>) -> Self {
        self.config.files.push((name.to_owned(), contents.into()));
        self
    }

    /// A list of PINs that is there, as `/pins/NAME`, when Asterisk starts.
    pub fn pin_file(mut self, name: &str, contents: impl Into<Vec<u8>>) -> Self {
        self.pins.push((name.to_owned(), contents.into(), 0o644));
        self
    }

    /// The same, with these rights.
    pub fn pin_file_of_mode(mut self, name: &str, contents: impl Into<Vec<u8>>, mode: u32) -> Self {
        self.pins.push((name.to_owned(), contents.into(), mode));
        self
    }

    /// Shows a folder of the host inside, under this path.
    pub fn volume(mut self, folder: &Path, path: &'static str) -> Self {
        self.volumes.push((folder.to_owned(), path));
        self
    }

    /// Lets Asterisk reach a PostgreSQL: `/pins/database` has the connection string.
    pub fn database(mut self, server: &Postgres) -> Self {
        self.volumes.push(postgres::volume(server));
        self.pin_file_of_mode("database", server.connection_string(), 0o600)
    }

    /// Loads `chan_pjsip`, for `Pbx::sip_call`.
    pub fn pjsip(mut self) -> Self {
        self.config.pjsip = true;
        self
    }

    /// Debug level of Asterisk's log.
    pub fn debug(mut self, level: u32) -> Self {
        self.config.debug = level;
        self
    }

    /// Opens the PBX to phones of the host's network: the container shares
    /// it, SIP listens on `bind` (address and port), for one account only,
    /// and AMI on `ami_port` of the loopback.
    pub fn on_host(mut self, bind: &str, user: &str, password: &str, ami_port: u16) -> Self {
        self.config.pjsip = true;
        self.config.pjsip_bind = bind.to_owned();
        self.config.pjsip_account = Some((user.to_owned(), password.to_owned()));
        self.in_network_of_host(ami_port)
    }

    /// Has the container share the host's network, so that programs of the host reach
    /// those inside, with AMI on this port of the loopback.
    pub fn in_network_of_host(mut self, ami_port: u16) -> Self {
        self.network = "host".into();
        self.config.ami_port = ami_port;
        self
    }

    /// Lets programs in the container mount file systems, FUSE's among them:
    /// `/dev/fuse` must be there on the host.
    pub fn file_systems(mut self) -> Self {
        self.file_systems = true;
        self
    }

    /// A variable of Asterisk's environment.
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Runs Asterisk as the user and the group `asterisk`; it is root's otherwise.
    pub fn unprivileged(self) -> Self {
        self.environment("ASTERISK_RUNS_AS", "asterisk")
    }

    /// Starts Asterisk and waits until it is fully booted.
    pub fn start(self) -> Result<Pbx> {
        Pbx::start(&self)
    }

    /// Our module's file, if it is to be in the module directory.
    pub(crate) fn module_file_wanted(&self) -> Result<Option<PathBuf>> {
        if !self.config.module.wants_ours() {
            return Ok(None);
        }
        match &self.module_file {
            Some(file) => Ok(Some(file.clone())),
            None => our_module().map(Some),
        }
    }

    /// Our documentation, which goes where our module goes.
    pub(crate) fn documentation_file(&self) -> Option<PathBuf> {
        our_documentation().filter(|_| self.config.module.wants_ours())
    }
}

/// A word nobody guesses in the life of a test: std's hash keys are random.
pub fn random_word() -> String {
    let word = || RandomState::new().build_hasher().finish();
    format!("{:016x}", word())
}
