//! The order of a table by the links in its headings.

use maud::{html, Markup};

/// A heading, the word of the column in URLs, and whether it has numbers. A table can't be
/// sorted by a column without a word.
pub(super) type TableColumn = (&'static str, &'static str, bool);

/// What a row is sorted by: a number, then a text.
pub(super) type SortKey = (u64, String);

/// Returns the key of a number.
pub(super) fn number(number: u64) -> SortKey {
    (number, String::new())
}

/// Returns the key of a text, in upper or lower case.
pub(super) fn text(text: &str) -> SortKey {
    (0, text.to_lowercase())
}

/// The order of a table: by a column, or as the rows come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct TableOrder {
    column: Option<TableColumn>,
    pub is_descending: bool,
}

impl TableOrder {
    /// Reads an order from a URL: the word of a column, after `-` if descending. What is not
    /// one is the order in which the rows come.
    pub(super) fn read(order: &str, columns: &[TableColumn]) -> Self {
        let (word, is_descending) = match order.strip_prefix('-') {
            Some(word) => (word, true),
            None => (order, false),
        };
        let mut columns = columns.iter().filter(|(_, word, _)| !word.is_empty());
        Self {
            column: columns.find(|column| column.1 == word).copied(),
            is_descending,
        }
    }

    /// Returns the word of the column, or nothing if the rows are as they come.
    pub(super) fn word(&self) -> &'static str {
        self.column.map_or("", |(_, word, _)| word)
    }

    /// Returns the order as URLs have it.
    pub(super) fn text(&self) -> String {
        match self.word() {
            "" => String::new(),
            word => format!("{}{word}", if self.is_descending { "-" } else { "" }),
        }
    }

    /// Sorts rows by a key, which gets the word of the column. Equal ones stay as they come.
    pub(super) fn sort<T>(&self, rows: &mut [T], key: impl Fn(&T, &str) -> SortKey) {
        let Some((_, word, _)) = self.column else {
            return;
        };
        match self.is_descending {
            true => rows.sort_by_cached_key(|row| std::cmp::Reverse(key(row, word))),
            false => rows.sort_by_cached_key(|row| key(row, word)),
        }
    }

    /// Returns the headings. `link` gets the order to which one leads: by its column, or, if
    /// that is the order already, the opposite one.
    pub(super) fn head(&self, columns: &[TableColumn], link: impl Fn(&str) -> String) -> Markup {
        html! {
            thead {
                tr {
                    @for column @ (heading, word, is_number) in columns {
                        @if word.is_empty() {
                            th scope="col" class=[is_number.then_some("number")] { (heading) }
                        } @else {
                            (sortable((heading, *is_number), self.direction(word), &link(&self.next(column))))
                        }
                    }
                }
            }
        }
    }

    /// Returns the order to which the heading of a column leads.
    fn next(&self, (_, word, is_number): &TableColumn) -> String {
        let is_descending = match self.word() == *word {
            true => !self.is_descending,
            // The most is looked for first.
            false => *is_number,
        };
        format!("{}{word}", if is_descending { "-" } else { "" })
    }

    fn direction(&self, word: &str) -> Option<&'static str> {
        (self.word() == word).then(|| direction(self.is_descending))
    }
}

/// Returns the word of `aria-sort`.
pub(super) fn direction(is_descending: bool) -> &'static str {
    match is_descending {
        true => "descending",
        false => "ascending",
    }
}

/// Returns a heading whose link sorts the table.
pub(super) fn sortable(
    (heading, is_number): (&str, bool),
    direction: Option<&'static str>,
    link: &str,
) -> Markup {
    html! {
        th scope="col" class=[is_number.then_some("number")] aria-sort=[direction] {
            a href=(link) { (heading) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [TableColumn; 3] = [
        ("Name", "name", false),
        ("Calls", "calls", true),
        ("Unlock", "", false),
    ];

    #[test]
    fn rows_are_in_the_order_of_the_url() {
        let rows = [("b", 10), ("C", 9), ("a", 10)];
        for (order, wanted) in [
            ("", ["b", "C", "a"]),
            ("name", ["a", "b", "C"]),
            ("-name", ["C", "b", "a"]),
            ("calls", ["C", "b", "a"]),
            ("-calls", ["b", "a", "C"]),
            ("nothing", ["b", "C", "a"]),
            ("-", ["b", "C", "a"]),
        ] {
            let mut rows = rows;
            TableOrder::read(order, &COLUMNS).sort(&mut rows, |(name, calls), word| match word {
                "name" => text(name),
                _ => number(*calls),
            });
            assert_eq!(rows.map(|(name, _)| name), wanted, "{order}");
        }
    }

    #[test]
    fn headings_lead_to_other_orders() {
        for (order, wanted) in [
            ("", ["?name", "?-calls"]),
            ("name", ["?-name", "?-calls"]),
            ("-name", ["?name", "?-calls"]),
            ("-calls", ["?name", "?calls"]),
        ] {
            let order = TableOrder::read(order, &COLUMNS);
            let head = order.head(&COLUMNS, |order| format!("?{order}"));
            let head = head.into_string();
            for link in wanted {
                assert!(head.contains(&format!("href=\"{link}\"")), "{head}");
            }
            assert!(head.contains("<th scope=\"col\">Unlock</th>"), "{head}");
            let sorted = head.matches("aria-sort").count();
            assert_eq!(sorted, usize::from(!order.text().is_empty()), "{head}");
        }
    }
}
