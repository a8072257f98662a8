//! Connections to the PostgreSQL of PIN sets, for commands.

use std::ffi::CString;
use std::path::Path;
use std::time::{Duration, Instant};

use libpq::{
    Connection, ConnectionString, Library, Parameter, Query, QueryError, Reply, Statement,
};
use pinset::database::{is_served, SCHEMA_VERSION};
use zeroize::Zeroizing;

use crate::common::error::{At, CommandError};
use crate::common::secret_args::read_protected;

/// How long a statement may take: it may build an index of many rows.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(3600);

/// The first half of the keys of the advisory locks by which commands take turns.
pub(crate) const LOCK_CLASS: u32 = 1_886_217_844;

/// SQLSTATE of a role without the needed rights.
const INSUFFICIENT_PRIVILEGE: &str = "42501";

/// A connection to the database that a file names.
pub(crate) struct Database(Connection);

impl Database {
    /// Connects with the connection string in a file that nobody else may read.
    pub(crate) fn open(path: &Path) -> Result<Self, CommandError> {
        let text = read_protected(path)?;
        let library = Library::load().map_err(CommandError::new)?;
        let string = ConnectionString::parse(&library, &text).at(path)?;
        let defaults = [
            (c"connect_timeout", c"10"),
            (c"fallback_application_name", c"pinset"),
            (c"client_encoding", c"UTF8"),
        ];
        let mut connection = Connection::open(&library, &string, &defaults).at(path)?;
        connection.send_unnamed();
        Ok(Self(connection))
    }

    /// Returns the server and its version, for people.
    pub(crate) fn server(&self) -> String {
        let version = self.0.status(c"server_version");
        format!("PostgreSQL {version} at {}", self.0.server())
    }

    /// Runs statements without secrets, so that the server's own words may be printed.
    pub(crate) fn query(&mut self, sql: &str) -> Result<Reply, CommandError> {
        let sql = CString::new(sql).map_err(CommandError::new)?;
        let deadline = Instant::now() + STATEMENT_TIMEOUT;
        let done = self.0.script(&sql, deadline).map_err(CommandError::new)?;
        done.map_err(|error| CommandError::new(format!("{} ({error})", error.message())))
    }

    /// Runs statements without secrets whose reply does not matter.
    pub(crate) fn script(&mut self, sql: &str) -> Result<(), CommandError> {
        self.query(sql).map(drop)
    }

    /// Runs a statement with parameters. The error names neither of them.
    pub(crate) fn run<'a>(
        &mut self,
        statement: &Statement,
        parameters: impl IntoIterator<Item = Option<&'a str>>,
    ) -> Result<Reply, CommandError> {
        let parameters = parameters.into_iter().map(parameter);
        let parameters: Vec<Parameter> = parameters.collect::<Result<_, _>>()?;
        let query = Query {
            statement,
            parameters: &parameters,
        };
        let deadline = Instant::now() + STATEMENT_TIMEOUT;
        let answer = self.0.run(&query, deadline, None);
        let reply = answer.map_err(CommandError::new)?;
        reply.map_err(|error| refused(&error))
    }

    /// Copies rows into a table, see [`Connection::copy_in`]. The error names no value.
    pub(crate) fn copy_in(
        &mut self,
        sql: &'static std::ffi::CStr,
        rows: impl Iterator<Item = Zeroizing<Vec<u8>>>,
    ) -> Result<u64, CommandError> {
        let copied = self.0.copy_in(sql, rows, STATEMENT_TIMEOUT);
        let reply = copied.map_err(CommandError::new)?;
        let reply = reply.map_err(|error| refused(&error))?;
        Ok(reply.affected())
    }

    /// Prepares a statement of the module. Returns the reason why it does not fit the
    /// tables.
    pub(crate) fn prepare(
        &mut self,
        statement: &Statement,
    ) -> Result<Result<(), QueryError>, CommandError> {
        let deadline = Instant::now() + STATEMENT_TIMEOUT;
        let prepared = self.0.prepare(statement, deadline, None);
        prepared.map_err(CommandError::new)
    }

    /// Returns the version of the tables, 0 if there are none.
    pub(crate) fn version(&mut self) -> Result<u32, CommandError> {
        let there = self.query("SELECT to_regclass('pinset_schema') IS NOT NULL")?;
        if there.get(0, 0) != Some(b"t") {
            return Ok(0);
        }
        let version = self.query("SELECT max(version) FROM pinset_schema")?;
        let version = version.text(0, 0).and_then(|text| text.parse().ok());
        version.ok_or_else(|| CommandError::new("the table pinset_schema has no version"))
    }

    /// Returns what is wrong with this version of the tables, with its remedy.
    pub(crate) fn version_error(found: u32) -> Option<CommandError> {
        match found {
            0 => Some(CommandError::new(
                "there are no tables: 'pinset database init' creates them",
            )),
            served if is_served(served) => None,
            older if older < SCHEMA_VERSION => Some(CommandError::new(format!(
                "the tables have version {older}: run 'pinset database upgrade'"
            ))),
            newer => Some(CommandError::new(format!(
                "the tables have version {newer}, which is newer than this release knows \
                 ({SCHEMA_VERSION}): install the newer pinset and module"
            ))),
        }
    }
}

/// Returns a parameter of a statement.
fn parameter(text: Option<&str>) -> Result<Parameter, CommandError> {
    let wipeable = |text: &str| CString::new(text).map(Zeroizing::new);
    let text = text.map(wipeable).transpose();
    text.map_err(|_| CommandError::new("a value has a NUL byte"))
}

/// Returns why the server has refused a statement, without its words: they may quote
/// values.
fn refused(error: &QueryError) -> CommandError {
    let remedy = match error.sqlstate() {
        INSUFFICIENT_PRIVILEGE => {
            ": its role may not change rows: use the connection string of the owner of the tables"
        }
        _ => "",
    };
    CommandError::new(format!("the database has refused this: {error}{remedy}"))
}
