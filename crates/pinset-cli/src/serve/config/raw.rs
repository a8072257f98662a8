//! The file as serde reads it, see `docs/pinset.md`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use toml::Spanned;

use crate::common::toml_file::{option_section, Numbers, OptionText};
use crate::http::options::{RawLimits, RawTls};

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    pub listen: Option<Spanned<String>>,
    #[serde(default)]
    pub trusted_proxies: Vec<Spanned<String>>,
    pub allow_plain_http: Option<bool>,
    pub state: Option<PathBuf>,
    pub audio: Option<Spanned<PathBuf>>,
    pub public_url: Option<Spanned<String>>,
    pub tls: Option<RawTls>,
    pub limits: Option<RawLimits>,
    pub log: Option<Log>,
    #[serde(default)]
    pub numbers: Numbers,
    #[serde(default)]
    pub lists: Lists,
    #[serde(default)]
    pub service: BTreeMap<Spanned<String>, Service>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Log {
    pub file: Option<PathBuf>,
    pub days: Option<Spanned<u32>>,
    pub rows: Option<Spanned<u32>>,
    pub logs_auth: Option<Spanned<String>>,
}

option_section!(Lists: pepper_file max_list_memory source_timeout database_file database_connections);

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Service {
    pub path: Option<Spanned<String>>,
    pub hangup_path: Option<Spanned<String>>,
    pub auth: Option<Spanned<String>>,
    pub list: Option<Spanned<PathBuf>>,
    pub database: Option<Spanned<String>>,
    format: Option<Spanned<OptionText>>,
    identify: Option<Spanned<OptionText>>,
    no_caller: Option<Spanned<OptionText>>,
    attempts: Option<Spanned<OptionText>>,
    min_digits: Option<Spanned<OptionText>>,
    required_level: Option<Spanned<OptionText>>,
    lockout_caller: Option<Spanned<OptionText>>,
    lockout_account: Option<Spanned<OptionText>>,
    lockout_pinset: Option<Spanned<OptionText>>,
    pub gather: Option<Gather>,
    pub account: Option<Gather>,
    pub success: Spanned<Vec<Action>>,
    pub failure: Spanned<Vec<Action>>,
    pub locked: Option<Spanned<Vec<Action>>>,
    pub error: Option<Spanned<Vec<Action>>>,
}

impl Service {
    /// Returns the options of a PIN set in `authenticate.conf`.
    pub(super) fn pin_set(&self) -> [(&'static str, Option<&Spanned<OptionText>>); 9] {
        [
            ("format", self.format.as_ref()),
            ("identify", self.identify.as_ref()),
            ("no_caller", self.no_caller.as_ref()),
            ("attempts", self.attempts.as_ref()),
            ("min_digits", self.min_digits.as_ref()),
            ("required_level", self.required_level.as_ref()),
            ("lockout_caller", self.lockout_caller.as_ref()),
            ("lockout_account", self.lockout_account.as_ref()),
            ("lockout_pinset", self.lockout_pinset.as_ref()),
        ]
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Gather {
    pub min_digits: Option<Spanned<usize>>,
    pub max_digits: Option<Spanned<usize>>,
    pub ask: Option<Spanned<String>>,
    pub ask_again: Option<Spanned<String>>,
    pub variable_name: Option<Spanned<String>>,
}

/// One action of a sequence, such as `{ play = "https://…" }`.
#[derive(serde::Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Action {
    Play(String),
    Say(Say),
    Connect(OptionText),
    Dial(OptionText),
    Hangup,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Say {
    pub text: String,
    pub language: Option<String>,
}
