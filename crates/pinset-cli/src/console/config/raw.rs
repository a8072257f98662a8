//! The file as serde reads it, see `docs/console.md`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use toml::Spanned;

use crate::common::toml_file::Numbers;
use crate::http::options::{RawLimits, RawTls};

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    pub listen: Option<Spanned<String>>,
    #[serde(default)]
    pub trusted_proxies: Vec<Spanned<String>>,
    #[serde(default)]
    pub hosts: Vec<Spanned<String>>,
    pub lists: Option<Spanned<PathBuf>>,
    pub sets: Option<Spanned<PathBuf>>,
    pub config_dir: Option<Spanned<PathBuf>>,
    pub database: Option<Spanned<PathBuf>>,
    pub users: Option<Spanned<PathBuf>>,
    pub cdr: Option<Spanned<PathBuf>>,
    pub audit_log: Option<Spanned<PathBuf>>,
    pub days: Option<Spanned<u32>>,
    pub pepper_file: Option<Spanned<PathBuf>>,
    pub tls: Option<RawTls>,
    pub limits: Option<RawLimits>,
    #[serde(default)]
    pub numbers: Numbers,
    #[serde(default)]
    pub pbx: BTreeMap<Spanned<String>, Pbx>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pbx {
    pub address: Option<Spanned<String>>,
    pub user: Option<Spanned<String>>,
    pub secret: Option<Spanned<PathBuf>>,
    pub ca: Option<Spanned<PathBuf>>,
    pub fingerprint: Option<Spanned<String>>,
}
