//! PgBouncer between the PBXs and the server, with a connection for each transaction.

use std::thread;

use anyhow::{anyhow, ensure, Result};
use harness::{Pbx, Postgres};

use super::{add, add_one_time, asterisk, is, serve, server};
use crate::pin_sets::{log_lines, on};
use crate::support::eventually;

const UNNAMED: &str = "the database's pooler keeps no prepared statements";

const AT_ONCE: usize = 6;
const ROUNDS: usize = 5;

/// Right, wrong and one-time PINs, each of the latter twice.
fn enter(pbx: &Pbx) -> Result<()> {
    let caller = |number: usize| -> Result<usize> {
        let ami = pbx.ami()?;
        let status = |pin: &str| -> Result<String> {
            let headers = [("PinSet", "customers"), ("Secret", pin), ("Caller", "1")];
            let answer = ami.action("AuthenticateVerify", &headers)?;
            Ok(answer.get("Status").unwrap_or_default().to_owned())
        };
        let mut admitted = 0;
        for round in 0..ROUNDS {
            for (pin, wanted) in [("1234", "SUCCESS"), ("0000", "FAILURE")] {
                let status = status(pin)?;
                ensure!(status == wanted, "{pin}: {status}");
            }
            // Two callers have each.
            let status = status(&one_time(number / 2, round))?;
            ensure!(["SUCCESS", "EXPIRED"].contains(&&*status), "{status}");
            admitted += usize::from(status == "SUCCESS");
        }
        Ok(admitted)
    };
    let admitted = thread::scope(|scope| {
        let callers: Vec<_> = (0..AT_ONCE)
            .map(|number| scope.spawn(move || caller(number)))
            .collect();
        let mut all = 0;
        for caller in callers {
            all += caller.join().map_err(|_| anyhow!("panicked"))??;
        }
        Ok::<_, anyhow::Error>(all)
    })?;
    ensure!(admitted == AT_ONCE / 2 * ROUNDS, "{admitted} admitted");
    Ok(())
}

fn one_time(pair: usize, round: usize) -> String {
    (5000 + pair * ROUNDS + round).to_string()
}

/// Ends the connections of a program to the server.
fn end_connections(server: &Postgres, program: &str) -> Result<()> {
    eventually("connections end", || {
        let ended = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
             WHERE application_name = '{program}'"
        );
        Ok(server.sql(&ended)? != "0")
    })
}

/// Enters PINs on two PBXs through the pooler, which changes its connection meanwhile.
/// Returns on which of them statements were sent unnamed.
fn enter_through(server: &Postgres, settings: &str) -> Result<[bool; 2]> {
    add(server, "customers", "ada", "1234", "")?;
    let pairs = 0..AT_ONCE / 2;
    let pins = pairs.flat_map(|pair| (0..ROUNDS).map(move |round| one_time(pair, round)));
    add_one_time(server, "customers", &pins.collect::<Vec<_>>())?;
    let is_unnamed = |pbx: &Pbx| Ok::<_, anyhow::Error>(!log_lines(pbx, &[UNNAMED])?.is_empty());
    let pooler = server.start_pooler(&format!("default_pool_size = 2\n{settings}"))?;
    let string = format!("host={pooler} user=postgres dbname=postgres");
    let builder = || asterisk(server).pin_file_of_mode("database", &*string, 0o600);
    let mut unnamed = [false; 2];
    on(builder(), |pbx| {
        is(pbx, "customers", "1234", "SUCCESS")?;
        let other = builder().start()?;
        is(&other, "customers", "1234", "SUCCESS")?;
        end_connections(server, "app_authenticate_rs")?;
        enter(pbx)?;
        unnamed = [is_unnamed(pbx)?, is_unnamed(&other)?];
        Ok(())
    });
    let uses = server.sql("SELECT DISTINCT uses FROM pinset_pins WHERE max_uses = 1")?;
    ensure!(uses == "1", "{uses}");
    Ok(unnamed)
}

#[test]
fn pooler_without_prepared_statements_serves_all_entries() -> Result<()> {
    let unnamed = enter_through(&server()?, "max_prepared_statements = 0")?;
    ensure!(unnamed == [true; 2], "{unnamed:?}");
    Ok(())
}

#[test]
fn pooler_with_prepared_statements_serves_all_entries() -> Result<()> {
    let unnamed = enter_through(&server()?, "max_prepared_statements = 100")?;
    ensure!(unnamed == [false; 2], "{unnamed:?}");
    Ok(())
}

/// A service sends statements without names once the pooler has lost them. It is one, and
/// alone: none of them is lost, or there already, before.
#[test]
fn pooler_without_prepared_statements_serves_a_service() -> Result<()> {
    let server = server()?;
    add(&server, "customers", "ada", "1234", "")?;
    let pooler = server.start_pooler("default_pool_size = 2\nmax_prepared_statements = 0")?;
    let string = format!("host={pooler} user=postgres dbname=postgres");
    let pbx = serve::with_one_service(&server).pin_file_of_mode("database", &*string, 0o600);
    on(pbx, |pbx| {
        end_connections(&server, "app_authenticate_rs")?;
        serve::start(pbx)?;
        for (pin, goes_to) in [("1234", "1091"), ("1234", "1091"), ("0000", "1092")] {
            end_connections(&server, "pinset serve")?;
            serve::goes(pbx, "customers", pin, goes_to)?;
        }
        Ok(())
    });
    Ok(())
}

/// Each transaction has a new connection to the server, which knows no statement: also while
/// a connection of ours is made ready.
#[test]
fn pooler_with_a_connection_for_each_transaction_serves_all() -> Result<()> {
    let server = server()?;
    add(&server, "customers", "ada", "1234", "")?;
    let pooler = server.start_pooler("server_lifetime = 0\nmax_prepared_statements = 0")?;
    let string = format!("host={pooler} user=postgres dbname=postgres");
    let pbx = serve::with_one_service(&server).pin_file_of_mode("database", &*string, 0o600);
    on(pbx, |pbx| {
        is(pbx, "customers", "1234", "SUCCESS")?;
        ensure!(log_lines(pbx, &["the database can't be reached"])?.is_empty());
        serve::start(pbx)?;
        serve::goes(pbx, "customers", "1234", "1091")
    });
    Ok(())
}
