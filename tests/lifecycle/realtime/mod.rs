//! PIN sets in tables of Asterisk's Realtime.

mod configuration;
mod look_up;
mod secrecy;
mod stuck;
mod uses;

use anyhow::{Context, Result};
use harness::{examples, workspace, Builder, Pbx, Postgres};

use crate::database::KEY;
use crate::pin_sets::made::{hex, hmac};
use crate::pin_sets::{shell, with};

const CONF: &str = "
[general]
country_code = 90
pepper_file = /pins/pepper
source_timeout = 2

[customers]
source = realtime:pins

[by-caller]
source = realtime:pins
identify = caller

[by-account]
source = realtime:pins
identify = account

[doors]
source = file:/pins/doors
";

/// The example of this kind in `docs/realtime.md`.
fn documented(kind: &str) -> Result<String> {
    let page = std::fs::read_to_string(workspace().join("docs/realtime.md"))?;
    let mut examples = examples(&page)?.into_iter();
    let example = examples.find(|example| example.kind == kind);
    Ok(example.context("no example")?.text)
}

fn table() -> Result<String> {
    documented("sql")
}

const PGSQL: &str = "
[general]
dbhost = /database
dbport = 5432
dbname = postgres
dbuser = postgres
dbpass = unused
";

const SQLITE3: &str = "
[local]
dbfile = /pins/pins.sqlite3
batch = 0
";

/// An Asterisk whose `pins` are in this server.
fn on_pgsql(server: &Postgres) -> Builder {
    on_pgsql_with(server, CONF)
}

fn on_pgsql_with(server: &Postgres, conf: &str) -> Builder {
    builder(conf, "pins => pgsql,general,pins")
        .database(server)
        .file("res_pgsql.conf", PGSQL)
        .modules("load = res_config_pgsql.so")
}

const ODBC_INI: &str = "
[postgresql]
Driver = PostgreSQL Unicode
Servername = /database
Port = 5432
Database = postgres
Username = postgres
";

const RES_ODBC: &str = "
[local]
enabled = yes
dsn = postgresql
username = postgres
password = unused
max_connections = 4
";

/// The same by ODBC.
fn on_odbc(server: &Postgres, conf: &str) -> Builder {
    builder(conf, "pins => odbc,local,pins")
        .database(server)
        .environment("ODBCINI", "/etc/asterisk/odbc.ini")
        .file("odbc.ini", ODBC_INI)
        .file("res_odbc.conf", RES_ODBC)
        .modules("load = res_odbc.so\nload = res_odbc_transaction.so\nload = res_config_odbc.so")
}

/// An Asterisk whose `pins` are in a file of its own.
fn on_sqlite3() -> Builder {
    builder(CONF, "pins => sqlite3,local,pins")
        .file("res_config_sqlite3.conf", SQLITE3)
        .modules("load = res_config_sqlite3.so")
}

/// The same as the page configures it.
fn on_documented_sqlite3() -> Result<Builder> {
    let conf = documented("ini authenticate.conf")?.replace("/etc/asterisk/", "/pins/");
    let mapping = documented("text")?.replace("odbc,asterisk,", "sqlite3,local,");
    Ok(builder(&conf, &mapping)
        .file("res_config_sqlite3.conf", SQLITE3)
        .modules("load = res_config_sqlite3.so"))
}

fn builder(conf: &str, mapping: &str) -> Builder {
    with(conf)
        .file("extconfig.conf", format!("[settings]\n{mapping}\n"))
        .pin_file_of_mode("pepper", format!("k1:{}\n", hex(&KEY)), 0o600)
        .pin_file("doors", "7777\n")
}

/// A server with the table.
fn server() -> Result<Postgres> {
    let server = Postgres::start()?;
    server.sql(&table()?)?;
    Ok(server)
}

/// Runs SQL in the file of SQLite, and returns the first value that it selects.
fn sqlite3(pbx: &Pbx, sql: &str) -> Result<String> {
    const RUN: &str = "import sqlite3, sys
file = sqlite3.connect('/pins/pins.sqlite3', timeout=30)
for sql in sys.argv[1].split(';\\n'):
    for row in file.execute(sql):
        print(row[0])
file.commit()";
    let printed = pbx.exec(&["python3", "-c", RUN, sql])?;
    Ok(printed.trim_end().to_owned())
}

/// Returns SQL that adds a row with this PIN; `more` is further columns with their values.
fn row(id: u32, pin_set: &str, account: &str, pin: &str, more: &str) -> Result<String> {
    let secret = hmac("k1", &KEY, pin)?;
    Ok(with_secret(id, pin_set, account, &secret, more))
}

/// The same with this secret.
fn with_secret(id: u32, pin_set: &str, account: &str, secret: &str, more: &str) -> String {
    let (columns, values) = more.split_once('=').unwrap_or(("name", "NULL"));
    format!(
        "INSERT INTO pins (id, pinset, account, secret, {columns}) \
         VALUES ({id}, '{pin_set}', '{account}', '{secret}', {values});\n"
    )
}

/// Removes the row that must be there.
const WITHOUT_MARKER: &str = "UPDATE pins SET account = 'x' WHERE id = 0";

/// Makes the file of SQLite and its table.
fn make_sqlite3(pbx: &Pbx) -> Result<()> {
    sqlite3(pbx, &table()?)?;
    shell(pbx, "chmod 777 /pins; chmod 666 /pins/pins.sqlite3").map(drop)
}
