//! `pinset database`: the tables of PIN sets in PostgreSQL.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Subcommand;
use pinset::database::{fingerprints, SCHEMA_STEPS, SCHEMA_VERSION, STATEMENTS};
use pinset::escape::escape;
use pinset::Pepper;

use crate::common::error::{note, CommandError};
use crate::common::postgres::{Database, LOCK_CLASS};
use crate::common::secret_args::read_pepper;

/// Something is wrong with the database.
const FOUND: u8 = 1;

/// Manages the tables of PIN sets in PostgreSQL (source = database).
#[derive(Debug, clap::Args)]
pub(crate) struct DatabaseCommand {
    #[command(subcommand)]
    action: DatabaseAction,
}

#[derive(Debug, Subcommand)]
enum DatabaseAction {
    Init(Init),
    Upgrade(Upgrade),
    Check(Check),
}

#[derive(Debug, clap::Args)]
struct Target {
    /// File with the connection string, such as
    /// "host=db.example.com dbname=pbx user=asterisk", which only root and Asterisk may
    /// read
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/etc/asterisk/authenticate.database"
    )]
    database: PathBuf,
}

/// Creates the tables.
///
/// Its role must be allowed to create tables. Tables that exist stay as they are.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code: 0 done; 3 an error, and nothing was changed.")]
struct Init {
    #[command(flatten)]
    target: Target,
    /// Role of the PBXs, which may then read rows, count uses and keep lockouts
    #[arg(long, value_name = "ROLE")]
    grant: Option<String>,
}

/// Brings the tables to the version of this release, one transaction a step.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code: 0 done; 3 an error, and the step was not done.")]
struct Upgrade {
    #[command(flatten)]
    target: Target,
    /// Role of the PBXs, which may then use the new tables
    #[arg(long, value_name = "ROLE")]
    grant: Option<String>,
}

/// Checks whether a PBX can use the tables, and counts their rows.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code: 0 usable; 1 not usable; 3 an error.")]
struct Check {
    #[command(flatten)]
    target: Target,
    /// Pepper file that must have the keys of all rows
    #[arg(long, value_name = "FILE")]
    pepper: Option<PathBuf>,
}

pub(crate) fn run(command: &DatabaseCommand) -> Result<u8, CommandError> {
    match &command.action {
        DatabaseAction::Init(init) => run_init(init),
        DatabaseAction::Upgrade(upgrade) => run_upgrade(upgrade),
        DatabaseAction::Check(check) => run_check(check),
    }
}

fn run_init(Init { target, grant }: &Init) -> Result<u8, CommandError> {
    let mut database = Database::open(&target.database)?;
    database.script(&lock())?;
    let found = database.version()?;
    if found == 0 {
        apply(&mut database, 0)?;
    }
    run_grant(&mut database, grant.as_deref())?;
    database.script("COMMIT")?;
    match found {
        0 => print(&format!(
            "the tables were created, version {SCHEMA_VERSION}"
        )),
        found => print(&format!("there are tables already, version {found}")),
    }
}

fn run_upgrade(Upgrade { target, grant }: &Upgrade) -> Result<u8, CommandError> {
    let mut database = Database::open(&target.database)?;
    loop {
        database.script(&lock())?;
        let found = database.version()?;
        if let Some(error) =
            Database::version_error(found).filter(|_| found == 0 || found > SCHEMA_VERSION)
        {
            return Err(error);
        }
        let steps = usize::try_from(found).unwrap_or(usize::MAX);
        if steps >= SCHEMA_STEPS.len() {
            run_grant(&mut database, grant.as_deref())?;
            database.script("COMMIT")?;
            return print(&format!("the tables have version {found}"));
        }
        run_step(&mut database, steps)?;
        database.script("COMMIT")?;
    }
}

fn run_check(Check { target, pepper }: &Check) -> Result<u8, CommandError> {
    let pepper = pepper.as_deref().map(read_pepper).transpose()?;
    let mut database = Database::open(&target.database)?;
    let found = database.version()?;
    if let Some(error) = Database::version_error(found) {
        note(error);
        return Ok(FOUND);
    }
    let mut usable = prepare_all(&mut database)? & may_use(&mut database)?;
    let keys = "SELECT split_part(secret, ':', 2), pinset, count(*), min(id) FROM pinset_pins \
                WHERE secret LIKE 'hmac-sha256:%' GROUP BY 1, 2 ORDER BY 1, 2";
    let keys = database.query(keys)?;
    if let Some(pepper) = &pepper {
        usable &= has_same_keys(&mut database, pepper)?;
    }
    let known: Option<BTreeSet<String>> =
        pepper.map(|pepper| pepper.ids().map(|id| id.to_string()).collect());
    for row in 0..keys.len() {
        let key = keys.text(row, 0).unwrap_or_default();
        if known.as_ref().is_some_and(|known| !known.contains(key)) {
            let text = |column| escape(keys.get(row, column).unwrap_or_default());
            note(format!(
                "PIN set {}: {} rows have key {key}, which the pepper file lacks; the first is id {}",
                text(1),
                text(2),
                text(3)
            ));
            usable = false;
        }
    }
    let counts = "SELECT pinset, count(*), count(*) FILTER (WHERE cost IS NOT NULL) \
                  FROM pinset_pins GROUP BY 1 ORDER BY 1";
    let counts = database.query(counts)?;
    print(&format!("{}, tables of version {found}", database.server()))?;
    for row in 0..counts.len() {
        let text = |column| escape(counts.get(row, column).unwrap_or_default());
        print(&format!(
            "PIN set {}: {} rows, {} of them argon2id",
            text(0),
            text(1),
            text(2)
        ))?;
    }
    Ok(if usable { 0 } else { FOUND })
}

fn print(line: &str) -> Result<u8, CommandError> {
    writeln!(io::stdout(), "{line}").map_err(CommandError::Output)?;
    Ok(0)
}

/// Returns whether no key is another than the one that PBXs have used by its id.
fn has_same_keys(database: &mut Database, pepper: &Pepper) -> Result<bool, CommandError> {
    // Neither has a quote.
    let (ids, fingerprints) = fingerprints(pepper);
    let differ = database.query(&format!(
        "SELECT p.id FROM pinset_pepper AS p JOIN unnest('{ids}'::text[], \
         '{fingerprints}'::bytea[]) AS k (id, fingerprint) USING (id) \
         WHERE p.fingerprint <> k.fingerprint ORDER BY 1"
    ))?;
    for row in 0..differ.len() {
        let id = escape(differ.get(row, 0).unwrap_or_default());
        note(format!(
            "key {id} of the pepper file is another than the one that PBXs use"
        ));
    }
    Ok(differ.is_empty())
}

/// Returns the beginning of a transaction that waits until other commands have ended theirs.
fn lock() -> String {
    format!("BEGIN; SELECT pg_advisory_xact_lock({LOCK_CLASS})")
}

/// Runs all steps of the schema from this one on.
fn apply(database: &mut Database, from: usize) -> Result<(), CommandError> {
    (from..SCHEMA_STEPS.len()).try_for_each(|step| run_step(database, step))
}

fn run_step(database: &mut Database, step: usize) -> Result<(), CommandError> {
    let sql = SCHEMA_STEPS.get(step).copied().unwrap_or_default();
    database.script(sql)
}

/// Lets this role do what a PBX does.
fn run_grant(database: &mut Database, role: Option<&str>) -> Result<(), CommandError> {
    let Some(role) = role else { return Ok(()) };
    let role = role.replace('"', "\"\"");
    database.script(&format!(
        "GRANT SELECT ON pinset_schema, pinset_pins TO \"{role}\"; \
         GRANT UPDATE (uses, last_use) ON pinset_pins TO \"{role}\"; \
         GRANT SELECT, INSERT, UPDATE, DELETE ON pinset_lockouts, pinset_trusted TO \"{role}\"; \
         GRANT SELECT, INSERT ON pinset_pepper TO \"{role}\""
    ))
}

/// Returns whether the statements of the module fit the tables.
fn prepare_all(database: &mut Database) -> Result<bool, CommandError> {
    let mut fit = true;
    for statement in &STATEMENTS {
        if let Err(error) = database.prepare(statement)? {
            note(format!("{} ({error})", error.message()));
            fit = false;
        }
    }
    Ok(fit)
}

/// Returns whether the role may do what a PBX does.
fn may_use(database: &mut Database) -> Result<bool, CommandError> {
    let rights = database.query(
        "SELECT has_table_privilege('pinset_pins', 'SELECT') \
         AND has_table_privilege('pinset_schema', 'SELECT') \
         AND has_column_privilege('pinset_pins', 'uses', 'UPDATE') \
         AND has_column_privilege('pinset_pins', 'last_use', 'UPDATE') \
         AND (SELECT bool_and(has_table_privilege(of, may)) \
         FROM unnest(ARRAY['pinset_lockouts', 'pinset_trusted']) AS of, \
         unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS may) \
         AND has_table_privilege('pinset_pepper', 'SELECT') \
         AND has_table_privilege('pinset_pepper', 'INSERT'), current_user",
    )?;
    let may = rights.get(0, 0) == Some(b"t");
    if !may {
        let role = escape(rights.get(0, 1).unwrap_or_default());
        note(format!(
            "role {role} may not read rows, count uses and keep lockouts: as the owner of the \
             tables, run 'pinset database init --grant {role}'"
        ));
    }
    Ok(may)
}
