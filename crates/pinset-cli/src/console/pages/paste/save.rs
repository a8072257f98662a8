//! The save of a pasted list, after its preview.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::Extension;
use serde::Deserialize;

use super::super::{edit_error, job, pin_file, secret_form};
use super::plan::{line_form, Paste, PasteMode, Plan};
use super::{preview, stale, PATH};
use crate::common::secret_maker::SecretMaker;
use crate::console::access::CurrentUser;
use crate::console::app::App;
use crate::console::edits::EditError;
use crate::console::form::Fields;
use crate::console::jobs::{self, Job, JobError, JobView, PreparedText, Saved};
use crate::console::lists;
use crate::console::trail::Change;

/// The fields of the preview.
#[derive(Deserialize)]
pub(in crate::console) struct SavePaste {
    id: String,
    tag: String,
    form: String,
}

/// Adds the new rows.
pub(in crate::console) async fn add(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Fields(fields): Fields<SavePaste>,
) -> Response {
    save(&app, &user, &fields, PasteMode::Add).await
}

/// Makes the file exactly the list.
pub(in crate::console) async fn replace(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Fields(fields): Fields<SavePaste>,
) -> Response {
    save(&app, &user, &fields, PasteMode::Replace).await
}

/// The fields of the form that drops a list.
#[derive(Deserialize)]
pub(in crate::console) struct DiscardPaste {
    id: String,
}

/// Wipes a list.
pub(in crate::console) async fn discard(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Fields(fields): Fields<DiscardPaste>,
) -> Response {
    match preview::held(&app, &user, &fields.id) {
        Ok((id, paste)) => {
            app.pastes.remove(user.session, id);
            Redirect::to(&pin_file::url(PATH, &paste.name)).into_response()
        }
        Err(answer) => *answer,
    }
}

async fn save(app: &Arc<App>, user: &CurrentUser, fields: &SavePaste, mode: PasteMode) -> Response {
    let (id, paste) = match preview::held(app, user, &fields.id) {
        Ok(held) => held,
        Err(answer) => return *answer,
    };
    let again = |why| {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        preview::show(
            app,
            user,
            id,
            Arc::clone(&paste),
            &fields.form,
            status,
            Some(why),
        )
    };
    let Some(maker) = secret_form::maker(app, &fields.form) else {
        let why = "PINs can't be stored in this form. Choose another one.";
        return again(why).await;
    };
    let job = match paste.import(&app.config.numbering) {
        Ok(import) => Job::new(&paste.name, preview::url(id), import.pins()).of_paste(id),
        Err(why) => return again(&why.to_string()).await,
    };
    let (form, tag, of_paste) = (maker.form, fields.tag.clone(), Arc::clone(&paste));
    let started = jobs::start(app, user, job, form, move |app, job| {
        prepare(app, job, &of_paste, &tag, mode, &maker)
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
            (StatusCode::CONFLICT, stale(&paste.name))
        }
        JobView::Failed(Some(EditError::Refused(why))) => (
            StatusCode::UNPROCESSABLE_ENTITY,
            format!("Nothing was saved: {why}."),
        ),
        JobView::Failed(Some(why)) => {
            return edit_error::failed(&paste.name, why, |why| job::failed(&job, &why));
        }
        _ => return Redirect::to(&job::url(started)).into_response(),
    };
    app.jobs.remove(user.session, started);
    preview::show(app, user, id, paste, &fields.form, status, Some(&why)).await
}

/// Makes the new text of the file.
fn prepare(
    app: &App,
    job: &Job,
    paste: &Paste,
    tag: &str,
    mode: PasteMode,
    maker: &SecretMaker,
) -> Result<PreparedText, JobError> {
    let invalid = |why: &dyn ToString| JobError::Invalid("", why.to_string());
    let read = lists::read(&app.config.lists, &paste.name);
    let (_, text) = read.map_err(|why| invalid(&why))?;
    let tag_before = app.edits.tags.file(&text);
    if tag_before.to_string() != tag {
        return Err(JobError::Changed);
    }
    let rules = paste.rules(app, maker);
    let plan = Plan::new(paste, text, mode, &rules).map_err(|why| invalid(&why))?;
    let (text, out_of_reach) = plan.text(&rules, || job.progress())?;
    let form = plan.format().map_or(maker.form, line_form);
    let (added, removed) = (plan.import.rows.len(), plan.removed.len());
    let action = match mode {
        PasteMode::Add => "paste rows",
        PasteMode::Replace => "replace list",
    };
    Ok(PreparedText {
        text,
        tag: tag_before,
        change: Change {
            before: format!("rows removed: {removed}"),
            after: format!("rows added: {added}, secrets: {}", form.name()),
            ..Change::of(action)
        },
        saved: Saved {
            added,
            removed,
            out_of_reach,
            hand_out: None,
        },
    })
}
