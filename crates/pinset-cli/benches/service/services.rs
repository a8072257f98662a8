//! The services that are measured.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::{self, available_parallelism};
use std::time::{Duration, Instant};

use pinset::credential::secret::generate::Recipe;
use pinset::{Pepper, Pin};
use rusqlite::Connection;
use rustix::process::{kill_process, Pid, Signal};

use crate::load::{caller, CALLERS};
use crate::{bare, must, AUDIO};

/// Duration of a clock tick in `/proc/PID/stat`.
const TICK: Duration = Duration::from_millis(10);

/// Longest start of a service.
const START: Duration = Duration::from_secs(30);

/// Writes a CSV list of all callers, with PINs hashed with the pepper's key.
fn list(pepper: &str) -> String {
    let pepper = must(Pepper::parse(pepper.as_bytes()));
    let mut list = "account,secret,caller\n".to_owned();
    for at in 0..CALLERS {
        let (number, pin) = caller(at);
        let key = pepper.signing().map(|(id, key)| Recipe::Hmac(id, key));
        let secret = key.zip(Pin::parse(pin.as_bytes()));
        let secret = secret.map(|(recipe, pin)| must(recipe.make(&pin)));
        let secret = secret.as_deref().map_or("", String::as_str);
        list.push_str(&format!("{at},{secret},+90{number}\n"));
    }
    list
}

/// The SQLite settings of the Flask service.
#[derive(Clone, Copy)]
pub(crate) enum Journal {
    /// The defaults, which the guide uses.
    Default,
    /// The settings of `pinset serve`, which an operator of the guide's service may use.
    Wal,
}

/// A running service. All but the limit have a log in a database.
pub(crate) struct Service {
    pub name: String,
    child: Child,
    pub address: SocketAddr,
    log: Option<RequestLog>,
}

/// The database of a service's log, and the query that counts its rows.
struct RequestLog(Connection, &'static str);

impl Service {
    /// Starts `pinset serve` with hashed PINs, as the documentation recommends.
    pub(crate) fn ours(folder: &Path) -> Self {
        let pepper = format!("main:{}\n", "0123456789abcdef".repeat(4));
        let file = |name: &str, text: &str| {
            let path = folder.join(name);
            must(fs::write(&path, text));
            let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            must(fs::set_permissions(&path, private));
        };
        file("pepper", &pepper);
        file("list.csv", &list(&pepper));
        let folder_name = folder.display();
        file(
            "serve.toml",
            &format!(
                "listen = \"127.0.0.1:0\"\nstate = \"{folder_name}/state.db\"\n\
                 [numbers]\ncountry_code = \"90\"\n\
                 [lists]\npepper_file = \"{folder_name}/pepper\"\n\
                 [log]\nfile = \"{folder_name}/log.db\"\nrows = 1000000000\n\
                 [service.hipcall]\nlist = \"{folder_name}/list.csv\"\n\
                 success = [{{ play = \"{AUDIO}/success.mp3\" }}, {{ connect = \"1091\" }}]\n\
                 failure = [{{ play = \"{AUDIO}/failure.mp3\" }}, {{ connect = \"1092\" }}]\n\
                 gather.ask = \"{AUDIO}/pin_prompt.mp3\"\n"
            ),
        );
        let mut command = Command::new(env!("CARGO_BIN_EXE_pinset"));
        command
            .args(["serve", "--config"])
            .arg(folder.join("serve.toml"));
        let log = || must(Connection::open(folder.join("log.db")));
        let mut service = Self::started("pinset serve", command);
        service.log = Some(RequestLog(log(), "SELECT count(*) FROM log"));
        service
    }

    /// Starts the limit: this program.
    pub(crate) fn bare() -> Self {
        let mut command = Command::new(must(env::current_exe()));
        command.arg(bare::ARGUMENT);
        Self::started("bare axum handler", command)
    }

    /// Starts a service that prints its address.
    fn started(name: &str, mut command: Command) -> Self {
        let mut child = must(command.stdout(Stdio::piped()).spawn());
        let mut line = String::new();
        if let Some(out) = &mut child.stdout {
            must(BufReader::new(out).read_line(&mut line));
        }
        let address = line.trim().rsplit("//").next().unwrap_or_default();
        Self {
            name: name.to_owned(),
            child,
            address: must(address.parse()),
            log: None,
        }
    }

    /// Starts the guide's service under gunicorn with the number of workers that its
    /// manual recommends: twice the number of processors, plus one.
    pub(crate) fn flask(folder: &Path, class: &str, journal: Journal) -> Self {
        let (suffix, journal) = match journal {
            Journal::Default => ("", "DELETE"),
            Journal::Wal => (", WAL", "WAL"),
        };
        let database = folder.join(format!("{class}{journal}.db"));
        let log = must(Connection::open(&database));
        must(log.pragma_update(None, "journal_mode", journal));
        must(log.execute_batch(
            "CREATE TABLE users (phone TEXT PRIMARY KEY, pin_code TEXT);
             CREATE TABLE logs (id INTEGER PRIMARY KEY, created_at TEXT DEFAULT CURRENT_TIMESTAMP,
                 method TEXT, path TEXT, request_body TEXT, response_body TEXT);
             BEGIN",
        ));
        for number in 0..CALLERS {
            let insert = "INSERT INTO users (phone, pin_code) VALUES (?, ?)";
            must(log.execute(insert, <[String; 2]>::from(caller(number))));
        }
        must(log.execute_batch("COMMIT"));
        // Assumes that no other process takes the port meanwhile.
        let port =
            must(TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()));
        let workers = 2 * available_parallelism().map_or(1, usize::from) + 1;
        let app = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/service");
        let mut command = Command::new("gunicorn");
        if journal == "WAL" {
            command.env("SERVICE_SYNCHRONOUS", "NORMAL");
        }
        let child = command
            .args(["--workers", &workers.to_string(), "--worker-class", class])
            .args(["--threads", if class == "sync" { "1" } else { "8" }])
            .args(["--keep-alive", "60", "--log-level", "warning"])
            .args(["--bind", &port.to_string(), "--chdir"])
            .arg(app)
            .arg("app:app")
            .env("SERVICE_DB", &database)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .spawn();
        let service = Self {
            name: format!("Flask, gunicorn {class}{suffix}"),
            child: must(child),
            address: port,
            log: Some(RequestLog(log, "SELECT count(*) FROM logs")),
        };
        let began = Instant::now();
        while TcpStream::connect(port).is_err() {
            assert!(began.elapsed() < START, "gunicorn does not start");
            thread::sleep(Duration::from_millis(100));
        }
        service
    }

    /// Returns the processor time of the service, which is the most reliable figure on a
    /// busy machine.
    pub(crate) fn processor(&self) -> Duration {
        let own = self.child.id();
        let tasks = must(fs::read_dir("/proc")).flatten();
        let ticks = tasks.filter_map(|task| {
            let pid: u32 = task.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(task.path().join("stat")).ok()?;
            let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
            let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
            let theirs = pid == own || number(1)? == u64::from(own);
            theirs.then_some(number(11)? + number(12)?)
        });
        TICK * u32::try_from(ticks.sum::<u64>()).unwrap_or(u32::MAX)
    }

    /// Returns the number of requests in the log, to which some may still be written.
    pub(crate) fn logged(&self) -> Option<u64> {
        let RequestLog(log, query) = self.log.as_ref()?;
        let count = || must(log.query_row(query, [], |row| row.get::<_, u64>(0)));
        let mut before = count();
        loop {
            thread::sleep(Duration::from_secs(2));
            let now = count();
            if now == before {
                return Some(now);
            }
            before = now;
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // The service may have ended already; gunicorn ends its workers.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}
