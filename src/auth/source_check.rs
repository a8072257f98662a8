//! Checks of the sources of PIN sets while the configuration is read: a reload with a
//! source that can't be used is refused.

use std::sync::Arc;
use std::time::Instant;

use pinset::config::{AstdbValue, Source};
use pinset::verify::FileQuery;

use crate::auth::astdb_rows;
use crate::config::{Draft, SourceCheck};
use crate::pin_files::{self, LookupKind, QueryLimits, SourceState};

/// Checks all sources, and logs what is wrong with them by file and line.
pub(crate) fn check(draft: &mut Draft) {
    let sources = std::mem::take(&mut draft.sources);
    check_files(draft, &sources);
    check_families(draft, &sources);
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
