//! Random PINs for many new rows.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::Extension;
use maud::{html, Markup};
use pinset::list::FileKind;
use pinset::pin::MAX_DIGITS;
use pinset::timestamp::since_epoch;
use serde::Deserialize;

use super::layout::{self, safe};
use super::{edit_error, error, job, pin_file, secret_form};
use crate::common::csv::{rows, RowReadError};
use crate::common::csv_list::{kind, CsvList};
use crate::common::secret_maker::SecretMaker;
use crate::console::access::CurrentUser;
use crate::console::app::App;
use crate::console::edits::EditError;
use crate::console::form::Fields;
use crate::console::hand_out::HandOut;
use crate::console::held::MAX_ROWS;
use crate::console::jobs::{self, Job, JobError, JobView, PreparedText, Saved};
use crate::console::lists;
use crate::console::trail::Change;
use crate::pin_files::generate::{clear, GenerateError, NewAccount, NewPins};

/// The path of the form.
const PATH: &str = "/pin-file/make-pins";

const DEFAULT_DIGITS: &str = "6";

/// Names a PIN file.
#[derive(Deserialize)]
pub(in crate::console) struct MakePinsQuery {
    name: String,
}

/// The fields of the form.
#[derive(Clone, Default, Deserialize)]
pub(in crate::console) struct MakePins {
    name: String,
    /// The number of the form, see [`crate::console::once`].
    once: String,
    count: String,
    prefix: String,
    accounts: String,
    digits: String,
    form: String,
}

/// The accounts of new PINs.
enum Accounts {
    /// So many numbers after this prefix, which no row has yet.
    Numbered(usize, String),
    Named(Vec<NewAccount>),
}

/// Errors by the names of fields. The text is for people.
type FieldErrors = Vec<(&'static str, String)>;

/// Answers with the form.
pub(in crate::console) async fn page(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Query(query): Query<MakePinsQuery>,
) -> Response {
    let listed = lists::stat(&app.config.lists, &query.name);
    match listed.map(|listed| listed.denied) {
        Ok(None) => {
            let fields = MakePins {
                name: query.name,
                once: app.once.number(),
                digits: DEFAULT_DIGITS.to_owned(),
                ..MakePins::default()
            };
            form(&app, &user, &fields, &FieldErrors::new())
        }
        Ok(Some(remedy)) => edit_error::denied(&query.name, &remedy),
        Err(why) => edit_error::unreadable(&query.name, &why),
    }
}

/// Returns the form, with the errors of its fields.
fn form(app: &App, user: &CurrentUser, fields: &MakePins, errors: &FieldErrors) -> Response {
    let status = match errors.is_empty() {
        true => StatusCode::OK,
        false => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let all: Vec<_> = errors.iter().map(|(_, why)| why.as_str()).collect();
    let content = html! {
        @if !errors.is_empty() { (layout::summary(&all.join(" "))) }
        p {
            "Each PIN is random, not weak, and not in the file already. The new PINs are shown once, "
            "as CSV or letters, after they are saved."
        }
        form.fields.wide method="post" action=(PATH) {
            input type="hidden" name="name" value=(fields.name);
            input type="hidden" name="once" value=(fields.once);
            (input("Number of PINs", "count", &fields.count, errors))
            (input("Prefix of the accounts, such as guest- (a number follows)", "prefix", &fields.prefix, errors))
            label {
                "Or accounts, one a line: account, or account,name"
                textarea name="accounts" rows="6" spellcheck="false"
                    aria-describedby=[error_id("accounts", errors)]
                    aria-invalid=[error_id("accounts", errors).map(|_| "true")] {
                    (fields.accounts)
                }
            }
            (field_error("accounts", errors))
            (input("Digits of each PIN", "digits", &fields.digits, errors))
            (secret_form::field(app, &fields.form))
            (field_error("form", errors))
            button type="submit" { "Make PINs" }
        }
        p { a href=(pin_file::url("/pin-file", &fields.name)) { "Back to " (safe(&fields.name)) } }
    };
    let title = format!("Make PINs: {}", safe(&fields.name));
    layout::page(status, &title, Some(user), "", content)
}

fn input(text: &str, name: &'static str, value: &str, errors: &FieldErrors) -> Markup {
    let invalid = error_id(name, errors);
    html! {
        label {
            (text)
            input name=(name) value=(value) autocomplete="off"
                aria-describedby=[&invalid] aria-invalid=[invalid.as_ref().map(|_| "true")];
        }
        (field_error(name, errors))
    }
}

fn field_error(name: &str, errors: &FieldErrors) -> Markup {
    let mut errors = errors.iter().filter(|(field, _)| *field == name);
    html! {
        @if let Some((_, why)) = errors.next() {
            p.error id={ (name) "-error" } { (why) }
        }
    }
}

fn error_id(name: &str, errors: &FieldErrors) -> Option<String> {
    let mut fields = errors.iter().map(|(field, _)| *field);
    fields
        .any(|field| field == name)
        .then(|| format!("{name}-error"))
}

/// Makes PINs, and sends the browser to the page of the job.
pub(in crate::console) async fn make(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Fields(fields): Fields<MakePins>,
) -> Response {
    let mut errors = FieldErrors::new();
    let accounts = accounts(&fields, &mut errors);
    let digits = number(&fields.digits, MAX_DIGITS);
    if digits.is_none() {
        errors.push((
            "digits",
            format!("Digits: a number from 1 to {MAX_DIGITS}."),
        ));
    }
    let maker = secret_form::maker(&app, &fields.form);
    if maker.is_none() {
        let why = "PINs can't be stored in this form. Choose another one.";
        errors.push(("form", why.to_owned()));
    }
    let (Some(accounts), Some(digits), Some(maker), true) =
        (accounts, digits, maker, errors.is_empty())
    else {
        return form(&app, &user, &fields, &errors);
    };
    if let Err(why) = app.once.take(user.session, &fields.once, now()) {
        return pin_file::not_again(&fields.name, why);
    }
    let count = match &accounts {
        Accounts::Numbered(count, _) => *count,
        Accounts::Named(accounts) => accounts.len(),
    };
    let new_job = Job::new(&fields.name, pin_file::url(PATH, &fields.name), count);
    let secret_form = maker.form;
    let started = jobs::start(&app, &user, new_job, secret_form, move |app, job| {
        prepare(app, job, accounts, digits, &maker)
    });
    let id = match started.await {
        Ok(id) => id,
        Err(why) => {
            app.once.give_back(user.session, &fields.once);
            return job::not_started(&why);
        }
    };
    let Some(started) = app.jobs.find(user.session, id, Instant::now()) else {
        return job_is_gone();
    };
    let JobView::Failed(Some(why)) = started.view() else {
        return Redirect::to(&job::url(id)).into_response();
    };
    app.jobs.remove(user.session, id);
    app.once.give_back(user.session, &fields.once);
    match why {
        EditError::Refused(JobError::Invalid(field, why)) => {
            form(&app, &user, &fields, &vec![(field, why)])
        }
        why => edit_error::failed(&fields.name, why, |why| job::failed(&started, &why)),
    }
}

/// Returns the milliseconds since the Unix epoch.
fn now() -> i64 {
    i64::try_from(since_epoch().as_millis()).unwrap_or(i64::MAX)
}

fn job_is_gone() -> Response {
    error::page(
        StatusCode::GONE,
        "Your session has ended, so the new PINs are gone.",
        "Look at the PIN file and at /changes.",
    )
}

/// Returns a number from 1 to `most`.
fn number(text: &str, most: usize) -> Option<usize> {
    let number = text.trim().parse().ok();
    number.filter(|number| (1..=most).contains(number))
}

/// Returns the accounts that the form names, or adds an error.
fn accounts(fields: &MakePins, errors: &mut FieldErrors) -> Option<Accounts> {
    if fields.accounts.trim().is_empty() {
        let count = number(&fields.count, MAX_ROWS);
        if count.is_none() {
            errors.push((
                "count",
                format!("Number of PINs: a number from 1 to {MAX_ROWS}."),
            ));
        }
        return Some(Accounts::Numbered(count?, fields.prefix.trim().to_owned()));
    }
    let named = match named_accounts(&fields.accounts) {
        Ok(named) => named,
        Err(why) => {
            errors.push(("accounts", format!("Accounts: {why}.")));
            return None;
        }
    };
    let count = fields.count.trim();
    if !count.is_empty() && number(count, MAX_ROWS) != Some(named.len()) {
        let why = format!("Number of PINs: there are {} accounts.", named.len());
        errors.push(("count", why));
    }
    Some(Accounts::Named(named))
}

/// Reads lines with account, or account and name.
fn named_accounts(text: &str) -> Result<Vec<NewAccount>, String> {
    let mut seen = HashSet::new();
    let mut accounts = Vec::new();
    let mut wrong = None;
    let read = rows(text.as_bytes(), |line, values| {
        let (account, name) = match values {
            [account] => (*account, ""),
            [account, name] => (*account, *name),
            _ => {
                wrong.get_or_insert(format!("line {line}: account, or account,name"));
                return Ok(());
            }
        };
        if !seen.insert(account.to_owned()) {
            wrong.get_or_insert(format!("line {line}: duplicate account"));
        }
        accounts.push(NewAccount {
            account: account.to_owned(),
            name: name.to_owned(),
        });
        Ok::<_, RowReadError>(())
    });
    read.map_err(|why| why.to_string())?;
    wrong.map_or(Ok(accounts), Err)
}

/// Makes the new text of the file, and the PINs to hand out.
fn prepare(
    app: &App,
    job: &Job,
    accounts: Accounts,
    digits: usize,
    maker: &SecretMaker,
) -> Result<PreparedText, JobError> {
    let read = lists::read(&app.config.lists, &job.name);
    let (_, text) = read.map_err(|why| JobError::Invalid("", why.to_string()))?;
    let tag = app.edits.tags.file(&text);
    let accounts = match accounts {
        Accounts::Named(accounts) => accounts,
        Accounts::Numbered(count, prefix) => numbered(&text, count, &prefix),
    };
    let new = NewPins {
        accounts: &accounts,
        digits,
        maker,
    };
    let made = new.generate(text, || job.progress()).map_err(invalid)?;
    let count = accounts.len();
    Ok(PreparedText {
        text: made.text,
        tag,
        change: Change {
            after: format!("rows added: {count}, secrets: {}", maker.form.name()),
            ..Change::of("make PINs")
        },
        saved: Saved {
            added: count,
            removed: 0,
            out_of_reach: made.out_of_reach,
            hand_out: Some(HandOut::new(count, clear(&accounts, &made.pins, true))),
        },
    })
}

/// Returns accounts with numbers after the highest one that the file has with this prefix.
fn numbered(text: &[u8], count: usize, prefix: &str) -> Vec<NewAccount> {
    let list = match kind(text) {
        Some(FileKind::Csv) => CsvList::read(text.to_vec().into()).ok(),
        _ => None,
    };
    let rows = list.iter().flat_map(CsvList::rows);
    let numbers = rows.filter_map(|row| row.account.strip_prefix(prefix)?.parse().ok());
    let highest: u64 = numbers.max().unwrap_or(0);
    let numbers = (highest.saturating_add(1)..).take(count);
    let account = |number| NewAccount::without_name(format!("{prefix}{number}"));
    numbers.map(account).collect()
}

/// Returns the field that an error is about, with the remedy.
fn invalid(error: GenerateError) -> JobError {
    let (field, remedy) = match &error {
        GenerateError::InvalidDigits => ("digits", "Choose another number."),
        GenerateError::TooFewPins(_) => ("digits", "Use more digits, or make fewer PINs."),
        GenerateError::AccountExists(_) => ("accounts", "Use other accounts."),
        GenerateError::InvalidAccount(..) => ("accounts", "Correct the accounts."),
        GenerateError::MissingKey(_) => ("form", "Add the key to pepper_file of console.toml."),
        GenerateError::NotCsv => (
            "",
            "\"Make it a CSV file\" on the page of the file does that.",
        ),
        _ => ("", "Nothing was changed."),
    };
    match error {
        GenerateError::Secret(why) => why.into(),
        error => JobError::Invalid(field, format!("{error}. {remedy}")),
    }
}
