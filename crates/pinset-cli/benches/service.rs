//! Benchmark of `pinset serve` and the service of Hipcall's guide, Flask under gunicorn:
//! requests per second and their durations, on one machine in one run, both with request
//! logs: `make bench-service`.
//!
//! Each call succeeds with two requests. Both services and the callers share the
//! processors of the machine.
#![forbid(unsafe_code)]

use std::fmt::Debug;
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
use serde_json::json;

#[path = "service/load.rs"]
mod load;

use load::{caller, Answers, Round, CALLERS};

const CONNECTIONS: u64 = 32;
const WARM_UP: Duration = Duration::from_secs(2);
const ROUND: Duration = Duration::from_secs(10);
const ROUNDS: usize = 3;

/// The promised ratio of requests per second.
const TIMES: f64 = 20.0;

/// The URL of the guide's sounds.
const AUDIO: &str = "https://your-server.example.com/static/audio";

/// Duration of a clock tick in `/proc/PID/stat`.
const TICK: Duration = Duration::from_millis(10);

/// Longest start of a service.
const START: Duration = Duration::from_secs(30);

/// Returns the value, or panics, because the benchmark can't continue without it.
fn must<T, E: Debug>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{error:?}"))
}

fn main() {
    let folder = must(tempfile::tempdir());
    let services = [
        Service::ours(folder.path()),
        Service::flask(folder.path(), "sync", Journal::Default),
        Service::flask(folder.path(), "gthread", Journal::Default),
        Service::flask(folder.path(), "gthread", Journal::Wal),
    ];
    let answers = answers();
    for service in &services {
        load::round(service.address, CONNECTIONS, WARM_UP, &answers);
    }
    let before: Vec<Duration> = services.iter().map(Service::processor).collect();
    let mut rounds: Vec<Vec<Round>> = services.iter().map(|_| Vec::new()).collect();
    for _ in 0..ROUNDS {
        for (service, rounds) in services.iter().zip(&mut rounds) {
            rounds.push(load::round(service.address, CONNECTIONS, ROUND, &answers));
        }
    }
    println!(
        "{CONNECTIONS} connections, {ROUNDS} rounds of {ROUND:?} each in turn; the middle one:"
    );
    let mut rates = Vec::new();
    for ((service, before), rounds) in services.iter().zip(before).zip(&mut rounds) {
        rounds.sort_by(|one, two| one.rate.total_cmp(&two.rate));
        let (asked, logged) = (rounds.iter().map(Round::requests).sum(), service.logged());
        let processor = service.processor().saturating_sub(before).as_secs_f64() / asked as f64;
        assert!(
            logged >= asked,
            "{}: {logged} of {asked} requests are logged",
            service.name
        );
        let Some(middle) = rounds.get(rounds.len() / 2) else {
            continue;
        };
        rates.push(middle.rate);
        let [half, most] = [500, 990].map(|share| middle.within(share));
        println!(
            "{:24} {:8.0} requests a second, half within {half:.1?}, 99 of 100 within {most:.1?}, \
             {:.0} µs of a processor each",
            service.name,
            middle.rate,
            processor * 1e6
        );
    }
    let [ours, sync, gthread, tuned] = rates.as_slice() else {
        return;
    };
    println!(
        "ours answers {:.1} times as many as the better of the guide's as it stands (promised: \
         {TIMES}), and {:.1} times as many as the one with WAL",
        ours / sync.max(*gthread),
        ours / tuned
    );
}

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

fn answers() -> Answers {
    let sound = |name| format!("{AUDIO}/{name}.mp3");
    let gather = json!({
        "min_digits": 1,
        "max_digits": 4,
        "ask": sound("pin_prompt"),
        "variable_name": "pin_code",
    });
    let play = json!({"action": "play", "args": {"url": sound("success")}});
    let connect = json!({"action": "connect", "args": {"destination": "1091"}});
    Answers {
        gather: json!({"version": "1", "seq": [{"action": "gather", "args": gather}]}),
        success: json!({"version": "1", "seq": [play, connect]}),
    }
}

/// The SQLite settings of the Flask service.
#[derive(Clone, Copy)]
enum Journal {
    /// The defaults, which the guide uses.
    Default,
    /// The settings of `pinset serve`, which an operator of the guide's service may use.
    Wal,
}

/// A running service with a log in a database.
struct Service {
    name: String,
    child: Child,
    address: SocketAddr,
    log: Connection,
    count: &'static str,
}

impl Service {
    /// Starts `pinset serve` with hashed PINs, as the documentation recommends.
    fn ours(folder: &Path) -> Self {
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
        let mut child = must(command.stdout(Stdio::piped()).spawn());
        let mut line = String::new();
        if let Some(out) = &mut child.stdout {
            must(BufReader::new(out).read_line(&mut line));
        }
        let address = line.trim().rsplit("//").next().unwrap_or_default();
        Self {
            name: "pinset serve".to_owned(),
            child,
            address: must(address.parse()),
            log: must(Connection::open(folder.join("log.db"))),
            count: "SELECT count(*) FROM log",
        }
    }

    /// Starts the guide's service under gunicorn with the number of workers that its
    /// manual recommends: twice the number of processors, plus one.
    fn flask(folder: &Path, class: &str, journal: Journal) -> Self {
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
            log,
            count: "SELECT count(*) FROM logs",
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
    fn processor(&self) -> Duration {
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
    fn logged(&self) -> u64 {
        let count = || {
            must(
                self.log
                    .query_row(self.count, [], |row| row.get::<_, u64>(0)),
            )
        };
        let mut before = count();
        loop {
            thread::sleep(Duration::from_secs(2));
            let now = count();
            if now == before {
                return now;
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
