//! Digits that callers have entered for a web service.

use std::collections::btree_map::{self, BTreeMap};
use std::fmt;

use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use crate::pin::Pin;

/// The digits a caller has entered at one `gather`, or the text that stands for
/// them. Never shown, and wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct EnteredDigits(Zeroizing<String>);

impl EnteredDigits {
    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether no digit was entered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for EnteredDigits {
    fn from(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }
}

impl From<&Pin> for EnteredDigits {
    fn from(pin: &Pin) -> Self {
        // Digits are ASCII, a byte each: the text never moves as it grows.
        let mut text = Zeroizing::new(String::with_capacity(pin.len()));
        text.extend(pin.as_bytes().iter().map(|key| char::from(*key)));
        Self(text)
    }
}

impl fmt::Debug for EnteredDigits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<hidden>")
    }
}

/// All that was gathered in a call, by the names of the variables.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Data(BTreeMap<String, EnteredDigits>);

impl Data {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the digits that were entered for a variable. Earlier ones are wiped.
    pub fn insert(&mut self, variable: &str, entered: impl Into<EnteredDigits>) {
        self.0.insert(variable.to_owned(), entered.into());
    }

    /// Returns the digits that were entered for a variable.
    pub fn get(&self, variable: &str) -> Option<&EnteredDigits> {
        self.0.get(variable)
    }

    /// Whether nothing was gathered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the variables, in the order of their names, with their digits.
    pub fn iter(&self) -> btree_map::Iter<'_, String, EnteredDigits> {
        self.0.iter()
    }
}

impl Serialize for Data {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(
            self.0
                .iter()
                .map(|(name, entered)| (name, entered.as_str())),
        )
    }
}
