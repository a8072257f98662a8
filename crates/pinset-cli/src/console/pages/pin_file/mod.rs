//! One PIN file: its rows, without secrets.

use std::path::Path;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::header::REFRESH;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use axum::Extension;
use maud::{html, Markup};
use pinset::list::{FileKind, Format};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::edit_error::unreadable;
use super::layout::{self, safe, time};
use crate::common::csv_list::{self, CsvList};
use crate::console::access::CurrentUser;
use crate::console::app::App;
use crate::console::contents::{self, FileContents};
use crate::console::lists::ListFile;
use crate::console::rows::{self, IndexError, RowIndex, RowView, RowsPage, SortColumn, UseCounts};
use crate::console::users::Role;
use crate::pin_files::tags::{FileTag, TagKey};

pub(in crate::console) mod check;
pub(in crate::console) mod chosen;
mod conflict;
mod describe;
pub(in crate::console) mod download;
mod fields;
mod form;
pub(in crate::console) mod line_file;
mod locks;
mod query;
pub(in crate::console) mod row;
mod save;
mod saved;
pub(in crate::console) mod saving;
mod table;
pub(in crate::console) mod undo;
mod uses;
pub(in crate::console) mod verify;

pub(super) use query::url;
use query::RowQuery;
pub(super) use row::{links as row_links, not_again};
use table::Table;
use uses::FileUses;

/// The query of a page of a PIN file.
#[derive(Deserialize)]
pub(in crate::console) struct FileName {
    name: String,
}

/// A PIN file as the page shows it.
struct FileView {
    file: ListFile,
    content: Content,
    /// Who has changed it last, if that was on a page.
    changed_by: Option<String>,
    /// The last change, if this session can undo it.
    undoable: Option<(&'static str, FileTag)>,
}

/// What is in a PIN file.
enum Content {
    Rows {
        page: RowsPage,
        /// The tags of the rows on the page.
        tags: Vec<String>,
        rows: usize,
        accounts: usize,
        /// Whether the whole file was read, and not its index.
        is_whole: bool,
    },
    /// A plain or MD5 file, or an empty one.
    Lines {
        format: Option<Format>,
        pins: u64,
        invalid: usize,
    },
    /// A large file whose index is being made.
    BeingRead,
    /// With the reason.
    Invalid(String),
}

/// Answers with the page.
pub(in crate::console) async fn page(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Query(query): Query<RowQuery>,
) -> Response {
    let (for_view, session) = (query.clone(), user.session);
    let state_first = match query.order().0 {
        SortColumn::Uses => Some(uses::of(&app, &query.name).await),
        _ => None,
    };
    let state_first = Arc::new(state_first);
    let for_order = Arc::clone(&state_first);
    let viewed = contents::read(&app, &query.name, move |app, file, contents, tag| {
        FileView {
            changed_by: tag.and_then(|tag| changed_by(app, &file.name, tag)),
            undoable: tag.and_then(|tag| app.edits.undoable(session, &file.name, tag)),
            content: {
                let state = for_order.as_ref().as_ref();
                let uses = state.and_then(|state| state.uses.as_ref());
                content(app, contents, &for_view, uses)
            },
            file,
        }
    });
    let view = match viewed.await {
        Ok(view) => view,
        Err(why) => return unreadable(&query.name, &why),
    };
    let content = match &view.content {
        Content::Rows {
            page,
            tags,
            rows,
            is_whole,
            ..
        } => {
            let state_now;
            let state = match state_first.as_ref() {
                Some(state) => state,
                None => {
                    state_now = uses::of(&app, &query.name).await;
                    &state_now
                }
            };
            let rows = Table {
                page,
                tags,
                all: *rows,
                is_whole: *is_whole,
                state,
                numbering: &app.config.numbering,
                user: &user,
            };
            table::rows(&query, &rows, may_change(&view, &user))
        }
        Content::Lines {
            format,
            pins,
            invalid,
        } => {
            let user = may_change(&view, &user).then_some(&user);
            line_file::summary(&query.name, *format, (*pins, *invalid), user)
        }
        Content::BeingRead => being_read(),
        Content::Invalid(why) => html! {
            (layout::summary(&format!("The rows can't be shown: {why}")))
            p { "The page " a href=(url("/pin-file/check", &query.name)) { "Check" } " shows what is wrong." }
        },
    };
    let content = html! {
        @if let Some(count) = query.unlocked { p role="status" { "Unlocked: " (count) } }
        (summary(&view, &user))
        @if user.role >= Role::Operator { (check::counts(&app, &query.name).await) }
        (content)
    };
    let title = safe(&query.name);
    let mut response = layout::page(StatusCode::OK, &title, Some(&user), "", content);
    if let Content::BeingRead = view.content {
        let refresh = HeaderValue::from_static(REFRESH_SECONDS);
        response.headers_mut().insert(REFRESH, refresh);
    }
    response
}

/// Seconds after which the page of a file that is being read is loaded again.
const REFRESH_SECONDS: &str = "1";

fn being_read() -> Markup {
    html! {
        p role="status" {
            "The file has many rows, or has changed, and is being read. This page is loaded again \
             by itself."
        }
    }
}

fn changed_by(app: &App, name: &str, tag: FileTag) -> Option<String> {
    // Who it was is only an addition to the time.
    app.trail.user_of(name, &tag.to_string()).ok().flatten()
}

fn content(
    app: &App,
    contents: FileContents,
    query: &RowQuery,
    uses: Option<&FileUses>,
) -> Content {
    let shown = match contents {
        FileContents::Text(text) => return text_content(app, text, query, uses),
        FileContents::Index(index) => index_content(app, &index, query),
        FileContents::BeingRead => Ok(Content::BeingRead),
        FileContents::Failed(why) => Err(why),
    };
    shown.unwrap_or_else(Content::Invalid)
}

fn index_content(app: &App, index: &RowIndex, query: &RowQuery) -> Result<Content, String> {
    let (page, list) = match index.page(&query.selection(UseCounts::new())) {
        // It is read again.
        Err(IndexError::Changed) => return Ok(Content::BeingRead),
        Err(why) => {
            // Another one is made for the next page.
            app.indexes.remove(&query.name);
            return Err(why.to_string());
        }
        Ok(page) => page,
    };
    Ok(Content::Rows {
        tags: tags(&app.edits.tags, &list, &page.rows),
        page,
        rows: index.rows(),
        accounts: index.accounts(),
        is_whole: false,
    })
}

/// Returns the tags of the rows on a page.
fn tags(key: &TagKey, list: &CsvList, rows: &[RowView]) -> Vec<String> {
    let tag = |row: &RowView| key.row(list, row.row).to_string();
    rows.iter().map(tag).collect()
}

fn text_content(
    app: &App,
    text: Zeroizing<Vec<u8>>,
    query: &RowQuery,
    uses: Option<&FileUses>,
) -> Content {
    let kind = match csv_list::kind(&text) {
        Some(FileKind::Csv) => match csv_content(app, text, query, uses) {
            Ok(content) => return content,
            Err(why) => return Content::Invalid(why),
        },
        kind => kind,
    };
    let format = match kind {
        Some(FileKind::Lines(format)) => Some(format),
        Some(FileKind::Csv) | None => None,
    };
    let shown = FileKind::Lines(format.unwrap_or(Format::Plain));
    match csv_list::load(&text, shown, &app.config.numbering) {
        Ok(rows) => Content::Lines {
            format,
            pins: rows.len(),
            invalid: rows.broken().len(),
        },
        Err(why) => Content::Invalid(why.to_string()),
    }
}

fn csv_content(
    app: &App,
    text: Zeroizing<Vec<u8>>,
    query: &RowQuery,
    uses: Option<&FileUses>,
) -> Result<Content, String> {
    let list = CsvList::read(text).map_err(|why| why.to_string())?;
    let all = rows::all(&list, &app.config.numbering).map_err(|why| why.to_string())?;
    let mut accounts: Vec<&str> = all.iter().map(|row| row.account.as_str()).collect();
    accounts.sort_unstable();
    accounts.dedup();
    let (count, accounts) = (all.len(), accounts.len());
    let uses = uses.map(|uses| uses.counts(&all)).unwrap_or_default();
    let page = rows::select(all, &query.selection(uses));
    Ok(Content::Rows {
        tags: tags(&app.edits.tags, &list, &page.rows),
        page,
        rows: count,
        accounts,
        is_whole: true,
    })
}

/// Returns what is above the table: counts, the last change, the way to undo it.
fn summary(view: &FileView, user: &CurrentUser) -> Markup {
    let file = &view.file;
    html! {
        p {
            @if let Content::Rows { rows, accounts, .. } = &view.content {
                "Rows: " (rows) ". Accounts: " (accounts) ". "
            }
            "Changed " (time(file.changed))
            @if let Some(user) = &view.changed_by { " by " (user) }
            "."
        }
        @if let Some(remedy) = &file.denied {
            p { "Read only, because it is not the console's own file. As root: " code { (safe(remedy)) } }
        }
        @if let Content::Rows { .. } = view.content { (download::links(&file.name, user)) }
        @if user.role >= Role::Operator {
            p {
                a href=(url("/pin-file/check", &file.name)) { "Check the file" } " "
                a href=(url("/pin-file/verify", &file.name)) { "Check a PIN" }
            }
        }
        @if may_add(view) && may_change(view, user) {
            p {
                a href=(url("/pin-file/add", &file.name)) { "Add a row" } " "
                a href=(url("/pin-file/paste", &file.name)) { "Paste a list" } " "
                a href=(url("/pin-file/make-pins", &file.name)) { "Make PINs" }
            }
        }
        @if let Some((action, tag)) = view.undoable { (undo::form(&file.name, action, tag)) }
    }
}

/// Returns the source of a PIN set, with a link to the page if it is a file in the folder.
pub(super) fn source(app: &App, source: &str) -> Markup {
    let path = source.strip_prefix("file:").map(Path::new);
    let name = path.and_then(|path| path.strip_prefix(&app.config.lists).ok()?.to_str());
    html! {
        @match name.filter(|name| !name.contains('/')) {
            Some(name) => { a href=(url("/pin-file", name)) { (source) } }
            None => { (source) }
        }
    }
}

/// Returns whether rows can be added: the file is CSV, or becomes it.
fn may_add(view: &FileView) -> bool {
    matches!(
        view.content,
        Content::Rows { .. } | Content::Lines { format: None, .. }
    )
}

/// Returns whether a user may change rows, and the console the file.
fn may_change(view: &FileView, user: &CurrentUser) -> bool {
    user.role >= Role::Operator && view.file.denied.is_none()
}
