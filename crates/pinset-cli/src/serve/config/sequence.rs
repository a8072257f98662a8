//! Rendering of the answers to calls, once when the configuration is read.

use bytes::Bytes;
use pinset::external::response::{Action, Gather, ServiceAnswer};
use pinset::pin::MAX_DIGITS;
use thiserror::Error;

use super::{raw, AUDIO};
use crate::common::toml_file::OptionText;

/// The reason why prompts or actions can't be carried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub(super) enum SequenceError {
    #[error("no action may follow connect, dial or hangup")]
    AfterEnd,
    #[error("must end with connect, dial or hangup")]
    MissingEnd,
    #[error("must be from 1 to 254")]
    Digits,
    #[error("above max_digits")]
    MinAboveMax,
    #[error("must be a name of up to 64 letters, digits and _")]
    VariableName,
    #[error(
        "must be a URL: https://…, or, with public_url, a path or the name of a file under audio"
    )]
    Sound,
    #[error("must be a URL without ? and #: https://…")]
    PublicUrl,
    #[error("a destination must be an extension or a number")]
    Destination,
}

/// An error, and where in the file it is if it is about the value of an option.
type LocatedError = (Option<usize>, SequenceError);

/// Returns the answer with these actions.
///
/// # Errors
///
/// Fails if a PBX could not carry them out.
pub(super) fn render(actions: &[raw::Action], base: Base<'_>) -> Result<Bytes, SequenceError> {
    let actions = actions.iter().map(|raw| action(raw, base));
    let actions: Vec<Action> = actions.collect::<Result<_, _>>()?;
    let last = actions.len().saturating_sub(1);
    for (at, action) in actions.iter().enumerate() {
        let ends = !matches!(action, Action::Play { .. } | Action::Say { .. });
        if at < last && ends {
            return Err(SequenceError::AfterEnd);
        }
        if at == last && !ends {
            return Err(SequenceError::MissingEnd);
        }
    }
    if actions.is_empty() {
        return Err(SequenceError::MissingEnd);
    }
    Ok(json(actions))
}

/// Returns the prompt that a section of the file configures, or the default.
pub(super) fn gather(
    raw: Option<&raw::Gather>,
    variable: &str,
    base: Base<'_>,
) -> Result<super::Gather, LocatedError> {
    let digits = |given: Option<&toml::Spanned<usize>>, default| match given {
        None => Ok(default),
        Some(given) if (1..=MAX_DIGITS).contains(given.get_ref()) => Ok(*given.get_ref()),
        Some(given) => Err((Some(given.span().start), SequenceError::Digits)),
    };
    let sound = |given: Option<&toml::Spanned<String>>| {
        let sound = given.map(|given| {
            let url = base.sound(given.get_ref());
            url.map_err(|why| (Some(given.span().start), why))
        });
        sound.transpose()
    };
    let least = digits(raw.and_then(|raw| raw.min_digits.as_ref()), 1)?;
    let most = digits(raw.and_then(|raw| raw.max_digits.as_ref()), 4.max(least))?;
    if least > most {
        let at = raw.and_then(|raw| raw.min_digits.as_ref());
        return Err((at.map(|at| at.span().start), SequenceError::MinAboveMax));
    }
    let ask = sound(raw.and_then(|raw| raw.ask.as_ref()))?;
    let again = sound(raw.and_then(|raw| raw.ask_again.as_ref()))?;
    let given = raw.and_then(|raw| raw.variable_name.as_ref());
    let variable = given.map_or(variable, |given| given.get_ref().as_str());
    let of_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if variable.is_empty() || variable.len() > 64 || !variable.bytes().all(of_name) {
        let at = given.map(|given| given.span().start);
        return Err((at, SequenceError::VariableName));
    }
    let asking = |ask: Option<String>| {
        json(vec![Action::Gather(Gather {
            min_digits: least,
            max_digits: most,
            ask,
            variable_name: variable.to_owned(),
        })])
    };
    Ok(super::Gather {
        variable: variable.to_owned(),
        again: asking(again.or_else(|| ask.clone())),
        answer: asking(ask),
    })
}

/// The base of sounds that are not URLs: `public_url`, if it is set.
#[derive(Clone, Copy)]
pub(super) struct Base<'a>(Option<&'a str>);

impl<'a> Base<'a> {
    /// Checks `public_url`.
    ///
    /// # Errors
    ///
    /// Fails if it is not a URL that paths can be added to.
    pub(super) fn new(public_url: Option<&'a str>) -> Result<Self, SequenceError> {
        let right = |url: &str| is_url(url) && !url.contains(['?', '#']);
        match public_url {
            Some(url) if !right(url) => Err(SequenceError::PublicUrl),
            given => Ok(Self(given.map(|url| url.trim_end_matches('/')))),
        }
    }

    /// Returns the URL of a sound: a path is added to `public_url`, a file name to
    /// [`AUDIO`].
    fn sound(self, text: &str) -> Result<String, SequenceError> {
        let is_path = |text: &str| {
            let right = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%+".contains(&byte);
            !text.is_empty() && text.bytes().all(right)
        };
        match self.0 {
            _ if is_url(text) => Ok(text.to_owned()),
            Some(base) if is_path(text) && text.starts_with('/') => Ok(format!("{base}{text}")),
            Some(base) if is_path(text) => Ok(format!("{base}{AUDIO}/{text}")),
            _ => Err(SequenceError::Sound),
        }
    }
}

fn json(actions: Vec<Action>) -> Bytes {
    ServiceAnswer { actions }.to_json().into()
}

fn action(raw: &raw::Action, base: Base<'_>) -> Result<Action, SequenceError> {
    Ok(match raw {
        raw::Action::Play(sound) => Action::Play {
            url: base.sound(sound)?,
        },
        raw::Action::Say(say) => Action::Say {
            text: say.text.clone(),
            language: say.language.clone(),
        },
        raw::Action::Connect(to) => Action::Connect {
            destination: destination(to)?,
        },
        raw::Action::Dial(to) => Action::Dial {
            destination: destination(to)?,
        },
        raw::Action::Hangup => Action::Hangup,
    })
}

fn destination(to: &OptionText) -> Result<String, SequenceError> {
    let right = |byte: u8| byte.is_ascii_alphanumeric() || b"+*#-_.".contains(&byte);
    let to = to.as_str();
    if to.is_empty() || !to.bytes().all(right) {
        return Err(SequenceError::Destination);
    }
    Ok(to.to_owned())
}

fn is_url(text: &str) -> bool {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(char::is_whitespace))
}
