//! The choice of the form in which new PINs are stored.

use maud::{html, Markup};

use crate::common::secret_maker::{SecretForm, SecretMaker};
use crate::console::app::App;

/// Returns a maker of secrets of the chosen form, unless there is no such form or no key
/// for it.
pub(super) fn maker(app: &App, name: &str) -> Option<SecretMaker> {
    let form = SecretForm::named(name).filter(|form| is_possible(app, *form))?;
    Some(app.secret_maker(form))
}

/// Returns whether PINs can be stored in this form.
fn is_possible(app: &App, form: SecretForm) -> bool {
    form != SecretForm::Hmac || app.config.pepper.signing().is_some()
}

/// Returns the form that is chosen by default: one that is found by the PIN alone, if
/// there is a key.
pub(super) fn default(app: &App) -> SecretForm {
    match is_possible(app, SecretForm::Hmac) {
        true => SecretForm::Hmac,
        false => SecretForm::Argon2id,
    }
}

/// Returns the field, whose name is `form`.
pub(super) fn field(app: &App, chosen: &str) -> Markup {
    let default = default(app).name();
    let chosen = SecretForm::named(chosen).map_or(default, SecretForm::name);
    html! {
        label {
            "Store PINs as"
            select name="form" aria-describedby="form-help" {
                @for form in SecretForm::ALL.into_iter().filter(|form| is_possible(app, *form)) {
                    option value=(form.name()) selected[form.name() == chosen] { (form.name()) }
                }
            }
        }
        p id="form-help" {
            "hmac-sha256: for callers who enter the PIN alone. "
            @if !is_possible(app, SecretForm::Hmac) {
                "It needs a key: pepper_file in console.toml. "
            }
            "argon2id: the strongest, for callers who are identified by number or account; it "
            "is not found by the PIN alone. md5 and plain: no protection if the file leaks."
        }
    }
}
