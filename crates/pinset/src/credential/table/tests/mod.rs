use std::io::{self, Read};

use proptest::prelude::*;

use super::*;
use crate::credential::secret::tests::{entered, TEST_KEY};
use crate::list::format::csv::{self, Column};
use crate::list::{FileKind, Format};
use crate::phone_number::Numbering;
use crate::timestamp::Zone;

mod weighing;

const CSV: FileKind = FileKind::Csv;
const MD5: FileKind = FileKind::Lines(Format::Md5);
const PLAIN: FileKind = FileKind::Lines(Format::Plain);

/// With one key, `main`.
fn pepper() -> Pepper {
    Pepper::parse(format!("main:{TEST_KEY}\n").as_bytes()).expect("a pepper")
}

fn turkey() -> Numbering {
    let mut numbering = Numbering::default();
    numbering.set(b"country_code", b"90").expect("a code");
    numbering
}

/// Reads a list with at most `.1` bytes at a time.
struct Slow<'a>(&'a [u8], usize);

impl Read for Slow<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let most = room.len().min(self.1);
        self.0.read(&mut room[..most])
    }
}

fn read(list: impl Read, kind: FileKind, settled: bool, limit: u64) -> Result<Rows, TableError> {
    let mut reading = Reading::new(list, kind, settled, &Zone::utc(), &turkey(), limit);
    loop {
        if let Some(rows) = reading.step()? {
            assert!(reading.step().is_err());
            return Ok(rows);
        }
    }
}

fn rows(list: &str, kind: FileKind) -> Rows {
    let rows = read(list.as_bytes(), kind, true, u64::MAX);
    rows.unwrap_or_else(|broken| panic!("{broken}"))
}

fn broken(list: &str, limit: u64) -> String {
    let rows = read(list.as_bytes(), CSV, true, limit);
    rows.err()
        .map(|broken| broken.to_string())
        .unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn md5(pin: &str) -> String {
    hex(&crate::list::format::md5::digest(&entered(pin)))
}

fn mac(pin: &str) -> String {
    let pepper = pepper();
    let (_, key) = pepper.signing().expect("a key");
    hex(&*key.sign(&entered(pin)))
}

/// Of 1234.
fn argon2id(passes: u32) -> String {
    format!(
        "\"$argon2id$v=19$m=8,t={passes},p=1$c2FsdHNhbHQ\
         $0T8Xv9HzSgy6rOF4gFCBxE5T96ltUdQKB791KA9XTaQ\""
    )
}

fn lines(candidates: impl Iterator<Item = Candidate>) -> Vec<u64> {
    candidates.map(|candidate| candidate.line).collect()
}

fn by_pin(rows: &Rows, pin: &str) -> Vec<u64> {
    lines(rows.by_pin(&entered(pin), &pepper()))
}

fn by_caller(rows: &Rows, number: &str) -> Vec<u64> {
    let number = turkey().normalize(number.as_bytes()).expect("a number");
    lines(rows.by_caller(&number))
}

fn by_account(rows: &Rows, account: &str) -> Vec<u64> {
    lines(rows.by_account(account.as_bytes()))
}

#[test]
fn rows_are_found_by_all_they_have() {
    let (md5, mac) = (md5("1234").to_uppercase(), mac("1234"));
    let list = format!(
        "account,secret,caller\n\
         a,plain:1234,+905060508169\n\
         b,md5:{md5},05060508169\n\
         a,hmac-sha256:main:{mac},\n\
         c,{},5060508169\n\
         d,plain:12345,+41441234567\n\
         e,hmac-sha256:lost:{mac},\n",
        argon2id(1)
    );
    let rows = rows(&list, CSV);
    assert_eq!((rows.len(), rows.argon2id()), (6, 1));
    assert_eq!(by_pin(&rows, "1234"), [2, 3, 4]);
    assert_eq!(by_pin(&rows, "12345"), [6]);
    for pin in ["", "1", "123", "01234", "999999"] {
        assert_eq!(by_pin(&rows, pin), [0; 0]);
    }
    assert_eq!(by_account(&rows, "a"), [2, 4]);
    assert_eq!(by_account(&rows, "c"), [5]);
    for account in ["", "A", "aa"] {
        assert_eq!(by_account(&rows, account), [0; 0]);
    }
    for number in [
        "+905060508169",
        "905060508169",
        "05060508169",
        "5060508169",
        "00905060508169",
    ] {
        assert_eq!(by_caller(&rows, number), [2, 3, 5], "{number}");
    }
    assert_eq!(by_caller(&rows, "0041441234567"), [6]);
    assert_eq!(by_caller(&rows, "+905060508160"), [0; 0]);
    let lost = KeyId::new(b"lost").expect("a name");
    assert_eq!(rows.by_pin(&entered("7"), &pepper()).missing(), [lost]);
    let national = Numbering::default().normalize(b"5060508169");
    assert_eq!(
        national.map(|number| rows.by_caller(&number).count()),
        Some(0)
    );
}

#[test]
fn a_row_is_what_its_columns_say() {
    let list = "account,secret,caller,name,level,valid_from,valid_until,max_uses,context,\
                enabled\n\
                42,plain:1,,Ada,7,2026-01-01,2026-01-01,3,in,no\n\
                43,plain:2,,,,,,,,\n";
    let rows = rows(list, CSV);
    let (pin, pepper) = (entered("1"), pepper());
    let row = rows.by_pin(&pin, &pepper).next().expect("a row");
    assert_eq!((row.line, &row.account[..], row.level), (2, &b"42"[..], 7));
    assert_eq!(row.from.map(Moment::seconds), Some(1_767_225_600));
    assert_eq!(row.until.map(Moment::seconds), Some(1_767_312_000));
    assert_eq!(row.max_uses, NonZeroU32::new(3));
    assert_eq!(row.context.as_deref(), Some("in"));
    assert!(!row.enabled);
    assert_eq!(row.digest(), digest(b"42", b"plain:1"));
    let row = rows.by_account(b"43").next().expect("a row");
    assert_eq!(
        (row.line, row.level, row.from, row.until),
        (3, 0, None, None)
    );
    assert_eq!((row.max_uses, row.context, row.enabled), (None, None, true));
    assert_eq!(row.secret.verify(&entered("2"), &pepper), Ok(true));
    assert_eq!(row.secret.verify(&pin, &pepper), Ok(false));
}

#[test]
fn broken_rows_are_named() {
    let list = "account,secret,caller\n\
                a,1234,\n\
                b,plain:,\n\
                c,plain:1,anonymous\n\
                ,plain:1,\n\
                d,plain:1,\n\
                e,md5:1234567,100\n";
    let rows = rows(list, CSV);
    assert_eq!(by_pin(&rows, "1"), [6]);
    assert_eq!(rows.len(), 1);
    let said: Vec<String> = rows.broken().iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "line 2, secret: the secret must begin with plain:, md5:, hmac-sha256: or $argon2id$",
            "line 3, secret: there is no PIN behind plain:",
            "line 4, caller: not a usable number",
            "line 5, account: empty",
            "line 7, caller: not a usable number",
        ]
    );
}

#[test]
fn first_row_with_uses_or_a_context_is_named() {
    let limited =
        |rows_of: &str| rows(&format!("account,secret,max_uses,context\n{rows_of}"), CSV).limited();
    assert_eq!(limited("a,plain:1,,\n"), None);
    assert_eq!(
        limited("a,plain:1,,\nb,plain:2,,in\nc,plain:3,1,\n"),
        Some((3, Column::Context))
    );
    assert_eq!(limited("a,plain:1,2,in\n"), Some((2, Column::MaxUses)));
    // Rows that admit nobody limit nobody.
    assert_eq!(limited("a,1,2,\nb,plain:2,0,\n"), None);
    assert_eq!(rows("1234\n", PLAIN).limited(), None);
}

/// In a large list, an index leads to blocks with other rows in them: a row is found by
/// what it has, not by where it is, and nobody by the bits of hash of another.
#[test]
fn equal_hash_alone_finds_no_row() {
    const ROWS: u64 = 400_000;
    let account = |row| format!("u{row}");
    let caller = |row| format!("50{row:08}");
    let row = |row| format!("{},plain:{row},{}\n", account(row), caller(row));
    let list: String = (0..ROWS).map(row).collect();
    let rows = rows(&format!("account,secret,caller\n{list}"), CSV);
    for row in (0..ROWS).step_by(37) {
        let line = [row + 2];
        assert_eq!(by_account(&rows, &account(row)), line);
        assert_eq!(by_caller(&rows, &caller(row)), line);
        assert_eq!(by_pin(&rows, &row.to_string()), line);
    }
    // The hashes are others in each run, so those that are the same are looked for.
    let number = |row| {
        turkey()
            .normalize(caller(row).as_bytes())
            .expect("a number")
    };
    let indexes = &rows.indexes;
    let leads = |index: &RowIndex, hash| index.get(hash).next().is_some();
    let hasher = &rows.hasher;
    let by_hash = |row: &u64| leads(&indexes.pins, hash(hasher, row.to_string().as_bytes()));
    for missing in (ROWS..).filter(by_hash).take(5) {
        assert!(by_pin(&rows, &missing.to_string()).is_empty());
    }
    let by_hash = |row: &u64| leads(&indexes.accounts, hash(hasher, account(*row).as_bytes()));
    for missing in (ROWS..).filter(by_hash).take(5) {
        assert!(by_account(&rows, &account(missing)).is_empty());
    }
    let by_hash = |row: &u64| {
        let caller = CallerNumber::of(&number(*row));
        leads(&indexes.callers, hash(hasher, &caller))
    };
    for missing in (ROWS..).filter(by_hash).take(5) {
        assert!(by_caller(&rows, &caller(missing)).is_empty());
    }
}

#[test]
fn at_most_21_broken_rows_are_named() {
    for (lines, named) in [(20, 20), (21, 21), (5000, 21)] {
        let list = format!("account,secret\n{}", "a,1\n".repeat(lines));
        assert_eq!(rows(&list, CSV).broken().len(), named);
        assert_eq!(
            rows(&"not a PIN\n".repeat(lines), PLAIN).broken().len(),
            named
        );
    }
}

#[test]
fn lists_without_columns() {
    let list = format!(
        "bob:{}\n\nbob\nalice: {}  -\n",
        md5("1"),
        md5("2").to_uppercase()
    );
    let found = rows(&list, MD5);
    assert_eq!(
        (by_pin(&found, "1"), by_pin(&found, "2")),
        (vec![1], vec![4])
    );
    assert_eq!(by_account(&found, "alice"), [4]);
    let row = found.by_account(b"alice").next().expect("a row");
    let text = format!("md5:{}", md5("2"));
    assert_eq!(row.digest(), digest(b"alice", text.as_bytes()));
    let said: Vec<String> = found.broken().iter().map(ToString::to_string).collect();
    assert_eq!(said, ["line 3: no account and no ':'"]);

    let found = rows("1234\r\n\n  5*A \n1234\nx\n", PLAIN);
    assert_eq!(
        (by_pin(&found, "1234"), by_pin(&found, "5*A")),
        (vec![1, 4], vec![3])
    );
    assert_eq!((by_account(&found, ""), found.len()), (Vec::new(), 3));
}

#[test]
fn a_database_has_accounts_and_secrets() {
    let long = "x".repeat(80);
    let entries = [
        ("a", " plain:1 "),
        ("", "plain:2"),
        ("b", "3"),
        (&long, "plain:4"),
        ("c\n", "plain:5"),
        ("d\te", "plain:6"),
    ];
    let entries = entries.map(|(account, secret)| (account.as_bytes(), secret.as_bytes()));
    let rows = of_credentials(entries, u64::MAX).unwrap_or_else(|broken| panic!("{broken}"));
    assert_eq!(
        (by_pin(&rows, "1"), by_account(&rows, "a")),
        (vec![1], vec![1])
    );
    assert_eq!(by_account(&rows, "c"), [5]);
    let broken = rows.broken().iter().map(|row| (row.line, row.column));
    let (account, secret) = (Some(Column::Account), Some(Column::Secret));
    let right = [(2, account), (3, secret), (4, account), (6, account)];
    assert_eq!(broken.collect::<Vec<_>>(), right);
    assert!(of_credentials(entries, 100).is_err());
}

#[test]
fn a_digest_is_of_the_account_and_its_secret() {
    // printf 'authenticate-uses-v1\0a\0plain:1234' | sha256sum
    let right = "16d68196e9602c4bb89411584e350608";
    assert_eq!(hex(&digest(b"a", b"plain:1234")), right);
    assert_eq!(hex(&digest(b"a", b"\t plain:1234 ")), right);
    for (account, secret) in [
        ("b", "plain:1234"),
        ("a", "plain:1235"),
        ("", "a\0plain:1234"),
    ] {
        let other = digest(account.as_bytes(), secret.as_bytes());
        assert_ne!(hex(&other), right);
    }
    let small = digest(b"a", b"hmac-sha256:Main:ab");
    assert_eq!(digest(b"a", b"hmac-sha256:Main:AB"), small);
    assert_ne!(digest(b"a", b"hmac-sha256:main:ab"), small);
    assert_eq!(digest(b"a", b"md5:AB"), digest(b"a", b"md5:ab"));
    assert_ne!(digest(b"a", b"plain:A"), digest(b"a", b"plain:a"));
}

#[test]
fn the_limit_on_memory_holds() {
    let rows_of = |count| {
        let rows = (0..count).map(|row| format!("user{row},plain:{row},+90506{row:07}\n"));
        format!("account,secret,caller\n{}", rows.collect::<String>())
    };
    let list = rows_of(20_000);
    let found = rows(&list, CSV);
    let memory = found.memory();
    assert!(memory < 150 * 20_000, "{memory}");
    // While it is made it takes more.
    assert!(read(list.as_bytes(), CSV, true, 2 * memory).is_ok());
    let refused = broken(&list, memory - 1);
    let limit = memory - 1;
    assert_eq!(
        refused,
        format!("it takes more memory than max_list_memory allows, {limit} bytes")
    );
    // It is noticed while the list is read, not behind it.
    let endless = Endless(list.as_bytes(), 0);
    let refused = read(endless, CSV, true, 1 << 20);
    assert!(matches!(refused, Err(TableError::TooLarge(_))));
    // Ten of them are not worth a mention.
    assert!(read(rows_of(10).as_bytes(), CSV, true, 8000).is_ok());
}

/// A list over and over: its header is a row like any other.
struct Endless<'a>(&'a [u8], usize);

impl Read for Endless<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let read = (&self.0[self.1..]).read(room)?;
        self.1 = (self.1 + read) % self.0.len();
        Ok(read)
    }
}

#[test]
fn invalid_lists_are_refused() {
    assert_eq!(
        broken("account,secret\na,plain:1\nb\n", u64::MAX),
        "line 3: more or fewer fields than the header"
    );
    let unreadable = read(Failing, MD5, true, u64::MAX);
    assert!(unreadable.is_err_and(|broken| broken.to_string() == "gone"));
}

struct Failing;

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("gone"))
    }
}

const ACCOUNTS: [&str; 4] = ["a", "b", "Ada L.", "ä"];
const PINS: [&str; 4] = ["1", "12", "1234", "*A"];
const NUMBERS: [&str; 3] = ["5060508169", "5060508160", "4412345678"];

/// A row of a csv list: its account, the form of its secret, its PIN, its
/// number and how that is spelled.
type Made = (usize, usize, usize, Option<(usize, usize)>);

fn text_of(&(account, form, pin, number): &Made) -> String {
    let (account, pin) = (ACCOUNTS[account], PINS[pin]);
    let secret = match form {
        0 | 1 => format!("plain:{pin}"),
        2 => format!("md5:{}", md5(pin)),
        3 => format!("MD5:{pin}"),
        4 => format!("hmac-sha256:main:{}", mac(pin).to_uppercase()),
        5 => format!("hmac-sha256:lost:{}", mac(pin)),
        _ => argon2id(1),
    };
    let caller = number.map_or(String::new(), |(number, spelled)| {
        let prefix = ["+90", "90", "0", "", "0090", "x"][spelled];
        format!("{prefix}{}", NUMBERS[number])
    });
    format!("{account},{secret},{caller}")
}

/// Returns the lines of the rows that fit, in order. A caller or account has at most
/// eight slow ones.
fn model(
    list: &str,
    settled: bool,
    fits: impl Fn(&[u8], &Secret, Option<Number>) -> bool,
) -> Vec<u64> {
    let mut reader = csv::Reader::new(list.as_bytes(), settled, &Zone::utc());
    let mut lines = Vec::new();
    while let Some(row) = reader.next_row().expect("a list") {
        let Ok(row) = row else { continue };
        let number = row
            .caller
            .map(|caller| turkey().normalize(caller.as_bytes()));
        let secret = Secret::parse(row.secret.as_bytes());
        if let (Ok(secret), Some(number)) = (secret, number.map_or(Some(None), |n| n.map(Some))) {
            if fits(row.account.as_bytes(), &secret, number) {
                lines.push(row.line);
            }
        }
    }
    lines
}

proptest! {
    #[test]
    fn lookup_agrees_with_a_linear_search(
        made in prop::collection::vec(
            (0..4_usize, 0..7_usize, 0..4_usize, prop::option::of((0..3_usize, 0..6_usize))),
            0..40,
        ),
        settled: bool,
        end: bool,
        at_once in 1..200_usize,
    ) {
        let mut slow = 0;
        let made = made.iter().filter(|row| {
            slow += usize::from(row.1 == 6);
            row.1 != 6 || slow <= 8
        });
        let texts: Vec<String> = made.map(text_of).collect();
        let mut list = format!("account,secret,caller\n{}", texts.join("\n"));
        if end {
            list.push('\n');
        }
        let found = read(Slow(list.as_bytes(), at_once), CSV, settled, u64::MAX).expect("rows");
        let pepper = pepper();
        for pin in PINS {
            let pin = entered(pin);
            let right = model(&list, settled, |_, secret, _| {
                !secret.form().is_slow() && secret.verify(&pin, &pepper) == Ok(true)
            });
            let by_pin = found.by_pin(&pin, &pepper);
            let lost = model(&list, settled, |_, secret, _| {
                secret.verify(&pin, &pepper).is_err()
            });
            prop_assert_eq!(by_pin.missing().is_empty(), lost.is_empty());
            prop_assert_eq!(lines(by_pin), right);
        }
        for account in ACCOUNTS {
            let right = model(&list, settled, |of, _, _| of == account.as_bytes());
            prop_assert_eq!(by_account(&found, account), right);
        }
        for number in NUMBERS {
            let wanted = turkey().normalize(number.as_bytes());
            let right = model(&list, settled, |_, _, of| of == wanted);
            prop_assert_eq!(by_caller(&found, number), right);
        }
        prop_assert_eq!(found.len(), model(&list, settled, |_, _, _| true).len() as u64);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    #[ignore = "takes long: make unit"]
    fn many_rows_are_found(rows_of in 1..40_000_u32, group in 1..5_u32) {
        let list: String = (0..rows_of).map(|row| format!("{}\n", row / group)).collect();
        let found = rows(&list, PLAIN);
        for row in (0..rows_of).step_by(97) {
            let pin = row / group;
            let right = (0..rows_of).skip((pin * group) as usize).take(group as usize);
            let right: Vec<u64> = right.map(|row| u64::from(row) + 1).collect();
            prop_assert_eq!(by_pin(&found, &pin.to_string()), right);
        }
        prop_assert_eq!(by_pin(&found, &rows_of.to_string()), [0; 0]);
    }
}
