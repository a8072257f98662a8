//! The preview of a pasted list: lines are named by their number, never by their text.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::Extension;
use maud::{html, Markup};
use pinset::list::Format;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::super::layout::{self, safe};
use super::super::{edit_error, error, pin_file, secret_form};
use super::plan::{line_form, Paste, PasteMode, Plan, PlanError};
use super::PATH;
use crate::common::secret_maker::SecretForm;
use crate::console::access::CurrentUser;
use crate::console::app::App;
use crate::console::edits;
use crate::console::held::HeldId;
use crate::console::jobs::HASH_TIME;
use crate::console::users::Role;
use crate::pin_files::import::SkipReason;
use crate::pin_files::DuplicatePin;

/// Maximum number of lines and accounts that a preview names.
pub(super) const MAX_NAMED: usize = 200;

/// The query of the preview.
#[derive(Deserialize)]
pub(in crate::console) struct PreviewQuery {
    id: String,
}

/// Lines of a list with the same property.
pub(super) struct Lines {
    pub count: usize,
    first: Vec<u64>,
}

impl Lines {
    pub(super) fn of(lines: &[u64]) -> Self {
        Self {
            count: lines.len(),
            first: lines.iter().take(MAX_NAMED).copied().collect(),
        }
    }
}

/// What the preview shows.
struct PreviewView {
    name: String,
    /// The tag of the file.
    tag: String,
    lines: usize,
    new: usize,
    /// PINs among the new rows, which are hashed.
    pins: usize,
    weak: Lines,
    known: Lines,
    left_out: usize,
    /// The first lines that are left out, with the reason.
    reasons: Vec<(u64, String)>,
    is_numbered: bool,
    /// The format of a file without columns.
    format: Option<Format>,
    unchecked: Vec<String>,
    replaced: ReplacedView,
}

/// What a replacement of the file would do.
struct ReplacedView {
    new: usize,
    kept: usize,
    removed: usize,
    /// The first accounts of rows that go.
    accounts: Vec<String>,
}

/// Returns the URL of a preview.
pub(super) fn url(id: HeldId) -> String {
    format!("{PATH}/preview?id={id}")
}

/// Answers with the preview.
pub(in crate::console) async fn page(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Query(query): Query<PreviewQuery>,
) -> Response {
    match held(&app, &user, &query.id) {
        Ok((id, paste)) => show(&app, &user, id, paste, "", StatusCode::OK, None).await,
        Err(answer) => *answer,
    }
}

/// Returns a list of this session, or the page that it is gone.
pub(super) fn held(
    app: &App,
    user: &CurrentUser,
    id: &str,
) -> Result<(HeldId, Arc<Paste>), Box<Response>> {
    let found = HeldId::parse(id).and_then(|id| {
        let paste = app.pastes.find(user.session, id, Instant::now())?;
        Some((id, paste))
    });
    found.ok_or_else(|| {
        Box::new(error::page(
            StatusCode::GONE,
            "The pasted list is no longer here.",
            "It waits for 10 minutes in the session that has pasted it, and until a restart of \
             the console. Paste it again.",
        ))
    })
}

/// Returns the preview, made of the file as it is now. `chosen` is the form of secrets.
pub(super) async fn show(
    app: &Arc<App>,
    user: &CurrentUser,
    id: HeldId,
    paste: Arc<Paste>,
    chosen: &str,
    status: StatusCode,
    wrong: Option<&str>,
) -> Response {
    let name = paste.name.clone();
    let viewed = edits::read(app, &name, move |app, _, text| view(app, &paste, text));
    let view = match viewed.await {
        Ok(Ok(view)) => view,
        Ok(Err(why)) => {
            return error::page(
                StatusCode::UNPROCESSABLE_ENTITY,
                &format!("The list can't be put into {}. {why}", safe(&name)),
                "Nothing was changed.",
            );
        }
        Err(why) => return edit_error::unreadable(&name, &why),
    };
    let content = html! {
        @if let Some(why) = wrong { (layout::summary(why)) }
        (counts(&view))
        (left_out(view.left_out, &view.reasons))
        (save_form(app, user, id, &view, chosen))
        form method="post" action={ (PATH) "/discard" } {
            input type="hidden" name="id" value=(id);
            button type="submit" { "Start over" }
        }
    };
    let title = format!("Preview: {}", safe(&name));
    layout::page(status, &title, Some(user), "", content)
}

fn view(app: &App, paste: &Paste, text: Zeroizing<Vec<u8>>) -> Result<PreviewView, PlanError> {
    let tag = app.edits.tags.file(&text).to_string();
    // The form does not matter for the comparison.
    let maker = app.secret_maker(SecretForm::Plain);
    let rules = paste.rules(app, &maker);
    let replaced = Plan::new(paste, text.clone(), PasteMode::Replace, &rules)?;
    let added = Plan::new(paste, text, PasteMode::Add, &rules)?;
    let skipped = &added.import.skipped;
    let is_known =
        |reason: SkipReason| matches!(reason, SkipReason::InList(DuplicatePin::SameRow(_)));
    let known: Vec<u64> = skipped
        .iter()
        .filter(|skipped| is_known(skipped.reason))
        .map(|skipped| skipped.line)
        .collect();
    let left_out = skipped.iter().filter(|skipped| !is_known(skipped.reason));
    let reasons = left_out.map(|skipped| (skipped.line, skipped.reason.to_string()));
    let new = added.import.rows.len();
    Ok(PreviewView {
        name: paste.name.clone(),
        tag,
        lines: new + skipped.len(),
        new,
        pins: added.import.pins(),
        weak: Lines::of(&added.import.weak_lines()),
        left_out: skipped.len() - known.len(),
        known: Lines::of(&known),
        reasons: reasons.take(MAX_NAMED).collect(),
        is_numbered: added.import.is_numbered(),
        format: added.format(),
        unchecked: added.unchecked.iter().map(ToString::to_string).collect(),
        replaced: ReplacedView {
            new: replaced.import.rows.len(),
            kept: replaced.kept,
            removed: replaced.removed.len(),
            accounts: replaced.removed.into_iter().take(MAX_NAMED).collect(),
        },
    })
}

fn counts(view: &PreviewView) -> Markup {
    html! {
        p role="status" {
            "Nothing is saved yet. Lines: " (view.lines) ". New: " (view.new)
            ", of which weak: " (view.weak.count) ". There already: " (view.known.count)
            ". Left out: " (view.left_out) "."
        }
        (lines("Weak, because they are guessed first", &view.weak))
        (lines("There already, and stay as they are", &view.known))
        @for unchecked in &view.unchecked {
            p { "Warning: " (safe(&view.name)) ": " (unchecked) "." }
        }
        @if view.is_numbered && view.format == Some(Format::Md5) {
            p { "The list has no accounts: each row is numbered." }
        }
        @if view.is_numbered && view.format.is_none() {
            p {
                "The list has no accounts: each row is numbered, and callers who enter the PIN "
                "alone are found if it is stored as hmac-sha256, md5 or plain."
            }
        }
    }
}

pub(super) fn lines(what: &str, lines: &Lines) -> Markup {
    let numbers: Vec<String> = lines.first.iter().map(u64::to_string).collect();
    html! {
        @if lines.count > 0 {
            details {
                summary { (what) ": " (lines.count) }
                p { "Lines " (numbers.join(", ")) (more(lines.count)) }
            }
        }
    }
}

/// Returns how many lines or accounts are not named.
fn more(count: usize) -> String {
    match count.saturating_sub(MAX_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    }
}

/// Returns the table of lines that are left out, of which `reasons` has the first.
pub(super) fn left_out(count: usize, reasons: &[(u64, String)]) -> Markup {
    html! {
        @if count > 0 {
            (layout::table(&format!("Lines that are left out{}", more(count)), html! {
                thead { tr { th.number scope="col" { "Line" } th scope="col" { "Reason" } } }
                tbody {
                    @for (line, reason) in reasons {
                        tr { td.number { (line) } td { (reason) } }
                    }
                }
            }))
        }
    }
}

fn save_form(
    app: &App,
    user: &CurrentUser,
    id: HeldId,
    view: &PreviewView,
    chosen: &str,
) -> Markup {
    let replaced = &view.replaced;
    let can_replace = user.role >= Role::Admin && replaced.new + replaced.kept > 0;
    html! {
        @if view.new > 0 || can_replace {
            form.fields.wide method="post" action={ (PATH) "/add" } {
                input type="hidden" name="id" value=(id);
                input type="hidden" name="tag" value=(view.tag);
                @match view.format {
                    None => {
                        (secret_form::field(app, chosen))
                        (estimate(view.pins.max(replaced.new)))
                    }
                    Some(format) => {
                        input type="hidden" name="form" value=(line_form(format).name());
                        p { (stored_as(format)) }
                    }
                }
                @if view.new > 0 {
                    button type="submit" { "Add the new rows: " (view.new) }
                }
                @if can_replace {
                    p id="replace-help" {
                        "Or make the file exactly this list. Rows that go: " (replaced.removed)
                        ". Rows that stay as they are: " (replaced.kept)
                        ". New rows: " (replaced.new) "."
                    }
                    @if replaced.removed > 0 {
                        details {
                            summary { (what_goes(view.format)) }
                            p {
                                @for account in &replaced.accounts { (safe(account)) " " }
                                (more(replaced.removed))
                            }
                        }
                    }
                    button type="submit" formaction={ (PATH) "/replace" } aria-describedby="replace-help" {
                        "Replace the list: rows that go: " (replaced.removed)
                    }
                }
            }
        } @else {
            p {
                "There is nothing to save. "
                a href=(pin_file::url("/pin-file", &view.name)) { "Back to " (safe(&view.name)) }
            }
        }
    }
}

/// Returns how a file without columns has its PINs.
fn stored_as(format: Format) -> &'static str {
    match format {
        Format::Plain => "The file has its PINs in the clear. They are hashed in a CSV file only.",
        Format::Md5 => "The file has MD5 hashes. Stronger ones are in a CSV file only.",
    }
}

fn what_goes(format: Option<Format>) -> &'static str {
    match format {
        Some(Format::Plain) => "Lines that go",
        Some(Format::Md5) | None => "Accounts of the rows that go",
    }
}

pub(super) fn estimate(pins: usize) -> Markup {
    let time = HASH_TIME.saturating_mul(u32::try_from(pins).unwrap_or(u32::MAX));
    html! {
        @if time.as_secs() > 1 {
            p { "With argon2id this takes about " (time.as_secs()) " s." }
        }
    }
}
