//! The table, and an Asterisk with all ways to it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use anyhow::Result;
use harness::{pinset, Module, Pbx, Postgres, Relay};

use super::{FIRST_PIN, PINS};

/// AMI's port on the host's loopback address.
pub(super) const AMI_PORT: u16 = 25_038;

/// `max_connections` of res_odbc.
pub(super) const ODBC_CONNECTIONS: u32 = 16;

const PEPPER: &str = "main:5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a\n";

/// `limited` charges each entry to its caller and to the PIN set.
fn conf(connections: u32) -> String {
    let lockouts = |caller, set| {
        format!("lockout_caller = {caller}\nlockout_account = no\nlockout_pinset = {set}\n")
    };
    format!(
        "[general]\npepper_file = /pins/pepper\ndatabase_file = /pins/database\n\
         database_connections = {connections}\nsource_timeout = 20\n\
         [open]\nsource = database\n{}[limited]\nsource = database:open\n{}",
        lockouts("no", "no"),
        lockouts("5/15m/30m", "1000/1h/1h"),
    )
}

const MODULES: &str = "load = res_config_pgsql.so\nload = func_realtime.so\n\
    load = res_odbc.so\nload = res_odbc_transaction.so\nload = res_config_odbc.so\n\
    load = func_odbc.so\n";

const EXTCONFIG: &str = "[settings]\n\
    pins-pgsql => pgsql,postgres,pinset_pins\n\
    pins-odbc => odbc,pins,pinset_pins\n";

const FUNC_ODBC: &str = "[PIN]\ndsn = pins\n\
    readsql = SELECT secret FROM pinset_pins WHERE account = '${SQL_ESC(${ARG1})}' AND pinset = 'open'\n";

/// As Debian has it: the harness's own has a line for each entry, by one thread.
const LOGGER: &str = "[general]\n[logfiles]\nfull => notice,warning,error\n";

/// Into the container only: the image of the tests has no ODBC.
const INSTALL: &str = "
apt-get update > /dev/null
DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends odbc-postgresql > /dev/null
cp /etc/asterisk/odbc.ini /etc/odbc.ini
";

/// A server with the table.
pub(super) struct Database {
    pub(super) server: Postgres,
}

impl Database {
    pub(super) fn start(rows: u64) -> Result<Self> {
        let server = Postgres::start_with("-c max_connections=200 -c shared_buffers=512MB")?;
        let pins: String = (FIRST_PIN..FIRST_PIN + PINS)
            .map(|pin| format!("{pin},{pin}\n"))
            .collect();
        let pbx = Pbx::builder()
            .module(Module::None)
            .pin_file("pins.csv", format!("account,pin\n{pins}"))
            .pin_file_of_mode("pepper", PEPPER, 0o600)
            .database(&server)
            .start()?;
        pbx.put_program(&pinset()?, "/harness/pinset")?;
        pbx.exec(&[
            "bash",
            "-ec",
            "/harness/pinset database init --database /pins/database
             /harness/pinset convert /pins/pins.csv --to open --database /pins/database \
                 --hmac-sha256 --pepper /pins/pepper",
        ])?;
        server.sql(&format!(
            "INSERT INTO pinset_pins (pinset, account, secret) \
             SELECT 'open', 'a' || n, 'hmac-sha256:main:' || encode(sha256(n::text::bytea), 'hex') \
             FROM generate_series(1, {rows}) AS n; VACUUM ANALYZE pinset_pins; CHECKPOINT"
        ))?;
        let size = "SELECT pg_size_pretty(pg_total_relation_size('pinset_pins'))";
        println!("the table, with indexes: {}\n", server.sql(size)?);
        Ok(Self { server })
    }

    /// An Asterisk that reaches the server in this folder.
    pub(super) fn pbx(&self, host: &str, connections: u32) -> Result<Pbx> {
        let pgsql = format!(
            "[general]\ndbhost = {host}\ndbport = 5432\ndbname = postgres\ndbuser = postgres\n\
             dbpass = none\nrequirements = warn\n"
        );
        let odbc = format!(
            "[pins]\nenabled => yes\ndsn => pins\nusername => postgres\npassword => none\n\
             max_connections => {ODBC_CONNECTIONS}\n"
        );
        let pbx = Pbx::builder()
            .modules(MODULES)
            .file("logger.conf", LOGGER)
            .file("authenticate.conf", conf(connections))
            .file("extconfig.conf", EXTCONFIG)
            .file("res_pgsql.conf", pgsql)
            .file("res_odbc.conf", odbc)
            .file("func_odbc.conf", FUNC_ODBC)
            .file("odbc.ini", odbc_ini(host))
            .pin_file_of_mode("pepper", PEPPER, 0o600)
            .database(&self.server)
            .pin_file_of_mode("database", connection_string(host), 0o600)
            .in_network_of_host(AMI_PORT)
            .start()?;
        // Asterisk wakes up all sessions for each event, which takes longer than a look-up.
        let quiet = "sed -i 's/^\\[general\\]/&\\ndisabledevents = AuthenticateSuccess/' \
                     /etc/asterisk/manager.conf";
        pbx.exec(&["bash", "-ec", quiet])?;
        pbx.cli("manager reload")?;
        Ok(pbx)
    }
}

/// What libpq and programs connect with.
fn connection_string(host: &str) -> String {
    format!("host={host} user=postgres dbname=postgres")
}

fn odbc_ini(host: &str) -> String {
    format!(
        "[pins]\nDriver = PostgreSQL Unicode\nServername = {host}\nPort = 5432\n\
         Database = postgres\nUsername = postgres\n"
    )
}

/// The folder of the socket by which the server is reached with this delay each way, in
/// all containers.
pub(super) fn network(database: &Database, delay: Duration) -> Result<String> {
    const SOCKET: &str = ".s.PGSQL.5432";
    if delay.is_zero() {
        return Ok("/database".to_owned());
    }
    let folder = database.server.folder();
    let slow = folder.join("slow");
    fs::create_dir(&slow)?;
    fs::set_permissions(&slow, Permissions::from_mode(0o755))?;
    Relay::start(&slow.join(SOCKET), &folder.join(SOCKET), delay)?;
    Ok("/database/slow".to_owned())
}

/// Installs ODBC's driver in an Asterisk's container. Returns false if that fails: there
/// may be no network.
pub(super) fn install_odbc(pbx: &Pbx) -> bool {
    let installed = pbx.exec(&["bash", "-ec", INSTALL]);
    if let Err(error) = &installed {
        println!("without ODBC: {error:#}");
    }
    installed.is_ok()
}
