//! Sources of PIN sets in Asterisk: PIN files, its database, PostgreSQL, and Realtime.

use std::rc::Rc;
use std::sync::Arc;

use pinset::config::{AstdbValue, Source, Times};
use pinset::credential::table::Rows;
use pinset::database::EntryBudget;
use pinset::verify::{
    Answer, BackEnd, CallOrigin, Entries, FileQuery, NoChannel, RowQuery, ServiceChannel, Use,
    UseError, Verification, Verifier, Work,
};
use pinset::{hex, Grant, Pepper, Pin, PinSet, Verdict};
use thiserror::Error;

use crate::asterisk::dialplan;
use crate::auth::{astdb_rows, slow_hash};
use crate::config::{InForce, PinSetError};
use crate::database::{self, CallDatabase};
use crate::pin_files::{self, LookupKind, QueryLimits};
use crate::realtime::{self, FamilyError};
use crate::state::audit::AuditContext;
use crate::state::lockouts::CallLockouts;
use crate::state::use_ledger;

/// The verifier of a call's PIN set.
pub(crate) type PinSetSource = Verifier<AsteriskBackEnd, CallLockouts>;

/// Why a PIN set can't verify PINs.
#[derive(Debug, Error)]
pub(crate) enum SourceError {
    /// There is no such PIN set, or it has errors.
    #[error(transparent)]
    PinSet(#[from] PinSetError),
    /// Its source is a web service, which decides about calls, not about PINs.
    #[error("PIN set '{name}' asks a web service, and that takes a call")]
    WebService {
        /// The name of the PIN set.
        name: String,
    },
}

/// Returns the verifier of the PIN set of this name for a caller, who is noted in
/// `audit`.
///
/// # Errors
///
/// Fails if the PIN set can't verify PINs.
pub(crate) fn source(
    name: &str,
    in_force: Arc<InForce>,
    origin: CallOrigin<'_>,
    audit: AuditContext,
) -> Result<PinSetSource, SourceError> {
    let name = name.to_ascii_lowercase();
    let set = in_force.pin_set(&name)?;
    if let Some(Source::Url(_)) = set.source {
        return Err(SourceError::WebService { name });
    }
    let budget = Rc::new(EntryBudget::new(in_force.settings.source_timeout));
    let lockouts = match database::is_here(&set) {
        true => CallLockouts::stored(audit.clone(), CallDatabase(Rc::clone(&budget))),
        false => CallLockouts::own(audit.clone()),
    };
    let back_end = AsteriskBackEnd {
        in_force: Arc::clone(&in_force),
        budget,
    };
    let numbering = &in_force.settings.numbering;
    let verifier = Verifier::new(&name, set, origin, numbering, back_end, lockouts);
    audit.set_number(verifier.counter().caller().number());
    Ok(verifier)
}

/// Why a PIN set has no rows to show.
#[derive(Debug, Error)]
pub(crate) enum RowsError {
    /// Its source was not read.
    #[error("its list was not read")]
    Unread,
    /// It can't use its source.
    #[error("{0}")]
    Unusable(String),
}

/// Returns what `find` finds in the rows of the PIN set of this name, which are read as
/// for a call with this query, or nothing if its source has no rows.
///
/// # Errors
///
/// Fails if the PIN set admits nobody.
pub(crate) fn find_rows<T: Default>(
    name: &str,
    set: &Arc<PinSet>,
    query: &RowQuery<'_>,
    in_force: Arc<InForce>,
    find: impl FnOnce(&Rows) -> T,
) -> Result<T, RowsError> {
    let budget = Rc::new(EntryBudget::new(in_force.settings.source_timeout));
    let back_end = AsteriskBackEnd { in_force, budget };
    let answer = back_end.ask(&mut NoChannel, name, set, query, &Pin::new());
    let answer = answer.ok_or(RowsError::Unread)?;
    let has_key = |key| back_end.pepper().key(key).is_some();
    if let Some(why) = set.objection(&answer, &has_key) {
        return Err(RowsError::Unusable(why));
    }
    Ok(match answer {
        Answer::Rows(rows, _) => find(&rows),
        Answer::Family(family) => find(&family.rows),
        Answer::Stored(stored) => find(&stored.rows),
        Answer::Entry(..) | Answer::Refused(_) => T::default(),
    })
}

/// The sources of PINs, as they are configured for a call.
pub(crate) struct AsteriskBackEnd {
    in_force: Arc<InForce>,
    budget: Rc<EntryBudget>,
}

impl BackEnd for AsteriskBackEnd {
    fn ask<H: ServiceChannel>(
        &self,
        host: &mut H,
        name: &str,
        set: &Arc<PinSet>,
        query: &RowQuery<'_>,
        pin: &Pin,
    ) -> Option<Answer> {
        match &set.source {
            Some(Source::Database(of)) => {
                self.stored(host, of.as_deref().unwrap_or(name), query, pin)
            }
            Some(Source::Realtime(family)) => self.in_realtime(host, family, name, query, pin),
            Some(Source::File(path)) => {
                let kind = LookupKind::PinSet(Arc::new(FileQuery {
                    set: Arc::clone(set),
                    rules: Arc::clone(&self.in_force.rules),
                }));
                let limits = QueryLimits::of(&self.in_force.settings);
                pin_files::look_up(host, path, &kind, pin, limits)
            }
            Some(Source::Astdb(family)) => match set.astdb_value {
                AstdbValue::Ignore => self.key(host, family, pin),
                AstdbValue::AccountSecret => self.values(host, family),
            },
            Some(Source::Url(_)) | None => Some(Answer::Refused("no source of PINs".to_owned())),
        }
    }

    fn run_work<H: ServiceChannel>(&self, host: &mut H, work: Work) -> Verification {
        slow_hash::verify(host, work)
    }

    fn take<H: ServiceChannel>(
        &self,
        host: &mut H,
        what: Use<'_>,
    ) -> Option<Result<bool, UseError>> {
        let timeout = self.in_force.settings.source_timeout;
        Some(match what {
            Use::Counted {
                pin_set,
                account,
                digest,
                limit,
            } => {
                let family = format!("{}/{pin_set}", use_ledger::FAMILY);
                let mut key = String::new();
                if !account.is_empty() {
                    key = format!("{}/", account.escape_ascii());
                }
                hex::append(&mut key, &digest);
                let taken =
                    use_ledger::count(host, family.as_bytes(), key.as_bytes(), limit, timeout)?;
                taken.map_err(|why| UseError::NotCounted(why.to_string()))
            }
            Use::Stored {
                source: Source::Realtime(family),
                pin_set,
                id,
                secret,
                limit,
                clock,
            } => {
                let (table, row) = ((family.as_str(), pin_set), (id, secret));
                let taken = realtime::consume(host, table, row, limit, clock, timeout)?;
                let in_family = |why| format!("realtime:{family}: {why}");
                taken.map_err(|why| UseError::NotCounted(in_family(why)))
            }
            Use::Stored {
                id,
                secret,
                limit,
                clock,
                ..
            } => {
                let taken = database::consume(host, (id, secret), limit, clock, &self.budget)?;
                taken.map_err(|why| UseError::NotCounted(why.to_string()))
            }
            Use::Key { family, key } => {
                let taken = use_ledger::use_up(host, family.as_bytes(), key, timeout)?;
                taken.map_err(|why| UseError::NotRemoved(why.to_string()))
            }
        })
    }

    fn is_time(&self, times: &Times) -> bool {
        dialplan::is_time(times)
    }

    fn pepper(&self) -> &Pepper {
        &self.in_force.pepper
    }
}

impl AsteriskBackEnd {
    /// Looks up a PIN as a key of the database.
    fn key<H: ServiceChannel>(&self, host: &mut H, family: &str, pin: &Pin) -> Option<Answer> {
        let timeout = self.in_force.settings.source_timeout;
        let there = astdb_rows::holds(host, family.as_bytes(), pin.as_bytes(), timeout)?;
        let verdict = match there {
            Ok(true) => Verdict::Right(Grant::default()),
            Ok(false) => Verdict::Wrong,
            Err(error) => return Some(Answer::Refused(error.to_string())),
        };
        Some(Answer::Entry(verdict, Entries::Keys))
    }

    /// Looks up rows in PostgreSQL.
    fn stored<H: ServiceChannel>(
        &self,
        host: &mut H,
        name: &str,
        query: &RowQuery<'_>,
        pin: &Pin,
    ) -> Option<Answer> {
        let rows = database::look_up(host, name, query, pin, self.pepper(), &self.budget)?;
        Some(match rows {
            Ok(rows) => Answer::Stored(Box::new(rows)),
            Err(error) => Answer::Refused(error.to_string()),
        })
    }

    /// Looks up rows in a table of Realtime.
    fn in_realtime<H: ServiceChannel>(
        &self,
        host: &mut H,
        family: &str,
        name: &str,
        query: &RowQuery<'_>,
        pin: &Pin,
    ) -> Option<Answer> {
        let rows = realtime::look_up(host, family, name, query, pin, &self.in_force)?;
        Some(match rows {
            Ok(rows) => Answer::Stored(Box::new(rows)),
            Err(error @ FamilyError::Rows(_)) => Answer::Refused(error.to_string()),
            Err(error) => Answer::Refused(format!("realtime:{family}: {error}")),
        })
    }

    /// Reads a family of the database whose values are `account:secret`.
    fn values<H: ServiceChannel>(&self, host: &mut H, family: &str) -> Option<Answer> {
        let settings = &self.in_force.settings;
        let (limit, timeout) = (settings.max_list_memory, settings.source_timeout);
        let family = astdb_rows::read(host, family, limit, timeout)?;
        Some(match family {
            Ok(family) => Answer::Family(Box::new(family)),
            Err(error) => Answer::Refused(error.to_string()),
        })
    }
}
