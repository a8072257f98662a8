//! PIN sets: what they are judged by in Asterisk.

use std::sync::Arc;

use pinset::config::{AstdbValue, Source, Times};
use pinset::credential::table::Candidate;
use pinset::verify::{
    Answer, BackEnd, Calling, Entries, FileQuery, NoChannel, ServiceChannel, Use, Verification,
    Verifier, Work,
};
use pinset::{hex, Grant, Number, Pepper, Pin, PinSet, Verdict};

use crate::asterisk::dialplan;
use crate::auth::{astdb_rows, slow_hash};
use crate::config::InForce;
use crate::pin_files::{self, LookupKind, QueryLimits};
use crate::state::audit::AuditContext;
use crate::state::lockouts::CallLockouts;
use crate::state::use_ledger;

/// The PIN set of a call.
pub type PinSetSource = Verifier<Asterisk, CallLockouts>;

/// The PIN set of this name, for who calls; what becomes known of who it is is
/// left on the trail.
///
/// # Errors
///
/// There is none, there are errors in it, or it asks a web service: that one is
/// told of calls, not of PINs.
pub fn source(
    name: &str,
    in_force: Arc<InForce>,
    calling: Calling<'_>,
    trail: AuditContext,
) -> Result<PinSetSource, String> {
    let name = name.to_ascii_lowercase();
    let set = in_force.pin_set(&name)?;
    if let Some(Source::Url(_)) = set.source {
        return Err(format!(
            "PIN set '{name}' asks a web service, and that takes a call"
        ));
    }
    let back_end = Asterisk {
        in_force: Arc::clone(&in_force),
    };
    let numbering = &in_force.settings.numbering;
    let keeper = CallLockouts(trail.clone());
    let judge = Verifier::new(&name, set, calling, numbering, back_end, keeper);
    trail.set_number(judge.counter().caller().number());
    Ok(judge)
}

/// Returns the rows of a PIN set that a caller number finds, as for a call.
///
/// # Errors
///
/// The PIN set admits nobody, and why.
pub fn rows_of(
    set: &Arc<PinSet>,
    in_force: Arc<InForce>,
    number: &Number,
) -> Result<Vec<Candidate>, String> {
    let back_end = Asterisk { in_force };
    let answer = back_end.ask(&mut NoChannel, set, &Pin::new());
    let answer = answer.ok_or("its list was not read")?;
    let has_key = |key| back_end.pepper().key(key).is_some();
    if let Some(why) = set.objection(&answer, &has_key) {
        return Err(why);
    }
    Ok(match answer {
        Answer::Rows(rows, _) => rows.by_caller(number).collect(),
        Answer::Family(family) => family.rows.by_caller(number).collect(),
        Answer::Entry(..) | Answer::Refused(_) => Vec::new(),
    })
}

/// What entries are judged by, as it is in force for a call.
pub struct Asterisk {
    in_force: Arc<InForce>,
}

impl BackEnd for Asterisk {
    fn ask<H: ServiceChannel>(&self, host: &mut H, set: &Arc<PinSet>, pin: &Pin) -> Option<Answer> {
        match &set.source {
            Some(Source::File(path)) => {
                let about = LookupKind::PinSet(Arc::new(FileQuery {
                    set: Arc::clone(set),
                    rules: Arc::clone(&self.in_force.rules),
                }));
                let limits = QueryLimits::of(&self.in_force.settings);
                pin_files::look_up(host, path, &about, pin, limits)
            }
            Some(Source::Astdb(family)) => match set.astdb_value {
                AstdbValue::Ignore => self.key(host, family, pin),
                AstdbValue::AccountSecret => self.values(host, family),
            },
            Some(Source::Url(_)) | None => {
                Some(Answer::Refused("it has no source of PINs".to_owned()))
            }
        }
    }

    fn verify<H: ServiceChannel>(&self, host: &mut H, work: Work) -> Verification {
        slow_hash::verify(host, work)
    }

    fn take<H: ServiceChannel>(&self, host: &mut H, what: Use<'_>) -> Option<Result<bool, String>> {
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
                taken.map_err(|why| format!("a use can't be counted: {why}"))
            }
            Use::Key { family, key } => {
                let taken = use_ledger::use_up(host, family.as_bytes(), key, timeout)?;
                taken.map_err(|why| format!("a PIN can't be used up: {why}"))
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

impl Asterisk {
    /// A key of the database is the PIN.
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

    /// The values of the database are `account:secret`.
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
