//! Arguments for the values of a row.

use std::fmt::Display;

use pinset::list::format::csv::Column;

use crate::common::csv_list::RowValues;
use crate::common::error::CommandError;

/// The values of a row except account, secret and caller.
#[derive(Debug, clap::Args)]
pub(crate) struct RowArgs {
    /// Name, for information only
    #[arg(long)]
    name: Option<String>,
    /// Level, 0 to 255
    #[arg(long)]
    level: Option<String>,
    /// Start of validity: 2026-11-22, or '2026-11-22 13:30'
    #[arg(long, value_name = "DATE")]
    valid_from: Option<String>,
    /// End of validity; a day is included
    #[arg(long, value_name = "DATE")]
    valid_until: Option<String>,
    /// Maximum number of calls
    #[arg(long, value_name = "N")]
    max_uses: Option<String>,
    /// Context to use instead of that of on_success
    #[arg(long)]
    context: Option<String>,
    /// Whether the row admits: yes or no
    #[arg(long, value_name = "YES|NO")]
    enabled: Option<String>,
}

impl RowArgs {
    /// Returns the given values, with those of account and caller.
    pub(crate) fn values<'a>(
        &'a self,
        account: Option<&'a str>,
        caller: Option<&'a str>,
    ) -> RowValues<'a> {
        [
            (Column::Account, account),
            (Column::Caller, caller),
            (Column::Name, self.name.as_deref()),
            (Column::Level, self.level.as_deref()),
            (Column::ValidFrom, self.valid_from.as_deref()),
            (Column::ValidUntil, self.valid_until.as_deref()),
            (Column::MaxUses, self.max_uses.as_deref()),
            (Column::Context, self.context.as_deref()),
            (Column::Enabled, self.enabled.as_deref()),
        ]
        .into_iter()
        .filter_map(|(column, value)| Some((column, value?)))
        .collect()
    }
}

/// Returns an error about the option of a column, whose name may have a prefix.
pub(crate) fn at_option(prefix: &str, column: Column, error: &dyn Display) -> CommandError {
    let option = column.name().replace('_', "-");
    CommandError::new(format!("--{prefix}{option}: {error}"))
}
