//! Lists by which a PIN set can admit nobody.

use super::*;

/// The doubts about a csv list in country 90, and whether nobody is admitted.
fn doubts(options: &[(&str, &str)], list: &str) -> Vec<String> {
    let mut set = PinSet::default();
    for (name, value) in options {
        let fault = set.set(name.as_bytes(), value.as_bytes());
        assert_eq!(fault, Ok(()), "{name} = {value}");
    }
    let profile = rows(list, FileKind::Csv).profile();
    let doubts = set.doubts(&profile, &turkey()).into_iter();
    doubts
        .map(|doubt| match doubt.is_fatal() {
            true => format!("fatal: {doubt}"),
            false => doubt.to_string(),
        })
        .collect()
}

const CALLER: (&str, &str) = ("identify", "caller");
const ACCOUNT: (&str, &str) = ("identify", "account");
const ASKS: (&str, &str) = ("no_caller", "account");

#[test]
fn list_without_numbers_is_doubted_with_identify_caller() {
    let without = "account,secret\nada,plain:1\n";
    let empty = "account,secret,caller\nada,plain:1,\n";
    for list in [without, empty] {
        let doubts = doubts(&[CALLER], list);
        assert_eq!(doubts.len(), 1, "{doubts:?}");
        assert!(doubts[0].starts_with("fatal: rows are found by caller number"));
        assert!(doubts[0].ends_with(": nobody can be admitted"));
    }
    let asked = doubts(&[CALLER, ASKS], "account,secret\n7,plain:1\n");
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].ends_with(": only callers without a number can be admitted"));
    assert!(doubts(&[], without).is_empty());
    // One that is empty yet.
    assert!(doubts(&[CALLER], "account,secret\n").is_empty());
}

#[test]
fn account_that_nobody_can_enter_is_doubted() {
    let names = "account,secret,caller\nada,plain:1,+902125550101\nbob,plain:2,+902125550102\n";
    let none = doubts(&[ACCOUNT], names);
    assert_eq!(none.len(), 1, "{none:?}");
    assert!(none[0].starts_with("fatal: callers enter their account"));
    let one = "account,secret\n1001,plain:1\nbob,plain:2\n";
    let some = doubts(&[ACCOUNT], one);
    assert!(
        some.len() == 1 && some[0].contains("but 1 row has"),
        "{some:?}"
    );
    let asked = doubts(&[CALLER, ASKS], names);
    assert!(
        asked.len() == 1 && asked[0].contains("but 2 rows have"),
        "{asked:?}"
    );
    assert!(doubts(&[ACCOUNT], "account,secret\n1001,plain:1\n").is_empty());
    assert!(doubts(&[CALLER], names).is_empty());
}

#[test]
fn country_code_that_fits_no_row_is_doubted() {
    let foreign = "account,secret,caller\nada,plain:1,+4930123456\nbob,plain:2,004930123457\n";
    let all = doubts(&[CALLER], foreign);
    assert!(
        all.len() == 1 && all[0].contains("begins with country_code = 90"),
        "{all:?}"
    );
    let mixed = format!("{foreign}eve,plain:3,0212 555 01 01\n");
    assert!(doubts(&[CALLER], &mixed).is_empty());
    assert!(doubts(&[], foreign).is_empty());
    let mut set = PinSet::default();
    assert_eq!(set.set(b"identify", b"caller"), Ok(()));
    let profile = rows(foreign, FileKind::Csv).profile();
    assert!(set.doubts(&profile, &Numbering::default()).is_empty());
}
