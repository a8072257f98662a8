//! The rows that fit a filter, and those of a page in their order.

use std::time::SystemTime;

use memchr::memmem::Finder;
use memchr::{memchr, memchr_iter};
use pinset::timestamp::Moment;

use super::super::select::{RowFilter, RowSelection, SortColumn};
use super::super::{RowState, FORMS, PAGE_ROWS};
use super::{bytes_at, IndexError, PartKind, RowIndex, CHUNK_ROWS, ROW_END};

/// The rows of a page, by their positions in the file.
pub(super) struct SelectedRows {
    pub rows: Vec<usize>,
    /// The number of rows that fit.
    pub found: usize,
    pub has_previous: bool,
    pub has_next: bool,
}

/// Number of bytes of a row in [`PartKind::States`].
pub(super) const STATE_BYTES: usize = 17;

/// What the state of a row depends on, and the form of its secret.
pub(super) struct StateBytes {
    pub form: &'static str,
    pub is_invalid: bool,
    pub is_disabled: bool,
    /// Seconds since 1970.
    pub from: i64,
    pub until: i64,
}

/// Bits of the first byte. The others are the position of the form.
const INVALID: u8 = 0x80;
const DISABLED: u8 = 0x40;
const FORM: u8 = 0x0f;

impl StateBytes {
    pub(super) fn to_bytes(&self) -> [u8; STATE_BYTES] {
        let form = FORMS.iter().position(|form| *form == self.form);
        // No form is that of an invalid secret.
        let mut first = form.map_or(FORM, |form| form as u8 & FORM);
        first |= if self.is_invalid { INVALID } else { 0 };
        first |= if self.is_disabled { DISABLED } else { 0 };
        let mut bytes = [first; STATE_BYTES];
        let times = self.from.to_le_bytes().into_iter();
        let times = times.chain(self.until.to_le_bytes());
        bytes
            .iter_mut()
            .skip(1)
            .zip(times)
            .for_each(|(to, byte)| *to = byte);
        bytes
    }

    fn of(bytes: &[u8]) -> Result<Self, IndexError> {
        let [first] = bytes_at(bytes, 0)?;
        Ok(Self {
            form: FORMS.get(usize::from(first & FORM)).copied().unwrap_or(""),
            is_invalid: first & INVALID != 0,
            is_disabled: first & DISABLED != 0,
            from: i64::from_le_bytes(bytes_at(bytes, 1)?),
            until: i64::from_le_bytes(bytes_at(bytes, 9)?),
        })
    }

    fn state(&self, now: i64) -> RowState {
        match () {
            () if self.is_invalid => RowState::Invalid(String::new()),
            () if self.is_disabled => RowState::Disabled,
            () => RowState::in_time(self.from, self.until, now),
        }
    }

    fn fits(&self, filter: &RowFilter, now: i64) -> bool {
        let state = self.state(now);
        (filter.state.is_empty() || filter.state == state.word())
            && (filter.secret.is_empty() || filter.secret == self.form)
    }
}

/// Which rows fit, by position, or `None` if all do.
type Fitting = Option<Vec<bool>>;

/// The rows in the order of a page.
struct Order {
    /// `None` is the order of the file.
    rows: Option<Vec<u32>>,
    count: usize,
    is_descending: bool,
}

impl Order {
    /// Returns the position in the file of a row by its rank.
    fn row(&self, rank: usize) -> usize {
        let rank = match self.is_descending {
            true => self.count - 1 - rank,
            false => rank,
        };
        let rows = self.rows.as_ref();
        rows.map_or(rank, |rows| rows.get(rank).map_or(0, |row| *row as usize))
    }
}

impl RowIndex {
    /// Selects the rows of a page.
    pub(super) fn selected(&self, selection: &RowSelection) -> Result<SelectedRows, IndexError> {
        let fitting = self.fitting(&selection.filter)?;
        let order = self.order(selection)?;
        let fits = |rank: &usize| {
            let fitting = fitting.as_ref();
            fitting.is_none_or(|fitting| fitting.get(order.row(*rank)) == Some(&true))
        };
        let start = match (&selection.after, &selection.before) {
            (Some(after), _) => {
                self.partition_point(&order, |row| Ok(selection.order(row, after).is_le()))?
            }
            (None, Some(before)) => {
                let end =
                    self.partition_point(&order, |row| Ok(selection.order(row, before).is_lt()))?;
                let mut previous = (0..end).rev().filter(fits);
                previous.nth(PAGE_ROWS - 1).unwrap_or(0)
            }
            (None, None) => 0,
        };
        let mut rows: Vec<usize> = (start..self.rows)
            .filter(fits)
            .take(PAGE_ROWS + 1)
            .map(|rank| order.row(rank))
            .collect();
        let has_next = rows.len() > PAGE_ROWS;
        rows.truncate(PAGE_ROWS);
        Ok(SelectedRows {
            rows,
            found: fitting
                .as_ref()
                .map_or(self.rows, |all| all.iter().filter(|fits| **fits).count()),
            has_previous: (0..start).any(|rank| fits(&rank)),
            has_next,
        })
    }

    fn fitting(&self, filter: &RowFilter) -> Result<Fitting, IndexError> {
        let has_state = !filter.state.is_empty() || !filter.secret.is_empty();
        if filter.text.is_empty() && !has_state {
            return Ok(None);
        }
        let mut fitting = vec![filter.text.is_empty(); self.rows];
        if !filter.text.is_empty() {
            self.search(PartKind::Texts, filter.text.as_bytes(), &mut fitting)?;
            if let Some(digits) = &filter.digits {
                self.search(PartKind::Digits, digits.as_bytes(), &mut fitting)?;
            }
        }
        if has_state {
            let now = Moment::of(SystemTime::now()).seconds();
            let mut read = Ok(());
            let mut fits = fitting.iter_mut();
            self.each(PartKind::States, |part| {
                for (bytes, fits) in part.chunks(STATE_BYTES).zip(&mut fits) {
                    match StateBytes::of(bytes) {
                        Ok(state) => *fits = *fits && state.fits(filter, now),
                        Err(why) => read = Err(why),
                    }
                }
            })?;
            read?;
        }
        Ok(Some(fitting))
    }

    /// Marks the rows that have these bytes.
    pub(super) fn search(
        &self,
        kind: PartKind,
        wanted: &[u8],
        found: &mut [bool],
    ) -> Result<(), IndexError> {
        let finder = Finder::new(wanted);
        let mut chunks = found.chunks_mut(CHUNK_ROWS);
        self.each(kind, |part| {
            if let Some(rows) = chunks.next() {
                mark(part, &finder, rows);
            }
        })
    }

    fn order(&self, selection: &RowSelection) -> Result<Order, IndexError> {
        let rows = match selection.column {
            // Large files have no order by uses.
            SortColumn::Line | SortColumn::Uses => None,
            SortColumn::State => Some(self.by_state()?),
            column => Some(self.by_column(column)?),
        };
        if rows.as_ref().is_some_and(|rows| rows.len() != self.rows) {
            return Err(IndexError::Changed);
        }
        Ok(Order {
            rows,
            count: self.rows,
            is_descending: selection.is_descending,
        })
    }

    fn by_column(&self, column: SortColumn) -> Result<Vec<u32>, IndexError> {
        let mut all = Vec::with_capacity(self.rows);
        self.each(PartKind::Order(column), |part| {
            let row = |bytes: &[u8]| bytes.try_into().map_or(0, u32::from_le_bytes);
            all.extend(part.chunks_exact(4).map(row));
        })?;
        Ok(all)
    }

    /// Returns the rows by their states at this moment.
    fn by_state(&self) -> Result<Vec<u32>, IndexError> {
        let now = Moment::of(SystemTime::now()).seconds();
        let mut states: [Vec<u32>; RowState::WORDS.len()] = Default::default();
        let (mut row, mut read) = (0, Ok(()));
        self.each(PartKind::States, |part| {
            for bytes in part.chunks(STATE_BYTES) {
                match StateBytes::of(bytes) {
                    Ok(state) => {
                        if let Some(rows) = states.get_mut(state.state(now).at()) {
                            rows.push(row);
                        }
                    }
                    Err(why) => read = Err(why),
                }
                row += 1;
            }
        })?;
        read?;
        Ok(states.concat())
    }

    /// Returns the number of rows before the first one for which `is_before` is `false`.
    fn partition_point(
        &self,
        order: &Order,
        is_before: impl Fn(&super::super::RowView) -> Result<bool, IndexError>,
    ) -> Result<usize, IndexError> {
        let (mut start, mut end) = (0, self.rows);
        while start < end {
            let middle = start + (end - start) / 2;
            let row = self.views(&[order.row(middle)])?.1.pop();
            match is_before(&row.ok_or(IndexError::Changed)?)? {
                true => start = middle + 1,
                false => end = middle,
            }
        }
        Ok(start)
    }
}

/// Marks the rows of a part that have the wanted bytes.
fn mark(part: &[u8], finder: &Finder<'_>, rows: &mut [bool]) {
    let (mut rest, mut row) = (part, 0);
    while let Some(at) = finder.find(rest) {
        let (before, after) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        row += memchr_iter(ROW_END, before).count();
        if let Some(found) = rows.get_mut(row) {
            *found = true;
        }
        // One match of a row is enough.
        let end = memchr(ROW_END, after).map_or(after.len(), |end| end + 1);
        rest = after.get(end..).unwrap_or_default();
        row += 1;
    }
}
