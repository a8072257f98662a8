//! Reading of `pinset serve --config FILE`, checked as a whole.
//!
//! Options that `authenticate.conf` has too are parsed by the same code.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ipnet::IpNet;
use pinset::cache::Rules;
use pinset::config::{Identify, NoCaller, Source};
use pinset::timestamp::Zone;
use pinset::{Pepper, PinSet, Settings};
use toml::Spanned;

use super::raw::{self, Raw};
use super::sequence::{self, Base};
use super::{Answers, Config, Log, Service};
use crate::common::error::{At, CommandError};
use crate::common::secret_file::{self, AllowedGroups};
use crate::common::toml_file::{GivenOptions, TomlFile};
use crate::http::options::{self, Transport};
use crate::http::plain_http::{is_local, PlainHttp};
use crate::serve::auth::Auth;
use crate::serve::database::DatabasePool;

const DEFAULT_PATH: &str = "/api/external/hipcall-ingress";
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5000);
const DEFAULT_STATE: &str = "/var/lib/pinset/state.db";
const DEFAULT_LOG: &str = "/var/lib/pinset/log.db";
/// Maximum length of the name of a service, which is a label of metrics.
const MAX_NAME_BYTES: usize = 64;

impl Config {
    /// Reads the file and all files that it names but the PIN files. `bound` is the
    /// address of the socket, if there is one: it determines who can connect, instead
    /// of `listen`.
    ///
    /// # Errors
    ///
    /// Fails with file, line and option if something is invalid.
    pub(crate) fn read(path: &Path, bound: Option<SocketAddr>) -> Result<Self, CommandError> {
        let text = std::fs::read_to_string(path).at(path)?;
        let file = TomlFile { path, text: &text };
        ConfigReader { file }.whole(bound)
    }
}

/// The reader of a configuration file.
pub(super) struct ConfigReader<'a> {
    pub file: TomlFile<'a>,
}

impl ConfigReader<'_> {
    fn whole(&self, bound: Option<SocketAddr>) -> Result<Config, CommandError> {
        let raw: Raw = self.file.parse()?;
        let listen = options::listen(self.file, raw.listen.as_ref(), DEFAULT_LISTEN)?;
        let address = bound.unwrap_or(listen);
        let mut settings = Settings {
            numbering: raw.numbers.numbering(self.file)?,
            ..Settings::default()
        };
        let lists = raw.lists.given();
        for (name, value) in &lists {
            let set = settings.set(name.as_bytes(), value.get_ref().as_bytes());
            set.map_err(|fault| self.file.at(value, fault))?;
        }
        let pepper = self.pepper(&settings, &lists)?;
        let database = self.database(&settings, &lists, &pepper)?;
        let rules = Arc::new(Rules {
            zone: Zone::of_the_machine(),
            numbering: settings.numbering.clone(),
            keys: pepper.ids().collect(),
        });
        let (services, paths) = self.services(&raw, &settings, address)?;
        self.check_databases(&raw, &services, database.is_some(), &pepper)?;
        let trusted_proxies = options::proxies(self.file, &raw.trusted_proxies)?;
        let config = Config {
            listen,
            plain_http: self.plain_http(&raw, &trusted_proxies, address)?,
            transport: Arc::new(Transport {
                tls: options::tls(self.file, raw.tls.as_ref(), AllowedGroups::OfProcess)?,
                trusted_proxies,
                limits: options::limits(self.file, raw.limits.as_ref())?,
            }),
            state: raw.state.clone().unwrap_or_else(|| DEFAULT_STATE.into()),
            log: raw.log.as_ref().map(|log| self.log(log)).transpose()?,
            audio: self.audio(&raw)?,
            settings,
            pepper,
            rules,
            database,
            services,
            paths,
        };
        self.guard_audio(&raw, &config)?;
        if config.services.is_empty() {
            return Err(CommandError::at(
                self.file.path,
                "no [service.NAME] section",
            ));
        }
        Ok(config)
    }

    fn pepper(
        &self,
        settings: &Settings,
        lists: &GivenOptions<'_>,
    ) -> Result<Pepper, CommandError> {
        let Some(path) = &settings.pepper_file else {
            return Ok(Pepper::default());
        };
        let wrong = |error: &dyn Display| {
            let why = format!("{}: {error}", path.display());
            match lists.iter().find(|(name, _)| *name == "pepper_file") {
                Some((_, value)) => self.file.at(value, why),
                None => CommandError::at(self.file.path, why),
            }
        };
        let text =
            secret_file::read(path, AllowedGroups::OfProcess).map_err(|error| wrong(&error))?;
        Pepper::parse(&text).map_err(|error| wrong(&error))
    }

    /// Returns the database whose connection string a file has.
    fn database(
        &self,
        settings: &Settings,
        lists: &GivenOptions<'_>,
        pepper: &Pepper,
    ) -> Result<Option<Arc<DatabasePool>>, CommandError> {
        let given = |wanted| lists.iter().find(|(name, _)| *name == wanted);
        let (Some(path), Some((_, value))) = (&settings.database_file, given("database_file"))
        else {
            return Ok(None);
        };
        let wrong =
            |error: &dyn Display| self.file.at(value, format!("{}: {error}", path.display()));
        let text =
            secret_file::read(path, AllowedGroups::OfProcess).map_err(|error| wrong(&error))?;
        let most = usize::try_from(settings.database_connections).unwrap_or(1);
        let pool = DatabasePool::new(&text, most, pepper).map_err(|error| wrong(&error))?;
        Ok(Some(Arc::new(pool)))
    }

    /// Refuses services whose PIN set in a database can't be looked up.
    fn check_databases(
        &self,
        raw: &Raw,
        services: &BTreeMap<String, Arc<Service>>,
        has_database: bool,
        pepper: &Pepper,
    ) -> Result<(), CommandError> {
        for (name, service) in &raw.service {
            let Some(database) = &service.database else {
                continue;
            };
            if !has_database {
                let why = "requires database_file in [lists], the file with the connection string \
                           of PostgreSQL";
                return Err(self.file.at(database, why));
            }
            let mut all = services.values();
            let read = all.find(|service| service.name == *name.get_ref());
            let by_pin = read.is_some_and(|service| service.set.identify == Identify::Pin);
            if by_pin && pepper.signing().is_none() {
                let why = "identify = pin finds rows in a database by a key of pepper_file, and \
                           there is none";
                return Err(self.file.at(name, why));
            }
        }
        Ok(())
    }

    /// Returns the source of a service's PIN set.
    fn source(&self, name: &Spanned<String>, raw: &raw::Service) -> Result<Source, CommandError> {
        const REALTIME: &str = "realtime:";
        let only_asterisk = "PIN sets in Realtime are read by drivers of Asterisk, so only the \
                             module serves them: use a PIN file, or PostgreSQL by database";
        match (&raw.list, &raw.database) {
            (Some(list), None) if list.get_ref().to_string_lossy().starts_with(REALTIME) => {
                Err(self.file.at(list, only_asterisk))
            }
            (None, Some(set)) if set.get_ref().starts_with(REALTIME) => {
                Err(self.file.at(set, only_asterisk))
            }
            (Some(list), None) if list.get_ref().is_absolute() => {
                Ok(Source::File(list.get_ref().clone()))
            }
            (Some(list), None) => Err(self.file.at(list, "must be an absolute path")),
            (None, Some(set)) => {
                let mut parsed = PinSet::default();
                let text = format!("database:{}", set.get_ref());
                let done = parsed.set(b"source", text.as_bytes());
                done.map_err(|error| self.file.at(set, error))?;
                let source = parsed.source;
                source.ok_or_else(|| self.file.at(set, "must be the name of a PIN set"))
            }
            (None, None) => {
                let why = "list or database is missing: the path of a PIN file, or the name of a \
                           PIN set in the database of [lists]";
                Err(self.file.at(name, why))
            }
            (Some(_), Some(set)) => Err(self.file.at(set, "either list or database, not both")),
        }
    }

    pub(super) fn service(
        &self,
        name: &Spanned<String>,
        raw: &raw::Service,
        settings: &Settings,
        (address, base): (SocketAddr, Base<'_>),
    ) -> Result<Service, CommandError> {
        let right = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
        let spelled = name.get_ref();
        if spelled.is_empty() || spelled.len() > MAX_NAME_BYTES || !spelled.chars().all(right) {
            let why = "the name of a service must be up to 64 letters, digits, - and _";
            return Err(self.file.at(name, why));
        }
        let path = match &raw.path {
            None => DEFAULT_PATH.to_owned(),
            Some(path) => self.service_path(path)?,
        };
        let mut set = settings.pin_set.clone();
        // As in Hipcall's guide.
        (set.identify, set.attempts) = (Identify::Caller, 1);
        set.source = Some(self.source(name, raw)?);
        for (option, value) in raw.pin_set() {
            let Some(value) = value else { continue };
            set.set(option.as_bytes(), value.get_ref().as_bytes())
                .map_err(|fault| self.file.at(value, fault))?;
        }
        if let Some(conflict) = set.conflicts(&settings.pin_set).first() {
            return Err(self.file.at(name, conflict));
        }
        let asks_account =
            set.identify == Identify::Account || set.no_caller == NoCaller::AskAccount;
        let account = match (&raw.account, asks_account) {
            (Some(gather), _) => Some(gather),
            (None, false) => None,
            (None, true) => {
                let why = "callers must enter an account: [service.NAME.account] is missing";
                return Err(self.file.at(name, why));
            }
        };
        let auth = match &raw.auth {
            Some(auth) => self.auth(auth)?,
            None if is_local(address) => Auth::Direct,
            None => {
                let why = format!(
                    "auth is missing: the socket is at {address}, and only a service on the \
                     loopback address may omit it (auth = \"none\" allows everyone)"
                );
                return Err(self.file.at(name, why));
            }
        };
        let pin = sequence::gather(raw.gather.as_ref(), "pin_code", base);
        let pin = pin.map_err(|(at, why)| self.file.wrong(at.unwrap_or(name.span().start), why))?;
        let account = sequence::gather(account, "account_number", base);
        let account =
            account.map_err(|(at, why)| self.file.wrong(at.unwrap_or(name.span().start), why))?;
        if pin.variable == account.variable {
            return Err(self
                .file
                .at(name, "PIN and account have the same variable_name"));
        }
        Ok(Service {
            name: spelled.clone(),
            path,
            auth,
            set: Arc::new(set),
            pin,
            account,
            answers: self.answers(raw, base)?,
        })
    }

    fn answers(&self, raw: &raw::Service, base: Base<'_>) -> Result<Answers, CommandError> {
        let of = |actions: &Spanned<Vec<raw::Action>>| {
            sequence::render(actions.get_ref(), base).map_err(|why| self.file.at(actions, why))
        };
        let failure = of(&raw.failure)?;
        let or_failure = |actions: &Option<Spanned<Vec<raw::Action>>>| {
            let answer = actions.as_ref().map(&of).transpose()?;
            Ok(answer.unwrap_or_else(|| failure.clone()))
        };
        Ok(Answers {
            success: of(&raw.success)?,
            locked: or_failure(&raw.locked)?,
            error: or_failure(&raw.error)?,
            failure,
        })
    }

    /// Refuses credentials that would be readable on the network.
    fn plain_http(
        &self,
        raw: &Raw,
        proxies: &[IpNet],
        address: SocketAddr,
    ) -> Result<PlainHttp, CommandError> {
        let is_allowed = raw.allow_plain_http.unwrap_or(false);
        let plain = PlainHttp::of(address, raw.tls.is_some(), is_allowed, proxies);
        let services = raw.service.values();
        let auths = services.map(|service| service.auth.as_ref());
        let auths = auths.chain(raw.log.iter().map(|log| log.logs_auth.as_ref()));
        let mut credentials = auths.flatten().filter(|auth| auth.get_ref() != "none");
        match credentials.next() {
            Some(auth) if plain == PlainHttp::Refused => {
                let why = format!(
                    "credentials over plain HTTP at {address}: add [tls], listen on the loopback \
                     address, name the proxy that has TLS in trusted_proxies, or set \
                     allow_plain_http = true"
                );
                Err(self.file.at(auth, why))
            }
            _ => Ok(plain),
        }
    }

    fn log(&self, raw: &raw::Log) -> Result<Log, CommandError> {
        let number = |given: Option<&Spanned<u32>>, default: u32| match given {
            None => Ok(default),
            Some(given) if *given.get_ref() > 0 => Ok(*given.get_ref()),
            Some(given) => Err(self.file.at(given, "must be above 0")),
        };
        let auth = raw.logs_auth.as_ref();
        Ok(Log {
            file: raw.file.clone().unwrap_or_else(|| DEFAULT_LOG.into()),
            days: number(raw.days.as_ref(), 30)?,
            rows: number(raw.rows.as_ref(), 1_000_000)?,
            auth: match auth.map(|auth| self.auth(auth)).transpose()? {
                // A log that everybody can read is never intended.
                Some(Auth::None) | None => None,
                auth => auth,
            },
        })
    }

    fn audio(&self, raw: &Raw) -> Result<Option<PathBuf>, CommandError> {
        let Some(audio) = &raw.audio else {
            return Ok(None);
        };
        let folder = std::fs::metadata(audio.get_ref());
        match folder {
            Ok(about) if about.is_dir() => Ok(Some(audio.get_ref().clone())),
            Ok(_) => Err(self.file.file(audio, "not a folder")),
            Err(error) => Err(self.file.file(audio, error)),
        }
    }

    /// Refuses a folder of sounds, which everybody can read, that contains other files
    /// of the service.
    fn guard_audio(&self, raw: &Raw, config: &Config) -> Result<(), CommandError> {
        let Some(audio) = &raw.audio else {
            return Ok(());
        };
        let folder = audio.get_ref().canonicalize();
        let folder = folder.map_err(|error| self.file.file(audio, error))?;
        let services = raw.service.values();
        let credentials = services.clone().map(|service| service.auth.as_ref());
        let credentials = credentials.chain(raw.log.iter().map(|log| log.logs_auth.as_ref()));
        let credentials = credentials.flatten();
        let others = [Some(self.file.path), Some(config.state.as_path())]
            .into_iter()
            .chain([config.log.as_ref().map(|log| log.file.as_path())])
            .chain([config.settings.pepper_file.as_deref()])
            .chain([raw.tls.as_ref().map(|tls| tls.key.get_ref().as_path())])
            .flatten()
            .chain(
                [config.settings.database_file.as_deref()]
                    .into_iter()
                    .flatten(),
            )
            .chain(services.filter_map(|service| Some(service.list.as_ref()?.get_ref().as_path())))
            .chain(credentials.filter_map(|auth| auth.get_ref().rsplit(':').next().map(Path::new)));
        match others.into_iter().find(|file| is_within(file, &folder)) {
            None => Ok(()),
            Some(file) => {
                let file = file.display();
                let why = format!("'{file}' would be served: the folder must contain sounds only");
                Err(self.file.at(audio, why))
            }
        }
    }

    fn auth(&self, auth: &Spanned<String>) -> Result<Auth, CommandError> {
        Auth::read(auth.get_ref()).map_err(|why| self.file.at(auth, why))
    }
}

/// Returns whether a file, which may not exist yet, is in a folder or below.
fn is_within(file: &Path, folder: &Path) -> bool {
    let parent = file
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new(".")).canonicalize();
    parent.is_ok_and(|parent| parent.starts_with(folder))
}
