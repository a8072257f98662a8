//! Lockouts of `pinset serve` in the database: those of all PBXs.

use anyhow::{ensure, Result};
use harness::{Builder, Pbx, Postgres};

use super::serve::{post_all, start};
use super::{add, asterisk_of, server, verify_with};
use crate::pin_sets::made::hex;
use crate::pin_sets::{on, with_lockouts};
use crate::support::eventually;

const CONF: &str = "
[general]
pepper_file = /pins/pepper
database_file = /pins/database
source_timeout = 30
lockout_caller = no

[customers]
source = database
lockout_pinset = 4/15m/30m

[people]
source = database
identify = account
lockout_account = 3/15m/30m
";

/// The names of the services are not those of their PIN sets.
const SERVE: &str = r#"
listen = "127.0.0.1:5000"
state = "/srv/state.db"

[lists]
pepper_file = "/pins/pepper"
database_file = "/pins/database"
source_timeout = 30

[service.hotline]
path = "/hotline"
database = "Customers"
identify = "pin"
lockout_caller = "no"
lockout_pinset = "4/15m/30m"
success = [{ connect = "1091" }]
failure = [{ connect = "1092" }]
error = [{ connect = "1093" }]
locked = [{ connect = "1094" }]

[service.desk]
path = "/desk"
database = "people"
identify = "account"
lockout_caller = "no"
lockout_account = "3/15m/30m"
success = [{ connect = "1091" }]
failure = [{ connect = "1092" }]
error = [{ connect = "1093" }]
locked = [{ connect = "1094" }]

[service.desk.account]

[service.doors]
path = "/doors"
list = "/pins/doors"
identify = "pin"
success = [{ connect = "1091" }]
failure = [{ connect = "1092" }]
"#;

fn builder(server: &Postgres) -> Builder {
    asterisk_of(server, with_lockouts(CONF)).pin_file_of_mode("serve.toml", SERVE, 0o600)
}

/// Checks where a call goes.
fn goes(pbx: &Pbx, path: &str, entered: &[&str], wanted: &str) -> Result<()> {
    let found = post_all(pbx, path, entered)?;
    let log = || pbx.exec(&["cat", "/srv/log"]).unwrap_or_default();
    ensure!(found == wanted, "{path} {entered:?}: {found}: {}", log());
    Ok(())
}

/// Checks the status of a PIN at the PBX, for an account if one is given.
fn is(pbx: &Pbx, pin_set: &str, pin: &str, account: &str, wanted: &str) -> Result<()> {
    let account = [("Account", account)];
    let account = &account[..usize::from(!account[0].1.is_empty())];
    let answer = verify_with(pbx, pin_set, pin, account)?;
    ensure!(
        answer.has("Status", wanted),
        "{pin_set} {pin}: not {wanted}, but {answer:?}"
    );
    Ok(())
}

#[test]
fn wrong_entries_at_service_and_pbx_lock_both_out() -> Result<()> {
    let server = server()?;
    add(&server, "customers", "ada", "1234", "")?;
    add(&server, "people", "bob", "1001", "")?;
    on(builder(&server), |pbx| {
        start(pbx)?;
        let (wrong, right) = (&["pin_code=0000"], &["pin_code=1234"]);
        for _ in 0..3 {
            goes(pbx, "hotline", wrong, "1092")?;
        }
        goes(pbx, "hotline", wrong, "1094")?;
        is(pbx, "customers", "1234", "", "LOCKED")?;
        goes(pbx, "hotline", right, "1094")?;
        // Before the PIN is asked for.
        goes(pbx, "hotline", &[], "1094")?;
        let shown = pbx.cli("authenticate show lockouts")?;
        ensure!(shown.contains("customers"), "{shown}");
        pbx.cli("authenticate unlock pinset customers")?;
        goes(pbx, "hotline", right, "1091")?;
        is(pbx, "customers", "1234", "", "SUCCESS")?;
        // What is right is refunded, also without a wait.
        eventually("nothing is counted", || {
            let counted = "SELECT count(*) FROM pinset_lockouts \
                           WHERE flying <> '{}' OR pinset_count(failures) > 0 OR locked_until > now()";
            Ok(server.sql(counted)? == "0")
        })?;

        let (wrong, right) = (
            &["account_number=bob", "pin_code=0000"],
            &["account_number=bob", "pin_code=1001"],
        );
        is(pbx, "people", "0000", "bob", "FAILURE")?;
        is(pbx, "people", "0000", "bob", "FAILURE")?;
        goes(pbx, "desk", right, "1091")?;
        is(pbx, "people", "0000", "bob", "FAILURE")?;
        goes(pbx, "desk", wrong, "1092")?;
        is(pbx, "people", "0000", "bob", "LOCKED")?;
        goes(
            pbx,
            "desk",
            &["account_number=eve", "pin_code=0000"],
            "1092",
        )?;
        // Trusted since its success: it has tries of its own.
        goes(pbx, "desk", right, "1091")?;
        Ok(())
    });
    Ok(())
}

/// Posts calls without a PIN while the database is frozen, then one to another service,
/// which is to be answered before any of them.
const AT_ONCE: &str = "
import json, threading, time, urllib.request
answered = []
def post(path):
    body = json.dumps({'caller': '1', 'data': {'pin_code': '7777'} if path == 'doors' else {}})
    url = 'http://127.0.0.1:5000/' + path
    urllib.request.urlopen(urllib.request.Request(url, body.encode())).read()
    answered.append(path)
def start(path):
    thread = threading.Thread(target=post, args=[path])
    thread.start()
    return thread
threads = [start('hotline') for _ in range(16)]
time.sleep(0.5)
threads.append(start('doors'))
for thread in threads: thread.join()
print(answered[0], len(answered))
";

/// Nothing is counted, and nobody waits but callers of its services.
#[test]
fn unreachable_lockouts_refuse_and_count_nothing() -> Result<()> {
    let server = server()?;
    add(&server, "customers", "ada", "1234", "")?;
    // A moment to wait for, and time for a busy machine.
    let impatient = SERVE.replace("source_timeout = 30", "source_timeout = 5");
    let builder = builder(&server).pin_file_of_mode("serve.toml", impatient, 0o600);
    on(builder, |pbx| {
        start(pbx)?;
        goes(pbx, "hotline", &["pin_code=1234"], "1091")?;
        server.freeze()?;
        let answered = pbx.exec(&["python3", "-c", AT_ONCE])?;
        ensure!(answered.trim() == "doors 17", "{answered}");
        server.thaw()?;
        server.kill9()?;
        for _ in 0..5 {
            goes(pbx, "hotline", &["pin_code=0000"], "1093")?;
            goes(pbx, "hotline", &[], "1093")?;
        }
        server.start_again()?;
        eventually("the database is used again", || {
            Ok(post_all(pbx, "hotline", &["pin_code=1234"])? == "1091")
        })?;
        let log = pbx.exec(&["cat", "/srv/log"])?;
        ensure!(
            log.contains("PIN set 'customers' admits nobody: the database"),
            "{log}"
        );
        Ok(())
    });
    Ok(())
}

/// Right PINs would be wrong ones, and lock callers out on all PBXs.
#[test]
fn service_with_another_pepper_refuses_calls() -> Result<()> {
    let server = server()?;
    add(&server, "customers", "ada", "1234", "")?;
    on(builder(&server), |pbx| {
        is(pbx, "customers", "1234", "", "SUCCESS")?;
        let other = format!("k1:{}\n", hex(&[7; 32]));
        pbx.write_file("/pins/other-pepper", other)?;
        pbx.exec(&["chmod", "600", "/pins/other-pepper"])?;
        let conf = SERVE.replace("/pins/pepper", "/pins/other-pepper");
        pbx.write_file("/pins/serve.toml", conf)?;
        start(pbx)?;
        goes(pbx, "hotline", &["pin_code=1234"], "1093")?;
        let log = pbx.exec(&["cat", "/srv/log"])?;
        ensure!(
            log.contains("key 'k1' of the pepper file is another than the one"),
            "{log}"
        );
        ensure!(server.sql("SELECT count(*) FROM pinset_lockouts WHERE flying <> '{}'")? == "0");
        Ok(())
    });
    Ok(())
}
