//! Whether a PIN set can use what its source says.
//!
//! This is checked at each verdict, not when a list is read: what is in memory may
//! have been read for another PIN set, or while the pepper file was another one.

use super::backend::{Answer, Entries};
use crate::config::{Identify, PinSet, Source};
use crate::credential::pepper::KeyId;
use crate::credential::table::{FoundBy, Rows};
use crate::list::FileKind;

impl PinSet {
    /// Returns why this answer can admit no caller with any entry. `has_key` returns
    /// whether the pepper file has a key.
    pub fn objection(&self, answer: &Answer, has_key: &dyn Fn(KeyId) -> bool) -> Option<String> {
        match answer {
            Answer::Refused(why) => Some(why.clone()),
            Answer::Entry(_, Entries::Keys) => None,
            Answer::Entry(_, Entries::Lines(format)) => {
                self.kind_objection(FileKind::Lines(*format))
            }
            Answer::Rows(rows, kind) => self
                .kind_objection(*kind)
                .or_else(|| self.rows_objection(rows, has_key)),
            Answer::Family(family) => self.rows_objection(&family.rows, has_key),
            Answer::Stored(stored) => self.rows_objection(&stored.rows, has_key),
        }
    }

    /// Returns why a list of this kind can't be the one in the file of this PIN set.
    pub fn kind_objection(&self, kind: FileKind) -> Option<String> {
        let conflicts = self.conflicts_with(kind);
        conflicts.first().map(|conflict| self.unusable(conflict))
    }

    fn rows_objection(&self, rows: &Rows, has_key: &dyn Fn(KeyId) -> bool) -> Option<String> {
        let by = match self.identify {
            Identify::Pin => FoundBy::Pin,
            Identify::Caller => FoundBy::Caller,
            Identify::Account => FoundBy::Account,
        };
        if !rows.are_uncheckable(by, has_key) {
            return None;
        }
        let unchecked = rows.unchecked(has_key).next();
        Some(unchecked.map_or_else(
            || self.unusable(&"all rows have Argon2id hashes, which can't be found by PIN alone"),
            |rows| self.unusable(rows),
        ))
    }

    fn unusable(&self, why: &dyn std::fmt::Display) -> String {
        match &self.source {
            Some(Source::File(path)) => format!("'{}' can't be used: {why}", path.display()),
            _ => format!("it can't be used: {why}"),
        }
    }
}
