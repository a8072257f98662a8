//! Rows of the file, by the index.

use std::os::unix::fs::FileExt;

use zeroize::Zeroizing;

use super::super::select::RowSelection;
use super::super::{all, RowView, RowsPage};
use super::{bytes_at, FileVersion, IndexError, PartKind, RowIndex, CHUNK_ROWS, ROW_END, VALUE};
use crate::common::csv_list::CsvList;

/// Number of bytes of a row in [`PartKind::Places`].
const PLACE_BYTES: usize = 16;

/// Most rows of an account or a number that are read.
const MAX_ROWS_OF_CALLER: usize = 1000;

/// Where a row is.
struct Place {
    start: u64,
    end: u64,
    line: u64,
}

impl RowIndex {
    /// Returns the rows that are selected, and a list of them alone, which has their
    /// secrets.
    ///
    /// # Errors
    ///
    /// Fails if the file has changed.
    pub(in crate::console) fn page(
        &self,
        selection: &RowSelection,
    ) -> Result<(RowsPage, CsvList), IndexError> {
        let selected = self.selected(selection)?;
        let (list, rows) = self.views(&selected.rows)?;
        let page = RowsPage {
            ends: selection.ends(&rows),
            rows,
            found: selected.found,
            has_previous: selected.has_previous,
            has_next: selected.has_next,
        };
        Ok((page, list))
    }

    /// Returns the first rows that have this account or caller number, maybe some others, a
    /// list of them alone, and the number of those that are left out.
    ///
    /// # Errors
    ///
    /// Fails if the file has changed.
    pub(in crate::console) fn of_caller(
        &self,
        wanted: &str,
    ) -> Result<(CsvList, Vec<RowView>, usize), IndexError> {
        let mut found = vec![false; self.rows];
        let mut text = vec![VALUE];
        text.extend_from_slice(wanted.to_lowercase().as_bytes());
        // The end of the caller number, or the next value.
        for end in [VALUE, ROW_END] {
            let wanted = [text.as_slice(), &[end]].concat();
            self.search(PartKind::Texts, &wanted, &mut found)?;
        }
        if let Some(number) = self.numbering.normalize(wanted.as_bytes()) {
            let number = number.to_string();
            let wanted = [&[VALUE], number.as_bytes(), &[ROW_END]].concat();
            self.search(PartKind::Numbers, &wanted, &mut found)?;
        }
        let all = found.iter().enumerate();
        let mut rows = all.filter_map(|(row, found)| found.then_some(row));
        let first: Vec<usize> = rows.by_ref().take(MAX_ROWS_OF_CALLER).collect();
        let left_out = rows.count();
        let (list, views) = self.views(&first)?;
        Ok((list, views, left_out))
    }

    /// Returns a list with the row in this line alone, if a row begins there.
    pub(in crate::console) fn row_in_line(&self, line: u64) -> Result<Option<CsvList>, IndexError> {
        let (mut start, mut end) = (0, self.rows);
        while start < end {
            let middle = start + (end - start) / 2;
            let place = self.place(middle)?;
            match place.line.cmp(&line) {
                std::cmp::Ordering::Less => start = middle + 1,
                std::cmp::Ordering::Greater => end = middle,
                std::cmp::Ordering::Equal => return Ok(Some(self.views(&[middle])?.0)),
            }
        }
        Ok(None)
    }

    /// Returns these rows, and a list of them alone.
    pub(super) fn views(&self, rows: &[usize]) -> Result<(CsvList, Vec<RowView>), IndexError> {
        let places = rows.iter().map(|row| self.place(*row));
        let places = places.collect::<Result<Vec<_>, _>>()?;
        let size: u64 = places.iter().map(|place| place.end - place.start + 1).sum();
        let size = size + self.header.1 - self.header.0;
        // It does not grow, which would leave copies behind.
        let mut text = Zeroizing::new(Vec::new());
        let size = usize::try_from(size).map_err(|_| IndexError::Changed)?;
        text.try_reserve_exact(size)
            .map_err(std::io::Error::other)?;
        self.read(&mut text, self.header)?;
        for place in &places {
            self.read(&mut text, (place.start, place.end))?;
            if !text.ends_with(b"\n") {
                text.push(b'\n');
            }
        }
        let list = CsvList::read(text)?;
        let mut views = all(&list, &self.numbering)?;
        // A row that is written in place, while it is read, may be any text.
        let is_same = FileVersion::of(&self.file.metadata()?, &self.numbering) == self.version;
        if !is_same || views.len() != places.len() {
            return Err(IndexError::Changed);
        }
        for (view, place) in views.iter_mut().zip(&places) {
            view.line = place.line;
        }
        Ok((list, views))
    }

    fn read(&self, text: &mut Vec<u8>, (start, end): (u64, u64)) -> Result<(), IndexError> {
        let before = text.len();
        let more = usize::try_from(end - start).map_err(|_| IndexError::Changed)?;
        text.resize(before + more, 0);
        let part = text.get_mut(before..).unwrap_or_default();
        Ok(self.file.read_exact_at(part, start)?)
    }

    fn place(&self, row: usize) -> Result<Place, IndexError> {
        let part = self.part(PartKind::Places, row)?;
        let at = row % CHUNK_ROWS * PLACE_BYTES;
        let number = |at| Ok::<_, IndexError>(u64::from_le_bytes(bytes_at(&part, at)?));
        let (start, end) = (number(at)?, number(at + PLACE_BYTES)?);
        let is_valid = start <= end;
        is_valid.then_some(()).ok_or(IndexError::Changed)?;
        Ok(Place {
            start,
            end,
            line: number(at + 8)?,
        })
    }
}
