//! Columns, for a terminal.

/// A table: a head, and rows of as many cells.
pub struct Table<const COLUMNS: usize> {
    rows: Vec<[String; COLUMNS]>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    /// With no rows.
    pub fn new(head: [&str; COLUMNS]) -> Self {
        Self {
            rows: vec![head.map(str::to_owned)],
        }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: [String; COLUMNS]) {
        self.rows.push(cells);
    }

    /// A line for each row, two blanks between the columns, and a last line that
    /// counts the rows: `3 lockouts`.
    pub fn finish(self, one: &str, many: &str) -> String {
        let mut widths = [0; COLUMNS];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(widths) {
                line.push_str(&format!("{cell:width$}  "));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        let count = self.rows.len() - 1;
        let what = if count == 1 { one } else { many };
        text.push_str(&format!("{count} {what}\n"));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let mut table = Table::new(["a", "bb"]);
        table.row(["çç".to_owned(), "1".to_owned()]);
        assert_eq!(table.finish("row", "rows"), "a   bb\nçç  1\n1 row\n");
        let table = Table::new(["a"]);
        assert_eq!(table.finish("row", "rows"), "a\n0 rows\n");
    }
}
