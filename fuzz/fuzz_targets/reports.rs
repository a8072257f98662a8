#![no_main]

use libfuzzer_sys::fuzz_target;
use pinset::audit::{self, AuditRecord};
use pinset::Status;

/// The sources of `pinset report`, which is a program without a library.
#[allow(dead_code)]
#[path = "../../crates/pinset-cli/src/common"]
mod common {
    pub(crate) mod colours;
    pub(crate) mod csv;
}

#[allow(dead_code)]
#[path = "../../crates/pinset-cli/src/reports"]
mod reports {
    mod audit_log;
    mod cdr;

    use std::convert::Infallible;

    use pinset::timestamp::Zone;

    use audit_log::{line, LogLine};
    use cdr::{Parser, Records};

    /// Returns the unique ids of the records, and where each begins or is none.
    pub(crate) fn records(text: &[u8]) -> Vec<(u64, Option<Vec<u8>>)> {
        let mut found = Vec::new();
        let mut records = Records::new(Parser::new(Zone::utc()), |number, record| {
            let id = record
                .ok()
                .map(|record| record.unique_id.unwrap_or_default().to_vec());
            found.push((number, id));
            Ok::<_, Infallible>(())
        });
        for (line, number) in text.split(|byte| *byte == b'\n').zip(1..) {
            let Ok(()) = records.line(number, line);
        }
        let Ok(()) = records.end();
        found
    }

    /// Returns pin set, identity, caller and unique id of a line with an outcome.
    pub(crate) fn logged(text: &[u8]) -> Option<[Vec<u8>; 4]> {
        match line(text) {
            LogLine::Outcome(logged) => Some([
                logged.pin_set,
                logged.identity,
                logged.caller,
                logged.unique_id,
            ]),
            LogLine::Broken | LogLine::Other => None,
        }
    }
}

/// The most bytes of a value that is never cut.
const SHORT: usize = 32;

const RECORD: &[u8] = b"\"\",\"1\",\"2\",\"c\",\"\",\"x\",\"\",\"Hangup\",\"\",\
    \"2026-11-30 10:00:00\",\"2026-11-30 10:00:01\",\"2026-11-30 10:00:02\",2,1,\
    \"ANSWERED\",\"DOCUMENTATION\",\"id\"";

// Each record and each line that is none is found once, in order; a record behind anything
// without a quote is found. What other modules log is no outcome, and an outcome is read as
// the module wrote it.
fuzz_target!(|input: &[u8]| {
    let mut text = input.to_vec();
    text.push(b'\n');
    text.extend_from_slice(RECORD);
    let found = reports::records(&text);
    assert!(
        found.is_sorted_by(|(one, _), (two, _)| one < two),
        "{found:?}"
    );
    if !input.contains(&b'"') {
        let last = found.last().and_then(|(_, id)| id.as_deref());
        assert_eq!(last, Some(&b"id"[..]));
    }
    let line: Vec<u8> = input
        .iter()
        .copied()
        .filter(|byte| *byte != b'\n')
        .collect();
    let _ = reports::logged(&line);
    let others = [b"[2026-11-30 10:00:00] NOTICE[7] app.c: ", line.as_slice()].concat();
    assert_eq!(reports::logged(&others), None);
    // Longer values are cut.
    let values = line.get(..SHORT).unwrap_or(&line);
    let pin_set = String::from_utf8_lossy(values);
    let record = AuditRecord {
        outcome: Status::Success,
        pin_set: &pin_set,
        identity: values,
        caller: values,
        channel: values,
        unique_id: values,
        linked_id: values,
        attempts: 1,
        locked: None,
        remote: None,
    };
    let front = "[2026-11-30 10:00:00] AUTHENTICATE[7][C-1] audit.rs: ";
    let ours = format!("{front}{}", audit::line(&record.fields()));
    let expected = [pin_set.as_bytes(), values, values, values].map(<[u8]>::to_vec);
    assert_eq!(reports::logged(ours.as_bytes()), Some(expected), "{ours}");
});
