//! Tests with a table that changes as other PBXs would change it.

use std::cell::{Cell, RefCell};
use std::num::NonZeroU32;
use std::time::Duration;

use super::*;
use crate::phone_number::Numbering;
use crate::pin::Pin;
use crate::timestamp::Zone;

const HMAC: &str =
    "hmac-sha256:k1:0000000000000000000000000000000000000000000000000000000000000000";

/// A row of `column=value` pairs.
fn row(columns: &str) -> RealtimeRow {
    let columns = columns.split('|').filter_map(|text| text.split_once('='));
    columns
        .map(|(name, value)| {
            let value = value.replace("HMAC", HMAC).into_bytes();
            (name.to_owned(), Zeroizing::new(value))
        })
        .collect()
}

fn marker() -> RealtimeRow {
    row("account=.|id=0")
}

fn read(rows: &[&str]) -> Result<StoredRows, String> {
    let rows = rows.iter().map(|text| row(text)).collect();
    let numbering = Numbering::default();
    let rules = (&Zone::utc(), &numbering);
    stored_rows(rows, "pins", "set", rules, Duration::ZERO).map_err(|error| error.to_string())
}

fn refused(row: &str) -> String {
    match read(&["account=.", row]) {
        Ok(_) => panic!("{row}"),
        Err(error) => error,
    }
}

#[test]
fn queries_hold_no_pin_and_nothing_that_drivers_change() {
    let pepper =
        Pepper::parse(format!("k1:{}\nk2:{}\n", "5a".repeat(32), "5b".repeat(32)).as_bytes())
            .expect("keys");
    let mut pin = Pin::new();
    for digit in b"1234" {
        pin.push(*digit);
    }
    let found = queries(RealtimeSearch::Pin(&pin), &pepper);
    assert_eq!(found.len(), 2);
    for query in &found {
        assert_eq!(query.condition, BY_DIGEST);
        assert_eq!(query.value.len(), 64);
        assert!(
            !query.value.contains("1234"),
            "a chance of one in thousands"
        );
    }
    assert_eq!(queries(RealtimeSearch::Pin(&Pin::new()), &pepper), []);
    let account = |account: &[u8]| {
        let queries = queries(RealtimeSearch::Account(account), &pepper);
        queries.into_iter().map(|query| query.value).next()
    };
    assert_eq!(account(b"ada' OR \\ %"), Some("ada' OR \\ %".to_owned()));
    for never in [
        &b""[..],
        b".",
        b"a;b",
        b"a^b",
        b"\xff",
        b"a\nb",
        b" a",
        b"a ",
        &[b'a'; 80],
    ] {
        assert_eq!(account(never), None, "{never:?}");
    }
}

#[test]
fn rows_are_read_as_those_of_a_csv_file() {
    let rows = read(&[
        "account=.|id=1",
        "id=10|pinset=set|account=zoe|secret=HMAC|Name=a;b|uses=3|digest=00",
        "id=9|pinset=set|account=bob, \"the\"|secret=HMAC",
        "id=8|pinset=other|account=eve|secret=plain:1",
        "id=11|pinset=set|account=ada|secret=HMAC|caller=+905060508161|level=7|max_uses=2\
         |valid_until=2026-01-02|enabled=no",
    ])
    .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(rows.rows.len(), 3);
    assert_eq!(rows.rows.now(), None);
    let ids = |account: &str| {
        let found = rows.rows.by_account(account.as_bytes());
        found
            .filter_map(|row| Some(rows.id(&row)?.0.to_owned()))
            .collect::<Vec<_>>()
    };
    assert_eq!(ids("zoe"), ["10"]);
    assert_eq!(ids("bob, \"the\""), ["9"]);
    assert_eq!(ids("eve"), [""; 0]);
    assert_eq!(ids("."), [""; 0]);
    let number = Numbering::default()
        .normalize(b"+905060508161")
        .expect("a number");
    let ada = rows.rows.by_caller(&number).next().expect("a row");
    assert_eq!((ada.level, ada.enabled), (7, false));
    assert_eq!(ada.max_uses, NonZeroU32::new(2));
    assert_eq!(rows.id(&ada), Some(("11", HMAC)));
}

#[test]
fn row_that_no_list_may_have_refuses() {
    let good = "id=5|pinset=set|account=ada|secret=HMAC";
    assert!(read(&["account=.", good]).is_ok());
    for (more, error) in [
        ("level=x", "level: must be a whole number from 0 to 255"),
        (
            "valid_until=2026-11-30 09:00:00+00",
            "valid_until: must be YYYY-MM-DD",
        ),
        ("enabled=t", "enabled: must be yes or no"),
        ("max_use=1", "column 'max_use' is none of a PIN set"),
        ("max_uses=1|max_uses=2", "max_uses: a value with ';'"),
        ("context=a^b", "context: a value with ';'"),
        ("caller=x", "caller: not a usable number"),
    ] {
        let refused = refused(&format!("{good}|{more}"));
        assert!(refused.starts_with("realtime:pins, id 5: "), "{refused}");
        assert!(refused.contains(error), "{more}: {refused}");
    }
    for (row, error) in [
        (
            "id=5|pinset=set|account=ada|secret=plain:1234",
            "id 5: secret: must be hmac",
        ),
        (
            "id=5|pinset=set|account=ada|secret=md5:00",
            "id 5: secret: ",
        ),
        ("id=5|pinset=set|account=ada", "id 5: secret: "),
        ("id=5|pinset=set|secret=HMAC", "id 5: account: empty"),
        (
            "id=a b|pinset=set|account=ada|secret=HMAC",
            "id : id: must be",
        ),
        ("pinset=set|account=ada|secret=HMAC", "id : id: must be"),
    ] {
        let refused = refused(row);
        assert!(refused.contains(error), "{row}: {refused}");
        assert!(!refused.contains("1234"), "{refused}");
    }
    let twice = read(&["account=.", good, good]).err();
    assert_eq!(
        twice.as_deref(),
        Some("realtime:pins, id 5: several rows have this id")
    );
}

/// An account that is unknown takes as long as one whose secret costs as much as that of
/// the marker row.
#[test]
fn secret_of_the_marker_is_the_cost_of_all() {
    let secret = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA";
    let rows = read(&[&format!("account=.|secret={secret}")]).unwrap_or_else(|e| panic!("{e}"));
    let by = crate::credential::table::FoundBy::Account;
    assert_eq!(rows.rows.filler(by, &[]).len(), 1);
    let rows = read(&["account=."]).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(rows.rows.filler(by, &[]).len(), 0);
}

/// A table with one row, whose uses others take, too.
struct Table {
    rows: RefCell<Vec<RealtimeRow>>,
    uses: Cell<u32>,
    /// How many uses others take between a look-up and its use.
    others: Cell<u32>,
    /// What the next updates return in place of their results.
    results: RefCell<Vec<Option<u32>>>,
    forgotten: Cell<u32>,
}

impl Table {
    fn new(columns: &str) -> Self {
        Self {
            rows: RefCell::new(vec![marker(), row(columns)]),
            uses: Cell::new(0),
            others: Cell::new(0),
            results: RefCell::default(),
            forgotten: Cell::new(0),
        }
    }

    fn consume(&self, limit: u32) -> Option<Result<bool, String>> {
        self.consume_while(limit, &|| true)
    }

    fn consume_while(&self, limit: u32, wanted: &dyn Fn() -> bool) -> Option<Result<bool, String>> {
        let limit = NonZeroU32::new(limit).expect("a limit");
        let taken = consume(self, "set", ("5", HMAC), limit, wanted, || {});
        taken.map(|taken| taken.map_err(|error| error.to_string()))
    }
}

impl RealtimeTable for Table {
    fn find(&self, query: &RealtimeQuery, pin_set: &str) -> Vec<RealtimeRow> {
        assert_eq!((query.condition, pin_set), (BY_ID, "set"));
        let mut rows = self.rows.borrow().clone();
        for row in rows.iter_mut().filter(|row| !is_marker(row)) {
            if value(row, "uses").is_empty() {
                let uses = self.uses.get().to_string().into_bytes();
                row.push(("uses".to_owned(), Zeroizing::new(uses)));
            }
        }
        let taken = self.others.get().min(1);
        self.others.set(self.others.get() - taken);
        self.uses.set(self.uses.get() + taken);
        rows
    }

    fn set_uses(&self, id: &str, from: u32, to: u32) -> Option<u32> {
        assert_eq!((id, to), ("5", from + 1));
        if let Some(result) = self.results.borrow_mut().pop() {
            return result;
        }
        let is = self.uses.get() == from;
        if is {
            self.uses.set(to);
        }
        Some(is.into())
    }

    fn forget_columns(&self) {
        self.forgotten.set(self.forgotten.get() + 1);
    }
}

const ROW: &str = "id=5|pinset=set|account=ada|secret=HMAC";

#[test]
fn use_is_taken_while_there_is_one() {
    let table = Table::new(ROW);
    assert_eq!(table.consume(2), Some(Ok(true)));
    assert_eq!(table.consume(2), Some(Ok(true)));
    assert_eq!(table.consume(2), Some(Ok(false)));
    assert_eq!(table.uses.get(), 2);
    // Others take one between look-up and use: it is read again.
    table.others.set(2);
    assert_eq!(table.consume(5), Some(Ok(true)));
    assert_eq!(table.uses.get(), 5);
    table.others.set(1_000_000);
    let contended = table
        .consume(u32::MAX)
        .and_then(Result::err)
        .unwrap_or_default();
    assert!(contended.contains("too many PBXs"), "{contended}");
}

#[test]
fn failed_update_is_tried_once_more_with_the_columns_read_again() {
    let table = Table::new(ROW);
    table.results.borrow_mut().push(None);
    assert_eq!(table.consume(1), Some(Ok(true)));
    assert_eq!(table.forgotten.get(), 1);
    table.results.borrow_mut().extend([None, None]);
    let failed = table.consume(9).and_then(Result::err).unwrap_or_default();
    assert!(failed.contains("can't be written"), "{failed}");
    table.results.borrow_mut().push(Some(2));
    let several = table.consume(9).and_then(Result::err).unwrap_or_default();
    assert!(several.contains("several rows"), "{several}");
}

#[test]
fn row_that_has_changed_admits_nobody() {
    for (columns, error) in [
        ("id=5|pinset=set|account=ada|secret=hmac-sha256:k1:00", None),
        ("id=5|pinset=other|account=ada|secret=HMAC", None),
        ("id=6|pinset=set|account=ada|secret=HMAC", None),
        ("id=5|pinset=set|account=ada|secret=HMAC|enabled=no", None),
        ("id=5|pinset=set|account=ada|secret=HMAC|enabled=f", None),
        (
            "id=5|pinset=set|account=ada|secret=HMAC|uses=x",
            Some("id 5: uses: must be"),
        ),
        (
            "id=5|pinset=set|account=ada|secret=HMAC|uses=-1",
            Some("id 5: uses: must be"),
        ),
    ] {
        let table = Table::new(columns);
        match (table.consume(1), error) {
            (Some(Ok(false)), None) => {}
            (Some(Err(found)), Some(error)) if found.contains(error) => {}
            (other, _) => panic!("{columns}: {other:?}"),
        }
        assert_eq!(table.uses.get(), 0, "{columns}");
    }
}

#[test]
fn table_without_the_marker_has_not_answered() {
    let table = Table::new(ROW);
    table.rows.borrow_mut().remove(0);
    let refused = table.consume(1).and_then(Result::err).unwrap_or_default();
    assert!(refused.contains("no row has the account '.'"), "{refused}");
    assert_eq!(table.uses.get(), 0);
}

#[test]
fn use_that_nobody_waits_for_is_not_taken() {
    let table = Table::new(ROW);
    assert_eq!(table.consume_while(1, &|| false), None);
    // The caller gives up during the look-up.
    let asked = Cell::new(0);
    let wanted = || asked.replace(asked.get() + 1) == 0;
    assert_eq!(table.consume_while(1, &wanted), None);
    assert_eq!(table.uses.get(), 0);
}
