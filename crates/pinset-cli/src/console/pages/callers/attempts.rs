//! The last attempts of a caller: those of the audit log, and those that the PBXs have
//! reported since the console was started.

use std::sync::Arc;

use pinset::Status;
use tokio::task::spawn_blocking;

use super::found::{FoundRow, Identifiers};
use crate::common::error::note;
use crate::console::app::App;
use crate::console::pbx::LiveEvent;
use crate::console::rows::RowState;
use crate::reports::Attempt;

/// Number of attempts on the page.
const MAX_ATTEMPTS: usize = 20;

/// An attempt, from either source.
pub(super) struct CallerAttempt {
    /// In seconds since 1970.
    pub time: i64,
    pub outcome: Option<Status>,
    pub pin_set: String,
    pub identity: String,
    pub caller: String,
    /// The PBX, or the audit log.
    pub from: String,
    unique_id: String,
}

/// The last attempts, newest first.
#[derive(Default)]
pub(super) struct Attempts {
    pub all: Vec<CallerAttempt>,
    /// Why those of the audit log are missing.
    pub unread: Option<&'static str>,
}

/// Returns the last attempts of these numbers and accounts.
pub(super) async fn find(app: &Arc<App>, identifiers: &Identifiers) -> Attempts {
    let (numbers, accounts) = (identifiers.numbers.clone(), identifiers.accounts.clone());
    let reading = Arc::clone(app);
    let logged = spawn_blocking(move || {
        let reader = reading.calls.reader()?;
        reader.attempts(&numbers, &accounts, MAX_ATTEMPTS)
    });
    let mut attempts = Attempts::default();
    match logged.await {
        Ok(Ok(logged)) => attempts.all.extend(logged.into_iter().map(of_log)),
        failed => {
            if let Ok(Err(why)) = failed {
                note(format!("the database of calls can't be read: {why}"));
            }
            attempts.unread = Some("The attempts in the audit log can't be read.");
        }
    }
    for (name, client) in &app.pbxs {
        for event in client.events().after(None).events {
            let is_wanted =
                identifiers.has_number(&event.caller) || identifiers.has_account(&event.identity);
            let is_logged = attempts.all.iter().any(|it| is_same(it, &event));
            if event.outcome.is_some() && is_wanted && !is_logged {
                attempts.all.push(of_event(name, &event));
            }
        }
    }
    attempts
        .all
        .sort_by_key(|attempt| std::cmp::Reverse(attempt.time));
    attempts.all.truncate(MAX_ATTEMPTS);
    attempts
}

fn is_same(attempt: &CallerAttempt, event: &LiveEvent) -> bool {
    !event.unique_id.is_empty()
        && (&attempt.unique_id, attempt.outcome, &attempt.pin_set)
            == (&event.unique_id, event.outcome, &event.pin_set)
}

fn of_log(attempt: Attempt) -> CallerAttempt {
    let mut all = Status::ALL.into_iter();
    CallerAttempt {
        outcome: all.find(|status| status.word() == attempt.outcome),
        time: attempt.time,
        pin_set: attempt.pin_set,
        identity: attempt.identity,
        caller: attempt.caller,
        unique_id: attempt.unique_id,
        from: "audit log".to_owned(),
    }
}

fn of_event(pbx: &str, event: &LiveEvent) -> CallerAttempt {
    CallerAttempt {
        time: event.received.as_second(),
        outcome: event.outcome,
        pin_set: event.pin_set.clone(),
        identity: event.identity.clone(),
        caller: event.caller.clone(),
        unique_id: event.unique_id.clone(),
        from: pbx.to_owned(),
    }
}

/// Returns an outcome in words. The dates of a row are those of now.
pub(super) fn words(attempt: &CallerAttempt, rows: &[FoundRow]) -> String {
    let plain = match attempt.outcome {
        Some(Status::Success) => "admitted",
        Some(Status::Failure) => "refused: wrong PIN, level too low, or unknown number",
        Some(Status::Timeout) => "no digit was entered",
        Some(Status::Expired) => return expired(attempt, rows),
        Some(Status::Locked) => "locked out",
        Some(Status::Hangup) => "hung up before the verdict",
        Some(Status::Error) => "nobody could be admitted: the log of Asterisk has the reason",
        None => "unknown outcome",
    };
    plain.to_owned()
}

fn expired(attempt: &CallerAttempt, rows: &[FoundRow]) -> String {
    let mut reasons: Vec<String> = Vec::new();
    for FoundRow { row, .. } in rows {
        let reason = match row.state {
            RowState::Expired => format!("expired on {}", row.valid_until),
            RowState::NotYet => format!("valid from {} only", row.valid_from),
            _ => continue,
        };
        if row.account == attempt.identity && !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    match reasons.as_slice() {
        [] => "right PIN, but outside its dates, times or uses".to_owned(),
        reasons => format!("right PIN, but {}", reasons.join(", or ")),
    }
}
