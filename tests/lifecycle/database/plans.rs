//! The server plans look-ups once for each connection: planning takes longer than looking up.

use std::ffi::CString;
use std::time::{Duration, Instant};

use anyhow::{ensure, Result};
use libpq::{Connection, ConnectionString, Library, Parameter, Query};
use pinset::database::{BY_ACCOUNT, BY_CALLER, BY_PIN};

use super::server;

const DIGEST: &str = "{\"\\\\x6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b\"}";

const ROWS: &str = "
INSERT INTO pinset_pins (pinset, account, secret, caller)
SELECT 'open', 'a' || n, 'hmac-sha256:k1:' || encode(sha256(n::text::bytea), 'hex'), 1000 + n
  FROM generate_series(1, 20000) AS n;
ANALYZE pinset_pins";

/// By then the server has decided.
const LOOK_UPS: usize = 10;

#[test]
fn look_ups_are_planned_once() -> Result<()> {
    let server = server()?;
    server.sql(ROWS)?;
    let library = Library::load()?;
    let string = format!(
        "host={} user=postgres dbname=postgres",
        server.folder().display()
    );
    let string = ConnectionString::parse(&library, string.as_bytes())?;
    let mut connection = Connection::open(&library, &string, &[])?;
    let deadline = Instant::now() + Duration::from_secs(60);
    for (statement, key) in [(&BY_PIN, DIGEST), (&BY_CALLER, "1001"), (&BY_ACCOUNT, "a1")] {
        connection.prepare(statement, deadline, None)??;
        for _ in 0..LOOK_UPS {
            let text =
                |text: &str| Ok::<Parameter, anyhow::Error>(Some(CString::new(text)?.into()));
            let parameters = [text(key)?, text("open")?];
            let query = Query {
                statement,
                parameters: &parameters,
            };
            let reply = connection.run(&query, deadline, None)??;
            ensure!(reply.text(0, 1) == Some("a1"), "{key}");
        }
    }
    let plans = c"SELECT name, custom_plans FROM pg_prepared_statements \
                  WHERE name LIKE 'pinset%' AND generic_plans = 0";
    let replanned = connection.script(plans, deadline)??;
    ensure!(
        replanned.is_empty(),
        "{:?} is planned each time",
        replanned.text(0, 0)
    );
    Ok(())
}
