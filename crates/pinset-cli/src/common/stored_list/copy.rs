//! Values of rows as the table has them, and rows in the text format of `COPY`.

use std::ffi::CStr;

use jiff::Timestamp;
use pinset::credential::secret::Form;
use pinset::list::format::csv::{Reader, Row};
use pinset::timestamp::{Moment, Zone};
use pinset::{Numbering, Secret};
use zeroize::Zeroizing;

use crate::common::error::CommandError;

pub(super) const COPY: &CStr =
    c"COPY pinset_pins (account, secret, caller, name, level, enabled, valid_from, valid_until, \
      max_uses, context, pinset) FROM STDIN";

/// The number of columns of a row besides its PIN set.
const COLUMNS: usize = 10;

/// The size of a part of the rows, in bytes.
const PART_BYTES: usize = 64 << 10;

/// Returns the values of a row in the order of [`COPY`], without its PIN set.
pub(super) fn stored_values(
    row: &Row<'_>,
    numbering: &Numbering,
) -> Result<[Option<Zeroizing<String>>; COLUMNS], CommandError> {
    let text = |text: &str| Some(Zeroizing::new(text.to_owned()));
    let caller = match row.caller {
        Some(caller) => {
            let number = numbering.normalize(caller.as_bytes());
            let number = number.ok_or_else(|| CommandError::new("caller: not a usable number"))?;
            text(&number.to_string())
        }
        None => None,
    };
    Ok([
        text(row.account),
        Some(stored_secret(row.secret)?),
        caller,
        row.name.and_then(text),
        text(&row.level.to_string()),
        text(if row.enabled { "true" } else { "false" }),
        row.from.map(time).transpose()?,
        row.until.map(time).transpose()?,
        row.max_uses.and_then(|most| text(&most.to_string())),
        row.context.and_then(text),
    ])
}

/// Returns a secret as the table has it, with small letters in its digest.
fn stored_secret(secret: &str) -> Result<Zeroizing<String>, CommandError> {
    let form = Secret::parse(secret.as_bytes()).map(|secret| secret.form());
    let mut text = Zeroizing::new(secret.to_owned());
    match form {
        Ok(Form::Argon2id) => {}
        Ok(Form::Hmac(_)) => {
            let digest = text.rfind(':').unwrap_or_default();
            if let Some(digest) = text.get_mut(digest..) {
                digest.make_ascii_lowercase();
            }
        }
        Ok(Form::Plain | Form::Md5) => {
            return Err(CommandError::new(
                "a database has no plain or MD5 secrets: use --hmac-sha256 or --argon2id",
            ))
        }
        Err(error) => return Err(CommandError::new(format!("secret: {error}"))),
    }
    Ok(text)
}

fn time(at: Moment) -> Result<Zeroizing<String>, CommandError> {
    let time = Timestamp::from_second(at.seconds()).map_err(CommandError::new)?;
    Ok(Zeroizing::new(time.to_string()))
}

/// The rows of a CSV list as parts of the data of [`COPY`].
pub(super) struct CopiedRows<'a, P> {
    reader: Reader<&'a [u8]>,
    pin_set: &'a str,
    numbering: &'a Numbering,
    progress: P,
    /// The part that comes next.
    next: Zeroizing<Vec<u8>>,
    count: u64,
    error: Option<CommandError>,
}

impl<'a, P: FnMut(u64)> CopiedRows<'a, P> {
    /// Returns the rows of a list from this one on.
    pub(super) fn new(
        text: &'a [u8],
        from: usize,
        pin_set: &'a str,
        numbering: &'a Numbering,
        progress: P,
    ) -> Result<Self, CommandError> {
        let mut reader = Reader::new(text, true, &Zone::of_the_machine());
        for _ in 0..from {
            reader.next_row().map_err(CommandError::new)?;
        }
        let mut rows = Self {
            reader,
            pin_set,
            numbering,
            progress,
            next: Zeroizing::default(),
            count: 0,
            error: None,
        };
        rows.fill();
        Ok(rows)
    }

    pub(super) fn has_more(&self) -> bool {
        !self.next.is_empty() || self.error.is_some()
    }

    /// Returns the number of rows.
    pub(super) fn finish(self) -> Result<u64, CommandError> {
        self.error.map_or(Ok(self.count), Err)
    }

    /// Makes the next part, which is empty at the end.
    fn fill(&mut self) {
        self.next = Zeroizing::new(Vec::with_capacity(2 * PART_BYTES));
        while self.error.is_none() && self.next.len() < PART_BYTES {
            let values = match self.reader.next_row() {
                Ok(None) => return,
                Ok(Some(Ok(row))) => stored_values(&row, self.numbering),
                Ok(Some(Err(error))) => Err(CommandError::new(error.error)),
                Err(error) => Err(CommandError::new(error)),
            };
            match values {
                Ok(values) => {
                    for value in &values {
                        push(&mut self.next, value.as_ref().map(|text| text.as_str()));
                        self.next.push(b'\t');
                    }
                    push(&mut self.next, Some(self.pin_set));
                    self.next.push(b'\n');
                    self.count += 1;
                }
                Err(error) => self.error = Some(error),
            }
        }
    }
}

impl<P: FnMut(u64)> Iterator for CopiedRows<'_, P> {
    type Item = Zeroizing<Vec<u8>>;

    /// Returns the next part. After an error there is none, and the transaction must not
    /// be committed.
    fn next(&mut self) -> Option<Self::Item> {
        if self.next.is_empty() || self.error.is_some() {
            return None;
        }
        (self.progress)(self.count);
        let part = std::mem::take(&mut self.next);
        self.fill();
        Some(part)
    }
}

/// Appends a value.
fn push(text: &mut Vec<u8>, value: Option<&str>) {
    let Some(value) = value else {
        text.extend_from_slice(b"\\N");
        return;
    };
    for byte in value.bytes() {
        match byte {
            b'\\' => text.extend_from_slice(b"\\\\"),
            b'\n' => text.extend_from_slice(b"\\n"),
            b'\r' => text.extend_from_slice(b"\\r"),
            b'\t' => text.extend_from_slice(b"\\t"),
            byte => text.push(byte),
        }
    }
}
