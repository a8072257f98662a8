//! Check of `authenticate.conf` as it is on the disk.

use pinset::Settings;

use crate::common::asterisk::Asterisk;
use crate::common::config_file::{ConfigFileArgs, PinSets};
use crate::common::error::CommandError;
use crate::common::finding::Finding;

const CHECK: &str = "configuration";

/// The contents of `authenticate.conf`.
pub(crate) enum Configuration {
    /// There is no such file, which is optional.
    Missing,
    Invalid(CommandError),
    Valid {
        settings: Box<Settings>,
        pin_sets: PinSets,
    },
}

impl Configuration {
    pub(crate) fn read(asterisk: &Asterisk) -> Self {
        let path = asterisk.config_dir().join("authenticate.conf");
        if !path.exists() {
            return Self::Missing;
        }
        match ConfigFileArgs::of(path).settings_and_pin_sets() {
            Ok((settings, pin_sets)) => Self::Valid {
                settings: Box::new(settings),
                pin_sets,
            },
            Err(error) => Self::Invalid(error),
        }
    }

    /// Reports errors of the file and conflicts of options.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let (settings, pin_sets) = match self {
            Self::Missing => return vec![Finding::ok(CHECK, "there is no authenticate.conf")],
            Self::Invalid(error) => return vec![Finding::error(CHECK, error, "correct the line")],
            Self::Valid { settings, pin_sets } => (settings, pin_sets),
        };
        let conflicts = pin_sets.iter().flat_map(|(name, set)| {
            let conflicts = set.conflicts(&settings.pin_set);
            conflicts.into_iter().map(move |conflict| {
                Finding::error(
                    CHECK,
                    format_args!("[{name}] {}: {conflict}", conflict.option()),
                    format_args!("correct [{name}] in authenticate.conf"),
                )
            })
        });
        let mut findings: Vec<Finding> = conflicts.collect();
        if findings.is_empty() {
            let message = format!("authenticate.conf is valid, PIN sets: {}", pin_sets.len());
            findings.push(Finding::ok(CHECK, message));
        }
        findings
    }
}
