//! The engine of a family, as Asterisk's files configure it: exactly one, which counts uses
//! exactly.

use std::ffi::CStr;

use crate::asterisk::config::{self, Config, LoadResult};
use crate::asterisk::realtime::RealtimeFamily;

const EXTCONFIG: &CStr = c"extconfig.conf";
const SQLITE3: &CStr = c"res_config_sqlite3.conf";

/// Engines that return all rows and the number of changed rows, by their names in
/// extconfig.conf.
const ENGINES: [&str; 4] = ["pgsql", "odbc", "mysql", "sqlite3"];

/// A line `family => engine,database,table,priority`.
struct Mapping {
    place: String,
    engine: String,
    database: String,
    priority: String,
}

impl Mapping {
    /// Reads a line as Asterisk does.
    fn of(place: String, value: &str) -> Self {
        let (engine, rest) = value.split_once(',').unwrap_or((value, ""));
        let (database, rest) = match rest.find('"').and_then(|at| rest.get(at + 1..)) {
            Some(quoted) => {
                let (database, rest) = quoted.split_once('"').unwrap_or((quoted, ""));
                (database, rest.split_once(',').map_or("", |(_, rest)| rest))
            }
            None => rest.split_once(',').unwrap_or((rest, "")),
        };
        let priority = rest.split(',').nth(1).unwrap_or_default();
        Self {
            place,
            engine: engine.to_owned(),
            database: database.to_owned(),
            priority: priority.trim().to_owned(),
        }
    }
}

/// Checks whether a family has one engine, with which PIN sets work. The database is not
/// asked.
///
/// # Errors
///
/// What is wrong, with file and line, and the remedy.
pub(crate) fn check(family: &str) -> Result<(), String> {
    let missing = || {
        format!("realtime:{family}: extconfig.conf has no line '{family} => ENGINE,DATABASE,TABLE' in [settings]")
    };
    let config = load(EXTCONFIG)?.ok_or_else(missing)?;
    let mut mappings = mappings(&config, family).into_iter();
    let mapping = mappings.next().ok_or_else(missing)?;
    let place = format!("{}: {family}", mapping.place);
    if let Some(other) = mappings.next() {
        return Err(format!(
            "{place}: {} has another engine of this family, which would make uses uncertain: \
             leave one line",
            other.place
        ));
    }
    let engine = mapping.engine.to_ascii_lowercase();
    if !ENGINES.contains(&engine.as_str()) {
        return Err(format!(
            "{place}: the engine must be one of {}",
            ENGINES.join(", ")
        ));
    }
    if !matches!(mapping.priority.as_str(), "" | "0" | "1") {
        return Err(format!("{place}: the priority must be 1"));
    }
    if engine == "sqlite3" {
        check_sqlite3(&mapping.database).map_err(|error| format!("{place}: {error}"))?;
    }
    if !RealtimeFamily::new(family).has_engine() {
        return Err(format!(
            "{place}: its engine is not loaded: load res_config_{engine}.so before this module, \
             and read extconfig.conf again: module reload extconfig"
        ));
    }
    Ok(())
}

/// Reads a file, if there is one.
fn load(file: &'static CStr) -> Result<Option<Config>, String> {
    match config::load_text(file) {
        LoadResult::Read(config) => Ok(Some(config)),
        LoadResult::Missing => Ok(None),
        LoadResult::Unreadable | LoadResult::Invalid => {
            Err(format!("{} can't be read", file.to_string_lossy()))
        }
    }
}

fn mappings(config: &Config, family: &str) -> Vec<Mapping> {
    let settings = config
        .sections()
        .filter(|section| section.name.eq_ignore_ascii_case("settings"));
    let lines = settings.flat_map(|section| section.lines());
    let of_family = lines.filter(|line| {
        let name = line.option.to_string_lossy();
        name.eq_ignore_ascii_case(family)
    });
    of_family
        .map(|line| Mapping::of(line.place.to_string(), &line.value.to_string_lossy()))
        .collect()
}

/// Checks that SQLite commits each use at once.
fn check_sqlite3(database: &str) -> Result<(), String> {
    let missing = || format!("res_config_sqlite3.conf has no section [{database}]");
    let config = load(SQLITE3)?.ok_or_else(missing)?;
    let mut sections = config.sections();
    let section = sections.find(|section| section.name.eq_ignore_ascii_case(database));
    let section = section.ok_or_else(missing)?;
    let lines = section.lines();
    let batch = lines
        .filter(|line| line.option.to_string_lossy().eq_ignore_ascii_case("batch"))
        .last();
    let place = batch.as_ref().map_or_else(
        || section.place().to_string(),
        |line| line.place.to_string(),
    );
    match batch {
        Some(line) if line.value == c"0" => Ok(()),
        _ => Err(format!(
            "{place}: [{database}] batch: must be 0, or a crash would give uses back"
        )),
    }
}
