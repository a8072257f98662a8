use super::*;
use crate::reports::row::ReportRow;
use crate::reports::{CallReport, CallSelection, Totals};
use pinset::timestamp::Moment;
use proptest::prelude::*;
use rusqlite::types::Value;
use tempfile::TempDir;

mod pages;

use pages::{sort_key, turned, COLUMNS};

const NOW: Duration = Duration::from_secs(1_796_000_000);
const KEPT: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// Callers can choose their number, and its name.
const CALLER: &str = "=cmd|' /C calc'!A0<b>\u{202e}";

struct Lab {
    folder: TempDir,
    history: CallHistory,
    read: [u64; 2],
}

impl Lab {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let history =
            CallHistory::open(&folder.path().join("calls.db"), KEPT, &Numbering::default());
        Self {
            history: history.expect("a database"),
            folder,
            read: [0, 0],
        }
    }

    /// Adds lines of a file.
    fn add(&mut self, source: HistorySource, text: &str) {
        self.add_at(source, text, NOW);
    }

    fn add_at(&mut self, source: HistorySource, text: &str, now: Duration) {
        let metadata = std::fs::metadata(self.folder.path()).expect("metadata");
        let mut position = FilePosition::start(&metadata);
        let read = self.read.get_mut(source as usize).expect("a source");
        position.offset = *read;
        let chunk = Chunk {
            lines: text.as_bytes(),
            position,
            is_last: false,
        };
        let position = self.history.add(source, &chunk, now).expect("stored");
        *read = position.offset;
    }

    fn reader(&self) -> HistoryReader {
        HistoryReader::open(
            &self.folder.path().join("calls.db"),
            None,
            &Numbering::default(),
        )
        .expect("a reader")
    }

    fn csv(&self, filter: &CallFilter) -> String {
        let mut text = Vec::new();
        let each = |row: &ReportRow<'_>| {
            row.push_csv(&mut text);
            Ok::<_, rusqlite::Error>(())
        };
        self.reader().each(filter, each).expect("rows");
        String::from_utf8(text).expect("text")
    }

    /// Returns the sums of the tables by the calls themselves, and as they are stored.
    fn sums(&self) -> [Vec<Vec<Value>>; 2] {
        let parts = [
            ("quarter", "slot, pin_set, identity, disposition", 900),
            ("day", "slot, pin_set, identity, disposition", 86_400),
            ("set_quarter", "slot, pin_set, disposition", 900),
        ];
        let rows = |sql: String| -> Vec<Vec<Value>> {
            let mut select = self.history.database.prepare(&sql).expect("a query");
            let columns = select.column_count();
            let rows = select.query_map([], |row| (0..columns).map(|at| row.get(at)).collect());
            let rows = rows.expect("rows").collect::<Result<_, _>>();
            rows.expect("rows")
        };
        let stored = parts.map(|(table, key, _)| {
            rows(format!(
                "SELECT {key}, calls, duration, billed FROM {table} ORDER BY {key}"
            ))
        });
        let counted = parts.map(|(_, key, seconds)| {
            rows(format!(
                "SELECT {key}, count(*), sum(duration), sum(billed) FROM (SELECT *, began - began \
                 % {seconds} AS slot FROM call) GROUP BY {key} ORDER BY {key}"
            ))
        });
        [counted.concat(), stored.concat()]
    }
}

/// Returns calls and totals of `pinset report`.
fn report(cdr: &str, log: &str, filter: &CallFilter) -> [String; 2] {
    let mut report = CallReport::new((filter.from, filter.to), true).expect("a report");
    let lines = |text: &str, look: &mut crate::reports::LookAtLine<'_>| {
        text.lines()
            .zip(1..)
            .try_for_each(|(line, at)| look(at, line.as_bytes()))
    };
    report
        .read_log(|look| lines(log, look), |_, _| {})
        .expect("a log");
    let zone = Zone::of_the_machine();
    report
        .read_cdr(zone, |look| lines(cdr, look), |_, _| {})
        .expect("a CDR");
    let mut text = Vec::new();
    let mut write = |line: &[u8]| {
        text.extend_from_slice(line);
        Ok(())
    };
    let mut totals = Totals::new(false);
    let selection: CallSelection = filter.selection(&Numbering::default());
    let order = crate::reports::CallOrder::default();
    report
        .write(&selection, order, &mut totals, Some(&mut write))
        .expect("rows");
    let text = String::from_utf8(text).expect("text");
    let rows = text.split_once('\n').expect("a header").1.to_owned();
    [rows, String::from_utf8(totals.csv()).expect("text")]
}

/// Returns a line of `Master.csv`, of 2026-11-01.
fn record(minute: u32, account: &str, caller: &str, disposition: &str, ids: &str) -> String {
    let start = format!(
        "2026-11-{:02} {:02}:{:02}:00",
        1 + minute / 1440,
        minute / 60 % 24,
        minute % 60
    );
    let caller = caller.replace('"', "\"\"");
    format!(
        "\"{account}\",\"{caller}\",\"100\",\"in\",\"\",\"PJSIP/a\",\"\",\"Authenticate\",\
         \"836490217\",\"{start}\",\"{start}\",\"{start}\",65,60,\"{disposition}\",\
         \"DOCUMENTATION\"{ids}\n"
    )
}

fn outcome(outcome: &str, set: &str, identity: &str, id: &str, linked: &str) -> String {
    format!(
        "[2026-11-01 08:00:04] AUTHENTICATE[4711][C-0000001a] audit.rs: Outcome=\"{outcome}\",\
         PinSet=\"{set}\",Identity=\"{identity}\",Caller=\"0506 050 81 69\",Channel=\"x\",\
         UniqueID=\"{id}\",LinkedID=\"{linked}\",Attempts=\"1\"\n"
    )
}

fn moment(text: &str) -> Option<Moment> {
    Moment::from_which(text, &Zone::of_the_machine())
}

#[test]
fn identity_may_come_before_or_after_the_record() {
    let cdr = record(1, "phone", "", "ANSWERED", ",\"1793520000.1\"");
    let log = outcome("SUCCESS", "doors", "ada", "1793520000.1", "1793520000.1");
    for order in [[0, 1], [1, 0]] {
        let mut lab = Lab::new();
        for source in order {
            match source {
                0 => lab.add(HistorySource::AuditLog, &log),
                _ => lab.add(HistorySource::Cdr, &cdr),
            }
        }
        let rows = lab.csv(&CallFilter::default());
        assert!(rows.starts_with("ada,doors,,100,2026-11-01"), "{rows}");
        let [counted, stored] = lab.sums();
        assert_eq!(counted, stored);
        assert_eq!(counted.len(), 3);
    }
}

#[test]
fn late_outcome_joins_the_records_of_a_call() {
    let mut lab = Lab::new();
    let ids = |id: &str, linked: &str| format!(",\"{id}\",\"\",\"\",\"{linked}\",1");
    lab.add(
        HistorySource::Cdr,
        &record(
            1,
            "",
            "1",
            "NO ANSWER",
            &ids("1793520000.1", "1793520000.7"),
        ),
    );
    lab.add(
        HistorySource::Cdr,
        &record(
            20,
            "",
            "2",
            "ANSWERED",
            &ids("1793520000.2", "1793520000.8"),
        ),
    );
    assert_eq!(lab.csv(&CallFilter::default()).lines().count(), 2);
    // Both are of the call of this channel.
    lab.add(
        HistorySource::AuditLog,
        &outcome("SUCCESS", "s", "ada", "1793520000.2", "1793520000.7"),
    );
    let rows = lab.csv(&CallFilter::default());
    assert_eq!(rows.lines().count(), 1, "{rows}");
    assert!(
        rows.starts_with("ada,s,2,100,2026-11-01 00:01:00"),
        "{rows}"
    );
    let [counted, stored] = lab.sums();
    assert_eq!(counted, stored);
}

#[test]
fn old_calls_are_not_read_and_are_removed_with_their_names() {
    let mut lab = Lab::new();
    let day = Duration::from_secs(24 * 60 * 60);
    let lines = record(1, "ada", "", "ANSWERED", "") + &record(2880, "bob", "", "BUSY", "");
    let began = moment("2026-11-01").expect("a day").seconds();
    let began = Duration::from_secs(u64::try_from(began).expect("a time"));
    let log = outcome("FAILURE", "doors", "carol", "x", "x");
    lab.add_at(HistorySource::AuditLog, &log, began);
    lab.add_at(HistorySource::Cdr, &lines, began + day);
    assert_eq!(lab.csv(&CallFilter::default()).lines().count(), 2);
    lab.history
        .remove_old(began + KEPT + 2 * day)
        .expect("removed");
    assert!(lab.csv(&CallFilter::default()).starts_with("bob,"));
    let [counted, stored] = lab.sums();
    assert_eq!(counted, stored);
    let names =
        "SELECT group_concat(text) FROM (SELECT text FROM name WHERE text <> '' ORDER BY text)";
    let names: String = lab
        .history
        .database
        .query_row(names, [], |row| row.get(0))
        .expect("names");
    assert_eq!(names, "BUSY,bob");
    for table in ["attempt", "channel"] {
        let count = format!("SELECT count(*) FROM {table}");
        let count: i64 = lab
            .history
            .database
            .query_row(&count, [], |row| row.get(0))
            .expect("a count");
        assert_eq!(count, 0);
    }
    let mut lab = Lab::new();
    lab.add_at(HistorySource::Cdr, &lines, began + KEPT + 2 * day);
    assert!(lab.csv(&CallFilter::default()).starts_with("bob,"));
}

/// The arguments of `Authenticate()` may be a PIN.
#[test]
fn no_argument_of_an_application_is_stored() {
    let mut lab = Lab::new();
    let bad = "\"836490217\n836490217\n".to_owned();
    lab.add(
        HistorySource::Cdr,
        &(record(1, "ada", CALLER, "ANSWERED", "") + &bad),
    );
    lab.history
        .database
        .execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
        .expect("written");
    let file = std::fs::read(lab.folder.path().join("calls.db")).expect("a file");
    assert!(memchr::memmem::find(&file, b"DOCUMENTATION").is_none());
    assert!(memchr::memmem::find(&file, b"836490217").is_none());
    assert!(memchr::memmem::find(&file, b"ANSWERED").is_some());
}

prop_compose! {
    fn any_record()(
        minute in 0..4000_u32,
        account in "(ada|bob|)",
        caller in "(0506 050 81 69|05060508169|100|=1|)",
        disposition in "(ANSWERED|NO ANSWER|BUSY)",
        id in 0..9_u32,
        linked in prop::option::of(0..9_u32),
        named in 0..9_u32,
    ) -> String {
        let ids = match (named, linked) {
            (0, _) => String::new(),
            (_, None) => format!(",\"1793520000.{id}\""),
            (_, Some(linked)) => format!(",\"1793520000.{id}\",\"\",\"\",\"1793520000.{linked}\",1"),
        };
        record(minute, &account, &caller, &disposition, &ids)
    }
}

prop_compose! {
    fn any_outcome()(
        word in "(SUCCESS|FAILURE|EXPIRED)",
        set in "(doors|staff)",
        identity in "(ada|carol|)",
        id in 0..9_u32,
        linked in 0..9_u32,
    ) -> String {
        outcome(&word, &set, &identity, &format!("1793520000.{id}"), &format!("1793520000.{linked}"))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Whatever comes first, and in how many parts: the calls and the totals are those of a
    /// report of both files.
    #[test]
    fn history_has_what_a_report_has(
        lines in prop::collection::vec(prop_oneof![
            any_record().prop_map(|line| (HistorySource::Cdr, line)),
            any_outcome().prop_map(|line| (HistorySource::AuditLog, line)),
        ], 0..30),
        order in (prop::sample::select(&COLUMNS[..]), any::<bool>()),
        from in prop::option::of(0..4000_u32),
        to in prop::option::of(0..4000_u32),
        identity in prop::option::of("(ada|bob|carol|none|)"),
        pin_set in prop::option::of("(doors|staff|none)"),
        caller in prop::option::of("(05060508169|100|7)"),
        disposition in prop::option::of("(answered|BUSY|x)"),
    ) {
        let mut lab = Lab::new();
        let (mut cdr, mut log) = (String::new(), String::new());
        for (source, line) in &lines {
            lab.add(*source, line);
            match source {
                HistorySource::Cdr => cdr += line,
                HistorySource::AuditLog => log += line,
            }
        }
        let [counted, stored] = lab.sums();
        prop_assert_eq!(counted, stored);
        let at = |minute: u32| {
            let text = format!("2026-11-{:02} {:02}:{:02}", 1 + minute / 1440, minute / 60 % 24, minute % 60);
            moment(&text)
        };
        for filter in [
            CallFilter::default(),
            CallFilter { from: from.and_then(at), to: to.and_then(at), ..CallFilter::default() },
            CallFilter { identity: identity.clone(), from: from.and_then(at), ..CallFilter::default() },
            CallFilter { pin_set: pin_set.clone(), to: to.and_then(at), ..CallFilter::default() },
            CallFilter { disposition: disposition.clone(), ..CallFilter::default() },
            CallFilter { from: from.and_then(at), to: to.and_then(at), identity, pin_set, caller, disposition },
        ] {
            let [rows, totals] = report(&cdr, &log, &filter);
            // The records of a report are of a part of the time only, and these calls may
            // have others days before.
            let is_whole = filter.from.is_none() && filter.to.is_none();
            if is_whole || lines.iter().all(|(_, line)| !line.contains("1793520000.")) {
                prop_assert_eq!(lab.csv(&filter), rows.clone(), "{:?}", filter);
            }
            let reader = lab.reader();
            let mut sums = Totals::new(false);
            let found = reader.totals(&filter).expect("totals");
            found.iter().for_each(|row| sums.add_identity(row));
            let mut counted = Totals::new(false);
            let each = |row: &ReportRow<'_>| {
                counted.add(row);
                Ok::<_, rusqlite::Error>(())
            };
            reader.each(&filter, each).expect("rows");
            prop_assert_eq!(sums.csv(), counted.csv(), "{:?}", filter);
            if is_whole {
                prop_assert_eq!(String::from_utf8(sums.csv()).expect("text"), totals);
            }
            let slots = reader.slots(&filter).expect("slots");
            let of_slots = |of: fn(&SlotTotals) -> u64| slots.iter().map(of).sum::<u64>();
            let of_totals = |of: fn(&IdentityTotals) -> u64| found.iter().map(of).sum::<u64>();
            prop_assert_eq!(of_slots(|slot| slot.calls), of_totals(|row| row.calls));
            prop_assert_eq!(of_slots(|slot| slot.answered), of_totals(|row| row.answered));
            prop_assert_eq!(of_slots(|slot| slot.billed), of_totals(|row| row.billed));
            let order = PageOrder { column: order.0, is_descending: order.1 };
            for selected in [1, u64::MAX] {
                let page = reader.page(&filter, order, CallPart::First, 99, selected);
                let page = page.expect("a page");
                prop_assert_eq!(page.len(), lab.csv(&filter).lines().count());
                prop_assert_eq!(&turned(&reader, &filter, order, selected), &page);
                let mut sorted = page.clone();
                sorted.sort_by_key(|row| sort_key(row, order.column));
                if order.is_descending {
                    sorted.reverse();
                }
                prop_assert_eq!(&sorted, &page);
            }
        }
    }
}

/// Calls and attempts that were stored before a change of the options are found by the new
/// ones, and those that come later, too.
#[test]
fn change_of_the_numbering_counts_for_stored_calls() {
    let mut lab = Lab::new();
    let mut numbering = Numbering::default();
    numbering.set(b"country_code", b"90").expect("a code");
    let path = lab.folder.path().join("calls.db");
    for count in 1..=2 {
        let id = format!("1793520000.{count}");
        let caller = "0506 050 81 69";
        let ids = format!(",\"{id}\"");
        lab.add(
            HistorySource::Cdr,
            &record(count, "", caller, "ANSWERED", &ids),
        );
        lab.add(
            HistorySource::AuditLog,
            &outcome("FAILURE", "doors", "", &id, &id),
        );
        lab.history = CallHistory::open(&path, KEPT, &numbering).expect("a database");
        let reader = HistoryReader::open(&path, None, &numbering).expect("a reader");
        let number = "+905060508169".to_owned();
        let filter = CallFilter {
            caller: Some(number.clone()),
            ..CallFilter::default()
        };
        let order = PageOrder {
            column: CallColumn::Start,
            is_descending: true,
        };
        let page = reader.page(&filter, order, CallPart::First, 9, 1);
        let mut each = 0;
        let counted = reader.each(&filter, |_| {
            each += 1;
            Ok::<_, rusqlite::Error>(())
        });
        counted.expect("rows");
        let attempts = reader.attempts(&[number], &[], 9).expect("attempts");
        let found = (page.expect("rows").len(), each, attempts.len());
        let all = usize::try_from(count).expect("small");
        assert_eq!(found, (all, count, all));
    }
    // The same options are not applied once more.
    let select = "SELECT number FROM call LIMIT 1";
    let database = Connection::open(&path).expect("a database");
    let changed = database.execute("UPDATE call SET number = 'x'", []);
    assert_eq!(changed.expect("changed"), 2);
    lab.history = CallHistory::open(&path, KEPT, &numbering).expect("a database");
    let number: String = database
        .query_row(select, [], |row| row.get(0))
        .expect("a number");
    assert_eq!(number, "x");
}
