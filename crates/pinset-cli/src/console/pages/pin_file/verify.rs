//! Check of a PIN by hand: whether it is right, and of which row.

use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::Extension;
use maud::{html, Markup};
use pinset::credential::table::Candidate;
use pinset::list::{FileKind, Format, Stamp};
use pinset::lockout::Lock;
use pinset::timestamp::{since_epoch, Moment};
use pinset::{Numbering, Pin};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::super::edit_error::unreadable;
use super::super::layout::{self, safe};
use super::super::{changes, error};
use super::describe::described;
use super::query::url;
use super::FileName;
use crate::common::atomic_file::contents;
use crate::common::csv_list::{kind, load, CsvList};
use crate::console::access::CurrentUser;
use crate::console::app::App;
use crate::console::edits;
use crate::console::form::{secret, Fields};
use crate::console::trail::Change;
use crate::pin_files::verify::{verify, IdentifiedBy, PinVerdict};

const PATH: &str = "/pin-file/verify";

/// How the PIN set identifies callers, by the values of `identify`.
const IDENTIFY: [(&str, &str); 3] = [
    ("caller", "their number"),
    ("account", "their account"),
    ("pin", "the PIN alone"),
];

/// The fields of the form.
#[derive(Deserialize)]
pub(in crate::console) struct VerifyFields {
    name: String,
    identify: String,
    /// The number or the account.
    who: String,
    #[serde(deserialize_with = "secret")]
    pin: Zeroizing<String>,
}

/// What a page says of a PIN.
enum Answer {
    Verified(PinVerdict, Option<String>),
    /// It can't be verified, for this reason.
    Unknown(String),
}

/// Answers with the form.
pub(in crate::console) async fn page(
    Extension(user): Extension<CurrentUser>,
    Query(FileName { name }): Query<FileName>,
) -> Response {
    let fields = VerifyFields {
        name,
        identify: String::new(),
        who: String::new(),
        pin: Zeroizing::default(),
    };
    with_form(StatusCode::OK, &user, &fields, html! {})
}

/// Verifies a PIN, within limits of its own.
pub(in crate::console) async fn check(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Fields(fields): Fields<VerifyFields>,
) -> Response {
    let (by, pin) = match fields.read(&app.config.numbering) {
        Ok(read) => read,
        Err(why) => {
            let summary = layout::summary(why);
            return with_form(StatusCode::UNPROCESSABLE_ENTITY, &user, &fields, summary);
        }
    };
    let change = Change {
        pin_set: fields.name.clone(),
        account: match by {
            IdentifiedBy::Caller(_) | IdentifiedBy::Account(_) => fields.who.trim().to_owned(),
            IdentifiedBy::Pin => String::new(),
        },
        ..Change::of("check PIN")
    };
    if let Err(answer) = changes::record(&app, &user, &change) {
        return *answer;
    }
    let of_user = user.name.clone();
    let verified = edits::open(&app, &fields.name, move |app, _, file| {
        if Stamp::of(&file.metadata()?).is_world_writable() {
            let why = "The file is world-writable: PIN sets refuse it.".to_owned();
            return Ok(Ok(Answer::Unknown(why)));
        }
        let text = contents(&file)?;
        Ok(app.pin_tries.verify(&of_user, since_epoch, || {
            let answer = answer(app, text, &by, &pin);
            let is_right = match &answer {
                Answer::Verified(verdict, _) => *verdict != PinVerdict::Wrong,
                Answer::Unknown(_) => false,
            };
            (is_right, answer)
        }))
    });
    match verified.await {
        Ok(Ok(answer)) => with_form(StatusCode::OK, &user, &fields, answer.shown()),
        Ok(Err(lock)) => too_many_wrong(lock),
        Err(why) => unreadable(&fields.name, &why),
    }
}

/// Returns the page that a user has tried too many wrong PINs.
pub(super) fn too_many_wrong(lock: Option<Lock>) -> Response {
    let left = lock.and_then(|lock| lock.until);
    let left = left.map(|until| until.saturating_sub(since_epoch()).as_secs() / 60 + 1);
    error::page(
        StatusCode::TOO_MANY_REQUESTS,
        "You have checked too many wrong PINs.",
        &format!("Try again in {} min.", left.unwrap_or(1)),
    )
}

impl VerifyFields {
    /// Returns what is verified, or what is wrong with the form.
    fn read(&self, numbering: &Numbering) -> Result<(IdentifiedBy, Pin), &'static str> {
        let who = self.who.trim();
        let by = match self.identify.as_str() {
            "caller" => IdentifiedBy::Caller(
                numbering
                    .normalize_caller(who.as_bytes())
                    .ok_or("Number or account: enter the number that calls.")?,
            ),
            "account" if who.is_empty() => {
                return Err("Number or account: enter the account.");
            }
            "account" => IdentifiedBy::Account(who.to_owned()),
            "pin" => IdentifiedBy::Pin,
            _ => return Err("Callers are known by: choose one."),
        };
        let pin = Pin::parse(self.pin.trim().as_bytes()).filter(|pin| !pin.is_empty());
        let pin = pin.ok_or("PIN: enter 1 to 254 of the keys 0 to 9, * and A to D.")?;
        Ok((by, pin))
    }
}

fn answer(app: &App, text: Zeroizing<Vec<u8>>, by: &IdentifiedBy, pin: &Pin) -> Answer {
    let kind = kind(&text).unwrap_or(FileKind::Lines(Format::Plain));
    let rows = match load(&text, kind, &app.config.numbering) {
        Ok(rows) => rows,
        Err(why) => return Answer::Unknown(format!("The file admits nobody: {why}.")),
    };
    let now = Moment::of(SystemTime::now());
    match verify(&rows, by, pin, &app.config.pepper, now) {
        Ok((verdict, row)) => Answer::Verified(verdict, row.map(|row| of_row(&row, kind, text))),
        Err(why) => Answer::Unknown(format!("The PIN can't be verified: {why}.")),
    }
}

/// Returns what the page says of a row, which is not its secret.
fn of_row(row: &Candidate, kind: FileKind, text: Zeroizing<Vec<u8>>) -> String {
    let list = (kind == FileKind::Csv).then(|| CsvList::read(text).ok());
    let list = list.flatten();
    let place = list.as_ref().and_then(|list| list.row_in_line(row.line));
    let values = match (list, place) {
        (Some(list), Some(place)) => described(&list, place),
        _ if row.account.is_empty() => String::new(),
        _ => format!("account={}", String::from_utf8_lossy(&row.account)),
    };
    format!("line {} {values}", row.line)
}

impl Answer {
    fn shown(&self) -> Markup {
        html! {
            @match self {
                Self::Verified(verdict, row) => {
                    p role="status" {
                        "The PIN is " strong { (verdict.text()) } "."
                        @if let Some(row) = row { " Row: " (safe(row)) }
                    }
                }
                Self::Unknown(why) => { (layout::summary(&safe(why))) }
            }
        }
    }
}

fn with_form(
    status: StatusCode,
    user: &CurrentUser,
    fields: &VerifyFields,
    above: Markup,
) -> Response {
    let content = html! {
        (above)
        p {
            "As the PBX does, but without uses, and without times and levels of a PIN set. After \
             five wrong PINs within 15 minutes, you can't check others for 30 minutes."
        }
        form.fields method="post" action=(PATH) autocomplete="off" {
            input type="hidden" name="name" value=(fields.name);
            label {
                "Callers are known by"
                select name="identify" {
                    @for (word, text) in IDENTIFY {
                        option value=(word) selected[word == fields.identify] { (text) }
                    }
                }
            }
            label { "Number or account" input name="who" value=(fields.who); }
            label { "PIN" input name="pin" type="password" autocomplete="off" required; }
            button type="submit" { "Check the PIN" }
        }
        p { a href=(url("/pin-file", &fields.name)) { "Back to the rows" } }
    };
    let title = format!("Check a PIN of {}", safe(&fields.name));
    layout::page(status, &title, Some(user), "", content)
}
