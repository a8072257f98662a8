//! Rows as the trail has them: all values but the secret.

use pinset::list::format::csv::Column;

use crate::common::csv_list::CsvList;
use crate::console::rows::form;

/// Longest value in the trail, in characters.
const MAX_VALUE_CHARS: usize = 200;

/// Returns the values of a row, and the form of its secret.
pub(super) fn described(list: &CsvList, row: usize) -> String {
    let values = Column::ALL.into_iter().filter_map(|column| {
        let value = list.value(row, column).filter(|value| !value.is_empty())?;
        let value = match column {
            Column::Secret => form(&value),
            _ => &value,
        };
        Some(format!("{}={}", column.name(), cut(value)))
    });
    values.collect::<Vec<_>>().join(", ")
}

/// Returns the beginning of a long value: the trail is kept for years.
fn cut(value: &str) -> String {
    match value.char_indices().nth(MAX_VALUE_CHARS) {
        None => value.to_owned(),
        Some((end, _)) => format!("{}…", value.get(..end).unwrap_or_default()),
    }
}
