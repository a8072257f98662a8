use super::*;

use std::time::Duration;

use libpq::Parameter;

use crate::credential::pepper::Pepper;
use crate::pin::Pin;

/// HMAC-SHA-256 of `authenticate-v1`, a NUL and `1234` or nothing, under the keys of
/// [`pepper`], by Python's hmac.
const OF_1234: [&str; 2] = [
    "0cf3350388639ce738edc6e75d97885f5c95e4a2f8c2a4f58d3cd01a385eee55",
    "0f6417a2aadda3d621d79573f56897ade7af1db434d80b20e7636f8a92b88485",
];
const OF_NOTHING: [&str; 2] = [
    "e2aa42b9d12afdab1764b56bb01ee00bbb8a3068387b80bfb124a215a6b7e18f",
    "4eb0d48955df299cf8a57a45b6c55919df661c3b3903022d38ee2b58b1c730e1",
];

fn pepper() -> Pepper {
    let file = format!("k1:{}\nk2:{}\n", "11".repeat(32), "22".repeat(32));
    Pepper::parse(file.as_bytes()).expect("a pepper")
}

/// Digests as an array of PostgreSQL.
fn array([one, other]: [&str; 2]) -> String {
    format!(r#"{{"\\x{one}","\\x{other}"}}"#)
}

fn texts(parameters: &[Parameter]) -> Vec<Option<&str>> {
    let texts = parameters.iter();
    texts.map(|text| text.as_ref()?.to_str().ok()).collect()
}

#[test]
fn digests_of_an_entry_are_one_for_each_key() {
    let pepper = pepper();
    let mut pin = Pin::new();
    assert_eq!(digests(&pin, &pepper), "{}");
    assert_eq!(digests::hex_digests(&pin, &pepper), [""; 0]);
    b"1234".iter().for_each(|digit| pin.push(*digit));
    assert_eq!(digests(&pin, &pepper), array(OF_1234));
    assert_eq!(digests::hex_digests(&pin, &pepper), OF_1234);
}

#[test]
fn fingerprints_of_a_pepper_have_the_order_of_its_ids() {
    let (ids, fingerprints) = fingerprints(&pepper());
    assert_eq!(ids, r#"{"k1","k2"}"#);
    assert_eq!(fingerprints, array(OF_NOTHING));
}

#[test]
fn schema_of_this_release_and_of_the_next_is_served() {
    let served = (0..5).filter(|version| is_served(*version));
    assert_eq!(served.collect::<Vec<_>>(), [2, 3]);
}

/// What waits for a locked row, or takes a use, must not be run again.
#[test]
fn statements_that_change_something_do_not_only_read() {
    let changes = STATEMENTS.into_iter().filter(|sent| !only_reads(sent));
    let names = changes.map(|statement| statement.name.to_str().expect("a name"));
    let names: Vec<_> = names.collect();
    assert_eq!(
        names,
        [
            "pinset_pepper",
            "pinset_consume",
            "pinset_charge",
            "pinset_charge_accounts",
            "pinset_settle",
            "pinset_reset_uses",
            "pinset_unlock",
            "pinset_purge",
        ]
    );
}

#[test]
fn steps_of_an_entry_share_its_time_and_the_next_entry_has_all_of_it() {
    let seconds = Duration::from_secs;
    let budget = EntryBudget::new(seconds(5));
    assert_eq!((budget.timeout(), budget.left()), (seconds(5), seconds(5)));
    budget.spend(seconds(1));
    budget.spend(seconds(3));
    assert_eq!((budget.timeout(), budget.left()), (seconds(5), seconds(1)));
    budget.spend(seconds(3));
    assert_eq!(budget.left(), Duration::ZERO);
    budget.begin();
    assert_eq!(budget.left(), seconds(5));
}

#[test]
fn requests_name_the_rows_whose_uses_they_list_or_reset() {
    let request = list_uses("customers", 17, 100);
    assert_eq!(request.statement, &uses::USES);
    let wanted = [Some("customers"), Some("17"), Some("100")];
    assert_eq!(texts(&request.parameters), wanted);
    let request = reset_uses("customers", Some("a\0b"), None);
    assert_eq!(request.statement, &uses::RESET_USES);
    // No text of the database has a NUL.
    let wanted = [Some("customers"), Some("a b"), None];
    assert_eq!(texts(&request.parameters), wanted);
    let request = reset_uses("customers", None, Some(17));
    let wanted = [Some("customers"), None, Some("17")];
    assert_eq!(texts(&request.parameters), wanted);
}
