//! Conflicts between the options of a PIN set.

use thiserror::Error;
use url::Url;

use super::external::is_of_services;
use super::pin_set::{AccountCode, AstdbValue, Identify, PinSet, Source};
use crate::list::{FileKind, Format};

/// Options that can't be together, each right for itself. The text names them
/// without their values.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ConflictError {
    /// There is no source to verify digits against.
    #[error("missing")]
    MissingSource,
    /// No entry is both long enough and complete.
    #[error("min_digits is above max_digits")]
    MinDigitsAboveMax,
    /// Only files have a format; the source is this one.
    #[error("format is for files, and source is {0}: leave it auto")]
    FormatFor(&'static str),
    /// Only AstDB has values of this kind; the source is this one.
    #[error("astdb_value is for astdb, and source is {0}: leave it ignore")]
    AstdbValueFor(&'static str),
    /// Only a CSV list has caller numbers.
    #[error("identify = caller needs a csv list: no other has the numbers of callers")]
    CallerWithoutNumbers,
    /// The list has no accounts to ask for.
    #[error(
        "identify = account needs a list with accounts: csv, md5, or astdb with \
         astdb_value = account:secret"
    )]
    AccountWithoutAccounts,
    /// The list has no accounts for the account code.
    #[error(
        "account_code = yes needs a list with accounts: csv, md5, or astdb with \
         astdb_value = account:secret"
    )]
    AccountCodeWithoutAccounts,
    /// The list has accounts, so no PIN needs to be shown.
    #[error("account_code = pin is for lists without accounts: with these it must be yes or no")]
    PinAsAccountCode,
    /// Only a CSV list has levels: no row would reach the required one.
    #[error("required_level above 0 needs a csv list: no other has levels")]
    RequiredLevelWithoutLevels,
    /// This option is for a web service, and the source is not one.
    #[error("for web services only, and source is not one")]
    OnlyForServices(&'static str),
    /// This option is for lists, and the source is a web service, which decides itself.
    #[error("for PIN files only, and source is a web service")]
    OnlyForLists(&'static str),
    /// Digits would be sent unencrypted over the network.
    #[error(
        "with http:// everybody on the way can read the digits: https:// encrypts them, \
         allow_http = yes takes it"
    )]
    PlainHttp,
    /// Reports of calls would be sent unencrypted over the network.
    #[error(
        "over http:// anybody on the way can read who called: use https://, or set \
         allow_http = yes"
    )]
    PlainHangupUrl,
    /// `dial` needs both `dial_context` and `dial_pattern`.
    #[error("dial_context and dial_pattern need each other")]
    IncompleteDial,
    /// A destination in `success_destinations` can never be reached.
    #[error("a call can be sent to one of them neither by connect nor by dial")]
    UnreachableDestination,
}

/// The options that a web service leaves nothing to decide.
const LIST_OPTIONS: [&str; 18] = [
    "format",
    "astdb_value",
    "identify",
    "no_caller",
    "account_code",
    "min_digits",
    "max_digits",
    "required_level",
    "times",
    "one_time",
    "lockout_account",
    "prompt",
    "incorrect_prompt",
    "retry_prompt",
    "account_prompt",
    "success_prompt",
    "on_success",
    "on_failure",
];

impl ConflictError {
    /// The option that is at error. It may be set in the PIN set, in
    /// `[general]`, or nowhere.
    pub fn option(self) -> &'static str {
        match self {
            Self::MissingSource => "source",
            Self::MinDigitsAboveMax => "min_digits",
            Self::FormatFor(_) => "format",
            Self::AstdbValueFor(_) => "astdb_value",
            Self::CallerWithoutNumbers | Self::AccountWithoutAccounts => "identify",
            Self::AccountCodeWithoutAccounts | Self::PinAsAccountCode => "account_code",
            Self::RequiredLevelWithoutLevels => "required_level",
            Self::OnlyForServices(option) | Self::OnlyForLists(option) => option,
            Self::PlainHttp => "source",
            Self::PlainHangupUrl => "hangup_url",
            Self::IncompleteDial => "dial_context",
            Self::UnreachableDestination => "success_destinations",
        }
    }
}

/// Returns why an option does not apply to such a source, or `None` if it does.
pub(super) fn foreign(source: &Source, option: &'static str) -> Option<ConflictError> {
    match source {
        Source::Url(_) => LIST_OPTIONS
            .contains(&option)
            .then_some(ConflictError::OnlyForLists(option)),
        _ => is_of_services(option).then_some(ConflictError::OnlyForServices(option)),
    }
}

impl PinSet {
    /// What can't be together, in this PIN set as a whole: nothing if it can
    /// be used. What is set in `[general]` counts as if it were set here; only of
    /// options for the other kind of source, a web service or a list, it does
    /// not: one file has both.
    ///
    /// With `format = auto` the list itself has a say:
    /// [`PinSet::conflicts_with`].
    pub fn conflicts(&self, general: &Self) -> Vec<ConflictError> {
        let mut conflicts = Vec::new();
        if let Some(source) = &self.source {
            conflicts.extend(self.foreign(source, general));
        }
        let mut add = |is: bool, conflict| conflicts.extend(is.then_some(conflict));
        let digits = self.min_digits > self.max_digits;
        let web = matches!(self.source, Some(Source::Url(_)));
        add(digits && !web, ConflictError::MinDigitsAboveMax);
        let by_value = self.astdb_value == AstdbValue::AccountSecret;
        match &self.source {
            None => add(true, ConflictError::MissingSource),
            Some(Source::Astdb(_)) => {
                add(self.format.is_some(), ConflictError::FormatFor("astdb"));
                self.against(by_value, false, &mut add);
            }
            Some(source @ (Source::Database(_) | Source::Realtime(_))) => {
                let name = match source {
                    Source::Realtime(_) => "realtime",
                    _ => "database",
                };
                add(self.format.is_some(), ConflictError::FormatFor(name));
                add(by_value, ConflictError::AstdbValueFor(name));
                self.against(true, true, &mut add);
            }
            Some(Source::Url(url)) => self.against_service(url, &mut add),
            Some(Source::File(_)) => {
                add(by_value, ConflictError::AstdbValueFor("a file"));
                if let Some(kind) = self.format {
                    self.against_file(kind, &mut add);
                }
            }
        }
        conflicts
    }

    /// The options for the other kind of source that are set here.
    fn foreign<'a>(
        &'a self,
        source: &'a Source,
        general: &'a Self,
    ) -> impl Iterator<Item = ConflictError> + 'a {
        let here = self.all_options().into_iter().zip(general.all_options());
        let here = here.filter(|((_, value), (_, default))| value != default);
        here.filter_map(|((option, _), _)| foreign(source, option))
    }

    /// What can't be together of the options for a web service at `url`.
    fn against_service(&self, url: &Url, add: &mut impl FnMut(bool, ConflictError)) {
        let web = &self.external;
        add(!web.is_safe(url), ConflictError::PlainHttp);
        let hangup_url = web.hangup_url.as_ref();
        let plain = hangup_url.is_some_and(|url| !web.is_safe(url));
        add(plain, ConflictError::PlainHangupUrl);
        let half = web.dial_context.is_some() != web.dial_pattern.is_some();
        add(half, ConflictError::IncompleteDial);
        let reached = |of: &String| web.connect(of).is_some() || web.dial(of).is_some();
        let success = web.success_destinations.iter().all(reached);
        add(!success, ConflictError::UnreachableDestination);
    }

    /// What can't be done with a list in a file that turned out to be of this
    /// kind.
    pub fn conflicts_with(&self, kind: FileKind) -> Vec<ConflictError> {
        let mut conflicts = Vec::new();
        self.against_file(kind, &mut |is, conflict| {
            conflicts.extend(is.then_some(conflict));
        });
        conflicts
    }

    fn against_file(&self, kind: FileKind, add: &mut impl FnMut(bool, ConflictError)) {
        let accounts = kind != FileKind::Lines(Format::Plain);
        self.against(accounts, kind == FileKind::Csv, add);
    }

    /// `accounts`: the list has accounts. `columns`: it also has levels and
    /// the numbers of callers.
    fn against(&self, accounts: bool, columns: bool, add: &mut impl FnMut(bool, ConflictError)) {
        let by_caller = self.identify == Identify::Caller;
        add(by_caller && !columns, ConflictError::CallerWithoutNumbers);
        let by_account = self.identify == Identify::Account;
        add(
            by_account && !accounts,
            ConflictError::AccountWithoutAccounts,
        );
        let code = self.account_code;
        add(
            code == AccountCode::Account && !accounts,
            ConflictError::AccountCodeWithoutAccounts,
        );
        add(
            code == AccountCode::Pin && accounts,
            ConflictError::PinAsAccountCode,
        );
        let level = self.required_level > 0;
        add(level && !columns, ConflictError::RequiredLevelWithoutLevels);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ConflictError::*;

    fn pin_set(options: &str) -> PinSet {
        let mut set = PinSet::default();
        for option in options.split(';').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').expect("an option");
            let set = set.set(name.as_bytes(), value.as_bytes());
            assert_eq!(set, Ok(()), "{option}");
        }
        set
    }

    #[test]
    fn contradicting_options_are_conflicts() {
        let file = "source=file:/p";
        let astdb = "source=astdb:P";
        let accounts = "source=astdb:P;astdb_value=account:secret";
        let plain = "source=file:/p;format=plain";
        let md5 = "source=file:/p;format=md5";
        let csv = "source=file:/p;format=csv";
        let web = "source=https://h/;connect_context=in";
        let database = "source=database";
        let realtime = "source=realtime:pins";
        let table: &[(&str, &str, &[ConflictError])] = &[
            ("", "", &[MissingSource]),
            (
                "",
                "min_digits=5;max_digits=4",
                &[MinDigitsAboveMax, MissingSource],
            ),
            (file, "", &[]),
            (file, "min_digits=4;max_digits=4", &[]),
            (file, "min_digits=5;max_digits=4", &[MinDigitsAboveMax]),
            (
                file,
                "astdb_value=account:secret",
                &[AstdbValueFor("a file")],
            ),
            (file, "identify=caller", &[]),
            (
                file,
                "identify=account;account_code=yes;required_level=1",
                &[],
            ),
            (astdb, "", &[]),
            (astdb, "account_code=pin", &[]),
            (astdb, "one_time=yes", &[]),
            (astdb, "format=csv", &[FormatFor("astdb")]),
            (astdb, "format=plain", &[FormatFor("astdb")]),
            (astdb, "identify=caller", &[CallerWithoutNumbers]),
            (astdb, "identify=account", &[AccountWithoutAccounts]),
            (astdb, "account_code=yes", &[AccountCodeWithoutAccounts]),
            (astdb, "required_level=1", &[RequiredLevelWithoutLevels]),
            (accounts, "identify=account;account_code=yes", &[]),
            (accounts, "identify=caller", &[CallerWithoutNumbers]),
            (accounts, "account_code=pin", &[PinAsAccountCode]),
            (plain, "account_code=pin;one_time=yes", &[]),
            (plain, "identify=caller", &[CallerWithoutNumbers]),
            (plain, "identify=account", &[AccountWithoutAccounts]),
            (plain, "account_code=yes", &[AccountCodeWithoutAccounts]),
            (plain, "required_level=255", &[RequiredLevelWithoutLevels]),
            (md5, "identify=account;account_code=yes", &[]),
            (md5, "identify=caller", &[CallerWithoutNumbers]),
            (md5, "account_code=pin", &[PinAsAccountCode]),
            (md5, "required_level=1", &[RequiredLevelWithoutLevels]),
            (csv, "identify=caller;no_caller=account", &[]),
            (
                csv,
                "identify=account;account_code=yes;required_level=9",
                &[],
            ),
            (csv, "account_code=pin", &[PinAsAccountCode]),
            (
                database,
                "identify=caller;no_caller=account;one_time=yes",
                &[],
            ),
            (database, "required_level=9;account_code=yes", &[]),
            (database, "account_code=pin", &[PinAsAccountCode]),
            (database, "format=csv", &[FormatFor("database")]),
            (
                database,
                "astdb_value=account:secret",
                &[AstdbValueFor("database")],
            ),
            (database, "timeout=3", &[OnlyForServices("timeout")]),
            (
                realtime,
                "identify=caller;no_caller=account;one_time=yes;required_level=9",
                &[],
            ),
            (realtime, "account_code=pin", &[PinAsAccountCode]),
            (
                realtime,
                "format=csv;astdb_value=account:secret",
                &[FormatFor("realtime"), AstdbValueFor("realtime")],
            ),
            (web, "", &[]),
            (
                web,
                "attempts=1;clear_key=*;lockout_caller=no;timeout=3",
                &[],
            ),
            (web, "identify=caller", &[OnlyForLists("identify")]),
            (
                web,
                "one_time=yes;format=csv",
                &[OnlyForLists("format"), OnlyForLists("one_time")],
            ),
            (
                web,
                "min_digits=5;max_digits=4",
                &[OnlyForLists("min_digits"), OnlyForLists("max_digits")],
            ),
            (
                web,
                "prompt=a;on_failure=continue",
                &[OnlyForLists("prompt"), OnlyForLists("on_failure")],
            ),
            (web, "source=http://h/", &[PlainHttp]),
            (web, "source=http://h/;allow_http=yes", &[]),
            (web, "source=http://127.0.0.1:5000/", &[]),
            (web, "hangup_url=http://h/", &[PlainHangupUrl]),
            (web, "hangup_url=http://h/;allow_http=yes", &[]),
            (web, "hangup_url=http://localhost:5000/", &[]),
            (
                file,
                "hangup_url=https://h/",
                &[OnlyForServices("hangup_url")],
            ),
            (web, "dial_context=out", &[IncompleteDial]),
            (web, "dial_pattern=.*", &[IncompleteDial]),
            (web, "dial_context=out;dial_pattern=00[0-9]*", &[]),
            (web, "success_destinations=1091", &[]),
            (
                web,
                "success_destinations=1091;connect_context=",
                &[UnreachableDestination],
            ),
            (
                web,
                "success_destinations=1091,0012345",
                &[UnreachableDestination],
            ),
            (
                web,
                "success_destinations=10,0012345;dial_context=o;dial_pattern=00.*",
                &[],
            ),
            (file, "timeout=3", &[OnlyForServices("timeout")]),
            (
                file,
                "auth=bearer:/f;on_error=continue",
                &[OnlyForServices("auth"), OnlyForServices("on_error")],
            ),
            (
                astdb,
                "external_manager_id=2",
                &[OnlyForServices("external_manager_id")],
            ),
        ];
        for (source, options, conflicts) in table {
            let set = pin_set(&format!("{source};{options}"));
            assert_eq!(
                set.conflicts(&PinSet::default()),
                *conflicts,
                "{source};{options}"
            );
        }
    }

    /// One file may have both lists and web services.
    #[test]
    fn general_options_for_the_other_kind_are_no_conflict() {
        let general = pin_set("timeout=3;auth=bearer:/f;one_time=yes;attempts=2");
        let in_section = |options: &str| {
            let mut set = general.clone();
            for option in options.split(';') {
                let (name, value) = option.split_once('=').expect("an option");
                let _ = set.set(name.as_bytes(), value.as_bytes());
            }
            set.conflicts(&general)
        };
        assert_eq!(in_section("source=file:/p"), []);
        assert_eq!(in_section("source=https://h/"), []);
        assert_eq!(in_section("source=https://h/;one_time=yes"), []);
        assert_eq!(
            in_section("source=https://h/;one_time=no"),
            [OnlyForLists("one_time")]
        );
        assert_eq!(
            in_section("source=file:/p;timeout=4"),
            [OnlyForServices("timeout")]
        );
        assert_eq!(in_section("source=http://h/"), [PlainHttp]);
    }

    /// A detected format counts as one that is configured.
    #[test]
    fn detected_format_conflicts_as_a_configured_one() {
        for options in [
            "identify=caller;required_level=3",
            "identify=account;account_code=pin",
            "account_code=yes",
        ] {
            for format in ["plain", "md5", "csv"] {
                let auto = pin_set(&format!("source=file:/p;{options}"));
                let said = pin_set(&format!("source=file:/p;{options};format={format}"));
                let kind = said.format.expect("a format");
                let general = PinSet::default();
                assert_eq!(auto.conflicts(&general), []);
                assert_eq!(auto.conflicts_with(kind), said.conflicts(&general));
            }
        }
    }
}
