//! Checks of CSV files.

use std::collections::HashMap;
use std::io;

use pinset::list::format::csv::Reader;
use pinset::list::FileKind;
use pinset::timestamp::Zone;
use pinset::{Numbering, Secret};

use super::findings::{
    Duplicate, Findings, InvalidLine, List, NotANumber, Reason, Unreachable, Weak,
};
use crate::common::csv_list::load;
use crate::common::reach::is_out_of_reach;
use crate::common::weak_pins::weakness;

/// Checks a CSV file.
///
/// # Errors
///
/// Fails if the module would refuse the whole list.
pub(super) fn examine(text: &[u8], numbering: &Numbering, show: usize) -> io::Result<List> {
    let mut list = List {
        format: "csv",
        entries: 0,
        broken: Findings::new(show),
        duplicates: Findings::new(show),
        weak: Findings::new(show),
        unreachable: Findings::new(show),
        alphabet: None,
        odds: Vec::new(),
        unended: !matches!(text.last(), None | Some(b'\n')),
        empty: false,
        world_writable: false,
        pin_sets: Vec::new(),
    };
    // A list of valid rows is invalid if too many of them are slow to verify.
    load(text, FileKind::Csv, numbering).map_err(|why| io::Error::other(why.to_string()))?;
    let mut first = HashMap::new();
    let zone = Zone::of_the_machine();
    let mut reader = Reader::new(text, true, &zone);
    while let Some(row) = reader
        .next_row()
        .map_err(|broken| io::Error::other(broken.to_string()))?
    {
        let row = match row {
            Ok(row) => row,
            Err(bad) => {
                let reason = Reason::Value(bad.column, bad.error);
                list.broken.add(InvalidLine {
                    line: bad.line,
                    reason,
                });
                continue;
            }
        };
        let line = row.line;
        let form = match Secret::parse(row.secret.as_bytes()) {
            Ok(secret) => secret.form(),
            Err(fault) => {
                let reason = Reason::Secret(fault);
                list.broken.add(InvalidLine { line, reason });
                continue;
            }
        };
        let caller = row.caller.map(str::as_bytes);
        if let Some(caller) = caller.filter(|text| numbering.normalize(text).is_none()) {
            let reason = Reason::Caller(NotANumber::of(caller));
            list.broken.add(InvalidLine { line, reason });
            continue;
        }
        list.entries += 1;
        let pin = row.secret.strip_prefix("plain:");
        if let Some(reason) = pin.and_then(|pin| weakness(pin.as_bytes())) {
            list.weak.add(Weak { line, reason });
        }
        if is_out_of_reach(row.account, row.caller, form.is_slow()) {
            list.unreachable.add(Unreachable { line });
        }
        let whose = (row.account.to_owned(), row.caller.map(str::to_owned));
        let first = *first.entry(whose).or_insert(line);
        if first != line {
            list.duplicates.add(Duplicate { line, first });
        }
    }
    list.empty = list.entries == 0;
    list.broken.finish();
    list.weak.finish();
    list.unreachable.finish();
    list.duplicates.finish();
    Ok(list)
}
