//! What a request shows of a PIN file: search, filters, order, the part of the rows.

use form_urlencoded::Serializer;
use serde::Deserialize;

use crate::console::rows::{Anchor, RowFilter, RowSelection, SortColumn, UseCounts};

/// The query of the page. All but the name may be empty.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(in crate::console) struct RowQuery {
    pub name: String,
    /// The text that account, name or number contain.
    pub q: String,
    pub state: String,
    pub secret: String,
    /// The column, after `-` if descending.
    pub sort: String,
    /// The line and the text of the row before or after those of the page.
    pub after: String,
    pub before: String,
    /// What an unlock has just ended.
    pub unlocked: Option<u64>,
}

impl RowQuery {
    /// Returns the column of the order, and whether it is descending.
    pub(super) fn order(&self) -> (SortColumn, bool) {
        let (word, is_descending) = match self.sort.strip_prefix('-') {
            Some(word) => (word, true),
            None => (self.sort.as_str(), false),
        };
        let mut all = SortColumn::WORDS.into_iter();
        let column = all.find_map(|(column, name)| (name == word).then_some(column));
        (column.unwrap_or(SortColumn::Account), is_descending)
    }

    /// Returns the rows that the page shows.
    pub(super) fn selection(&self, uses: UseCounts) -> RowSelection {
        let (column, is_descending) = self.order();
        RowSelection {
            filter: RowFilter::new(&self.q, &self.state, &self.secret),
            column,
            is_descending,
            uses,
            after: anchor(&self.after),
            before: anchor(&self.before),
        }
    }

    /// Returns the URL of the first part in another order: of this column, descending if
    /// the rows are sorted by it already.
    pub(super) fn sorted_by(&self, column: SortColumn) -> String {
        let (sorted, is_descending) = self.order();
        let descending = sorted == column && !is_descending;
        let sign = if descending { "-" } else { "" };
        let sort = format!("{sign}{}", column.word());
        self.url(&sort, "", "")
    }

    pub(super) fn next(&self, last: &Anchor) -> String {
        self.url(&self.sort, &text(last), "")
    }

    pub(super) fn previous(&self, first: &Anchor) -> String {
        self.url(&self.sort, "", &text(first))
    }

    fn url(&self, sort: &str, after: &str, before: &str) -> String {
        let mut query = start("/pin-file", &self.name);
        for (name, value) in [
            ("q", self.q.as_str()),
            ("state", &self.state),
            ("secret", &self.secret),
            ("sort", sort),
            ("after", after),
            ("before", before),
        ] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        query.finish()
    }
}

fn text((text, line): &Anchor) -> String {
    format!("{line}:{text}")
}

fn anchor(text: &str) -> Option<Anchor> {
    let (line, text) = text.split_once(':')?;
    Some((text.to_owned(), line.parse().ok()?))
}

/// Returns the URL of a page of a PIN file.
pub(in crate::console::pages) fn url(page: &str, name: &str) -> String {
    start(page, name).finish()
}

/// Returns the URL of a page of a row. The line helps to find it in a large file.
pub(super) fn row_url(page: &str, name: &str, tag: &str, line: u64) -> String {
    let mut query = start(page, name);
    query.append_pair("row", tag);
    query.append_pair("line", &line.to_string()).finish()
}

fn start(page: &str, name: &str) -> Serializer<'static, String> {
    let page = format!("{page}?");
    let length = page.len();
    let mut query = Serializer::for_suffix(page, length);
    query.append_pair("name", name);
    query
}
