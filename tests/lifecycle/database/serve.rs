//! `pinset serve` with a PIN set in the database, beside a module with the same one.

use anyhow::{ensure, Context, Result};
use harness::{Builder, Pbx, Postgres};

use super::{add, asterisk, is, server, IMPATIENT};
use crate::pin_sets::on;
use crate::support::eventually;
use crate::unprivileged::install_pinset;

const CALLER: &str = "+905060508169";

const SERVE: &str = r#"
listen = "127.0.0.1:5000"
state = "/srv/state.db"

[numbers]
country_code = 90

[lists]
pepper_file = "/pins/pepper"
database_file = "/pins/database"
source_timeout = 30

[service.customers]
path = "/customers"
database = "Customers"
identify = "pin"
lockout_caller = "no"
success = [{ connect = "1091" }]
failure = [{ connect = "1092" }]
error = [{ connect = "1093" }]

[service.callers]
path = "/callers"
database = "people"
success = [{ connect = "1091" }]
failure = [{ connect = "1092" }]
error = [{ connect = "1093" }]

[service.doors]
path = "/doors"
list = "/pins/doors"
identify = "pin"
success = [{ connect = "1091" }]
failure = [{ connect = "1092" }]
"#;

const START: &str = "
setsid pinset serve --config /pins/serve.toml < /dev/null > /srv/log 2>&1 &
until : 2> /dev/null < /dev/tcp/127.0.0.1/5000; do kill -0 $!; done
";

/// Posts a call with what was entered, and prints where it goes.
const POST: &str = "
import json, sys, urllib.request
path, caller, *entered = sys.argv[1:]
body = {'caller': caller, 'data': dict(pair.split('=') for pair in entered)}
url = 'http://127.0.0.1:5000/' + path
answer = urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode()))
last = json.load(answer)['seq'][-1]
print(last['args'].get('destination', last['action']))
";

const HEALTH: &str = "
import urllib.error, urllib.request
try:
    print(urllib.request.urlopen('http://127.0.0.1:5000/health').status)
except urllib.error.HTTPError as error:
    print(error.code)
";

fn builder(server: &Postgres) -> Builder {
    asterisk(server).pin_file_of_mode("serve.toml", SERVE, 0o600)
}

/// With the first service alone.
pub(super) fn with_one_service(server: &Postgres) -> Builder {
    let (one, _) = SERVE.split_once("[service.callers]").unwrap_or_default();
    asterisk(server).pin_file_of_mode("serve.toml", one, 0o600)
}

/// Its service waits for the database no longer than [`IMPATIENT`].
fn impatient(server: &Postgres) -> Builder {
    let wanted = format!("source_timeout = {}", IMPATIENT.as_secs());
    let serve = SERVE.replace("source_timeout = 30", &wanted);
    asterisk(server).pin_file_of_mode("serve.toml", serve, 0o600)
}

pub(super) fn start(pbx: &Pbx) -> Result<()> {
    install_pinset(pbx)?;
    pbx.exec(&["bash", "-ec", START]).map(drop)
}

fn post(pbx: &Pbx, path: &str, pin: &str) -> Result<String> {
    post_all(pbx, path, &[&format!("pin_code={pin}")])
}

/// Posts a call with all that was entered.
pub(super) fn post_all(pbx: &Pbx, path: &str, entered: &[&str]) -> Result<String> {
    let mut command = vec!["python3", "-c", POST, path, CALLER];
    command.extend(entered);
    Ok(pbx.exec(&command)?.trim().to_owned())
}

pub(super) fn goes(pbx: &Pbx, path: &str, pin: &str, wanted: &str) -> Result<()> {
    let found = post(pbx, path, pin)?;
    let log = || pbx.exec(&["cat", "/srv/log"]).unwrap_or_default();
    ensure!(found == wanted, "{path} {pin}: {found}: {}", log());
    Ok(())
}

#[test]
fn service_and_module_share_rows_and_uses() -> Result<()> {
    let server = server()?;
    on(builder(&server), |pbx| {
        start(pbx)?;
        goes(pbx, "customers", "1234", "1092")?;
        add(&server, "customers", "ada", "1234", "max_uses=2")?;
        goes(pbx, "customers", "1234", "1091")?;
        is(pbx, "customers", "1234", "SUCCESS")?;
        goes(pbx, "customers", "1234", "1092")?;
        is(pbx, "customers", "1234", "EXPIRED")?;
        ensure!(server.sql("SELECT uses FROM pinset_pins")? == "2");

        add(
            &server,
            "people",
            "bob",
            "1001",
            &format!("caller='{CALLER}'"),
        )?;
        goes(pbx, "callers", "1001", "1091")?;
        goes(pbx, "callers", "1002", "1092")?;
        // Only the module can send a call to a context.
        server.sql("UPDATE pinset_pins SET context = 'vip' WHERE account = 'bob'")?;
        goes(pbx, "callers", "1001", "1093")?;
        let log = pbx.exec(&["cat", "/srv/log"])?;
        ensure!(log.contains("pinset_pins, id 2: context"), "{log}");
        Ok(())
    });
    Ok(())
}

/// A call is answered with `error` meanwhile, and the other services go on.
#[test]
fn unreachable_database_refuses_calls_of_its_services_only() -> Result<()> {
    let server = server()?;
    add(&server, "customers", "ada", "1234", "")?;
    on(impatient(&server), |pbx| {
        start(pbx)?;
        let health = || Ok(pbx.exec(&["python3", "-c", HEALTH])?.trim().to_owned());
        let is_back = || {
            eventually("the database is used", || {
                Ok(post(pbx, "customers", "1234")? == "1091")
            })
        };
        is_back()?;
        let healthy: Result<String> = health();
        ensure!(healthy? == "200");
        server.freeze()?;
        goes(pbx, "customers", "1234", "1093")?;
        goes(pbx, "doors", "7777", "1091")?;
        server.thaw()?;
        is_back()?;
        server.kill9()?;
        goes(pbx, "customers", "1234", "1093")?;
        goes(pbx, "customers", "1234", "1093")?;
        let sick: Result<String> = health();
        ensure!(sick? != "200");
        goes(pbx, "doors", "7777", "1091")?;
        server.start_again()?;
        is_back()?;
        // Of another version.
        server.sql(
            "UPDATE pinset_schema SET version = 99; \
             SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE application_name = 'pinset serve'",
        )?;
        eventually("it is refused", || {
            Ok(post(pbx, "customers", "1234")? == "1093")
        })?;
        let log = pbx.exec(&["cat", "/srv/log"])?;
        ensure!(log.contains("'pinset database upgrade'"), "{log}");
        Ok(())
    });
    Ok(())
}

#[test]
fn configuration_of_a_database_is_checked() -> Result<()> {
    let server = server()?;
    on(builder(&server), |pbx| {
        install_pinset(pbx)?;
        pbx.write_file("/pins/open", "host=/database")?;
        pbx.write_file("/pins/broken", "host=/database passw0rd")?;
        pbx.exec(&["chmod", "600", "/pins/broken"])?;
        for (from, to, parts) in [
            (
                "database_file = \"/pins/database\"\n",
                "",
                "other.toml:23: [service.callers] database: requires database_file",
            ),
            (
                "/pins/database",
                "/pins/open",
                "other.toml:10: [lists] database_file: /pins/open: ",
            ),
            (
                "/pins/database",
                "/pins/broken",
                "[lists] database_file: /pins/broken: no connection string",
            ),
            (
                "/pins/database",
                "/pins/none",
                "[lists] database_file: /pins/none: ",
            ),
            ("database = \"people\"", "", "list or database is missing"),
            (
                "database = \"people\"",
                "database = \"\"",
                "[service.callers] database: ",
            ),
            (
                "database = \"people\"",
                "list = \"/pins/doors\"\ndatabase = \"people\"",
                "either list or database, not both",
            ),
            (
                "pepper_file = \"/pins/pepper\"\n",
                "",
                "identify = pin finds rows in a database by a key of pepper_file",
            ),
        ] {
            ensure!(SERVE.contains(from), "{from}");
            pbx.write_file("/pins/other.toml", SERVE.replacen(from, to, 1))?;
            let script = "pinset serve --check --config /pins/other.toml 2>&1";
            let output = pbx.exec_command(&["bash", "-c", script]).output()?;
            let text = String::from_utf8(output.stdout).context("text")?;
            ensure!(output.status.code() == Some(3), "{to}: {text}");
            ensure!(
                text.contains(parts) && !text.contains("passw0rd"),
                "{to}: {text}"
            );
        }
        Ok(())
    });
    Ok(())
}
