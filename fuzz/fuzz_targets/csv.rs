#![no_main]

use std::io::Read;

use libfuzzer_sys::fuzz_target;
use pinset::list::format::csv::Reader;
use pinset::timestamp::Zone;

// A list means the same in whatever pieces it is read, and one whose last line may be
// unfinished has no row that the finished one lacks.
fuzz_target!(|list: &[u8]| {
    let settled = rows(list, true);
    assert_eq!(settled, rows(OneByOne(list), true));
    let unsettled = rows(list, false);
    if let (Ok(all), Ok(some)) = (settled, unsettled) {
        assert!(all.starts_with(&some));
    }
});

/// What each row says, or what is wrong with it.
fn rows(list: impl Read, settled: bool) -> Result<Vec<String>, String> {
    let mut reader = Reader::new(list, settled, &Zone::utc());
    let mut rows = Vec::new();
    while let Some(row) = reader.next_row().map_err(|error| error.to_string())? {
        rows.push(match row {
            Ok(row) => {
                assert!(!row.account.is_empty() && !row.secret.is_empty());
                format!(
                    "{} {:?} {:?} {:?} {:?} {} {:?} {:?} {:?} {:?} {}",
                    row.line,
                    row.account,
                    row.secret,
                    row.caller,
                    row.name,
                    row.level,
                    row.from,
                    row.until,
                    row.max_uses,
                    row.context,
                    row.enabled
                )
            }
            Err(error) => format!("{error:?}"),
        });
    }
    Ok(rows)
}

/// Reads one byte at a time.
struct OneByOne<'a>(&'a [u8]);

impl Read for OneByOne<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = buffer.len().min(1);
        self.0.read(&mut buffer[..most])
    }
}
