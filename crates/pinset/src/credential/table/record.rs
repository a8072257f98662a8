//! A row in memory, serialized after the one before it.
//!
//! | field | if |
//! |---|---|
//! | form of the secret (2 bits), and what follows (6 bits) | |
//! | more of what follows | [`TERMS`] |
//! | line | [`LINE`]: it is not the one after the last |
//! | account: how many bytes it shares with the last one, and its other bytes | [`ACCOUNT`] |
//! | number: its difference from the last one, or as a whole | [`CALLER`] |
//! | key of the secret | [`KEY`]: it is not the last one |
//! | secret | |
//! | cost of the secret | Argon2id |
//! | level, dates, uses, context | [`TERMS`], and their own bit |
//!
//! Numbers have seven bits a byte; digests are as long as they are.

use std::num::NonZeroU32;

use foldhash::quality::RandomState;

use super::hash;
use super::signed::FoundBy;
use crate::credential::pepper::KeyId;
use crate::credential::secret::SecretView;
use crate::phone_number::Number;
use crate::timestamp::Moment;

/// The forms of a secret, in the first two bits.
const PLAIN: u8 = 0;
const MD5: u8 = 1;
const HMAC: u8 = 2;
const ARGON2ID: u8 = 3;

const LINE: u8 = 1 << 2;
const KEY: u8 = 1 << 3;
const CALLER: u8 = 1 << 4;
/// The number has as many digits as the last one: only the difference is there.
const CALLER_DIFFERENCE: u8 = 1 << 5;
const TERMS: u8 = 1 << 6;
const ACCOUNT: u8 = 1 << 7;

const LEVEL: u8 = 1;
const FROM: u8 = 1 << 1;
const UNTIL: u8 = 1 << 2;
const USES: u8 = 1 << 3;
const CONTEXT: u8 = 1 << 4;
const DISABLED: u8 = 1 << 5;

/// A length from this on does not fit into half a byte.
const LONG: usize = 15;

/// A row. It has no `Debug`, as it may hold a PIN; what it borrows from is
/// wiped.
#[derive(Clone, Copy)]
pub(super) struct Record<'a> {
    /// Its line in the list, from 1.
    pub line: u64,
    /// Whose it is; empty in a list without accounts.
    pub account: &'a [u8],
    /// Its secret.
    pub secret: SecretView<'a>,
    /// The number that calls.
    pub caller: Option<CallerNumber>,
    /// When and how it admits.
    pub terms: Terms<'a>,
}

impl Record<'_> {
    /// Returns the hash of what it is found by in this way, if it is.
    pub(super) fn hash(&self, by: FoundBy, hasher: &RandomState) -> Option<u32> {
        match by {
            FoundBy::Pin => self.secret.index_bytes().map(|bytes| hash(hasher, bytes)),
            FoundBy::Caller => self.caller.map(|caller| hash(hasher, &caller)),
            FoundBy::Account if self.account.is_empty() => None,
            FoundBy::Account => Some(hash(hasher, self.account)),
        }
    }
}

/// When and how a row admits.
#[derive(Clone, Copy)]
pub(super) struct Terms<'a> {
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

impl Default for Terms<'_> {
    fn default() -> Self {
        Self {
            level: 0,
            from: None,
            until: None,
            max_uses: None,
            context: None,
            enabled: true,
        }
    }
}

/// A telephone number in 8 bytes: above the lowest five bits its digits, then how many
/// they are, then whether it is international.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct CallerNumber(u64);

impl CallerNumber {
    /// The bits below the digits.
    const BELOW_BITS: u32 = 5;

    /// The number in this form.
    pub(super) fn of(number: &Number) -> Self {
        let digits = number.digits();
        let value = digits.iter().fold(0, |value, digit| {
            value * 10 + u64::from(digit.wrapping_sub(b'0'))
        });
        let below = (digits.len() as u64) << 1 | u64::from(number.is_international());
        Self(value << Self::BELOW_BITS | below)
    }

    fn value(self) -> u64 {
        self.0 >> Self::BELOW_BITS
    }

    fn below(self) -> u64 {
        self.0 & ((1 << Self::BELOW_BITS) - 1)
    }

    /// The number as [`Number`] is displayed.
    pub(super) fn text(self) -> String {
        let plus = if self.0 & 1 == 1 { "+" } else { "" };
        let length = (self.below() >> 1) as usize;
        format!("{plus}{:0length$}", self.value())
    }
}

/// The rows before one, as far as it is written by its difference from them.
#[derive(Default)]
pub(super) struct Context {
    line: u64,
    account: Vec<u8>,
    caller: Option<CallerNumber>,
    key: usize,
}

impl Context {
    /// Writes a row behind what is in `bytes`. `key` is the place of its key among those
    /// of the pepper file, if it has one.
    pub(super) fn write(&mut self, record: &Record<'_>, key: usize, bytes: &mut Vec<u8>) {
        let head = bytes.len();
        let mut flags = match record.secret {
            SecretView::Plain(_) => PLAIN,
            SecretView::Md5(_) => MD5,
            SecretView::Hmac(..) => HMAC,
            SecretView::Argon2id(..) => ARGON2ID,
        };
        bytes.push(0);
        let terms = record.terms.flags();
        if terms != 0 {
            flags |= TERMS;
            bytes.push(terms);
        }
        if record.line != self.line.wrapping_add(1) {
            flags |= LINE;
            write_number(record.line, bytes);
        }
        self.line = record.line;
        if !record.account.is_empty() {
            flags |= ACCOUNT;
            self.write_account(record.account, bytes);
        }
        if let Some(caller) = record.caller {
            flags |= CALLER | self.write_caller(caller, bytes);
        }
        if let (SecretView::Hmac(..), true) = (record.secret, key != self.key) {
            flags |= KEY;
            write_number(key as u64, bytes);
            self.key = key;
        }
        write_secret(record.secret, bytes);
        record.terms.write(bytes);
        if let Some(head) = bytes.get_mut(head) {
            *head = flags;
        }
    }

    fn write_account(&mut self, account: &[u8], bytes: &mut Vec<u8>) {
        let pairs = self.account.iter().zip(account);
        let shared = pairs.take_while(|(last, byte)| last == byte).count();
        let own = account.get(shared..).unwrap_or_default();
        let lengths = [shared, own.len()];
        let [high, low] = lengths.map(|length| length.min(LONG) as u8);
        bytes.push(high << 4 | low);
        for length in lengths {
            if let Some(more) = length.checked_sub(LONG) {
                write_number(more as u64, bytes);
            }
        }
        bytes.extend_from_slice(own);
        self.account.truncate(shared);
        self.account.extend_from_slice(own);
    }

    /// Writes a number, and returns whether it is a difference.
    fn write_caller(&mut self, caller: CallerNumber, bytes: &mut Vec<u8>) -> u8 {
        let last = self.caller.replace(caller);
        match last.filter(|last| last.below() == caller.below()) {
            Some(last) => {
                write_signed(caller.value() as i64 - last.value() as i64, bytes);
                CALLER_DIFFERENCE
            }
            None => {
                write_number(caller.0, bytes);
                0
            }
        }
    }

    /// Before the first row of a block, if all rows stand in lines of their own, behind a
    /// header.
    pub(super) fn before(row: usize) -> Self {
        Self {
            line: row as u64 + 1,
            ..Self::default()
        }
    }

    /// Reads the row that follows, of a table with these keys.
    pub(super) fn read<'r, 'a: 'r>(
        &'r mut self,
        rest: &mut Rest<'a>,
        keys: &[KeyId],
    ) -> Option<Record<'r>> {
        let flags = rest.byte()?;
        let has = |flag| flags & flag != 0;
        let terms = if has(TERMS) { rest.byte()? } else { 0 };
        self.line = match has(LINE) {
            true => rest.number()?,
            false => self.line.wrapping_add(1),
        };
        if has(ACCOUNT) {
            self.read_account(rest)?;
        }
        if has(CALLER) {
            let caller = match has(CALLER_DIFFERENCE) {
                true => self.caller?.differing_by(rest.signed()?),
                false => CallerNumber(rest.number()?),
            };
            self.caller = Some(caller);
        }
        if has(KEY) {
            self.key = usize::try_from(rest.number()?).ok()?;
        }
        let secret = match flags & (PLAIN | MD5 | HMAC | ARGON2ID) {
            PLAIN => SecretView::Plain(rest.text()?),
            MD5 => SecretView::Md5(rest.array()?),
            HMAC => SecretView::Hmac(*keys.get(self.key)?, rest.array()?),
            _ => {
                let text = rest.text()?;
                SecretView::Argon2id(text, (rest.part()?, rest.part()?, rest.part()?))
            }
        };
        Some(Record {
            line: self.line,
            account: if has(ACCOUNT) { &self.account } else { &[] },
            secret,
            caller: self.caller.filter(|_| has(CALLER)),
            terms: Terms::read(terms, rest)?,
        })
    }

    fn read_account(&mut self, rest: &mut Rest<'_>) -> Option<()> {
        let lengths = usize::from(rest.byte()?);
        let mut shared = lengths >> 4;
        let mut own = lengths & LONG;
        for length in [&mut shared, &mut own] {
            if *length == LONG {
                *length = LONG.checked_add(usize::try_from(rest.number()?).ok()?)?;
            }
        }
        self.account.truncate(shared);
        // One by one: they are few, and copying a slice takes several times as long.
        for byte in rest.take(own)? {
            self.account.push(*byte);
        }
        Some(())
    }
}

impl CallerNumber {
    /// The number with as many digits that differs by this from it.
    fn differing_by(self, difference: i64) -> Self {
        let value = self.value().wrapping_add_signed(difference);
        Self(value << Self::BELOW_BITS | self.below())
    }
}

fn write_secret(secret: SecretView<'_>, bytes: &mut Vec<u8>) {
    match secret {
        SecretView::Plain(pin) => write_text(pin, bytes),
        SecretView::Md5(digest) => bytes.extend_from_slice(digest),
        SecretView::Hmac(_, digest) => bytes.extend_from_slice(digest),
        SecretView::Argon2id(text, (memory, passes, lanes)) => {
            write_text(text, bytes);
            for part in [memory, passes, lanes] {
                write_number(part.into(), bytes);
            }
        }
    }
}

impl<'a> Terms<'a> {
    fn flags(&self) -> u8 {
        let flags = [
            (self.level > 0, LEVEL),
            (self.from.is_some(), FROM),
            (self.until.is_some(), UNTIL),
            (self.max_uses.is_some(), USES),
            (self.context.is_some(), CONTEXT),
            (!self.enabled, DISABLED),
        ];
        let set = flags.into_iter().filter(|(is_set, _)| *is_set);
        set.fold(0, |flags, (_, flag)| flags | flag)
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        if self.level > 0 {
            bytes.push(self.level);
        }
        for moment in [self.from, self.until].into_iter().flatten() {
            write_signed(moment.seconds(), bytes);
        }
        if let Some(uses) = self.max_uses {
            write_number(uses.get().into(), bytes);
        }
        if let Some(context) = self.context {
            write_text(context.as_bytes(), bytes);
        }
    }

    fn read(flags: u8, rest: &mut Rest<'a>) -> Option<Self> {
        let mut terms = Self::default();
        if flags == 0 {
            return Some(terms);
        }
        let has = |flag| flags & flag != 0;
        if has(LEVEL) {
            terms.level = rest.byte()?;
        }
        if has(FROM) {
            terms.from = Some(Moment::at(rest.signed()?));
        }
        if has(UNTIL) {
            terms.until = Some(Moment::at(rest.signed()?));
        }
        if has(USES) {
            terms.max_uses = Some(NonZeroU32::new(rest.part()?)?);
        }
        if has(CONTEXT) {
            terms.context = Some(std::str::from_utf8(rest.text()?).ok()?);
        }
        terms.enabled = !has(DISABLED);
        Some(terms)
    }
}

fn write_number(mut number: u64, bytes: &mut Vec<u8>) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Writes a number with its sign in the lowest bit, so that -1 is short, too.
fn write_signed(number: i64, bytes: &mut Vec<u8>) {
    write_number((number << 1 ^ number >> 63) as u64, bytes);
}

fn write_text(text: &[u8], bytes: &mut Vec<u8>) {
    write_number(text.len() as u64, bytes);
    bytes.extend_from_slice(text);
}

/// The part that is not read yet.
pub(super) struct Rest<'a>(pub(super) &'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| *byte)
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

    fn signed(&mut self) -> Option<i64> {
        let number = self.number()?;
        Some((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    fn part(&mut self) -> Option<u32> {
        u32::try_from(self.number()?).ok()
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.take(usize::try_from(length).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a row is made of.
    #[derive(Clone, Debug)]
    struct Parts {
        line: u64,
        account: Vec<u8>,
        secret: (u8, usize, Vec<u8>),
        caller: Option<(u64, u8)>,
        terms: (
            u8,
            Option<i64>,
            Option<i64>,
            Option<u32>,
            Option<String>,
            bool,
        ),
    }

    fn keys() -> [KeyId; 3] {
        ["k0", "k1", "k2"].map(|name| KeyId::new(name.as_bytes()).expect("a name"))
    }

    fn parts() -> impl Strategy<Value = Parts> {
        (
            prop_oneof![1..20_u64, any::<u64>()],
            prop_oneof![
                "user00[0-9]{0,2}".prop_map(String::into_bytes),
                prop::collection::vec(any::<u8>(), 0..300),
            ],
            (
                0..4_u8,
                0..3_usize,
                prop::collection::vec(any::<u8>(), 32..60),
            ),
            prop::option::of((
                prop_oneof![90_500_u64..90_600, 0..1_000_000_000_000_000_u64],
                28..32_u8,
            )),
            (
                any::<u8>(),
                any::<Option<i64>>(),
                any::<Option<i64>>(),
                any::<Option<u32>>(),
                prop::option::of("\\PC{1,10}"),
                any::<bool>(),
            ),
        )
            .prop_map(|(line, account, secret, caller, terms)| Parts {
                line,
                account,
                secret,
                caller,
                terms,
            })
    }

    impl Parts {
        fn record(&self) -> Record<'_> {
            let (form, key, bytes) = &self.secret;
            let (level, from, until, uses, context, enabled) = &self.terms;
            Record {
                line: self.line,
                account: &self.account,
                secret: match form {
                    0 => SecretView::Plain(bytes),
                    1 => SecretView::Md5(bytes.first_chunk().expect("16 bytes")),
                    2 => SecretView::Hmac(keys()[*key], bytes.first_chunk().expect("32 bytes")),
                    _ => SecretView::Argon2id(bytes, (1, 2, u32::MAX)),
                },
                caller: self.caller.map(|(value, below)| {
                    CallerNumber(value << CallerNumber::BELOW_BITS | u64::from(below))
                }),
                terms: Terms {
                    level: *level,
                    from: from.map(Moment::at),
                    until: until.map(Moment::at),
                    max_uses: uses.and_then(NonZeroU32::new),
                    context: context.as_deref(),
                    enabled: *enabled,
                },
            }
        }
    }

    fn shown(record: &Record<'_>) -> String {
        let secret = match record.secret {
            SecretView::Plain(pin) => format!("plain {pin:?}"),
            SecretView::Md5(digest) => format!("md5 {digest:?}"),
            SecretView::Hmac(key, digest) => format!("hmac {key} {digest:?}"),
            SecretView::Argon2id(text, cost) => format!("argon2id {text:?} {cost:?}"),
        };
        let terms = &record.terms;
        format!(
            "{:?}",
            (
                (record.line, record.account, secret),
                record.caller.map(|caller| caller.0),
                (terms.level, terms.from, terms.until, terms.max_uses),
                (terms.context, terms.enabled),
            )
        )
    }

    proptest! {
        #[test]
        fn written_rows_are_read_back(rows in prop::collection::vec(parts(), 0..20)) {
            let (mut context, mut bytes) = (Context::default(), Vec::new());
            for row in &rows {
                context.write(&row.record(), row.secret.1, &mut bytes);
            }
            bytes.push(0);
            let (mut context, mut rest) = (Context::default(), Rest(&bytes));
            for row in &rows {
                let read = context.read(&mut rest, &keys()).expect("a row");
                prop_assert_eq!(shown(&read), shown(&row.record()));
            }
            prop_assert_eq!(rest.0, [0]);
        }

        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let (mut context, mut rest) = (Context::default(), Rest(&bytes));
            while context.read(&mut rest, &keys()).is_some() {}
        }
    }

    #[test]
    fn number_is_displayed_as_it_was() {
        let numbering = crate::phone_number::Numbering::default();
        for text in ["+905060508169", "5060508169", "+999999999999999"] {
            let number = numbering.normalize(text.as_bytes()).expect("a number");
            assert_eq!(CallerNumber::of(&number).text(), text);
        }
    }
}
