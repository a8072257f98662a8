use super::*;
use crate::credential::table::Reading;
use crate::list::FileKind;
use crate::phone_number::Numbering;
use crate::timestamp::Zone;
use std::convert::Infallible;
use std::time::{Duration, SystemTime};

/// The rows of a csv list without its header, in their order.
fn rows(list: &str) -> Vec<Candidate> {
    let columns = "account,secret,level,valid_from,valid_until,context,enabled";
    let text = format!("{columns}\n{list}");
    let (zone, numbering) = (Zone::utc(), Numbering::default());
    let mut reading = Reading::new(
        text.as_bytes(),
        FileKind::Csv,
        true,
        &zone,
        &numbering,
        u64::MAX,
    );
    let rows = loop {
        if let Some(rows) = reading.step().expect("read") {
            break rows;
        }
    };
    assert!(rows.broken().is_empty(), "{}", rows.broken()[0]);
    rows.by_account(b"a").collect()
}

/// At 2026-11-22 12:00 (UTC).
fn terms(required_level: u8, open: bool) -> Terms {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_348_800);
    Terms {
        required_level,
        open,
        now: Moment::of(now),
    }
}

fn admitted(
    rows: Vec<Candidate>,
    terms: Terms,
    mut take: impl FnMut(&Candidate) -> Taken,
) -> Verdict {
    let Ok(verdict) = admit(rows, terms, |row| Ok::<_, Infallible>(take(row)), |_| {});
    verdict
}

/// The verdict where all rows have uses left; in place of `Right`, the context.
fn verdict(list: &str, terms: Terms) -> String {
    match admitted(rows(list), terms, |_| Taken::Yes) {
        Verdict::Right(grant) => {
            assert_eq!(grant.account.as_deref(), Some(b"a".as_slice()));
            grant.context.unwrap_or_default()
        }
        verdict => format!("{verdict:?}"),
    }
}

#[test]
fn the_first_row_that_admits_does() {
    let table = [
        ("", "Wrong"),
        ("a,plain:1,,,,one,\na,plain:1,,,,two,\n", "one"),
        ("a,plain:1,,,2026-11-21,one,\na,plain:1,,,,two,\n", "two"),
        ("a,plain:1,,2026-11-23,,one,\na,plain:1,,,,two,\n", "two"),
        ("a,plain:1,,2026-11-22,2026-11-22,one,\n", "one"),
        ("a,plain:1,,2026-11-22 12:00Z,,one,\n", "one"),
        ("a,plain:1,,2026-11-22 12:00:01Z,,one,\n", "Expired"),
        ("a,plain:1,,,2026-11-22 12:00Z,one,\n", "Expired"),
        ("a,plain:1,,,2026-11-22 12:00:01Z,one,\n", "one"),
        ("a,plain:1,,,,one,yes\n", "one"),
        ("a,plain:1,,,,one,no\n", "Expired"),
        ("a,plain:1,,,,one,no\na,plain:1,,,,two,\n", "two"),
    ];
    for (list, want) in table {
        assert_eq!(verdict(list, terms(0, true)), want, "{list}");
    }
}

#[test]
fn a_level_too_low_is_wrong_and_not_expired() {
    let list = "a,plain:1,4,,2026-11-21,one,\na,plain:1,5,,,two,\n";
    assert_eq!(verdict(list, terms(5, true)), "two");
    assert_eq!(verdict(list, terms(6, true)), "Wrong");
    assert_eq!(verdict(list, terms(5, false)), "Expired");
    assert_eq!(verdict(list, terms(6, false)), "Wrong");
    let list = "a,plain:1,4,,,one,no\n";
    assert_eq!(verdict(list, terms(4, true)), "Expired");
    assert_eq!(verdict(list, terms(5, true)), "Wrong");
}

#[test]
fn a_use_is_taken_of_the_row_that_admits_alone() {
    let list = "a,plain:1,1,,,one,\na,plain:1,2,,2026-11-21,two,\n\
                a,plain:1,2,,,off,no\na,plain:1,2,,,three,\na,plain:1,2,,,four,\na,plain:1,2,,,five,\n";
    let mut asked = Vec::new();
    let verdict = admitted(rows(list), terms(2, true), |row| {
        asked.push(row.context.clone().expect("a context"));
        match asked.len() {
            2 => Taken::Yes,
            _ => Taken::NoneLeft,
        }
    });
    assert_eq!(asked, ["three", "four"]);
    let context = match verdict {
        Verdict::Right(grant) => grant.context,
        _ => None,
    };
    assert_eq!(context.as_deref(), Some("four"));

    let none_left = admitted(rows(list), terms(0, true), |_| Taken::NoneLeft);
    assert_eq!(none_left, Verdict::Expired);
    // Outside its times none is taken.
    let closed = admitted(rows(list), terms(0, false), |_| panic!("a use is taken"));
    assert_eq!(closed, Verdict::Expired);
}

#[test]
fn use_that_cant_be_counted_is_wrong_unless_another_row_admits() {
    let list = "a,plain:1,,,,one,\na,plain:1,,,,two,\n";
    let failed = admitted(rows(list), terms(0, true), |_| Taken::Failed);
    assert_eq!(failed, Verdict::Wrong);
    let mut asked = 0;
    let second = admitted(rows(list), terms(0, true), |_| {
        asked += 1;
        match asked {
            1 => Taken::Failed,
            _ => Taken::Yes,
        }
    });
    assert!(matches!(second, Verdict::Right(_)), "{second:?}");
}

#[test]
fn entries_and_rows_have_the_same_digests() {
    let mut pin = Pin::new();
    b"1234".iter().for_each(|key| pin.push(*key));
    let plain = digest_of_entry(Format::Plain, b"", &pin);
    assert_eq!(plain, digest(b"", b"plain:1234"));
    let md5 = digest_of_entry(Format::Md5, b"bob", &pin);
    assert_eq!(md5, digest(b"bob", b"md5:81dc9bdb52d04dc20036dbd8313ed055"));
}
