//! A primary is lost and a standby is promoted, under load.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use anyhow::{anyhow, ensure, Result};
use harness::Postgres;

use super::{add_one_time, impatient, server, verify};
use crate::pin_sets::on;
use crate::support::eventually;

const PINS: usize = 300;

fn pin(number: usize) -> String {
    (10_000 + number).to_string()
}

/// A standby whose commits the primary waits for.
fn standby_of(server: &Postgres) -> Result<Postgres> {
    let standby = server.start_standby()?;
    server.sql("ALTER SYSTEM SET synchronous_standby_names = '*'; SELECT pg_reload_conf()")?;
    eventually("it follows", || {
        let state = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        Ok(server.sql(state)? == "1")
    })?;
    Ok(standby)
}

/// Each of many one-time PINs is entered again and again on one PBX while the other server
/// takes over: it admits once, whatever is lost.
#[test]
fn promoted_standby_admits_no_pin_again() -> Result<()> {
    let server = server()?;
    let pins: Vec<String> = (0..PINS).map(pin).collect();
    add_one_time(&server, "customers", &pins)?;
    let standby = standby_of(&server)?;
    let hosts = "host=/database,/standby user=postgres dbname=postgres \
                 target_session_attrs=read-write";
    let builder = impatient(&server)
        .volume(standby.folder(), "/standby")
        .pin_file_of_mode("database", hosts, 0o600);
    on(builder, |pbx| {
        let admitted: Vec<AtomicUsize> = (0..PINS).map(|_| AtomicUsize::new(0)).collect();
        let (is_over, tries) = (AtomicBool::new(false), AtomicUsize::new(0));
        let enter = || -> Result<()> {
            let ami = pbx.ami()?;
            while !is_over.load(Ordering::SeqCst) {
                let number = tries.fetch_add(1, Ordering::SeqCst) % PINS;
                let pin = pin(number);
                let headers = [("PinSet", "customers"), ("Secret", &*pin), ("Caller", "1")];
                let answer = ami.action("AuthenticateVerify", &headers)?;
                if answer.has("Status", "SUCCESS") {
                    admitted[number].fetch_add(1, Ordering::SeqCst);
                }
            }
            Ok(())
        };
        let count = || {
            admitted
                .iter()
                .filter(|n| n.load(Ordering::SeqCst) > 0)
                .count()
        };
        thread::scope(|scope| {
            let callers: Vec<_> = (0..4).map(|_| scope.spawn(enter)).collect();
            let changed = (|| {
                eventually("some are admitted", || Ok(count() >= PINS / 10))?;
                server.kill9()?;
                standby.promote()?;
                let before = count();
                eventually("the standby admits", || Ok(count() > before))
            })();
            is_over.store(true, Ordering::SeqCst);
            for caller in callers {
                caller.join().map_err(|_| anyhow!("panicked"))??;
            }
            changed
        })?;
        for (number, admitted) in admitted.iter().enumerate() {
            let times = admitted.load(Ordering::SeqCst);
            ensure!(times <= 1, "{}: {times} times", pin(number));
            if times == 1 {
                let again = verify(pbx, "customers", &pin(number))?;
                ensure!(again.has("Status", "EXPIRED"), "{again:?}");
            }
        }
        let shown = pbx.cli("authenticate show database")?;
        ensure!(shown.contains("Server: /standby:5432"), "{shown}");
        Ok(())
    });
    Ok(())
}
