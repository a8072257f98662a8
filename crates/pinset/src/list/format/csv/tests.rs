use std::io;

use super::*;
use proptest::prelude::*;

fn utc() -> Zone {
    Zone::utc()
}

/// A row in words, or what is wrong with it.
fn say(row: Result<Row<'_>, InvalidValue>) -> String {
    match row {
        Err(bad) => format!("{} {} {:?}", bad.line, bad.column.name(), bad.error),
        Ok(row) => {
            let optional = [row.caller, row.name, row.context].map(Option::unwrap_or_default);
            let [from, until] = [row.from, row.until].map(|moment| moment.map(Moment::seconds));
            format!(
                "{} {} {} {optional:?} {} {from:?} {until:?} {:?}{}",
                row.line,
                row.account,
                row.secret,
                row.level,
                row.max_uses,
                if row.enabled { "" } else { " disabled" },
            )
        }
    }
}

/// Has `look` look at each row.
fn read(
    list: impl Read,
    settled: bool,
    mut look: impl FnMut(Result<Row<'_>, InvalidValue>),
) -> Result<(), CsvError> {
    let mut reader = Reader::new(list, settled, &utc());
    while let Some(row) = reader.next_row()? {
        look(row);
    }
    Ok(())
}

fn rows(list: &str, settled: bool) -> Result<Vec<String>, (u64, CsvErrorKind)> {
    let mut rows = Vec::new();
    match read(list.as_bytes(), settled, |row| rows.push(say(row))) {
        Ok(_) => Ok(rows),
        Err(CsvError::Invalid(line, kind)) => Err((line, kind)),
        Err(CsvError::Unreadable(error)) => panic!("{error}"),
    }
}

#[test]
fn rows_are_what_their_columns_say() {
    let all = "account,secret,caller,name,level,valid_from,valid_until,max_uses,context\n";
    let table: &[(&str, &str, &[&str])] = &[
        ("", "", &[]),
        ("account,secret\n", "", &[]),
        (
            "account,secret\n",
            "42,1234\n",
            &["2 42 1234 [\"\", \"\", \"\"] 0 None None None"],
        ),
        (
            "\u{feff}SECRET , Account\r\n",
            "plain:1234, 42 \r\n\r\n",
            &["2 42 plain:1234 [\"\", \"\", \"\"] 0 None None None"],
        ),
        (
            all,
            "42,1234,+90 850,\"Ada, L.\nB.\",255,2026-01-01,2026-01-01,4294967295,in\n7,1,,,,,,,\n",
            &[
                "2 42 1234 [\"+90 850\", \"Ada, L.\\nB.\", \"in\"] 255 Some(1767225600) \
                 Some(1767312000) Some(4294967295)",
                "4 7 1 [\"\", \"\", \"\"] 0 None None None",
            ],
        ),
        (
            "secret,max_uses,account\n",
            "1,1,a\n2,01,b\n",
            &[
                "2 a 1 [\"\", \"\", \"\"] 0 None None Some(1)",
                "3 b 2 [\"\", \"\", \"\"] 0 None None Some(1)",
            ],
        ),
        (
            "Enabled,account,secret\n",
            "yes,a,1\n no ,b,2\n,c,3\n",
            &[
                "2 a 1 [\"\", \"\", \"\"] 0 None None None",
                "3 b 2 [\"\", \"\", \"\"] 0 None None None disabled",
                "4 c 3 [\"\", \"\", \"\"] 0 None None None",
            ],
        ),
    ];
    for (header, list, expected) in table {
        let read = rows(&format!("{header}{list}"), true);
        let expected = expected.iter().map(|row| (*row).to_owned()).collect();
        assert_eq!(read, Ok(expected), "{header}{list}");
    }
}

#[test]
fn a_wrong_value_refuses_its_row_alone() {
    use Column::*;
    let longest = "x".repeat(MAX_NAME_BYTES);
    let long = format!("{longest}x");
    let table: &[(Column, &[&str], ValueError)] = &[
        (Account, &["", "  ", "\"\""], ValueError::Empty),
        (Account, &[&long, &"\u{e9}".repeat(40)], ValueError::TooLong),
        (
            Account,
            &["a\0b", "\"a\nb\"", "a\tb"],
            ValueError::ControlCharacter,
        ),
        (Secret, &["", " "], ValueError::Empty),
        (
            Secret,
            &["1\x1b2", "\"1\n2\""],
            ValueError::ControlCharacter,
        ),
        (Caller, &["1\x7f2"], ValueError::ControlCharacter),
        (Name, &["a\0", "a\u{85}b"], ValueError::ControlCharacter),
        (
            Level,
            &["256", "-1", "+1", "1.0", "high", "\u{b2}"],
            ValueError::InvalidLevel,
        ),
        (
            ValidFrom,
            &["22.11.2026", "2026-02-29", "soon"],
            ValueError::InvalidDate,
        ),
        (
            ValidUntil,
            &["22.11.2026", "2026-02-29 10:00", "0"],
            ValueError::InvalidDate,
        ),
        (
            MaxUses,
            &["0", "-1", "4294967296", "1.5", "+1", "once"],
            ValueError::InvalidUses,
        ),
        (
            Context,
            &["a b", "\"a,b\"", &long],
            ValueError::InvalidContext,
        ),
        (
            Enabled,
            &["true", "false", "0", "1", "NO", "n", "off", "-"],
            ValueError::InvalidEnabled,
        ),
    ];
    for (column, values, error) in table {
        for value in *values {
            let (mut names, mut fields) = (vec!["account", "secret"], vec!["good", "1"]);
            match names.iter().position(|name| *name == column.name()) {
                Some(at) => fields[at] = value,
                None => {
                    names.push(column.name());
                    fields.push(value);
                }
            }
            let commas = ",".repeat(names.len() - 2);
            let (names, fields) = (names.join(","), fields.join(","));
            let list = format!("{names}\n{fields}\nafter,2{commas}\n");
            let read = rows(&list, true).expect("sound");
            assert_eq!(
                read[0],
                format!("2 {} {error:?}", column.name()),
                "{value:?}"
            );
            assert!(read[1].contains(" after 2 "), "{read:?}");
        }
    }
    assert!(rows(&format!("account,secret\n{longest},1\n"), true)
        .is_ok_and(|r| r[0].contains(&longest)));
}

#[test]
fn row_that_ends_before_it_begins_is_invalid() {
    for (from, until, admits) in [
        ("2026-11-22", "2026-11-22", true),
        ("2026-11-22", "2026-11-21", false),
        ("2026-11-22 10:00", "2026-11-22 10:00", false),
        ("2026-11-22 10:00", "2026-11-22 10:00:01", true),
        ("2026-11-22 10:00Z", "2026-11-22 10:30+01:00", false),
        ("2026-11-22", "", true),
        ("", "2000-01-01", true),
    ] {
        // The columns in either order.
        for list in [
            format!("account,secret,valid_from,valid_until\na,1,{from},{until}\n"),
            format!("valid_until,valid_from,account,secret\n{until},{from},a,1\n"),
        ] {
            let read = rows(&list, true).expect("sound");
            assert_eq!(read[0] != "2 valid_until NeverValid", admits, "{list}");
        }
    }
}

#[test]
fn invalid_file_is_refused_whole() {
    use CsvErrorKind::*;
    for (list, broken) in [
        ("1234\n5678\n", (1, UnknownColumn(1))),
        ("\naccount,secret,colour\n", (2, UnknownColumn(3))),
        ("account;secret\n", (1, WrongSeparator(';'))),
        ("\nsecret\tAccount\n", (2, WrongSeparator('\t'))),
        ("\naccount;secret,\n", (2, WrongSeparator(';'))),
        ("account;name\n", (1, UnknownColumn(1))),
        ("account,secret,\n", (1, UnknownColumn(3))),
        (
            "account,secret,Account\n",
            (1, DuplicateColumn(Column::Account)),
        ),
        ("account,name\n", (1, MissingColumn(Column::Secret))),
        ("secret\n", (1, MissingColumn(Column::Account))),
        ("account,secret\na,1\nb\n", (3, FieldCount)),
        ("account,secret\na,1\nb,2,\n", (3, FieldCount)),
        ("account,secret\na,\"1\nb,2\n", (2, UnclosedQuote)),
        ("account,secret\na,1\"\n", (2, MisplacedQuote)),
    ] {
        assert_eq!(rows(list, true), Err(broken), "{list:?}");
    }
}

#[test]
fn unended_last_row_waits_for_its_writer() {
    for (list, count) in [
        ("account,secret", 0),
        ("acc", 0),
        ("account,secret\na,1", 0),
        ("account,secret\na,1\nb", 1),
        ("account,secret\na,1\nb,\"2\n", 1),
    ] {
        assert_eq!(
            rows(list, false).map(|rows| rows.len()),
            Ok(count),
            "{list:?}"
        );
    }
    assert_eq!(
        rows("account,secret\na,1", true).map(|rows| rows.len()),
        Ok(1)
    );
}

/// Hands out a list byte by byte, then fails.
struct Failing<'a>(&'a [u8]);

impl Read for Failing<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let (byte, rest) = self
            .0
            .split_first()
            .ok_or_else(|| io::Error::other("gone"))?;
        self.0 = rest;
        room[0] = *byte;
        Ok(1)
    }
}

#[test]
fn a_disk_that_fails_refuses_the_list() {
    let list = Failing(b"account,secret\na,1\n");
    let end = read(list, true, |_| ());
    assert!(end.is_err_and(|broken| broken.to_string() == "gone"));
}

proptest! {
    #[test]
    fn parsing_any_bytes_does_not_panic(
        tail in proptest::collection::vec(any::<u8>(), 0..60),
        header: bool,
        settled: bool,
    ) {
        let mut list = if header { b"secret,name,account\n".to_vec() } else { Vec::new() };
        list.extend(tail);
        let _ = read(&list[..], settled, |row| {
            if let Ok(row) = row {
                assert!(!row.account.is_empty() && row.account.len() <= MAX_NAME_BYTES);
                assert!(!row.secret.is_empty());
            }
        });
    }

    #[test]
    fn errors_hold_nothing_of_the_list(
        secret in "[0-9]{6,10}",
        field in "[0-9]{6,10}|\"|\"x|x\"|,|",
        column in 0..Column::ALL.len(),
    ) {
        let name = Column::ALL[column].name();
        let list = format!("account,secret,{name}\n{field},{secret},{field}{secret}\n{secret}\n");
        let mut said = String::new();
        let end = read(list.as_bytes(), true, |row| {
            said.extend(row.err().map(|bad| bad.to_string()));
        });
        said.extend(end.err().map(|broken| broken.to_string()));
        prop_assert!(!said.is_empty());
        prop_assert!(!said.contains(&secret), "{said}");
    }
}
