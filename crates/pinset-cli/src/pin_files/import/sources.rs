//! Readers of lists of other products and of our own.

use std::collections::HashMap;

use pinset::hex;
use pinset::list::format::csv::Column;
use pinset::list::{read, FileKind, Format, Gives, LineError};
use zeroize::Zeroizing;

use super::{ImportError, SkipReason, SkippedLine};
use crate::common::colours::without_colours;
use crate::common::csv;
use crate::common::csv_list::{kind, CsvList};

/// The format of a source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SourceFormat {
    /// It is detected.
    Auto,
    /// One PIN per line, as FreePBX has them, too.
    Plain,
    /// `account:md5` per line.
    Md5,
    /// Our own columns.
    Csv,
    /// The output of Asterisk's command `database show FAMILY`.
    DatabaseShow,
    /// FusionPBX's export of PIN numbers.
    Fusionpbx,
    /// Cisco's export (BAT) of forced authorization codes, with or without header.
    CiscoFac,
    /// Accounts and PINs in the clear, and more columns, with or without header.
    AccountPin,
}

/// How a source is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SourceOptions {
    pub format: SourceFormat,
    /// Whether an export of FusionPBX may lack the column `enabled`.
    pub assume_enabled: bool,
    /// Whether several accounts may have the same PIN.
    pub shared_pins: bool,
}

/// A row of a source.
pub(crate) struct SourceRow {
    /// The line in which it begins, from 1.
    pub line: u64,
    /// The PIN, or a secret that is kept.
    pub secret: SourceSecret,
    /// The other columns.
    pub values: Vec<(Column, String)>,
    /// Whether the source has no account for it, so that its line number is used.
    pub is_numbered: bool,
}

/// The PIN or the secret of a row.
pub(crate) enum SourceSecret {
    Pin(Zeroizing<String>),
    Secret(Zeroizing<String>),
}

/// The contents of a source.
#[derive(Default)]
pub(crate) struct Source {
    pub rows: Vec<SourceRow>,
    pub skipped: Vec<SkippedLine>,
    /// Whether rows may have the same PIN, because other columns distinguish them.
    pub doubles: bool,
}

impl SourceFormat {
    /// Detects the format of `text`.
    fn detect(text: &[u8]) -> Self {
        match kind(text) {
            Some(FileKind::Csv) => return Self::Csv,
            Some(FileKind::Lines(Format::Md5)) => return Self::Md5,
            _ => {}
        }
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let lines = text.split(|byte| *byte == b'\n');
        let mut lines = lines.map(|line| {
            let line = without_colours(line);
            Zeroizing::new(String::from_utf8_lossy(line.trim_ascii()).to_lowercase())
        });
        let line = lines.find(|line| !line.is_empty() && !is_prompt(line));
        let line = line.unwrap_or_default();
        if line.starts_with('/') && line.contains(':') {
            Self::DatabaseShow
        } else if line.contains("pin_number") {
            Self::Fusionpbx
        } else if line.contains("authorization code") || is_cisco_row(&line) {
            Self::CiscoFac
        } else if is_account_pin(&line) {
            Self::AccountPin
        } else {
            Self::Plain
        }
    }

    /// Reads a list. With `assume_enabled`, an export of FusionPBX may lack the column
    /// `enabled`.
    pub(crate) fn read(self, text: &[u8], assume_enabled: bool) -> Result<Source, ImportError> {
        match self {
            Self::Auto => Self::detect(text).read(text, assume_enabled),
            Self::Plain => lines(text, Format::Plain),
            Self::Md5 => lines(text, Format::Md5),
            Self::DatabaseShow => database(text),
            Self::Csv | Self::Fusionpbx | Self::CiscoFac | Self::AccountPin => {
                let commas = csv::with_commas(text)?;
                let text = commas.as_ref().map_or(text, |commas| commas.as_slice());
                match self {
                    Self::Fusionpbx => fusionpbx(text, assume_enabled),
                    Self::CiscoFac => cisco(text),
                    Self::AccountPin => account_pin(text),
                    _ => own(text),
                }
            }
        }
    }
}

/// Returns whether a line is Asterisk's prompt, with or without a command.
fn is_prompt(line: &str) -> bool {
    !line.starts_with('/') && line.to_lowercase().contains("cli>")
}

/// Returns what `look` makes of the values of a line, whatever separates them.
fn first_row<T>(line: &str, look: impl Fn(&[&str]) -> T) -> Option<T> {
    let commas = csv::with_commas(line.as_bytes()).ok().flatten();
    let text = commas
        .as_ref()
        .map_or(line.as_bytes(), |commas| commas.as_slice());
    let mut found = None;
    let read = csv::rows(text, |_, values| {
        found = Some(look(values));
        Ok::<_, ImportError>(())
    });
    read.ok().and(found)
}

/// Returns whether a line is a row of Cisco's text format without header: code, name,
/// level.
fn is_cisco_row(line: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let found = first_row(line, |values| {
        matches!(values, [code, _, level]
            if !code.is_empty() && digits(code) && digits(level))
    });
    found == Some(true)
}

/// Returns whether a line is a row with a PIN in the clear and other values, or its
/// header.
fn is_account_pin(line: &str) -> bool {
    let found = first_row(line, |values| values.len() > 1 || values == ["pin"]);
    found == Some(true)
}

impl Source {
    /// Adds a PIN. Without an account, it gets its line number as one, which callers can
    /// enter.
    fn pin(&mut self, line: u64, pin: &str, values: Vec<(Column, String)>) {
        let mut values = values;
        let is_numbered = !values.iter().any(|(column, _)| *column == Column::Account);
        if is_numbered {
            values.insert(0, (Column::Account, line.to_string()));
        }
        self.rows.push(SourceRow {
            line,
            secret: SourceSecret::Pin(Zeroizing::new(pin.to_owned())),
            values,
            is_numbered,
        });
    }

    fn skip(&mut self, line: u64, reason: SkipReason) {
        self.skipped.push(SkippedLine { line, reason });
    }
}

fn lines(text: &[u8], format: Format) -> Result<Source, ImportError> {
    let mut source = Source::default();
    read(text, format, true, |line| {
        let number = line.number;
        match line.gives {
            Gives::Blank => {}
            Gives::Pin(pin) => match std::str::from_utf8(pin) {
                Ok(pin) => source.pin(number, pin, Vec::new()),
                Err(_) => source.skip(number, SkipReason::Line(LineError::NotOnKeypad)),
            },
            Gives::Account(account, digest) => match std::str::from_utf8(account) {
                Ok(account) => {
                    // Wide enough to stay where it is: what is moved is not wiped.
                    let mut secret = Zeroizing::new(String::with_capacity(36));
                    secret.push_str("md5:");
                    hex::append(&mut secret, &digest);
                    source.rows.push(SourceRow {
                        line: number,
                        secret: SourceSecret::Secret(secret),
                        values: vec![(Column::Account, account.to_owned())],
                        is_numbered: false,
                    });
                }
                Err(_) => source.skip(number, SkipReason::AccountNotUtf8),
            },
            Gives::Invalid(fault) => source.skip(number, SkipReason::Line(fault)),
        }
        None::<()>
    })?;
    Ok(source)
}

/// Reads one of our own lists: plain secrets are hashed, the others are kept.
fn own(text: &[u8]) -> Result<Source, ImportError> {
    // Reports an invalid list before anything is converted.
    CsvList::read(Zeroizing::new(text.to_vec()))?;
    let source = table(text, &[], &["account", "secret"], |source, line, value| {
        let mut values = Vec::new();
        for column in Column::ALL {
            match value(column.name()).unwrap_or_default() {
                text if column == Column::Secret || text.is_empty() => {}
                text => values.push((column, text.to_owned())),
            }
        }
        let secret = value("secret").unwrap_or_default();
        let secret = match secret.strip_prefix("plain:") {
            Some(pin) => SourceSecret::Pin(Zeroizing::new(pin.to_owned())),
            None => SourceSecret::Secret(Zeroizing::new(secret.to_owned())),
        };
        source.rows.push(SourceRow {
            line,
            secret,
            values,
            is_numbered: false,
        });
    })?;
    Ok(Source {
        doubles: true,
        ..source
    })
}

/// Reads lines such as `/PINSETS/1/1234      : 1`, and `2 results found.` at the end.
fn database(text: &[u8]) -> Result<Source, ImportError> {
    let text = std::str::from_utf8(text)?;
    let mut source = Source::default();
    let mut families = HashMap::new();
    for (line, number) in text.lines().zip(1..) {
        let line = without_colours(line.as_bytes());
        let line = std::str::from_utf8(line.trim_ascii())?;
        if line.is_empty() || line.ends_with(" results found.") || is_prompt(line) {
            continue;
        }
        let key = line.split_once(':').map(|(key, _)| key.trim_end());
        match key.and_then(|key| key.rsplit_once('/')) {
            Some((family, pin)) if family.starts_with('/') => {
                families.entry(family.to_owned()).or_insert(number);
                source.pin(number, pin, Vec::new());
            }
            _ => source.skip(number, SkipReason::NotAKey),
        }
    }
    if let Some(line) = families.values().max().filter(|_| families.len() > 1) {
        return Err(ImportError::SecondFamily(*line));
    }
    Ok(source)
}

/// Reads an export of FusionPBX, which admits a PIN only if its column `enabled` is
/// `true`. Rows of other PINs are disabled.
fn fusionpbx(text: &[u8], assume_enabled: bool) -> Result<Source, ImportError> {
    let needed = ["pin_number", "enabled"];
    let needed = if assume_enabled {
        &needed[..1]
    } else {
        &needed
    };
    table(text, &[], needed, |source, line, value| {
        let columns = [
            (Column::Account, "accountcode"),
            (Column::Name, "description"),
        ];
        let mut values = given(columns, value);
        let enabled = value("enabled");
        if enabled.is_some_and(|value| !value.eq_ignore_ascii_case("true")) {
            values.push((Column::Enabled, "no".to_owned()));
        }
        source.pin(line, value("pin_number").unwrap_or_default(), values);
    })
}

fn cisco(text: &[u8]) -> Result<Source, ImportError> {
    let [name, code, level] = [
        "authorization code name",
        "authorization code",
        "authorization level",
    ];
    let first = text.trim_ascii_start().split(|byte| *byte == b'\n').next();
    let has_header = !is_cisco_row(&String::from_utf8_lossy(first.unwrap_or_default()));
    let names = [code, name, level];
    let names = if has_header { &[][..] } else { &names };
    table(text, names, &[name, code], |source, line, value| {
        let columns = [(Column::Account, name), (Column::Level, level)];
        source.pin(line, value(code).unwrap_or_default(), given(columns, value));
    })
}

/// Names of columns beside a PIN in the clear, and the columns they are.
const ACCOUNT_PIN_COLUMNS: [(&str, Column); 13] = [
    ("account", Column::Account),
    ("name", Column::Name),
    ("number", Column::Caller),
    ("caller", Column::Caller),
    ("level", Column::Level),
    ("from", Column::ValidFrom),
    ("valid_from", Column::ValidFrom),
    ("until", Column::ValidUntil),
    ("valid_until", Column::ValidUntil),
    ("uses", Column::MaxUses),
    ("max_uses", Column::MaxUses),
    ("context", Column::Context),
    ("enabled", Column::Enabled),
];

/// The columns of rows without a header, of which the last may be missing.
const ACCOUNT_PIN_ORDER: [&str; 7] = ["account", "pin", "name", "number", "level", "until", "uses"];

fn account_pin(text: &[u8]) -> Result<Source, ImportError> {
    let first = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let first = first.trim_ascii_start().split(|byte| *byte == b'\n').next();
    let first = Zeroizing::new(String::from_utf8_lossy(first.unwrap_or_default()).into_owned());
    let (has_header, width) = first_row(&first, |values| {
        let has_header = values.iter().any(|name| name.eq_ignore_ascii_case("pin"));
        (has_header, values.len())
    })
    .unwrap_or_default();
    let names = match has_header {
        true => &[][..],
        false => ACCOUNT_PIN_ORDER.get(..width).unwrap_or(&ACCOUNT_PIN_ORDER),
    };
    table(text, names, &["pin"], |source, line, value| {
        let values = ACCOUNT_PIN_COLUMNS
            .into_iter()
            .filter_map(|(name, column)| {
                let value = value(name).filter(|value| !value.is_empty())?;
                Some((column, value.to_owned()))
            });
        let values = values.collect();
        source.pin(line, value("pin").unwrap_or_default(), values);
    })
}

/// Returns the values of these columns that are not empty.
fn given<'v>(
    columns: [(Column, &str); 2],
    value: &dyn Fn(&str) -> Option<&'v str>,
) -> Vec<(Column, String)> {
    let values = columns.map(|(column, name)| (column, value(name).unwrap_or_default().to_owned()));
    values
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

/// Reads CSV with a header, or without one if the `names` of the columns are given.
/// `look` gets a function that returns a value by the name of its column.
fn table(
    text: &[u8],
    names: &[&str],
    needed: &[&str],
    mut look: impl for<'v> FnMut(&mut Source, u64, &dyn Fn(&str) -> Option<&'v str>),
) -> Result<Source, ImportError> {
    let mut source = Source::default();
    let mut names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    csv::rows(text, |line, values| {
        if names.is_empty() {
            names = values.iter().map(|name| column_name(name)).collect();
            let mut missing = needed.iter();
            return match missing.find(|name| !names.iter().any(|other| other == *name)) {
                Some(name) => Err(column_missing(line, name)),
                None => Ok(()),
            };
        }
        if values.len() != names.len() {
            source.skip(line, SkipReason::ValueCount);
            return Ok(());
        }
        let place = |name: &str| names.iter().position(|other| other == name);
        look(&mut source, line, &|name| {
            place(name).and_then(|at| values.get(at)).copied()
        });
        Ok(())
    })?;
    Ok(source)
}

/// Returns the name of a column in lower case. Cisco has a longer one for the code.
fn column_name(name: &str) -> String {
    match name.to_lowercase().as_str() {
        "forced authorization code" => "authorization code".to_owned(),
        name => name.to_owned(),
    }
}

fn column_missing(line: u64, name: &str) -> ImportError {
    match name {
        "enabled" => ImportError::MissingEnabled(line),
        _ => ImportError::MissingColumn(line, name.to_owned()),
    }
}
