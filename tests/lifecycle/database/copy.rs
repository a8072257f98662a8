//! `Connection::copy_in` of `crates/libpq`, from this machine.

use std::ffi::{CStr, CString};
use std::time::{Duration, Instant};

use anyhow::{anyhow, ensure, Result};
use harness::Postgres;
use libpq::{Connection, ConnectionError, ConnectionString, Library};

const COPY: &CStr = c"COPY numbers FROM STDIN";

const TIMEOUT: Duration = Duration::from_secs(60);

fn connect(server: &Postgres) -> Result<Connection> {
    let library = Library::load()?;
    let folder = server.folder().display();
    let string = format!("host={folder} user=postgres dbname=postgres");
    let string = ConnectionString::parse(&library, string.as_bytes())?;
    Ok(Connection::open(&library, &string, &[])?)
}

/// A server with an empty table, and a connection.
fn start() -> Result<(Postgres, Connection)> {
    let server = Postgres::start()?;
    server.sql("CREATE TABLE numbers (number integer)")?;
    let connection = connect(&server)?;
    Ok((server, connection))
}

/// Asks with the same connection, which can be used after a copy.
fn count(connection: &mut Connection) -> Result<String> {
    let sql = CString::new("SELECT count(*) FROM numbers")?;
    let reply = connection.script(&sql, Instant::now() + TIMEOUT)??;
    Ok(reply.text(0, 0).unwrap_or_default().to_owned())
}

/// Many rows, of which one may be none.
fn rows(count: usize, invalid: Option<usize>) -> Vec<u8> {
    let row = |row| match invalid == Some(row) {
        true => "x\n".to_owned(),
        false => format!("{row}\n"),
    };
    (0..count).map(row).collect::<String>().into_bytes()
}

#[test]
fn rows_are_copied_whatever_the_size_of_parts() -> Result<()> {
    const ROWS: usize = 500_000;
    let (_server, mut connection) = start()?;
    let all = rows(ROWS, None);
    let mut copied = 0;
    for size in [7, all.len(), 100_000] {
        let done = connection.copy_in(COPY, all.chunks(size), TIMEOUT)??;
        ensure!(
            done.affected() == ROWS as u64,
            "{size}: {}",
            done.affected()
        );
        copied += ROWS;
        ensure!(count(&mut connection)? == copied.to_string());
    }
    let none = connection.copy_in(COPY, std::iter::empty::<&[u8]>(), TIMEOUT)??;
    ensure!(none.affected() == 0);
    Ok(())
}

#[test]
fn refused_row_and_statement_copy_nothing() -> Result<()> {
    let (server, mut connection) = start()?;
    // The server reads what follows the row, which is more than buffers hold.
    let all = rows(3_000_000, Some(5));
    let refused = connection.copy_in(COPY, all.chunks(1 << 20), TIMEOUT)?;
    let error = refused.err().ok_or_else(|| anyhow!("copied"))?;
    ensure!(error.to_string() == "SQLSTATE 22P02", "{error}");
    ensure!(count(&mut connection)? == "0");
    let part = [b"1\n"];
    let refused = connection.copy_in(c"COPY nothing FROM STDIN", part, TIMEOUT)?;
    let error = refused.err().ok_or_else(|| anyhow!("copied"))?;
    ensure!(error.sqlstate() == "42P01", "{error}");
    server.sql("ALTER TABLE numbers ADD CONSTRAINT below_two CHECK (number < 2)")?;
    let refused = connection.copy_in(COPY, [b"1\n", b"2\n"], TIMEOUT)?;
    let error = refused.err().ok_or_else(|| anyhow!("copied"))?;
    let named = "SQLSTATE 23514 (constraint below_two)";
    ensure!(error.to_string() == named, "{error}");
    ensure!(count(&mut connection)? == "0");
    let other = connection.copy_in(c"SELECT 1", part, TIMEOUT);
    ensure!(other.is_err(), "a statement without data");
    Ok(())
}

#[test]
fn frozen_and_killed_server_end_a_copy() -> Result<()> {
    const SHORT: Duration = Duration::from_millis(500);
    let (server, mut connection) = start()?;
    // More than buffers hold.
    let all = rows(3_000_000, None);
    server.freeze()?;
    let frozen = connection.copy_in(COPY, [&all], SHORT);
    ensure!(matches!(frozen, Err(ConnectionError::Timeout)), "answered");
    server.thaw()?;
    // In the middle.
    let during = |timeout: Duration, what: &dyn Fn() -> Result<()>| -> Result<_> {
        let mut connection = connect(&server)?;
        let parts = all.chunks(1 << 20).enumerate().inspect(|(at, _)| {
            if *at == 3 {
                what().expect("done");
            }
        });
        Ok(connection.copy_in(COPY, parts.map(|(_, part)| part), timeout))
    };
    let frozen = during(SHORT, &|| server.freeze())?;
    ensure!(matches!(frozen, Err(ConnectionError::Timeout)), "answered");
    server.thaw()?;
    let killed = during(TIMEOUT, &|| server.kill9())?;
    ensure!(matches!(killed, Err(ConnectionError::Lost(_))), "answered");
    Ok(())
}
