//! How many rows one number or account may have, and what their hashes cost.

use super::*;

#[test]
fn few_slow_rows_for_one_number_or_account() {
    let row = |account: &str, caller: &str| format!("{account},{},{caller}\n", argon2id(1));
    let list = |rows: &[String]| format!("account,secret,caller\n{}", rows.concat());
    // Quick ones do not count.
    let mut quick: Vec<String> = (0..20).map(|pin| format!("a,plain:{pin},100\n")).collect();
    let caller = |nth: usize| {
        if nth % 2 == 0 {
            "+905060508169"
        } else {
            "05060508169"
        }
    };
    let of_number = |rows| (0..rows).map(|nth| row(&format!("a{nth}"), caller(nth)));
    let of_account = |rows| (0..rows).map(|_| row("b", ""));

    quick
        .iter_mut()
        .for_each(|row| *row = row.replace("100", "+905060508169"));
    let mut fine = quick.clone();
    fine.extend(of_number(8).chain(of_account(8)));
    let found = rows(&list(&fine), CSV);
    assert_eq!((found.argon2id(), found.broken().len()), (16, 0));
    assert_eq!(by_caller(&found, "5060508169").len(), 28);

    let nine = "there are more than 8 rows with argon2id for its number or its account";
    let number: Vec<String> = quick.iter().cloned().chain(of_number(10)).collect();
    assert_eq!(broken(&list(&number), u64::MAX), format!("line 30: {nine}"));
    let account: Vec<String> = of_account(9).chain(of_number(9)).collect();
    assert_eq!(
        broken(&list(&account), u64::MAX),
        format!("line 10: {nine}")
    );
}

#[test]
fn number_with_too_many_accounts_breaks_the_list() {
    const NUMBER: &str = "+905060508169";
    let list = |accounts: usize, rows_each: usize| {
        let mut list = "account,secret,caller\n".to_owned();
        for account in 0..accounts {
            for row in 0..rows_each {
                list.push_str(&format!("a{account},plain:{row}{account},{NUMBER}\n"));
            }
        }
        // Other numbers, and rows without one, have accounts of their own.
        for other in 0..2 * MAX_ACCOUNTS {
            list.push_str(&format!(
                "b{other},plain:1234,+9053211{other:05}\nc{other},plain:1,\n"
            ));
        }
        list
    };
    assert_eq!(broken(&list(MAX_ACCOUNTS, 3), u64::MAX), "");
    let line = MAX_ACCOUNTS + 2;
    let why = format!(
        "line {line}: more than {MAX_ACCOUNTS} accounts have rows for the number {NUMBER}: "
    );
    let said = broken(&list(MAX_ACCOUNTS + 1, 1), u64::MAX);
    assert!(said.starts_with(&why), "{said}");
    assert!(said.contains("identify = pin or account"), "{said}");
    // The spelling of the number does not matter.
    let spelled = list(MAX_ACCOUNTS, 1) + "last,plain:1,0506 050 81 69\n";
    assert!(broken(&spelled, u64::MAX).contains(NUMBER));
}

/// The work of hashing for each of these numbers or accounts, which rows have or not.
fn works(rows: &Rows, by: FoundBy, named: &[&str]) -> Vec<u64> {
    let of = |name: &str| -> Vec<Candidate> {
        let theirs: Vec<Candidate> = match by {
            FoundBy::Caller => {
                let number = turkey().normalize(name.as_bytes()).expect("a number");
                rows.by_caller(&number).collect()
            }
            _ => rows.by_account(name.as_bytes()).collect(),
        };
        theirs
            .into_iter()
            .filter(|row| row.secret.form().is_slow())
            .collect()
    };
    let work = |name: &&str| -> u64 {
        let own = of(name);
        let filler = rows.filler(by, &own);
        let own = own.iter().filter_map(|row| row.secret.cost());
        own.chain(filler).map(|cost| u64::from(cost.work())).sum()
    };
    named.iter().map(work).collect()
}

#[test]
fn hashing_costs_the_same_for_every_number_and_account_of_a_list() {
    let list = |rows: &str| format!("account,secret,caller\n{rows}");
    let plain = rows(&list("a,plain:1,\n"), CSV);
    assert_eq!(works(&plain, FoundBy::Account, &["a", "nobody"]), [0, 0]);
    // Of m = 8 each; b has most passes of all, and shares its number with a.
    let (one, two) = ("+905060508169", "+905060508170");
    let text: String = [
        ("a", 2, one),
        ("b", 4, one),
        ("b", 3, two),
        ("c", 5, ""),
        ("b", 1, ""),
    ]
    .map(|(account, passes, caller)| format!("{account},{},{caller}\n", argon2id(passes)))
    .concat();
    let found = rows(&list(&format!("{text}d,plain:1,{two}\n")), CSV);
    let accounts = works(&found, FoundBy::Account, &["a", "b", "c", "d", "nobody"]);
    assert_eq!(accounts, [8 * (4 + 3 + 1); 5]);
    let callers = works(&found, FoundBy::Caller, &[one, two, "+905060508171"]);
    assert_eq!(callers, [8 * (2 + 4); 3]);
    assert!(found.filler(FoundBy::Pin, &[]).is_empty());
}
