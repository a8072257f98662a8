//! Checks of the sources of PIN sets while the configuration is read: a reload with a
//! source that can't be used is refused.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use pinset::config::{AstdbValue, Identify, Source};
use pinset::database::realtime::text;
use pinset::verify::FileQuery;

use crate::auth::astdb_rows;
use crate::config::{Draft, SourceCheck};
use crate::database;
use crate::pin_files::{self, LookupKind, QueryLimits, SourceState};
use crate::realtime;

/// Checks all sources, and logs what is wrong with them by file and line.
pub(crate) fn check(draft: &mut Draft) {
    let sources = std::mem::take(&mut draft.sources);
    check_files(draft, &sources);
    check_families(draft, &sources);
    check_databases(draft, &sources);
    check_realtime(draft, &sources);
}

/// Checks whether the PIN files are there. One that is missing may come: a call
/// looks again.
fn check_files(draft: &mut Draft, sources: &[SourceCheck]) {
    let (mut files, mut of) = (Vec::new(), Vec::new());
    for source in sources {
        if let Some(Source::File(path)) = &source.set.source {
            let wanted = Arc::new(query(draft, source));
            files.push((path.clone(), LookupKind::PinSet(wanted)));
            of.push(source);
        }
    }
    let limits = QueryLimits::of(&draft.in_force.settings);
    let answers = pin_files::check(&files, limits);
    for (checked, source) in answers.into_iter().zip(of) {
        report(draft, source, checked);
    }
}

/// Checks whether families with accounts and secrets are what their PIN sets need.
/// Waits for the database no longer than for one PIN file.
fn check_families(draft: &mut Draft, sources: &[SourceCheck]) {
    let until = Instant::now() + draft.in_force.settings.source_timeout;
    for source in sources {
        let by_value = source.set.astdb_value == AstdbValue::AccountSecret;
        let (Some(Source::Astdb(family)), true) = (&source.set.source, by_value) else {
            continue;
        };
        let wanted = query(draft, source);
        let left = until.saturating_duration_since(Instant::now());
        let limit = draft.in_force.settings.max_list_memory;
        report(
            draft,
            source,
            astdb_rows::check(family, &wanted, limit, left),
        );
    }
}

/// Checks whether PIN sets in PostgreSQL could be looked up. Whether it answers is not
/// checked: a call sees that, and a reload must be possible without it.
fn check_databases(draft: &mut Draft, sources: &[SourceCheck]) {
    for source in sources {
        let Some(Source::Database(_)) = &source.set.source else {
            continue;
        };
        let in_force = &draft.in_force;
        if in_force.settings.database_file.is_none() {
            let error = "database needs database_file in [general], the file with the connection \
                         string of PostgreSQL";
            draft.reject_source(source, error);
        } else if let Some(string) = in_force.database_string() {
            if let Err(error) = database::check(string) {
                let file = in_force.settings.database_file.as_deref();
                let file = file.unwrap_or(Path::new("")).display().to_string();
                draft.reject_source(source, format!("'{file}': {error}"));
            }
        }
        check_pepper(draft, source);
    }
}

/// Checks whether PIN sets in tables of Realtime could be looked up, without asking the
/// database.
fn check_realtime(draft: &mut Draft, sources: &[SourceCheck]) {
    for source in sources {
        let Some(Source::Realtime(family)) = &source.set.source else {
            continue;
        };
        if let Err(error) = realtime::check(family) {
            draft.reject_pin_set(source, error);
        }
        if text(source.section.as_bytes()).is_none() {
            let error = "the name of a PIN set in Realtime must be in UTF-8, without ';' and '^'";
            draft.reject_pin_set(source, error);
        }
        check_pepper(draft, source);
    }
}

/// Checks whether there is a key by which PINs are looked up.
fn check_pepper(draft: &mut Draft, source: &SourceCheck) {
    let by_pin = source.set.identify == Identify::Pin;
    if by_pin && draft.in_force.pepper.signing().is_none() {
        let error = "identify = pin finds rows in a database by a key of pepper_file, and \
                     there is none";
        draft.reject_source(source, error);
    }
}

fn query(draft: &Draft, source: &SourceCheck) -> FileQuery {
    FileQuery {
        set: Arc::clone(&source.set),
        rules: Arc::clone(&draft.in_force.rules),
    }
}

/// Logs what is wrong with the source of a PIN set.
fn report(draft: &mut Draft, source: &SourceCheck, checked: SourceState) {
    if let Some(error) = checked.objection {
        draft.reject_source(source, error);
    }
    for doubt in checked.doubts {
        draft.warn_of_source(source, &doubt);
    }
}
