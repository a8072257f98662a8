//! Making a CSV file of a plain or MD5 file, as `pinset convert` does: a preview in which
//! nothing is saved, the save.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::Extension;
use maud::{html, Markup};
use pinset::list::format::csv::Column;
use pinset::list::{FileKind, Format};
use serde::Deserialize;
use thiserror::Error;
use zeroize::Zeroizing;

use super::super::layout::{self, safe};
use super::super::pin_file::line_file::other_kind;
use super::super::{edit_error, error, job, pin_file, secret_form};
use super::preview::{estimate, left_out, lines, Lines, MAX_NAMED};
use super::stale;
use crate::common::csv_list::{kind, CsvList};
use crate::common::secret_maker::SecretMaker;
use crate::console::access::CurrentUser;
use crate::console::app::App;
use crate::console::edits::{self, EditError};
use crate::console::form::Fields;
use crate::console::held::MAX_ROWS;
use crate::console::jobs::{self, Job, JobError, JobView, PreparedText, Saved};
use crate::console::lists;
use crate::console::trail::Change;
use crate::pin_files::import::{AppendError, Import, ImportError, SourceFormat, SourceOptions};
use crate::pin_files::RowRules;

const PATH: &str = "/pin-file/convert";

/// The query of the preview.
#[derive(Deserialize)]
pub(in crate::console) struct ConvertQuery {
    name: String,
}

/// The fields of the preview.
#[derive(Deserialize)]
pub(in crate::console) struct ConvertFields {
    name: String,
    /// The tag of the file.
    tag: String,
    form: String,
}

/// The reason why a file can't be converted.
#[derive(Debug, Error)]
enum ConvertError {
    #[error("no plain or MD5 file")]
    OtherKind,
    #[error("it has more than {MAX_ROWS} lines")]
    TooManyRows,
    #[error("none of its lines has a PIN")]
    Empty,
    #[error(transparent)]
    Import(#[from] ImportError),
}

/// What the preview shows.
struct ConvertView {
    tag: String,
    format: Format,
    rows: usize,
    pins: usize,
    weak: Lines,
    skipped: usize,
    /// The first lines that are left out, with the reason.
    reasons: Vec<(u64, String)>,
    is_denied: Option<String>,
}

/// Answers with the preview.
pub(in crate::console) async fn page(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Query(query): Query<ConvertQuery>,
) -> Response {
    show(&app, &user, &query.name, "", StatusCode::OK, None).await
}

/// Makes the file CSV.
pub(in crate::console) async fn convert(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Fields(fields): Fields<ConvertFields>,
) -> Response {
    let ConvertFields { name, tag, form } = fields;
    let Some(maker) = secret_form::maker(&app, &form) else {
        let why = "PINs can't be stored in this form. Choose another one.";
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return show(&app, &user, &name, &form, status, Some(why)).await;
    };
    let read = edits::read(&app, &name, |app, _, text| source(app, &text));
    let pins = match read.await {
        Ok(Ok((_, import))) => import.pins(),
        Ok(Err(why)) => return refused(&name, &why),
        Err(why) => return edit_error::unreadable(&name, &why),
    };
    let job = Job::new(&name, pin_file::url(PATH, &name), pins);
    let (stored, of_job) = (maker.form, name.clone());
    let started = jobs::start(&app, &user, job, stored, move |app, job| {
        prepare(app, job, &of_job, &tag, &maker)
    });
    let started = match started.await {
        Ok(started) => started,
        Err(why) => return job::not_started(&why),
    };
    let Some(job) = app.jobs.find(user.session, started, Instant::now()) else {
        return Redirect::to(&job::url(started)).into_response();
    };
    let (status, why) = match job.view() {
        JobView::Failed(Some(EditError::Refused(JobError::Changed))) => {
            (StatusCode::CONFLICT, stale(&name))
        }
        JobView::Failed(Some(EditError::Refused(why))) => (
            StatusCode::UNPROCESSABLE_ENTITY,
            format!("Nothing was saved: {why}."),
        ),
        JobView::Failed(Some(why)) => {
            return edit_error::failed(&name, why, |why| job::failed(&job, &why));
        }
        _ => return Redirect::to(&job::url(started)).into_response(),
    };
    app.jobs.remove(user.session, started);
    show(&app, &user, &name, &form, status, Some(&why)).await
}

/// Reads the rows of a plain or MD5 file, as the command does.
fn source(app: &App, text: &[u8]) -> Result<(Format, Import), ConvertError> {
    let Some(FileKind::Lines(format)) = kind(text) else {
        return Err(ConvertError::OtherKind);
    };
    if memchr::memchr_iter(b'\n', text).count() > MAX_ROWS {
        return Err(ConvertError::TooManyRows);
    }
    let options = SourceOptions {
        format: match format {
            Format::Plain => SourceFormat::Plain,
            Format::Md5 => SourceFormat::Md5,
        },
        assume_enabled: false,
        shared_pins: false,
    };
    let import = Import::read(text, options, &app.config.numbering)?;
    match import.rows.is_empty() {
        true => Err(ConvertError::Empty),
        false => Ok((format, import)),
    }
}

/// Makes the new text of the file.
fn prepare(
    app: &App,
    job: &Job,
    name: &str,
    tag: &str,
    maker: &SecretMaker,
) -> Result<PreparedText, JobError> {
    let invalid = |why: &dyn ToString| JobError::Invalid("", why.to_string());
    let (_, text) = lists::read(&app.config.lists, name).map_err(|why| invalid(&why))?;
    let tag_before = app.edits.tags.file(&text);
    if tag_before.to_string() != tag {
        return Err(JobError::Changed);
    }
    let (_, import) = source(app, &text).map_err(|why| invalid(&why))?;
    let rules = RowRules {
        numbering: &app.config.numbering,
        maker,
        shared_pins: true,
    };
    let list = CsvList::new(&[Column::Account, Column::Secret]);
    let appended = import.append(&list, &rules, || job.progress());
    let appended = appended.map_err(|why| match why {
        AppendError::Secret(why) => why.into(),
        AppendError::Table(why) => invalid(&why),
    })?;
    let (added, skipped) = (import.rows.len(), import.skipped.len());
    Ok(PreparedText {
        text: appended.text,
        tag: tag_before,
        change: Change {
            before: format!("lines left out: {skipped}"),
            after: format!("rows: {added}, secrets: {}", maker.form.name()),
            ..Change::of("make CSV")
        },
        saved: Saved {
            added,
            removed: 0,
            out_of_reach: appended.out_of_reach,
            hand_out: None,
        },
    })
}

fn refused(name: &str, why: &ConvertError) -> Response {
    let remedy = match why {
        ConvertError::OtherKind => return other_kind(name),
        ConvertError::TooManyRows => "As root, pinset convert makes a CSV file of it.",
        ConvertError::Empty => "Delete its lines, or paste a list into it.",
        ConvertError::Import(_) => "The page Check shows what is wrong.",
    };
    error::page(
        StatusCode::UNPROCESSABLE_ENTITY,
        &format!("{} can't be made CSV: {why}. It is unchanged.", safe(name)),
        remedy,
    )
}

/// Returns the preview, made of the file as it is now. `chosen` is the form of secrets.
async fn show(
    app: &Arc<App>,
    user: &CurrentUser,
    name: &str,
    chosen: &str,
    status: StatusCode,
    wrong: Option<&str>,
) -> Response {
    let read = edits::read(app, name, |app, listed, text| {
        view(app, &text).map(|view| ConvertView {
            is_denied: listed.denied,
            ..view
        })
    });
    let view = match read.await {
        Ok(Ok(view)) => view,
        Ok(Err(why)) => return refused(name, &why),
        Err(why) => return edit_error::unreadable(name, &why),
    };
    if let Some(remedy) = &view.is_denied {
        return edit_error::denied(name, remedy);
    }
    let content = html! {
        @if let Some(why) = wrong { (layout::summary(why)) }
        (counts(&view))
        (left_out(view.skipped, &view.reasons))
        form.fields.wide method="post" action=(PATH) {
            input type="hidden" name="name" value=(name);
            input type="hidden" name="tag" value=(view.tag);
            (secret_form::field(app, chosen))
            (estimate(view.pins))
            button type="submit" { "Make it a CSV file: rows: " (view.rows) }
            a href=(pin_file::url("/pin-file", name)) { "Back without a change" }
        }
    };
    let title = format!("Make {} a CSV file", safe(name));
    layout::page(status, &title, Some(user), "", content)
}

fn view(app: &App, text: &Zeroizing<Vec<u8>>) -> Result<ConvertView, ConvertError> {
    let (format, import) = source(app, text)?;
    let skipped = &import.skipped;
    let reasons = skipped.iter().take(MAX_NAMED);
    Ok(ConvertView {
        tag: app.edits.tags.file(text).to_string(),
        format,
        rows: import.rows.len(),
        pins: import.pins(),
        weak: Lines::of(&import.weak_lines()),
        skipped: skipped.len(),
        reasons: reasons
            .map(|skipped| (skipped.line, skipped.reason.to_string()))
            .collect(),
        is_denied: None,
    })
}

fn counts(view: &ConvertView) -> Markup {
    html! {
        p role="status" {
            "Nothing is saved yet. Rows: " (view.rows) ", of which weak: " (view.weak.count)
            ". Lines that are left out: " (view.skipped) "."
        }
        (lines("Weak, because they are guessed first", &view.weak))
        p {
            @match view.format {
                Format::Plain => {
                    "The account of each row is the number of its line. Callers who enter the PIN "
                    "alone are found if it is stored as hmac-sha256, md5 or plain."
                }
                Format::Md5 => {
                    "The accounts and the MD5 hashes stay. A stronger form needs the PIN: make new "
                    "PINs afterwards."
                }
            }
        }
        p {
            "A CSV file is read by PIN sets with " code { "format = auto" } " or "
            code { "csv" } ". Authenticate() with the path of the file does not read it."
        }
    }
}
