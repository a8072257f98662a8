//! `authenticate show number`: how a caller number is compared in a PIN set, the
//! rows it finds and the locks on them. The PIN file is read, as for a call.

use std::sync::Arc;
use std::time::SystemTime;

use pinset::admin::Table;
use pinset::config::{Identify, NoCaller, Source};
use pinset::credential::table::{Candidate, Rows};
use pinset::escape::escape;
use pinset::lockout::{Held, Kind};
use pinset::timestamp::Moment;
use pinset::verify::{CallOrigin, Reason, RowQuery, Searched};

use super::queries::{self, QueryError};
use crate::auth::backend;
use crate::config;

/// Returns the output of the command.
///
/// # Errors
///
/// Fails if there is no such PIN set, or it has errors.
pub(super) fn report(number: &[u8], name: &[u8]) -> Result<String, QueryError> {
    let in_force = config::current();
    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
    let set = in_force.pin_set(&name)?;
    let calling = CallOrigin {
        number: Some(number),
        channel: "",
    };
    let numbering = &in_force.settings.numbering;
    let counted_as = calling.caller(numbering);
    let compared = numbering.normalize_caller(number);
    let mut accounts = Vec::new();
    let mut text = match &compared {
        Some(number) => format!("Compared as: {number}\n"),
        None => format!("Compared as: {} ({numbering})\n", Reason::NoNumber),
    };
    text.push_str(&match (&set.source, set.identify, compared) {
        (Some(Source::Url(_)), ..) => "Rows: the web service decides\n".to_owned(),
        (_, Identify::Pin, _) => "Rows: identify = pin, rows are found by PIN alone\n".to_owned(),
        (_, Identify::Account, _) => {
            "Rows: identify = account, rows are found by account number\n".to_owned()
        }
        (_, Identify::Caller, None) if set.no_caller == NoCaller::AskAccount => {
            "Rows: no_caller = account, the caller is asked for an account number\n".to_owned()
        }
        (_, Identify::Caller, None) => "Rows: none, the call is refused\n".to_owned(),
        (_, Identify::Caller, Some(number)) => {
            let by_number = |rows: &Rows| rows.by_caller(&number).collect::<Vec<_>>();
            let query = RowQuery::Caller(&number);
            match backend::find_rows(&name, &set, &query, Arc::clone(&in_force), by_number) {
                Ok(rows) if rows.is_empty() => {
                    format!("Rows: {}\n", Reason::NoRow(Searched::Caller(number)))
                }
                Ok(rows) => {
                    accounts.extend(rows.iter().map(|row| row.account.clone()));
                    table(rows)
                }
                Err(error) => {
                    let error = escape(error.to_string().as_bytes());
                    format!("Rows: PIN set admits nobody: {error}\n")
                }
            }
        }
    });
    text.push_str(&locks(&name, counted_as.number(), &accounts)?);
    Ok(text)
}

/// Formats the rows, without their secrets.
fn table(rows: Vec<Candidate>) -> String {
    let now = Moment::of(SystemTime::now());
    let mut table = Table::new(["Line", "Account", "Level", "Validity"]);
    for row in rows {
        let validity = match (row.from, row.until) {
            _ if !row.enabled => "disabled",
            (Some(from), _) if from > now => "not yet valid",
            (_, Some(until)) if until <= now => "no longer valid",
            _ => "valid",
        };
        let account = match row.account.as_slice() {
            b"" => "-".to_owned(),
            account => escape(account),
        };
        let (line, level) = (row.line.to_string(), row.level.to_string());
        table.row([line, account, level, validity.to_owned()]);
    }
    table.finish("row", "rows")
}

/// Formats the locks of the caller, of these accounts and of the PIN set.
fn locks(name: &str, number: Option<&str>, accounts: &[Vec<u8>]) -> Result<String, QueryError> {
    let is_meant = |held: &Held| match held.kind {
        Kind::Caller => held.what.as_deref() == number,
        Kind::Account => accounts
            .iter()
            .any(|account| held.what.as_deref().map(str::as_bytes) == Some(account)),
        Kind::PinSet => true,
    };
    let locks = queries::locks(name, is_meant)?;
    let lines: Vec<String> = locks
        .iter()
        .map(|lock| {
            let what = escape(lock.what.as_deref().unwrap_or_default().as_bytes());
            let from = match &lock.endpoint {
                Some(endpoint) => format!(" from {}", escape(endpoint.as_bytes())),
                None => String::new(),
            };
            let left = lock.left();
            format!("Locked: {} {what}{from}, {left}\n", lock.by)
        })
        .collect();
    Ok(match lines.is_empty() {
        true => "Locked: no\n".to_owned(),
        false => lines.concat(),
    })
}
