//! Lists of other products, and our own, as rows of a csv list.

use std::collections::HashMap;

use clap::ValueEnum;
use pinset::list::csv::Column;
use pinset::list::{read, Fault, Format, Gives, Kind};
use zeroize::Zeroizing;

use crate::cells;
use crate::failure::Failure;
use crate::sheet::{kind, Sheet};

/// What a list to be converted is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub enum From {
    /// What it looks like
    #[default]
    Auto,
    /// One PIN a line
    Plain,
    /// account:md5 a line
    Md5,
    /// account,secret and more columns
    Csv,
    /// /etc/asterisk/pinset_1: one PIN a line
    Freepbx,
    /// What asterisk -rx 'database show PINSETS/1' prints
    DatabaseShow,
    /// FusionPBX's export of pin numbers
    Fusionpbx,
    /// Cisco's export (BAT) of forced authorization codes
    CiscoFac,
}

/// A row of a source.
pub struct Item {
    /// The line it begins in, from 1.
    pub line: u64,
    /// The PIN, or the secret that it stays.
    pub secret: Given,
    /// All else.
    pub values: Vec<(Column, String)>,
}

/// What a source has of a PIN.
pub enum Given {
    Pin(Zeroizing<String>),
    Secret(Zeroizing<String>),
}

/// What a source has.
#[derive(Default)]
pub struct Source {
    pub items: Vec<Item>,
    /// The lines that give no row, and why.
    pub skipped: Vec<(u64, String)>,
    /// Whether two rows may have one PIN: something else may tell them apart.
    pub doubles: bool,
}

impl From {
    /// What `text` looks like.
    fn found_out(text: &[u8]) -> Self {
        match kind(text) {
            Some(Kind::Csv) => return Self::Csv,
            Some(Kind::Lines(Format::Md5)) => return Self::Md5,
            _ => {}
        }
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let line = text
            .trim_ascii()
            .split(|byte| *byte == b'\n')
            .next()
            .unwrap_or_default();
        let line = String::from_utf8_lossy(line).to_lowercase();
        if line.starts_with('/') && line.contains(':') {
            Self::DatabaseShow
        } else if line.contains("pin_number") {
            Self::Fusionpbx
        } else if line.contains("authorization code") {
            Self::CiscoFac
        } else {
            Self::Plain
        }
    }

    /// Reads a list.
    pub fn read(self, text: &[u8]) -> Result<Source, Failure> {
        match self {
            Self::Auto => Self::found_out(text).read(text),
            Self::Plain | Self::Freepbx => lines(text, Format::Plain),
            Self::Md5 => lines(text, Format::Md5),
            Self::Csv => own(text),
            Self::DatabaseShow => database(text),
            Self::Fusionpbx => fusionpbx(text),
            Self::CiscoFac => cisco(text),
        }
    }
}

impl Source {
    /// A PIN without an account has the number of its line as one, which can be
    /// keyed.
    fn pin(&mut self, line: u64, pin: &str, values: Vec<(Column, String)>) {
        let mut values = values;
        if !values.iter().any(|(column, _)| *column == Column::Account) {
            values.insert(0, (Column::Account, line.to_string()));
        }
        self.items.push(Item {
            line,
            secret: Given::Pin(Zeroizing::new(pin.to_owned())),
            values,
        });
    }

    fn skip(&mut self, line: u64, why: impl ToString) {
        self.skipped.push((line, why.to_string()));
    }
}

fn lines(text: &[u8], format: Format) -> Result<Source, Failure> {
    let mut source = Source::default();
    read(text, format, true, |line| {
        let number = line.number;
        match line.gives {
            Gives::Blank => {}
            Gives::Pin(pin) => match std::str::from_utf8(pin) {
                Ok(pin) => source.pin(number, pin, Vec::new()),
                Err(_) => source.skip(number, Fault::NotKeyable),
            },
            Gives::Account(account, digest) => match std::str::from_utf8(account) {
                Ok(account) => {
                    let digits: Zeroizing<String> =
                        Zeroizing::new(digest.iter().map(|byte| format!("{byte:02x}")).collect());
                    source.items.push(Item {
                        line: number,
                        secret: Given::Secret(Zeroizing::new(format!("md5:{}", &*digits))),
                        values: vec![(Column::Account, account.to_owned())],
                    });
                }
                Err(_) => source.skip(number, "its account is not in UTF-8"),
            },
            Gives::Nobody(fault) => source.skip(number, fault),
        }
        None::<()>
    })
    .map_err(Failure::told)?;
    Ok(source)
}

/// A list of ours: plain secrets can be hashed, the others stay.
fn own(text: &[u8]) -> Result<Source, Failure> {
    // What makes it no list at all is told before anything is made of it.
    Sheet::read(Zeroizing::new(text.to_vec()))?;
    let source = table(text, &["account", "secret"], |source, line, value| {
        let mut values = Vec::new();
        for column in Column::ALL {
            match value(column.name()) {
                text if column == Column::Secret || text.is_empty() => {}
                text => values.push((column, text.to_owned())),
            }
        }
        let secret = value("secret");
        let secret = match secret.strip_prefix("plain:") {
            Some(pin) => Given::Pin(Zeroizing::new(pin.to_owned())),
            None => Given::Secret(Zeroizing::new(secret.to_owned())),
        };
        source.items.push(Item {
            line,
            secret,
            values,
        });
    })?;
    Ok(Source {
        doubles: true,
        ..source
    })
}

/// `/PINSETS/1/1234      : 1` a line, and `2 results found.` behind them.
fn database(text: &[u8]) -> Result<Source, Failure> {
    let text = std::str::from_utf8(text).map_err(Failure::told)?;
    let mut source = Source::default();
    let mut families = HashMap::new();
    for (line, number) in text.lines().zip(1..) {
        let line = line.trim();
        if line.is_empty() || line.ends_with(" results found.") {
            continue;
        }
        let key = line.split_once(':').map(|(key, _)| key.trim_end());
        match key.and_then(|key| key.rsplit_once('/')) {
            Some((family, pin)) if family.starts_with('/') => {
                families.entry(family).or_insert(number);
                source.pin(number, pin, Vec::new());
            }
            _ => source.skip(number, "it is not /FAMILY/KEY : VALUE"),
        }
    }
    if let Some(line) = families.values().max().filter(|_| families.len() > 1) {
        return Err(Failure::told(format!(
            "line {line}: another family begins: convert each by itself"
        )));
    }
    Ok(source)
}

fn fusionpbx(text: &[u8]) -> Result<Source, Failure> {
    table(text, &["pin_number"], |source, line, value| {
        if matches!(
            value("enabled").to_lowercase().as_str(),
            "false" | "f" | "0" | "no"
        ) {
            return source.skip(line, "it is disabled");
        }
        let columns = [
            (Column::Account, "accountcode"),
            (Column::Name, "description"),
        ];
        let columns = columns.map(|(column, name)| (column, value(name).to_owned()));
        let given = columns.into_iter().filter(|(_, value)| !value.is_empty());
        source.pin(line, value("pin_number"), given.collect());
    })
}

fn cisco(text: &[u8]) -> Result<Source, Failure> {
    let [name, code, level] = [
        "authorization code name",
        "authorization code",
        "authorization level",
    ];
    table(text, &[name, code], |source, line, value| {
        let columns = [(Column::Account, name), (Column::Level, level)];
        let columns = columns.map(|(column, name)| (column, value(name).to_owned()));
        let given = columns.into_iter().filter(|(_, value)| !value.is_empty());
        source.pin(line, value(code), given.collect());
    })
}

/// Reads csv text with a header; `look` is given what finds a value by the name
/// of its column.
fn table(
    text: &[u8],
    needed: &[&str],
    mut look: impl for<'v> FnMut(&mut Source, u64, &dyn Fn(&str) -> &'v str),
) -> Result<Source, Failure> {
    let mut source = Source::default();
    let mut names: Vec<String> = Vec::new();
    cells::rows(text, |line, values| {
        if names.is_empty() {
            names = values.iter().map(|name| name.to_lowercase()).collect();
            let missing = needed
                .iter()
                .find(|name| !names.iter().any(|other| other == *name));
            return match missing {
                Some(name) => Err(Failure::told(format!(
                    "line {line}: there is no column {name}"
                ))),
                None => Ok(()),
            };
        }
        if values.len() != names.len() {
            source.skip(line, "it has more or fewer values than columns");
            return Ok(());
        }
        let place = |name: &str| names.iter().position(|other| other == name);
        look(&mut source, line, &|name| {
            place(name)
                .and_then(|at| values.get(at))
                .copied()
                .unwrap_or_default()
        });
        Ok(())
    })?;
    Ok(source)
}
