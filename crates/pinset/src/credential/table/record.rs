//! A row in memory, serialized.
//!
//! The flags, the line, the account and the secret; then the cost, the number, the level,
//! the dates, the uses and the context, each if its flag is set. Texts are preceded by
//! their length; flags, lengths and the line have seven bits a byte.

use std::num::NonZeroU32;

use crate::phone_number::Number;
use crate::timestamp::Moment;

const SLOW: u64 = 1;
const CALLER: u64 = 1 << 1;
const INTERNATIONAL: u64 = 1 << 2;
const LEVEL: u64 = 1 << 3;
const FROM: u64 = 1 << 4;
const UNTIL: u64 = 1 << 5;
const USES: u64 = 1 << 6;
const CONTEXT: u64 = 1 << 7;
const DISABLED: u64 = 1 << 8;

/// Memory, passes and lanes of an Argon2id hash.
pub(super) type CostParts = (u32, u32, u32);

/// A row. It has no `Debug`, as it may hold a PIN; what it borrows from is
/// wiped.
pub(super) struct Record<'a> {
    /// Its line in the list, from 1.
    pub line: u64,
    /// Whose it is; empty in a list without accounts.
    pub account: &'a [u8],
    /// The text of its secret.
    pub secret: &'a [u8],
    /// What the secret costs to verify, if it is slow: m, t and p of Argon2id.
    pub cost: Option<CostParts>,
    /// The number that calls: whether it is international, and its digits.
    pub caller: Option<(bool, &'a [u8])>,
    /// Its level.
    pub level: u8,
    /// From when on it admits.
    pub from: Option<Moment>,
    /// Until when it admits.
    pub until: Option<Moment>,
    /// How many calls it admits.
    pub max_uses: Option<NonZeroU32>,
    /// Takes the place of the context of `on_success`.
    pub context: Option<&'a str>,
    /// Whether it admits at all.
    pub enabled: bool,
}

/// The form in which a number is kept.
pub(super) fn caller(number: &Number) -> (bool, &[u8]) {
    (number.is_international(), number.digits())
}

impl<'a> Record<'a> {
    /// With a line, an account and a secret alone.
    pub(super) fn new(line: u64, account: &'a [u8], secret: &'a [u8]) -> Self {
        Self {
            line,
            account,
            secret,
            cost: None,
            caller: None,
            level: 0,
            from: None,
            until: None,
            max_uses: None,
            context: None,
            enabled: true,
        }
    }

    /// Writes it behind what is in `bytes`.
    pub(super) fn write(&self, bytes: &mut Vec<u8>) {
        let mut flags = 0;
        for (has, flag) in [
            (self.cost.is_some(), SLOW),
            (self.caller.is_some(), CALLER),
            (self.caller.is_some_and(|caller| caller.0), INTERNATIONAL),
            (self.level > 0, LEVEL),
            (self.from.is_some(), FROM),
            (self.until.is_some(), UNTIL),
            (self.max_uses.is_some(), USES),
            (self.context.is_some(), CONTEXT),
            (!self.enabled, DISABLED),
        ] {
            flags |= if has { flag } else { 0 };
        }
        write_number(flags, bytes);
        write_number(self.line, bytes);
        write_text(self.account, bytes);
        write_text(self.secret, bytes);
        if let Some((memory, passes, lanes)) = self.cost {
            for part in [memory, passes, lanes] {
                write_number(part.into(), bytes);
            }
        }
        if let Some((_, digits)) = self.caller {
            write_text(digits, bytes);
        }
        if self.level > 0 {
            bytes.push(self.level);
        }
        for moment in [self.from, self.until].into_iter().flatten() {
            bytes.extend(moment.seconds().to_le_bytes());
        }
        if let Some(uses) = self.max_uses {
            bytes.extend(uses.get().to_le_bytes());
        }
        if let Some(context) = self.context {
            write_text(context.as_bytes(), bytes);
        }
    }

    /// Reads what [`Self::write`] wrote; `None` if it did not.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = Rest(bytes);
        let flags = rest.number()?;
        let has = |flag| flags & flag != 0;
        Some(Self {
            line: rest.number()?,
            account: rest.text()?,
            secret: rest.text()?,
            cost: match has(SLOW) {
                true => Some((rest.part()?, rest.part()?, rest.part()?)),
                false => None,
            },
            caller: match has(CALLER) {
                true => Some((has(INTERNATIONAL), rest.text()?)),
                false => None,
            },
            level: match has(LEVEL) {
                true => rest.byte()?,
                false => 0,
            },
            from: match has(FROM) {
                true => Some(rest.moment()?),
                false => None,
            },
            until: match has(UNTIL) {
                true => Some(rest.moment()?),
                false => None,
            },
            max_uses: match has(USES) {
                true => Some(NonZeroU32::new(u32::from_le_bytes(rest.array()?))?),
                false => None,
            },
            context: match has(CONTEXT) {
                true => Some(std::str::from_utf8(rest.text()?).ok()?),
                false => None,
            },
            enabled: !has(DISABLED),
        })
    }
}

fn write_number(mut number: u64, bytes: &mut Vec<u8>) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn write_text(text: &[u8], bytes: &mut Vec<u8>) {
    write_number(text.len() as u64, bytes);
    bytes.extend_from_slice(text);
}

/// The part that is not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn part(&mut self) -> Option<u32> {
        u32::try_from(self.number()?).ok()
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.take(usize::try_from(length).ok()?)
    }

    fn moment(&mut self) -> Option<Moment> {
        self.array().map(i64::from_le_bytes).map(Moment::at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn written_record_is_read_back(
            line: u64,
            account in prop::collection::vec(any::<u8>(), 0..300),
            secret in prop::collection::vec(any::<u8>(), 0..20),
            cost: Option<CostParts>,
            caller: Option<(bool, [u8; 12])>,
            level: u8,
            dates: (Option<i64>, Option<i64>),
            uses: Option<u32>,
            context in prop::option::of("\\PC{1,10}"),
            enabled: bool,
            behind: [u8; 3],
        ) {
            let record = || Record {
                line,
                account: &account,
                secret: &secret,
                cost,
                caller: caller.as_ref().map(|caller| (caller.0, &caller.1[..])),
                level,
                from: dates.0.map(Moment::at),
                until: dates.1.map(Moment::at),
                max_uses: uses.and_then(NonZeroU32::new),
                context: context.as_deref(),
                enabled,
            };
            let parts = |record: Record<'_>| format!("{:?}", (
                record.line,
                record.account,
                record.secret,
                record.cost,
                record.caller,
                record.level,
                (record.from, record.until, record.max_uses, record.context, record.enabled),
            ));
            let mut bytes = Vec::new();
            record().write(&mut bytes);
            bytes.extend(behind);
            let read = Record::read(&bytes).map(parts);
            prop_assert_eq!(read, Some(parts(record())));
        }

        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = Record::read(&bytes);
        }
    }
}
