//! The form for a new PIN set.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::Extension;
use maud::{html, Markup};
use serde::Deserialize;

use super::{changes, error, layout, pbx, reload};
use crate::console::access::CurrentUser;
use crate::console::app::App;
use crate::console::form::Fields;
use crate::console::new_pin_set::{CreatedFiles, NewPinSet, SetField};
use crate::console::pbx::{PbxClient, RequestError};
use crate::console::trail::Change;

const TITLE: &str = "New PIN set";

/// The ways in which callers are known, and what the form calls them.
const IDENTIFY: [(&str, &str); 3] = [
    ("pin", "the PIN alone"),
    ("caller", "their number, and the PIN proves it"),
    (
        "account",
        "an account that they enter, and the PIN proves it",
    ),
];

/// The fields of the form.
#[derive(Deserialize)]
pub(in crate::console) struct NewPinSetForm {
    #[serde(default)]
    pbx: String,
    name: String,
    #[serde(default)]
    description: String,
    identify: String,
    #[serde(default)]
    digits: String,
    account_code: Option<String>,
}

impl NewPinSetForm {
    fn pin_set(&self) -> NewPinSet {
        NewPinSet {
            name: self.name.trim().to_owned(),
            description: self.description.trim().to_owned(),
            identify: self.identify.clone(),
            digits: self.digits.trim().to_owned(),
            has_account_code: self.account_code.is_some(),
        }
    }
}

/// What was entered, and what is wrong with it.
struct Entered<'a> {
    pbx: &'a str,
    set: &'a NewPinSet,
    errors: BTreeMap<SetField, String>,
    /// What is wrong with all of it.
    summary: Option<Markup>,
}

/// Answers with the form.
pub(in crate::console) async fn page(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
) -> Response {
    let set = NewPinSet {
        identify: "pin".to_owned(),
        digits: "6".to_owned(),
        has_account_code: true,
        ..NewPinSet::default()
    };
    let entered = Entered {
        pbx: "",
        set: &set,
        errors: BTreeMap::new(),
        summary: None,
    };
    form(StatusCode::OK, &app, &user, &entered)
}

/// Makes the PIN set, and has the PBX reload. Nothing stays if that finds errors.
pub(in crate::console) async fn create(
    State(app): State<Arc<App>>,
    Extension(user): Extension<CurrentUser>,
    Fields(fields): Fields<NewPinSetForm>,
) -> Response {
    let set = fields.pin_set();
    let refused = |errors, summary| {
        let entered = Entered {
            pbx: &fields.pbx,
            set: &set,
            errors,
            summary: Some(summary),
        };
        form(StatusCode::UNPROCESSABLE_ENTITY, &app, &user, &entered)
    };
    let errors = set.errors(&app.config.lists);
    if !errors.is_empty() {
        let summary = layout::summary("Nothing was made. Correct the marked fields.");
        return refused(errors, summary);
    }
    let client = match &app.config.sets {
        None => None,
        Some(_) => match pbx::named(&app, &fields.pbx) {
            Ok(client) => Some(client),
            Err(answer) => return *answer,
        },
    };
    let change = Change {
        pin_set: set.name.clone(),
        after: format!("identify = {}, digits = {}", set.identify, set.digits),
        ..Change::of("new PIN set")
    };
    if let Err(answer) = changes::record(&app, &user, &change) {
        return *answer;
    }
    let files = match files(&app, &set).await {
        Ok(files) => files,
        Err(why) => {
            not_saved(&app, &user, change);
            let errors = BTreeMap::from([(SetField::Name, why.clone())]);
            return refused(errors, layout::summary(&format!("Nothing was made. {why}")));
        }
    };
    let Some(client) = client else {
        return lines_to_add(&app, &user, &set);
    };
    match take_over(client, &fields.pbx, &set.name).await {
        Ok(()) => made(&user, &fields.pbx, &set),
        Err(why) => {
            files.take_back();
            not_saved(&app, &user, change);
            refused(BTreeMap::new(), why)
        }
    }
}

/// Creates the files on a thread that may block. The text of the error is for the page.
async fn files(app: &Arc<App>, set: &NewPinSet) -> Result<CreatedFiles, String> {
    let (app, set) = (Arc::clone(app), set.clone());
    let created = tokio::task::spawn_blocking(move || {
        let config = &app.config;
        set.create(&config.lists, config.sets.as_deref())
    });
    let created = created.await.map_err(|error| error.to_string())?;
    created.map_err(|error| error.to_string())
}

/// Has the PBX read the section. The text of the error is for the page.
async fn take_over(client: &PbxClient, pbx: &str, name: &str) -> Result<(), Markup> {
    let failed = |why: &RequestError| {
        html! { p { "Nothing was made." } (pbx::failure(pbx, why)) }
    };
    let result = client.reload().await.map_err(|why| failed(&why))?;
    if !result.applied {
        return Err(html! {
            (layout::summary(&format!(
                "Nothing was made: {pbx} has rejected authenticate.conf and the PIN sets of the \
                 console. Errors: {}",
                result.total
            )))
            (reload::table(&result.errors))
        });
    }
    let sets = client.pin_sets().await.map_err(|why| failed(&why))?;
    let is_there = sets.iter().any(|set| set.name.eq_ignore_ascii_case(name));
    match is_there {
        true => Ok(()),
        false => Err(layout::summary(&format!(
            "Nothing was made: {pbx} does not read the folder of the console. Set console_sets in \
             [general] of its authenticate.conf to the folder sets of console.toml."
        ))),
    }
}

/// Records that the change was taken back. It was, whether or not this is recorded.
fn not_saved(app: &App, user: &CurrentUser, change: Change) {
    let change = Change {
        action: "not saved",
        after: change.action.to_owned(),
        ..change
    };
    let _ = changes::record(app, user, &change);
}

fn made(user: &CurrentUser, pbx: &str, set: &NewPinSet) -> Response {
    let content = html! {
        p role="status" { "PIN set " (set.name) " is in force on " (pbx) ", without a PIN yet." }
        p { "The dialplan needs: " code { "Authenticate(pinset:" (set.name) ")" } }
        p { a href={ "/pin-file?name=" (set.name) ".csv" } { "PIN file " (set.name) ".csv" } }
    };
    layout::page(StatusCode::OK, TITLE, Some(user), "/", content)
}

/// What an administrator adds to authenticate.conf if the console may not.
fn lines_to_add(app: &App, user: &CurrentUser, set: &NewPinSet) -> Response {
    let content = html! {
        p role="status" {
            "PIN file " (set.name) ".csv was made. Add these lines to authenticate.conf, and \
             reload it:"
        }
        pre tabindex="0" { code { (set.section(&app.config.lists)) } }
        @for pbx in app.pbxs.keys() {
            form method="post" action="/reload" {
                input type="hidden" name="pbx" value=(pbx);
                button type="submit" { "Reload " (pbx) }
            }
        }
        p { "The dialplan needs: " code { "Authenticate(pinset:" (set.name) ")" } }
        p { a href={ "/pin-file?name=" (set.name) ".csv" } { "PIN file " (set.name) ".csv" } }
    };
    layout::page(StatusCode::OK, TITLE, Some(user), "/", content)
}

fn form(status: StatusCode, app: &App, user: &CurrentUser, entered: &Entered<'_>) -> Response {
    if app.config.sets.is_some() && app.pbxs.is_empty() {
        return error::page(
            StatusCode::CONFLICT,
            "No PBX is configured that could use a PIN set.",
            "Add a section [pbx.main] to console.toml; pinset console init writes one.",
        );
    }
    let set = entered.set;
    let content = html! {
        @if let Some(summary) = &entered.summary { (summary) }
        form.fields method="post" action="/new-pin-set" {
            @if app.config.sets.is_some() { (choice_of_pbx(app, entered.pbx)) }
            (text(entered, SetField::Name, "Name", "name", &set.name,
                "letters, digits, '-', '_' and '.'"))
            (text(entered, SetField::Description, "Description", "description", &set.description,
                "a comment in the file of the PIN set"))
            (identify(entered))
            (text(entered, SetField::Digits, "Digits of each PIN", "digits", &set.digits,
                "empty: any number"))
            label.check {
                input type="checkbox" name="account_code" value="yes" checked[set.has_account_code];
                "Account in the CDR"
            }
            button type="submit" { "Make the PIN set" }
        }
        p { (purpose(app.config.sets.as_deref())) }
    };
    layout::page(status, TITLE, Some(user), "/", content)
}

/// What the form does.
fn purpose(sets: Option<&Path>) -> String {
    match sets {
        Some(sets) => format!(
            "This makes an empty PIN file and a section in {}, and reloads authenticate.conf. \
             Destinations, sounds and web services are set in authenticate.conf only.",
            sets.display()
        ),
        None => "This makes an empty PIN file, and shows the lines for authenticate.conf, which \
                 the console may not change."
            .to_owned(),
    }
}

fn choice_of_pbx(app: &App, chosen: &str) -> Markup {
    html! {
        label {
            "PBX"
            select name="pbx" {
                @for pbx in app.pbxs.keys() {
                    option value=(pbx) selected[pbx == chosen] { (pbx) }
                }
            }
        }
    }
}

/// An input with its hint and its error, which its description has.
fn text(
    entered: &Entered<'_>,
    field: SetField,
    label: &str,
    name: &str,
    value: &str,
    hint: &str,
) -> Markup {
    let error = entered.errors.get(&field);
    html! {
        div {
            label for=(name) { (label) }
            input id=(name) name=(name) value=(value) autocomplete="off"
                required[field == SetField::Name] aria-invalid=[error.map(|_| "true")]
                aria-describedby={ (name) "-hint" };
            p.hint id={ (name) "-hint" } {
                @if let Some(error) = error { span.error { "✗ " (error) } " " }
                (hint)
            }
        }
    }
}

fn identify(entered: &Entered<'_>) -> Markup {
    let error = entered.errors.get(&SetField::Identify);
    html! {
        fieldset aria-describedby=[error.map(|_| "identify-error")] {
            legend { "Callers are known by" }
            @if let Some(error) = error { p.error id="identify-error" { "✗ " (error) } }
            @for (value, label) in IDENTIFY {
                label.check {
                    input type="radio" name="identify" value=(value)
                        checked[entered.set.identify == value];
                    (label)
                }
            }
        }
    }
}
