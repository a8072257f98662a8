//! AMI actions `Authenticate…`.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::panic::{self, AssertUnwindSafe};

use pinset::cache::Contents;
use pinset::verify::{CallOrigin, NoChannel};
use pinset::{Pin, Status};
use thiserror::Error;

use super::database::Database;
use super::paging::{self, PageError};
use super::queries::{self, QueryError, Summary};
use super::uses::{self, UsesError};
use crate::asterisk::ami::{self, Action, Class, Fields, HeaderError, Message, Session};
use crate::asterisk::channel::Origin;
use crate::asterisk::modules::{self, ReloadError};
use crate::auth::verify::{self, Attempt};
use crate::config;
use crate::state::audit::{AuditContext, CallSource};
use crate::state::stats;
use crate::version;

/// Registers the actions. Returns false if that fails, which Asterisk logs.
pub(super) fn register() -> bool {
    ami::register::<PinSets>()
        && ami::register::<OnePinSet>()
        && ami::register::<Lockouts>()
        && ami::register::<Stats>()
        && ami::register::<Unlock>()
        && ami::register::<Uses>()
        && ami::register::<ResetUses>()
        && ami::register::<Reload>()
        && ami::register::<Database>()
        && ami::register::<Verify>()
}

/// Takes back [`register`].
pub(super) fn unregister() {
    ami::unregister::<PinSets>();
    ami::unregister::<OnePinSet>();
    ami::unregister::<Lockouts>();
    ami::unregister::<Stats>();
    ami::unregister::<Unlock>();
    ami::unregister::<Uses>();
    ami::unregister::<ResetUses>();
    ami::unregister::<Reload>();
    ami::unregister::<Database>();
    ami::unregister::<Verify>();
}

/// The header that names a PIN set.
const PIN_SET: &str = "PinSet";

/// Why an action fails.
#[derive(Debug, Error)]
enum ActionError {
    /// A header can't be used.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// Nothing is found.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// There is no page.
    #[error(transparent)]
    Page(#[from] PageError),
    /// Uses can't be shown or set back.
    #[error(transparent)]
    Uses(#[from] UsesError),
    /// There was no reload.
    #[error(transparent)]
    Reload(#[from] ReloadError),
    /// `Channel` names none.
    #[error("there is no such channel")]
    UnknownChannel,
    /// Neither `Caller` nor `Channel` is given.
    #[error("Caller or Channel is missing")]
    NoCaller,
}

struct PinSets;

impl Action for PinSets {
    const NAME: &'static CStr = c"AuthenticatePinsets";
    const CLASS: Class = Class::Reporting;
    type Error = ActionError;

    fn run(_: &Message<'_>, session: &mut Session<'_>) -> Result<(), ActionError> {
        let (sets, lock_counts) = (queries::pin_sets(), queries::lock_counts());
        session.begin(c"PIN sets will follow");
        for set in &sets {
            session.item("AuthenticatePinset", &summary(set, &lock_counts));
        }
        let mut module = Fields::new();
        let built_for = version::built_for().unwrap_or_default();
        module
            .add("ModuleVersion", version::VERSION)
            .add("BuiltFor", built_for);
        session.end(c"AuthenticatePinsetsComplete", sets.len(), &module);
        Ok(())
    }
}

fn summary(set: &Summary, lock_counts: &BTreeMap<String, u64>) -> Fields {
    let mut fields = Fields::new();
    fields
        .add(PIN_SET, &set.name)
        .add("Usable", if set.usable { "yes" } else { "no" })
        .add("State", &set.state)
        .add("Source", set.source().unwrap_or_default())
        .add("Format", set.format().unwrap_or_default())
        .add("FormatFound", set.found.unwrap_or_default())
        .add("Identify", set.identify().unwrap_or_default());
    let entries = set.entries.map(|count| count.to_string());
    fields.add("Entries", entries.unwrap_or_default());
    let lockouts = lock_counts.get(&set.name).copied();
    fields.number("Lockouts", lockouts.unwrap_or_default());
    counts(&mut fields, &set.counts);
    fields
}

fn counts(fields: &mut Fields, counts: &pinset::audit::stats::Counts) {
    for status in Status::ALL {
        let word = status.word();
        let (first, rest) = word.split_at(1);
        let name = format!("{first}{}", rest.to_ascii_lowercase());
        fields.number(&name, queries::outcomes(counts, status));
    }
    fields.number("Attempts", counts.entries);
}

struct OnePinSet;

impl Action for OnePinSet {
    const NAME: &'static CStr = c"AuthenticatePinset";
    const CLASS: Class = Class::Reporting;
    type Error = ActionError;

    fn run(message: &Message<'_>, session: &mut Session<'_>) -> Result<(), ActionError> {
        let shown = queries::pin_set(message.need(PIN_SET)?)?;
        let mut fields = summary(&shown, &queries::lock_counts());
        if let Some(set) = &shown.set {
            for (option, value) in set.options() {
                fields.add(&format!("Option-{option}"), value);
            }
            fields.add("PepperKeys", queries::pepper_keys().join(","));
            if let Some(recalled) = queries::recall(set) {
                let reading = recalled.contents == Contents::Reading;
                fields
                    .add("Reading", if reading { "yes" } else { "no" })
                    .number("ReadSecondsAgo", queries::age(recalled.read).as_secs());
            }
        }
        session.begin(c"The PIN set will follow");
        session.item("AuthenticatePinsetDetail", &fields);
        session.end(c"AuthenticatePinsetComplete", 1, &Fields::new());
        Ok(())
    }
}

struct Lockouts;

impl Action for Lockouts {
    const NAME: &'static CStr = c"AuthenticateLockouts";
    const CLASS: Class = Class::Reporting;
    type Error = ActionError;

    fn run(message: &Message<'_>, session: &mut Session<'_>) -> Result<(), ActionError> {
        let (request, keys) = (paging::request(message)?, paging::keys()?);
        let (locks, total) = queries::lock_page(message.header(PIN_SET)?, request, &keys)?;
        session.begin(c"Lockouts will follow");
        for (key, lock) in &locks {
            let seconds = lock.seconds.map(|seconds| seconds.to_string());
            let mut fields = Fields::new();
            fields
                .add(PIN_SET, &lock.pin_set)
                .add("LockedBy", lock.by)
                .add("Value", lock.what.as_deref().unwrap_or_default())
                .add("Endpoint", lock.endpoint.as_deref().unwrap_or_default())
                .add("LockedSeconds", seconds.as_deref().unwrap_or("by hand"))
                .number("Times", lock.times.into())
                .number("Failures", lock.failures.into())
                .add("Key", key.to_string());
            session.item("AuthenticateLockout", &fields);
        }
        session.end(c"AuthenticateLockoutsComplete", locks.len(), &of_all(total));
        Ok(())
    }
}

/// Returns the field with the length of the whole list, of which a page was sent.
fn of_all(total: usize) -> Fields {
    let mut fields = Fields::new();
    fields.number("Total", total.try_into().unwrap_or(u64::MAX));
    fields
}

struct Stats;

impl Action for Stats {
    const NAME: &'static CStr = c"AuthenticateStats";
    const CLASS: Class = Class::Reporting;
    type Error = ActionError;

    fn run(_: &Message<'_>, session: &mut Session<'_>) -> Result<(), ActionError> {
        let all = stats::all();
        session.begin(c"Counts will follow");
        for (name, of) in &all {
            let mut fields = Fields::new();
            fields.add(PIN_SET, name);
            counts(&mut fields, of);
            session.item("AuthenticateStat", &fields);
        }
        session.end(c"AuthenticateStatsComplete", all.len(), &Fields::new());
        Ok(())
    }
}

struct Unlock;

impl Action for Unlock {
    const NAME: &'static CStr = c"AuthenticateUnlock";
    const CLASS: Class = Class::Security;
    type Error = ActionError;

    fn run(message: &Message<'_>, session: &mut Session<'_>) -> Result<(), ActionError> {
        let (by, what) = (message.need("Type")?, message.need("Value")?);
        let pin_set = message.header(PIN_SET)?;
        let unlocked = queries::unlock(by, what, pin_set, &session.administrator())?;
        let mut fields = Fields::new();
        fields.number("Unlocked", unlocked.try_into().unwrap_or(u64::MAX));
        session.respond(&fields);
        Ok(())
    }
}

struct Uses;

impl Action for Uses {
    const NAME: &'static CStr = c"AuthenticateUses";
    const CLASS: Class = Class::Reporting;
    type Error = ActionError;

    fn run(message: &Message<'_>, session: &mut Session<'_>) -> Result<(), ActionError> {
        let pin_set = message.need(PIN_SET)?;
        let (request, keys) = (paging::request(message)?, paging::keys()?);
        let (all, total) = uses::page(pin_set, request, &keys)?;
        session.begin(c"Uses will follow");
        for (key, uses) in &all {
            let [line, id] = [uses.line, uses.id].map(|number| number.map(|n| n.to_string()));
            let max_uses = uses.max_uses.map(|max_uses| max_uses.to_string());
            let mut fields = Fields::new();
            fields
                .add(PIN_SET, pin_set.to_ascii_lowercase())
                .add("Account", &uses.account)
                .add("Uses", &uses.uses)
                .add("MaxUses", max_uses.unwrap_or_default())
                .add("Line", line.unwrap_or_default())
                .add("Id", id.unwrap_or_default())
                .add("Key", key.to_string());
            session.item("AuthenticateUse", &fields);
        }
        session.end(c"AuthenticateUsesComplete", all.len(), &of_all(total));
        Ok(())
    }
}

struct ResetUses;

impl Action for ResetUses {
    const NAME: &'static CStr = c"AuthenticateResetUses";
    const CLASS: Class = Class::Security;
    type Error = ActionError;

    fn run(message: &Message<'_>, session: &mut Session<'_>) -> Result<(), ActionError> {
        let (pin_set, account) = (message.need(PIN_SET)?, message.header("Account")?);
        let (key, keys) = (paging::key(message, "Key")?, paging::keys()?);
        let by = session.administrator();
        let reset = uses::reset(pin_set, account, key, &keys, &by)?;
        let mut fields = Fields::new();
        fields.number("Reset", reset.try_into().unwrap_or(u64::MAX));
        session.respond(&fields);
        Ok(())
    }
}

struct Reload;

impl Action for Reload {
    const NAME: &'static CStr = c"AuthenticateReload";
    const CLASS: Class = Class::Security;
    type Error = ActionError;

    fn run(_: &Message<'_>, session: &mut Session<'_>) -> Result<(), ActionError> {
        let reloaded = modules::reload_ours();
        let rejected = match (reloaded, config::rejected()) {
            (Ok(()), _) => None,
            (Err(ReloadError::Failed), Some(rejected)) => Some(rejected),
            (Err(error), _) => return Err(error.into()),
        };
        let errors = rejected.as_ref().map(|rejected| rejected.errors.as_slice());
        let errors = errors.unwrap_or_default();
        session.begin(c"The errors of authenticate.conf will follow");
        for error in errors {
            let (file, line) = error.file_and_line();
            let mut fields = Fields::new();
            fields
                .add("File", file)
                .add("Line", line)
                .add("Section", &error.section)
                .add("Option", &error.option)
                .add("Message", &error.message);
            session.item("AuthenticateReloadError", &fields);
        }
        let mut fields = of_all(rejected.as_ref().map_or(0, |rejected| rejected.count));
        let applied = if rejected.is_none() { "yes" } else { "no" };
        fields.add("Applied", applied);
        session.end(c"AuthenticateReloadComplete", errors.len(), &fields);
        Ok(())
    }
}

struct Verify;

/// The endpoint of callers whose PIN is verified over AMI, without a channel.
const ENDPOINT: &[u8] = b"AMI";

impl Action for Verify {
    const NAME: &'static CStr = c"AuthenticateVerify";
    const CLASS: Class = Class::System;
    type Error = ActionError;

    fn run(message: &Message<'_>, session: &mut Session<'_>) -> Result<(), ActionError> {
        let name = queries::pin_set(message.need(PIN_SET)?)?.name;
        let secret = message.need("Secret")?;
        let account = message.header("Account")?;
        let origin = origin(message.header("Caller")?, message.header("Channel")?)?;
        let channel = String::from_utf8_lossy(&origin.channel).into_owned();
        let audit = AuditContext::default();
        let attempt = Attempt {
            by: "AuthenticateVerify",
            pin_set: &name,
            origin: CallOrigin {
                number: Some(&origin.caller)
                    .filter(|number| !number.is_empty())
                    .map(Vec::as_slice),
                channel: &channel,
            },
            audit: audit.clone(),
            account: account.unwrap_or_default(),
            pin: Pin::parse(secret),
        };
        let verify = AssertUnwindSafe(|| verify::verify_attempt(&mut NoChannel, attempt));
        let outcome = panic::catch_unwind(verify).unwrap_or(Status::Error.into());
        let (status, attempts) = (outcome.status, outcome.attempts);
        let grant = outcome.grant.unwrap_or_default();
        let account = grant.account.unwrap_or_default();
        if status == Status::Success {
            audit.set_identity(&account);
        }
        let level = grant.level.map(|level| level.to_string());
        let mut fields = Fields::new();
        fields
            .add("Status", status.word())
            .add("Account", account)
            .add("Level", level.unwrap_or_default())
            .add("Context", grant.context.unwrap_or_default())
            .number("Attempts", attempts.into());
        audit.report(status, attempts, |_| CallSource {
            origin,
            phone: None,
        });
        session.respond(&fields);
        Ok(())
    }
}

/// Returns the caller: the one on a channel, or the one that is named.
fn origin(caller: Option<&[u8]>, channel: Option<&[u8]>) -> Result<Origin, ActionError> {
    let mut origin = match channel {
        Some(name) => Origin::of(name).ok_or(ActionError::UnknownChannel)?,
        None if caller.is_none() => return Err(ActionError::NoCaller),
        None => Origin {
            channel: ENDPOINT.to_vec(),
            ..Origin::default()
        },
    };
    if let Some(caller) = caller {
        origin.caller = caller.to_vec();
    }
    Ok(origin)
}
