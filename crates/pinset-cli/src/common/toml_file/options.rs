//! Options with the names and values of `authenticate.conf`.

use std::fmt;

use pinset::Numbering;
use serde::de::{self, Deserialize, Deserializer, Visitor};
use toml::Spanned;

use super::TomlFile;
use crate::common::error::CommandError;

/// The options that are set, by name.
pub(crate) type GivenOptions<'a> = Vec<(&'static str, &'a Spanned<OptionText>)>;

/// Defines a section of options with the names of `authenticate.conf`.
macro_rules! option_section {
    ($section:ident: $($option:ident)*) => {
        #[derive(Default, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct $section {
            $($option: Option<toml::Spanned<$crate::common::toml_file::OptionText>>,)*
        }

        impl $section {
            /// Returns the options that are set.
            pub(crate) fn given(&self) -> $crate::common::toml_file::GivenOptions<'_> {
                let all = [$((stringify!($option), self.$option.as_ref())),*];
                all.into_iter()
                    .filter_map(|(name, value)| Some((name, value?)))
                    .collect()
            }
        }
    };
}

pub(crate) use option_section;

option_section!(Numbers: country_code national_prefix international_prefix national_length);

impl Numbers {
    /// Returns the numbering, with the defaults of `authenticate.conf`.
    ///
    /// # Errors
    ///
    /// Fails with file, line and option if a value is invalid, or the values together.
    pub(crate) fn numbering(&self, file: TomlFile<'_>) -> Result<Numbering, CommandError> {
        let mut numbering = Numbering::default();
        let given = self.given();
        for (name, value) in &given {
            let set = numbering.set(name.as_bytes(), value.get_ref().as_bytes());
            set.map_err(|error| file.at(value, error))?;
        }
        if let Some((_, first)) = given.first() {
            numbering.check().map_err(|error| file.at(first, error))?;
        }
        Ok(numbering)
    }
}

/// The value of an option of `authenticate.conf`, given as `"90"`, `90` or `true`.
pub(crate) struct OptionText(String);

impl OptionText {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for OptionText {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(OptionTextVisitor)
    }
}

struct OptionTextVisitor;

impl Visitor<'_> for OptionTextVisitor {
    type Value = OptionText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a number")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<OptionText, E> {
        Ok(OptionText(text.to_owned()))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<OptionText, E> {
        Ok(OptionText(number.to_string()))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<OptionText, E> {
        Ok(OptionText(number.to_string()))
    }

    fn visit_bool<E: de::Error>(self, truth: bool) -> Result<OptionText, E> {
        Ok(OptionText(if truth { "yes" } else { "no" }.to_owned()))
    }
}
