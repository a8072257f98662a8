//! Calls by identity, from Asterisk's CDR and the audit log, for commands and web pages.

mod audit_log;
mod call;
mod cdr;
mod history;
mod input_kind;
mod record_table;
mod row;
mod selection;
mod store;
mod totals;

use pinset::timestamp::{Moment, Zone};
use rusqlite::types::Value;

pub(crate) use call::DISPOSITIONS;
pub(crate) use history::{
    Attempt, CallColumn, CallFilter, CallHistory, CallKey, CallPart, Chunk, FilePosition,
    HistoryReader, HistorySource, IdentityTotals, PageOrder, SlotTotals, SourceState, StoredRow,
};
pub(crate) use input_kind::InputKind;
pub(crate) use selection::{CallSelection, SortColumn};
pub(crate) use totals::Totals;

use crate::common::error::CommandError;
use audit_log::{LogLine, Outcomes, MAX_CALL_SECS};
use cdr::{call_id, Parser, Record, Records};
pub(crate) use row::{push_header, ReportRow};
use store::Store;

/// A function that gets the number of each line of a file, from 1, and the line without
/// its line end.
pub(crate) type LookAtLine<'a> = dyn FnMut(u64, &[u8]) -> Result<(), CommandError> + 'a;

/// A function that writes a line of CSV.
pub(crate) type WriteLine<'a> = dyn FnMut(&[u8]) -> Result<(), CommandError> + 'a;

/// The records and outcomes of calls in a period.
pub(crate) struct CallReport {
    from: Option<Moment>,
    to: Option<Moment>,
    /// `None` if there is no log.
    outcomes: Option<Outcomes>,
    store: Store,
    /// Number of records that can't be looked up in the log.
    unnamed: u64,
}

/// The order of the calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct CallOrder {
    /// If it is `None`, the calls are in the order of the CDR.
    pub column: Option<SortColumn>,
    pub reverse: bool,
}

impl CallReport {
    /// Creates an empty report. If it is `with_log`, calls are looked up in the logs, which
    /// must be read before the CDR.
    pub(crate) fn new(
        (from, to): (Option<Moment>, Option<Moment>),
        with_log: bool,
    ) -> Result<Self, CommandError> {
        Ok(Self {
            from,
            to,
            outcomes: with_log.then(|| Outcomes::new(from, to)),
            store: Store::new()?,
            unnamed: 0,
        })
    }

    /// Reads a log. Calls `skip` with the lines that are skipped and the reasons. Returns
    /// whether there is an outcome in it.
    pub(crate) fn read_log(
        &mut self,
        lines: impl FnOnce(&mut LookAtLine<'_>) -> Result<(), CommandError>,
        mut skip: impl FnMut(u64, &str),
    ) -> Result<bool, CommandError> {
        let mut found = false;
        lines(&mut |number, line| {
            match audit_log::line(line) {
                LogLine::Outcome(outcome) => {
                    found = true;
                    if let Some(outcomes) = &mut self.outcomes {
                        outcomes.add(&outcome);
                    }
                }
                LogLine::Broken => skip(number, "incomplete outcome"),
                LogLine::Other => {}
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Reads the records of a CDR file, whose times are in `zone`. Calls `skip` with the
    /// lines that are skipped and the reasons.
    pub(crate) fn read_cdr(
        &mut self,
        zone: Zone,
        lines: impl FnOnce(&mut LookAtLine<'_>) -> Result<(), CommandError>,
        mut skip: impl FnMut(u64, &str),
    ) -> Result<(), CommandError> {
        let mut records = Records::new(Parser::new(zone), |line, record| match record {
            Ok(record) => self.add(&record),
            Err(error) => {
                skip(line, &error.to_string());
                Ok(())
            }
        });
        lines(&mut |number, line| records.line(number, line))?;
        records.end()
    }

    /// Returns the number of records that have no `uniqueid` to look them up in the log.
    pub(crate) fn unnamed(&self) -> u64 {
        self.unnamed
    }

    /// Adds the selected calls to the totals, and calls `write`, if there is one, with the
    /// header and the rows of the calls as CSV.
    pub(crate) fn write(
        &self,
        selection: &CallSelection,
        order: CallOrder,
        totals: &mut Totals,
        write: Option<&mut WriteLine<'_>>,
    ) -> Result<(), CommandError> {
        let store = &self.store;
        store.calls(self.outcomes.as_ref(), |first, call| {
            let row = ReportRow::new(call);
            if !selection.has(&row) {
                return Ok(());
            }
            totals.add(&row);
            if write.is_none() {
                return Ok(());
            }
            let key = order.column.map_or(Value::Null, |column| column.key(&row));
            let mut text = Vec::new();
            row.push_csv(&mut text);
            store.keep(&key, first, &text)
        })?;
        let Some(write) = write else {
            return Ok(());
        };
        let mut header = Vec::new();
        push_header(&mut header);
        write(&header)?;
        store.rows(order.reverse, write)
    }

    /// Adds a record that may belong to a call of the period.
    fn add(&mut self, record: &Record<'_>) -> Result<(), CommandError> {
        let early = |from: Moment| record.began < from.seconds() - MAX_CALL_SECS;
        let late = |to: Moment| record.began >= to.seconds() + MAX_CALL_SECS;
        if self.from.is_some_and(early) || self.to.is_some_and(late) {
            return Ok(());
        }
        let outcome = self
            .outcomes
            .as_ref()
            .and_then(|outcomes| outcomes.of(record));
        self.unnamed += u64::from(!record.has_id() && self.outcomes.is_some());
        let channel = outcome.map(|outcome| &*outcome.channel);
        let call = call_id(channel, record.unique_id, record.linked_id);
        self.store.add(call, record)
    }
}
