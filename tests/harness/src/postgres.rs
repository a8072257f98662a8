//! A PostgreSQL in a container of its own, reached over a socket in a shared folder.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};

use anyhow::{bail, ensure, Context, Result};
use tempfile::TempDir;

use crate::cleanup::prefix;
use crate::container::{Container, Spec};
use crate::pbx::prepared;

/// Where its socket is, in its container and in those of Asterisks.
pub(crate) const FOLDER: &str = "/database";

/// The server's data and programs. Nothing is relaxed for tests: `fsync` stays on.
const INIT: &str = "
install -d -o postgres /var/tmp/data
chmod 777 /database
ln -s /usr/lib/postgresql/*/bin /run/postgresql-bin
as_postgres() { setpriv --reuid=postgres --regid=postgres --clear-groups \"$@\"; }
";

/// An empty database.
const INITDB: &str = "
as_postgres /run/postgresql-bin/initdb --no-sync --username=postgres --auth=trust \
    --encoding=UTF8 --locale=C --pgdata=/var/tmp/data
";

/// A certificate of its own for `localhost`, and a role that needs TLS and a password.
const TLS: &str = "
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
    -subj /CN=localhost -addext subjectAltName=DNS:localhost \
    -keyout /var/tmp/data/server.key -out /database/ca.pem
cp /database/ca.pem /var/tmp/data/server.crt
chown postgres: /var/tmp/data/server.*
chmod 600 /var/tmp/data/server.key
printf '%s\\n' 'local all postgres trust' 'hostssl all asterisk 127.0.0.1/32 scram-sha-256' \
    > /var/tmp/data/pg_hba.conf
";

/// A copy of the server whose socket is in `/primary`, which follows it.
const STANDBY: &str = "
as_postgres /run/postgresql-bin/pg_basebackup --host=/primary --username=postgres --no-sync \
    --pgdata=/var/tmp/data --write-recovery-conf --checkpoint=fast
chmod 700 /var/tmp/data
";

/// Returns when the server accepts connections.
const START: &str = "
setpriv --reuid=postgres --regid=postgres --clear-groups /run/postgresql-bin/pg_ctl --wait \
    --pgdata=/var/tmp/data --log=/database/log \
    --options=\"-c unix_socket_directories=/database $OPTIONS\" start < /dev/null
";

/// PostgreSQL's own port.
const PORT: u16 = 5432;

const NO_TCP: &str = "-c listen_addresses=";

/// A running PostgreSQL. Dropping it removes everything; if that happens because a test
/// panics, its log is printed first.
#[derive(Debug)]
pub struct Postgres {
    container: Container,
    dir: TempDir,
    /// Options of the server.
    options: String,
    port: u16,
}

impl Postgres {
    /// Starts a server with an empty database `postgres`.
    pub fn start() -> Result<Self> {
        Self::start_as("none", &[], INITDB, NO_TCP.to_owned(), PORT)
    }

    /// Starts one with these options of the server.
    pub fn start_with(options: &str) -> Result<Self> {
        let options = format!("{NO_TCP} {options}");
        Self::start_as("none", &[], INITDB, options, PORT)
    }

    /// Starts one that takes connections by TLS, too, on this port of the host's loopback
    /// address: of role `asterisk`, with a password. Its folder has `ca.pem`.
    pub fn start_with_tls(port: u16) -> Result<Self> {
        let options = format!(
            "-c listen_addresses=127.0.0.1 -c port={port} -c ssl=on \
             -c password_encryption=scram-sha-256"
        );
        Self::start_as("host", &[], &format!("{INITDB}{TLS}"), options, port)
    }

    /// Starts a standby of this server.
    pub fn start_standby(&self) -> Result<Self> {
        let primary = (self.dir.path().to_owned(), "/primary");
        Self::start_as("none", &[primary], STANDBY, NO_TCP.to_owned(), PORT)
    }

    /// Starts one whose data are on a disk of this size, such as `90m`.
    pub fn start_on_disk(size: &str) -> Result<Self> {
        let disk = format!("/var/tmp/data:size={size},mode=0777");
        let init = format!("chown postgres: /var/tmp/data; {INITDB}");
        Self::start_in("none", Some(&disk), &[], &init, NO_TCP.to_owned(), PORT)
    }

    fn start_as(
        network: &str,
        volumes: &[(PathBuf, &str)],
        init: &str,
        options: String,
        port: u16,
    ) -> Result<Self> {
        Self::start_in(network, None, volumes, init, options, port)
    }

    fn start_in(
        network: &str,
        disk: Option<&str>,
        volumes: &[(PathBuf, &str)],
        init: &str,
        options: String,
        port: u16,
    ) -> Result<Self> {
        let (engine, image) = prepared()?;
        let dir = tempfile::Builder::new().prefix(&prefix()).tempdir()?;
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755))?;
        let own = (dir.path().to_owned(), FOLDER);
        let container = Container::start(
            engine,
            &Spec {
                image: image.tag(),
                network,
                file_systems: false,
                disk,
                environment: &[],
                volumes: &[volumes, &[own]].concat(),
            },
        )?;
        let server = Self {
            container,
            dir,
            options,
            port,
        };
        server.shell(&format!("{INIT}{init}")).context("initdb")?;
        server.start_again()?;
        Ok(server)
    }

    /// The folder of the host with its socket.
    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// The connection string that containers of Asterisks use.
    pub fn connection_string(&self) -> String {
        format!("host={FOLDER} user=postgres dbname=postgres")
    }

    /// Starts a server that was killed, and waits until it accepts connections.
    pub fn start_again(&self) -> Result<()> {
        let start = format!("OPTIONS='{}'\n{START}", self.options);
        self.shell(&start).context("pg_ctl start").map(drop)
    }

    /// Writes into the disk of the data until it is full.
    pub fn fill_disk(&self) -> Result<()> {
        self.shell("cat /dev/zero > /var/tmp/data/filler 2> /dev/null || true")
            .map(drop)
    }

    /// Takes back [`Self::fill_disk`].
    pub fn free_disk(&self) -> Result<()> {
        self.shell("rm /var/tmp/data/filler").map(drop)
    }

    /// Starts PgBouncer, which gives a connection for each transaction, in front of the
    /// server, with these further settings. Returns the folder of its socket, in all
    /// containers.
    pub fn start_pooler(&self, settings: &str) -> Result<&'static str> {
        const POOLER: &str = "/database/pooler";
        let settings = format!(
            "[databases]\npostgres = host={FOLDER} user=postgres\n\
             [pgbouncer]\nunix_socket_dir = {POOLER}\nlisten_port = {PORT}\n\
             pidfile = {POOLER}/pid\nlogfile = {POOLER}/log\nauth_type = any\n\
             pool_mode = transaction\n{settings}\n"
        );
        let start = format!(
            "install -d -o postgres {POOLER}; cat > {POOLER}/ini <<END\n{settings}END\n\
             setpriv --reuid=postgres --regid=postgres --clear-groups \
             pgbouncer --daemon {POOLER}/ini < /dev/null"
        );
        self.shell(&start).context("pgbouncer")?;
        Ok(POOLER)
    }

    /// Makes a standby the primary.
    pub fn promote(&self) -> Result<()> {
        self.sql("SELECT pg_promote()").map(drop)
    }

    /// Runs SQL, and returns what it selects: a row a line, values separated by `|`.
    pub fn sql(&self, sql: &str) -> Result<String> {
        let mut child = self.psql()?;
        let mut input = child.stdin.take().context("no pipe")?;
        input.write_all(sql.as_bytes())?;
        drop(input);
        let output = child.wait_with_output()?;
        if !output.status.success() {
            bail!("psql: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
    }

    /// Begins a transaction with this SQL, which keeps its locks until it is dropped.
    pub fn hold(&self, sql: &str) -> Result<OpenTransaction> {
        let mut child = self.psql()?;
        let mut input = child.stdin.take().context("no pipe")?;
        let output = child.stdout.take().context("no pipe")?;
        writeln!(input, "BEGIN; {sql}; SELECT 'held';")?;
        let open = OpenTransaction {
            child,
            input: Some(input),
        };
        let mut lines = BufReader::new(output).lines();
        let held = lines.any(|line| line.is_ok_and(|line| line == "held"));
        ensure!(held, "psql: {sql} has failed");
        Ok(open)
    }

    fn psql(&self) -> Result<Child> {
        let mut command = self.container.exec(&[
            "psql",
            "--no-psqlrc",
            "--quiet",
            "--tuples-only",
            "--no-align",
            "--set=ON_ERROR_STOP=1",
            "--host=/database",
            &format!("--port={}", self.port),
            "--username=postgres",
        ]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Ok(command.spawn()?)
    }

    /// Runs a program of the server's package in its container to its end, and returns what
    /// it printed.
    pub fn program(&self, name: &str, arguments: &[&str]) -> Result<String> {
        let program = format!("/run/postgresql-bin/{name}");
        let command = [&[program.as_str()], arguments].concat();
        Ok(String::from_utf8(self.container.output(&command)?)?)
    }

    /// Stops all processes of the server where they are, as a hung disk would.
    pub fn freeze(&self) -> Result<()> {
        self.signal("STOP", "^State:.[TZ]")
    }

    /// Lets them go on.
    pub fn thaw(&self) -> Result<()> {
        self.signal("CONT", "^State:.[^T]")
    }

    /// Kills all processes of the server.
    pub fn kill9(&self) -> Result<()> {
        // A process that has ended but is still listed keeps a new server from starting.
        self.signal("KILL", "not listed at all")
    }

    /// The server's log so far.
    pub fn log(&self) -> Result<String> {
        Ok(fs::read_to_string(self.dir.path().join("log"))?)
    }

    /// Sends a signal to all processes of the server, and waits until their status in
    /// `/proc` matches: signals are carried out later.
    fn signal(&self, signal: &str, wanted: &str) -> Result<()> {
        // The server starts no further ones while its first process is stopped.
        self.shell(&format!(
            "processes() {{ find /proc -maxdepth 1 -user postgres | sort --version-sort; }}
            for folder in $(processes); do
                kill -{signal} ${{folder#/proc/}} 2> /dev/null || true
            done
            for folder in $(processes); do
                until ! [ -d $folder ] || grep --quiet --no-messages '{wanted}' $folder/status; do
                    (( SECONDS < 30 )) || {{ cat $folder/status >&2; exit 1; }}
                    sleep 0.01
                done
            done"
        ))
        .with_context(|| format!("SIG{signal}"))
        .map(drop)
    }

    fn shell(&self, script: &str) -> Result<Vec<u8>> {
        self.container.output(&["bash", "-e", "-c", script])
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- log of PostgreSQL");
            eprintln!("{}", self.log().unwrap_or_default());
        }
    }
}

/// A transaction that holds locks. Dropping it rolls it back, and returns when it is over.
#[derive(Debug)]
pub struct OpenTransaction {
    child: Child,
    input: Option<ChildStdin>,
}

impl Drop for OpenTransaction {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

/// The volume of an Asterisk that reaches the server.
pub(crate) fn volume(server: &Postgres) -> (PathBuf, &'static str) {
    (server.folder().to_owned(), FOLDER)
}
